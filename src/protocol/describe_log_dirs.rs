//! DescribeLogDirs (35) v1-4 (KIP-113). v1: throttles after the reply (KIP-219); v2: flexible; v3:
//! an error for the whole (KIP-784); v4: the size of the volume (KIP-827).
//! Never knows: what lies where.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::PartitionId;

message! {
    pub struct DescribeLogDirsRequest {
        /// `None` is all.
        topics: Option<Vec<DescribableTopic>>,
    }
}

message! {
    pub struct DescribableTopic {
        name: Text,
        partitions: Vec<PartitionId>,
    }
}

impl Request for DescribeLogDirsRequest {
    const KEY: ApiKey = ApiKey::DESCRIBE_LOG_DIRS;
    const VERSIONS: RangeInclusive<i16> = 1..=4;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = DescribeLogDirsResponse;
}

message! {
    pub struct DescribeLogDirsResponse {
        throttle_time_ms: i32,
        error_code: ErrorCode [3..],
        results: Vec<DescribedLogDir>,
    }
}

message! {
    pub struct DescribedLogDir {
        error_code: ErrorCode,
        log_dir: Text,
        topics: Vec<DescribedTopic>,
        total_bytes: i64 [4..] = -1,
        usable_bytes: i64 [4..] = -1,
    }
}

message! {
    pub struct DescribedTopic {
        name: Text,
        partitions: Vec<DescribedPartition>,
    }
}

message! {
    pub struct DescribedPartition {
        partition: PartitionId,
        /// Of the segments; indexes do not count.
        partition_size: i64,
        /// How far the log's end is ahead of its high watermark.
        offset_lag: i64,
        /// Whether it is moving here from another directory.
        is_future_key: bool,
    }
}
