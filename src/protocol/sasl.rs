//! SaslHandshake (17) v0-1: which mechanism. v1: tokens travel in SaslAuthenticate (KIP-152).
//! SaslAuthenticate (36) v0-2: its tokens. v1: session lifetime (KIP-368); v2: flexible.
//! Never knows: a mechanism, or a password's worth; tokens are never shown.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::{Secret, Text};
use super::frame::Request;
use super::message::message;

/// For messages that never became flexible.
const NEVER: i16 = i16::MAX;

message! {
    pub struct SaslHandshakeRequest {
        mechanism: Text,
    }
}

impl Request for SaslHandshakeRequest {
    const KEY: ApiKey = ApiKey::SASL_HANDSHAKE;
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: i16 = NEVER;
    type Response = SaslHandshakeResponse;
}

message! {
    pub struct SaslHandshakeResponse {
        error_code: ErrorCode,
        mechanisms: Vec<Text>,
    }
}

message! {
    pub struct SaslAuthenticateRequest {
        token: Secret,
    }
}

impl Request for SaslAuthenticateRequest {
    const KEY: ApiKey = ApiKey::SASL_AUTHENTICATE;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = SaslAuthenticateResponse;
}

message! {
    pub struct SaslAuthenticateResponse {
        error_code: ErrorCode,
        error_message: Option<Text>,
        token: Secret,
        /// 0: the session does not end.
        session_lifetime_ms: i64 [1..],
    }
}
