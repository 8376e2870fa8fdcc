//! One partition: its log, opened when first needed, who waits for it, and what is durable of it.
//! Never knows: requests, the catalogue, other partitions.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Instant;

use super::broken::Broken;
use super::commit::{self, GroupCommit, SyncFailed, Ticket};
use super::directory::{self, Checkpoints};
use super::topics::set_stray_aside;
use super::transactions::{self, Coordination};
use super::waiters::Waiters;
use crate::broker::config::TopicConfig;
use crate::log::{
    self, Aborted, AppendError, Appended, Known, Log, OpenError, PartitionOffset, ReadError,
    RealDisk, Removal, Removed, Retention, Trust,
};
use crate::record::{BatchView, LeaderEpoch, Offset, PartitionId, Times, Timestamp, Uuid};

/// What all partitions of a topic share.
pub struct TopicCore {
    pub name: Arc<str>,
    pub id: Uuid,
    pub data_dir: Arc<PathBuf>,
    /// Replaced as a whole when a config changes.
    pub config: RwLock<Arc<TopicConfig>>,
    /// `producer.id.expiration.ms`, of the broker.
    pub producer_expiry_ms: AtomicI64,
    /// Where it says what becomes of transactions.
    pub coordination: Arc<Coordination>,
}

impl TopicCore {
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn log_settings(&self) -> log::Settings {
        let config = self.config();
        let cleanup = match config.compact {
            Some(_) => log::Cleanup::Compact,
            None => log::Cleanup::Delete,
        };
        log::Settings {
            cleanup,
            segment_bytes: config.segment_bytes,
            segment_ms: config.segment_ms,
            index_interval_bytes: config.index_interval_bytes,
            index_bytes_max: config.segment_index_bytes,
            producer_expiry_ms: self.producer_expiry_ms.load(Ordering::Relaxed),
            ..log::Settings::default()
        }
    }
}

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

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub start: Offset,
    pub end: Offset,
    /// Before the first undecided transaction.
    pub stable_end: Offset,
}

/// Whether records of transactions that are not decided are read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    OfAll,
    OfCommitted,
}

/// What a read found.
pub struct Read {
    pub extent: Extent,
    pub batches: Result<Option<Batches>, ReadError>,
}

/// What came of deleting records.
pub struct Trimmed {
    /// Where the log begins now.
    pub start: Offset,
    pub removed: Removed,
}

/// Why records were not deleted.
pub enum Untrimmed {
    OutOfRange,
    Unusable(Unusable),
    Disk(std::io::Error),
}

pub struct Batches {
    pub slice: super::Slice,
    /// Transactions whose records in the slice count for nothing.
    pub aborted: Vec<Aborted>,
}

fn read(
    log: &mut Log<RealDisk>,
    from: Offset,
    end: Offset,
    bytes_max: u32,
    to: Reader,
) -> Result<Option<Batches>, ReadError> {
    let Some(slice) = log.read(from, end, bytes_max)? else { return Ok(None) };
    let aborted = match to {
        Reader::OfAll => Vec::new(),
        Reader::OfCommitted => log.aborted(from, end)?,
    };
    Ok(Some(Batches { slice, aborted }))
}

/// Each is one more segment that was written full meanwhile.
const CHECKPOINTS_PER_REMOVAL_MAX: usize = 3;

/// Files that closed segments of one log may hold open.
pub const FILES_UNCHECKED_MAX: usize = 32;

pub struct Partition {
    pub core: Arc<TopicCore>,
    pub id: PartitionId,
    leader_epoch: AtomicI32,
    state: Mutex<State>,
    /// Locked with the state alone.
    broken: Mutex<Broken>,
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

