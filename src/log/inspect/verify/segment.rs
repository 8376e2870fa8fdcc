//! One segment: its batches, and the indexes beside them.

use std::io;
use std::path::{Path, PathBuf};

use super::index::{OffsetCursor, TimeCursor};
use super::records::read_records;
use super::state::Pass;
use super::torn::is_torn;
use crate::log::files::{Kind, Stage};
use crate::log::inspect::{Damage, Entry, Piece, Pieces, Thing};
use crate::log::transactions::Marker;
use crate::log::{DiskFile, RealFile};
use crate::record::{BatchView, Offset, Timestamp};

/// The files beside the segment's log, opened before it is read.
pub(super) struct Beside {
    offsets: Option<(PathBuf, RealFile)>,
    times: Option<(PathBuf, RealFile)>,
    pub aborted: Option<(PathBuf, RealFile)>,
}

impl Pass<'_> {
    /// Checks the segment that begins with `base`, before `next`, if there is a next one.
    pub fn segment(&mut self, base: Offset, bytes: u64, next: Option<Offset>, entries: &[Entry]) {
        let path = self.dir.join(format!("{:020}{}", base.get(), Kind::Log.suffix()));
        self.verified.segments += 1;
        match self.walk(&path, base, next, entries) {
            // Removed meanwhile, as retention does.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_live() => {}
            Err(error) => {
                self.findings().unread(&path, &error);
                self.forget();
            }
            Ok(()) => self.verified.bytes += bytes,
        }
        // The next one goes on where it says, so that a gap is told once.
        self.end = next.or(self.end);
    }

    fn walk(
        &mut self,
        path: &Path,
        base: Offset,
        next: Option<Offset>,
        entries: &[Entry],
    ) -> io::Result<()> {
        let beside = self.open_beside(base, next.is_none(), entries);
        let file = RealFile::open_to_read(path)?;
        let bytes = file.len()?;
        if i32::MAX as u64 <= bytes {
            self.findings().damage_at(path, i32::MAX as u64, "a segment is never that large");
        }
        let growing = next.is_none() && self.is_live();
        let mut aborted = self.aborted(&beside, base, next)?.into_iter().peekable();
        let mut offsets = match &beside.offsets {
            Some((path, file)) => Some(OffsetCursor::offsets(path, file, base, self.findings())?),
            None => None,
        };
        let mut times = match &beside.times {
            Some((path, file)) => Some(TimeCursor::times(path, file, base, self.findings())?),
            None => None,
        };
        let mut largest = Timestamp(-1);
        let mut pieces = Pieces::new(&file, bytes, base, self.expected.limit(next));
        // Unknown behind damage.
        let mut expected = Some(base);
        while let Some(piece) = pieces.next_piece()? {
            let (position, batch) = match piece {
                Piece::Batch { position, batch } => (position, batch),
                Piece::Damage(damage) => {
                    self.damaged(path, &damage, &file, next)?;
                    expected = None;
                    continue;
                }
            };
            self.continues(path, position, expected, batch.base_offset());
            expected = Some(batch.next_offset());
            let time = self.time(path, position, &batch);
            let findings = &mut self.verified.findings;
            if let Some(offsets) = &mut offsets {
                offsets.pass(position, &batch, findings)?;
            }
            if let Some(times) = &mut times {
                times.pass(&batch, time, largest, findings)?;
            }
            // The time of a batch that compaction has emptied says nothing of any record.
            if batch.count() > 0 {
                largest = largest.max(batch.max_timestamp());
            }
            let marker = Marker::of(&batch);
            self.ended(path, position, &batch, marker.as_ref(), &mut aborted, &beside);
            let epoch = marker.and_then(|marker| marker.coordinator_epoch);
            self.note(path, position, &batch, epoch);
        }
        let end = pieces.position();
        if let Some(next) = next {
            self.continues(path, end, expected, next);
        }
        let is_done = next.is_some() || self.is_clean();
        self.finish_indexes(offsets, times, largest, is_done, growing)?;
        for (byte, entry) in aborted.filter(|_| !growing) {
            let (path, _) = beside.aborted.as_ref().expect("its entries are there");
            let what = "there is no marker that aborts this transaction";
            self.findings().damage_of(path, byte, entry.last, what);
        }
        Ok(())
    }

    fn finish_indexes(
        &mut self,
        offsets: Option<OffsetCursor<'_>>,
        times: Option<TimeCursor<'_>>,
        largest: Timestamp,
        is_done: bool,
        growing: bool,
    ) -> io::Result<()> {
        let findings = &mut self.verified.findings;
        if let Some(offsets) = offsets {
            offsets.finish(growing, findings, |entry| {
                format!("byte {} is behind the log's last batch", entry.position)
            })?;
        }
        if let Some(times) = times {
            if is_done {
                times.check_last(largest, findings);
            }
            times.finish(growing, findings, |entry| {
                format!("offset {} is behind the log's last batch", entry.offset)
            })?;
        }
        Ok(())
    }

    fn damaged(
        &mut self,
        path: &Path,
        damage: &Damage,
        file: &RealFile,
        next: Option<Offset>,
    ) -> io::Result<()> {
        self.lose();
        let Damage { position, bytes, offset, why } = *damage;
        if next.is_none() && is_torn(file, damage, self.durable(), self.expected)? {
            let what = format!(
                "{bytes} bytes at the end were not complete when the broker was killed; the next \
                 start cuts them"
            );
            self.findings().note_at(path, position.into(), what);
            return Ok(());
        }
        let what = format!("{why}; {bytes} bytes are lost");
        self.findings().damage_of(path, position.into(), offset, what);
        Ok(())
    }

    /// Offsets go on from batch to batch, but where compaction took some out.
    fn continues(&mut self, path: &Path, position: u32, expected: Option<Offset>, found: Offset) {
        let Some(expected) = expected.filter(|&expected| expected != found) else { return };
        if self.expected.compacted {
            return;
        }
        let what = format!("offsets {expected} to {} are missing", found.get() - 1);
        self.findings().damage_of(path, position.into(), expected, what);
    }

    /// The largest timestamp of a batch: its header's, or what its records say, where all are
    /// read.
    fn time(&mut self, path: &Path, position: u32, batch: &BatchView<'_>) -> Timestamp {
        if !self.expected.records || batch.count() == 0 {
            return batch.max_timestamp();
        }
        match read_records(batch, self.expected.compacted) {
            Ok(largest) => largest,
            Err(what) => {
                self.findings().damage_of(path, position.into(), batch.base_offset(), what);
                batch.max_timestamp()
            }
        }
    }

    /// What lies beside the log. A closed segment has both indexes.
    fn open_beside(&mut self, base: Offset, is_last: bool, entries: &[Entry]) -> Beside {
        let must = (!is_last || self.is_clean()) && !self.unfinished.is_going(base);
        let is_in_place = self.unfinished.is_in_place(base);
        let mut open = |kind: Kind, must: bool| {
            let name = format!("{:020}{}", base.get(), kind.suffix());
            let called = |name: &str| entries.iter().find(|entry| entry.name == name);
            let staged = || called(&(name.clone() + Stage::Swap.suffix())).filter(|_| is_in_place);
            let Some(found) = called(&name).or_else(staged) else {
                if must {
                    self.verified.findings.damage(&self.dir.join(&name), "is missing");
                }
                return None;
            };
            // What is no file is named already.
            let path =
                matches!(found.thing, Thing::File { .. }).then(|| self.dir.join(&found.name))?;
            match RealFile::open_to_read(&path) {
                Ok(file) => return Some((path, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.verified.findings.unread(&path, &error),
            }
            None
        };
        Beside {
            offsets: open(Kind::OffsetIndex, must),
            times: open(Kind::TimeIndex, must),
            aborted: open(Kind::TransactionIndex, false),
        }
    }
}
