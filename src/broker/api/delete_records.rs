//! DeleteRecords (21) v0-2 (KIP-107). Left out: waiting for followers, of which there are none.
//! Where a log begins is durable before the answer; Apache notes it down within the minute.

use super::{Call, Outcome, unusable};
use crate::broker::node::Node;
use crate::broker::topic::{Trimmed, Untrimmed, names};
use crate::protocol::ErrorCode;
use crate::protocol::delete_records::{
    DeleteRecordsRequest, DeleteRecordsResponse, TrimPartitionResult, TrimResult, TrimmedPartition,
};
use crate::record::Offset;

pub fn handle(
    call: &mut Call<'_>,
    request: DeleteRecordsRequest,
) -> Outcome<DeleteRecordsResponse> {
    let node = call.node.clone();
    let trimmed = tokio::task::spawn_blocking(move || {
        let topics = request.topics.into_iter().map(|wanted| {
            let partitions = wanted.partitions.iter().map(|asked| trim(&node, &wanted.name, asked));
            TrimResult { partitions: partitions.collect(), name: wanted.name }
        });
        let topics: Vec<_> = topics.collect();
        let mut response = DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() };
        let partitions = || response.topics.iter().flat_map(|topic| &topic.partitions);
        let is_any_trimmed = partitions().any(|partition| !partition.error_code.is_error());
        if is_any_trimmed && let Err(error) = node.topics.write_log_starts() {
            tracing::error!(%error, "cannot write where logs begin");
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.filter(|partition| !partition.error_code.is_error()).for_each(|partition| {
                partition.error_code = ErrorCode::KAFKA_STORAGE_ERROR;
                partition.low_watermark = None;
            });
        }
        response
    });
    Outcome::Later(Box::pin(async move {
        trimmed.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).into()
    }))
}

fn trim(node: &Node, topic: &str, asked: &TrimmedPartition) -> TrimPartitionResult {
    let (low_watermark, error_code) = match trim_one(node, topic, asked) {
        Ok(start) => (Some(start), ErrorCode::NONE),
        Err(error_code) => (None, error_code),
    };
    TrimPartitionResult { partition: asked.partition, low_watermark, error_code }
}

fn trim_one(node: &Node, name: &str, asked: &TrimmedPartition) -> Result<Offset, ErrorCode> {
    let topic = node.topics.get(name);
    let partition = topic.as_ref().and_then(|topic| topic.partition(asked.partition));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if names::is_internal(name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let config = partition.core.config();
    if config.compact.is_some() && !config.delete {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    match partition.trim(asked.offset) {
        Ok(Trimmed { start, removed }) => {
            let (segments, bytes) = (removed.segments, removed.bytes);
            tracing::info!(topic = name, partition = %asked.partition, %start, segments, bytes,
                "records deleted");
            Ok(start)
        }
        Err(Untrimmed::OutOfRange) => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        Err(Untrimmed::Unusable(why)) => Err(unusable(why)),
        Err(Untrimmed::Disk(error)) => {
            tracing::error!(topic = name, partition = %asked.partition, %error, "cannot delete");
            Err(ErrorCode::KAFKA_STORAGE_ERROR)
        }
    }
}
