//! DeleteGroups (42) v0-2: forgets groups and what they committed (KIP-229). v1: answered before
//! throttling; v2: flexible.
//! Never knows: which groups there are.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct DeleteGroupsRequest {
        group_ids: Vec<Text>,
    }
}

impl Request for DeleteGroupsRequest {
    const KEY: ApiKey = ApiKey::DELETE_GROUPS;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = DeleteGroupsResponse;
}

message! {
    pub struct DeleteGroupsResponse {
        throttle_time_ms: i32,
        groups: Vec<DeletedGroup>,
    }
}

message! {
    pub struct DeletedGroup {
        group_id: Text,
        error_code: ErrorCode,
    }
}
