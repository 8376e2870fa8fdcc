//! Making bytes durable, apart from the log and its lock.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::Files;
use super::{Disk, DiskFile, text};
use crate::record::Offset;

/// One growing file, as long as it was when the target was made.
pub(super) struct Grown<F> {
    pub base: Offset,
    pub bytes: u32,
    pub file: Arc<F>,
}

/// Files whose bytes are to be made durable, without any lock.
pub struct SyncTarget<D: Disk> {
    pub(super) files: Files<D>,
    /// `partition.metadata`, before any data: without it Apache Kafka takes the directory for one
    /// of a topic that is gone.
    pub(super) metadata: Option<Arc<D::File>>,
    pub(super) grown: Vec<Grown<D::File>>,
    /// New names in the log's directory, by the count of all so far.
    pub(super) names: Option<u64>,
    /// The directory itself is new.
    pub(super) new_dir: bool,
    pub(super) end: Offset,
}

impl<D: Disk> SyncTarget<D> {
    /// Up to here the log is durable once `run` succeeded. Exclusive.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Syncs: one file of a warm log, at most two files and two directories of a new one. Blocks
    /// as long as the disk does.
    pub fn run(&self) -> io::Result<()> {
        self.metadata.iter().try_for_each(|file| file.sync())?;
        self.grown.iter().try_for_each(|grown| grown.file.sync())?;
        if self.names.is_some() {
            self.files.disk.sync_dir(&self.files.dir)?;
        }
        match self.files.dir.parent() {
            Some(parent) if self.new_dir => self.files.disk.sync_dir(parent),
            _ => Ok(()),
        }
    }
}

/// A checkpoint to be made durable, without the log's lock. It bounds what recovery reads.
pub struct Checkpoint<D: Disk> {
    pub(super) target: SyncTarget<D>,
    /// Files of indexes and snapshots that the checkpoint relies on.
    pub(super) beside: Vec<Arc<D::File>>,
    /// Small files that are replaced whole, in order; the checkpoint itself comes last.
    pub(super) replaced: Vec<(PathBuf, Vec<u8>)>,
    /// What recovery no longer has to read.
    pub(super) covers_bytes: u64,
    pub(super) segment: Option<Offset>,
}

impl<D: Disk> Checkpoint<D> {
    /// Syncs what the checkpoint speaks of, then writes and syncs it.
    pub fn run(&self) -> io::Result<()> {
        if self.replaced.is_empty() {
            return Ok(());
        }
        self.target.run()?;
        self.beside.iter().try_for_each(|file| file.sync())?;
        let disk = &self.target.files.disk;
        self.replaced.iter().try_for_each(|(path, bytes)| text::replace(disk, path, bytes))?;
        // The checkpoint is the one under its name only now.
        disk.sync_dir(&self.target.files.dir)
    }
}
