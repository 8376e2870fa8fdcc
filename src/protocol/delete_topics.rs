//! DeleteTopics (20) v1-6. v4: flexible; v5: error messages (KIP-599); v6: topic ids (KIP-516).
//! Never knows: what a broker deletes.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::Uuid;

message! {
    pub struct DeleteTopicsRequest {
        topics: Vec<DeleteTopic> [6.., strict],
        /// How topics are named before v6.
        topic_names: Vec<Text> [..=5, strict],
        timeout_ms: i32,
    }
}

message! {
    /// A topic by its name, or by its id where there is no name.
    pub struct DeleteTopic {
        name: Option<Text>,
        topic_id: Uuid,
    }
}

impl Request for DeleteTopicsRequest {
    const KEY: ApiKey = ApiKey::DELETE_TOPICS;
    const VERSIONS: RangeInclusive<i16> = 1..=6;
    const FLEXIBLE_FROM: i16 = 4;
    type Response = DeleteTopicsResponse;
}

message! {
    pub struct DeleteTopicsResponse {
        throttle_time_ms: i32,
        topics: Vec<DeletedTopic>,
    }
}

message! {
    pub struct DeletedTopic {
        name: Option<Text> [0..; null 6..],
        topic_id: Uuid [6..],
        error_code: ErrorCode,
        error_message: Option<Text> [5..],
    }
}
