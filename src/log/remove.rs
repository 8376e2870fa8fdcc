//! Letting go of the oldest: what retention has no more use for, and what somebody deleted.

use std::io;

use std::path::PathBuf;

use super::files::{Failed, Kind};
use super::retention::{self, Span};
use super::segment::Segment;
use super::{Checkpoint, Disk, DiskFile, Log, Open, Removed, Retention, saved};
use crate::record::{Offset, Timestamp};

/// A last segment that is smaller stays, as Apache's does, until it is full or old: whoever deletes
/// every few seconds what was read should not make a file each time.
const ROLLED_BYTES_MIN: u32 = 1 << 20;

/// What came of a wish to remove.
pub enum Removal<D: Disk> {
    Done(Removed),
    /// Some went. What producers wrote is known from their batches, or from a checkpoint behind
    /// them: without one, a crash after the removal of the others would forget it. This is to be
    /// run without the log's lock and told to the log, which is then to be asked again.
    After(Removed, Box<Checkpoint<D>>),
}

/// Where the log begins, to be said by the checkpoint that there is. On a full disk there is no
/// room for another one before something goes, and nothing goes before a checkpoint says so.
pub struct Restart<D: Disk> {
    disk: D,
    path: PathBuf,
    start: Offset,
}

impl<D: Disk> Restart<D> {
    /// To be run without the log's lock. It takes no room; whether there was a checkpoint.
    pub fn run(&self) -> io::Result<bool> {
        let file = match self.disk.open(&self.path, Open::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        let Some(head) = saved::begun_at(&self.disk.read(&self.path)?, self.start) else {
            return Ok(false);
        };
        file.write_at([&head, &[]], 0)?;
        file.sync()?;
        Ok(true)
    }
}

impl<D: Disk> Log<D> {
    /// Removes the oldest segments that `keep` does not ask for.
    pub fn remove_expired(&mut self, keep: &Retention, now: Timestamp) -> io::Result<Removal<D>> {
        self.load_times().map_err(|failed| failed.error)?;
        let span = |segment: &Segment<D::File>| Span {
            bytes: u64::from(segment.bytes),
            youngest: segment.age_mark(),
        };
        let spans: Vec<Span> = self.segments.iter().map(span).collect();
        let count = retention::expired(&spans, keep, now);
        let count = count.max(self.segments_below_start());
        if count == self.segments.len() && 0 < count && self.may_remove() {
            self.roll(now).map_err(|failed| failed.error)?;
        }
        self.remove_oldest(count)
    }

    /// The log begins at `offset`, if it does not begin behind it already; what lies before is to
    /// be durable. Segments wholly before it are removed; the last one too if all of it goes and it
    /// is worth a new file.
    pub fn remove_before(&mut self, offset: Offset, now: Timestamp) -> io::Result<Removal<D>> {
        assert!(offset <= self.end, "a log begins before it ends");
        if self.start < offset {
            self.start = offset;
            self.changed = true;
        }
        let last_bytes = self.segments.last().map_or(0, |last| last.bytes);
        if self.start == self.end && ROLLED_BYTES_MIN <= last_bytes && self.may_remove() {
            self.roll(now).map_err(|failed| failed.error)?;
        }
        self.remove_oldest(self.segments_below_start())
    }

    pub fn restart(&mut self) -> Restart<D> {
        let (disk, path) = (self.files.disk.clone(), self.files.named(saved::NAME));
        Restart { disk, path, start: self.start }
    }

    /// `restart` ran.
    pub fn restarted(&mut self, restart: &Restart<D>) {
        self.start_saved = self.start_saved.max(restart.start);
    }

    /// Segments that end where the log begins or before; the last one has no end yet.
    fn segments_below_start(&self) -> usize {
        let later = self.segments.iter().skip(1);
        later.take_while(|segment| segment.base <= self.start).count()
    }

    /// Not what a failed write or sync left behind.
    pub(super) fn may_remove(&self) -> bool {
        !self.half_written && !self.syncing.has_failed()
    }

    fn remove_oldest(&mut self, count: usize) -> io::Result<Removal<D>> {
        if count == 0 || !self.may_remove() {
            return Ok(Removal::Done(Removed::default()));
        }
        // Nobody reads on in what goes; what is gone without this being on the disk is lost.
        let start = self.start.max(self.segments[count].base);
        self.changed |= self.start < start;
        self.start = start;
        // Whoever writes what is old already must not keep all that there is from going.
        let ends_before = |next: &&Segment<D::File>| {
            Some(next.base) <= self.checkpoint_segment && next.base <= self.start_saved
        };
        let ready = self.segments[1..=count].iter().take_while(ends_before).count();
        let removed = match ready {
            0 => Removed::default(),
            ready => self.remove_segments(ready).map_err(|failed| failed.error)?,
        };
        match ready == count {
            true => Ok(Removal::Done(removed)),
            false => Ok(Removal::After(removed, Box::new(self.checkpoint()?))),
        }
    }

    /// Oldest first, so that a crash in between leaves no gap.
    fn remove_segments(&mut self, count: usize) -> Result<Removed, Failed> {
        let mut removed = Removed::default();
        for _ in 0..count {
            let base = self.segments[0].base;
            self.files.remove(&self.files.path(Kind::Log, base))?;
            let segment = self.segments.remove(0);
            self.snapshots.retain(|&offset| offset != base);
            self.aborted.remove(&base);
            self.start = self.start.max(self.segments[0].base);
            self.changed = true;
            removed.segments += 1;
            removed.bytes += u64::from(segment.bytes);
            for kind in Kind::ALL {
                self.files.remove(&self.files.path(kind, base))?;
            }
        }
        // Not at the log's start: as long as the records are there, a crash may bring them back.
        self.epochs.cut_start(self.segments[0].base);
        self.unsynced.names += 1;
        Ok(removed)
    }
}
