//! The batches of a partition as they lie in its log, read from its leader and written to it.
//! Never knows: who leads what, or what is in a batch.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::connection::Connection;
use super::error::{Error, Trouble};
use crate::protocol::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use crate::protocol::init_producer_id::InitProducerIdRequest;
use crate::protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic, OffsetSpec,
};
use crate::protocol::offset_for_leader_epoch::{
    EpochPartition, EpochTopic, OffsetForLeaderEpochRequest,
};
use crate::protocol::produce::{Acks, ProducePartition, ProduceRequest, ProduceTopic};
use crate::protocol::{ApiKey, ErrorCode, Isolation, Records, Request};
use crate::record::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId};

/// From the next version on, topics go by their ids.
pub(super) const FETCH_VERSION_MAX: i16 = 12;
pub(super) const PRODUCE_VERSION_MAX: i16 = 12;
/// So much at once; a batch that is larger comes whole all the same (KIP-74).
const FETCH_BYTES_MAX: i32 = 4 << 20;
/// How long a broker may wait for something to come.
const WAIT_MS: i32 = 500;

/// A piece of a log.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Whole batches, and perhaps a part of another one.
    pub batches: Bytes,
    /// The end of what is decided, so far.
    pub last_stable: Option<Offset>,
    /// Transactions that were aborted: the producer, the first offset.
    pub aborted: Vec<(ProducerId, Offset)>,
    /// A quota wants a pause.
    pub throttle: Duration,
}

/// Asks for what begins at this offset, so many bytes or one batch; decided or not.
pub(super) fn fetch_request(
    (topic, partition): (&str, PartitionId),
    from: Offset,
    bytes_max: i32,
) -> FetchRequest {
    let partition = FetchPartition {
        partition,
        fetch_offset: from,
        partition_max_bytes: bytes_max,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { name: topic.into(), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest {
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes: bytes_max,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

impl Connection {
    /// What is decided from this offset on, control batches and what was aborted too.
    pub fn fetch(
        &mut self,
        (topic, partition): (&str, PartitionId),
        from: Offset,
        deadline: Instant,
    ) -> Result<Fetched, Error> {
        let request = FetchRequest {
            isolation: Isolation::ReadCommitted,
            ..fetch_request((topic, partition), from, FETCH_BYTES_MAX)
        };
        let answer = self.call_within(&request, FETCH_VERSION_MAX, deadline)?;
        self.refuse::<FetchRequest>(answer.error_code, None)?;
        self.fetched(answer)
    }

    fn fetched(&self, answer: FetchResponse) -> Result<Fetched, Error> {
        let throttle_ms = u64::try_from(answer.throttle_time_ms).unwrap_or(0);
        let throttle = Duration::from_millis(throttle_ms);
        let mut partitions = answer.topics.into_iter().flat_map(|topic| topic.partitions);
        // Who is throttled hears of no partition.
        let Some(partition) = partitions.next() else {
            return Ok(Fetched { throttle, ..Fetched::default() });
        };
        self.refuse::<FetchRequest>(partition.error_code, None)?;
        let batches = partition.records.here().clone();
        let aborted = partition.aborted_transactions.unwrap_or_default().into_iter();
        let aborted = aborted.map(|it| (it.producer_id, it.first_offset)).collect();
        let last_stable = partition.last_stable_offset;
        Ok(Fetched { batches, last_stable, aborted, throttle })
    }

    /// The first offset that is there.
    pub fn log_start(
        &mut self,
        (topic, partition): (&str, PartitionId),
        deadline: Instant,
    ) -> Result<Offset, Error> {
        let spec = OffsetSpec::Earliest;
        let partition = ListOffsetsPartition { partition, spec, ..ListOffsetsPartition::default() };
        let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
        let request = ListOffsetsRequest { topics: vec![topic], ..ListOffsetsRequest::default() };
        let answer = self.call(&request, deadline)?;
        let partition = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(partition) = partition else {
            return Err(self.untold::<ListOffsetsRequest>());
        };
        self.refuse::<ListOffsetsRequest>(partition.error_code, None)?;
        partition.offset.ok_or_else(|| self.untold::<ListOffsetsRequest>())
    }

    /// Where the batches of this leader epoch end, and of those before; `None` where the leader
    /// knows no such epoch.
    pub fn end_of_epoch(
        &mut self,
        (topic, partition): (&str, PartitionId),
        leader_epoch: LeaderEpoch,
        deadline: Instant,
    ) -> Result<Option<Offset>, Error> {
        let partition = EpochPartition { partition, leader_epoch, ..EpochPartition::default() };
        let topic = EpochTopic { name: topic.into(), partitions: vec![partition] };
        let request = OffsetForLeaderEpochRequest {
            topics: vec![topic],
            ..OffsetForLeaderEpochRequest::default()
        };
        let answer = self.call(&request, deadline)?;
        let partition = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(partition) = partition else {
            return Err(self.untold::<OffsetForLeaderEpochRequest>());
        };
        self.refuse::<OffsetForLeaderEpochRequest>(partition.error_code, None)?;
        Ok(partition.end_offset)
    }

    /// An identity for a producer.
    pub fn identity(&mut self, deadline: Instant) -> Result<(ProducerId, ProducerEpoch), Error> {
        let request = InitProducerIdRequest {
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let answer = self.call(&request, deadline)?;
        self.refuse::<InitProducerIdRequest>(answer.error_code, None)?;
        let identity = answer.producer_id.zip(answer.producer_epoch);
        identity.ok_or_else(|| self.untold::<InitProducerIdRequest>())
    }

    /// Appends one batch, and says where it lies once all replicas have it.
    pub fn append(
        &mut self,
        (topic, partition): (&str, PartitionId),
        batch: Bytes,
        deadline: Instant,
    ) -> Result<Option<Offset>, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let partition = ProducePartition { partition, records: Records::Here(batch) };
        let topic = ProduceTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..ProduceTopic::default()
        };
        let request = ProduceRequest {
            acks: Acks::All,
            timeout_ms: i32::try_from(left.as_millis()).unwrap_or(i32::MAX),
            topics: vec![topic],
            ..ProduceRequest::default()
        };
        let answer = self.call_within(&request, PRODUCE_VERSION_MAX, deadline)?;
        let partition = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(partition) = partition else { return Err(self.untold::<ProduceRequest>()) };
        self.refuse::<ProduceRequest>(partition.error_code, partition.error_message)?;
        Ok(partition.base_offset)
    }

    pub(super) fn untold<R: Request>(&self) -> Error {
        let calling: ApiKey = R::KEY;
        let code = ErrorCode::UNKNOWN_SERVER_ERROR;
        self.error(Trouble::Refused { calling, code, message: None })
    }
}
