//! What the batches in the run's topic are like, read back as they lie in its log: librdkafka tells
//! neither how large they were when they were sent, nor what compression brought.

use super::Topic;
use super::measure::Batches;
use crate::client::{Config, Error};
use crate::record::{BatchView, Offset, Scratch, batches};

/// A sample is enough: so many pieces of what a fetch brings, spread over the topic.
const PIECES_MAX: usize = 16;

/// To what a batch may decompress; the run's records are not larger.
const PLAIN_BYTES_MAX: usize = 256 << 20;

/// The means over a sample; `None` where nothing is there.
pub fn survey(topic: &Topic, config: &Config) -> Result<Option<Batches>, Error> {
    let raw = topic.raw(config)?;
    let mut line = raw.line();
    let ends: Vec<_> = topic.ends()?.into_iter().filter(|(_, end)| Offset::ZERO < *end).collect();
    let every = ends.len().div_ceil(PIECES_MAX).max(1);
    let picked: Vec<_> = ends.into_iter().step_by(every).collect();
    let pieces = (PIECES_MAX / picked.len().max(1)) as i64;
    let mut sample = Sample::default();
    for (partition, end) in picked {
        let mut read_to = Offset::ZERO;
        for piece in 0..pieces {
            let from = Offset(end.get() / pieces * piece).max(read_to);
            if end <= from {
                break;
            }
            if let Some(fetched) = line.fetch((topic.name(), partition), from)? {
                read_to = sample.add(&fetched.batches, read_to);
            }
        }
    }
    Ok(sample.means())
}

#[derive(Default)]
struct Sample {
    batches: u64,
    records: u64,
    bytes: u64,
    /// Of the records: before compression, and as they were sent.
    plain: u64,
    stored: u64,
    scratch: Scratch,
}

impl Sample {
    /// Adds the whole batches from this offset on; up to where they go.
    fn add(&mut self, bytes: &[u8], from: Offset) -> Offset {
        let mut end = from;
        for batch in batches(bytes).map_while(Result::ok) {
            if from <= batch.base_offset() && self.enter(&batch).is_some() {
                end = batch.next_offset();
            }
        }
        end
    }

    /// A batch that cannot be read is in no mean; the account has its records.
    fn enter(&mut self, batch: &BatchView<'_>) -> Option<()> {
        let (plain, stored) = batch.sizes(&mut self.scratch, PLAIN_BYTES_MAX).ok()?;
        self.batches += 1;
        self.records += u64::try_from(batch.count()).ok()?;
        self.bytes += batch.size() as u64;
        self.plain += plain as u64;
        self.stored += stored as u64;
        Some(())
    }

    fn means(&self) -> Option<Batches> {
        let per_batch = |count: u64| count as f64 / self.batches as f64;
        (0 < self.batches && 0 < self.stored).then(|| Batches {
            records: per_batch(self.records),
            bytes: per_batch(self.bytes),
            compression: self.plain as f64 / self.stored as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Codec, Record, Timestamp};

    fn batch(codec: Codec, base: i64, records: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new().codec(codec).base_offset(Offset(base));
        let value = [b'x'; 1000];
        for _ in 0..records {
            let record = Record { key: None, value: Some(&value), headers: &[] };
            builder.push(Timestamp(0), &record);
        }
        builder.build()
    }

    #[test]
    fn means_are_over_whole_batches_once_each() {
        let all = [batch(Codec::None, 0, 1), batch(Codec::None, 1, 3)].concat();
        let mut sample = Sample::default();
        assert_eq!(sample.means(), None);
        let cut = all.len() - 1;
        assert_eq!(sample.add(&all[..cut], Offset(0)), Offset(1));
        assert_eq!(sample.add(&all, Offset(1)), Offset(4));
        let want = Batches { records: 2.0, bytes: all.len() as f64 / 2.0, compression: 1.0 };
        assert_eq!(sample.means(), Some(want));
    }

    #[test]
    fn compression_is_of_the_records() {
        let mut sample = Sample::default();
        sample.add(&batch(Codec::Zstd, 0, 100), Offset(0));
        let means = sample.means().unwrap();
        assert!(100.0 < means.compression && means.bytes < 1000.0, "{means:?}");
    }
}
