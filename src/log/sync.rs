//! Making bytes durable, apart from the log and its lock.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::files::Files;
use super::{AppendError, Disk, DiskFile, METADATA, Open, recover, text};
use crate::record::Offset;

/// One growing file, as long as it was when the target was made.
pub(super) struct Grown<F> {
    pub base: Offset,
    pub bytes: u32,
    pub file: Arc<F>,
}

/// The syncs of one log, one at a time. The kernel tells of a failed write once, to whoever syncs
/// first, and has no more to say to the next: so the first failure is remembered for all.
#[derive(Default)]
pub(super) struct Syncing {
    turn: Mutex<()>,
    failed: AtomicBool,
}

impl Syncing {
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// What is on the disk is no longer what the log believes.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    fn run(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_failed() {
            return Err(io::Error::other(AppendError::Poisoned));
        }
        sync().inspect_err(|error| {
            if !was_not_opened(error) {
                self.fail();
            }
        })
    }
}

/// Whether a file or directory could not even be opened, for want of descriptors or because the log
/// was deleted: no sync failed then, for fsync(2) has none of these errors.
fn was_not_opened(error: &io::Error) -> bool {
    let too_many = |errno| [Errno::MFILE, Errno::NFILE].contains(&errno);
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error).is_some_and(too_many)
}

/// Files whose bytes are to be made durable, without the log's lock.
pub struct SyncTarget<D: Disk> {
    pub(super) files: Files<D>,
    /// `partition.metadata`, before any data: without it Apache Kafka takes the directory for one
    /// of a topic that is gone.
    pub(super) metadata: bool,
    pub(super) grown: Vec<Grown<D::File>>,
    /// New names in the log's directory, by the count of all so far.
    pub(super) names: Option<u64>,
    /// The directory itself is new.
    pub(super) new_dir: bool,
    pub(super) end: Offset,
    pub(super) syncing: Arc<Syncing>,
}

impl<D: Disk> SyncTarget<D> {
    /// Up to here the log is durable once `run` succeeded. Exclusive.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Syncs: one file of a warm log, at most two files and two directories of a new one. Blocks
    /// as long as the disk does. After a failure, and every time after it, the log takes no more
    /// appends until it is opened again.
    pub fn run(&self) -> io::Result<()> {
        self.run_with(|| self.sync_all())
    }

    fn run_with(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        // Each time anew: the disk may not have taken the mark either when the sync failed.
        self.syncing.run(sync).inspect_err(|_| {
            if self.syncing.has_failed() {
                recover::mark(&self.files);
            }
        })
    }

    fn sync_all(&self) -> io::Result<()> {
        if self.metadata {
            let path = self.files.named(METADATA);
            self.files.disk.open(&path, Open::Existing)?.sync()?;
        }
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
    /// Of which segments the index of aborted transactions is among these, and how many it has.
    pub(super) aborted: BTreeMap<Offset, usize>,
    /// What recovery no longer has to read.
    pub(super) covers_bytes: u64,
    pub(super) segment: Option<Offset>,
    /// Where it says that the log begins.
    pub(super) start: Offset,
}

impl<D: Disk> Checkpoint<D> {
    /// Syncs what the checkpoint speaks of, then writes and syncs it.
    pub fn run(&self) -> io::Result<()> {
        if self.replaced.is_empty() {
            return Ok(());
        }
        // Nobody else syncs these, and whoever waits for an ack need not wait for them.
        let beside = self.beside.iter().try_for_each(|file| file.sync());
        self.target.run_with(|| beside.and_then(|()| self.target.sync_all()))?;
        let disk = &self.target.files.disk;
        self.replaced.iter().try_for_each(|(path, bytes)| text::replace(disk, path, bytes))?;
        // The checkpoint is the one under its name only now.
        disk.sync_dir(&self.target.files.dir)
    }
}

impl<D: Disk> Checkpoint<D> {
    /// `run` for one of many logs, whose file system is synced as a whole: once all are drafted,
    /// and again once all are put. Lets go of all files.
    pub fn draft(self) -> io::Result<Draft<D>> {
        let disk = self.target.files.disk;
        for (path, bytes) in &self.replaced {
            text::draft(&disk, path, bytes)?;
        }
        Ok(Draft { disk, paths: self.replaced.into_iter().map(|(path, _)| path).collect() })
    }
}

/// A checkpoint that is not under its name yet.
pub struct Draft<D: Disk> {
    disk: D,
    paths: Vec<PathBuf>,
}

impl<D: Disk> Draft<D> {
    /// What the checkpoint speaks of, and its draft, are durable.
    pub fn put(self) -> io::Result<()> {
        self.paths.iter().try_for_each(|path| text::put(&self.disk, path))
    }
}
