//! Fetch (1) v4-18. v5: log start; v7: sessions (KIP-227); v9: leader epochs (KIP-320); v12:
//! flexible, divergence (KIP-595); v13: topic ids (KIP-516). Left out: replicas, racks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Answer, Call, Outcome, unusable};
use crate::broker::fetch_session::{
    Asked, Context, Finding, Key, Naming, News, Told, TopicKey, Wanted,
};
use crate::broker::node::Node;
use crate::broker::topic::{Batches, Extent, Partition, Read, Reader, Slice, Topic, Waiting, now};
use crate::log::{Aborted, ReadError};
use crate::protocol::fetch::{
    AbortedTransaction, DivergingEpoch, FetchPartition, FetchRequest, FetchResponse,
    FetchedPartition, FetchedTopic,
};
use crate::protocol::{ErrorCode, Isolation, Records};
use crate::record::LeaderEpoch;

pub fn handle(call: &mut Call<'_>, mut request: FetchRequest) -> Outcome<FetchResponse> {
    let asked = asked(call.version, &mut request);
    let opened = call.node.fetch_sessions().open(asked, call.now);
    let (context, wanted) = match opened {
        Ok(opened) => opened,
        Err(error_code) => {
            return FetchResponse { error_code, ..FetchResponse::default() }.into();
        }
    };
    let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let fetch = Fetch::of(call.node, &request, context, wanted);
    let seen = fetch.look();
    if wait == 0 || fetch.is_enough(&seen) {
        return Outcome::Now(fetch.answer(seen));
    }
    let leave = call.node.handle.leave_asked();
    Outcome::Later(Box::pin(fetch.wait(Duration::from_millis(wait), leave)))
}

/// What the request says of its session.
fn asked(version: i16, request: &mut FetchRequest) -> Asked {
    let naming = if 13 <= version { Naming::Ids } else { Naming::Names };
    let topic_key = |name: &crate::protocol::Text, id| match naming {
        Naming::Ids => TopicKey::Id(id),
        Naming::Names => TopicKey::Name(name.clone()),
    };
    let topics = std::mem::take(&mut request.topics).into_iter();
    let asks = topics.flat_map(|topic| {
        let key = topic_key(&topic.name, topic.topic_id);
        let asks = topic.partitions.into_iter();
        asks.map(move |ask| (Key { topic: key.clone(), partition: ask.partition }, ask))
    });
    let asks = asks.collect();
    let topics = std::mem::take(&mut request.forgotten).into_iter();
    let forgotten = topics.flat_map(|topic| {
        let key = topic_key(&topic.name, topic.topic_id);
        let all = topic.partitions.into_iter();
        all.map(move |partition| Key { topic: key.clone(), partition })
    });
    let forgotten = forgotten.collect();
    Asked { id: request.session_id, epoch: request.session_epoch, naming, asks, forgotten }
}

/// A fetch that may have to wait.
struct Fetch {
    context: Context,
    wanted: Vec<Wanted>,
    /// One for each that is wanted.
    partitions: Vec<Result<Arc<Partition>, ErrorCode>>,
    bytes_min: usize,
    bytes_max: usize,
    isolation: Isolation,
    node: Arc<Node>,
}

/// What a look found, for each that is wanted.
struct Seen {
    partitions: Vec<FetchedPartition>,
    slices: Vec<Slice>,
    bytes: usize,
    has_errors: bool,
}

