//! What goes into the log and comes out of it, as values.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::DiskFile;
use super::pieces::Why;
use crate::record::{INFLATED_BYTES_MAX, LeaderEpoch, Offset, Times, Timestamp, Uuid};

/// The settings of one log, Kafka's topic configs.
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
    pub cleanup: Cleanup,
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
            cleanup: Cleanup::Delete,
            producers_max: 10_000,
        }
    }
}

/// What `cleanup.policy` means for the log's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Every segment begins where the one before it ended; else something was lost between them.
    Delete,
    /// Compaction has taken batches out, perhaps the last ones of a segment.
    Compact,
}

/// What to compact of a log with `cleanup.policy=compact`, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compaction {
    /// `min.cleanable.dirty.ratio`
    pub dirty_ratio_min: f64,
    /// `min.compaction.lag.ms`
    pub lag_ms_min: i64,
    /// `max.compaction.lag.ms`
    pub lag_ms_max: i64,
    /// `delete.retention.ms`
    pub tombstones_ms: i64,
    /// For the offsets of keys. What does not fit is left to the next time.
    pub memory_bytes_max: usize,
    /// A batch that decompresses to more stays as it is.
    pub inflated_bytes_max: usize,
}

impl Default for Compaction {
    /// Apache Kafka's, but for the memory.
    fn default() -> Compaction {
        Compaction {
            dirty_ratio_min: 0.5,
            lag_ms_min: 0,
            lag_ms_max: i64::MAX,
            tombstones_ms: 24 * 60 * 60 * 1000,
            memory_bytes_max: 32 << 20,
            inflated_bytes_max: INFLATED_BYTES_MAX,
        }
    }
}

/// Why a compaction ended early. The log is as it was, or as far as it was swapped in.
#[derive(Debug)]
pub enum CompactError {
    /// Whoever paces it said so.
    Stopped,
    /// Segments went away meanwhile.
    Overtaken,
    /// A batch that cannot be read. Nothing of its segment is touched.
    Damaged { path: PathBuf, position: u64, why: Why },
    /// A full disk is here too.
    Disk { path: PathBuf, error: io::Error },
}

/// What is known of a log before it is opened, from the files at the top of the data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `log-start-offset-checkpoint`
    pub log_start: Option<Offset>,
    /// `recovery-point-offset-checkpoint`. Carry it over unchanged to the next one you write as
    /// long as the log was not opened.
    pub recovery_point: Option<Offset>,
    /// `cleaner-offset-checkpoint`: up to here the log was compacted.
    pub compacted: Option<Offset>,
    pub trust: Trust,
    /// Nobody but kaw has used the data directory since kaw's last checkpoint of its catalogue.
    pub is_ours: bool,
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
    /// The same, and everything is read again, whatever any checkpoint says (the catalogue).
    Nothing,
    /// Everything is read again, but the last owner stopped cleanly: it is known to be durable.
    CleanButRead,
}

/// What opening a log found. Nothing in it is an error: the log works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How much of the files was read again and checked.
    pub scanned_bytes: u64,
    /// A tail that was no batch, with nothing good behind it: never acknowledged, cut off.
    pub torn: Option<Torn>,
    /// Damage with good batches behind it, or in what was durable: files that hold what was taken
    /// out of the log.
    pub set_aside: Vec<SetAside>,
    /// Damage in what was durable, with more behind it: it stays where it is.
    pub damaged: Vec<Damaged>,
    /// Durable offsets that are not there any more.
    pub lost: Vec<Lost>,
    /// Indexes whose segment is gone: a removal was cut off, or somebody else took it.
    pub orphans: Vec<PathBuf>,
}

impl Recovered {
    /// Whether nothing is missing that was durable, or that good batches followed.
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.set_aside.is_empty() && self.damaged.is_empty()
    }
}

/// Offsets that are gone, and the file in which they should be, or that tells of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub path: PathBuf,
    pub from: Offset,
    /// Exclusive.
    pub to: Offset,
}

/// A torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub path: PathBuf,
    pub position: u64,
    pub bytes: u64,
}

/// Bytes of a segment that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub path: PathBuf,
    pub position: u64,
    pub bytes: u64,
    /// The first offset that is missing.
    pub offset: Offset,
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
    /// What a compaction was about to put in the place of other segments is not whole.
    DamagedCompaction {
        path: PathBuf,
    },
    /// An index of aborted transactions that cannot be read.
    TransactionIndex {
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

/// What recovery would have to read after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchecked {
    pub bytes: u64,
    /// When the first of them came.
    pub since: Timestamp,
    /// A segment was closed since the last checkpoint.
    pub has_rolled: bool,
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

impl Removed {
    pub fn and(self, more: Removed) -> Removed {
        Removed { segments: self.segments + more.segments, bytes: self.bytes + more.bytes }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Disk { path, error } => write!(f, "{}: {error}", path.display()),
            OpenError::OtherTopic { path, found } => {
                write!(f, "{} belongs to another topic, with id {found}", path.display())
            }
            OpenError::DamagedCompaction { path } => write!(
                f,
                "{} is left from a compaction and is damaged; the files that it was to replace may \
                 be gone in part",
                path.display()
            ),
            OpenError::TransactionIndex { path } => write!(
                f,
                "{} is damaged; start Apache Kafka once on this directory: it makes the file anew",
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

impl fmt::Display for CompactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompactError::Stopped => f.write_str("it was stopped"),
            CompactError::Overtaken => f.write_str("segments were removed meanwhile"),
            CompactError::Damaged { path, position, why } => {
                write!(f, "{} is damaged at byte {position}: {why}", path.display())
            }
            CompactError::Disk { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for CompactError {}
