//! What the catalogue's records add up to: topics, configs, producer ids.
//! Never knows: files, batches, the network.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::broker::config::Overrides;
use crate::protocol::catalogue::{
    CatalogueRecord, ConfigRecord, LEADER_UNCHANGED, PartitionChangeRecord, PartitionRecord,
    RegisterBrokerRecord,
};
use crate::protocol::describe_configs::ResourceType;
use crate::protocol::{NodeId, Text};
use crate::record::{LeaderEpoch, PartitionId, ProducerId, Uuid};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionImage {
    pub leader_epoch: LeaderEpoch,
    pub replicas: Vec<NodeId>,
    /// As after Apache's clean stop: nobody leads, nobody is in sync.
    pub is_offline: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicImage {
    pub id: Uuid,
    pub partitions: BTreeMap<PartitionId, PartitionImage>,
    pub configs: Overrides,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `.kafka_cleanshutdown` must repeat it.
    pub broker_epoch: i64,
    pub is_fenced: bool,
    /// The highest metadata.version that it knows.
    pub level_max: Option<i16>,
}

/// The catalogue as of some record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub topics: BTreeMap<Text, TopicImage>,
    names: HashMap<Uuid, Text>,
    /// Topics that were deleted: their directories may still lie about.
    pub removed: HashSet<Uuid>,
    /// By broker; the empty name is for all.
    broker_configs: BTreeMap<Text, Overrides>,
    pub next_producer_id: ProducerId,
    /// The last that Apache Kafka's broker made.
    pub registration: Option<Registration>,
    pub features: BTreeMap<Text, i16>,
    /// Brokers and controllers that have said they are there.
    pub nodes: BTreeSet<NodeId>,
    /// Records since an unfinished BeginTransaction.
    transaction: Option<Vec<CatalogueRecord>>,
}

/// A record that does not fit what was before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(pub String);

impl Image {
    pub fn topic_by_id(&self, id: Uuid) -> Option<(&Text, &TopicImage)> {
        let name = self.names.get(&id)?;
        self.topics.get_key_value(name)
    }

    /// A broker's own configs, and those for all.
    pub fn broker_configs(&self, node: i32) -> (Overrides, Overrides) {
        let of = |name: &str| self.broker_configs.get(name).cloned().unwrap_or_default();
        (of(&node.to_string()), of(""))
    }

    /// -1 where there was never a registration.
    pub fn broker_epoch(&self) -> i64 {
        self.registration.map_or(-1, |registration| registration.broker_epoch)
    }

