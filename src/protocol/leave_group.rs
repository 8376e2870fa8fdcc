//! LeaveGroup (13) v0-5: members leave. v3: several at once, static ones by their instance id
//! (KIP-345); v4: flexible; v5: reasons (KIP-800).
//! Never knows: what a group does without them.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct LeaveGroupRequest {
        group_id: Text,
        /// Who leaves, before v3.
        member_id: Text [..=2, strict],
        members: Vec<LeavingMember> [3.., strict],
    }
}

message! {
    pub struct LeavingMember {
        /// Empty where an administrator names the instance id alone.
        member_id: Text,
        instance_id: Option<Text>,
        reason: Option<Text> [5..],
    }
}

impl Request for LeaveGroupRequest {
    const KEY: ApiKey = ApiKey::LEAVE_GROUP;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: i16 = 4;
    type Response = LeaveGroupResponse;
}

message! {
    pub struct LeaveGroupResponse {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
        members: Vec<LeftMember> [3..],
    }
}

message! {
    pub struct LeftMember {
        member_id: Text,
        instance_id: Option<Text>,
        error_code: ErrorCode,
    }
}
