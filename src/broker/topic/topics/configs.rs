//! Configs changed: of topics and of the broker, in the catalogue and in everything that runs.
//! Never knows: requests, sockets.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::super::catalogue::State;
use super::super::names;
use super::{ChangeError, Topic, Topics};
use crate::broker::config::{
    Changes, Level, Overrides, Refusal, TopicConfig, Wish, broker_changes, topic_changes,
};
use crate::protocol::Text;
use crate::protocol::catalogue::{CatalogueRecord, ConfigRecord};
use crate::protocol::describe_configs::ResourceType;

/// Whose configs change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Topic(Text),
    /// This broker.
    Broker,
    AllBrokers,
}

/// A change of one resource's configs, which is made whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    pub target: Target,
    pub wish: Wish,
}

/// With it on, Apache keeps `min.insync.replicas` for all brokers alike (KIP-966).
const ELIGIBLE_LEADERS: &str = "eligible.leader.replicas.version";

impl Topics {
    /// Checks changes of configs; says which configs each would change.
    pub fn check_configs(&self, wanted: &[Alteration]) -> Vec<Result<Changes, ChangeError>> {
        let state = self.catalogue.lock();
        wanted.iter().map(|wanted| self.changes(&state, wanted)).collect()
    }

    /// Makes those changes that can be. They are in force at once, and durable once
    /// `catalogue_durable` is.
    pub fn alter_configs(&self, wanted: &[Alteration]) -> Vec<Result<Changes, ChangeError>> {
        let mut state = self.catalogue.lock();
        let mut anybody = false;
        let changed = wanted.iter().map(|wanted| {
            let changes = self.changes(&state, wanted)?;
            if changes.is_empty() {
                return Ok(changes);
            }
            let records = self.config_records(&wanted.target, &changes);
            self.catalogue.append(&mut state, records).map_err(ChangeError::Catalogue)?;
            match &wanted.target {
                Target::Topic(name) => self.apply_to_topic(&state, name),
                Target::Broker | Target::AllBrokers => anybody = true,
            }
            Ok(changes)
        });
        let changed = changed.collect();
        if anybody {
            self.apply_to_broker(&state);
        }
        changed
    }

    fn changes(&self, state: &State, wanted: &Alteration) -> Result<Changes, ChangeError> {
        let level = match &wanted.target {
            Target::Topic(name) => return topic(state, name, &wanted.wish),
            Target::Broker => Level::OneBroker,
            Target::AllBrokers => Level::AllBrokers,
        };
        let (broker, cluster) = state.image.broker_configs(self.node.0);
        let own = if level == Level::OneBroker { broker } else { cluster };
        let changes = broker_changes(&own, &wanted.wish, level).map_err(ChangeError::Alteration)?;
        let elr = state.image.features.contains_key(ELIGIBLE_LEADERS);
        let min = changes.iter().find(|(name, _)| name == "min.insync.replicas").filter(|_| elr);
        match (min, level) {
            (Some(_), Level::OneBroker) => Err("Broker-level min.insync.replicas cannot be \
                                                altered while ELR is enabled."),
            (Some((_, None)), Level::AllBrokers) => {
                Err("Cluster-level min.insync.replicas cannot \
                                                         be removed while ELR is enabled.")
            }
            _ => Ok(changes),
        }
        .map_err(|why| ChangeError::Alteration(Refusal::Config(why.into())))
    }

    fn config_records(&self, target: &Target, changes: &Changes) -> Vec<CatalogueRecord> {
        let (resource_type, resource_name) = match target {
            Target::Topic(name) => (ResourceType::TOPIC, name.clone()),
            Target::Broker => (ResourceType::BROKER, self.node.to_string().into()),
            Target::AllBrokers => (ResourceType::BROKER, Text::default()),
        };
        let records = changes.iter().map(|(name, value)| ConfigRecord {
            resource_type,
            resource_name: resource_name.clone(),
            name: name.as_str().into(),
            value: value.as_deref().map(Into::into),
        });
        records.map(Into::into).collect()
    }

    /// What the catalogue says of a topic holds from now on.
    fn apply_to_topic(&self, state: &State, name: &Text) {
        let Some(overrides) = state.image.topics.get(name).map(|image| &image.configs) else {
            return;
        };
        let Some(topic) = self.get(name) else { return };
        let (core, partitions) = (topic.core.clone(), topic.partitions.clone());
        self.replace(Topic { core, overrides: overrides.clone(), partitions });
        self.reconfigure(&topic, overrides);
    }

    /// What the catalogue says of the broker holds from now on, for all topics too.
    fn apply_to_broker(&self, state: &State) {
        let (broker, cluster) = state.image.broker_configs(self.node.0);
        let settings = (*self.settings()).clone().with_dynamic(broker, cluster);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        for topic in self.all() {
            self.reconfigure(&topic, &topic.overrides);
        }
    }

    fn reconfigure(&self, topic: &Topic, overrides: &Overrides) {
        let core = &topic.core;
        let config = Arc::new(TopicConfig::resolve(overrides, &self.settings()));
        *core.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        core.producer_expiry_ms.store(self.producer_expiry_ms(), Ordering::Relaxed);
        // Somebody may be opening one of the logs, which takes as long as it takes.
        tokio::task::block_in_place(|| {
            topic.partitions.iter().for_each(|partition| partition.reconfigure());
        });
    }
}

fn topic(state: &State, name: &Text, wish: &Wish) -> Result<Changes, ChangeError> {
    if name.is_empty() {
        let why = Refusal::Request("Default topic resources are not allowed.".into());
        return Err(ChangeError::Alteration(why));
    }
    names::check(name).map_err(ChangeError::Name)?;
    let image = state.image.topics.get(name);
    let own = image.map(|image| image.configs.clone()).unwrap_or_default();
    let changes = topic_changes(&own, wish).map_err(ChangeError::Alteration)?;
    image.map(|_| changes).ok_or_else(|| ChangeError::UnknownTopic(name.clone()))
}
