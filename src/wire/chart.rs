//! Where the partitions of topics are, as one broker says.
//! Never knows: who asks, or what for.

use std::collections::HashMap;
use std::time::Instant;

use super::connection::Connection;
use super::error::{Error, Trouble};
use crate::protocol::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use crate::protocol::{NodeId, Request};
use crate::record::{PartitionId, Uuid};

/// What there is of the topics that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub cluster: Option<String>,
    brokers: HashMap<NodeId, (String, u16)>,
    ids: HashMap<String, Uuid>,
    leaders: HashMap<(String, PartitionId), NodeId>,
}

impl Connection {
    pub fn chart(&mut self, topics: &[String], deadline: Instant) -> Result<Chart, Error> {
        let topics = topics.iter().map(|name| MetadataRequestTopic {
            name: Some(name.as_str().into()),
            ..MetadataRequestTopic::default()
        });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.call(&request, deadline)?;
        if answer.error_code.is_error() {
            let (calling, code) = (MetadataRequest::KEY, answer.error_code);
            return Err(self.error(Trouble::Refused { calling, code, message: None }));
        }
        Ok(drawn(answer))
    }
}

fn drawn(answer: MetadataResponse) -> Chart {
    let cluster = answer.cluster_id.map(|id| id.to_string());
    let mut chart = Chart { cluster, ..Chart::default() };
    for broker in answer.brokers {
        let Ok(port) = u16::try_from(broker.port) else { continue };
        chart.brokers.insert(broker.node_id, (broker.host.to_string(), port));
    }
    for topic in answer.topics {
        let Some(name) = topic.name else { continue };
        if topic.topic_id != Uuid::ZERO {
            chart.ids.insert(name.to_string(), topic.topic_id);
        }
        for partition in topic.partitions {
            if let Some(leader) = partition.leader {
                chart.leaders.insert((name.to_string(), partition.partition), leader);
            }
        }
    }
    chart
}

impl Chart {
    /// The topic's id, where its cluster is young enough to have such.
    pub fn id(&self, topic: &str) -> Option<Uuid> {
        self.ids.get(topic).copied()
    }

    /// Who leads the partition, and where that broker is.
    pub fn leader(&self, topic: &str, partition: PartitionId) -> Option<(&str, u16)> {
        let leader = self.leaders.get(&(topic.to_owned(), partition))?;
        self.brokers.get(leader).map(|(host, port)| (host.as_str(), *port))
    }
}
