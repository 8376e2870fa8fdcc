//! What a partition of `__consumer_offsets` adds up to: of each key the last record that counts.
//! Never knows: what keys and values mean, topics, files.

use std::collections::HashMap;

use bytes::Bytes;

use crate::record::{BatchError, BatchView, INFLATED_BYTES_MAX, Offset, ProducerId, Scratch};

/// A value and where it lies; a null takes its key away.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Latest {
    offset: Offset,
    value: Option<Bytes>,
}

type ByKey = HashMap<Box<[u8]>, Latest>;

/// Takes a log's batches in their order.
#[derive(Default)]
pub struct Replay {
    latest: ByKey,
    undecided: HashMap<ProducerId, ByKey>,
    scratch: Scratch,
}

impl Replay {
    pub fn apply(&mut self, batch: &BatchView<'_>) -> Result<(), BatchError> {
        batch.check_crc()?;
        let producer = batch.producer().map(|producer| producer.id);
        let records = batch.records(&mut self.scratch, INFLATED_BYTES_MAX)?;
        let of_transaction = producer.filter(|_| batch.is_transactional());
        for entry in records {
            let entry = entry?;
            // Nobody writes one without a key; it could not be compacted either.
            let Some(key) = entry.key else { continue };
            if batch.is_control() {
                let pending = producer.and_then(|id| self.undecided.remove(&id));
                if is_commit(key) {
                    decide(&mut self.latest, pending.unwrap_or_default());
                }
                continue;
            }
            let value = entry.value.map(Bytes::copy_from_slice);
            let into = match of_transaction {
                Some(id) => self.undecided.entry(id).or_default(),
                None => &mut self.latest,
            };
            into.insert(key.into(), Latest { offset: entry.offset, value });
        }
        Ok(())
    }

    /// How many records wait for the end of their transaction. They count for nothing yet.
    pub fn undecided(&self) -> usize {
        self.undecided.values().map(HashMap::len).sum()
    }

    /// What is there, keys and values, in the order of the log: some say more about others.
    pub fn finish(self) -> impl Iterator<Item = (Bytes, Bytes)> {
        let mut live: Vec<_> = self.latest.into_iter().collect();
        live.sort_unstable_by_key(|(_, latest)| latest.offset);
        live.into_iter().filter_map(|(key, latest)| Some((Bytes::from(key), latest.value?)))
    }
}

/// A record that was written after one of a transaction outweighs it, although the transaction
/// was decided later (OffsetMetadataManager.replayEndTransactionMarker).
fn decide(latest: &mut ByKey, pending: ByKey) {
    for (key, record) in pending {
        if latest.get(&key).is_none_or(|there| there.offset < record.offset) {
            latest.insert(key, record);
        }
    }
}

/// The key of a marker: i16 version, i16 type; 0 aborts, 1 commits (ControlRecordType.java).
fn is_commit(key: &[u8]) -> bool {
    key.get(2..4) == Some(&[0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Producer, ProducerEpoch, Record, Timestamp};

    const COMMIT: &[u8] = &[0, 0, 0, 1];
    const ABORT: &[u8] = &[0, 0, 0, 0];

    fn producer(id: i64) -> Producer {
        Producer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence: 0 }
    }

    /// Batches one after another: `1 a=x` is a record of producer 1's transaction, `1 commit` its
    /// marker, `a=x` a record by itself and `a` its tombstone.
    fn replayed(steps: &[&str]) -> Replay {
        let mut replay = Replay::default();
        for (offset, step) in steps.iter().enumerate() {
            let mut batch = BatchBuilder::new().base_offset(Offset(offset as i64));
            let (of, what) = step.split_once(' ').unwrap_or(("", step));
            if !of.is_empty() {
                batch = batch.producer(producer(of.parse().unwrap())).transactional();
            }
            let (key, value) = match what {
                "commit" => (COMMIT, None),
                "abort" => (ABORT, None),
                what => match what.split_once('=') {
                    Some((key, value)) => (key.as_bytes(), Some(value.as_bytes())),
                    None => (what.as_bytes(), None),
                },
            };
            if matches!(what, "commit" | "abort") {
                batch = batch.control();
            }
            batch.push(Timestamp(0), &Record { key: Some(key), value, headers: &[] });
            replay.apply(&BatchView::parse(&batch.build()).unwrap()).unwrap();
        }
        replay
    }

    #[track_caller]
    fn check(steps: &[&str], want: &str) {
        let live = replayed(steps).finish();
        let shown = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let mut live: Vec<_> = live.map(|(k, v)| format!("{}={}", shown(k), shown(v))).collect();
        live.sort();
        assert_eq!(live.join(" "), want, "{steps:?}");
    }

    #[test]
    fn the_last_record_of_a_key_counts_and_a_null_takes_it_away() {
        check(&[], "");
        check(&["a=1", "b=2", "a=3"], "a=3 b=2");
        check(&["a=1", "b=2", "a"], "b=2");
        check(&["a=1", "a", "a=2"], "a=2");
    }

    #[test]
    fn a_transaction_counts_from_its_commit_on() {
        check(&["a=1", "7 a=2"], "a=1");
        check(&["a=1", "7 a=2", "7 commit"], "a=2");
        check(&["a=1", "7 a=2", "7 abort"], "a=1");
        check(&["7 a=2", "8 b=3", "8 commit"], "b=3");
        check(&["7 a=2", "7 abort", "7 a=3", "7 commit"], "a=3");
        check(&["7 commit", "a=1"], "a=1");
        assert_eq!(replayed(&["7 a=2", "8 b=3", "8 commit"]).undecided(), 1);
    }

    #[test]
    fn what_was_written_later_outweighs_what_was_decided_later() {
        check(&["7 a=1", "a=2", "7 commit"], "a=2");
        check(&["a=0", "7 a=1", "a", "7 commit"], "");
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let mut batch = BatchBuilder::new();
        batch.push(Timestamp(0), &Record { key: Some(b"a"), value: Some(b"1"), headers: &[] });
        let mut bytes = batch.build();
        *bytes.last_mut().unwrap() ^= 1;
        let mut replay = Replay::default();
        assert!(replay.apply(&BatchView::parse(&bytes).unwrap()).is_err());
    }
}
