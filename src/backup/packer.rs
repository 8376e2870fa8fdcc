//! The records of a partition as a producer sends them: batches that readers may see and that have
//! no gaps stay as they are, of the others the records go into new ones.
//!
//! A broker takes no control batch, no gap between the offsets of a batch (compaction leaves
//! such), and no batch that says the broker's own clock stamped it. Small batches are put together:
//! each costs a round trip.

use std::ops::ControlFlow;

use super::aborted::Aborted;
use super::gaps::Gaps;
use crate::record::{
    BatchBuilder, BatchError, BatchView, Codec, HEADER_BYTES, INFLATED_BYTES_MAX, Offset, Record,
    Scratch, Timestamp, TimestampType,
};

/// What is smaller is put together with its neighbours,
const SMALL_BYTES: usize = 32 << 10;
/// to no more than this.
const PACKED_BYTES_MAX: usize = 512 << 10;
/// A batch has as many records as its sequence numbers have room for; this is plenty.
const RECORDS_MAX: i32 = 1 << 20;

/// A batch to be sent.
pub struct Parcel {
    pub bytes: Vec<u8>,
    pub records: i32,
}

/// What is known in the end.
pub struct Packed {
    /// What is left to be sent.
    pub last: Option<Parcel>,
    /// By each committed offset the number of records before it.
    pub places: Vec<(Offset, i64)>,
    /// The time of about the first record.
    pub oldest: Option<Timestamp>,
}

/// What of a partition is wanted.
pub struct Wanted<'a> {
    /// From this offset on,
    pub start: Offset,
    /// before the first record at or after this time,
    pub until: Option<Timestamp>,
    /// without what was aborted,
    pub aborted: &'a Aborted,
    /// and without what was removed already, though a batch that was saved still holds it.
    pub skipped: &'a Gaps,
}

/// Takes a partition's batches in their order.
pub struct Packer<'a> {
    wanted: Wanted<'a>,
    batch_bytes_max: usize,
    open: Option<(Codec, BatchBuilder)>,
    /// Records so far, those in `open` too.
    count: i64,
    oldest: Option<Timestamp>,
    translation: Translation,
    scratch: Scratch,
}

impl<'a> Packer<'a> {
    /// `committed` are offsets to be translated.
    pub fn new(wanted: Wanted<'a>, batch_bytes_max: usize, committed: Vec<Offset>) -> Packer<'a> {
        Packer {
            wanted,
            batch_bytes_max: batch_bytes_max.min(PACKED_BYTES_MAX),
            open: None,
            count: 0,
            oldest: None,
            translation: Translation::new(committed),
            scratch: Scratch::default(),
        }
    }

    /// The next batch; what is to be sent now goes to `out`. It breaks where no more is wanted.
    pub fn take(
        &mut self,
        batch: &BatchView<'_>,
        out: &mut Vec<Parcel>,
    ) -> Result<ControlFlow<()>, BatchError> {
        if batch.is_control() || batch.next_offset() <= self.wanted.start {
            return Ok(ControlFlow::Continue(()));
        }
        if self.wanted.aborted.hide(batch) {
            return Ok(ControlFlow::Continue(()));
        }
        if SMALL_BYTES <= batch.size() && self.is_whole(batch) {
            out.extend(self.close());
            self.translation.note(batch.base_offset(), batch.count().into(), self.count);
            self.count += i64::from(batch.count());
            self.see(batch.base_timestamp());
            out.push(Parcel { bytes: batch.bytes().to_vec(), records: batch.count() });
            return Ok(ControlFlow::Continue(()));
        }
        self.unpack(batch, out)
    }

    /// Whether a broker takes it as it is.
    fn is_whole(&self, batch: &BatchView<'_>) -> bool {
        let count = batch.next_offset().get() - batch.base_offset().get();
        let until = self.wanted.until;
        i64::from(batch.count()) == count
            && self.wanted.start <= batch.base_offset()
            && !self.wanted.skipped.contains(batch.base_offset())
            && until.is_none_or(|until| batch.max_timestamp() < until)
            && batch.timestamp_type() == TimestampType::CreateTime
    }

    fn unpack(
        &mut self,
        batch: &BatchView<'_>,
        out: &mut Vec<Parcel>,
    ) -> Result<ControlFlow<()>, BatchError> {
        let codec = batch.codec()?;
        // It moves out while the records lend from it.
        let mut scratch = std::mem::take(&mut self.scratch);
        let records = batch.records(&mut scratch, INFLATED_BYTES_MAX)?;
        let mut headers = Vec::new();
        for entry in records {
            let entry = entry?;
            if entry.offset < self.wanted.start || self.wanted.skipped.contains(entry.offset) {
                continue;
            }
            if self.wanted.until.is_some_and(|until| until <= entry.timestamp) {
                return Ok(ControlFlow::Break(()));
            }
            let record = entry.record(&mut headers);
            if !self.has_room(codec, &record) {
                out.extend(self.close());
            }
            let new = || (codec, BatchBuilder::new().codec(codec));
            let (_, builder) = self.open.get_or_insert_with(new);
            builder.push(entry.timestamp, &record);
            self.translation.note(entry.offset, 1, self.count);
            self.count += 1;
            self.see(entry.timestamp);
        }
        self.scratch = scratch;
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the open batch, if any, takes one more.
    fn has_room(&self, codec: Codec, record: &Record<'_>) -> bool {
        let Some((of, builder)) = &self.open else { return true };
        let (records, bytes) = builder.filled();
        let bytes = HEADER_BYTES + bytes + bytes_bound(record);
        *of == codec && records < RECORDS_MAX && bytes <= self.batch_bytes_max
    }

    fn see(&mut self, time: Timestamp) {
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
    }

    fn close(&mut self) -> Option<Parcel> {
        let (_, builder) = self.open.take()?;
        let (records, _) = builder.filled();
        Some(Parcel { bytes: builder.build(), records })
    }

    pub fn finish(mut self) -> Packed {
        let last = self.close();
        Packed { last, places: self.translation.finish(self.count), oldest: self.oldest }
    }
}

/// No less than a record takes: each length has five bytes at most.
fn bytes_bound(record: &Record<'_>) -> usize {
    let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    let headers = record.headers.iter().map(|h| h.name.len() + bytes(h.value) + 10);
    64 + bytes(record.key) + bytes(record.value) + headers.sum::<usize>()
}

/// Where offsets of a log are in a new one, in which records follow each other without gaps.
struct Translation {
    /// Sorted.
    wanted: Vec<Offset>,
    found: Vec<i64>,
}

impl Translation {
    fn new(mut wanted: Vec<Offset>) -> Translation {
        wanted.sort_unstable();
        wanted.dedup();
        Translation { wanted, found: Vec::new() }
    }

    /// So many records without a gap, the first of them now at `place`.
    fn note(&mut self, first: Offset, count: i64, place: i64) {
        while let Some(wanted) = self.wanted.get(self.found.len()) {
            // What is not there any more goes on with the next that is.
            let after = (wanted.get() - first.get()).max(0);
            if count <= after {
                return;
            }
            self.found.push(place + after);
        }
    }

    fn finish(self, count: i64) -> Vec<(Offset, i64)> {
        let found = self.found.into_iter().chain(std::iter::repeat(count));
        self.wanted.into_iter().zip(found).collect()
    }
}

#[cfg(test)]
mod tests;
