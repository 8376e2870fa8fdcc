//! Produce (0) v3-13, advertised from 0. v5: log start; v8: per-record errors (KIP-467); v9:
//! flexible; v13: topic ids (KIP-516). Left out: transactions (v12's implicit start of one).

use bytes::Bytes;

use super::{Call, Outcome, text, unusable};
use crate::broker::Durability;
use crate::broker::node::Node;
use crate::broker::session::Entrance;
use crate::broker::topic::{Partition, Ticket, Topic, Unusable, names};
use crate::log::AppendError;
use crate::protocol::ErrorCode;
use crate::protocol::produce::{
    Acks, ProducePartition, ProduceRequest, ProduceResponse, ProduceResponsePartition,
    ProduceResponseTopic, ProduceTopic, RecordError,
};
use crate::record::{Invalid, Keys, Offset, Rules, Timestamp, Zstd, validate};
use std::sync::Arc;

pub fn handle(call: &mut Call<'_>, request: ProduceRequest) -> Outcome<ProduceResponse> {
    let acks = request.acks;
    let mut appender = Appender {
        node: call.node,
        entrance: call.session.entrance,
        version: call.version,
        now: call.now,
        refusal: refusal(&request),
        promises: Vec::new(),
        failed: false,
    };
    let topics = request.topics.into_iter().enumerate();
    let topics = topics.map(|(n, topic)| appender.topic(n, topic)).collect();
    let Appender { promises, failed, .. } = appender;
    let response = ProduceResponse { topics, ..ProduceResponse::default() };
    match acks {
        // No response is how such a client is served; closing is how it learns of an error.
        Acks::None if failed => Outcome::Close("a record with acks=0 was refused".into()),
        Acks::None => Outcome::Silent,
        Acks::All if call.node.durability() == Durability::Fsync && !promises.is_empty() => {
            let catalogue = call.node.topics.catalogue_durable();
            let tickets = promises.into_iter().map(Promise::ask).collect();
            let failure = storage_error(call.session.entrance);
            Outcome::Later(Box::pin(kept(response, tickets, catalogue, failure)))
        }
        _ => response.into(),
    }
}

/// What is wrong with the request as a whole.
fn refusal(request: &ProduceRequest) -> Option<ErrorCode> {
    match request.acks {
        Acks::Invalid(_) => Some(ErrorCode::INVALID_REQUIRED_ACKS),
        _ if request.transactional_id.is_some() => Some(ErrorCode::INVALID_PRODUCER_ID_MAPPING),
        _ => None,
    }
}

/// A batch that was appended, by its place in the response.
struct Promise {
    topic: usize,
    at: usize,
    partition: Arc<Partition>,
    end: Offset,
}

struct Asked {
    topic: usize,
    at: usize,
    partition: Arc<Partition>,
    ticket: Ticket,
}

impl Promise {
    /// All are asked before any is awaited, so that their syncs run side by side.
    fn ask(self) -> Asked {
        let Promise { topic, at, partition, end } = self;
        let ticket = partition.durable(end);
        Asked { topic, at, partition, ticket }
    }
}

async fn kept(
    mut response: ProduceResponse,
    asked: Vec<Asked>,
    catalogue: Ticket,
    failure: ErrorCode,
) -> super::Answer<ProduceResponse> {
    // What says that there is such a topic counts as much as what is in it.
    let catalogue = catalogue.wait().await;
    for Asked { topic, at, partition, ticket } in asked {
        if ticket.wait().await.and(catalogue).is_err() {
            let (error_code, why) = match partition.is_gone() {
                true => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted"),
                false => (failure, "the disk did not sync"),
            };
            let partition = &mut response.topics[topic].partitions[at];
            *partition = failed(partition, error_code, why);
        }
    }
    response.into()
}

fn failed(
    partition: &ProduceResponsePartition,
    error_code: ErrorCode,
    why: &str,
) -> ProduceResponsePartition {
    ProduceResponsePartition {
        partition: partition.partition,
        error_code,
        error_message: Some(text(why)),
        ..ProduceResponsePartition::default()
    }
}

struct Appender<'a> {
    node: &'a Node,
    entrance: Entrance,
    version: i16,
    now: Timestamp,
    refusal: Option<ErrorCode>,
    promises: Vec<Promise>,
    failed: bool,
}

