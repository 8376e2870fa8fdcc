//! What is to become of an open transaction, by what Apache's coordinator said last. Pure.
//! Never knows: where that was read, who acts upon it.

use crate::log::{Decision, OpenTransaction};
use crate::protocol::transaction_record::TransactionValue;
use crate::record::{PartitionId, ProducerEpoch};

/// The last epoch of a producer in which it may write (TransactionMetadata.isEpochExhausted).
const EPOCH_LAST: ProducerEpoch = ProducerEpoch(i16::MAX - 1);

/// What is to become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The coordinator had decided, and owes the marker.
    Decided(Decision),
    /// Its producer was still writing. It may be alive, and try to commit at Apache again: the
    /// coordinator must know that this was aborted.
    Ongoing,
    /// One of its producer's was committed, in an epoch that is not this one's alone: a power loss
    /// took either its marker, or that another had begun. Times do not tell: they are those of two
    /// clocks, or whatever the producer gave its records.
    Unknown,
    /// The coordinator knows nothing of it (KIP-664): a batch that came too late.
    Hanging,
}

/// By what the coordinator said last of its producer.
pub fn verdict(
    open: &OpenTransaction,
    said: Option<&TransactionValue>,
    topic: &str,
    partition: PartitionId,
) -> Verdict {
    let Some(said) = said else { return Verdict::Hanging };
    let mut topics = said.partitions.iter().flatten();
    let is_in_it =
        topics.any(|known| &*known.topic == topic && known.partitions.contains(&partition));
    let is_own = said.producer_id == open.producer;
    // From the second version on, the coordinator raises the epoch with each transaction (KIP-890),
    // and goes on with another producer where there is none left.
    let raises = 2 <= said.client_transaction_version;
    let next = match open.epoch {
        EPOCH_LAST => ProducerEpoch(0),
        ProducerEpoch(epoch) => ProducerEpoch(epoch.saturating_add(1)),
    };
    match said.status {
        // It said so when all markers were written: a power loss took this one. Nothing comes late
        // into what was committed, because a producer commits when all was acknowledged.
        TransactionValue::COMMITTED
            if raises && said.producer_epoch == next && is_own == (open.epoch != EPOCH_LAST) =>
        {
            Verdict::Decided(Decision::Commit)
        }
        TransactionValue::COMMITTED if !raises && is_own && said.producer_epoch == open.epoch => {
            Verdict::Unknown
        }
        _ if !is_own => Verdict::Hanging,
        TransactionValue::ONGOING if is_in_it => Verdict::Ongoing,
        TransactionValue::PREPARES_TO_COMMIT if is_in_it => Verdict::Decided(Decision::Commit),
        TransactionValue::PREPARES_TO_ABORT if is_in_it => Verdict::Decided(Decision::Abort),
        _ => Verdict::Hanging,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::transaction_record::TransactionPartitions;
    use crate::record::{Offset, ProducerId};

    /// What becomes of producer 7's transaction of epoch 3 in partition 1 of `orders`.
    #[track_caller]
    fn check(status: i8, epoch: i16, version: i16, partitions: &[(&str, i32)], want: Verdict) {
        let open = OpenTransaction {
            producer: ProducerId(7),
            epoch: ProducerEpoch(3),
            first: Offset(100),
        };
        let partitions = partitions.iter().map(|&(topic, partition)| TransactionPartitions {
            topic: topic.into(),
            partitions: vec![PartitionId(partition)],
        });
        let said = TransactionValue {
            producer_id: open.producer,
            producer_epoch: ProducerEpoch(epoch),
            status,
            partitions: Some(partitions.collect()),
            client_transaction_version: version,
            ..TransactionValue::default()
        };
        let found = verdict(&open, Some(&said), "orders", PartitionId(1));
        assert_eq!(found, want, "{status} {epoch} {version}");
        assert_eq!(verdict(&open, None, "orders", PartitionId(1)), Verdict::Hanging);
    }

    #[test]
    fn a_transaction_ends_as_its_coordinator_would_have_ended_it() {
        let (commit, abort) =
            (Verdict::Decided(Decision::Commit), Verdict::Decided(Decision::Abort));
        let here = [("other", 1), ("orders", 1)];
        check(TransactionValue::ONGOING, 3, 0, &here, Verdict::Ongoing);
        check(TransactionValue::PREPARES_TO_COMMIT, 3, 0, &here, commit);
        check(TransactionValue::PREPARES_TO_COMMIT, 4, 2, &here, commit);
        check(TransactionValue::PREPARES_TO_ABORT, 4, 2, &here, abort);
        check(TransactionValue::COMMITTED, 3, 0, &[], Verdict::Unknown);
        check(TransactionValue::COMMITTED, 4, 2, &[], commit);
    }

    #[test]
    fn what_the_coordinator_does_not_speak_of_hangs() {
        for elsewhere in [[("orders", 0)], [("other", 1)]] {
            for status in 0..8 {
                check(status, 9, 0, &elsewhere, Verdict::Hanging);
            }
        }
        // The one after what was committed: a power loss took that it had begun.
        check(TransactionValue::COMMITTED, 3, 2, &[], Verdict::Hanging);
        // A later life of the producer.
        check(TransactionValue::COMMITTED, 4, 0, &[], Verdict::Hanging);
        for over in [0, 5, 6] {
            check(over, 3, 0, &[("orders", 1)], Verdict::Hanging);
        }
    }
}
