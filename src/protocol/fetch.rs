//! Fetch (1) v4-18: record batches out of partitions. v5: log start offset; v7: sessions (KIP-227);
//! v9: leader epochs (KIP-320); v11: racks (KIP-392); v12: flexible; v13: topic ids (KIP-516);
//! v15: replica state (KIP-903); v16: the new leader's address (KIP-951); v17, v18: for followers.
//! Never knows: what is in a batch.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::field::{Isolation, NodeId, Records, Text};
use super::frame::Request;
use super::message::message;
use super::produce::{CurrentLeader, NodeEndpoint};
use crate::record::{LeaderEpoch, Offset, PartitionId, ProducerId, Uuid};

message! {
    pub struct FetchRequest {
        /// A consumer has none.
        replica: Option<NodeId> [..=14, strict],
        max_wait_ms: i32,
        min_bytes: i32,
        max_bytes: i32 = i32::MAX,
        isolation: Isolation,
        session_id: i32 [7..],
        session_epoch: i32 [7..] = -1,
        topics: Vec<FetchTopic>,
        forgotten: Vec<ForgottenTopic> [7.., strict],
        rack: Text [11..],
    }
    tagged {
        0 => cluster_id: Option<Text> [12..],
        1 => replica_state: ReplicaState [15..],
    }
}

message! {
    pub struct ReplicaState {
        replica: Option<NodeId>,
        replica_epoch: i64 = -1,
    }
}

message! {
    /// Up to v12 a topic goes by its name, from v13 by its id.
    pub struct FetchTopic {
        name: Text [..=12],
        topic_id: Uuid [13..],
        partitions: Vec<FetchPartition>,
    }
}

message! {
    pub struct FetchPartition {
        partition: PartitionId,
        /// What the client takes for the leader's epoch.
        current_leader_epoch: Option<LeaderEpoch> [9..],
        fetch_offset: Offset,
        last_fetched_epoch: Option<LeaderEpoch> [12.., strict],
        log_start_offset: Option<Offset> [5..],
        partition_max_bytes: i32,
    }
    tagged {
        0 => replica_directory_id: Uuid [17..],
        1 => high_watermark: i64 [18..] = i64::MAX,
    }
}

message! {
    pub struct ForgottenTopic {
        name: Text [..=12],
        topic_id: Uuid [13..],
        partitions: Vec<PartitionId>,
    }
}

impl Request for FetchRequest {
    const KEY: ApiKey = ApiKey::FETCH;
    const VERSIONS: RangeInclusive<i16> = 4..=18;
    const FLEXIBLE_FROM: i16 = 12;
    type Response = FetchResponse;
}

message! {
    pub struct FetchResponse {
        throttle_time_ms: i32,
        error_code: ErrorCode [7..],
        session_id: i32 [7..],
        topics: Vec<FetchedTopic>,
    }
    tagged {
        0 => node_endpoints: Vec<NodeEndpoint> [16..],
    }
}

message! {
    pub struct FetchedTopic {
        name: Text [..=12],
        topic_id: Uuid [13..],
        partitions: Vec<FetchedPartition>,
    }
}

message! {
    pub struct FetchedPartition {
        partition: PartitionId,
        error_code: ErrorCode,
        high_watermark: Option<Offset>,
        last_stable_offset: Option<Offset>,
        log_start_offset: Option<Offset> [5..],
        aborted_transactions: Option<Vec<AbortedTransaction>>,
        preferred_read_replica: Option<NodeId> [11..],
        records: Records,
    }
    tagged {
        0 => diverging_epoch: DivergingEpoch [12..],
        1 => current_leader: CurrentLeader [12..],
        2 => snapshot_id: SnapshotId [12..],
    }
}

message! {
    pub struct AbortedTransaction {
        producer_id: ProducerId,
        first_offset: Offset,
    }
}

message! {
    pub struct DivergingEpoch {
        epoch: Option<LeaderEpoch>,
        end_offset: Option<Offset>,
    }
}

message! {
    pub struct SnapshotId {
        end_offset: Option<Offset>,
        epoch: Option<LeaderEpoch>,
    }
}
