//! OffsetDelete (47) v0: takes back what a group committed (KIP-496).
//! Never knows: which groups there are.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::PartitionId;

message! {
    pub struct OffsetDeleteRequest {
        group_id: Text,
        topics: Vec<OffsetDeleteTopic>,
    }
}

message! {
    pub struct OffsetDeleteTopic {
        name: Text,
        partitions: Vec<PartitionId>,
    }
}

impl Request for OffsetDeleteRequest {
    const KEY: ApiKey = ApiKey::OFFSET_DELETE;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: i16 = i16::MAX;
    type Response = OffsetDeleteResponse;
}

message! {
    pub struct OffsetDeleteResponse {
        error_code: ErrorCode,
        throttle_time_ms: i32,
        topics: Vec<OffsetDeletedTopic>,
    }
}

message! {
    pub struct OffsetDeletedTopic {
        name: Text,
        partitions: Vec<OffsetDeletedPartition>,
    }
}

message! {
    pub struct OffsetDeletedPartition {
        partition: PartitionId,
        error_code: ErrorCode,
    }
}