impl Appender<'_> {
    fn topic(&mut self, n: usize, wanted: ProduceTopic) -> ProduceResponseTopic {
        let by_id = 13 <= self.version;
        let (topic, unknown) = match by_id {
            true => (self.node.topics.get_by_id(wanted.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
            false => (self.node.topics.get(&wanted.name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        let topic = topic.ok_or(unknown);
        let partitions = wanted.partitions.into_iter().enumerate().map(|(at, wanted)| {
            let id = wanted.partition;
            let mut answer = self.partition(&topic, (n, at), wanted).unwrap_or_else(|e| *e);
            self.failed |= answer.error_code != ErrorCode::NONE;
            answer.partition = id;
            answer
        });
        let partitions = partitions.collect();
        ProduceResponseTopic { name: wanted.name, topic_id: wanted.topic_id, partitions }
    }

    fn partition(
        &mut self,
        topic: &Result<Arc<Topic>, ErrorCode>,
        place: (usize, usize),
        wanted: ProducePartition,
    ) -> Result<ProduceResponsePartition, Box<ProduceResponsePartition>> {
        if let Some(error_code) = self.refusal {
            return Err(refused(error_code));
        }
        let topic = topic.as_ref().map_err(|error_code| refused(*error_code))?;
        let partition = topic
            .partition(wanted.partition)
            .ok_or_else(|| refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
        // What lies there is the broker's own, and read by it (ReplicaManager.appendToLocalLog).
        if names::is_internal(topic.name()) {
            let mut answer = refused(ErrorCode::INVALID_TOPIC_EXCEPTION);
            let why = format!("Cannot append to internal topic {}", topic.name());
            answer.error_message = Some(text(why));
            return Err(answer);
        }
        let (answer, end) = self.append(partition, wanted.records.here())?;
        let (topic, at) = place;
        self.promises.push(Promise { topic, at, partition: partition.clone(), end });
        Ok(answer)
    }

    fn append(
        &mut self,
        partition: &Partition,
        records: &Bytes,
    ) -> Result<(ProduceResponsePartition, Offset), Box<ProduceResponsePartition>> {
        let rules = self.rules(partition);
        let valid = validate(records, &rules).map_err(|why| invalid(&why))?;
        if valid.batch.is_transactional() {
            // Without a transactional id nobody could ever decide it (KafkaApis.scala).
            return Err(refused(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
        }
        let appended = partition
            .append(&valid.batch, valid.times, self.now)
            .map_err(|why| self.not_there(why))?;
        let (appended, log_start) = appended.map_err(|error| self.not_taken(partition, &error))?;
        let answer = ProduceResponsePartition {
            base_offset: Some(appended.base_offset),
            log_append_time: appended.append_time,
            log_start_offset: Some(log_start),
            ..ProduceResponsePartition::default()
        };
        Ok((answer, appended.last_offset.plus(1)))
    }

    fn rules(&self, partition: &Partition) -> Rules {
        let config = partition.core.config();
        Rules {
            zstd: if self.version < 7 { Zstd::TooNew } else { Zstd::Allowed },
            batch_bytes_max: config.batch_bytes_max as usize,
            inflated_bytes_max: config.inflated_bytes_max(),
            keys: if config.compact.is_some() { Keys::Required } else { Keys::Optional },
            timestamp_type: config.timestamp_type,
            before_max_ms: config.timestamp_before_max_ms,
            after_max_ms: config.timestamp_after_max_ms,
            now: self.now,
        }
    }

    fn not_there(&self, why: Unusable) -> Box<ProduceResponsePartition> {
        refused(match why {
            Unusable::Gone => unusable(why),
            Unusable::Broken => storage_error(self.entrance),
        })
    }

    fn not_taken(
        &self,
        partition: &Partition,
        error: &AppendError,
    ) -> Box<ProduceResponsePartition> {
        let mut answer = refused(match error {
            AppendError::Fenced => ErrorCode::INVALID_PRODUCER_EPOCH,
            AppendError::OutOfOrder { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            AppendError::LargerThanSegment => ErrorCode::RECORD_LIST_TOO_LARGE,
            AppendError::Disk { .. } | AppendError::Poisoned => {
                let topic = &partition.core.name;
                tracing::error!(%topic, partition = %partition.id, %error, "cannot append");
                storage_error(self.entrance)
            }
        });
        answer.error_message = Some(text(error.to_string()));
        answer
    }
}

/// What a client hears where the disk does not take what it sends. Clients try again at
/// KAFKA_STORAGE_ERROR until their delivery timeout is over, and say nothing meanwhile. A disk does
/// not become free or whole by itself: those of kaw's own commands that come by the door hear of it
/// at once.
fn storage_error(entrance: Entrance) -> ErrorCode {
    match entrance {
        Entrance::Door => ErrorCode::UNKNOWN_SERVER_ERROR,
        Entrance::Public(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

fn refused(error_code: ErrorCode) -> Box<ProduceResponsePartition> {
    Box::new(ProduceResponsePartition { error_code, ..ProduceResponsePartition::default() })
}

fn invalid(why: &Invalid) -> Box<ProduceResponsePartition> {
    let error_code = match why {
        Invalid::TooLarge { .. } | Invalid::Inflates { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        Invalid::Corrupt(_) => ErrorCode::CORRUPT_MESSAGE,
        Invalid::ZstdTooNew => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        Invalid::TimestampType | Invalid::TimestampRange(_) => ErrorCode::INVALID_TIMESTAMP,
        Invalid::NoBatch
        | Invalid::SecondBatch
        | Invalid::OldFormat(_)
        | Invalid::BaseOffset
        | Invalid::Count
        | Invalid::Unlikely { .. }
        | Invalid::Control
        | Invalid::Sequence
        | Invalid::Records(_)
        | Invalid::KeylessRecords(_) => ErrorCode::INVALID_RECORD,
    };
    let culprits = match why {
        Invalid::KeylessRecords(at) | Invalid::TimestampRange(at) => at.as_slice(),
        _ => &[],
    };
    let record_errors = culprits
        .iter()
        .map(|&batch_index| RecordError { batch_index, message: Some(text(why.to_string())) })
        .collect();
    let mut answer = refused(error_code);
    answer.error_message = Some(text(why.to_string()));
    answer.record_errors = record_errors;
    answer
}
