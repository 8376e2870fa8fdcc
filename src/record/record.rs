//! One record's contents, as every path passes them on: borrowed bytes, never text.

use super::{LeaderEpoch, Offset, PartitionId, Timestamp};

/// A record header. Names may repeat and their order counts (KIP-82).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a [u8],
    /// Null and empty differ.
    pub value: Option<&'a [u8]>,
}

/// Key, value and headers. Null and empty differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Record<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

/// A record on its way to a topic. What is `None` is left to the client's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outgoing<'a> {
    pub record: Record<'a>,
    pub partition: Option<PartitionId>,
    pub timestamp: Option<Timestamp>,
}

/// Whose clock a timestamp is (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// A record as it was read from a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered<'a> {
    pub topic: &'a str,
    pub partition: PartitionId,
    pub offset: Offset,
    pub timestamp: Option<(TimestampType, Timestamp)>,
    pub leader_epoch: Option<LeaderEpoch>,
    /// `None` where nobody asked for them.
    pub watermarks: Option<Watermarks>,
    pub record: Record<'a>,
}

/// How far a partition reaches, as of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    pub log_start: Offset,
    /// The first offset of a transaction that is still open, or else the high watermark.
    pub last_stable: Offset,
    pub high: Offset,
}
