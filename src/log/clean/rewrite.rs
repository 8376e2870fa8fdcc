//! Segments read from end to end and written anew, without the records that later ones replace
//! (Cleaner.cleanInto, MemoryRecords.filterTo).
//! Never knows: the log, its lock, or when it is worth it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::facts::{CompactError, Settings};
use super::super::files::{Failed, Files, Kind, Stage, at};
use super::super::pieces::Why;
use super::super::segment::Segment;
use super::super::window::Window;
use super::super::{Aborted, Disk, DiskFile, Open, aborted};
use super::latest::{KEYS_AT_ONCE, Latest, Spot};
use super::transactions::Transactions;
use super::{Pace, Source};
use crate::record::{
    BatchError, BatchView, Offset, ProducerEpoch, ProducerId, Scratch, Sketch, Sketches, Timestamp,
    emptied, thin,
};

/// So much is written at once.
const WRITE_BYTES: usize = 1 << 20;

/// So much is left to the disk at once: whoever waits for an ack waits for it too.
const SYNC_BYTES: u32 = 8 << 20;

/// The batch that says what a producer wrote last.
#[derive(Clone, Copy, Debug)]
pub(super) enum LastOf {
    Data(Offset),
    /// Only a marker of this epoch.
    Marker(ProducerEpoch),
}

/// By what records are judged.
pub(super) struct Judge {
    pub latest: Latest,
    /// Where the records behind those that `latest` knows begin: they stay.
    pub end: Offset,
    pub transactions: Transactions,
    pub producers: HashMap<ProducerId, LastOf>,
    pub now: Timestamp,
    /// Of tombstones that are met for the first time.
    pub horizon: Timestamp,
    /// To what a batch may decompress to be thinned.
    pub inflated_bytes_max: usize,
    /// Batches that stayed whole because their records cannot be read, or take too much memory.
    pub kept_whole: u64,
}

/// Which records of a batch stay: a bit for each, since a small batch may hold millions.
#[derive(Default)]
struct Verdict {
    bits: Vec<u64>,
    count: usize,
    kept: usize,
    keeps_tombstones: bool,
}

impl Verdict {
    fn push(&mut self, stays: bool, record: &Sketch<'_>) {
        if self.count.is_multiple_of(64) {
            self.bits.push(0);
        }
        self.bits[self.count / 64] |= u64::from(stays) << (self.count % 64);
        self.count += 1;
        self.kept += usize::from(stays);
        self.keeps_tombstones |= stays && !record.has_value;
    }

    fn stays(&self, at: usize) -> bool {
        self.bits[at / 64] >> (at % 64) & 1 == 1
    }
}

impl Judge {
    /// Appends to `out` what is left of a batch. One that must stay is emptied at most.
    fn pass(
        &mut self,
        batch: &BatchView<'_>,
        must_stay: bool,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) {
        let is_done_with = self.transactions.is_done_with(batch);
        let is_past = batch.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        // A marker may be what tells readers of a transaction that it ended: it goes with a delay.
        let is_nothing = is_done_with && (!batch.is_control() || is_past);
        let must_stay = must_stay || self.is_last_of_producer(batch);
        if is_nothing {
            if must_stay {
                emptied(batch, out);
            }
            return;
        }
        let all = batch.sketches(scratch, self.inflated_bytes_max);
        let judged = all.and_then(|all| Ok((self.judge(batch, is_past, all.clone())?, all)));
        let Ok((verdict, all)) = judged else {
            self.kept_whole += 1;
            return out.extend_from_slice(batch.bytes());
        };
        let is_whole = verdict.kept == verdict.count;
        let needs_horizon = batch.delete_horizon().is_none()
            && (verdict.keeps_tombstones || (is_done_with && batch.is_control()));
        if verdict.kept == 0 {
            if must_stay {
                emptied(batch, out);
            }
        } else if is_whole && !needs_horizon {
            out.extend_from_slice(batch.bytes());
        } else {
            let kept = all.flatten().enumerate().filter(|(at, _)| verdict.stays(*at));
            let kept = kept.map(|(_, record)| record);
            thin(batch, kept, needs_horizon.then_some(self.horizon), out);
        }
    }

