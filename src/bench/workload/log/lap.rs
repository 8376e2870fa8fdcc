//! The batches of a lap, made before its clock runs.

use std::thread;

use super::Logs;
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Batch, Durability, Extent, Load};
use crate::bench::workload::Watch;
use crate::bench::workload::batch::{codec, has_room};
use crate::record::{BatchBuilder, HEADER_BYTES, Record, Timestamp};

/// The batches of a lap lie in memory together.
const LAP_BYTES: usize = 32 << 20;

/// What is appended, and how.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub payloads: &'a Payloads,
    pub load: &'a Load,
    pub durability: Durability,
    pub batch: Batch,
    pub watch: &'a Watch,
}

/// A batch that is ready for the log.
pub(super) struct Made {
    pub partition: usize,
    pub bytes: Vec<u8>,
    pub records: u64,
    /// Of keys and values.
    pub payload_bytes: u64,
    /// Of the whole batch, before compression.
    pub plain_bytes: u64,
}

impl Logs<'_> {
    /// The batches of a lap, a row for each producer.
    pub(super) fn make(&mut self, records_max: u64) -> Vec<Vec<Made>> {
        let producers = self.sent.len();
        let (work, partitions, now) = (self.work, self.partitions.len(), self.now);
        let batch_bytes = work.batch.bytes(work.load.record_size);
        let share = (LAP_BYTES / batch_bytes / producers).max(1);
        let extent = Extent { records: Some(records_max), time: None };
        let count = u32::try_from(producers).expect("producers are counted in u32");
        thread::scope(|scope| {
            let rows = self.sent.iter().zip(0..).map(|(&sent, producer)| {
                scope.spawn(move || {
                    let most = extent.share(producer, count).records.unwrap_or(0);
                    let (mut next, until) = (sent, sent.saturating_add(most));
                    let batch = |at: usize| {
                        let partition = (producer as usize + at) % partitions;
                        let marks = (next..until).map(|sequence| Mark { producer, sequence });
                        let made = work.batch(marks, partition, now)?;
                        next += made.records;
                        Some(made)
                    };
                    (0..share).map_while(batch).collect()
                })
            });
            let rows: Vec<_> = rows.collect();
            rows.into_iter().map(|row| row.join().expect("it does not panic")).collect()
        })
    }
}

impl Work<'_> {
    /// The next batch of these records; `None` where there are no more.
    fn batch(
        &self,
        marks: impl Iterator<Item = Mark>,
        partition: usize,
        now: Timestamp,
    ) -> Option<Made> {
        let mut builder = BatchBuilder::new().codec(codec(self.load.compression));
        let (mut payload_bytes, mut value) = (0, Vec::new());
        let mut marks = marks.peekable();
        while let Some(&mark) = marks.peek() {
            value.clear();
            self.payloads.write_value(mark, &mut value);
            let key = self.payloads.key(mark);
            let size = key.map_or(0, <[u8]>::len) + value.len();
            if !has_room(self.batch, builder.filled(), size) {
                break;
            }
            builder.push(now, &Record { key, value: Some(&value), headers: &[] });
            payload_bytes += size as u64;
            marks.next();
        }
        let (records, filled) = builder.filled();
        (0 < records).then(|| Made {
            partition,
            bytes: builder.build(),
            records: u64::from(records.unsigned_abs()),
            payload_bytes,
            plain_bytes: (HEADER_BYTES + filled) as u64,
        })
    }
}
