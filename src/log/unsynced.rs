//! What of the log is not durable yet: what an ack waits for, and checkpoints up to the last one.
//! Never knows: how syncing goes, which needs no lock (`sync`).

use std::io;
use std::sync::Arc;

use super::saved::{self, Saved};
use super::segment::Segment;
use super::sync::Grown;
use super::{AppendError, Checkpoint, Disk, EPOCHS, Log, SyncTarget, Unchecked};
use crate::record::{Offset, Timestamp};

/// What is not durable yet, beside the segments' bytes.
pub(super) struct Unsynced<F> {
    /// `partition.metadata`, which is not kept open: a broker may have ten thousand logs.
    pub metadata: bool,
    /// How many names the log made in its directory, and how many of them are durable.
    pub names: u64,
    pub names_synced: u64,
    pub new_dir: bool,
    /// Indexes and snapshots, which the next checkpoint relies on.
    pub beside: Vec<Arc<F>>,
}

impl<D: Disk> Log<D> {
    /// What must be synced so that all that was appended so far is durable. `None`: it is.
    pub fn sync_target(&self) -> Option<SyncTarget<D>> {
        let target = self.everything_unsynced();
        let nothing = target.grown.is_empty() && !target.metadata && !target.new_dir;
        // Names alone (of indexes, snapshots) are the checkpoint's, but a segment's counts.
        (!nothing).then_some(target)
    }

    fn everything_unsynced(&self) -> SyncTarget<D> {
        let grown: Vec<_> = self.segments.iter().filter_map(grown).collect();
        let names = self.unsynced.names;
        SyncTarget {
            files: self.files.clone(),
            metadata: self.unsynced.metadata,
            grown,
            names: (names != self.unsynced.names_synced).then_some(names),
            new_dir: self.unsynced.new_dir,
            end: self.end,
            syncing: Arc::clone(&self.syncing),
        }
    }

    /// `target` was synced.
    pub fn synced(&mut self, target: &SyncTarget<D>) {
        for Grown { base, bytes, .. } in &target.grown {
            // It may have been removed meanwhile.
            if let Ok(found) = self.segments.binary_search_by_key(base, |segment| segment.base) {
                let segment = &mut self.segments[found];
                // Compaction may have made it smaller.
                segment.synced = segment.synced.max(*bytes).min(segment.bytes);
            }
        }
        self.unsynced.metadata &= !target.metadata;
        self.unsynced.new_dir &= !target.new_dir;
        self.unsynced.names_synced = self.unsynced.names_synced.max(target.names.unwrap_or(0));
        self.drop_idle_files();
    }

    /// What recovery would have to read after a crash, if anything. After a failed sync no
    /// checkpoint can change that.
    pub fn unchecked(&self) -> Option<Unchecked> {
        let last = self.segments.last()?;
        let any = 0 < self.unchecked_bytes && !self.syncing.has_failed();
        any.then_some(Unchecked {
            bytes: self.unchecked_bytes,
            since: self.unchecked_since,
            has_rolled: self.recovery_point < last.base,
        })
    }

    /// Files beside the log's own that stay open until a checkpoint has synced them: some for each
    /// segment that was closed since the last one.
    pub fn files_unchecked(&self) -> usize {
        self.unsynced.beside.len()
    }

    /// A checkpoint of the log as it is now. One at a time a log.
    pub fn checkpoint(&mut self) -> io::Result<Checkpoint<D>> {
        if self.syncing.has_failed() {
            return Err(io::Error::other(AppendError::Poisoned));
        }
        if let Some(last) = self.segments.len().checked_sub(1) {
            self.save_index(last).map_err(|failed| failed.error)?;
        }
        // A log without a segment has no directory, and nothing to remember.
        let saved = self.saved().map(|saved| {
            let epochs = (self.files.named(EPOCHS), self.epochs.file());
            let saved = (self.files.named(saved::NAME), saved.encode());
            // Recovery finds aborted transactions again only behind the checkpoint.
            self.aborted_files().chain([epochs, saved]).collect()
        });
        Ok(Checkpoint {
            target: self.everything_unsynced(),
            beside: self.unsynced.beside.clone(),
            replaced: saved.unwrap_or_default(),
            aborted: self
                .aborted_unsaved
                .iter()
                .map(|base| (*base, self.aborted_in(*base)))
                .collect(),
            covers_bytes: self.unchecked_bytes,
            segment: self.segments.last().map(|segment| segment.base),
            start: self.start,
        })
    }

    fn saved(&self) -> Option<Saved> {
        let last = self.segments.last()?;
        let index_entries = (u32::try_from(last.saved.0).ok()?, u32::try_from(last.saved.1).ok()?);
        Some(Saved {
            segment: last.base,
            position: last.bytes,
            end: self.end,
            start: Some(self.start),
            last_position: self.last_batch.0,
            last_crc: self.last_batch.1,
            index_entries,
            since_entry_bytes: last.since_entry_bytes,
            largest: last.times.largest,
            epochs: self.epochs.clone(),
            producers: self.producers.clone(),
        })
    }

    /// `checkpoint` ran: what it covers is durable.
    pub fn checkpointed(&mut self, checkpoint: &Checkpoint<D>) {
        self.unsynced.beside.drain(..checkpoint.beside.len());
        let saved = &checkpoint.aborted;
        let mut unsaved = std::mem::take(&mut self.aborted_unsaved);
        unsaved.retain(|base| saved.get(base) != Some(&self.aborted_in(*base)));
        self.aborted_unsaved = unsaved;
        self.unchecked_bytes -= checkpoint.covers_bytes;
        // What came meanwhile is no older than the checkpoint, and no younger than the last of it.
        self.unchecked_since = self.segments.last().map_or(Timestamp(0), |last| last.modified);
        self.checkpoint_segment = checkpoint.segment;
        self.start_saved = checkpoint.start;
        self.recovery_point = checkpoint.segment.unwrap_or(self.recovery_point);
        self.synced(&checkpoint.target);
    }

    /// Writes indexes, producer snapshot, leader epochs and checkpoint, and syncs everything.
    /// Only when every log of a data directory was closed, and those never opened were clean at
    /// start, may `.kafka_cleanshutdown` be written.
    pub fn close(self, now: Timestamp) -> io::Result<()> {
        self.finish(now)?.map_or(Ok(()), |checkpoint| checkpoint.run())
    }

    /// `close` but for the checkpoint, which is still to be run. `None`: nothing has changed.
    pub fn finish(mut self, now: Timestamp) -> io::Result<Option<Checkpoint<D>>> {
        self.mend().map_err(io::Error::other)?;
        if !self.changed || self.segments.is_empty() {
            return Ok(None);
        }
        self.producers.expire(now, &self.settings);
        self.finish_last_segment().map_err(|failed| failed.error)?;
        if self.end > Offset::ZERO {
            self.write_snapshot().map_err(|failed| failed.error)?;
        }
        self.checkpoint().map(Some)
    }
}

fn grown<F>(segment: &Segment<F>) -> Option<Grown<F>> {
    let file = segment.file.as_ref().filter(|_| segment.synced < segment.bytes)?;
    Some(Grown { base: segment.base, bytes: segment.bytes, file: Arc::clone(file) })
}