    /// Which records of a batch nothing later replaces.
    fn judge(
        &self,
        batch: &BatchView<'_>,
        is_past_horizon: bool,
        mut all: Sketches<'_>,
    ) -> Result<Verdict, BatchError> {
        let (mut verdict, mut some) = (Verdict::default(), Vec::with_capacity(KEYS_AT_ONCE));
        loop {
            some.clear();
            for record in all.by_ref().take(KEYS_AT_ONCE) {
                let record = record?;
                some.push((record, record.key.map(|key| self.latest.spot(key))));
            }
            if some.is_empty() {
                return Ok(verdict);
            }
            self.latest.warm(some.iter().filter_map(|(_, spot)| *spot));
            for (record, spot) in &some {
                let is_latest = || spot.is_some_and(|spot| self.is_latest(spot, record.offset));
                // What was kept whole before may be what it deletes.
                let is_done = !record.has_value && is_past_horizon && self.kept_whole == 0;
                let is_behind = self.end <= record.offset;
                let stays = batch.is_control() || is_behind || (!is_done && is_latest());
                verdict.push(stays, record);
            }
        }
    }

    fn is_latest(&self, spot: Spot, offset: Offset) -> bool {
        self.latest.get(spot).is_none_or(|latest| latest <= offset)
    }

    /// Without it, a start that reads the log would not know the producer's last sequence or epoch.
    fn is_last_of_producer(&self, batch: &BatchView<'_>) -> bool {
        let Some(producer) = batch.producer() else { return false };
        match self.producers.get(&producer.id) {
            Some(LastOf::Data(offset)) => batch.last_offset() == *offset,
            Some(LastOf::Marker(epoch)) => batch.is_control() && producer.epoch == *epoch,
            None => false,
        }
    }
}

/// A segment that is to take the place of others, durable under names that count for nothing yet.
pub(super) struct Written<D: Disk> {
    pub segment: Segment<D::File>,
    pub aborted: Vec<Aborted>,
}

/// Writes what is left of `group` as one segment.
pub(super) fn rewrite<D: Disk>(
    files: &Files<D>,
    group: &[Source],
    judge: &mut Judge,
    settings: &Settings,
    pace: &mut Pace<'_>,
) -> Result<Written<D>, CompactError> {
    let mut output = Output::begin(files, group[0], settings)?;
    let mut scratch = Scratch::default();
    for (n, source) in group.iter().enumerate() {
        let is_last_source = n + 1 == group.len();
        let mut failed = Ok(());
        each_batch(files, source, pace, |batch, is_last, pace| {
            // It says how far the segment reaches: readers get there, and nothing seems lost.
            let must_stay = is_last_source && is_last;
            judge.pass(batch, must_stay, &mut scratch, &mut output.pending);
            failed = output.write_if(WRITE_BYTES, pace);
            if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        failed?;
    }
    let modified = group.last().expect("a group has a source").modified;
    let written = output.finish(judge.transactions.take_left(), modified, pace)?;
    Ok(written)
}

/// Shows every batch of a segment, checked, and whether it is the last.
pub(super) fn each_batch<D: Disk>(
    files: &Files<D>,
    source: &Source,
    pace: &mut Pace<'_>,
    mut see: impl FnMut(&BatchView<'_>, bool, &mut Pace<'_>) -> ControlFlow<()>,
) -> Result<(), CompactError> {
    let path = files.path(Kind::Log, source.base);
    let file = files.open(&path, Open::Existing)?;
    let mut window = Window::default();
    let (mut position, mut next) = (0, source.base);
    while position < source.bytes {
        let left = (source.bytes - position) as usize;
        let damaged = |why| {
            let (path, position) = (path.clone(), position.into());
            CompactError::Damaged { path, position, why }
        };
        let bad = |error| damaged(Why::Batch(error));
        let bytes = window.batch(&*file, position, left).map_err(at(&path))?;
        let bytes = bytes.ok_or_else(|| bad(BatchError::Short))?;
        let batch = BatchView::parse(bytes).map_err(bad)?;
        batch.check_crc().map_err(bad)?;
        // No checksum covers where a batch begins: whoever believed a wrong one would drop records
        // that nothing replaces.
        let (base, last) = (batch.base_offset(), batch.last_offset());
        if base < next || last < base || source.next <= last {
            return Err(damaged(Why::Offsets { base, last }));
        }
        next = batch.next_offset();
        let size = batch.size();
        go_on(pace, size)?;
        if see(&batch, size == left, pace).is_break() {
            break;
        }
        position += size as u32;
    }
    Ok(())
}

fn go_on(pace: &mut Pace<'_>, bytes: usize) -> Result<(), CompactError> {
    match pace(bytes) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(CompactError::Stopped),
    }
}

/// The new segment while it is written.
struct Output<'a, D: Disk> {
    files: &'a Files<D>,
    segment: Segment<D::File>,
    file: Arc<D::File>,
    interval_bytes: u32,
    /// Whole batches that are not written yet.
    pending: Vec<u8>,
}

