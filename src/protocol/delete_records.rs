//! DeleteRecords (21) v0-2 (KIP-107). v1: throttles after the reply (KIP-219); v2: flexible.
//! Never knows: what lies in a log.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::{Offset, PartitionId};

message! {
    pub struct DeleteRecordsRequest {
        topics: Vec<TrimmedTopic>,
        timeout_ms: i32,
    }
}

message! {
    pub struct TrimmedTopic {
        name: Text,
        partitions: Vec<TrimmedPartition>,
    }
}

message! {
    pub struct TrimmedPartition {
        partition: PartitionId,
        /// Where the log is to begin; `None`: at its high watermark.
        offset: Option<Offset>,
    }
}

impl Request for DeleteRecordsRequest {
    const KEY: ApiKey = ApiKey::DELETE_RECORDS;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = DeleteRecordsResponse;
}

message! {
    pub struct DeleteRecordsResponse {
        throttle_time_ms: i32,
        topics: Vec<TrimResult>,
    }
}

message! {
    pub struct TrimResult {
        name: Text,
        partitions: Vec<TrimPartitionResult>,
    }
}

message! {
    pub struct TrimPartitionResult {
        partition: PartitionId,
        /// The lowest log start offset of all replicas.
        low_watermark: Option<Offset>,
        error_code: ErrorCode,
    }
}
