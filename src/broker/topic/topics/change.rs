//! Topics created and deleted: what is checked, what the catalogue is told, what the disk sees.
//! Never knows: requests, sockets.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::super::catalogue::{CatalogueError, State};
use super::super::names::{self, BadName};
use super::super::partition::{Asleep, Partition};
use super::{RECORDS_PER_BATCH, Topic, Topics, random_id};
use crate::broker::config::{Overrides, Refusal, check_topic};
use crate::protocol::Text;
use crate::protocol::catalogue::{
    CatalogueRecord, ConfigRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
use crate::protocol::describe_configs::ResourceType;
use crate::record::{LeaderEpoch, PartitionId, Uuid};

/// As Apache's (ReplicationControlManager.MAX_PARTITIONS_PER_BATCH).
const PARTITIONS_PER_CHANGE_MAX: usize = 10_000;

/// A topic that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: Text,
    /// `None`: `num.partitions`.
    pub partitions: Option<i32>,
    pub configs: Overrides,
}

/// More partitions that somebody wants for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    pub name: Text,
    /// How many there are to be.
    pub count: i32,
    /// How many of the new ones somebody has placed.
    pub assigned: Option<usize>,
}

/// Why topics stay as they are.
#[derive(Debug)]
pub enum ChangeError {
    Exists(Text),
    Name(BadName),
    /// Differs from another only in `.` and `_`.
    Collides {
        name: Text,
        other: Text,
    },
    /// It is how the broker keeps its own books.
    Reserved(Text),
    Partitions,
    TooManyPartitions,
    /// It has so many already.
    NoGrowth {
        name: Text,
        now: usize,
        wanted: i32,
    },
    Assignments {
        added: usize,
        assigned: usize,
    },
    Config(String),
    Alteration(Refusal),
    Unknown,
    /// The same, as those who change configs hear it.
    UnknownTopic(Text),
    Catalogue(CatalogueError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::Exists(name) => write!(f, "Topic '{name}' already exists."),
            ChangeError::Name(bad) => bad.fmt(f),
            ChangeError::Collides { name, other } => {
                write!(f, "Topic '{name}' collides with existing topic: {other}")
            }
            ChangeError::Reserved(name) => {
                write!(f, "Creation of internal topic {name} is prohibited.")
            }
            ChangeError::Partitions => {
                f.write_str("Number of partitions was set to an invalid non-positive value.")
            }
            ChangeError::TooManyPartitions => {
                f.write_str("Excessively large number of partitions per request.")
            }
            ChangeError::NoGrowth { now, wanted, .. } if usize::try_from(*wanted) == Ok(*now) => {
                write!(f, "Topic already has {now} partition(s).")
            }
            ChangeError::NoGrowth { name, now, wanted } => write!(
                f,
                "The topic {name} currently has {now} partition(s); {wanted} would not be an \
                 increase."
            ),
            ChangeError::Assignments { added, assigned } => write!(
                f,
                "Attempted to add {added} additional partition(s), but only {assigned} \
                 assignment(s) were specified."
            ),
            ChangeError::Config(why)
            | ChangeError::Alteration(Refusal::Config(why) | Refusal::Request(why)) => {
                f.write_str(why)
            }
            ChangeError::UnknownTopic(name) => write!(f, "The topic '{name}' does not exist."),
            ChangeError::Unknown => f.write_str("This server does not host this topic-partition."),
            ChangeError::Catalogue(error) => error.fmt(f),
        }
    }
}

impl Topics {
    /// Checks topics that somebody wants, each against what there is and the others.
    pub fn check(&self, wanted: &[NewTopic]) -> Vec<Result<(), ChangeError>> {
        self.check_all(&self.catalogue.lock(), wanted)
    }

    /// Creates those topics that can be. They are durable once `catalogue_durable` is.
    pub fn create(&self, wanted: &[NewTopic]) -> Vec<Result<Arc<Topic>, ChangeError>> {
        let mut state = self.catalogue.lock();
        let checked = self.check_all(&state, wanted);
        let mut good =
            wanted.iter().zip(&checked).filter(|(_, checked)| checked.is_ok()).peekable();
        let mut failed: Option<String> = None;
        while good.peek().is_some() && failed.is_none() {
            let mut records = Vec::new();
            while let Some((wanted, _)) = good.next_if(|_| records.len() < RECORDS_PER_BATCH) {
                self.records(wanted, &mut records);
            }
            failed =
                self.catalogue.append(&mut state, records).err().map(|error| error.to_string());
        }
        if let Some(error) = &failed {
            tracing::error!(%error, "cannot create topics");
        }
        let created = wanted.iter().zip(checked).map(|(wanted, checked)| {
            checked?;
            match state.image.topics.get(&wanted.name) {
                Some(image) => Ok(self.register(&wanted.name, image, |_| Asleep::default())),
                None => Err(ChangeError::Catalogue(CatalogueError::Refused)),
            }
        });
        created.collect()
    }

