//! ListOffsets (2) v1-10: the offset of a time, or of an end. v2: isolation; v4: leader epochs
//! (KIP-320); v6: flexible; v7: the record with the newest time; v8: the first offset kept here
//! (KIP-405); v9: the last offset kept elsewhere (KIP-1005); v10: a deadline (KIP-1075).
//! Never knows: where a time is looked up.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::error_code::ErrorCode;
use super::field::{Isolation, NodeId, Text};
use super::frame::Request;
use super::message::message;
use crate::record::{LeaderEpoch, Offset, PartitionId, Timestamp};

/// What a client wants the offset of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first record at this time or later.
    At(Timestamp),
    /// The end: of what is readable, or of what is decided.
    Latest,
    Earliest,
    /// The record with the newest timestamp.
    MaxTimestamp,
    /// The first offset on this broker's own disk.
    EarliestLocal,
    /// The last offset in tiered storage.
    LatestTiered,
    /// A special number that is not known here.
    Unknown(i64),
}

impl Default for OffsetSpec {
    fn default() -> Self {
        OffsetSpec::At(Timestamp(0))
    }
}

impl Field for OffsetSpec {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match i64::read(from)? {
            -1 => OffsetSpec::Latest,
            -2 => OffsetSpec::Earliest,
            -3 => OffsetSpec::MaxTimestamp,
            -4 => OffsetSpec::EarliestLocal,
            -5 => OffsetSpec::LatestTiered,
            other @ ..0 => OffsetSpec::Unknown(other),
            time => OffsetSpec::At(Timestamp(time)),
        })
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let number = match *self {
            OffsetSpec::At(time) => time.get(),
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::EarliestLocal => -4,
            OffsetSpec::LatestTiered => -5,
            OffsetSpec::Unknown(other) => other,
        };
        number.write(to)
    }

    fn size_min(_: Version) -> usize {
        8
    }
}

message! {
    pub struct ListOffsetsRequest {
        replica: Option<NodeId>,
        isolation: Isolation [2.., strict],
        topics: Vec<ListOffsetsTopic>,
        timeout_ms: i32 [10..],
    }
}

message! {
    pub struct ListOffsetsTopic {
        name: Text,
        partitions: Vec<ListOffsetsPartition>,
    }
}

message! {
    pub struct ListOffsetsPartition {
        partition: PartitionId,
        current_leader_epoch: Option<LeaderEpoch> [4..],
        spec: OffsetSpec,
    }
}

impl Request for ListOffsetsRequest {
    const KEY: ApiKey = ApiKey::LIST_OFFSETS;
    const VERSIONS: RangeInclusive<i16> = 1..=10;
    const FLEXIBLE_FROM: i16 = 6;
    type Response = ListOffsetsResponse;
}

message! {
    pub struct ListOffsetsResponse {
        throttle_time_ms: i32 [2..],
        topics: Vec<ListedTopic>,
    }
}

message! {
    pub struct ListedTopic {
        name: Text,
        partitions: Vec<ListedPartition>,
    }
}

message! {
    pub struct ListedPartition {
        partition: PartitionId,
        error_code: ErrorCode,
        timestamp: Option<Timestamp>,
        offset: Option<Offset>,
        leader_epoch: Option<LeaderEpoch> [4..],
    }
}
