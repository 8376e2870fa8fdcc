//! ApiVersions (18) v0-4: what a broker speaks. v1: throttle time; v3: flexible, client's software
//! (KIP-511), features (KIP-584); v4: features whose lowest version is 0.
//! Never knows: what is in the broker's table.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct ApiVersionsRequest {
        client_software_name: Text [3..],
        client_software_version: Text [3..],
    }
}

impl Request for ApiVersionsRequest {
    const KEY: ApiKey = ApiKey::API_VERSIONS;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_FROM: i16 = 3;
    type Response = ApiVersionsResponse;
}

message! {
    /// Before v4 a feature with `version_min` 0 must be left out: Java clients choke (KAFKA-17011).
    pub struct ApiVersionsResponse {
        error_code: ErrorCode,
        apis: Vec<ApiVersionRange>,
        throttle_time_ms: i32 [1..],
    }
    tagged {
        0 => supported_features: Vec<SupportedFeature> [3..],
        1 => finalized_features_epoch: i64 [3..] = -1,
        2 => finalized_features: Vec<FinalizedFeature> [3..],
        3 => zk_migration_ready: bool [3..],
    }
}

message! {
    pub struct ApiVersionRange {
        key: ApiKey,
        version_min: i16,
        version_max: i16,
    }
}

message! {
    pub struct SupportedFeature {
        name: Text,
        version_min: i16,
        version_max: i16,
    }
}

message! {
    pub struct FinalizedFeature {
        name: Text,
        level_max: i16,
        level_min: i16,
    }
}