    /// Does something with the log, which is opened for it where it is not yet.
    fn with<R>(&self, act: impl FnOnce(&mut Log<RealDisk>) -> R) -> Result<R, Unusable> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // A few clients of one log, which may be slow to open or on a slow disk, must not take
            // every worker from all the others.
            Err(TryLockError::WouldBlock) => tokio::task::block_in_place(|| self.lock()),
        };
        if let State::Asleep(asleep) = *state {
            *state = State::Open(Box::new(self.wake(asleep.known)?));
        }
        match &mut *state {
            State::Open(log) => Ok(act(log)),
            _ => Err(Unusable::Gone),
        }
    }

    /// Opens the log. One that could not be is let be for a while.
    fn wake(&self, known: Known) -> Result<Log<RealDisk>, Unusable> {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if !broken.may_be_tried(Instant::now()) {
            return Err(Unusable::Broken);
        }
        let (topic, partition) = (&self.core.name, self.id);
        match tokio::task::block_in_place(|| self.open(known)) {
            Ok(log) => {
                if broken.mend() {
                    tracing::info!(%topic, %partition, "its log can be opened again");
                }
                Ok(log)
            }
            Err(error) => {
                if broken.fail(Instant::now(), error.to_string()) {
                    tracing::error!(%topic, %partition, %error, "cannot open log");
                }
                Err(Unusable::Broken)
            }
        }
    }

    fn open(&self, known: Known) -> Result<Log<RealDisk>, OpenError> {
        let (dir, settings) = (self.dir(), self.core.log_settings());
        let opened = Log::open(RealDisk, &dir, self.core.id, settings, known, now());
        match opened {
            Ok((mut log, recovered)) => {
                super::report::recovered(self, &log, &recovered);
                // It may have gone further than the catalogue says, by another program's hands or
                // because the catalogue lost more; then what followed is gone as well.
                let latest = log.latest_epoch().map_or(0, |latest| match known.trust {
                    Trust::Unclean => latest.get().saturating_add(1),
                    Trust::Clean | Trust::CleanButRead | Trust::Nothing => latest.get(),
                });
                self.leader_epoch.fetch_max(latest, Ordering::AcqRel);
                transactions::end_all(self, &mut log);
                Ok(log)
            }
            // A deleted topic's directory that the crash left behind.
            Err(OpenError::OtherTopic { found, .. })
                if set_stray_aside(&dir, &self.core.name, self.id, found).is_ok() =>
            {
                self.open(Known::default())
            }
            Err(error) => Err(error),
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

    /// Each segment that was closed holds files open until the next checkpoint. Whoever makes so
    /// many of them so soon waits for it.
    fn let_files_go(&self) {
        if let Err(error) = tokio::task::block_in_place(|| self.checkpoint()) {
            let (topic, partition) = (&self.core.name, self.id);
            tracing::error!(%topic, %partition, %error, "cannot flush");
        }
    }

    /// Batches from `from` on, and where the log lies.
    pub fn read(&self, from: Offset, bytes_max: u32, to: Reader) -> Result<Read, Unusable> {
        self.with(|log| {
            let extent = Extent::of(log);
            let end = match to {
                Reader::OfAll => extent.end,
                Reader::OfCommitted => extent.stable_end,
            };
            let batches = match extent.start <= from && from <= extent.end {
                true => read(log, from, end.max(from), bytes_max, to),
                false => {
                    let (log_start, log_end) = (extent.start, extent.end);
                    Err(ReadError::OutOfRange { log_start, log_end })
                }
            };
            Read { extent, batches }
        })
    }

    /// Deletes what is before `offset`, or all that there is. It stays deleted once the data
    /// directory's checkpoint says where the log begins; the checkpoint counts only for a log that
    /// reaches so far, after a power loss too.
    pub fn trim(&self, offset: Option<Offset>) -> Result<Trimmed, Untrimmed> {
        self.with(|_| ()).and_then(|()| self.make_durable()).map_err(Untrimmed::Unusable)?;
        let offset = self.with(|log| {
            let offset = offset.unwrap_or(log.end());
            let is_inside = Offset::ZERO <= offset && offset <= log.end();
            is_inside.then_some(offset).ok_or(Untrimmed::OutOfRange)
        });
        let offset = offset.map_err(Untrimmed::Unusable)??;
        let removed = self.remove(|log| log.remove_before(offset, now()));
        self.waiters.wake();
        let gone = || Untrimmed::Unusable(Unusable::Gone);
        let removed = removed.ok_or_else(gone)?.map_err(Untrimmed::Disk)?;
        let start = self.if_open(|log| log.start()).ok_or_else(gone)?;
        Ok(Trimmed { start, removed })
    }

    /// Removes what has outlived its time. `None`: the log is not open.
    pub fn remove_expired(&self, keep: &Retention, now: Timestamp) -> Option<io::Result<Removed>> {
        self.remove(|log| log.remove_expired(keep, now))
    }

    /// Asks the log until nothing has to be brought to the disk before, without its lock. Whoever
    /// writes may be quicker: then the next time goes on. `None`: the log is not open.
    fn remove(
        &self,
        wish: impl Fn(&mut Log<RealDisk>) -> io::Result<Removal<RealDisk>>,
    ) -> Option<io::Result<Removed>> {
        let _alone = self.alone();
        for _ in 0..CHECKPOINTS_PER_REMOVAL_MAX {
            let checkpoint = match self.if_open(&wish)? {
                Err(error) => return Some(Err(error)),
                Ok(Removal::Done(removed)) => return Some(Ok(removed)),
                Ok(Removal::After(checkpoint)) => checkpoint,
            };
            if let Err(error) = checkpoint.run() {
                return Some(Err(error));
            }
            self.if_open(|log| log.checkpointed(&checkpoint));
        }
        Some(Ok(Removed::default()))
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

    /// The promise that everything below `end` is on the disk.
    pub fn durable(self: &Arc<Self>, end: Offset) -> Ticket {
        GroupCommit::ask(self, end)
    }

    /// Brings everything that was appended to the disk, and makes it where recovery would begin.
    pub fn checkpoint(&self) -> io::Result<()> {
        let _alone = self.alone();
        let Some(checkpoint) = self.if_open(Log::checkpoint) else { return Ok(()) };
        let checkpoint = checkpoint?;
        checkpoint.run()?;
        self.if_open(|log| log.checkpointed(&checkpoint));
        Ok(())
    }

    /// Nobody else makes a checkpoint meanwhile: one that was begun before another must not end
    /// after it. What removes records may make one too. Taken before the log's own lock.
    fn alone(&self) -> MutexGuard<'_, ()> {
        self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the broker is started anew.
    pub fn give_up_compaction(&self) {
        self.not_compactable.store(true, Ordering::Relaxed);
    }

    pub fn may_be_compacted(&self) -> bool {
        !self.not_compactable.load(Ordering::Relaxed)
    }

    /// Brings everything that was appended to the disk, here and now.
    pub fn make_durable(&self) -> Result<(), Unusable> {
        commit::Sync::sync(self).map(drop).map_err(|_| Unusable::Broken)
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

impl commit::Sync for Partition {
    fn sync(&self) -> Result<Offset, SyncFailed> {
        let target = self.if_open(|log| (log.sync_target(), log.end())).ok_or(SyncFailed)?;
        let (Some(target), _) = target else { return Ok(target.1) };
        match target.run() {
            Ok(()) => {
                self.if_open(|log| log.synced(&target));
                Ok(target.end())
            }
            Err(error) => {
                let topic = &self.core.name;
                let partition = self.id;
                tracing::error!(%topic, %partition, %error, "cannot sync; not acknowledged");
                Err(SyncFailed)
            }
        }
    }

    fn commit(&self) -> &GroupCommit {
        &self.commit
    }
}

impl Extent {
    pub fn of(log: &Log<RealDisk>) -> Extent {
        let stable_end = log.stable_end();
        Extent { start: log.start(), end: log.end(), stable_end }
    }
}

/// The wall clock. Below `broker`, time is an argument.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
