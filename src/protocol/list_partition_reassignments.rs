//! ListPartitionReassignments (46) v0 (KIP-455).
//! Never knows: which partitions move.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::{NodeId, Text};
use super::frame::Request;
use super::message::message;
use crate::record::PartitionId;

message! {
    pub struct ListPartitionReassignmentsRequest {
        timeout_ms: i32 = 60_000,
        /// `None` is all.
        topics: Option<Vec<ReassignmentTopic>>,
    }
}

message! {
    pub struct ReassignmentTopic {
        name: Text,
        partition_indexes: Vec<PartitionId>,
    }
}

impl Request for ListPartitionReassignmentsRequest {
    const KEY: ApiKey = ApiKey::LIST_PARTITION_REASSIGNMENTS;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: i16 = 0;
    type Response = ListPartitionReassignmentsResponse;
}

message! {
    pub struct ListPartitionReassignmentsResponse {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text>,
        topics: Vec<OngoingTopic>,
    }
}

message! {
    pub struct OngoingTopic {
        name: Text,
        partitions: Vec<OngoingPartition>,
    }
}

message! {
    pub struct OngoingPartition {
        partition: PartitionId,
        replicas: Vec<NodeId>,
        adding_replicas: Vec<NodeId>,
        removing_replicas: Vec<NodeId>,
    }
}
