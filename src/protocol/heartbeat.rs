//! Heartbeat (12) v0-4: a member is still there. v3: static members (KIP-345); v4: flexible.
//! Never knows: until when a member is believed.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct HeartbeatRequest {
        group_id: Text,
        generation: i32,
        member_id: Text,
        instance_id: Option<Text> [3.., strict],
    }
}

impl Request for HeartbeatRequest {
    const KEY: ApiKey = ApiKey::HEARTBEAT;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_FROM: i16 = 4;
    type Response = HeartbeatResponse;
}

message! {
    pub struct HeartbeatResponse {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
    }
}
