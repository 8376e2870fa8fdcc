//! Metadata (3) v0-13. v1: null asks for all; v4: whether to create (KIP-204); v7: leader epochs;
//! v10: topic ids, v12: asking by them (KIP-516); v13: an error for the whole (KIP-1102). Left out:
//! authorized operations, which there are none of without an authorizer.

use std::sync::Arc;

use super::{Call, Outcome};
use crate::broker::cluster::Cluster;
use crate::broker::group::store;
use crate::broker::node::Node;
use crate::broker::topic::{ChangeError, NewTopic, Topic, names};
use crate::protocol::metadata::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponse,
    MetadataTopic,
};
use crate::protocol::{ErrorCode, Text};
use crate::record::Uuid;

pub fn handle(call: &mut Call<'_>, request: MetadataRequest) -> Outcome<MetadataResponse> {
    let node = call.node;
    let mut creation =
        Creation { allowed: request.allow_auto_topic_creation && node.limits.auto_create };
    let wanted = request.topics.filter(|topics| !(call.version == 0 && topics.is_empty()));
    let topics = match wanted {
        None => node.topics.all().iter().map(|topic| describe(topic, &node.cluster)).collect(),
        Some(wanted) => {
            let topics = wanted.into_iter().map(|wanted| match creation.find(node, &wanted) {
                Ok(topic) => describe(&topic, &node.cluster),
                Err(error_code) => MetadataTopic {
                    error_code,
                    name: wanted.name,
                    topic_id: wanted.topic_id,
                    ..MetadataTopic::default()
                },
            });
            topics.collect()
        }
    };
    let brokers = node.nodes(call.session);
    let brokers =
        brokers.map(|(node_id, (host, port))| MetadataBroker { node_id, host, port, rack: None });
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(node.cluster_id.clone()),
        controller_id: Some(node.id()),
        topics,
        ..MetadataResponse::default()
    }
    .into()
}

struct Creation {
    allowed: bool,
}

impl Creation {
    fn find(
        &mut self,
        node: &Node,
        wanted: &MetadataRequestTopic,
    ) -> Result<Arc<Topic>, ErrorCode> {
        match &wanted.name {
            None => match node.topics.get_by_id(wanted.topic_id) {
                None if wanted.topic_id == Uuid::ZERO => Err(ErrorCode::INVALID_REQUEST),
                found => found.ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
            },
            Some(name) => match node.topics.get(name) {
                Some(topic) => Ok(topic),
                None if names::check(name).is_err() => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
                None if self.allowed => create(node, name),
                None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            },
        }
    }
}

/// The topic is there at once, where Apache answers LEADER_NOT_AVAILABLE first. Its record is on
/// the disk before the first acks=all is answered.
fn create(node: &Node, name: &Text) -> Result<Arc<Topic>, ErrorCode> {
    let wanted = match &**name {
        // Whoever asks first, it is to hold what groups know.
        store::TOPIC => store::topic(&node.topics.settings()),
        _ => NewTopic { name: name.clone(), ..NewTopic::default() },
    };
    let created = node.topics.create(&[wanted]).pop().expect("one answer for one topic");
    match created {
        Ok(topic) => {
            tracing::info!(topic = %name, partitions = topic.partitions.len(), "topic created");
            Ok(topic)
        }
        // Two clients asked at once.
        Err(ChangeError::Exists(_)) => {
            node.topics.get(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        }
        // INVALID_REQUEST, which CreateTopics says, would have librdkafka ask again until its time
        // is over (rd_kafka_topic_metadata_update).
        Err(ChangeError::Reserved(_)) => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        Err(error) => Err(super::create_topics::code(&error)),
    }
}

fn describe(topic: &Topic, cluster: &Cluster) -> MetadataTopic {
    let partitions = topic.partitions.iter().map(|partition| MetadataPartition {
        error_code: ErrorCode::NONE,
        partition: partition.id,
        leader: Some(cluster.leader(partition.id)),
        leader_epoch: Some(partition.leader_epoch()),
        replicas: cluster.replicas(partition.id).clone(),
        in_sync: cluster.replicas(partition.id).clone(),
        offline: Arc::default(),
    });
    MetadataTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name().clone()),
        topic_id: topic.id(),
        is_internal: names::is_internal(topic.name()),
        partitions: partitions.collect(),
        ..MetadataTopic::default()
    }
}
