//! Offsets that must have been in the log and are not: files that somebody took away or cut.
//! Never knows: what is damaged and still there.
//!
//! Only what nothing else explains counts, and what was found once is written down beside the log:
//! a start makes indexes and checkpoints anew, and a loss must not end with what told of it. It
//! stays there until `kaw log repair` is told to accept it.

use std::io;

use super::super::facts::{Cleanup, Known, Lost, Recovered, Trust};
use super::super::files::{Failed, Kind};
use super::super::index::{OFFSET_ENTRY_BYTES, OffsetEntry};
use super::super::missing::{self, Missing};
use super::super::text;
use super::super::walk::Walk;
use super::super::{Disk, DiskFile, Log, Open};
use crate::record::Offset;

impl<D: Disk> Log<D> {
    /// What must have been before the first segment, or between two that are believed without
    /// being read.
    pub(super) fn lost_from_believed(
        &self,
        believed: usize,
        known: &Known,
        saved_start: Option<Offset>,
    ) -> Result<Vec<Lost>, Failed> {
        let mut lost = Vec::from_iter(self.lost_before(known, saved_start)?);
        let start = known.log_start.max(saved_start).max(Some(self.segments[0].base));
        // Compaction takes the last batches of segments away, also before it was turned off.
        let is_compacted = self.settings.cleanup == Cleanup::Compact || start < known.compacted;
        for at_segment in 0..believed.min(self.segments.len() - 1) {
            let (base, next) = (self.segments[at_segment].base, self.segments[at_segment + 1].base);
            // What is deleted, and its file yet to go, may lack what it likes.
            if Some(next) <= start {
                continue;
            }
            let Some(tail) = self.tail(at_segment) else { continue };
            if tail.end < next && (tail.is_cut || !is_compacted) {
                let path = self.files.path(Kind::Log, base);
                lost.push(Lost { path, from: tail.end, to: next });
            }
        }
        Ok(lost)
    }

    /// Where a log begins, its leader epochs do, and `log-start-offset-checkpoint` where that is
    /// behind the first segment's base. Both are as they are to be after a clean stop, also of
    /// Apache Kafka, which moves them before it deletes segments and writes them a moment later
    /// (UnifiedLog.deleteSegments, LeaderEpochFileCache.truncateFromStartAsyncFlush): a kill may
    /// come in between. kaw's own checkpoint is durable before a segment goes.
    fn lost_before(
        &self,
        known: &Known,
        saved_start: Option<Offset>,
    ) -> Result<Option<Lost>, Failed> {
        let first = self.segments[0].base;
        let is_certain = match known.trust {
            Trust::Clean | Trust::CleanButRead => true,
            Trust::Unclean => known.is_ours && saved_start.is_some(),
            Trust::Nothing => false,
        };
        if first == Offset::ZERO || !is_certain {
            return Ok(None);
        }
        let Some(epochs) = self.read_epochs()? else { return Ok(None) };
        let epoch = epochs.entries().first().map(|epoch| epoch.start);
        let began = epoch.max(known.log_start).max(saved_start).filter(|began| *began < first);
        let path = self.files.path(Kind::Log, first);
        Ok(began.map(|from| Lost { path, from, to: first }))
    }

    /// Where the batches of a closed segment end, read from the last entry of its index on.
    /// `None`: that cannot be told so, and whoever reads there learns more.
    fn tail(&self, at_segment: usize) -> Option<Tail> {
        let segment = &self.segments[at_segment];
        let entry = self.last_entry(segment.base).ok()?;
        let inside = entry.filter(|entry| entry.position < segment.bytes);
        let position = inside.map_or(0, |entry| entry.position);
        let path = self.files.path(Kind::Log, segment.base);
        let file = self.files.disk.open(&path, Open::Existing).ok()?;
        let mut walk = Walk::new(&file, position, segment.bytes);
        let mut end = segment.base;
        while let Some((_, batch)) = walk.next().ok()? {
            end = batch.next_offset();
        }
        let speaks_of_more = entry.is_some_and(|entry| end <= last(segment.base, entry));
        let is_cut = inside.is_none() && speaks_of_more;
        (is_cut || walk.ended().is_ok()).then_some(Tail { end, is_cut })
    }

    /// The last entry of a segment's offset index, if it has any.
    pub(super) fn last_entry(&self, base: Offset) -> io::Result<Option<OffsetEntry>> {
        let path = self.files.path(Kind::OffsetIndex, base);
        let file = self.files.disk.open(&path, Open::Existing)?;
        let bytes = file.len()?;
        let mut entry = [0; OFFSET_ENTRY_BYTES];
        let Some(position) = bytes.checked_sub(entry.len() as u64) else { return Ok(None) };
        let read = file.read_at(&mut entry, position)?;
        // Room that Apache Kafka took in advance is all zeros.
        let is_one = read == entry.len() && bytes.is_multiple_of(entry.len() as u64);
        Ok(Some(entry).filter(|entry| is_one && *entry != [0; _]).map(|e| OffsetEntry::decode(&e)))
    }

    /// What must have been in a segment that is empty now, where its index tells.
    pub(super) fn lost_from_empty(&self, base: Offset) -> Option<Lost> {
        let entry = self.last_entry(base).ok()??;
        let path = self.files.path(Kind::Log, base);
        let lost = Lost { path, from: base, to: last(base, entry).plus(1) };
        // Elsewhere there is a gap that tells.
        (self.settings.cleanup == Cleanup::Compact).then_some(lost)
    }

    /// `write_down` where not even the directory is left.
    pub(super) fn write_down_anew(&mut self, recovered: &mut Recovered) -> Result<(), Failed> {
        let made = recovered.lost.is_empty() || self.make_directory().is_ok();
        if made { self.write_down(recovered) } else { Ok(()) }
    }

    /// Writes down what was found, with what was written down before. On a full disk it has been
    /// said, and the log is opened all the same.
    pub(super) fn write_down(&self, recovered: &mut Recovered) -> Result<(), Failed> {
        let path = self.files.named(missing::NAME);
        let before = self.files.read(&path)?;
        let before = before.and_then(|bytes| Missing::parse(&bytes).ok()).unwrap_or_default();
        let mut all = before.clone();
        recovered.lost.iter().for_each(|lost| all.add(lost.from, lost.to));
        if all != before {
            let disk = &self.files.disk;
            let written = text::replace(disk, &path, &all.file());
            let _ = written.and_then(|()| disk.sync_dir(&self.files.dir));
        }
        let is_told = |&(from, to): &(Offset, Offset)| {
            recovered.lost.iter().any(|lost| lost.from <= from && to <= lost.to)
        };
        let untold: Vec<_> = before.ranges().filter(|range| !is_told(range)).collect();
        let untold = untold.into_iter().map(|(from, to)| Lost { path: path.clone(), from, to });
        recovered.lost.extend(untold);
        Ok(())
    }
}

/// The last offset of the batch that an entry speaks of.
fn last(base: Offset, entry: OffsetEntry) -> Offset {
    // The name of a file may be any number.
    Offset(base.get().saturating_add(entry.delta.into()).min(i64::MAX - 1))
}

/// How a closed segment ends.
struct Tail {
    end: Offset,
    /// Its index speaks of a batch behind the end: compaction makes both anew.
    is_cut: bool,
}
