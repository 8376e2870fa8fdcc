//! Finding batches by their offsets, for fetches.
//! Never knows: what is in them.

use std::io;
use std::sync::Arc;

use super::facts::{ReadError, Slice};
use super::files::{Failed, Kind, at};
use super::index::Index;
use super::walk::{Place, Walk, no_batch_at};
use super::{Disk, Log, Open};
use crate::record::Offset;

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

    pub(super) fn position(&self, offset: Offset) -> Option<u32> {
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
    /// Says which one is no longer among them.
    fn push(&mut self, base: Offset) -> Option<Offset> {
        if self.contains(base) {
            return None;
        }
        let before = self.bases[self.next].replace(base);
        self.next = (self.next + 1) % self.bases.len();
        before
    }

    pub(super) fn contains(&self, base: Offset) -> bool {
        self.bases.contains(&Some(base))
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
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let near = |index: &Index| {
            index.boundary_before(wanted).filter(|entry| after_first < entry.position)
        };
        // What comes before damage can be read.
        let walk = self.walk_from(at_segment, &*file, after_first..limit, near);
        let mut walk = walk.unwrap_or_else(|_| Walk::new(&*file, after_first, limit));
        let mut stop = walk.position();
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
        if let Some(position) = self.recent.position(offset) {
            let file = self.load_file(last)?;
            let mut walk = Walk::new(&*file, position, self.segments[last].bytes);
            let found = walk.reach(offset).map_err(|error| self.of_log(last, error))?;
            if let Some((place, _)) = found {
                return Ok(Some((last, place)));
            }
        }
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        for at_segment in after.saturating_sub(1)..self.segments.len() {
            let segment = &self.segments[at_segment];
            let (base, delta, span) = (segment.base, segment.delta(offset), 0..segment.bytes);
            let file = self.load_file(at_segment)?;
            let mut walk = match delta {
                Some(delta) => {
                    let before = |index: &Index| index.entry_before(delta);
                    self.walk_from(at_segment, &*file, span, before)?
                }
                // Below the base: after a gap. Above what a segment can hold: there is nothing.
                None if offset < base => Walk::new(&*file, span.start, span.end),
                None => continue,
            };
            if let Some((place, last)) = self.reach(at_segment, &*file, &mut walk, offset)? {
                let limit = self.segments.get(at_segment + 1).map_or(self.end, |next| next.base);
                if limit <= last {
                    return Err(self.of_log(at_segment, no_batch_at(place.position)));
                }
                return Ok(Some((at_segment, place)));
            }
        }
        Ok(None)
    }

    /// The first batch from `walk` on that reaches `offset`, beyond what is none.
    fn reach<'f>(
        &mut self,
        at_segment: usize,
        file: &'f D::File,
        walk: &mut Walk<'f, D::File>,
        offset: Offset,
    ) -> Result<Option<(Place, Offset)>, Failed> {
        loop {
            let error = match walk.reach(offset) {
                Ok(found) => return Ok(found),
                Err(error) => self.of_log(at_segment, error),
            };
            if error.error.kind() != io::ErrorKind::InvalidData {
                return Err(error);
            }
            let (path, error) = (error.path.display(), error.error);
            tracing::error!(file = %path, %error, "readers go on behind it");
            let end = self.segments[at_segment].bytes;
            let next = self.index(at_segment)?.position_behind(walk.position());
            let Some(next) = next.filter(|next| *next < end) else { return Ok(None) };
            *walk = Walk::new(file, next, end);
        }
    }

    /// A segment's file, opened if need be; then only few others stay open.
    pub(super) fn load_file(&mut self, at_segment: usize) -> Result<Arc<D::File>, Failed> {
        let base = self.segments[at_segment].base;
        if let Some(file) = &self.segments[at_segment].file {
            return Ok(Arc::clone(file));
        }
        if let Some(before) = self.reading.push(base) {
            self.drop_idle_file(before);
        }
        let path = self.files.path(Kind::Log, base);
        let file = self.files.open(&path, Open::Existing)?;
        self.segments[at_segment].file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Closed segments that are durable are opened again when somebody reads them.
    pub(super) fn drop_idle_files(&mut self) {
        let Some((_, closed)) = self.segments.split_last_mut() else { return };
        for segment in closed {
            if !self.reading.contains(segment.base) {
                segment.let_go();
            }
        }
    }

    /// The same of one that was read until now.
    fn drop_idle_file(&mut self, base: Offset) {
        let Some((_, closed)) = self.segments.split_last_mut() else { return };
        if let Ok(found) = closed.binary_search_by_key(&base, |segment| segment.base) {
            closed[found].let_go();
        }
    }
}
