//! CreatePartitions (37) v0-3. v1: throttles after the reply (KIP-219); v2: flexible; v3: quotas
//! (KIP-599).
//! Never knows: how many partitions a topic has.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::{NodeId, Text};
use super::frame::Request;
use super::message::message;

message! {
    pub struct CreatePartitionsRequest {
        topics: Vec<GrownTopic>,
        timeout_ms: i32,
        validate_only: bool,
    }
}

message! {
    pub struct GrownTopic {
        name: Text,
        /// How many there are to be, the old ones included.
        count: i32,
        /// Of the new ones. `None` leaves it to the broker.
        assignments: Option<Vec<NewAssignment>> [0..; null 0..],
    }
}

message! {
    pub struct NewAssignment {
        replicas: Vec<NodeId>,
    }
}

impl Request for CreatePartitionsRequest {
    const KEY: ApiKey = ApiKey::CREATE_PARTITIONS;
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = CreatePartitionsResponse;
}

message! {
    pub struct CreatePartitionsResponse {
        throttle_time_ms: i32,
        results: Vec<GrownResult>,
    }
}

message! {
    pub struct GrownResult {
        name: Text,
        error_code: ErrorCode,
        error_message: Option<Text>,
    }
}
