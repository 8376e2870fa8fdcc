//! Metadata (3) v0-13: who leads what. v1: null asks for all topics; v4: the client decides on
//! creation; v7: leader epochs (KIP-320); v8: authorized operations; v9: flexible; v10: topic ids;
//! v12: asking by id (KIP-516); v13: an error for the whole (KIP-1102).
//! Never knows: how a broker finds its answer.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::{NodeId, Text};
use super::frame::Request;
use super::message::message;
use crate::record::{LeaderEpoch, PartitionId, Uuid};

/// What stands for the operations that were not asked for.
pub const OPERATIONS_UNKNOWN: i32 = i32::MIN;

message! {
    pub struct MetadataRequest {
        /// `None` is all topics; in v0, which has no null, an empty list is.
        topics: Option<Vec<MetadataRequestTopic>> [0..; null 1..],
        allow_auto_topic_creation: bool [4.., strict] = true,
        include_cluster_authorized_operations: bool [8..=10, strict],
        include_topic_authorized_operations: bool [8.., strict],
    }
}

message! {
    pub struct MetadataRequestTopic {
        topic_id: Uuid [10..],
        name: Option<Text> [0..; null 10..],
    }
}

impl Request for MetadataRequest {
    const KEY: ApiKey = ApiKey::METADATA;
    const VERSIONS: RangeInclusive<i16> = 0..=13;
    const FLEXIBLE_FROM: i16 = 9;
    type Response = MetadataResponse;
}

message! {
    pub struct MetadataResponse {
        throttle_time_ms: i32 [3..],
        brokers: Vec<MetadataBroker>,
        cluster_id: Option<Text> [2..],
        controller_id: Option<NodeId> [1..],
        topics: Vec<MetadataTopic>,
        cluster_authorized_operations: i32 [8..=10] = OPERATIONS_UNKNOWN,
        error_code: ErrorCode [13..],
    }
}

message! {
    pub struct MetadataBroker {
        node_id: NodeId,
        host: Text,
        port: i32,
        rack: Option<Text> [1..],
    }
}

message! {
    pub struct MetadataTopic {
        error_code: ErrorCode,
        name: Option<Text> [0..; null 12..],
        topic_id: Uuid [10..],
        is_internal: bool [1..],
        partitions: Vec<MetadataPartition>,
        authorized_operations: i32 [8..] = OPERATIONS_UNKNOWN,
    }
}

message! {
    pub struct MetadataPartition {
        error_code: ErrorCode,
        partition: PartitionId,
        leader: Option<NodeId>,
        leader_epoch: Option<LeaderEpoch> [7..],
        replicas: Arc<[NodeId]>,
        in_sync: Arc<[NodeId]>,
        offline: Arc<[NodeId]> [5..],
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode_response;
    use super::*;

    #[test]
    fn an_answer_of_ten_thousand_partitions_is_written_without_allocating_for_each() {
        let one: Arc<[NodeId]> = [NodeId(1)].into();
        let partition = |number| MetadataPartition {
            partition: PartitionId(number),
            leader: Some(NodeId(1)),
            leader_epoch: Some(LeaderEpoch(0)),
            replicas: one.clone(),
            in_sync: one.clone(),
            ..Default::default()
        };
        let topic = |number| MetadataTopic {
            name: Some(format!("topic-{number}").into()),
            partitions: (0..10).map(partition).collect(),
            ..Default::default()
        };
        let response =
            MetadataResponse { topics: (0..1000).map(topic).collect(), ..Default::default() };
        for version in MetadataRequest::VERSIONS {
            let mut size = 0;
            let used = allocation_counter::measure(|| {
                let frame = encode_response::<MetadataRequest>(&response, version, 1).unwrap();
                size = frame.size();
            });
            assert!(200_000 < size, "{size}");
            assert!(used.count_total < 20, "{used:?}");
        }
    }
}
