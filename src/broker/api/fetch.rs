//! Fetch (1) v4-18. v5: log start; v7: sessions (KIP-227); v9: leader epochs (KIP-320); v12:
//! flexible, divergence (KIP-595); v13: topic ids (KIP-516). Left out: sessions (the answer is
//! always session 0, so clients ask in full), replicas, racks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Answer, Call, Outcome, unusable};
use crate::broker::node::Node;
use crate::broker::topic::{Batches, Extent, Partition, Read, Reader, Slice, Waiting};
use crate::log::{Aborted, ReadError};
use crate::protocol::fetch::{
    AbortedTransaction, DivergingEpoch, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchedPartition, FetchedTopic,
};
use crate::protocol::{ErrorCode, Isolation, Records};
use crate::record::LeaderEpoch;

/// A session that does not exist may be asked to end, and nothing else.
const SESSION_NONE: i32 = 0;
const EPOCH_FINAL: i32 = -1;
const EPOCH_INITIAL: i32 = 0;

pub fn handle(call: &mut Call<'_>, request: FetchRequest) -> Outcome<FetchResponse> {
    if let Some(error_code) = session_error(&request) {
        return FetchResponse { error_code, ..FetchResponse::default() }.into();
    }
    let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let fetch = Fetch::of(call, request);
    let answer = fetch.look();
    if wait == 0 || fetch.is_enough(&answer) {
        return Outcome::Now(answer.into());
    }
    let leave = call.node.handle.leave_asked();
    Outcome::Later(Box::pin(fetch.wait(Duration::from_millis(wait), leave)))
}

fn session_error(request: &FetchRequest) -> Option<ErrorCode> {
    match (request.session_id, request.session_epoch) {
        (SESSION_NONE, EPOCH_INITIAL | EPOCH_FINAL) | (_, EPOCH_FINAL) => None,
        (SESSION_NONE, _) => Some(ErrorCode::INVALID_FETCH_SESSION_EPOCH),
        _ => Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
    }
}

/// One partition that is asked for.
struct Wanted {
    partition: Result<Arc<Partition>, ErrorCode>,
    ask: FetchPartition,
}

/// A fetch that may have to wait.
struct Fetch {
    topics: Vec<(FetchTopic, Vec<Wanted>)>,
    bytes_min: usize,
    bytes_max: usize,
    isolation: Isolation,
    by_id: bool,
    _node: Arc<Node>,
}

/// What a look found.
struct Seen {
    response: FetchResponse,
    slices: Vec<Slice>,
    bytes: usize,
    has_errors: bool,
    /// Whether every partition is at its end: only a change there can bring more.
    asked_nothing: bool,
}

impl From<Seen> for Answer<FetchResponse> {
    fn from(seen: Seen) -> Self {
        Answer { response: seen.response, slices: seen.slices }
    }
}

impl Fetch {
    fn of(call: &Call<'_>, request: FetchRequest) -> Fetch {
        let by_id = 13 <= call.version;
        let topics = request.topics.into_iter().map(|mut topic| {
            let found = match by_id {
                true => {
                    call.node.topics.get_by_id(topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
                }
                false => {
                    call.node.topics.get(&topic.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                }
            };
            let asks = std::mem::take(&mut topic.partitions).into_iter();
            let wanted = asks.map(|ask| {
                let partition = found.as_ref().map_err(|error_code| *error_code);
                let partition = partition.and_then(|topic| {
                    let partition = topic.partition(ask.partition).cloned();
                    partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                });
                Wanted { partition, ask }
            });
            let wanted = wanted.collect();
            (topic, wanted)
        });
        let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0);
        let bytes_max = bytes_max.min(call.node.limits.fetch_bytes_max as usize);
        Fetch {
            topics: topics.collect(),
            // Who wants more than fits waits for no more than that (KafkaApis.scala).
            bytes_min: usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max),
            bytes_max,
            isolation: request.isolation,
            by_id,
            _node: call.node.clone(),
        }
    }

    fn is_enough(&self, seen: &Seen) -> bool {
        seen.has_errors || seen.asked_nothing || self.bytes_min <= seen.bytes
    }

    async fn wait(self, wait: Duration, mut leave: watch::Receiver<bool>) -> Answer<FetchResponse> {
        let deadline = tokio::time::Instant::now() + wait;
        let partitions = self.topics.iter().flat_map(|(_, wanted)| wanted);
        let partitions = partitions.filter_map(|wanted| wanted.partition.clone().ok());
        let mut partitions: Vec<_> = partitions.collect();
        // Whoever names one a million times waits on it once.
        partitions.sort_by_key(Arc::as_ptr);
        partitions.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let waiting = Waiting::on(partitions);
        loop {
            let seen = self.look();
            if self.is_enough(&seen) {
                return seen.into();
            }
            tokio::select! {
                () = waiting.changed() => {}
                () = tokio::time::sleep_until(deadline) => return self.look().into(),
                _ = leave.wait_for(|leave| *leave) => return self.look().into(),
            }
        }
    }

    /// Reads what is there now.
    fn look(&self) -> Seen {
        let mut look = Look {
            left: self.bytes_max,
            isolation: self.isolation,
            slices: Vec::new(),
            bytes: 0,
            has_errors: false,
        };
        let topics = self.topics.iter().map(|(topic, wanted)| FetchedTopic {
            name: if self.by_id { Default::default() } else { topic.name.clone() },
            topic_id: topic.topic_id,
            partitions: wanted.iter().map(|wanted| look.partition(wanted)).collect(),
        });
        let topics = topics.collect();
        let Look { slices, bytes, has_errors, .. } = look;
        let response = FetchResponse { topics, ..FetchResponse::default() };
        let asked_nothing = self.topics.iter().all(|(_, wanted)| wanted.is_empty());
        Seen { response, slices, bytes, has_errors, asked_nothing }
    }
}

