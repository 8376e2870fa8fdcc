//! What a catalogue may say that this broker cannot stand in for: other nodes, tiered storage, a
//! newer Kafka's rules. To serve it, and write on in it, would be to lose what they hold.
//! Never knows: files.

use super::image::{Image, TopicImage};
use crate::protocol::NodeId;

/// 4.3-IV0, the newest whose records are known here (MetadataVersion.java).
pub const METADATA_VERSION_MAX: i16 = 30;

/// Why this node alone cannot serve it, if so.
pub fn obstacle(image: &Image, node: NodeId) -> Option<String> {
    let level = image.features.get("metadata.version").copied().unwrap_or_default();
    if METADATA_VERSION_MAX < level {
        return Some(format!(
            "its metadata.version is {level} and kaw knows up to {METADATA_VERSION_MAX}: it is of \
             a newer Kafka"
        ));
    }
    if let Some(other) = image.nodes.iter().find(|other| **other != node) {
        return Some(format!(
            "node {other} belongs to it beside node {node}: it is of a cluster of several nodes"
        ));
    }
    image.topics.iter().find_map(|(name, topic)| {
        in_topic(topic, node).map(|why| format!("topic {name} {why}, which kaw cannot serve"))
    })
}

fn in_topic(topic: &TopicImage, node: NodeId) -> Option<String> {
    if let Some((key, _)) = topic.configs.iter().find(|(key, value)| is_tiered(key, value)) {
        return Some(format!("has tiered storage ({key}=true)"));
    }
    for (place, (partition, known)) in (0..).zip(&topic.partitions) {
        if partition.get() != place {
            return Some(format!("lacks partition {place}"));
        }
        if known.replicas != [node] {
            let replicas: Vec<String> = known.replicas.iter().map(NodeId::to_string).collect();
            let on = replicas.join(", ");
            return Some(format!("has partition {partition} on [{on}], not on [{node}] alone"));
        }
    }
    None
}

/// A part of such a topic's records is elsewhere (KIP-405).
fn is_tiered(key: &str, value: &str) -> bool {
    key == "remote.storage.enable" && value.trim().eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::catalogue::{
        CatalogueRecord, ConfigRecord, FeatureLevelRecord, PartitionRecord, RegisterBrokerRecord,
        RegisterControllerRecord, TopicRecord, UnregisterBrokerRecord,
    };
    use crate::protocol::describe_configs::ResourceType;
    use crate::record::{PartitionId, Uuid};

    const ID: Uuid = Uuid([7; 16]);
    const ME: NodeId = NodeId(1);

    fn topic() -> CatalogueRecord {
        TopicRecord { name: "orders".into(), topic_id: ID }.into()
    }

    fn partition(number: i32, replicas: &[i32]) -> CatalogueRecord {
        PartitionRecord {
            partition: PartitionId(number),
            topic_id: ID,
            replicas: replicas.iter().copied().map(NodeId).collect(),
            ..PartitionRecord::default()
        }
        .into()
    }

    fn tiered(value: &str) -> CatalogueRecord {
        ConfigRecord {
            resource_type: ResourceType::TOPIC,
            resource_name: "orders".into(),
            name: "remote.storage.enable".into(),
            value: Some(value.into()),
        }
        .into()
    }

    fn level(level: i16) -> CatalogueRecord {
        FeatureLevelRecord { name: "metadata.version".into(), level }.into()
    }

    fn broker(node: i32) -> CatalogueRecord {
        RegisterBrokerRecord { broker_id: NodeId(node), ..RegisterBrokerRecord::default() }.into()
    }

    fn controller(node: i32) -> CatalogueRecord {
        let controller_id = NodeId(node);
        RegisterControllerRecord { controller_id, ..RegisterControllerRecord::default() }.into()
    }

    fn gone(node: i32) -> CatalogueRecord {
        UnregisterBrokerRecord { broker_id: NodeId(node), broker_epoch: 0 }.into()
    }

    #[track_caller]
    fn refused(records: impl IntoIterator<Item = CatalogueRecord>, why: &[&str]) {
        let mut image = Image::default();
        records.into_iter().for_each(|record| image.apply(record).unwrap());
        let found = obstacle(&image, ME);
        match &found {
            None => assert!(why.is_empty(), "nothing hinders"),
            Some(text) => {
                let all = !why.is_empty() && why.iter().all(|part| text.contains(part));
                assert!(all, "{text}");
            }
        }
    }

    #[test]
    fn one_node_alone_with_what_is_known_is_served() {
        let records = [level(30), broker(1), controller(1), topic(), partition(0, &[1])];
        refused(records.into_iter().chain([tiered("false")]), &[]);
        refused([broker(1), broker(2), gone(2)], &[]);
    }

    #[test]
    fn what_others_hold_a_part_of_is_refused_by_name() {
        refused([topic(), partition(0, &[1, 2])], &["orders", "partition 0 on [1, 2]"]);
        refused([topic(), partition(0, &[2])], &["orders", "on [2], not on [1]"]);
        refused([topic(), partition(1, &[1])], &["orders", "lacks partition 0"]);
        refused([topic(), partition(0, &[1]), tiered("TRUE")], &["orders", "remote.storage"]);
        refused([broker(1), broker(2)], &["node 2"]);
        refused([broker(1), controller(3000)], &["node 3000"]);
    }

    #[test]
    fn the_rules_of_a_newer_kafka_are_refused_by_number() {
        refused([level(31)], &["metadata.version is 31", "up to 30"]);
    }
}
