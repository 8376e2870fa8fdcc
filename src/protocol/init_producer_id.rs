//! InitProducerId (22) v0-5: an identity for a producer (KIP-98). v2: flexible; v3: resumes an
//! identity (KIP-360); v4: PRODUCER_FENCED; v5: TRANSACTION_ABORTABLE (KIP-890).
//! Left out: v6, two-phase commit, which Apache does not call stable.
//! Never knows: who handed out which id.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::{ProducerEpoch, ProducerId};

message! {
    pub struct InitProducerIdRequest {
        transactional_id: Option<Text>,
        transaction_timeout_ms: i32,
        producer_id: Option<ProducerId> [3.., strict],
        producer_epoch: Option<ProducerEpoch> [3.., strict],
    }
}

impl Request for InitProducerIdRequest {
    const KEY: ApiKey = ApiKey::INIT_PRODUCER_ID;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = InitProducerIdResponse;
}

message! {
    pub struct InitProducerIdResponse {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: Option<ProducerId>,
        producer_epoch: Option<ProducerEpoch>,
    }
}