impl Fetch {
    fn of(
        node: &Arc<Node>,
        request: &FetchRequest,
        context: Context,
        wanted: Vec<Wanted>,
    ) -> Fetch {
        let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0);
        let bytes_max = bytes_max.min(node.limits.fetch_bytes_max as usize);
        Fetch {
            partitions: resolve(node, &wanted),
            context,
            wanted,
            // Who wants more than fits waits for no more than that (KafkaApis.scala).
            bytes_min: usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max),
            bytes_max,
            isolation: request.isolation,
            node: node.clone(),
        }
    }

    fn is_enough(&self, seen: &Seen) -> bool {
        seen.has_errors || self.wanted.is_empty() || self.bytes_min <= seen.bytes
    }

    async fn wait(self, wait: Duration, mut leave: watch::Receiver<bool>) -> Answer<FetchResponse> {
        let deadline = tokio::time::Instant::now() + wait;
        let partitions = self.partitions.iter();
        let mut partitions: Vec<_> = partitions.filter_map(|found| found.clone().ok()).collect();
        // One name and its topic's id may both lead here: whoever waits waits once.
        partitions.sort_by_key(Arc::as_ptr);
        partitions.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let waiting = Waiting::on(partitions);
        loop {
            let seen = self.look();
            if self.is_enough(&seen) {
                return self.answer(seen);
            }
            tokio::select! {
                () = waiting.changed() => {}
                () = tokio::time::sleep_until(deadline) => return self.answer(self.look()),
                _ = leave.wait_for(|leave| *leave) => return self.answer(self.look()),
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
        let found = self.wanted.iter().zip(&self.partitions);
        let partitions =
            found.map(|(wanted, partition)| look.partition(partition, &wanted.ask)).collect();
        let Look { slices, bytes, has_errors, .. } = look;
        Seen { partitions, slices, bytes, has_errors }
    }

    /// What of it the client has not been told.
    fn answer(&self, seen: Seen) -> Answer<FetchResponse> {
        let findings: Vec<Finding> = seen.partitions.iter().map(finding).collect();
        let mut sessions = self.node.fetch_sessions();
        let answer = sessions.answer(&self.context, &self.wanted, &findings, now());
        drop(sessions);
        let mut topics: Vec<FetchedTopic> = Vec::new();
        let mut last: Option<&TopicKey> = None;
        let found = self.wanted.iter().zip(seen.partitions).zip(answer.included);
        for ((wanted, partition), _) in found.filter(|(_, is_included)| *is_included) {
            if last != Some(&wanted.key.topic) {
                topics.push(topic_of(&wanted.key.topic));
                last = Some(&wanted.key.topic);
            }
            topics.last_mut().expect("it was just there").partitions.push(partition);
        }
        let slices = if answer.error_code.is_error() { Vec::new() } else { seen.slices };
        let (error_code, session_id) = (answer.error_code, answer.session_id);
        let response = FetchResponse { error_code, session_id, topics, ..FetchResponse::default() };
        Answer { response, slices }
    }
}

fn topic_of(key: &TopicKey) -> FetchedTopic {
    match key {
        TopicKey::Name(name) => FetchedTopic { name: name.clone(), ..FetchedTopic::default() },
        TopicKey::Id(id) => FetchedTopic { topic_id: *id, ..FetchedTopic::default() },
    }
}

/// The partitions by their names; those of one topic mostly come together.
fn resolve(node: &Node, wanted: &[Wanted]) -> Vec<Result<Arc<Partition>, ErrorCode>> {
    let mut last: Option<(&TopicKey, Result<Arc<Topic>, ErrorCode>)> = None;
    let mut partitions = Vec::with_capacity(wanted.len());
    for Wanted { key, .. } in wanted {
        if last.as_ref().is_none_or(|(topic, _)| *topic != &key.topic) {
            let found = match &key.topic {
                TopicKey::Id(id) => node.topics.get_by_id(*id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
                TopicKey::Name(name) => {
                    node.topics.get(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                }
            };
            last = Some((&key.topic, found));
        }
        let (_, topic) = last.as_ref().expect("it was just found");
        partitions.push(topic.as_ref().map_err(|error_code| *error_code).and_then(|topic| {
            let partition = topic.partition(key.partition).cloned();
            partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        }));
    }
    partitions
}

/// What a session has to know of an answer (CachedPartition.maybeUpdateResponseData).
fn finding(partition: &FetchedPartition) -> Finding {
    let told =
        Told { high_watermark: partition.high_watermark, log_start: partition.log_start_offset };
    let news = match &partition.records {
        _ if partition.error_code.is_error() => News::Error,
        _ if partition.diverging_epoch != DivergingEpoch::default() => News::Divergence,
        Records::Elsewhere(bytes) if 0 < *bytes => News::Records,
        _ => News::None,
    };
    Finding { told, news }
}

struct Look {
    left: usize,
    isolation: Isolation,
    slices: Vec<Slice>,
    bytes: usize,
    has_errors: bool,
}

impl Look {
    fn partition(
        &mut self,
        partition: &Result<Arc<Partition>, ErrorCode>,
        ask: &FetchPartition,
    ) -> FetchedPartition {
        let answer = self.read(partition, ask).unwrap_or_else(|refused| {
            self.has_errors = true;
            *refused
        });
        FetchedPartition { partition: ask.partition, ..answer }
    }

    fn read(
        &mut self,
        partition: &Result<Arc<Partition>, ErrorCode>,
        ask: &FetchPartition,
    ) -> Result<FetchedPartition, Box<FetchedPartition>> {
        let partition = partition.as_ref().map_err(|error_code| refused(*error_code))?;
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
        let batches = batches.map_err(|error| unread(partition, &error))?;
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

fn unread(partition: &Partition, error: &ReadError) -> Box<FetchedPartition> {
    match error {
        ReadError::OutOfRange { .. } => refused(ErrorCode::OFFSET_OUT_OF_RANGE),
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
