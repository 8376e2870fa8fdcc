//! Finding records by their time, for ListOffsets. Which batch may hold one is told by indexes and
//! headers, under the log's lock; its records are read without: they may inflate to a lot.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::facts::{Found, ReadError, Slice};
use super::files::{Failed, Kind, at};
use super::index::{Index, TimeEntry};
use super::segment::{Largest, Times};
use super::walk::{Place, Walk};
use super::{Disk, DiskFile, Log};
use crate::record::{BatchView, Glimpse, INFLATED_BYTES_MAX, Offset, Timestamp};

/// A batch in which a record is sought by its time.
pub struct Sought<F> {
    path: PathBuf,
    slice: Slice<F>,
    /// What lies before cannot be read any more.
    start: Offset,
    next: Offset,
}

/// Where the newest record is (KIP-734).
pub struct Newest<F> {
    /// The first batch, if records of it were deleted: what the others say does not tell.
    pub first: Option<Sought<F>>,
    /// The newest time in all others.
    pub time: Option<Timestamp>,
}

impl<F: DiskFile> Sought<F> {
    /// The first record that is at `time` or later. Where the records cannot be read, or are too
    /// many to look at, they are taken to begin with it: whoever reads from there misses nothing.
    pub fn first_at(&self, time: Timestamp) -> Result<Option<Found>, ReadError> {
        self.look(|found, glimpse| match time <= glimpse.timestamp {
            true => {
                *found = Some(glimpse);
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        })
    }

    /// The first of its newest records.
    pub fn newest(&self) -> Result<Option<Found>, ReadError> {
        self.look(|found, glimpse| {
            if found.is_none_or(|best| best.timestamp < glimpse.timestamp) {
                *found = Some(glimpse);
            }
            ControlFlow::Continue(())
        })
    }

    /// Where to seek on.
    pub fn next(&self) -> Offset {
        self.next
    }

    fn look(
        &self,
        mut see: impl FnMut(&mut Option<Glimpse>, Glimpse) -> ControlFlow<()>,
    ) -> Result<Option<Found>, ReadError> {
        let disk = |error| ReadError::Disk { path: self.path.clone(), error };
        let bytes = self.slice.load().map_err(disk)?;
        let batch = BatchView::parse(&bytes).map_err(std::io::Error::other).map_err(disk)?;
        let mut found = None;
        let skimmed =
            batch.skim(INFLATED_BYTES_MAX, |glimpse| match self.start <= glimpse.offset {
                true => see(&mut found, glimpse),
                false => ControlFlow::Continue(()),
            });
        let (offset, timestamp) = match (skimmed, found) {
            (Ok(()), None) => return Ok(None),
            (Ok(()), Some(glimpse)) => (glimpse.offset, glimpse.timestamp),
            (Err(_), _) => (batch.base_offset().max(self.start), batch.max_timestamp()),
        };
        Ok(Some(Found { offset, timestamp, leader_epoch: batch.leader_epoch() }))
    }
}

impl<D: Disk> Log<D> {
    /// The largest time of every segment becomes known.
    pub(super) fn load_times(&mut self) -> Result<(), Failed> {
        for at_segment in 0..self.segments.len() {
            if self.segments[at_segment].times.largest == Largest::Unknown {
                let last = self.last_time(at_segment)?;
                let largest = last.map_or(Largest::None, Largest::At);
                let first = self.segments[at_segment].times.first;
                self.segments[at_segment].times = Times { first, largest };
            }
        }
        Ok(())
    }

    /// The first batch from `from` on in which there may be a record at `time` or later.
    pub fn seek(
        &mut self,
        time: Timestamp,
        from: Offset,
    ) -> Result<Option<Sought<D::File>>, ReadError> {
        self.load_times()?;
        let from = from.max(self.start);
        for at_segment in 0..self.segments.len() {
            match self.segments[at_segment].times.largest {
                Largest::At(entry) if entry.timestamp >= time => {}
                _ => continue,
            }
            let before = self.time_entry(at_segment, |index| index.time_before(time))?;
            let reached = self.segments[at_segment].delta(from).unwrap_or(0);
            let delta = before.map_or(0, |entry| entry.delta).max(reached);
            if let Some(sought) = self.seek_in(at_segment, delta, time, from)? {
                return Ok(Some(sought));
            }
        }
        Ok(None)
    }

    /// The first batch that reaches `from` and is not older than `time`, from about `delta` on.
    fn seek_in(
        &mut self,
        at_segment: usize,
        delta: u32,
        time: Timestamp,
        from: Offset,
    ) -> Result<Option<Sought<D::File>>, Failed> {
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let span = 0..self.segments[at_segment].bytes;
        let before = |index: &Index| index.entry_before(delta);
        let mut walk = self.walk_from(at_segment, &*file, span, before)?;
        while let Some((place, batch)) = walk.next().map_err(at(&path))? {
            if batch.max_timestamp() >= time && batch.last_offset() >= from {
                let next = batch.next_offset();
                return Ok(Some(self.sought(at_segment, place, next)?));
            }
        }
        Ok(None)
    }

    fn sought(
        &mut self,
        at_segment: usize,
        Place { position, bytes }: Place,
        next: Offset,
    ) -> Result<Sought<D::File>, Failed> {
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let slice = Slice { file, position: position.into(), bytes };
        Ok(Sought { path, slice, start: self.start, next })
    }

    /// Where the first record is that has the largest timestamp of all (ListOffsets -3).
    pub fn newest(&mut self) -> Result<Newest<D::File>, ReadError> {
        self.load_times()?;
        let mut newest = Newest { first: None, time: None };
        for at_segment in 0..self.segments.len() {
            let largest = match self.start <= self.segments[at_segment].base {
                true => self.segments[at_segment].times.largest,
                false => self.largest_readable(at_segment, &mut newest.first)?,
            };
            if let Largest::At(TimeEntry { timestamp, .. }) = largest {
                newest.time = newest.time.max(Some(timestamp));
            }
        }
        Ok(newest)
    }

    /// The largest time in a segment of which the first records were deleted, but for the batch
    /// that was cut through.
    fn largest_readable(
        &mut self,
        at_segment: usize,
        cut: &mut Option<Sought<D::File>>,
    ) -> Result<Largest, Failed> {
        let Some((found, first)) = self.locate(self.start)? else { return Ok(Largest::None) };
        if found != at_segment {
            return Ok(Largest::None);
        }
        let segment = &self.segments[at_segment];
        let path = self.files.path(Kind::Log, segment.base);
        let (end, file) = (segment.bytes, self.load_file(at_segment)?);
        let mut walk = Walk::new(&*file, first.position, end);
        let mut largest = Largest::None;
        while let Some((place, batch)) = walk.next().map_err(at(&path))? {
            if batch.base_offset() < self.start {
                let next = batch.next_offset();
                *cut = Some(self.sought(at_segment, place, next)?);
                continue;
            }
            let timestamp = batch.max_timestamp();
            let delta = self.segments[at_segment].delta(batch.last_offset());
            let Some(delta) = delta else { continue };
            if !matches!(largest, Largest::At(known) if timestamp <= known.timestamp) {
                largest = Largest::At(TimeEntry { timestamp, delta });
            }
        }
        Ok(largest)
    }
}
