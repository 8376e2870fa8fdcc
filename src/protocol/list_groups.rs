//! ListGroups (16) v0-5: which groups there are. v3: flexible; v4: by state (KIP-518); v5: by type
//! (KIP-848).
//! Never knows: where groups are kept.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct ListGroupsRequest {
        /// Empty: all.
        states: Vec<Text> [4.., strict],
        types: Vec<Text> [5.., strict],
    }
}

impl Request for ListGroupsRequest {
    const KEY: ApiKey = ApiKey::LIST_GROUPS;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: i16 = 3;
    type Response = ListGroupsResponse;
}

message! {
    pub struct ListGroupsResponse {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode,
        groups: Vec<ListedGroup>,
    }
}

message! {
    pub struct ListedGroup {
        group_id: Text,
        protocol_type: Text,
        state: Text [4..],
        kind: Text [5..],
    }
}