    fn check_all(&self, state: &State, wanted: &[NewTopic]) -> Vec<Result<(), ChangeError>> {
        let existing = state.image.topics.keys();
        let mut folded: HashMap<String, Text> =
            existing.map(|name| (names::folded(name), name.clone())).collect();
        let mut partitions = 0;
        let checked = wanted.iter().map(|topic| {
            check_topic(&topic.configs).map_err(ChangeError::Config)?;
            names::check(&topic.name).map_err(ChangeError::Name)?;
            if &*topic.name == "__cluster_metadata" {
                return Err(ChangeError::Reserved(topic.name.clone()));
            }
            match folded.get(&names::folded(&topic.name)) {
                Some(other) if *other == topic.name => {
                    return Err(ChangeError::Exists(topic.name.clone()));
                }
                Some(other) => {
                    let (name, other) = (topic.name.clone(), other.clone());
                    return Err(ChangeError::Collides { name, other });
                }
                None => {}
            }
            let count = usize::try_from(self.partition_count(topic))
                .ok()
                .filter(|count| 0 < *count)
                .ok_or(ChangeError::Partitions)?;
            partitions += count;
            if PARTITIONS_PER_CHANGE_MAX < partitions {
                return Err(ChangeError::TooManyPartitions);
            }
            folded.insert(names::folded(&topic.name), topic.name.clone());
            Ok(())
        });
        checked.collect()
    }

    pub fn partition_count(&self, topic: &NewTopic) -> i32 {
        let default =
            || i32::try_from(self.settings().number("num.partitions")).unwrap_or(i32::MAX);
        topic.partitions.unwrap_or_else(default)
    }

    /// A topic's records, in Apache's order.
    fn records(&self, topic: &NewTopic, records: &mut Vec<CatalogueRecord>) {
        let topic_id = random_id();
        records.push(TopicRecord { name: topic.name.clone(), topic_id }.into());
        records.extend(topic.configs.iter().map(|(name, value)| {
            ConfigRecord {
                resource_type: ResourceType::TOPIC,
                resource_name: topic.name.clone(),
                name: name.as_str().into(),
                value: Some(value.as_str().into()),
            }
            .into()
        }));
        let all = 0..self.partition_count(topic);
        records.extend(all.map(|partition| self.new_partition(topic_id, partition)));
    }

    fn new_partition(&self, topic_id: Uuid, partition: i32) -> CatalogueRecord {
        PartitionRecord {
            partition: PartitionId(partition),
            topic_id,
            replicas: vec![self.node],
            in_sync: vec![self.node],
            leader: Some(self.node),
            leader_epoch: LeaderEpoch(0),
            directories: vec![self.identity.directory_id],
            ..PartitionRecord::default()
        }
        .into()
    }

    /// Checks whether a topic can grow so.
    pub fn check_growth(&self, wanted: &Growth) -> Result<(), ChangeError> {
        check_growth(&self.catalogue.lock(), wanted).map(drop)
    }

    /// Adds partitions to a topic. They are durable once `catalogue_durable` is.
    pub fn grow(&self, wanted: &Growth) -> Result<Arc<Topic>, ChangeError> {
        let mut state = self.catalogue.lock();
        let new = check_growth(&state, wanted)?;
        let topic = self.get(&wanted.name).ok_or(ChangeError::Unknown)?;
        let records = new.clone().map(|partition| self.new_partition(topic.id(), partition));
        self.catalogue.append(&mut state, records.collect()).map_err(ChangeError::Catalogue)?;
        let mut partitions = topic.partitions.clone();
        partitions.extend(new.map(|id| {
            let (core, id) = (topic.core.clone(), PartitionId(id));
            Arc::new(Partition::new(core, id, LeaderEpoch(0), Asleep::default()))
        }));
        let (core, overrides) = (topic.core.clone(), topic.overrides.clone());
        Ok(self.replace(Topic { core, overrides, partitions }))
    }

    /// Deletes a topic: from now on it is not there. What lay in its directories is to be removed
    /// by the caller, at leisure, who settles the deletion before he answers.
    pub fn delete(&self, id: Uuid) -> Result<Vec<PathBuf>, ChangeError> {
        let mut state = self.catalogue.lock();
        let topic = self.get_by_id(id).ok_or(ChangeError::Unknown)?;
        let removal = RemoveTopicRecord { topic_id: id }.into();
        self.catalogue.append(&mut state, vec![removal]).map_err(ChangeError::Catalogue)?;
        {
            let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
            registry.by_name.remove(topic.name());
            registry.by_id.remove(&id);
        }
        let mut leftovers = Vec::new();
        for partition in &topic.partitions {
            drop(partition.close());
            let dir = partition.dir();
            let aside = names::set_aside(topic.name(), partition.id, id, "delete");
            let aside = self.data_dir.join(aside);
            match fs::rename(&dir, &aside) {
                Ok(()) => leftovers.push(aside),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let dir = dir.display();
                    tracing::error!(%dir, %error, "cannot set a deleted topic aside");
                }
            }
        }
        Ok(leftovers)
    }
}

/// The numbers of the new partitions.
fn check_growth(state: &State, wanted: &Growth) -> Result<Range<i32>, ChangeError> {
    let image = state.image.topics.get(&wanted.name).ok_or(ChangeError::Unknown)?;
    let now = image.partitions.len();
    let added = usize::try_from(wanted.count).ok().and_then(|count| count.checked_sub(now));
    let Some(added) = added.filter(|added| 0 < *added) else {
        let (name, wanted) = (wanted.name.clone(), wanted.count);
        return Err(ChangeError::NoGrowth { name, now, wanted });
    };
    if let Some(assigned) = wanted.assigned.filter(|assigned| *assigned != added) {
        return Err(ChangeError::Assignments { added, assigned });
    }
    if PARTITIONS_PER_CHANGE_MAX < added {
        return Err(ChangeError::TooManyPartitions);
    }
    Ok(wanted.count - added as i32..wanted.count)
}
