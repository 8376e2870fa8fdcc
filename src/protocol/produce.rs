//! Produce (0) v3-13: record batches into partitions. v5: log start offset; v8: per-record errors
//! (KIP-467); v9: flexible; v10: the new leader (KIP-951); v12: implies AddPartitionsToTxn
//! (KIP-890); v13: topic ids (KIP-516).
//! Never knows: what is in a batch. Records are a slice of the frame that brought them.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::error_code::ErrorCode;
use super::field::{NodeId, Text};
use super::frame::Request;
use super::message::message;
use crate::record::{LeaderEpoch, Offset, PartitionId, Timestamp, Uuid};

/// When a producer wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Acks {
    /// Never: there is no response, and an error closes the connection.
    None,
    Leader,
    #[default]
    All,
    Invalid(i16),
}

impl Field for Acks {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match i16::read(from)? {
            0 => Acks::None,
            1 => Acks::Leader,
            -1 => Acks::All,
            other => Acks::Invalid(other),
        })
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let number = match *self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
            Acks::Invalid(other) => other,
        };
        number.write(to)
    }

    fn size_min(_: Version) -> usize {
        2
    }
}

message! {
    pub struct ProduceRequest {
        transactional_id: Option<Text>,
        acks: Acks,
        timeout_ms: i32,
        topics: Vec<ProduceTopic>,
    }
}

message! {
    /// Up to v12 a topic goes by its name, from v13 by its id.
    pub struct ProduceTopic {
        name: Text [..=12],
        topic_id: Uuid [13..],
        partitions: Vec<ProducePartition>,
    }
}

message! {
    pub struct ProducePartition {
        partition: PartitionId,
        records: Option<Bytes>,
    }
}

impl Request for ProduceRequest {
    const KEY: ApiKey = ApiKey::PRODUCE;
    const VERSIONS: RangeInclusive<i16> = 3..=13;
    const FLEXIBLE_FROM: i16 = 9;
    type Response = ProduceResponse;
}

message! {
    pub struct ProduceResponse {
        topics: Vec<ProduceResponseTopic>,
        throttle_time_ms: i32,
    }
    tagged {
        0 => node_endpoints: Vec<NodeEndpoint> [10..],
    }
}

message! {
    pub struct ProduceResponseTopic {
        name: Text [..=12],
        topic_id: Uuid [13..],
        partitions: Vec<ProduceResponsePartition>,
    }
}

message! {
    pub struct ProduceResponsePartition {
        partition: PartitionId,
        error_code: ErrorCode,
        base_offset: Option<Offset>,
        /// Only when the log stamps its own times.
        log_append_time: Option<Timestamp>,
        log_start_offset: Option<Offset> [5..],
        record_errors: Vec<RecordError> [8..],
        error_message: Option<Text> [8..],
    }
    tagged {
        0 => current_leader: CurrentLeader [10..],
    }
}

message! {
    pub struct RecordError {
        batch_index: i32,
        message: Option<Text>,
    }
}

message! {
    /// Said with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH alone (KIP-951).
    pub struct CurrentLeader {
        leader: Option<NodeId>,
        leader_epoch: Option<LeaderEpoch>,
    }
}

message! {
    pub struct NodeEndpoint {
        node_id: NodeId,
        host: Text,
        port: i32,
        rack: Option<Text>,
    }
}
