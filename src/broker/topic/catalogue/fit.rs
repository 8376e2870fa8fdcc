//! Which records of a catalogue with holes can be replayed. Of a topic, a user or a broker that
//! never began, Apache Kafka takes no record: it dies of it (ReplicationControlManager, AclControl-
//! Manager, ScramControlManager, ClusterControlManager, OffsetControlManager: each one's replay).
//! Never knows: files.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::protocol::catalogue::CatalogueRecord;
use crate::protocol::describe_configs::ResourceType;
use crate::protocol::{NodeId, Text};
use crate::record::{Offset, PartitionId, Uuid};

/// What began, and where it is spoken of.
#[derive(Default)]
pub struct Ledger {
    ids: HashMap<Text, Uuid>,
    partitions: HashSet<(Uuid, PartitionId)>,
    /// Where each topic, and its settings, are spoken of.
    topics: HashMap<Uuid, Vec<Offset>>,
    rules: HashSet<Uuid>,
    users: HashSet<(Text, i8)>,
    brokers: HashMap<NodeId, i64>,
    transaction: Option<Offset>,
    unfit: BTreeSet<Offset>,
}

impl Ledger {
    pub fn enter(&mut self, offset: Offset, record: &CatalogueRecord) {
        if !self.fits(offset, record) {
            self.unfit.insert(offset);
        }
    }

    /// What was here is lost: the end of a transaction, perhaps.
    pub fn hole(&mut self) {
        self.unfit.extend(self.transaction.take());
    }

    pub fn into_unfit(self) -> BTreeSet<Offset> {
        self.unfit
    }

    fn fits(&mut self, offset: Offset, record: &CatalogueRecord) -> bool {
        match record {
            CatalogueRecord::Topic(topic) => {
                // Whoever was called so before was deleted in between: nothing of it counts.
                if let Some(before) = self.ids.insert(topic.name.clone(), topic.topic_id) {
                    self.unfit.extend(self.topics.remove(&before).unwrap_or_default());
                }
                self.topics.insert(topic.topic_id, vec![offset]);
                true
            }
            CatalogueRecord::Partition(new) => {
                self.partitions.insert((new.topic_id, new.partition));
                self.speaks(new.topic_id, offset)
            }
            CatalogueRecord::PartitionChange(change) => {
                let key = (change.topic_id, change.partition);
                self.partitions.contains(&key) && self.speaks(change.topic_id, offset)
            }
            CatalogueRecord::Config(config) => {
                if config.resource_type == ResourceType::TOPIC
                    && let Some(&id) = self.ids.get(&config.resource_name)
                {
                    self.speaks(id, offset);
                }
                true
            }
            CatalogueRecord::RemoveTopic(gone) => {
                self.ids.retain(|_, id| *id != gone.topic_id);
                self.topics.remove(&gone.topic_id).is_some()
            }
            other => self.others_fit(offset, other),
        }
    }

    /// Whether there is such a topic.
    fn speaks(&mut self, topic: Uuid, offset: Offset) -> bool {
        self.topics.get_mut(&topic).map(|spoken| spoken.push(offset)).is_some()
    }

