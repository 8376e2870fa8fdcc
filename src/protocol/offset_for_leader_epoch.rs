//! OffsetForLeaderEpoch (23) v2-4: where a leader's reign ended (KIP-320). v3: the asking replica;
//! v4: flexible.
//! Never knows: the epochs of a log.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::{LeaderEpoch, Offset, PartitionId};

/// Kafka's number for an asking client that is neither replica nor consumer.
const REPLICA_UNNAMED: i32 = -2;

message! {
    pub struct OffsetForLeaderEpochRequest {
        replica: i32 [3..] = REPLICA_UNNAMED,
        topics: Vec<EpochTopic>,
    }
}

message! {
    pub struct EpochTopic {
        name: Text,
        partitions: Vec<EpochPartition>,
    }
}

message! {
    pub struct EpochPartition {
        partition: PartitionId,
        current_leader_epoch: Option<LeaderEpoch>,
        leader_epoch: LeaderEpoch,
    }
}

impl Request for OffsetForLeaderEpochRequest {
    const KEY: ApiKey = ApiKey::OFFSET_FOR_LEADER_EPOCH;
    const VERSIONS: RangeInclusive<i16> = 2..=4;
    const FLEXIBLE_FROM: i16 = 4;
    type Response = OffsetForLeaderEpochResponse;
}

message! {
    pub struct OffsetForLeaderEpochResponse {
        throttle_time_ms: i32,
        topics: Vec<EpochEndTopic>,
    }
}

message! {
    pub struct EpochEndTopic {
        name: Text,
        partitions: Vec<EpochEnd>,
    }
}

message! {
    pub struct EpochEnd {
        error_code: ErrorCode,
        partition: PartitionId,
        leader_epoch: Option<LeaderEpoch>,
        end_offset: Option<Offset>,
    }
}
