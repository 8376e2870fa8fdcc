//! A segment's index while it is used: believed where the log says the same, else made anew.
//!
//! The files have no checksum, and one bit may lead a reader behind the records that it seeks. So
//! an entry counts only once the batch that it speaks of was looked at, which is read next anyway.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::files::{Failed, Kind, at};
use super::index::{Index, OffsetEntry, TimeEntry};
use super::pieces::next_good;
use super::segment::Segment;
use super::walk::Walk;
use super::{Disk, Log};
use crate::record::{Offset, Timestamp};

impl<D: Disk> Log<D> {
    /// A segment's index, read from its files, or made anew where they are missing or wrong.
    pub(super) fn index(&mut self, at_segment: usize) -> Result<&Index, Failed> {
        if self.segments[at_segment].index.is_none() {
            self.load_file(at_segment)?;
            match self.read_index(at_segment)? {
                Some(index) => {
                    let segment = &mut self.segments[at_segment];
                    segment.saved = (index.offsets.len(), index.times.len());
                    segment.index = Some(index);
                }
                None => {
                    let fresh = self.read_again(at_segment)?;
                    self.take_anew(at_segment, fresh);
                }
            }
        }
        Ok(self.segments[at_segment].index.as_ref().expect("it was just loaded"))
    }

    pub(super) fn read_index(&self, at_segment: usize) -> Result<Option<Index>, Failed> {
        let segment = &self.segments[at_segment];
        let offsets = self.files.read(&self.files.path(Kind::OffsetIndex, segment.base))?;
        let times = self.files.read(&self.files.path(Kind::TimeIndex, segment.base))?;
        let decoded = offsets.zip(times);
        Ok(decoded.and_then(|(offsets, times)| Index::decode(&offsets, &times, segment.bytes)))
    }

