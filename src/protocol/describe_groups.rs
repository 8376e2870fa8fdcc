//! DescribeGroups (15) v0-6: who is in a group. v3: authorized operations (KIP-430); v4: static
//! members (KIP-345); v5: flexible; v6: an error for a group that is not there (KIP-1043).
//! Never knows: what a subscription says.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

/// Kafka's number for operations that nobody asked for.
const OPERATIONS_UNASKED: i32 = i32::MIN;

message! {
    pub struct DescribeGroupsRequest {
        groups: Vec<Text>,
        include_authorized_operations: bool [3..],
    }
}

impl Request for DescribeGroupsRequest {
    const KEY: ApiKey = ApiKey::DESCRIBE_GROUPS;
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: i16 = 5;
    type Response = DescribeGroupsResponse;
}

message! {
    pub struct DescribeGroupsResponse {
        throttle_time_ms: i32 [1..],
        groups: Vec<DescribedGroup>,
    }
}

message! {
    pub struct DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<Text> [6..],
        group_id: Text,
        state: Text,
        protocol_type: Text,
        /// The assignor of a stable group.
        protocol: Text,
        members: Vec<DescribedMember>,
        authorized_operations: i32 [3..] = OPERATIONS_UNASKED,
    }
}

message! {
    pub struct DescribedMember {
        member_id: Text,
        instance_id: Option<Text> [4..],
        client_id: Text,
        client_host: Text,
        metadata: Bytes,
        assignment: Bytes,
    }
}
