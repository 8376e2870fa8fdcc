//! Our own APIs, Status (32000) and Leave (32001), both v0: what `kaw broker status` shows, and how
//! a broker is asked to go. They are served on the door of a data directory alone.
//! Never knows: how a broker counts, or how it leaves.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::Text;
use super::frame::Request;
use super::message::message;
use crate::record::Timestamp;

message! {
    pub struct StatusRequest {
    }
}

impl Request for StatusRequest {
    const KEY: ApiKey = ApiKey::STATUS;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: i16 = 0;
    type Response = StatusResponse;
}

message! {
    pub struct StatusResponse {
        error_code: ErrorCode,
        /// kaw's version.
        version: Text,
        pid: i32,
        started_at: Timestamp,
        cluster_id: Text,
        data_dir: Text,
        /// The directory goes when the broker does.
        is_ephemeral: bool,
        /// `fsync` or `os`.
        durability: Text,
        /// How long it stays after the last client left; -1: until it is stopped.
        linger_ms: i64,
        /// On its way out.
        is_leaving: bool,
        listeners: Vec<StatusListener>,
        topic_count: i32,
        partition_count: i32,
        /// What the data directory takes of the disk.
        bytes: i64,
        /// What is free where the data directory lies.
        bytes_free: i64,
        bytes_resident: i64,
        clients: Vec<StatusClient>,
    }
    tagged {
        /// What went wrong since it began.
        0 => trouble_count: i64 [0..],
        /// The last of it, as the log has it, and when.
        1 => trouble: Option<Text> [0..],
        2 => trouble_at: Timestamp [0..],
    }
}

message! {
    pub struct StatusListener {
        name: Text,
        /// HOST:PORT, as clients reach it.
        address: Text,
        /// PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL.
        security_protocol: Text,
    }
}

message! {
    /// A connection.
    pub struct StatusClient {
        address: Text,
        client_id: Text,
        /// As the client named it in ApiVersions, such as `librdkafka 2.12.1`; empty if it did not.
        software: Text,
        listener: Text,
        connected_at: Timestamp,
        request_count: i64,
        bytes_in: i64,
        bytes_out: i64,
    }
}

message! {
    pub struct LeaveRequest {
        /// Who asks, for the broker's log.
        reason: Text,
    }
}

impl Request for LeaveRequest {
    const KEY: ApiKey = ApiKey::LEAVE;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: i16 = 0;
    type Response = LeaveResponse;
}

message! {
    /// The broker has begun to leave. It has left when it gives up the lock of its directory.
    pub struct LeaveResponse {
        error_code: ErrorCode,
        error_message: Option<Text>,
        pid: i32,
    }
}
