//! CreateTopics (19) v2-7. v4: the broker's defaults for -1 (KIP-464); v5: what was created comes
//! back (KIP-525); v7: topic ids (KIP-516). Left out: policies, quotas.

use std::collections::{HashMap, HashSet};

use super::describe_configs::source;
use super::{Call, Outcome, text};
use crate::broker::config::{Overrides, Refusal, describe_topic};
use crate::broker::node::Node;
use crate::broker::topic::{ChangeError, NewTopic, Topic};
use crate::protocol::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse, CreatedConfig, CreatedTopic,
};
use crate::protocol::{ErrorCode, NodeId, Text};
use crate::record::Uuid;

/// What is wrong with a wanted topic, and Kafka's words for it.
type Refused = (ErrorCode, String);

pub fn handle(call: &mut Call<'_>, request: CreateTopicsRequest) -> Outcome<CreateTopicsResponse> {
    let node = call.node.clone();
    let mut seen: HashMap<&Text, usize> = HashMap::new();
    for topic in &request.topics {
        *seen.entry(&topic.name).or_default() += 1;
    }
    let repeated: HashSet<Text> =
        seen.into_iter().filter(|(_, times)| 1 < *times).map(|(name, _)| name.clone()).collect();
    let mut answers = Vec::with_capacity(request.topics.len());
    let mut wanted = Vec::new();
    let mut told = HashSet::new();
    for topic in &request.topics {
        let plan = match repeated.contains(&topic.name) {
            true if !told.insert(&topic.name) => continue,
            true => Err((ErrorCode::INVALID_REQUEST, "Duplicate topic name.".into())),
            false => plan(&node, topic, call.version),
        };
        match plan {
            Ok(plan) => wanted.push(plan),
            Err(error) => answers.push(refused(&topic.name, error)),
        }
    }
    let validated = request.validate_only;
    let made: Vec<Result<Uuid, ChangeError>> = match validated {
        true => node.topics.check(&wanted).into_iter().map(|ok| ok.map(|()| Uuid::ZERO)).collect(),
        false => {
            let created = node.topics.create(&wanted).into_iter();
            created.map(|topic| topic.map(|topic| announced(&topic))).collect()
        }
    };
    answers.extend(wanted.iter().zip(made).map(|(wanted, made)| match made {
        Ok(id) => created(&node, wanted, id),
        Err(error) => refused(&wanted.name, (code(&error), error.to_string())),
    }));
    let response = CreateTopicsResponse { topics: answers, ..CreateTopicsResponse::default() };
    let durable = node.topics.catalogue_durable();
    Outcome::Later(Box::pin(async move {
        match durable.wait().await {
            Ok(()) => response.into(),
            Err(_) => unsynced(response).into(),
        }
    }))
}

fn announced(topic: &Topic) -> Uuid {
    tracing::info!(topic = %topic.name(), partitions = topic.partitions.len(), "topic created");
    topic.id()
}

/// Nothing that was answered may be forgotten: where the disk did not sync, nothing was created.
fn unsynced(mut response: CreateTopicsResponse) -> CreateTopicsResponse {
    for topic in &mut response.topics {
        if topic.error_code == ErrorCode::NONE {
            let why = "the disk did not sync".to_owned();
            *topic = refused(&topic.name, (ErrorCode::KAFKA_STORAGE_ERROR, why));
        }
    }
    response
}

fn refused(name: &Text, (error_code, why): Refused) -> CreatedTopic {
    CreatedTopic {
        name: name.clone(),
        error_code,
        error_message: Some(text(why)),
        configs: None,
        ..CreatedTopic::default()
    }
}

/// Everything that can be said against a topic without looking at the others.
fn plan(node: &Node, topic: &CreatableTopic, version: i16) -> Result<NewTopic, Refused> {
    let partitions = match topic.assignments.is_empty() {
        true => counted(node, topic, version)?,
        false => Some(assigned(node.id(), topic)?),
    };
    let mut configs = Overrides::new();
    for config in &topic.configs {
        let value = config.value.as_ref().ok_or_else(|| {
            (
                ErrorCode::INVALID_CONFIG,
                format!("Null value not supported for topic configs: {}", config.name),
            )
        })?;
        configs.insert(config.name.to_string(), value.to_string());
    }
    Ok(NewTopic { name: topic.name.clone(), partitions, configs })
}

