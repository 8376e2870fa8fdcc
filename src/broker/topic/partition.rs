//! One partition: its log, opened when first needed, who waits for it, and what is durable of it.
//! Never knows: requests, the catalogue, other partitions.
//!
//! What is done with the log is in files of its own, `open`, `read`, `remove` and `durable`;
//! `shared` is what the partitions of a topic have in common.

mod durable;
mod open;
mod read;
mod remove;
mod shared;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use super::broken::Broken;
use super::commit::GroupCommit;
use super::directory::{self, Checkpoints};
use super::transactions::Unended;
use super::waiters::Waiters;
use crate::log::{self, AppendError, Appended, Known, Log, PartitionOffset, RealDisk};
use crate::record::{BatchView, LeaderEpoch, Offset, PartitionId, Times, Timestamp};
pub use read::{Batches, Extent, Read, Reader};
pub use remove::{Trimmed, Untrimmed};
pub use shared::TopicCore;

/// What the files at the top of the data directory say of a partition that nobody used yet. It is
/// carried over from checkpoint to checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asleep {
    /// Whether there is a directory.
    pub on_disk: bool,
    pub known: Known,
    pub high_watermark: Option<Offset>,
}

/// Why a partition cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Its topic was deleted, or the broker is leaving.
    Gone,
    /// Its log cannot be opened; why has been said.
    Broken,
}

enum State {
    Asleep(Asleep),
    Open(Box<Log<RealDisk>>),
    /// The topic was deleted, or the broker is leaving.
    Closed,
}

/// Files that closed segments of one log may hold open.
pub const FILES_UNCHECKED_MAX: usize = 32;

/// Tries to take a log's lock, and pauses of the processor between two: some 30 µs in all.
const TRIES_MAX: u32 = 20;
const PAUSES: u32 = 32;

pub struct Partition {
    pub core: Arc<TopicCore>,
    pub id: PartitionId,
    leader_epoch: AtomicI32,
    state: Mutex<State>,
    /// Locked with the state alone.
    broken: Mutex<Broken>,
    /// Transactions that are yet to be ended. Locked before the state.
    unended: Mutex<Unended>,
    /// It was not tried yet to end those that the log had when it was opened. Set with the state.
    is_undecided: AtomicBool,
    /// Something was missing in it when it was opened.
    is_not_whole: AtomicBool,
    /// One checkpoint at a time.
    checkpointing: Mutex<()>,
    /// A batch cannot be read: compaction would only find it again.
    not_compactable: AtomicBool,
    commit: GroupCommit,
    waiters: Waiters,
}

impl AsRef<Waiters> for Partition {
    fn as_ref(&self) -> &Waiters {
        &self.waiters
    }
}

impl Partition {
    pub fn new(
        core: Arc<TopicCore>,
        id: PartitionId,
        leader_epoch: LeaderEpoch,
        asleep: Asleep,
    ) -> Partition {
        Partition {
            core,
            id,
            leader_epoch: AtomicI32::new(leader_epoch.get()),
            state: Mutex::new(State::Asleep(asleep)),
            broken: Mutex::default(),
            unended: Mutex::default(),
            is_undecided: AtomicBool::new(false),
            is_not_whole: AtomicBool::new(false),
            checkpointing: Mutex::default(),
            not_compactable: AtomicBool::new(false),
            commit: GroupCommit::default(),
            waiters: Waiters::default(),
        }
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub fn dir(&self) -> PathBuf {
        self.core.data_dir.join(format!("{}-{}", self.core.name, self.id))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, where it is free or soon will be: who appends holds it for microseconds, and to
    /// hand a worker over costs more than that.
    fn lock_soon(&self) -> Option<MutexGuard<'_, State>> {
        for _ in 0..TRIES_MAX {
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                Err(TryLockError::Poisoned(error)) => return Some(error.into_inner()),
                Err(TryLockError::WouldBlock) => (0..PAUSES).for_each(|_| std::hint::spin_loop()),
            }
        }
        None
    }

    /// Does something with the log, which is opened for it where it is not yet.
    fn with<R>(&self, act: impl FnOnce(&mut Log<RealDisk>) -> R) -> Result<R, Unusable> {
        match &mut *self.ready()? {
            State::Open(log) => Ok(act(log)),
            _ => Err(Unusable::Gone),
        }
    }