    /// Whether a transaction was begun and never ended: its records count for nothing, and
    /// whatever follows would be taken for part of it.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    pub fn apply(&mut self, record: CatalogueRecord) -> Result<(), Misfit> {
        match (&mut self.transaction, record) {
            (_, CatalogueRecord::BeginTransaction(_)) => self.transaction = Some(Vec::new()),
            (_, CatalogueRecord::AbortTransaction(_)) => self.transaction = None,
            (_, CatalogueRecord::EndTransaction(_)) => {
                for record in self.transaction.take().unwrap_or_default() {
                    self.fold(record)?;
                }
            }
            (Some(transaction), record) => transaction.push(record),
            (None, record) => self.fold(record)?,
        }
        Ok(())
    }

    fn fold(&mut self, record: CatalogueRecord) -> Result<(), Misfit> {
        match record {
            CatalogueRecord::Topic(record) => {
                self.names.insert(record.topic_id, record.name.clone());
                // A topic that comes again does not inherit what the one before it had set.
                let topic = TopicImage { id: record.topic_id, ..TopicImage::default() };
                self.topics.insert(record.name, topic);
            }
            CatalogueRecord::Partition(record) => self.partition(record)?,
            CatalogueRecord::PartitionChange(record) => self.change(record)?,
            CatalogueRecord::RemoveTopic(record) => {
                if let Some(name) = self.names.remove(&record.topic_id) {
                    self.topics.remove(&name);
                }
                self.removed.insert(record.topic_id);
            }
            CatalogueRecord::Config(record) => self.config(record),
            CatalogueRecord::ProducerIds(record) => {
                self.next_producer_id = self.next_producer_id.max(record.next_producer_id);
            }
            CatalogueRecord::RegisterBroker(record) => {
                self.nodes.insert(record.broker_id);
                let mut features = record.features.iter();
                let level = features.find(|feature| &*feature.name == "metadata.version");
                let level_max = level.map(|feature| feature.version_max);
                let RegisterBrokerRecord { broker_epoch, fenced: is_fenced, .. } = record;
                self.registration = Some(Registration { broker_epoch, is_fenced, level_max });
            }
            CatalogueRecord::BrokerRegistrationChange(record) => self.fence(record.fenced),
            CatalogueRecord::FenceBroker(_) => self.fence(1),
            CatalogueRecord::UnfenceBroker(_) => self.fence(-1),
            CatalogueRecord::UnregisterBroker(record) => {
                self.nodes.remove(&record.broker_id);
            }
            CatalogueRecord::RegisterController(record) => {
                self.nodes.insert(record.controller_id);
            }
            CatalogueRecord::FeatureLevel(record) => {
                match record.level {
                    0 => self.features.remove(&record.name),
                    level => self.features.insert(record.name, level),
                };
            }
            // Kept on disk, for Apache Kafka and for what is not served yet.
            _ => {}
        }
        Ok(())
    }

    /// 1 fences, -1 unfences, 0 leaves it (BrokerRegistrationFencingChange.java).
    fn fence(&mut self, change: i8) {
        if let Some(registration) = &mut self.registration {
            registration.is_fenced = (registration.is_fenced && change != -1) || change == 1;
        }
    }

    fn partition(&mut self, record: PartitionRecord) -> Result<(), Misfit> {
        let topic = self.topic_mut(record.topic_id)?;
        let partition = PartitionImage {
            leader_epoch: record.leader_epoch,
            replicas: record.replicas,
            is_offline: record.in_sync.is_empty(),
        };
        topic.partitions.insert(record.partition, partition);
        Ok(())
    }

    fn change(&mut self, record: PartitionChangeRecord) -> Result<(), Misfit> {
        let topic = self.topic_mut(record.topic_id)?;
        let Some(partition) = topic.partitions.get_mut(&record.partition) else {
            let (topic, partition) = (record.topic_id, record.partition);
            return Err(Misfit(format!("partition {partition} of topic {topic} never began")));
        };
        if record.leader != LEADER_UNCHANGED {
            partition.leader_epoch = LeaderEpoch(partition.leader_epoch.get().saturating_add(1));
        }
        if let Some(in_sync) = record.in_sync {
            partition.is_offline = in_sync.is_empty();
        }
        if let Some(replicas) = record.replicas {
            partition.replicas = replicas;
        }
        Ok(())
    }

    fn config(&mut self, record: ConfigRecord) {
        let configs = match record.resource_type {
            ResourceType::BROKER => self.broker_configs.entry(record.resource_name).or_default(),
            ResourceType::TOPIC => match self.topics.get_mut(&record.resource_name) {
                Some(topic) => &mut topic.configs,
                // Configs of a deleted topic survive in some of Apache's checkpoints.
                None => return,
            },
            _ => return,
        };
        match record.value {
            Some(value) => configs.insert(record.name.to_string(), value.to_string()),
            None => configs.remove(&*record.name),
        };
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicImage, Misfit> {
        let name = self.names.get(&id);
        let topic = name.and_then(|name| self.topics.get_mut(name));
        topic.ok_or_else(|| Misfit(format!("topic {id} never began")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::catalogue::{
        BeginTransactionRecord, BrokerRegistrationChangeRecord, EndTransactionRecord,
        RemoveTopicRecord, TopicRecord,
    };

    const ID: Uuid = Uuid([7; 16]);

    fn topic(name: &str) -> CatalogueRecord {
        TopicRecord { name: name.into(), topic_id: ID }.into()
    }

    fn partition() -> CatalogueRecord {
        PartitionRecord {
            topic_id: ID,
            replicas: vec![NodeId(1)],
            in_sync: vec![NodeId(1)],
            ..PartitionRecord::default()
        }
        .into()
    }

    fn config(value: Option<&str>) -> CatalogueRecord {
        ConfigRecord {
            resource_type: ResourceType::TOPIC,
            resource_name: "t".into(),
            name: "retention.ms".into(),
            value: value.map(Into::into),
        }
        .into()
    }

    fn image(records: impl IntoIterator<Item = CatalogueRecord>) -> Image {
        let mut image = Image::default();
        records.into_iter().for_each(|record| image.apply(record).unwrap());
        image
    }

    #[test]
    fn a_deleted_topic_takes_its_configs_with_it() {
        let remove = RemoveTopicRecord { topic_id: ID }.into();
        let image = image([topic("t"), config(Some("5")), remove, topic("t")]);
        assert_eq!(image.topics["t"].configs, Overrides::new());
    }

    #[test]
    fn configs_without_a_topic_are_passed_over() {
        let image = image([config(Some("5")), topic("t")]);
        assert_eq!(image.topics["t"].configs, Overrides::new());
    }

    #[test]
    fn an_unfinished_transaction_counts_for_nothing() {
        let begin = || BeginTransactionRecord::default().into();
        let unfinished = image([begin(), topic("t")]);
        assert!(unfinished.topics.is_empty() && unfinished.in_transaction());
        let end = EndTransactionRecord::default().into();
        let finished = image([begin(), topic("t"), end]);
        assert!(finished.topics.contains_key("t") && !finished.in_transaction());
    }

    #[test]
    fn a_change_that_names_a_leader_raises_the_epoch() {
        let change = |leader| {
            PartitionChangeRecord { topic_id: ID, leader, ..PartitionChangeRecord::default() }
                .into()
        };
        let image = image([
            topic("t"),
            partition(),
            change(NodeId(-1)),
            change(NodeId(1)),
            change(LEADER_UNCHANGED),
        ]);
        assert_eq!(image.topics["t"].partitions[&PartitionId(0)].leader_epoch, LeaderEpoch(2));
    }

    #[test]
    fn the_last_word_on_a_broker_says_whether_it_is_there() {
        let check = |fenced: bool, changes: &[i8], want: bool| {
            let registered = RegisterBrokerRecord { broker_epoch: 7, fenced, ..Default::default() };
            let change = |&fenced: &i8| {
                BrokerRegistrationChangeRecord { fenced, ..Default::default() }.into()
            };
            let all = std::iter::once(registered.into()).chain(changes.iter().map(change));
            let want = Registration { broker_epoch: 7, is_fenced: want, level_max: None };
            assert_eq!(image(all).registration, Some(want), "{fenced} {changes:?}");
        };
        check(true, &[], true);
        check(true, &[0], true);
        check(true, &[-1], false);
        check(true, &[-1, 0], false);
        check(true, &[-1, 1], true);
        check(false, &[], false);
        assert_eq!(image([topic("t")]).broker_epoch(), -1);
    }

    #[test]
    fn records_of_unknown_topics_are_an_error() {
        let misfit = Image::default().apply(partition()).unwrap_err();
        assert!(misfit.0.contains("never began"), "{misfit:?}");
    }
}
