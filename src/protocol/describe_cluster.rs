//! DescribeCluster (60) v0-2. v1: brokers or controllers (KIP-919); v2: fenced brokers (KIP-1073).
//! Never knows: who is in the cluster.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::error_code::ErrorCode;
use super::field::{NodeId, Text, wrapped};
use super::frame::Request;
use super::message::message;
use super::metadata::OPERATIONS_UNKNOWN;
use super::named::named;

named! {
    /// Whose addresses are asked for.
    EndpointType(i8) {
        BROKER = 1,
        CONTROLLER = 2,
    }
}

wrapped!(EndpointType(i8));

impl Default for EndpointType {
    fn default() -> Self {
        EndpointType::BROKER
    }
}

message! {
    pub struct DescribeClusterRequest {
        include_cluster_authorized_operations: bool,
        endpoint_type: EndpointType [1.., strict],
        include_fenced_brokers: bool [2.., strict],
    }
}

impl Request for DescribeClusterRequest {
    const KEY: ApiKey = ApiKey::DESCRIBE_CLUSTER;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: i16 = 0;
    type Response = DescribeClusterResponse;
}

message! {
    pub struct DescribeClusterResponse {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text>,
        endpoint_type: EndpointType [1..],
        cluster_id: Text,
        controller_id: Option<NodeId>,
        brokers: Vec<ClusterBroker>,
        cluster_authorized_operations: i32 = OPERATIONS_UNKNOWN,
    }
}

message! {
    pub struct ClusterBroker {
        broker_id: NodeId,
        host: Text,
        port: i32,
        rack: Option<Text>,
        is_fenced: bool [2..],
    }
}