    /// The log, opened, its transactions ended.
    fn ready(&self) -> Result<MutexGuard<'_, State>, Unusable> {
        loop {
            // A few clients of one log, which may be slow to open or on a slow disk, must not take
            // every worker from all the others.
            let state = self.lock_soon();
            let mut state = state.unwrap_or_else(|| tokio::task::block_in_place(|| self.lock()));
            if let State::Asleep(asleep) = *state {
                *state = State::Open(Box::new(self.wake(asleep.known)?));
            }
            if !self.is_undecided.load(Ordering::Acquire) {
                return Ok(state);
            }
            drop(state);
            tokio::task::block_in_place(|| self.decide());
        }
    }

    /// Takes a batch, and wakes those who wait for it.
    pub fn append(
        &self,
        batch: &BatchView<'_>,
        times: Times,
        now: Timestamp,
    ) -> Result<Result<(Appended, Offset), AppendError>, Unusable> {
        let appended = self.with(|log| {
            let stamp = log::Stamp { leader_epoch: self.leader_epoch(), now, times };
            let appended = log.append(batch, stamp)?;
            assert!(log.start() <= log.end(), "a log begins before it ends");
            Ok((appended, log.start(), FILES_UNCHECKED_MAX < log.files_unchecked()))
        })?;
        let appended = appended.map(|(appended, start, is_much_open)| {
            self.waiters.wake();
            if is_much_open {
                self.let_files_go();
            }
            (appended, start)
        });
        Ok(appended)
    }

    /// What the records take on disk, also where nobody has used the log yet.
    pub fn bytes_on_disk(&self) -> u64 {
        let asleep = match &*self.lock() {
            State::Open(log) => return log.bytes(),
            State::Asleep(asleep) => asleep.on_disk,
            State::Closed => false,
        };
        if asleep { directory::segment_bytes(&self.dir()) } else { 0 }
    }

    /// The topic's configs have changed: the log goes by the new ones from now on.
    pub fn reconfigure(&self) {
        self.if_open(|log| log.configure(self.core.log_settings()));
    }

    /// Asks the log something that reads or changes nothing else.
    pub fn ask<R>(&self, act: impl FnOnce(&mut Log<RealDisk>) -> R) -> Result<R, Unusable> {
        self.with(act)
    }

    /// The log's end, if it lies before `offset`. The log is opened only where the checkpoints of
    /// the data directory do not tell.
    pub fn end_before(&self, offset: Offset) -> Result<Option<Offset>, Unusable> {
        if let State::Asleep(asleep) = &*self.lock()
            && asleep.known.recovery_point.is_some_and(|durable| offset <= durable)
        {
            return Ok(None);
        }
        self.with(|log| Some(log.end()).filter(|end| *end < offset))
    }

    /// The log, if it is in use.
    pub fn if_open<R>(&self, act: impl FnOnce(&mut Log<RealDisk>) -> R) -> Option<R> {
        match &mut *self.lock() {
            State::Open(log) => Some(act(log)),
            State::Asleep(_) | State::Closed => None,
        }
    }

    /// Opens the log if it lies on disk and nobody used it yet.
    pub fn wake_if_on_disk(&self) -> Result<(), Unusable> {
        let asleep = matches!(&*self.lock(), State::Asleep(asleep) if asleep.on_disk);
        if asleep { self.with(|_| ()) } else { Ok(()) }
    }

    /// Opens the log if there ever was one: what is gone of it is told of then.
    pub fn wake_if_known(&self) -> Result<(), Unusable> {
        let is_known = |asleep: &Asleep| asleep.on_disk || asleep.known.recovery_point.is_some();
        let asleep = matches!(&*self.lock(), State::Asleep(asleep) if is_known(asleep));
        if asleep { self.with(|_| ()) } else { Ok(()) }
    }

    /// Opens the log if it lies on disk, when the broker leaves: one that could not be opened is
    /// not waited for.
    pub fn wake_at_last(&self) -> Result<(), Unusable> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).try_now(Instant::now());
        self.wake_if_on_disk()
    }

    /// Adds its line to the checkpoints; what was known of a log that nobody used is carried over.
    pub fn report(&self, to: &mut Checkpoints) {
        let (known, high_watermark) = match &*self.lock() {
            State::Asleep(asleep) if asleep.on_disk || asleep.known != Known::default() => {
                (asleep.known, asleep.high_watermark)
            }
            State::Open(log) if Offset::ZERO < log.end() => (log.known(), Some(log.end())),
            _ => return,
        };
        let line = |offset| PartitionOffset {
            topic: self.core.name.to_string(),
            partition: self.id,
            offset,
        };
        to.recovery_points.extend(known.recovery_point.map(line));
        to.log_starts.extend(known.log_start.map(line));
        to.compacted.extend(known.compacted.map(line));
        to.high_watermarks.extend(high_watermark.map(line));
    }

    /// Until the broker is started anew.
    pub fn give_up_compaction(&self) {
        self.not_compactable.store(true, Ordering::Relaxed);
    }

    pub fn may_be_compacted(&self) -> bool {
        !self.not_compactable.load(Ordering::Relaxed)
    }

    /// Whether nothing was missing in the log when it was opened.
    pub fn was_whole(&self) -> bool {
        !self.is_not_whole.load(Ordering::Relaxed)
    }

    /// Whether the log was taken away.
    pub fn is_gone(&self) -> bool {
        matches!(&*self.lock(), State::Closed)
    }

    /// Takes the log away: for its clean end, or because the topic is gone.
    pub fn close(&self) -> Option<Box<Log<RealDisk>>> {
        let _alone = self.alone();
        let taken = match std::mem::replace(&mut *self.lock(), State::Closed) {
            State::Open(log) => Some(log),
            State::Asleep(_) | State::Closed => None,
        };
        self.waiters.wake();
        taken
    }
}

/// The wall clock. Below `broker`, time is an argument.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
