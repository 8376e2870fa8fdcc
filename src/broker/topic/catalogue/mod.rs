//! The catalogue: `__cluster_metadata-0`, a log of KRaft's records that says what topics there are.
//! Never knows: requests, what a topic holds.
//!
//! One batch a change, so that a change is there whole or not at all. Records that this program
//! does not act on stay where they are; one that it cannot read is refused by name, because a
//! catalogue read in part would be served, and written on, as something it is not.

mod fit;
mod foreign;
mod fresh;
mod image;
pub mod mend;
mod read;
pub mod rebuild;
mod rewrite;
mod survey;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::commit::{self, GroupCommit, SyncFailed};
use super::directory::Found;
use super::partition::now;
use crate::broker::Identity;
use crate::log::{
    AppendError, Disk, Known, Log, OpenError, RealDisk, Settings, Stamp, Trust, replace,
};
use crate::protocol::catalogue::{
    AbortTransactionRecord, BrokerRegistrationChangeRecord, CatalogueRecord,
};
use crate::protocol::control::ControlRecord;
use crate::protocol::{EncodeError, NodeId};
use crate::record::{BatchBuilder, BatchView, LeaderEpoch, Offset, Record, Times, Uuid};

use image::Registration;
pub use image::{Image, TopicImage};

/// The directory, and the topic id that Kafka gave it (Uuid.METADATA_TOPIC_ID).
pub const DIRECTORY: &str = "__cluster_metadata-0";
const TOPIC_ID: Uuid = {
    let mut id = [0; 16];
    id[15] = 1;
    Uuid(id)
};

/// Raft's first epoch.
const FIRST_EPOCH: LeaderEpoch = LeaderEpoch(1);

/// Why the catalogue cannot be opened or written.
#[derive(Debug)]
pub enum CatalogueError {
    Open(OpenError),
    Read {
        path: PathBuf,
        why: String,
    },
    /// What it says is not for this broker.
    Foreign {
        path: PathBuf,
        why: String,
    },
    Append(AppendError),
    Encode(EncodeError),
    Sync(std::io::Error),
    /// A change was not taken; why is in the log.
    Refused,
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CatalogueError::Open(error) => write!(f, "cannot open the catalogue: {error}"),
            CatalogueError::Read { path, why } => {
                write!(f, "cannot read the catalogue in {}: {why}", path.display())
            }
            CatalogueError::Foreign { path, why } => {
                write!(f, "cannot take over the directory {}: {why}", path.display())
            }
            CatalogueError::Append(error) => write!(f, "cannot write the catalogue: {error}"),
            CatalogueError::Encode(error) => write!(f, "cannot write the catalogue: {error}"),
            CatalogueError::Refused => f.write_str("the catalogue takes no changes now"),
            CatalogueError::Sync(error) => write!(f, "cannot sync the catalogue ({error})"),
        }
    }
}

/// Whether a broker of this identity can serve what the directory's catalogue says. Nothing is
/// written: a directory that is refused stays as it was.
pub fn check(data_dir: &Path, identity: &Identity) -> Result<(), CatalogueError> {
    let image = read::look(&data_dir.join(DIRECTORY))?;
    refuse_foreign(data_dir, identity, &image)
}

fn refuse_foreign(dir: &Path, of: &Identity, image: &Image) -> Result<(), CatalogueError> {
    match foreign::obstacle(image, NodeId(of.node_id)) {
        Some(why) => Err(CatalogueError::Foreign { path: dir.to_owned(), why }),
        None => Ok(()),
    }
}

/// The catalogue of an open data directory.
pub struct Catalogue {
    state: Mutex<State>,
    commit: GroupCommit,
    /// The log's end, for those who want to wait for it without the lock.
    end: AtomicI64,
    /// Of its records; nothing changes it while the directory is open.
    metadata_version: i16,
}

/// The catalogue while it is changed.
pub struct State {
    pub image: Image,
    /// `None` once the broker has closed it.
    log: Option<Log<RealDisk>>,
    /// Raft's, under which everything is appended.
    epoch: LeaderEpoch,
    /// There was none before this process.
    pub is_new: bool,
}

impl Catalogue {
    /// Reads the catalogue, or begins a new one.
    pub fn open(
        data_dir: &Path,
        identity: &Identity,
        found: &Found,
    ) -> Result<Catalogue, CatalogueError> {
        read::refuse_damage(&data_dir.join(DIRECTORY), found.clean)?;
        Catalogue::open_if(data_dir, identity, found, |image, is_new| {
            // Whoever had it may have gone on after the check.
            refuse_foreign(data_dir, identity, image)?;
            match found.partitions.values().min().filter(|_| is_new) {
                Some(partition) => lost(data_dir, partition, found.clean),
                None => Ok(()),
            }
        })
    }

