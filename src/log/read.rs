//! Finding batches: by offset for fetches, by time for ListOffsets. Records are decoded only to
//! find one by its time.

use std::sync::Arc;

use super::facts::{Found, ReadError, Slice};
use super::files::{Failed, Kind, at};
use super::index::{Index, TimeEntry};
use super::segment::{Largest, Segment, Times};
use super::{Disk, DiskFile, Log, Open};
use crate::record::{BatchError, BatchView, HEADER_BYTES, Offset, Scratch, Timestamp};

/// To what the records of one batch may decompress when they are looked at one by one.
pub(super) const INFLATED_BYTES_MAX: usize = 256 << 20;
/// One index interval: what lies between two entries is usually read at once.
const WINDOW_BYTES: usize = 4096;

/// Where the last batches of the log begin, so that a reader at the tail needs no search.
#[derive(Default)]
pub(super) struct Recent {
    begins: [Option<(Offset, u32)>; 16],
    next: usize,
}

impl Recent {
    pub(super) fn push(&mut self, base_offset: Offset, position: u32) {
        self.begins[self.next] = Some((base_offset, position));
        self.next = (self.next + 1) % self.begins.len();
    }

    fn position(&self, offset: Offset) -> Option<u32> {
        self.begins.iter().flatten().find(|(begin, _)| *begin == offset).map(|(_, at)| *at)
    }
}

/// Which closed segments were read last: consumers that catch up read each from end to end.
#[derive(Default)]
pub(super) struct Reading {
    bases: [Option<Offset>; 4],
    next: usize,
}

impl Reading {
    fn push(&mut self, base: Offset) {
        if !self.contains(base) {
            self.bases[self.next] = Some(base);
            self.next = (self.next + 1) % self.bases.len();
        }
    }

    pub(super) fn contains(&self, base: Offset) -> bool {
        self.bases.contains(&Some(base))
    }
}

/// A batch in a segment.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub position: u32,
    pub bytes: u32,
}

/// Reads batch headers one after another.
pub(super) struct Walk<'a, F> {
    file: &'a F,
    position: u32,
    end: u32,
    window: [u8; WINDOW_BYTES],
    /// Which bytes of the file are in the window.
    held: std::ops::Range<u32>,
}

impl<'a, F: DiskFile> Walk<'a, F> {
    pub(super) fn new(file: &'a F, position: u32, end: u32) -> Walk<'a, F> {
        Walk { file, position, end, window: [0; WINDOW_BYTES], held: 0..0 }
    }

    /// Where the next batch would begin.
    pub(super) fn position(&self) -> u32 {
        self.position
    }

    /// The next header, with its batch's place. `None`: the end, or no whole batch.
    pub(super) fn next(&mut self) -> std::io::Result<Option<(Place, BatchView<'_>)>> {
        let left = self.end - self.position;
        if (left as usize) < HEADER_BYTES {
            return Ok(None);
        }
        if !(self.held.contains(&self.position)
            && self.position + HEADER_BYTES as u32 <= self.held.end)
        {
            let wanted = WINDOW_BYTES.min(left as usize);
            let read = self.file.read_at(&mut self.window[..wanted], self.position.into())?;
            self.held = self.position..self.position + read as u32;
        }
        let bytes = &self.window[(self.position - self.held.start) as usize..];
        let Ok(header) = BatchView::parse_header(bytes) else { return Ok(None) };
        let Some(size) = u32::try_from(header.size()).ok().filter(|&size| size <= left) else {
            return Ok(None);
        };
        let place = Place { position: self.position, bytes: size };
        self.position += size;
        Ok(Some((place, *header.fields())))
    }
}

impl<D: Disk> Log<D> {
    /// Batches from the one that contains `from`, all below `end`, of one segment: as many as fit
    /// into `bytes_max`, and at least one. `None`: there is nothing between `from` and `end`.
    pub fn read(
        &mut self,
        from: Offset,
        end: Offset,
        bytes_max: u32,
    ) -> Result<Option<Slice<D::File>>, ReadError> {
        if from < self.start || self.end < from {
            return Err(ReadError::OutOfRange { log_start: self.start, log_end: self.end });
        }
        let Some((at_segment, first)) = self.locate(from)? else { return Ok(None) };
        let limit = match end < self.end {
            true => match self.locate(end)? {
                Some((other, batch)) if other == at_segment => batch.position,
                _ => self.segments[at_segment].bytes,
            },
            false => self.segments[at_segment].bytes,
        };
        if limit <= first.position {
            return Ok(None);
        }
        let file = self.load_file(at_segment)?;
        let stop = self.stop(at_segment, first, limit, bytes_max)?;
        Ok(Some(Slice { file, position: first.position.into(), bytes: stop - first.position }))
    }

