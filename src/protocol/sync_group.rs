//! SyncGroup (14) v0-5: a member wants its assignment, the leader brings everybody's. v3: static
//! members (KIP-345); v4: flexible; v5: the protocol's type and name (KIP-559).
//! Never knows: what is in an assignment.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct SyncGroupRequest {
        group_id: Text,
        generation: i32,
        member_id: Text,
        instance_id: Option<Text> [3.., strict],
        protocol_type: Option<Text> [5..],
        protocol_name: Option<Text> [5..],
        assignments: Vec<SyncAssignment>,
    }
}

message! {
    pub struct SyncAssignment {
        member_id: Text,
        assignment: Bytes,
    }
}

impl Request for SyncGroupRequest {
    const KEY: ApiKey = ApiKey::SYNC_GROUP;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: i16 = 4;
    type Response = SyncGroupResponse;
}

message! {
    pub struct SyncGroupResponse {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
        protocol_type: Option<Text> [5..],
        protocol_name: Option<Text> [5..],
        assignment: Bytes,
    }
}
