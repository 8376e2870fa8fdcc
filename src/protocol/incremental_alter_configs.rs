//! IncrementalAlterConfigs (44) v0-1 (KIP-339): changes single configs. v1: flexible.
//! Never knows: which configs there are.

use std::ops::RangeInclusive;

use super::alter_configs::AlterConfigsResponse;
use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::describe_configs::ResourceType;
use super::field::{Text, wrapped};
use super::frame::Request;
use super::message::message;
use super::named::named;

named! {
    /// What happens to a config (AlterConfigOp.java).
    #[derive(Default)]
    ConfigOperation(i8) {
        SET = 0,
        DELETE = 1,
        APPEND = 2,
        SUBTRACT = 3,
    }
}

wrapped!(ConfigOperation(i8));

message! {
    pub struct IncrementalAlterConfigsRequest {
        resources: Vec<AlterableResource>,
        validate_only: bool,
    }
}

message! {
    pub struct AlterableResource {
        kind: ResourceType,
        name: Text,
        configs: Vec<AlterableConfig>,
    }
}

message! {
    pub struct AlterableConfig {
        name: Text,
        operation: ConfigOperation,
        value: Option<Text>,
    }
}

impl Request for IncrementalAlterConfigsRequest {
    const KEY: ApiKey = ApiKey::INCREMENTAL_ALTER_CONFIGS;
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: i16 = 1;
    /// Field by field what AlterConfigs answers.
    type Response = AlterConfigsResponse;
}
