//! CreateTopics (19) v2-7. v4: -1 asks for the broker's defaults (KIP-464); v5: flexible, the
//! answer says what was made (KIP-525); v6: quotas; v7: topic ids (KIP-516).
//! Never knows: which names, counts and configs a broker takes.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::describe_configs::ConfigSource;
use super::error_code::ErrorCode;
use super::field::{NodeId, Text};
use super::frame::Request;
use super::message::message;
use crate::record::{PartitionId, Uuid};

message! {
    pub struct CreateTopicsRequest {
        topics: Vec<CreatableTopic>,
        timeout_ms: i32 = 60_000,
        validate_only: bool,
    }
}

message! {
    pub struct CreatableTopic {
        name: Text,
        /// -1 leaves it to the broker, and to `assignments` where there are any.
        partition_count: i32 = -1,
        /// As with `partition_count`.
        replication_factor: i16 = -1,
        assignments: Vec<ReplicaAssignment>,
        configs: Vec<CreatableConfig>,
    }
}

message! {
    pub struct ReplicaAssignment {
        partition: PartitionId,
        replicas: Vec<NodeId>,
    }
}

message! {
    pub struct CreatableConfig {
        name: Text,
        value: Option<Text>,
    }
}

impl Request for CreateTopicsRequest {
    const KEY: ApiKey = ApiKey::CREATE_TOPICS;
    const VERSIONS: RangeInclusive<i16> = 2..=7;
    const FLEXIBLE_FROM: i16 = 5;
    type Response = CreateTopicsResponse;
}

message! {
    pub struct CreateTopicsResponse {
        throttle_time_ms: i32,
        topics: Vec<CreatedTopic>,
    }
}

message! {
    pub struct CreatedTopic {
        name: Text,
        topic_id: Uuid [7..],
        error_code: ErrorCode,
        error_message: Option<Text>,
        partition_count: i32 [5..] = -1,
        replication_factor: i16 [5..] = -1,
        configs: Option<Vec<CreatedConfig>> [5..] = Some(Vec::new()),
    }
    tagged {
        /// Why there are no configs in the answer.
        0 => config_error_code: ErrorCode [5..],
    }
}

message! {
    pub struct CreatedConfig {
        name: Text,
        value: Option<Text>,
        read_only: bool,
        source: ConfigSource,
        is_sensitive: bool,
    }
}
