//! JoinGroup (11) v0-9: a member wants to be in the next generation. v1: its own rebalance timeout;
//! v4: an id first (KIP-394); v5: static members (KIP-345); v6: flexible; v7: the protocol's type;
//! v8: a reason (KIP-800); v9: the leader may leave the assignment as it is (KIP-814).
//! Never knows: who leads.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct JoinGroupRequest {
        group_id: Text,
        session_timeout_ms: i32,
        /// Before v1 it is the session's.
        rebalance_timeout_ms: i32 [1..] = -1,
        member_id: Text,
        instance_id: Option<Text> [5.., strict],
        protocol_type: Text,
        protocols: Vec<JoinProtocol>,
        reason: Option<Text> [8..],
    }
}

message! {
    pub struct JoinProtocol {
        name: Text,
        /// What the member says of itself: for consumers, its subscription.
        metadata: Bytes,
    }
}

impl Request for JoinGroupRequest {
    const KEY: ApiKey = ApiKey::JOIN_GROUP;
    const VERSIONS: RangeInclusive<i16> = 0..=9;
    const FLEXIBLE_FROM: i16 = 6;
    type Response = JoinGroupResponse;
}

message! {
    pub struct JoinGroupResponse {
        throttle_time_ms: i32 [2..],
        error_code: ErrorCode,
        generation: i32 = -1,
        protocol_type: Option<Text> [7..],
        protocol_name: Option<Text> [0..; null 7..],
        leader: Text,
        skip_assignment: bool [9..],
        member_id: Text,
        members: Vec<JoinedMember>,
    }
}

message! {
    /// A member as the leader is told of it.
    pub struct JoinedMember {
        member_id: Text,
        instance_id: Option<Text> [5..],
        metadata: Bytes,
    }
}
