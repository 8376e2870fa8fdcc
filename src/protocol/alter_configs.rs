//! AlterConfigs (33) v0-2: replaces all of a resource's configs. v1: throttles after the reply
//! (KIP-219); v2: flexible.
//! Never knows: which configs there are.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::describe_configs::ResourceType;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;

message! {
    pub struct AlterConfigsRequest {
        resources: Vec<ReplacedResource>,
        validate_only: bool,
    }
}

message! {
    pub struct ReplacedResource {
        kind: ResourceType,
        name: Text,
        configs: Vec<ReplacedConfig>,
    }
}

message! {
    pub struct ReplacedConfig {
        name: Text,
        value: Option<Text>,
    }
}

impl Request for AlterConfigsRequest {
    const KEY: ApiKey = ApiKey::ALTER_CONFIGS;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: i16 = 2;
    type Response = AlterConfigsResponse;
}

message! {
    pub struct AlterConfigsResponse {
        throttle_time_ms: i32,
        responses: Vec<AlteredResource>,
    }
}

message! {
    pub struct AlteredResource {
        error_code: ErrorCode,
        error_message: Option<Text>,
        kind: ResourceType,
        name: Text,
    }
}
