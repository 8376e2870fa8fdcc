//! Transactions that Apache Kafka left open. Here nobody can come back to end them, and whoever
//! reads only what was committed would never get past them: a log that is opened ends its own, as
//! Apache's coordinator would.
//! Never knows: requests, other topics than the one in which the coordinator keeps its books.

mod books;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Instant;

use books::{Books, Said};

use super::broken::Broken;
use super::partition::{Partition, now};
use super::topics::Topic;
use crate::log::{Appended, Decision, Log, OpenTransaction, RealDisk, Stamp};
use crate::protocol::transaction_record::TransactionValue;
use crate::record::{PartitionId, ProducerEpoch, Times};

/// Where Apache's coordinator says how far each transaction is.
const TOPIC: &str = "__transaction_state";

/// The last epoch of a producer in which it may write (TransactionMetadata.isEpochExhausted).
const EPOCH_LAST: ProducerEpoch = ProducerEpoch(i16::MAX - 1);

/// That topic, if there is one.
#[derive(Default)]
pub struct Coordination(RwLock<Weak<Topic>>);

impl Coordination {
    /// Remembers it if it is this one.
    pub fn heed(&self, topic: &Arc<Topic>) {
        if &**topic.name() == TOPIC {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(topic);
        }
    }

    fn topic(&self) -> Option<Arc<Topic>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

/// What is to become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
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
fn verdict(
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

/// Why a transaction is not ended.
#[derive(Clone, Debug)]
enum Fault {
    /// Nobody knows how it should end.
    Lasting(String),
    /// There is no room, say, or a file cannot be read.
    Passing(String),
}

type Ended = Result<(Decision, Appended), Fault>;

/// Transactions that could not be ended and may be yet, and when that is tried again.
#[derive(Default)]
pub struct Unended {
    open: Vec<OpenTransaction>,
    broken: Broken,
}

impl Unended {
    pub fn is_due(&self, now: Instant) -> bool {
        self.broken.is_due(now)
    }

    /// Ends all transactions of a log that is just being opened, and says so.
    pub fn end_all(&mut self, partition: &Partition, log: &mut Log<RealDisk>) {
        // In it, the coordinator has no transactions.
        if &*partition.core.name != TOPIC {
            self.end(partition, log, &log.open_transactions());
        }
    }

    /// Ends those that could not be ended before.
    pub fn end_again(&mut self, partition: &Partition, log: &mut Log<RealDisk>) {
        let mut open = log.open_transactions();
        open.retain(|open| self.open.contains(open));
        self.end(partition, log, &open);
    }

    fn end(&mut self, partition: &Partition, log: &mut Log<RealDisk>, open: &[OpenTransaction]) {
        self.open.clear();
        if open.is_empty() {
            self.broken.mend();
            return;
        }
        let topic = partition.core.coordination.topic();
        let producers: HashSet<_> = open.iter().map(|open| open.producer).collect();
        let books =
            topic.as_deref().map_or_else(Books::default, |topic| Books::read(topic, &producers));
        let mut all = Vec::new();
        for open in open {
            let said = books.of(open.producer);
            let value = said.and_then(|said| said.record.value.as_ref());
            let verdict = verdict(open, value, &partition.core.name, partition.id);
            let ended = match books.doubt(said) {
                Some(fault) => Err(fault),
                None => end(partition, log, open, verdict, topic.as_deref().zip(said)),
            };
            all.push((open, verdict, said, ended));
        }
        let mut passing = Vec::new();
        for (open, _, _, ended) in &all {
            if let Err(Fault::Passing(why)) = ended {
                self.open.push(**open);
                passing.push(format!("{}: {why}", open.first));
            }
        }
        let is_news = match passing.is_empty() {
            true => self.broken.mend(),
            false => self.broken.fail(Instant::now(), passing.join("; ")),
        };
        for (open, verdict, said, ended) in &all {
            if is_news || !matches!(ended, Err(Fault::Passing(_))) {
                tell(partition, open, *verdict, *said, ended);
            }
        }
    }
}

fn end(
    partition: &Partition,
    log: &mut Log<RealDisk>,
    open: &OpenTransaction,
    verdict: Verdict,
    said: Option<(&Topic, &Said)>,
) -> Ended {
    let passing = |error: &dyn fmt::Display| Fault::Passing(error.to_string());
    let of_books = |why: String| Fault::Passing(format!("{TOPIC}: {why}"));
    let decision = match verdict {
        Verdict::Decided(decision) => {
            // It may be what was written here when the marker could not be.
            let (topic, said) = said.expect("the coordinator said what it decided");
            books::settle(topic, said).map_err(of_books)?;
            decision
        }
        Verdict::Ongoing => {
            let (topic, said) = said.expect("the coordinator said that it is under way");
            books::fence(topic, said, now()).map_err(of_books)?;
            Decision::Abort
        }
        Verdict::Unknown => {
            let why = "an earlier one of its producer was committed, perhaps this one not";
            return Err(Fault::Lasting(why.to_owned()));
        }
        Verdict::Hanging => match log.may_have_lost_end_of(open).map_err(|why| passing(&why))? {
            true => {
                let why = "what is missing behind it may have committed it";
                return Err(Fault::Lasting(why.to_owned()));
            }
            false => Decision::Abort,
        },
    };
    let stamp = Stamp { leader_epoch: partition.leader_epoch(), now: now(), times: Times::Keep };
    let ended = log.end_transaction(open, decision, stamp).map_err(|why| passing(&why))?;
    Ok((decision, ended))
}

fn tell(
    partition: &Partition,
    open: &OpenTransaction,
    verdict: Verdict,
    said: Option<&Said>,
    ended: &Ended,
) {
    let name = format!("{}-{}", partition.core.name, partition.id);
    let (producer, from) = (open.producer, open.first);
    let transactional_id = said.map(|said| &*said.record.key.transactional_id);
    let why = match verdict {
        Verdict::Decided(_) | Verdict::Unknown => "as __transaction_state says",
        Verdict::Ongoing => "its producer was still writing, and kaw has no transactions",
        Verdict::Hanging => "no coordinator knows of it",
    };
    match ended {
        Ok((decision, marker)) => {
            let marker = marker.base_offset;
            let outcome = match decision {
                Decision::Abort => "aborted",
                Decision::Commit => "committed",
            };
            tracing::warn!(
                partition = name, %producer, transactional_id, %from, %marker, why,
                "{outcome} a transaction that Apache Kafka left open"
            );
        }
        Err(Fault::Lasting(why)) => tracing::error!(
            partition = name, %producer, transactional_id, %from, why,
            "an open transaction cannot be ended; from there on only read_uncommitted readers \
             read, until Apache Kafka's kafka-transactions.sh aborts it"
        ),
        Err(Fault::Passing(why)) => tracing::error!(
            partition = name, %producer, transactional_id, %from, why,
            "an open transaction cannot be ended yet; from there on only read_uncommitted readers \
             read; it is tried again"
        ),
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