    /// The same of one that is to be mended: it lacks what is then appended.
    fn open_to_mend(
        data_dir: &Path,
        identity: &Identity,
        found: &Found,
    ) -> Result<Catalogue, CatalogueError> {
        Catalogue::open_if(data_dir, identity, found, |_, _| Ok(()))
    }

    /// `may` sees what it says, and whether there is none yet, before anything is written.
    fn open_if(
        data_dir: &Path,
        identity: &Identity,
        found: &Found,
        may: impl FnOnce(&Image, bool) -> Result<(), CatalogueError>,
    ) -> Result<Catalogue, CatalogueError> {
        let dir = data_dir.join(DIRECTORY);
        let checkpoint = read::newest_checkpoint(&dir)?;
        let known = Known {
            // A checkpoint alone: the log that is to come begins where it ends.
            log_start: match read::has_log(&dir) {
                true => None,
                false => checkpoint.as_ref().map(|checkpoint| checkpoint.end),
            },
            recovery_point: None,
            compacted: None,
            trust: if found.clean { Trust::CleanButRead } else { Trust::Nothing },
            is_ours: false,
        };
        let (mut log, recovered) =
            Log::open(RealDisk, &dir, TOPIC_ID, Settings::default(), known, now())
                .map_err(CatalogueError::Open)?;
        super::report::recovered_catalogue(data_dir, &recovered);
        let (image, epoch) = read::replay(&dir, checkpoint, &mut log)?;
        let is_new = epoch.is_none();
        may(&image, is_new)?;
        let epoch = epoch.unwrap_or(FIRST_EPOCH);
        let mut state = State { image, log: Some(log), epoch, is_new };
        if is_new {
            state.begin(identity)?;
        }
        if state.image.in_transaction() {
            let reason = Some("the writer was stopped in the middle of it".into());
            state.append(vec![AbortTransactionRecord { reason }.into()])?;
        }
        state.complete(identity)?;
        state.fence(identity)?;
        let end = AtomicI64::new(state.end().get());
        let metadata_version = state.image.features.get("metadata.version").copied().unwrap_or(1);
        let commit = GroupCommit::default();
        Ok(Catalogue { state: Mutex::new(state), commit, end, metadata_version })
    }

    /// `metadata.version`, which every client that connects is told: without the lock.
    pub fn metadata_version(&self) -> i16 {
        self.metadata_version
    }

    /// For looking things up and changing them as one step. Whoever has it may wait for a slow
    /// disk; those who want it too must not take every worker meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => tokio::task::block_in_place(|| {
                self.state.lock().unwrap_or_else(PoisonError::into_inner)
            }),
        }
    }

    /// Writes a change as one batch. It is durable once `end` is.
    pub fn append(
        &self,
        state: &mut State,
        records: Vec<CatalogueRecord>,
    ) -> Result<Offset, CatalogueError> {
        let end = state.append(records)?;
        self.end.store(end.get(), Ordering::Release);
        Ok(end)
    }

    pub fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// Makes everything durable, from the thread that asks.
    pub fn sync_now(&self) -> Result<(), CatalogueError> {
        let mut state = self.lock();
        let Some(log) = &mut state.log else { return Ok(()) };
        let Some(target) = log.sync_target() else { return Ok(()) };
        target.run().map_err(CatalogueError::Sync)?;
        log.synced(&target);
        Ok(())
    }

    /// The clean end of the log. Apache Kafka warns where there is no `quorum-state`, and dies of
    /// one that a power loss has emptied (FileQuorumStateStore.java).
    pub fn close(&self, data_dir: &Path, identity: &Identity) -> std::io::Result<()> {
        let mut state = self.lock();
        let Some(log) = state.log.take() else { return Ok(()) };
        let path = data_dir.join(DIRECTORY).join("quorum-state");
        if std::fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            let quorum_state = fresh::quorum_state(identity, state.epoch.get());
            replace(&RealDisk, &path, quorum_state.as_bytes())?;
            RealDisk.sync_dir(&data_dir.join(DIRECTORY))?;
        }
        log.close(now())
    }
}

