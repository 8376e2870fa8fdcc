//! FindCoordinator (10) v0-6: which broker looks after a group or a transactional id. v1: what the
//! key is of; v3: flexible; v4: several keys at once (KIP-699); v6: share groups (KIP-932).
//! Never knows: which broker that is.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::error_code::ErrorCode;
use super::field::{NodeId, Text, wrapped};
use super::frame::Request;
use super::message::message;
use super::named::named;

named! {
    /// What a key is of (CoordinatorType.java).
    #[derive(Default)]
    CoordinatorKind(i8) {
        GROUP = 0,
        TRANSACTION = 1,
        SHARE = 2,
    }
}

wrapped!(CoordinatorKind(i8));

message! {
    pub struct FindCoordinatorRequest {
        /// Before v4.
        key: Text [..=3],
        kind: CoordinatorKind [1..],
        keys: Vec<Text> [4.., strict],
    }
}

impl Request for FindCoordinatorRequest {
    const KEY: ApiKey = ApiKey::FIND_COORDINATOR;
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: i16 = 3;
    type Response = FindCoordinatorResponse;
}

message! {
    pub struct FindCoordinatorResponse {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [..=3],
        error_message: Option<Text> [1..=3],
        node: Option<NodeId> [..=3] = Some(NodeId(0)),
        host: Text [..=3],
        port: i32 [..=3],
        coordinators: Vec<Coordinator> [4..],
    }
}

message! {
    pub struct Coordinator {
        key: Text,
        node: Option<NodeId>,
        host: Text,
        port: i32,
        error_code: ErrorCode,
        error_message: Option<Text>,
    }
}