    /// A walk over `span` of a segment, from the entry of its index that `pick` takes, or from the
    /// span's beginning where it takes none.
    pub(super) fn walk_from<'f>(
        &mut self,
        at_segment: usize,
        file: &'f D::File,
        span: Range<u32>,
        pick: impl Fn(&Index) -> Option<OffsetEntry>,
    ) -> Result<Walk<'f, D::File>, Failed> {
        let begin = |entry: Option<OffsetEntry>| {
            Walk::new(file, entry.map_or(span.start, |entry| entry.position), span.end)
        };
        let picked = pick(self.index(at_segment)?);
        let mut walk = begin(picked);
        let Some(entry) = picked else { return Ok(walk) };
        let segment = &self.segments[at_segment];
        let named = Offset(segment.base.get().saturating_add(i64::from(entry.delta)));
        // Apache Kafka once wrote one entry for all batches that came at once: the position of the
        // first, the last offset of the last. That may be behind the span.
        let is_so = match walk.ahead(|walk| walk.reach(named)) {
            Ok(Some((_, last))) => last == named,
            Ok(None) => span.end < segment.bytes,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => false,
            Err(error) => return Err(self.of_log(at_segment, error)),
        };
        if is_so {
            return Ok(walk);
        }
        self.disbelieve(at_segment, Kind::OffsetIndex, entry)?;
        Ok(begin(pick(self.index(at_segment)?)))
    }

    /// The entry that `pick` takes from a segment's time index, as true as its log.
    pub(super) fn time_entry(
        &mut self,
        at_segment: usize,
        pick: impl Fn(&Index) -> Option<TimeEntry>,
    ) -> Result<Option<TimeEntry>, Failed> {
        let Some(entry) = pick(self.index(at_segment)?) else { return Ok(None) };
        if self.is_true(at_segment, entry)? {
            return Ok(Some(entry));
        }
        self.disbelieve(at_segment, Kind::TimeIndex, entry)?;
        Ok(pick(self.index(at_segment)?))
    }

    /// The last entry of a closed segment's time index, which is the largest of its times. A file
    /// that was cut behind an entry looks whole, and retention would take the segment for older
    /// than it is: so no batch at the end may be younger.
    pub(super) fn last_time(&mut self, at_segment: usize) -> Result<Option<TimeEntry>, Failed> {
        let last = |index: &Index| index.times.last().copied();
        let entry = self.time_entry(at_segment, last)?;
        let time = entry.map_or(Timestamp(-1), |entry| entry.timestamp);
        if !self.ends_later(at_segment, time)? {
            return Ok(entry);
        }
        let found = entry.map_or("no entry".to_owned(), |entry| entry.to_string());
        self.disbelieve(at_segment, Kind::TimeIndex, format!("{found} at the end"))?;
        Ok(last(self.index(at_segment)?))
    }

    /// Whether one of the last batches, from the last entry of the offset index on, is younger.
    fn ends_later(&mut self, at_segment: usize, time: Timestamp) -> Result<bool, Failed> {
        let file = self.load_file(at_segment)?;
        let span = 0..self.segments[at_segment].bytes;
        let mut walk =
            self.walk_from(at_segment, &*file, span, |index| index.offsets.last().copied())?;
        while let Some((_, batch)) = walk.next().map_err(|error| self.of_log(at_segment, error))? {
            if time < batch.max_timestamp() && 0 < batch.count() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the batch that an entry speaks of has its time as the largest. Where the log itself
    /// cannot be read, nothing says otherwise.
    fn is_true(&mut self, at_segment: usize, entry: TimeEntry) -> Result<bool, Failed> {
        let file = self.load_file(at_segment)?;
        let span = 0..self.segments[at_segment].bytes;
        let before = |index: &Index| index.entry_before(entry.delta);
        let mut walk = self.walk_from(at_segment, &*file, span, before)?;
        let base = self.segments[at_segment].base;
        while let Some((_, batch)) = walk.next().map_err(|error| self.of_log(at_segment, error))? {
            if i64::from(entry.delta) <= batch.last_offset().get() - base.get() {
                let holds = batch.base_offset().get() - base.get() <= i64::from(entry.delta);
                return Ok(holds && batch.max_timestamp() == entry.timestamp);
            }
        }
        Ok(walk.ended().is_err())
    }

    /// The log says otherwise than an entry of an index: both indexes are made anew from it.
    fn disbelieve(
        &mut self,
        at_segment: usize,
        kind: Kind,
        entry: impl fmt::Display,
    ) -> Result<(), Failed> {
        let fresh = self.read_again(at_segment)?;
        let file = self.files.path(kind, self.segments[at_segment].base);
        tracing::warn!(file = %file.display(), %entry, "not as the log says; made anew");
        self.take_anew(at_segment, fresh);
        self.changed = true;
        Ok(())
    }

    /// What a segment's headers say of it, without what is damaged.
    fn read_again(&mut self, at_segment: usize) -> Result<Segment<D::File>, Failed> {
        let file = self.load_file(at_segment)?;
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let interval_bytes = self.settings.index_interval_bytes;
        let segment = &self.segments[at_segment];
        let mut walk = Walk::new(&*file, 0, segment.bytes);
        let mut fresh = Segment::new(segment.base, Arc::clone(&file), segment.born);
        let mut end = segment.base;
        loop {
            while let Some((place, batch)) = walk.next().map_err(at(&path))? {
                if fresh.delta(batch.last_offset()).is_none() {
                    break;
                }
                fresh.note(&batch, place.bytes, interval_bytes);
                end = batch.next_offset();
            }
            let part = (fresh.bytes, segment.bytes);
            let Some(good) = next_good(&*file, part, end).map_err(at(&path))? else { break };
            fresh.skip_to(good);
            walk = Walk::new(&*file, good, segment.bytes);
        }
        fresh.finish_index();
        (fresh.bytes, fresh.synced) = (segment.bytes, segment.synced);
        fresh.modified = segment.modified;
        Ok(fresh)
    }

    fn take_anew(&mut self, at_segment: usize, fresh: Segment<D::File>) {
        self.segments[at_segment] = fresh;
        // A full disk must not stop reading: what is in memory serves, and is made again next time.
        let _ = self.save_index(at_segment);
    }

    /// An error about a segment's log.
    pub(super) fn of_log(&self, at_segment: usize, error: io::Error) -> Failed {
        Failed { path: self.files.path(Kind::Log, self.segments[at_segment].base), error }
    }
}