/// There is no catalogue, and a partition that one must have named. After a power loss that may be
/// all there is left of it; a clean stop leaves it whole.
fn lost(data_dir: &Path, partition: &Path, clean: bool) -> Result<(), CatalogueError> {
    let (path, name) = (data_dir.join(DIRECTORY), partition.file_name().unwrap_or_default());
    if clean {
        let why = format!(
            "there is nothing in it, and {} is here; restore it, or `kaw log repair {}` begins a \
             new one with the topics whose directories are here",
            name.display(),
            data_dir.display()
        );
        return Err(CatalogueError::Read { path, why });
    }
    tracing::error!(dir = %path.display(), "the catalogue is gone; a new one begins");
    Ok(())
}

impl State {
    fn end(&self) -> Offset {
        self.log.as_ref().map_or(Offset::ZERO, Log::end)
    }

    fn begin(&mut self, identity: &Identity) -> Result<(), CatalogueError> {
        self.write_control(&fresh::quorum(identity))
    }

    /// The quorum's voters once more, where the beginning is lost.
    fn voters(&mut self, identity: &Identity) -> Result<(), CatalogueError> {
        self.write_control(&fresh::quorum(identity)[1..])
    }

    fn write_control(&mut self, records: &[ControlRecord]) -> Result<(), CatalogueError> {
        let mut batch = BatchBuilder::new().control();
        // Apache reads no batch here whose records differ in their times (RecordsIterator.java).
        let now = now();
        for record in records {
            let record = record.encode().map_err(CatalogueError::Encode)?;
            let (key, value) = (Some(&record.key[..]), Some(&record.value[..]));
            batch.push(now, &Record { key, value, headers: &[] });
        }
        self.write(batch)
    }

    /// What a new catalogue has beside its first batch, unless a crash came between them.
    fn complete(&mut self, identity: &Identity) -> Result<(), CatalogueError> {
        if self.image.features.contains_key("metadata.version") {
            return Ok(());
        }
        let registered = self.image.registration.and_then(|registration| registration.level_max);
        let mut records = fresh::features(registered);
        records.extend(self.is_new.then(|| fresh::producer_ids(identity)));
        self.append(records).map(drop)
    }

    /// Apache Kafka's broker, which was killed, is not there any more. Its successor would be kept
    /// waiting until its session ends (ClusterControlManager.registerBroker).
    fn fence(&mut self, identity: &Identity) -> Result<(), CatalogueError> {
        let Some(Registration { broker_epoch, is_fenced: false, .. }) = self.image.registration
        else {
            return Ok(());
        };
        let record = BrokerRegistrationChangeRecord {
            broker_id: NodeId(identity.node_id),
            broker_epoch,
            fenced: 1,
            ..BrokerRegistrationChangeRecord::default()
        };
        self.append(vec![record.into()]).map(drop)
    }

    fn append(&mut self, records: Vec<CatalogueRecord>) -> Result<Offset, CatalogueError> {
        let mut batch = BatchBuilder::new();
        let now = now();
        for record in &records {
            let value = record.encode().map_err(CatalogueError::Encode)?;
            let record = Record { key: None, value: Some(&value), headers: &[] };
            batch.push(now, &record);
        }
        self.write(batch)?;
        for record in records {
            self.image.apply(record).expect("a change that was checked before it was written");
        }
        Ok(self.end())
    }

    fn write(&mut self, batch: BatchBuilder) -> Result<(), CatalogueError> {
        let log = self.log.as_mut().ok_or(CatalogueError::Append(AppendError::Poisoned))?;
        let batch = batch.build();
        let batch = BatchView::parse(&batch).expect("a batch that was just built");
        let stamp = Stamp { leader_epoch: self.epoch, now: now(), times: Times::Keep };
        log.append(&batch, stamp).map_err(CatalogueError::Append)?;
        Ok(())
    }
}

impl commit::Sync for Catalogue {
    fn sync(&self) -> Result<Offset, SyncFailed> {
        let (target, end) = {
            let mut state = self.lock();
            let end = state.end();
            let log = state.log.as_mut().ok_or(SyncFailed)?;
            (log.sync_target(), end)
        };
        let Some(target) = target else { return Ok(end) };
        match target.run() {
            Ok(()) => {
                if let Some(log) = &mut self.lock().log {
                    log.synced(&target);
                }
                Ok(target.end())
            }
            Err(error) => {
                tracing::error!(%error, "sync of the catalogue failed; it takes no more changes");
                Err(SyncFailed)
            }
        }
    }

    fn commit(&self) -> &GroupCommit {
        &self.commit
    }
}
