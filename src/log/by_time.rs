//! Finding records by their time (ListOffsets). Records are decoded only here.

use super::facts::{Found, ReadError};
use super::files::{Failed, Kind, at};
use super::index::{Index, TimeEntry};
use super::segment::{Largest, Times};
use super::walk::{Place, Walk};
use super::{Disk, DiskFile, Log};
use crate::record::{BatchError, BatchView, Offset, Scratch, Timestamp};

/// To what the records of one batch may decompress when they are looked at one by one.
pub(super) const INFLATED_BYTES_MAX: usize = 256 << 20;

impl<D: Disk> Log<D> {
    /// The largest time of every segment becomes known.
    pub(super) fn load_times(&mut self) -> Result<(), Failed> {
        for at_segment in 0..self.segments.len() {
            if self.segments[at_segment].times.largest == Largest::Unknown {
                let last = self.time_entry(at_segment, |index| index.times.last().copied())?;
                let largest = last.map_or(Largest::None, Largest::At);
                let first = self.segments[at_segment].times.first;
                self.segments[at_segment].times = Times { first, largest };
            }
        }
        Ok(())
    }

    /// The first record whose timestamp is `at` or later (ListOffsets with a time).
    pub fn offset_for_timestamp(&mut self, time: Timestamp) -> Result<Option<Found>, ReadError> {
        self.load_times()?;
        for at_segment in 0..self.segments.len() {
            match self.segments[at_segment].times.largest {
                Largest::At(entry) if entry.timestamp >= time => {}
                _ => continue,
            }
            let before = self.time_entry(at_segment, |index| index.time_before(time))?;
            let from = before.map_or(0, |entry| entry.delta);
            if let Some(found) = self.find_time(at_segment, from, time)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp of all (ListOffsets -3, KIP-734).
    pub fn offset_of_max_timestamp(&mut self) -> Result<Option<Found>, ReadError> {
        self.load_times()?;
        let mut best: Option<(usize, TimeEntry)> = None;
        for at_segment in 0..self.segments.len() {
            if let Largest::At(entry) = self.largest_readable(at_segment)?
                && best.is_none_or(|(_, best)| best.timestamp < entry.timestamp)
            {
                best = Some((at_segment, entry));
            }
        }
        let Some((at_segment, entry)) = best else { return Ok(None) };
        Ok(self.find_time(at_segment, entry.delta, entry.timestamp)?)
    }

    /// The largest time in a segment, of which the first records may have been deleted.
    fn largest_readable(&mut self, at_segment: usize) -> Result<Largest, Failed> {
        let base = self.segments[at_segment].base;
        if self.start <= base {
            return Ok(self.segments[at_segment].times.largest);
        }
        let Some((found, first)) = self.locate(self.start)? else { return Ok(Largest::None) };
        if found != at_segment {
            return Ok(Largest::None);
        }
        let path = self.files.path(Kind::Log, base);
        let file = self.load_file(at_segment)?;
        let segment = &self.segments[at_segment];
        let mut walk = Walk::new(&*file, first.position, segment.bytes);
        let mut largest = Largest::None;
        while let Some((place, batch)) = walk.next().map_err(at(&path))? {
            let timestamp = match batch.base_offset() < self.start {
                true => read_largest(&*file, place, self.start).map_err(at(&path))?,
                false => Some(batch.max_timestamp()),
            };
            let delta = segment.delta(batch.last_offset());
            let (Some(timestamp), Some(delta)) = (timestamp, delta) else { continue };
            if !matches!(largest, Largest::At(known) if timestamp <= known.timestamp) {
                largest = Largest::At(TimeEntry { timestamp, delta });
            }
        }
        Ok(largest)
    }

    /// The first record that is readable and not older than `time`, from about `delta` on.
    fn find_time(
        &mut self,
        at_segment: usize,
        delta: u32,
        time: Timestamp,
    ) -> Result<Option<Found>, Failed> {
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let span = 0..self.segments[at_segment].bytes;
        let before = |index: &Index| index.entry_before(delta);
        let mut walk = self.walk_from(at_segment, &*file, span, before)?;
        while let Some((place, batch)) = walk.next().map_err(at(&path))? {
            if batch.max_timestamp() >= time && batch.last_offset() >= self.start {
                let mut bytes = vec![0; place.bytes as usize];
                file.read_at(&mut bytes, place.position.into()).map_err(at(&path))?;
                let found = first_at(&bytes, self.start, time);
                let invalid = |error: BatchError| at(&path)(std::io::Error::other(error));
                if let Some(found) = found.map_err(invalid)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

/// The largest time of a batch's records from `start` on.
fn read_largest<F: DiskFile>(
    file: &F,
    place: Place,
    start: Offset,
) -> std::io::Result<Option<Timestamp>> {
    let mut bytes = vec![0; place.bytes as usize];
    file.read_at(&mut bytes, place.position.into())?;
    let batch = BatchView::parse(&bytes).map_err(std::io::Error::other)?;
    let mut scratch = Scratch::default();
    let records = batch.records(&mut scratch, INFLATED_BYTES_MAX);
    let mut records = records.map_err(std::io::Error::other)?;
    let mut largest = None;
    while let Some(entry) = records.next() {
        let entry = entry.map_err(std::io::Error::other)?;
        if start <= entry.offset {
            largest = largest.max(Some(entry.timestamp));
        }
    }
    Ok(largest)
}

/// The first record of one batch that is at `start` or behind, and at `time` or later.
fn first_at(bytes: &[u8], start: Offset, time: Timestamp) -> Result<Option<Found>, BatchError> {
    let batch = BatchView::parse(bytes)?;
    let mut scratch = Scratch::default();
    let mut records = batch.records(&mut scratch, INFLATED_BYTES_MAX)?;
    while let Some(entry) = records.next() {
        let entry = entry?;
        if entry.timestamp >= time && entry.offset >= start {
            let leader_epoch = batch.leader_epoch();
            return Ok(Some(Found {
                offset: entry.offset,
                timestamp: entry.timestamp,
                leader_epoch,
            }));
        }
    }
    Ok(None)
}
