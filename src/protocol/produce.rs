//! Produce (0) v3-13: record batches into partitions. v5: log start offset; v8: per-record errors
//! (KIP-467); v9: flexible; v10: the new leader (KIP-951); v12: implies AddPartitionsToTxn
//! (KIP-890); v13: topic ids (KIP-516).
//! Never knows: what is in a batch. Records are a slice of the frame that brought them.

use std::ops::RangeInclusive;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Field, Reader, Version, Writer};
use super::error_code::ErrorCode;
use super::field::{NodeId, Records, Text};
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
        records: Records,
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{Envelope, encode_request};
    use super::*;

    /// A request with so many bytes of records, as its frame.
    fn frame(records_bytes: usize) -> Bytes {
        let records = Records::Here(Bytes::from(vec![b'r'; records_bytes]));
        let partition = ProducePartition { partition: PartitionId(0), records };
        let topic = ProduceTopic {
            name: "numbers".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = ProduceRequest { topics: vec![topic], ..Default::default() };
        Bytes::from(encode_request(&request, 9, 1, "me").unwrap().bytes).slice(4..)
    }

    #[test]
    fn records_are_never_copied() {
        let [small, large] = [1, 1 << 20].map(|records_bytes| {
            let frame = frame(records_bytes);
            let mut read = None;
            let used = allocation_counter::measure(|| {
                read = Some(Envelope::open(frame.clone()).unwrap().request::<ProduceRequest>());
            });
            let request = read.unwrap().unwrap();
            let records = request.topics[0].partitions[0].records.here();
            assert_eq!(records.len(), records_bytes);
            let frame = frame.as_ptr_range();
            assert!(frame.contains(&records.as_ptr()), "a slice of the frame");
            (used.count_total, used.bytes_total)
        });
        assert_eq!(small, large, "allocations and bytes");
        assert!(small.1 < 512, "{small:?}");
    }

    #[test]
    fn every_acks_is_itself_on_the_wire() {
        for number in [-2, -1, 0, 1, 2, i16::MAX] {
            let version = Version { number: 0, flexible: false };
            let bytes = Bytes::copy_from_slice(&number.to_be_bytes());
            let acks = Acks::read(&mut Reader::new(bytes, version)).unwrap();
            let known = [Acks::All, Acks::None, Acks::Leader].contains(&acks);
            assert_eq!(known, (-1..=1).contains(&number), "{acks:?}");
        }
    }
}