    /// Where a slice of at most `bytes_max` that begins with the batch `first` ends: behind a
    /// whole batch, and not behind `limit`.
    fn stop(
        &mut self,
        at_segment: usize,
        first: Place,
        limit: u32,
        bytes_max: u32,
    ) -> Result<u32, Failed> {
        let wanted = first.position.saturating_add(bytes_max.max(first.bytes));
        if limit <= wanted {
            return Ok(limit);
        }
        let after_first = first.position + first.bytes;
        let known = self.index(at_segment)?.boundary_before(wanted).max(after_first);
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let mut walk = Walk::new(&*file, known, limit);
        let mut stop = known;
        while let Some((place, _)) = walk.next().map_err(at(&path))? {
            if place.position + place.bytes > wanted {
                break;
            }
            stop = place.position + place.bytes;
        }
        Ok(stop)
    }

    /// The batch that contains `offset`, or the next one if none does.
    pub(super) fn locate(&mut self, offset: Offset) -> Result<Option<(usize, Place)>, Failed> {
        let last = self.segments.len().saturating_sub(1);
        if let Some(position) = self.recent.position(offset)
            && let Some(place) = self.find_from(last, position, offset)?
        {
            return Ok(Some((last, place)));
        }
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        for at_segment in after.saturating_sub(1)..self.segments.len() {
            let delta = self.segments[at_segment].delta(offset);
            let position = match delta {
                Some(delta) => self.index(at_segment)?.position_before(delta),
                // Below the base: after a gap. Above what a segment can hold: there is nothing.
                None if offset < self.segments[at_segment].base => 0,
                None => continue,
            };
            if let Some(place) = self.find_from(at_segment, position, offset)? {
                return Ok(Some((at_segment, place)));
            }
        }
        Ok(None)
    }

    /// The first batch at or behind `position` that reaches `offset`.
    fn find_from(
        &mut self,
        at_segment: usize,
        position: u32,
        offset: Offset,
    ) -> Result<Option<Place>, Failed> {
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let end = self.segments[at_segment].bytes;
        let mut walk = Walk::new(&*file, position, end);
        loop {
            while let Some((place, batch)) = walk.next().map_err(at(&path))? {
                if batch.last_offset() >= offset {
                    return Ok(Some(place));
                }
            }
            let stopped = walk.position();
            // No batch is there; the index may know of one behind it.
            let next = match stopped < end {
                true => self.index(at_segment)?.position_behind(stopped),
                false => None,
            };
            let Some(next) = next.filter(|next| *next < end) else { return Ok(None) };
            walk = Walk::new(&*file, next, end);
        }
    }

    /// A segment's file, opened if need be; then only few others stay open.
    pub(super) fn load_file(&mut self, at_segment: usize) -> Result<Arc<D::File>, Failed> {
        let base = self.segments[at_segment].base;
        if let Some(file) = &self.segments[at_segment].file {
            return Ok(Arc::clone(file));
        }
        self.reading.push(base);
        self.drop_idle_files();
        let path = self.files.path(Kind::Log, base);
        let file = self.files.open(&path, Open::Existing)?;
        self.segments[at_segment].file = Some(Arc::clone(&file));
        Ok(file)
    }

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
                None => self.rebuild_index(at_segment)?,
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

    /// From the batches' headers.
    fn rebuild_index(&mut self, at_segment: usize) -> Result<(), Failed> {
        let file = self.load_file(at_segment)?;
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let interval_bytes = self.settings.index_interval_bytes;
        let segment = &mut self.segments[at_segment];
        let (bytes, synced) = (segment.bytes, segment.synced);
        let mut walk = Walk::new(&*file, 0, bytes);
        let mut fresh = Segment::new(segment.base, Arc::clone(&file), segment.born);
        while let Some((place, batch)) = walk.next().map_err(at(&path))? {
            if fresh.delta(batch.last_offset()).is_none() {
                break;
            }
            fresh.note(&batch, place.bytes, interval_bytes);
        }
        fresh.finish_index();
        (fresh.bytes, fresh.synced, fresh.modified) = (bytes, synced, segment.modified);
        *segment = fresh;
        // A full disk must not stop reading: what is in memory serves, and is made again next time.
        let _ = self.save_index(at_segment);
        Ok(())
    }

    /// The largest time of every segment becomes known.
    pub(super) fn load_times(&mut self) -> Result<(), Failed> {
        for at_segment in 0..self.segments.len() {
            if self.segments[at_segment].times.largest == Largest::Unknown {
                let last = self.index(at_segment)?.times.last().copied();
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
            let index = self.index(at_segment)?;
            let position = index.position_before(index.delta_before(time));
            if let Some(found) = self.find_time(at_segment, position, time)? {
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
        let position = self.index(at_segment)?.position_before(entry.delta);
        Ok(self.find_time(at_segment, position, entry.timestamp)?)
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

    /// The first record from `position` on that is readable and not older than `time`.
    fn find_time(
        &mut self,
        at_segment: usize,
        position: u32,
        time: Timestamp,
    ) -> Result<Option<Found>, Failed> {
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let mut walk = Walk::new(&*file, position, self.segments[at_segment].bytes);
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
