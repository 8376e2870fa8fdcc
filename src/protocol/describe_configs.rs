//! DescribeConfigs (32) v1-4. v1: synonyms (KIP-226); v3: types and documentation (KIP-569); v4:
//! flexible.
//! Never knows: which configs there are.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::error_code::ErrorCode;
use super::field::{Text, wrapped};
use super::frame::Request;
use super::message::message;
use super::named::named;

named! {
    /// What has configs (ConfigResource.java).
    #[derive(Default)]
    ResourceType(i8) {
        UNKNOWN = 0,
        TOPIC = 2,
        BROKER = 4,
        BROKER_LOGGER = 8,
        CLIENT_METRICS = 16,
        GROUP = 32,
    }
}

named! {
    /// Where a value comes from (DescribeConfigsResponse.java).
    ConfigSource(i8) {
        TOPIC_CONFIG = 1,
        DYNAMIC_BROKER_CONFIG = 2,
        DYNAMIC_DEFAULT_BROKER_CONFIG = 3,
        STATIC_BROKER_CONFIG = 4,
        DEFAULT_CONFIG = 5,
        DYNAMIC_BROKER_LOGGER_CONFIG = 6,
        CLIENT_METRICS_CONFIG = 7,
        GROUP_CONFIG = 8,
    }
}

named! {
    /// How a value is written (DescribeConfigsResponse.java).
    #[derive(Default)]
    ConfigType(i8) {
        UNKNOWN = 0,
        BOOLEAN = 1,
        STRING = 2,
        INT = 3,
        SHORT = 4,
        LONG = 5,
        DOUBLE = 6,
        LIST = 7,
        CLASS = 8,
        PASSWORD = 9,
    }
}

wrapped!(ResourceType(i8), ConfigSource(i8), ConfigType(i8));

/// Kafka's own default: no source.
impl Default for ConfigSource {
    fn default() -> Self {
        ConfigSource(-1)
    }
}

message! {
    pub struct DescribeConfigsRequest {
        resources: Vec<ConfigResource>,
        include_synonyms: bool,
        include_documentation: bool [3.., strict],
    }
}

message! {
    pub struct ConfigResource {
        kind: ResourceType,
        name: Text,
        /// `None` is all.
        config_names: Option<Vec<Text>>,
    }
}

impl Request for DescribeConfigsRequest {
    const KEY: ApiKey = ApiKey::DESCRIBE_CONFIGS;
    const VERSIONS: RangeInclusive<i16> = 1..=4;
    const FLEXIBLE_FROM: i16 = 4;
    type Response = DescribeConfigsResponse;
}

message! {
    pub struct DescribeConfigsResponse {
        throttle_time_ms: i32,
        results: Vec<DescribedResource>,
    }
}

message! {
    pub struct DescribedResource {
        error_code: ErrorCode,
        error_message: Option<Text>,
        kind: ResourceType,
        name: Text,
        configs: Vec<DescribedConfig>,
    }
}

message! {
    pub struct DescribedConfig {
        name: Text,
        value: Option<Text>,
        read_only: bool,
        source: ConfigSource,
        is_sensitive: bool,
        synonyms: Vec<ConfigSynonym>,
        config_type: ConfigType [3..],
        documentation: Option<Text> [3..],
    }
}

message! {
    pub struct ConfigSynonym {
        name: Text,
        value: Option<Text>,
        source: ConfigSource,
    }
}
