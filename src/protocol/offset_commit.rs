//! OffsetCommit (8) v2-9: what a group has read. v3: throttling; v5: no retention of its own; v6:
//! leader epochs (KIP-320); v7: static members (KIP-345); v8: flexible; v9: GROUP_ID_NOT_FOUND
//! (KIP-848).
//! Never knows: which groups there are.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::{LeaderEpoch, Offset, PartitionId};

message! {
    pub struct OffsetCommitRequest {
        group_id: Text,
        /// -1 of those who only keep their offsets here.
        generation: i32 = -1,
        member_id: Text,
        group_instance_id: Option<Text> [7.., strict],
        /// -1: as the broker is configured.
        retention_ms: i64 [..=4] = -1,
        topics: Vec<OffsetCommitTopic>,
    }
}

message! {
    pub struct OffsetCommitTopic {
        name: Text,
        partitions: Vec<OffsetCommitPartition>,
    }
}

message! {
    pub struct OffsetCommitPartition {
        partition: PartitionId,
        offset: Offset,
        leader_epoch: Option<LeaderEpoch> [6..],
        metadata: Option<Text>,
    }
}

impl Request for OffsetCommitRequest {
    const KEY: ApiKey = ApiKey::OFFSET_COMMIT;
    const VERSIONS: RangeInclusive<i16> = 2..=9;
    const FLEXIBLE_FROM: i16 = 8;
    type Response = OffsetCommitResponse;
}

message! {
    pub struct OffsetCommitResponse {
        throttle_time_ms: i32 [3..],
        topics: Vec<CommittedTopic>,
    }
}

message! {
    pub struct CommittedTopic {
        name: Text,
        partitions: Vec<CommittedPartition>,
    }
}

message! {
    pub struct CommittedPartition {
        partition: PartitionId,
        error_code: ErrorCode,
    }
}