impl<'a, D: Disk> Output<'a, D> {
    fn begin(
        files: &'a Files<D>,
        first: Source,
        settings: &Settings,
    ) -> Result<Output<'a, D>, Failed> {
        let file = fresh(files, Kind::Log, first.base)?;
        Ok(Output {
            files,
            segment: Segment::new(first.base, Arc::clone(&file), first.modified),
            file,
            interval_bytes: settings.index_interval_bytes,
            pending: Vec::new(),
        })
    }

    fn write_if(&mut self, bytes_min: usize, pace: &mut Pace<'_>) -> Result<(), CompactError> {
        if self.pending.len() < bytes_min {
            return Ok(());
        }
        let path = self.files.staged(Kind::Log, self.segment.base, Stage::Cleaned);
        let position = self.segment.bytes.into();
        self.file.write_at([&self.pending, &[]], position).map_err(at(&path))?;
        let mut rest = &self.pending[..];
        while !rest.is_empty() {
            let batch = BatchView::parse(rest).expect("whole batches were put here");
            self.segment.note(&batch, batch.size() as u32, self.interval_bytes);
            rest = &rest[batch.size()..];
        }
        let written = self.pending.len();
        self.pending.clear();
        if SYNC_BYTES <= self.segment.bytes - self.segment.synced {
            self.file.sync().map_err(at(&path))?;
            self.segment.synced = self.segment.bytes;
        }
        go_on(pace, written)
    }

    /// Writes the rest and the indexes, and syncs everything.
    fn finish(
        mut self,
        aborted: Vec<Aborted>,
        modified: Timestamp,
        pace: &mut Pace<'_>,
    ) -> Result<Written<D>, CompactError> {
        self.write_if(1, pace)?;
        self.segment.finish_index();
        let base = self.segment.base;
        let index = self.segment.index.as_ref().expect("what is written has its index in memory");
        self.put(Kind::OffsetIndex, &index.offsets_from(0))?;
        self.put(Kind::TimeIndex, &index.times_from(0))?;
        let saved = (index.offsets.len(), index.times.len());
        if !aborted.is_empty() {
            self.put(Kind::TransactionIndex, &aborted::file(&aborted))?;
        }
        let path = self.files.staged(Kind::Log, base, Stage::Cleaned);
        self.file.sync().map_err(at(&path))?;
        // By it retention goes where no record has a time (LogSegment.largestTimestamp).
        self.file.set_modified(modified).map_err(at(&path))?;
        let bytes = self.segment.bytes;
        let segment = Segment { synced: bytes, saved, modified, ..self.segment };
        Ok(Written { segment, aborted })
    }

    fn put(&self, kind: Kind, bytes: &[u8]) -> Result<(), Failed> {
        let path = self.files.staged(kind, self.segment.base, Stage::Cleaned);
        let file = fresh(self.files, kind, self.segment.base)?;
        file.write_at([bytes, &[]], 0).and_then(|()| file.sync()).map_err(at(&path))
    }
}

/// An empty file to write to, whatever an earlier attempt left under its name.
fn fresh<D: Disk>(files: &Files<D>, kind: Kind, base: Offset) -> Result<Arc<D::File>, Failed> {
    let path = files.staged(kind, base, Stage::Cleaned);
    let file = files.open(&path, Open::OrCreate)?;
    file.set_len(0).map_err(at(&path))?;
    Ok(file)
}
