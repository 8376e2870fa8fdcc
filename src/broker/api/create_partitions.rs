//! CreatePartitions (37) v0-3. v1: throttles after the reply; v2: flexible; v3: quotas (KIP-599).
//! Left out: policies, quotas.

use std::collections::{HashMap, HashSet};

use super::{Call, Outcome, create_topics, text};
use crate::broker::topic::Growth;
use crate::protocol::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, GrownResult, GrownTopic,
};
use crate::protocol::{ErrorCode, NodeId, Text};

/// What is wrong with an assignment, and Kafka's words for it.
type Refused = (ErrorCode, String);

pub fn handle(
    call: &mut Call<'_>,
    request: CreatePartitionsRequest,
) -> Outcome<CreatePartitionsResponse> {
    let node = call.node;
    let mut times: HashMap<&Text, usize> = HashMap::new();
    for topic in &request.topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    let mut told = HashSet::new();
    let mut results = Vec::new();
    for topic in &request.topics {
        let is_repeated = 1 < times[&topic.name];
        if is_repeated && !told.insert(&topic.name) {
            continue;
        }
        let grown = match is_repeated {
            true => Err((ErrorCode::INVALID_REQUEST, Some("Duplicate topic name.".into()))),
            false => grow(node, topic, request.validate_only),
        };
        let (error_code, why) = grown.err().unwrap_or((ErrorCode::NONE, None));
        let error_message = why.map(text);
        results.push(GrownResult { name: topic.name.clone(), error_code, error_message });
    }
    let response = CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() };
    let durable = node.topics.catalogue_durable();
    Outcome::Later(Box::pin(async move {
        let mut response = response;
        if durable.wait().await.is_err() {
            for topic in &mut response.results {
                topic.error_code = ErrorCode::KAFKA_STORAGE_ERROR;
                topic.error_message = Some(text("the disk did not sync"));
            }
        }
        response.into()
    }))
}

fn grow(
    node: &crate::broker::node::Node,
    topic: &GrownTopic,
    validate_only: bool,
) -> Result<(), (ErrorCode, Option<String>)> {
    let assignments = topic.assignments.as_deref();
    let growth = Growth {
        name: topic.name.clone(),
        count: topic.count,
        assigned: assignments.map(<[_]>::len),
    };
    let refused = |(error_code, why)| (error_code, Some(why));
    let check = || node.topics.check_growth(&growth);
    check().map_err(|error| match create_topics::code(&error) {
        // As from Apache, which has nothing to say to it.
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None),
        error_code => (error_code, Some(error.to_string())),
    })?;
    for assignment in assignments.unwrap_or_default() {
        check_replicas(node.id(), &assignment.replicas).map_err(refused)?;
    }
    if validate_only {
        return Ok(());
    }
    let grown = node.topics.grow(&growth);
    let grown = grown.map_err(|error| refused((create_topics::code(&error), error.to_string())))?;
    tracing::info!(topic = %grown.name(), partitions = grown.partitions.len(), "topic grown");
    Ok(())
}

/// ReplicationControlManager.validateManualPartitionAssignment.
fn check_replicas(me: NodeId, replicas: &[NodeId]) -> Result<(), Refused> {
    let wrong = |why: String| Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [] => wrong("The manual partition assignment includes an empty replica list.".into()),
        [one] if *one == me => Ok(()),
        all => match all.iter().find(|id| **id != me) {
            Some(other) if all[0] != me || !all[1..].starts_with(&[me]) => wrong(format!(
                "The manual partition assignment includes broker {other}, but no such broker is \
                 registered."
            )),
            _ => wrong(format!(
                "The manual partition assignment includes the broker {me} more than once."
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_can_only_say_what_is_so_anyway() {
        let check = |replicas: &[i32], want: &str| {
            let replicas: Vec<NodeId> = replicas.iter().copied().map(NodeId).collect();
            let got = check_replicas(NodeId(1), &replicas).err().map(|(_, why)| why);
            let want = match want {
                "" => None,
                want => Some(format!("The manual partition assignment includes {want}")),
            };
            assert_eq!(got, want, "{replicas:?}");
        };
        check(&[1], "");
        check(&[], "an empty replica list.");
        check(&[1, 1], "the broker 1 more than once.");
        check(&[1, 1, 2], "the broker 1 more than once.");
        check(&[9], "broker 9, but no such broker is registered.");
        check(&[2, 1], "broker 2, but no such broker is registered.");
        check(&[1, 0], "broker 0, but no such broker is registered.");
    }
}
