//! What a produced batch must be before the log takes it, in the order in which Apache Kafka
//! checks it (ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords,
//! LogValidator.java), so that the first fault found, and with it the error code, is the same.

use std::fmt;

use super::{BatchError, BatchView, Codec, Scratch, Timestamp, TimestampType};

/// Which codecs the request's version may carry: zstd came with Produce 7 (KIP-110).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zstd {
    Allowed,
    TooNew,
}

/// Whether a record may come without a key: not where the log is compacted by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Optional,
    Required,
}

/// What the topic and the request ask of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub zstd: Zstd,
    /// `max.message.bytes`, of the whole batch.
    pub batch_bytes_max: usize,
    /// To what the records may decompress, where they must be looked at.
    pub inflated_bytes_max: usize,
    pub keys: Keys,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`; `i64::MAX` allows all.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub after_max_ms: i64,
    pub now: Timestamp,
}

/// A batch that passed, and which timestamps it is to be stored with.
#[derive(Clone, Copy, Debug)]
pub struct Valid<'a> {
    pub batch: BatchView<'a>,
    pub times: Times,
}

/// What the stored batch's header says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// What the producer wrote, untouched.
    Keep,
    /// The producer's, but its header named a wrong maximum: this is the right one.
    Max(Timestamp),
    /// The append time for all records (`message.timestamp.type=LogAppendTime`).
    Append,
}

/// Why a batch is refused. Each is one Kafka error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No whole batch (INVALID_RECORD).
    NoBatch,
    /// More than one batch (INVALID_RECORD).
    SecondBatch,
    /// An old message format (INVALID_RECORD).
    OldFormat(i8),
    /// zstd in a request too old for it (UNSUPPORTED_COMPRESSION_TYPE).
    ZstdTooNew,
    /// The base offset is the broker's to give (INVALID_RECORD).
    BaseOffset,
    /// `max.message.bytes` (MESSAGE_TOO_LARGE).
    TooLarge { size: usize, size_max: usize },
    /// Damaged, or never a batch (CORRUPT_MESSAGE).
    Corrupt(BatchError),
    /// The count of records disagrees with the offsets (INVALID_RECORD).
    Count,
    /// Control records are the broker's to write (INVALID_RECORD).
    Control,
    /// A producer id without a sequence (INVALID_RECORD).
    Sequence,
    /// The records cannot be read (INVALID_RECORD).
    Records(BatchError),
    /// These records have no key, by their place in the batch (INVALID_RECORD).
    KeylessRecords(Vec<i32>),
    /// LogAppendTime is the broker's to set (INVALID_TIMESTAMP).
    TimestampType,
    /// These records' times are out of bounds, by their place in the batch (INVALID_TIMESTAMP).
    /// Empty: only the batch's header was read.
    TimestampRange(Vec<i32>),
}

/// The one batch that a produce request may hold for a partition, checked.
pub fn validate<'a>(
    records: &'a [u8],
    rules: &Rules,
    scratch: &mut Scratch,
) -> Result<Valid<'a>, Invalid> {
    let _ = (records, rules, scratch);
    unimplemented!()
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::NoBatch => f.write_str("there is no whole record batch"),
            Invalid::SecondBatch => f.write_str("there is more than one record batch"),
            Invalid::OldFormat(magic) => write!(f, "message format {magic} is not supported"),
            Invalid::ZstdTooNew => f.write_str("zstd needs produce version 7 or later"),
            Invalid::BaseOffset => f.write_str("the base offset is not 0"),
            Invalid::TooLarge { size, size_max } => {
                write!(f, "the batch of {size} bytes is larger than max.message.bytes={size_max}")
            }
            Invalid::Corrupt(error) | Invalid::Records(error) => error.fmt(f),
            Invalid::Count => f.write_str("the count of records disagrees with their offsets"),
            Invalid::Control => f.write_str("clients may not write control records"),
            Invalid::Sequence => f.write_str("a producer id without a sequence"),
            Invalid::KeylessRecords(_) => {
                f.write_str("a compacted topic takes no record without a key")
            }
            Invalid::TimestampType => f.write_str("clients may not set LogAppendTime"),
            Invalid::TimestampRange(_) => f.write_str("a timestamp is out of bounds"),
        }
    }
}
