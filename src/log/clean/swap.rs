//! New segments in the place of old ones, so that a crash at any point leaves the one or the other,
//! by the rules of Apache's LogLoader: what is called `.cleaned` counts for nothing; once all of a
//! segment is called `.swap`, it counts and what it replaces does not.
//! Never knows: what is in them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::super::facts::CompactError;
use super::super::files::{Failed, Files, Kind, Stage};
use super::super::{Disk, Log};
use super::Source;
use super::rewrite::Written;
use crate::record::Offset;

/// The files of a segment, the last one first to get a name that counts for nothing, and the first
/// one first to get its final name: an index without its log is finished by whoever finds it.
const KINDS: [Kind; 4] = [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex];

/// A segment that is durable and may take the place of others.
pub struct Cleaned<D: Disk> {
    files: Files<D>,
    sources: Vec<Source>,
    written: Written<D>,
}

/// What was put in place, to be made durable without the log's lock. The files that were replaced
/// are given back to the disk when this goes: that takes time.
pub struct Swapped<D: Disk> {
    files: Files<D>,
    _replaced: Vec<Arc<D::File>>,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

impl<D: Disk> Cleaned<D> {
    pub(super) fn new(files: &Files<D>, sources: &[Source], written: Written<D>) -> Cleaned<D> {
        Cleaned { files: files.clone(), sources: sources.to_vec(), written }
    }

    fn base(&self) -> Offset {
        self.sources[0].base
    }

    fn kinds(&self) -> impl DoubleEndedIterator<Item = Kind> + use<D> {
        let has_aborted = !self.written.aborted.is_empty();
        KINDS.into_iter().filter(move |kind| has_aborted || *kind != Kind::TransactionIndex)
    }

    /// From here on the new segment counts, whatever happens.
    fn commit(&self) -> Result<(), Failed> {
        self.kinds().rev().try_for_each(|kind| {
            let from = self.files.staged(kind, self.base(), Stage::Cleaned);
            self.files.rename(&from, &self.files.staged(kind, self.base(), Stage::Swap))
        })
    }

    /// As recovery would go on (`recover/swap.rs`).
    fn put_in_place(&self) -> Result<(), Failed> {
        for source in &self.sources {
            for kind in KINDS {
                self.files.remove(&self.files.path(kind, source.base))?;
            }
        }
        self.kinds().try_for_each(|kind| {
            let from = self.files.staged(kind, self.base(), Stage::Swap);
            self.files.rename(&from, &self.files.path(kind, self.base()))
        })
    }
}

impl<D: Disk> Log<D> {
    /// Puts a new segment in the place of those that it was made of, unless some of them are gone.
    /// A failure in the middle of it stops all appends until the log is opened again, which goes on
    /// with it.
    pub fn swap(&mut self, cleaned: Cleaned<D>) -> Result<Swapped<D>, CompactError> {
        let Some(place) = self.place_of(&cleaned.sources).filter(|_| self.may_remove()) else {
            forget(&cleaned.files, cleaned.base())?;
            return Err(CompactError::Overtaken);
        };
        if let Err(failed) = cleaned.commit() {
            let _ = forget(&cleaned.files, cleaned.base());
            return Err(failed.into());
        }
        let open = |source: &Source| {
            let path = self.files.path(Kind::Log, source.base);
            self.files.open(&path, super::super::Open::Existing).ok()
        };
        let replaced = cleaned.sources.iter().filter_map(open).collect();
        let in_place = cleaned.put_in_place();
        let swapped = Swapped {
            files: cleaned.files.clone(),
            _replaced: replaced,
            bytes_before: cleaned.sources.iter().map(|source| u64::from(source.bytes)).sum(),
            bytes_after: cleaned.written.segment.bytes.into(),
        };
        self.adopt(place, cleaned, in_place.is_ok());
        in_place?;
        Ok(swapped)
    }

    /// Where these closed segments are, if they are what they were.
    fn place_of(&self, sources: &[Source]) -> Option<Range<usize>> {
        let first = self.segments.iter().position(|segment| segment.base == sources[0].base)?;
        let place = first..first + sources.len();
        let (_, closed) = self.segments.split_last()?;
        let same =
            closed.get(place.clone())?.iter().zip(sources).all(|(segment, source)| {
                segment.base == source.base && segment.bytes == source.bytes
            });
        same.then_some(place)
    }

    fn adopt(&mut self, place: Range<usize>, cleaned: Cleaned<D>, is_in_place: bool) {
        let Written { mut segment, aborted } = cleaned.written;
        let base = segment.base;
        if !is_in_place {
            // It is not under its name: it can be read only as long as it is open.
            segment.synced = 0;
            self.syncing.fail();
        }
        self.segments.splice(place, [segment]);
        for source in &cleaned.sources {
            self.aborted.remove(&source.base);
        }
        if !aborted.is_empty() {
            self.aborted.insert(base, aborted);
        }
        self.drop_idle_files();
    }
}

impl<D: Disk> Swapped<D> {
    /// A later step may rest on it once this has returned.
    pub fn sync(&self) -> io::Result<()> {
        self.files.disk.sync_dir(&self.files.dir)
    }
}

/// Removes what has no place yet. What counts already goes first.
pub(super) fn forget<D: Disk>(files: &Files<D>, base: Offset) -> Result<(), Failed> {
    let stages = [Stage::Swap, Stage::Cleaned];
    let staged = stages.into_iter().flat_map(|stage| KINDS.map(|kind| (stage, kind)));
    staged.into_iter().try_for_each(|(stage, kind)| files.remove(&files.staged(kind, base, stage)))
}

impl From<Failed> for CompactError {
    fn from(Failed { path, error }: Failed) -> CompactError {
        match error.kind() {
            // Its directory was renamed, or a segment removed.
            io::ErrorKind::NotFound => CompactError::Overtaken,
            _ => CompactError::Disk { path, error },
        }
    }
}