struct Look {
    left: usize,
    isolation: Isolation,
    slices: Vec<Slice>,
    bytes: usize,
    has_errors: bool,
}

impl Look {
    fn partition(&mut self, wanted: &Wanted) -> FetchedPartition {
        let answer = self.read(wanted).unwrap_or_else(|refused| {
            self.has_errors = true;
            *refused
        });
        FetchedPartition { partition: wanted.ask.partition, ..answer }
    }

    fn read(&mut self, wanted: &Wanted) -> Result<FetchedPartition, Box<FetchedPartition>> {
        let partition = wanted.partition.as_ref().map_err(|error_code| refused(*error_code))?;
        let ask = &wanted.ask;
        check_epoch(ask.current_leader_epoch, partition.leader_epoch()).map_err(refused)?;
        if let Some(diverging) = diverging(partition, ask)? {
            self.has_errors = true;
            return Ok(diverging);
        }
        // The first batch comes whole however large it is (KIP-74); then the limits count.
        let first = self.slices.is_empty();
        let ask_max = usize::try_from(ask.partition_max_bytes).unwrap_or(0);
        let bytes_max = u32::try_from(ask_max.min(self.left)).unwrap_or(u32::MAX);
        let reader = match self.isolation {
            Isolation::ReadUncommitted => Reader::OfAll,
            Isolation::ReadCommitted => Reader::OfCommitted,
        };
        let Read { extent, batches } = partition
            .read(ask.fetch_offset, bytes_max.max(u32::from(first)), reader)
            .map_err(|why| refused(unusable(why)))?;
        let batches = batches.map_err(|error| unread(partition, extent, &error))?;
        let batches = batches.filter(|batches| first || batches.slice.bytes <= bytes_max);
        let mut answer = at(extent, self.isolation);
        if let Some(Batches { slice, aborted }) = batches {
            let bytes = slice.bytes as usize;
            self.left = self.left.saturating_sub(bytes);
            self.bytes += bytes;
            answer.records = Records::Elsewhere(bytes);
            answer.aborted_transactions = self.aborted(&aborted);
            self.slices.push(slice);
        }
        Ok(answer)
    }
}

impl Look {
    fn aborted(&self, found: &[Aborted]) -> Option<Vec<AbortedTransaction>> {
        let on_the_wire = |aborted: &Aborted| AbortedTransaction {
            producer_id: aborted.producer,
            first_offset: aborted.first,
        };
        let is_told = self.isolation == Isolation::ReadCommitted;
        is_told.then(|| found.iter().map(on_the_wire).collect())
    }
}

/// What a consumer learns of a log, without any batch.
fn at(extent: Extent, isolation: Isolation) -> FetchedPartition {
    FetchedPartition {
        high_watermark: Some(extent.end),
        last_stable_offset: Some(extent.stable_end),
        log_start_offset: Some(extent.start),
        aborted_transactions: match isolation {
            Isolation::ReadCommitted => Some(Vec::new()),
            Isolation::ReadUncommitted => None,
        },
        ..FetchedPartition::default()
    }
}

fn refused(error_code: ErrorCode) -> Box<FetchedPartition> {
    Box::new(FetchedPartition { error_code, ..FetchedPartition::default() })
}

fn unread(partition: &Partition, extent: Extent, error: &ReadError) -> Box<FetchedPartition> {
    match error {
        ReadError::OutOfRange { .. } => {
            let mut answer = refused(ErrorCode::OFFSET_OUT_OF_RANGE);
            answer.log_start_offset = Some(extent.start);
            answer.high_watermark = Some(extent.end);
            answer
        }
        ReadError::Disk { .. } => {
            let topic = &partition.core.name;
            tracing::error!(%topic, partition = %partition.id, %error, "cannot read");
            refused(ErrorCode::KAFKA_STORAGE_ERROR)
        }
    }
}

/// A client whose epoch is older or newer than ours must refresh its metadata (KIP-320).
pub fn check_epoch(theirs: Option<LeaderEpoch>, ours: LeaderEpoch) -> Result<(), ErrorCode> {
    match theirs {
        Some(theirs) if theirs < ours => Err(ErrorCode::FENCED_LEADER_EPOCH),
        Some(theirs) if ours < theirs => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

/// A client that read further under an epoch than this log went is told where they part (KIP-595).
fn diverging(
    partition: &Partition,
    ask: &FetchPartition,
) -> Result<Option<FetchedPartition>, Box<FetchedPartition>> {
    let Some(epoch) = ask.last_fetched_epoch else { return Ok(None) };
    let found = partition.ask(|log| (log.end_of_epoch(epoch), Extent::of(log)));
    let (end, extent) = found.map_err(|why| refused(unusable(why)))?;
    let Some((their_epoch, end_offset)) = end else {
        return Err(refused(ErrorCode::OFFSET_OUT_OF_RANGE));
    };
    if their_epoch == epoch && ask.fetch_offset <= end_offset {
        return Ok(None);
    }
    let mut answer = at(extent, Isolation::ReadUncommitted);
    answer.diverging_epoch =
        DivergingEpoch { epoch: Some(their_epoch), end_offset: Some(end_offset) };
    Ok(Some(answer))
}
