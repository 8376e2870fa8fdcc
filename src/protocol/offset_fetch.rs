//! OffsetFetch (9) v1-9: what a group has committed. v2: null asks for all, and an error for the
//! whole; v3: throttling; v5: leader epochs (KIP-320); v6: flexible; v7: whether to wait for
//! transactions (KIP-447); v8: many groups at once (KIP-709); v9: members of KIP-848.
//! Never knows: which groups there are.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::{LeaderEpoch, Offset, PartitionId};

message! {
    pub struct OffsetFetchRequest {
        group_id: Text [..=7, strict],
        /// `None` asks for all.
        topics: Option<Vec<OffsetFetchTopic>> [..=7; null 2.., strict] = Some(Vec::new()),
        groups: Vec<OffsetFetchGroup> [8.., strict],
        require_stable: bool [7.., strict],
    }
}

message! {
    pub struct OffsetFetchGroup {
        group_id: Text,
        member_id: Option<Text> [9..],
        member_epoch: i32 [9..] = -1,
        /// `None` asks for all.
        topics: Option<Vec<OffsetFetchTopic>>,
    }
}

message! {
    pub struct OffsetFetchTopic {
        name: Text,
        partitions: Vec<PartitionId>,
    }
}

impl Request for OffsetFetchRequest {
    const KEY: ApiKey = ApiKey::OFFSET_FETCH;
    const VERSIONS: RangeInclusive<i16> = 1..=9;
    const FLEXIBLE_FROM: i16 = 6;
    type Response = OffsetFetchResponse;
}

message! {
    pub struct OffsetFetchResponse {
        throttle_time_ms: i32 [3..],
        topics: Vec<FetchedTopic> [..=7],
        error_code: ErrorCode [2..=7],
        groups: Vec<FetchedGroup> [8..],
    }
}

message! {
    pub struct FetchedGroup {
        group_id: Text,
        topics: Vec<FetchedTopic>,
        error_code: ErrorCode,
    }
}

message! {
    pub struct FetchedTopic {
        name: Text,
        partitions: Vec<FetchedOffset>,
    }
}

message! {
    pub struct FetchedOffset {
        partition: PartitionId,
        /// `None`: nothing was committed.
        offset: Option<Offset>,
        leader_epoch: Option<LeaderEpoch> [5..],
        /// Empty where nothing was committed; older clients do not take null.
        metadata: Option<Text> = Some(Text::default()),
        error_code: ErrorCode,
    }
}