    fn others_fit(&mut self, offset: Offset, record: &CatalogueRecord) -> bool {
        match record {
            CatalogueRecord::AccessControlEntry(rule) => {
                self.rules.insert(rule.id);
                true
            }
            CatalogueRecord::RemoveAccessControlEntry(gone) => self.rules.remove(&gone.id),
            CatalogueRecord::UserScramCredential(user) => {
                self.users.insert((user.name.clone(), user.mechanism));
                true
            }
            CatalogueRecord::RemoveUserScramCredential(gone) => {
                self.users.remove(&(gone.name.clone(), gone.mechanism))
            }
            CatalogueRecord::RegisterBroker(broker) => {
                self.brokers.insert(broker.broker_id, broker.broker_epoch);
                true
            }
            CatalogueRecord::BrokerRegistrationChange(change) => {
                self.brokers.get(&change.broker_id) == Some(&change.broker_epoch)
            }
            CatalogueRecord::FenceBroker(change) => {
                self.brokers.get(&change.broker_id) == Some(&change.broker_epoch)
            }
            CatalogueRecord::UnfenceBroker(change) => {
                self.brokers.get(&change.broker_id) == Some(&change.broker_epoch)
            }
            CatalogueRecord::UnregisterBroker(gone) => {
                self.brokers.remove(&gone.broker_id) == Some(gone.broker_epoch)
            }
            CatalogueRecord::BeginTransaction(_) => {
                // The one before it never ended.
                self.hole();
                self.transaction = Some(offset);
                true
            }
            CatalogueRecord::EndTransaction(_) | CatalogueRecord::AbortTransaction(_) => {
                self.transaction.take().is_some()
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::catalogue::{
        AccessControlEntryRecord, BeginTransactionRecord, BrokerRegistrationChangeRecord,
        ConfigRecord, EndTransactionRecord, PartitionChangeRecord, PartitionRecord,
        RegisterBrokerRecord, RemoveAccessControlEntryRecord, RemoveTopicRecord,
        RemoveUserScramCredentialRecord, TopicRecord, UserScramCredentialRecord,
    };

    /// A script of one word a record, `-` where some are lost; which of them are unfit?
    #[track_caller]
    fn check(script: &str, want: &[i64]) {
        let mut ledger = Ledger::default();
        for (offset, word) in (0..).map(Offset).zip(script.split_whitespace()) {
            match record(word) {
                Some(record) => ledger.enter(offset, &record),
                None => ledger.hole(),
            }
        }
        let unfit: Vec<i64> = ledger.into_unfit().iter().map(|offset| offset.get()).collect();
        assert_eq!(unfit, want, "{script}");
    }

    /// The last letter is the id, or the epoch; topics have one name.
    fn record(word: &str) -> Option<CatalogueRecord> {
        let (what, id) = word.split_at(word.len() - 1);
        let uuid = Uuid([id.as_bytes()[0]; 16]);
        let id = i32::from(id.as_bytes()[0]);
        Some(match what {
            "topic" => TopicRecord { name: "t".into(), topic_id: uuid }.into(),
            "partition" => PartitionRecord { topic_id: uuid, ..PartitionRecord::default() }.into(),
            "change" => {
                PartitionChangeRecord { topic_id: uuid, ..PartitionChangeRecord::default() }.into()
            }
            "remove" => RemoveTopicRecord { topic_id: uuid }.into(),
            "config" => {
                let resource_type = ResourceType::TOPIC;
                let resource_name = "t".into();
                ConfigRecord { resource_type, resource_name, ..ConfigRecord::default() }.into()
            }
            "rule" => AccessControlEntryRecord { id: uuid, ..Default::default() }.into(),
            "unrule" => RemoveAccessControlEntryRecord { id: uuid }.into(),
            "user" => UserScramCredentialRecord { mechanism: 1, ..Default::default() }.into(),
            "unuser" => {
                RemoveUserScramCredentialRecord { mechanism: 1, ..Default::default() }.into()
            }
            "broker" => {
                RegisterBrokerRecord { broker_epoch: i64::from(id), ..Default::default() }.into()
            }
            "fence" => {
                let broker_epoch = i64::from(id);
                BrokerRegistrationChangeRecord { broker_epoch, ..Default::default() }.into()
            }
            "begin" => BeginTransactionRecord::default().into(),
            "end" => EndTransactionRecord::default().into(),
            _ => return None,
        })
    }

    #[test]
    fn what_is_whole_fits() {
        check("topic1 config1 partition1 change1 remove1 topic2 partition2", &[]);
        check("rule1 unrule1 user1 unuser1 broker1 fence1 begin1 topic1 end1", &[]);
    }

    #[test]
    fn nothing_is_said_of_what_never_began() {
        check("-- partition1 change1 remove1", &[1, 2, 3]);
        check("topic1 -- change1", &[2]);
        check("-- unrule1 unuser1 fence1", &[1, 2, 3]);
        check("broker1 -- fence2", &[2]);
    }

    #[test]
    fn who_comes_again_was_gone_in_between() {
        check("topic1 partition1 config1 -- topic2 partition2", &[0, 1, 2]);
        check("topic1 -- topic2 remove1 change1", &[0, 3, 4]);
    }

    #[test]
    fn a_transaction_without_its_end_holds_nothing_back() {
        check("begin1 topic1 -- partition1", &[0]);
        check("begin1 topic1 -- begin2 end2", &[0]);
        check("-- topic1 end1", &[2]);
    }
}
