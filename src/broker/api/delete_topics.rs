//! DeleteTopics (20) v1-6. v4: flexible; v5: error messages (KIP-599); v6: by id (KIP-516). Left
//! out: nothing. The directories are renamed before the answer and removed after it.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Call, Outcome, create_topics, text};
use crate::broker::node::Node;
use crate::broker::topic::{ChangeError, Topic, housekeeping, now};
use crate::protocol::ErrorCode;
use crate::protocol::delete_topics::{
    DeleteTopic, DeleteTopicsRequest, DeleteTopicsResponse, DeletedTopic,
};
use crate::record::Uuid;

pub fn handle(call: &mut Call<'_>, request: DeleteTopicsRequest) -> Outcome<DeleteTopicsResponse> {
    let node = call.node;
    let by_name = request.topic_names.into_iter();
    let by_name = by_name.map(|name| DeleteTopic { name: Some(name), topic_id: Uuid::ZERO });
    let mut leftovers = Vec::new();
    let mut done = HashSet::new();
    let topics: Vec<_> = by_name
        .chain(request.topics)
        .map(|wanted| {
            // A log that is being synced is closed when that is over.
            let deleted = tokio::task::block_in_place(|| delete(node, &wanted, &mut done));
            let (error_code, error_message) = match deleted {
                Ok(mut dirs) => {
                    leftovers.append(&mut dirs);
                    (ErrorCode::NONE, None)
                }
                Err((error_code, why)) => (error_code, Some(text(why))),
            };
            DeletedTopic { name: wanted.name, topic_id: wanted.topic_id, error_code, error_message }
        })
        .collect();
    if !leftovers.is_empty()
        && let Err(error) = tokio::task::block_in_place(|| node.topics.settle_deletions())
    {
        tracing::error!(%error, "cannot write checkpoints of what is left");
    }
    let response = DeleteTopicsResponse { topics, ..DeleteTopicsResponse::default() };
    let durable = node.topics.catalogue_durable();
    Outcome::Later(Box::pin(async move {
        // A deletion that is not durable is undone at the next start, whole or not at all.
        if durable.wait().await.is_ok() {
            tokio::task::spawn_blocking(move || housekeeping::remove_all(leftovers));
            return response.into();
        }
        let mut response = response;
        for topic in &mut response.topics {
            topic.error_code = ErrorCode::KAFKA_STORAGE_ERROR;
        }
        response.into()
    }))
}

fn delete(
    node: &Node,
    wanted: &DeleteTopic,
    done: &mut HashSet<Uuid>,
) -> Result<Vec<std::path::PathBuf>, (ErrorCode, String)> {
    if !node.limits.delete_topics {
        let why = "Topic deletion is disabled (delete.topic.enable=false).";
        return Err((ErrorCode::TOPIC_DELETION_DISABLED, why.into()));
    }
    let topic = find(node, wanted)?;
    if !done.insert(topic.id()) {
        return Err((ErrorCode::INVALID_REQUEST, "Duplicate topic name.".into()));
    }
    let deleted = node.topics.delete(topic.id());
    let dirs = deleted.map_err(|error| (create_topics::code(&error), error.to_string()))?;
    tracing::info!(topic = %topic.name(), "topic deleted");
    node.groups.forget_topic(topic.name(), topic.id(), now());
    Ok(dirs)
}

fn find(node: &Node, wanted: &DeleteTopic) -> Result<Arc<Topic>, (ErrorCode, String)> {
    match &wanted.name {
        Some(_) if wanted.topic_id != Uuid::ZERO => {
            let why = "You may not specify both topic name and topic id.";
            Err((ErrorCode::INVALID_REQUEST, why.into()))
        }
        Some(name) => node.topics.get(name).ok_or_else(|| {
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ChangeError::Unknown.to_string())
        }),
        None => node.topics.get_by_id(wanted.topic_id).ok_or_else(|| {
            let why = "This server does not host this topic ID.";
            (ErrorCode::UNKNOWN_TOPIC_ID, why.into())
        }),
    }
}
