//! Keeps `__consumer_offsets` short: what still counts is said again at its end, and the log begins
//! there. Whoever commits after each record would fill the disk otherwise, and every start would
//! read it all.

use super::*;

/// What is read in a moment is not worth the writing.
const RECORDS_MIN: i64 = 50_000;

/// So many records must there be for each that counts.
const RECORDS_PER_LIVE_MIN: i64 = 4;

/// Whether a partition has become long for what it says.
fn is_long(records: i64, live: usize) -> bool {
    let live = i64::try_from(live).unwrap_or(i64::MAX);
    RECORDS_MIN <= records && live.saturating_mul(RECORDS_PER_LIVE_MIN) <= records
}

impl Store {
    /// Shortens partitions that have become long. Nobody writes meanwhile.
    pub fn shorten(&self, now: Timestamp) {
        let Some(topic) = self.topics.get(TOPIC) else { return };
        for partition in &topic.partitions {
            let is_candidate = is_long(records_of(partition), 0) && !self.is_broken(partition.id);
            if !is_candidate {
                continue;
            }
            let _alone = self.writing.write().unwrap_or_else(PoisonError::into_inner);
            let (topic, id) = (TOPIC, partition.id);
            match shorten(partition, now) {
                Ok(None) => {}
                Ok(Some(live)) => tracing::info!(topic, partition = %id, live, "shortened"),
                Err(error) => tracing::error!(topic, partition = %id, error, "cannot shorten"),
            }
        }
    }
}

fn records_of(partition: &Partition) -> i64 {
    let extent = partition.if_open(|log| log.end().get() - log.start().get());
    extent.unwrap_or(0)
}

/// How many records count, if the log was shortened to them.
fn shorten(partition: &Partition, now: Timestamp) -> Result<Option<usize>, String> {
    let replay = read(partition)?;
    // What is not decided can be neither taken along nor left behind.
    if 0 < replay.undecided() {
        return Ok(None);
    }
    let live: Vec<_> = replay.finish().collect();
    if !is_long(records_of(partition), live.len()) {
        return Ok(None);
    }
    let count = live.len();
    let begin = partition.if_open(|log| log.end()).ok_or("its log was closed")?;
    for records in in_batches(live, partition.core.config().batch_bytes_max as usize / 2) {
        write(partition, &records, now).map_err(|error| error.to_string())?;
    }
    // Only what is on the disk may take the place of what is removed.
    partition.make_durable().map_err(|_| "it cannot be synced")?;
    let removed = partition.ask(|log| log.remove_before(begin, now));
    removed.map_err(|_| "its log was closed")?.map_err(|error| error.to_string())?;
    Ok(Some(count))
}

/// In their order, about `bytes_max` a batch.
fn in_batches(live: Vec<(Bytes, Bytes)>, bytes_max: usize) -> Vec<Vec<EncodedGroupRecord>> {
    let mut batches: Vec<Vec<EncodedGroupRecord>> = Vec::new();
    let mut bytes = usize::MAX;
    for (key, value) in live {
        let size = key.len() + value.len() + RECORD_BYTES;
        if bytes_max < bytes.saturating_add(size) {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        let record = EncodedGroupRecord { key: key.into(), value: Some(value.into()) };
        batches.last_mut().expect("the first record begins a batch").push(record);
    }
    batches
}

/// What a record takes beside key and value, at most: lengths, deltas, a count of headers.
const RECORD_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_long_that_has_many_records_for_each_that_counts() {
        assert!(!is_long(RECORDS_MIN - 1, 0));
        assert!(is_long(RECORDS_MIN, 0) && is_long(RECORDS_MIN, 12_500));
        assert!(!is_long(RECORDS_MIN, 12_501));
    }

    #[test]
    fn batches_hold_about_as_much_as_they_may_and_at_least_one_record() {
        let record = |size: usize| (Bytes::new(), Bytes::from(vec![0; size]));
        let batches = in_batches([10, 10, 500, 10].map(record).into(), 100);
        let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1]);
        assert!(in_batches(Vec::new(), 100).is_empty());
    }
}
