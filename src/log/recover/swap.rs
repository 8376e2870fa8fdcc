//! A compaction that was cut off, by kaw or Apache Kafka: taken back, or finished
//! (LogLoader.removeTempFilesAndCollectSwapFiles and load).
//! Never knows: what is in the segments.

use super::super::facts::OpenError;
use super::super::files::{Failed, Kind, Stage, at};
use super::super::walk::Walk;
use super::super::{Disk, Listed, Log, Open};
use crate::record::Offset;

impl<D: Disk> Log<D> {
    /// Whether the directory was changed.
    pub(super) fn finish_compaction(&self, listed: &[Listed]) -> Result<bool, OpenError> {
        let staged = |stage: Stage| listed.iter().filter_map(move |file| stage.parse(&file.name));
        let unfinished = staged(Stage::Cleaned).map(|(_, base)| base).min();
        let counts = |base: Offset| {
            unfinished.is_none_or(|unfinished| base < unfinished) && !self.is_hollow(base, listed)
        };
        // What is not all called `.swap` counts for nothing, and must not seem to once the files
        // that say so are gone.
        let (swaps, undone): (Vec<_>, Vec<_>) =
            staged(Stage::Swap).partition(|(_, base)| counts(*base));
        for (kind, base) in undone {
            self.files.remove(&self.files.staged(kind, base, Stage::Swap))?;
        }
        for (kind, base) in staged(Stage::Cleaned) {
            self.files.remove(&self.files.staged(kind, base, Stage::Cleaned))?;
        }
        if swaps.is_empty() {
            return Ok(unfinished.is_some());
        }
        for (_, base) in swaps.iter().filter(|(kind, _)| *kind == Kind::Log) {
            self.remove_replaced(*base, listed)?;
        }
        // Logs first: the files beside them are finished by whoever finds them.
        let (logs, others): (Vec<_>, Vec<_>) =
            swaps.into_iter().partition(|(kind, _)| *kind == Kind::Log);
        for (kind, base) in logs.into_iter().chain(others) {
            let from = self.files.staged(kind, base, Stage::Swap);
            self.files.rename(&from, &self.files.path(kind, base))?;
        }
        self.files.disk.sync_dir(&self.files.dir).map_err(at(&self.files.dir))?;
        Ok(true)
    }

    /// Apache may leave nothing of a segment. What that was made of is more than nothing: while it
    /// is there, nobody needs to believe an empty file.
    fn is_hollow(&self, base: Offset, listed: &[Listed]) -> bool {
        let is_empty = |file: &Listed| {
            file.bytes == 0 && Stage::Swap.parse(&file.name) == Some((Kind::Log, base))
        };
        let is_old = |file: &Listed| Kind::parse(&file.name) == Some((Kind::Log, base));
        listed.iter().any(is_empty) && listed.iter().any(is_old)
    }

    /// The segments whose place is taken by the one that is called `.swap`.
    fn remove_replaced(&self, base: Offset, listed: &[Listed]) -> Result<(), OpenError> {
        let end = self.end_of_swap(base)?;
        for file in listed {
            // Snapshots of producers are as good as they were.
            if let Some((kind, offset)) = Kind::parse(&file.name)
                && kind != Kind::Snapshot
                && (base..end).contains(&offset)
            {
                self.files.remove(&self.files.named(&file.name))?;
            }
        }
        Ok(())
    }

    /// The offset behind its last batch. The file was durable before it got its name.
    fn end_of_swap(&self, base: Offset) -> Result<Offset, OpenError> {
        let path = self.files.staged(Kind::Log, base, Stage::Swap);
        let file = self.files.open(&path, Open::Existing)?;
        let read = || -> Result<Option<Offset>, Failed> {
            let bytes = super::super::DiskFile::len(&*file).map_err(at(&path))?;
            let Ok(bytes) = u32::try_from(bytes) else { return Ok(None) };
            let mut walk = Walk::new(&*file, 0, bytes);
            let mut end = Offset(base.get().saturating_add(1));
            while let Some((_, batch)) = walk.next().map_err(at(&path))? {
                end = end.max(batch.next_offset());
            }
            Ok((walk.position() == bytes).then_some(end))
        };
        let end = read()?;
        end.ok_or(OpenError::DamagedCompaction { path })
    }
}
