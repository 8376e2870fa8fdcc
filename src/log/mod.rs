//! The durable log of one partition.
//! Never knows: topics, requests, clap, tokio, the clock.
//!
//! A `Log` is used under one lock per partition. What may block for long (fdatasync) is handed
//! out as a value, `SyncTarget` or `Checkpoint`, whose `run` needs no lock; the outcome is then
//! reported back. Appends and reads touch the page cache only.

mod disk;
mod text;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use disk::{Disk, DiskFile, Listed, Open, RealDisk, RealFile};
pub use text::{PartitionOffset, read_offsets, write_offsets};

use crate::record::{BatchView, LeaderEpoch, Offset, Times, Timestamp, Uuid};

/// The settings of one log, Kafka's topic configs. May change while the log is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `segment.bytes`
    pub segment_bytes: u32,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`
    pub index_bytes_max: u32,
    /// `producer.id.expiration.ms`
    pub producer_expiry_ms: i64,
    /// More producers than these are forgotten, those that wrote longest ago first.
    pub producers_max: usize,
}

impl Default for Settings {
    /// Apache Kafka's (TopicConfig.java, ServerLogConfigs.java).
    fn default() -> Settings {
        Settings {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            index_interval_bytes: 4096,
            index_bytes_max: 10 << 20,
            producer_expiry_ms: 24 * 60 * 60 * 1000,
            producers_max: 10_000,
        }
    }
}

/// What is known of a log before it is opened, from the files at the top of the data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `log-start-offset-checkpoint`
    pub log_start: Option<Offset>,
    /// `recovery-point-offset-checkpoint`. Carry it over unchanged to the next one you write as
    /// long as the log was not opened.
    pub recovery_point: Option<Offset>,
    pub trust: Trust,
}

/// How much of what lies on disk is believed without reading it again. The log's own checkpoint
/// is always believed where it fits the files; this is for directories that have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The last owner of the data directory stopped cleanly (`.kafka_cleanshutdown`).
    Clean,
    /// It did not: what lies behind the recovery point is read again.
    #[default]
    Unclean,
    /// Everything is read again, whatever any checkpoint says (the catalogue).
    Nothing,
}

/// What opening a log found. Nothing in it is an error: the log works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How much of the files was read again and checked.
    pub scanned_bytes: u64,
    /// A tail that was no batch, with nothing good behind it: never acknowledged, cut off.
    pub torn: Option<Torn>,
    /// Damage with good batches behind it: files that hold what was taken out of the log.
    pub set_aside: Vec<SetAside>,
    /// Index files that were missing or wrong, and were made anew.
    pub rebuilt_indexes: u32,
}

/// A torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub path: PathBuf,
    pub position: u64,
    pub bytes: u64,
}

/// A file beside the log, with bytes that the log held and could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// From where it was taken.
    pub path: PathBuf,
    pub position: u64,
    pub bytes: u64,
    /// Good batches among those bytes.
    pub batches: u32,
    /// Where it is now.
    pub kept_at: PathBuf,
}

/// Why a log cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    Disk {
        path: PathBuf,
        error: io::Error,
    },
    /// The directory belongs to another topic of the same name.
    OtherTopic {
        path: PathBuf,
        found: Uuid,
    },
    /// Apache Kafka died in the middle of a compaction here and must finish it first.
    UnfinishedCompaction {
        path: PathBuf,
    },
}

/// What the log writes into a batch that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub leader_epoch: LeaderEpoch,
    pub now: Timestamp,
    /// As `record::validate` found; `Times::Keep` for batches of one's own.
    pub times: Times,
}

/// A batch is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub outcome: Outcome,
    /// The time that was stamped, with `Times::Append`.
    pub append_time: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Written,
    /// An idempotent producer sent again what the log already has; the offsets are those of then.
    /// An ack must wait for the sync of `last_offset` all the same.
    Duplicate,
}

/// Why a batch was not taken. Nothing of it is in the log.
#[derive(Debug)]
pub enum AppendError {
    /// INVALID_PRODUCER_EPOCH: a newer incarnation of this producer has written.
    Fenced,
    /// OUT_OF_ORDER_SEQUENCE_NUMBER
    OutOfOrder { expected: i32, found: i32 },
    /// RECORD_LIST_TOO_LARGE: larger than a segment may be.
    LargerThanSegment,
    /// KAFKA_STORAGE_ERROR. A full disk is here too; the next append may work again.
    Disk { path: PathBuf, error: io::Error },
    /// KAFKA_STORAGE_ERROR: a sync failed earlier; what the page cache holds is not believed
    /// until the log is opened again.
    Poisoned,
}

/// Why nothing can be read.
#[derive(Debug)]
pub enum ReadError {
    /// OFFSET_OUT_OF_RANGE
    OutOfRange { log_start: Offset, log_end: Offset },
    /// KAFKA_STORAGE_ERROR
    Disk { path: PathBuf, error: io::Error },
}

/// Whole batches, one behind another in one file.
pub struct Slice<F> {
    /// Keeps the bytes readable even when the segment is removed meanwhile.
    pub file: Arc<F>,
    pub position: u64,
    pub bytes: u32,
}

impl<F: DiskFile> Slice<F> {
    /// The bytes themselves, where sendfile does not serve.
    pub fn load(&self) -> io::Result<Vec<u8>> {
        let mut out = vec![0; self.bytes as usize];
        match self.file.read_at(&mut out, self.position)? {
            read if read == out.len() => Ok(out),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: LeaderEpoch,
}

/// What to keep of a log with `cleanup.policy=delete`. `None` keeps all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `retention.ms`
    pub ms: Option<i64>,
    /// `retention.bytes`
    pub bytes: Option<u64>,
}

/// What retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub segments: u32,
    pub bytes: u64,
}

/// Files whose bytes are to be made durable, without any lock.
pub struct SyncTarget<D: Disk> {
    _disk: D,
}

impl<D: Disk> SyncTarget<D> {
    /// Up to here the log is durable once `run` succeeded. Exclusive.
    pub fn end(&self) -> Offset {
        unimplemented!()
    }

    /// How many files there are to sync: one for a warm log.
    pub fn files(&self) -> usize {
        unimplemented!()
    }

    /// Syncs. Blocks as long as the disk does.
    pub fn run(&self) -> io::Result<()> {
        unimplemented!()
    }
}

/// A checkpoint to be made durable, without the log's lock. It bounds what recovery reads.
pub struct Checkpoint<D: Disk> {
    _disk: D,
}

impl<D: Disk> Checkpoint<D> {
    /// Syncs what the checkpoint speaks of, then writes and syncs it.
    pub fn run(&self) -> io::Result<()> {
        unimplemented!()
    }
}

/// The log of one partition. Costs a directory only once something is appended.
pub struct Log<D: Disk> {
    disk: D,
}

impl<D: Disk> Log<D> {
    /// Opens what lies in `dir`, recovering what must be; a directory that is not there is an
    /// empty log, and is made at the first append. `topic_id` is what `partition.metadata` says
    /// or will say.
    pub fn open(
        disk: D,
        dir: &Path,
        topic_id: Uuid,
        settings: Settings,
        known: Known,
        now: Timestamp,
    ) -> Result<(Log<D>, Recovered), OpenError> {
        let _ = (disk, dir, topic_id, settings, known, now);
        unimplemented!()
    }

    pub fn set_settings(&mut self, settings: Settings) {
        let _ = settings;
        unimplemented!()
    }

    /// The first readable offset.
    pub fn start(&self) -> Offset {
        unimplemented!()
    }

    /// The next record's offset (LEO).
    pub fn end(&self) -> Offset {
        unimplemented!()
    }

    /// Up to here the log is known to be durable. For `recovery-point-offset-checkpoint`.
    pub fn recovery_point(&self) -> Offset {
        unimplemented!()
    }

    /// What the log takes on disk.
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }

    /// Takes one batch: stamps its base offset and leader epoch, and writes it with one pwritev.
    /// `batch` must have passed `record::validate`, or be one's own.
    pub fn append(&mut self, batch: &BatchView<'_>, stamp: Stamp) -> Result<Appended, AppendError> {
        let _ = (batch, stamp);
        unimplemented!()
    }

    /// Batches from the one that contains `from`, all below `end`, of one segment: as many as fit
    /// into `bytes_max`, and at least one. `None`: there is nothing between `from` and `end`.
    pub fn read(
        &mut self,
        from: Offset,
        end: Offset,
        bytes_max: u32,
    ) -> Result<Option<Slice<D::File>>, ReadError> {
        let _ = (from, end, bytes_max);
        unimplemented!()
    }

    /// The first record whose timestamp is `at` or later (ListOffsets with a time).
    pub fn offset_for_timestamp(&mut self, at: Timestamp) -> Result<Option<Found>, ReadError> {
        let _ = at;
        unimplemented!()
    }

    /// The first record that has the largest timestamp of all (ListOffsets -3, KIP-734).
    pub fn offset_of_max_timestamp(&mut self) -> Result<Option<Found>, ReadError> {
        unimplemented!()
    }

    /// The epoch of the last batch.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        unimplemented!()
    }

    /// The epoch under which the record at `offset` was appended.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let _ = offset;
        unimplemented!()
    }

    /// Where an epoch ended (OffsetForLeaderEpoch): the largest epoch not above `epoch`, and the
    /// offset at which the next one began. `None`: Kafka's undefined (-1, -1).
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let _ = epoch;
        unimplemented!()
    }

    /// What must be synced so that all that was appended so far is durable. `None`: it is.
    pub fn sync_target(&mut self) -> Option<SyncTarget<D>> {
        unimplemented!()
    }

    /// `target` was synced.
    pub fn synced(&mut self, target: &SyncTarget<D>) {
        let _ = target;
        unimplemented!()
    }

    /// A sync failed: the log takes no more appends until it is opened again.
    pub fn sync_failed(&mut self) {
        unimplemented!()
    }

    /// What recovery would have to read after a crash.
    pub fn unchecked_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// A checkpoint of the log as it is now. One at a time a log.
    pub fn checkpoint(&mut self) -> Result<Checkpoint<D>, io::Error> {
        unimplemented!()
    }

    /// `checkpoint` ran: what it covers is durable.
    pub fn checkpointed(&mut self, checkpoint: &Checkpoint<D>) {
        let _ = checkpoint;
        unimplemented!()
    }

    /// Removes the oldest segments that `keep` does not ask for.
    pub fn remove_expired(&mut self, keep: &Retention, now: Timestamp) -> io::Result<Removed> {
        let _ = (keep, now);
        unimplemented!()
    }

    /// Writes indexes, producer snapshot, leader epochs and checkpoint, and syncs everything.
    /// Only when every log of a data directory was closed, and those never opened were clean at
    /// start, may `.kafka_cleanshutdown` be written.
    pub fn close(self, now: Timestamp) -> io::Result<()> {
        let _ = now;
        unimplemented!()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Disk { path, error } => write!(f, "{}: {error}", path.display()),
            OpenError::OtherTopic { path, found } => {
                write!(f, "{} belongs to another topic, with id {found}", path.display())
            }
            OpenError::UnfinishedCompaction { path } => write!(
                f,
                "{} is left from a compaction that Apache Kafka did not finish; start it once on \
                 this directory",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Fenced => f.write_str("a newer incarnation of the producer has written"),
            AppendError::OutOfOrder { expected, found } => {
                write!(f, "sequence {found} where {expected} was due")
            }
            AppendError::LargerThanSegment => f.write_str("the batch is larger than segment.bytes"),
            AppendError::Disk { path, error } => write!(f, "{}: {error}", path.display()),
            AppendError::Poisoned => {
                f.write_str("a sync failed earlier; the log must be opened again")
            }
        }
    }
}

impl std::error::Error for AppendError {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::OutOfRange { log_start, log_end } => {
                write!(f, "the log has offsets {log_start}..{log_end}")
            }
            ReadError::Disk { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ReadError {}