fn counted(node: &Node, topic: &CreatableTopic, version: i16) -> Result<Option<i32>, Refused> {
    let asked = topic.replication_factor;
    let replicas = match asked {
        -1 if 4 <= version => node.topics.settings().number("default.replication.factor"),
        other => i64::from(other),
    };
    if replicas <= 0 {
        let why = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why.into()));
    }
    let nodes = node.cluster.size();
    if i64::try_from(nodes).unwrap_or(i64::MAX) < replicas {
        let why = format!(
            "Unable to replicate the partition {replicas} time(s): The target replication factor \
             of {replicas} cannot be reached because only {nodes} broker(s) are registered."
        );
        return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why));
    }
    match topic.partition_count {
        -1 if 4 <= version => Ok(None),
        count if count <= 0 => {
            let why = ChangeError::Partitions.to_string();
            Err((ErrorCode::INVALID_PARTITIONS, why))
        }
        count => Ok(Some(count)),
    }
}

/// The number of partitions of a manual assignment, which can only say what is so anyway.
fn assigned(me: NodeId, topic: &CreatableTopic) -> Result<i32, Refused> {
    let wrong = |why: &str| Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why.to_owned()));
    if topic.replication_factor != -1 {
        let why = "A manual partition assignment was specified, but replication factor was not \
                   set to -1.";
        return Err((ErrorCode::INVALID_REQUEST, why.into()));
    }
    if topic.partition_count != -1 {
        let why =
            "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err((ErrorCode::INVALID_REQUEST, why.into()));
    }
    let mut numbers: Vec<i32> = topic.assignments.iter().map(|a| a.partition.get()).collect();
    numbers.sort_unstable();
    if !numbers.iter().copied().eq(0..numbers.len() as i32) {
        return wrong("partitions should be a consecutive 0-based integer sequence");
    }
    for assignment in &topic.assignments {
        match assignment.replicas.as_slice() {
            [] => {
                return wrong("The manual partition assignment includes an empty replica list.");
            }
            [one] if *one == me => {}
            _ => {
                return wrong(
                    "The manual partition assignment includes a broker that is not registered, or \
                     one twice.",
                );
            }
        }
    }
    Ok(numbers.len() as i32)
}

fn created(node: &Node, topic: &NewTopic, topic_id: Uuid) -> CreatedTopic {
    let configs = describe_topic(&topic.configs, &node.topics.settings());
    let configs = configs.into_iter().map(|config| CreatedConfig {
        name: config.name.into(),
        value: config.value.map(text),
        read_only: config.read_only,
        source: source(config.source),
        is_sensitive: config.sensitive,
    });
    CreatedTopic {
        name: topic.name.clone(),
        topic_id,
        partition_count: node.topics.partition_count(topic),
        replication_factor: node.cluster.replication_factor() as i16,
        configs: Some(configs.collect()),
        ..CreatedTopic::default()
    }
}

/// Kafka's number for what went wrong.
pub fn code(error: &ChangeError) -> ErrorCode {
    match error {
        ChangeError::Exists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
        ChangeError::Name(_) | ChangeError::Collides { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
        ChangeError::Reserved(_) => ErrorCode::INVALID_REQUEST,
        ChangeError::Partitions | ChangeError::NoGrowth { .. } => ErrorCode::INVALID_PARTITIONS,
        ChangeError::Assignments { .. } => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        ChangeError::TooManyPartitions => ErrorCode::POLICY_VIOLATION,
        ChangeError::Config(_) | ChangeError::Alteration(Refusal::Config(_)) => {
            ErrorCode::INVALID_CONFIG
        }
        ChangeError::Alteration(Refusal::Request(_)) => ErrorCode::INVALID_REQUEST,
        ChangeError::Unknown | ChangeError::UnknownTopic(_) => {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        }
        ChangeError::Catalogue(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
