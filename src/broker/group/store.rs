//! `__consumer_offsets`: where what groups know outlives the broker, in Apache's place and form.
//! Never knows: members, requests, what the records add up to.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::replay::Replay;
use crate::broker::config::{Overrides, Settings};
use crate::broker::topic::{ChangeError, NewTopic, Partition, Topic, Topics, Unusable};
use crate::log::AppendError;
use crate::protocol::group_record::{EncodedGroupRecord, GroupRecord};
use crate::protocol::{EncodeError, ErrorCode};
use crate::record::{BatchBuilder, BatchView, PartitionId, Record, Times, Timestamp};

pub const TOPIC: &str = "__consumer_offsets";
/// The setting that says how many partitions it gets.
const PARTITIONS: &str = "offsets.topic.num.partitions";

/// Apache refuses to create a topic with smaller ones.
const SEGMENT_BYTES_MIN: i64 = 1 << 20;

/// Why nothing was written.
#[derive(Debug)]
pub enum StoreError {
    /// One commit is larger than a batch of the topic may be.
    TooLarge {
        bytes: usize,
        bytes_max: u32,
    },
    Record(EncodeError),
    Create(ChangeError),
    Partition(Unusable),
    Append(AppendError),
}

impl StoreError {
    /// What the client hears. Those that ask for another coordinator make it try again.
    pub fn code(&self) -> ErrorCode {
        match self {
            StoreError::TooLarge { .. } | StoreError::Append(AppendError::LargerThanSegment) => {
                ErrorCode::INVALID_COMMIT_OFFSET_SIZE
            }
            StoreError::Record(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
            _ => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        }
    }

    /// Logs what was not logged where it happened.
    pub fn log(&self, group: &str) {
        if let StoreError::TooLarge { .. } | StoreError::Record(_) = self {
            tracing::error!(group, error = %self, "cannot write what a group knows");
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::TooLarge { bytes, bytes_max } => {
                write!(f, "a commit of {bytes} bytes exceeds max.message.bytes of {bytes_max}")
            }
            StoreError::Record(error) => error.fmt(f),
            StoreError::Create(error) => error.fmt(f),
            StoreError::Partition(Unusable::Gone) => f.write_str("the topic was deleted"),
            StoreError::Partition(Unusable::Broken) => f.write_str("its log cannot be used"),
            StoreError::Append(error) => error.fmt(f),
        }
    }
}

/// What loading could not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub records: usize,
    /// Of a version that only a newer Kafka reads; they stay where they are.
    pub unreadable: usize,
    /// Of transactions that nobody decided yet.
    pub undecided: usize,
}

/// The topic, whether it is there already or not.
pub struct Store {
    topics: Arc<Topics>,
    /// Partitions that could not be read: what their groups committed is not known, and nobody may
    /// be told that it is nothing.
    broken: Mutex<HashSet<PartitionId>>,
}

impl Store {
    pub fn new(topics: Arc<Topics>) -> Store {
        Store { topics, broken: Mutex::default() }
    }

    /// Writes records of one group, all or none. They are in the page cache when this returns.
    pub fn append(
        &self,
        group: &str,
        records: &[GroupRecord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let encoded: Result<Vec<_>, _> = records.iter().map(GroupRecord::encode).collect();
        let encoded = encoded.map_err(StoreError::Record)?;
        let topic = self.topic()?;
        write(partition_of(&topic, group), &encoded, now)
    }

    /// Writes any number of records of one group, in several batches if need be: a crash between
    /// them leaves the later ones unsaid.
    pub fn append_in_parts(
        &self,
        group: &str,
        records: &[GroupRecord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self.append(group, records, now) {
            Err(StoreError::TooLarge { .. }) if 1 < records.len() => {
                let (first, rest) = records.split_at(records.len() / 2);
                self.append_in_parts(group, first, now)?;
                self.append_in_parts(group, rest, now)
            }
            written => written,
        }
    }

    /// The partition where a group's records are, or will be.
    pub fn place_of(&self, group: &str) -> PartitionId {
        let there = self.topics.get(TOPIC).map(|topic| topic.partitions.len());
        let wanted = || usize::try_from(self.topics.settings().number(PARTITIONS)).unwrap_or(1);
        PartitionId(place(group, there.unwrap_or_else(wanted)) as i32)
    }

    /// Whether what this group knew is known.
    pub fn is_readable(&self, group: &str) -> bool {
        let topic = self.topics.get(TOPIC);
        topic.is_none_or(|topic| !self.is_broken(partition_of(&topic, group).id))
    }

    fn is_broken(&self, partition: PartitionId) -> bool {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).contains(&partition)
    }

    /// The topic, which comes into being when the first group has something to say.
    fn topic(&self) -> Result<Arc<Topic>, StoreError> {
        if let Some(topic) = self.topics.get(TOPIC) {
            return Ok(topic);
        }
        let created = self
            .topics
            .create(&[topic(&self.topics.settings())])
            .pop()
            .expect("one answer for one topic");
        match created {
            // Two groups came at once.
            Err(ChangeError::Exists(_)) => {
                self.topics.get(TOPIC).ok_or(StoreError::Partition(Unusable::Gone))
            }
            created => {
                let topic = created.map_err(StoreError::Create)?;
                tracing::info!(topic = TOPIC, "topic created");
                Ok(topic)
            }
        }
    }

    /// Hands out what is known of all groups, each key once, in no particular order.
    pub fn load(&self, mut take: impl FnMut(GroupRecord)) -> Loaded {
        let mut loaded = Loaded::default();
        let Some(topic) = self.topics.get(TOPIC) else { return loaded };
        for partition in &topic.partitions {
            match read(partition) {
                Ok(replay) => load(replay, &mut loaded, &mut take),
                Err(error) => {
                    let id = partition.id;
                    tracing::error!(topic = TOPIC, partition = %id, error, "cannot load groups");
                    self.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
                }
            }
        }
        if 0 < loaded.undecided {
            let records = loaded.undecided;
            tracing::warn!(records, "offsets of undecided transactions are not committed");
        }
        loaded
    }
}

fn load(replay: Replay, loaded: &mut Loaded, take: &mut impl FnMut(GroupRecord)) {
    loaded.undecided += replay.undecided();
    for (key, value) in replay.finish() {
        match GroupRecord::decode(key, Some(value)) {
            Ok(Some(record)) => {
                loaded.records += 1;
                take(record);
            }
            // A group of a protocol that is not served.
            Ok(None) => {}
            Err(error) => {
                loaded.unreadable += 1;
                tracing::error!(topic = TOPIC, %error, "cannot read a group's record");
            }
        }
    }
}

fn write(
    partition: &Partition,
    records: &[EncodedGroupRecord],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut batch = BatchBuilder::new();
    for EncodedGroupRecord { key, value } in records {
        let record = Record { key: Some(key), value: value.as_deref(), headers: &[] };
        batch.push(now, &record);
    }
    let bytes = batch.build();
    let bytes_max = partition.core.config().batch_bytes_max;
    if bytes_max < u32::try_from(bytes.len()).unwrap_or(u32::MAX) {
        return Err(StoreError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    let batch = BatchView::parse(&bytes).expect("a batch that was just built");
    let appended = partition.append(&batch, Times::Keep, now).map_err(StoreError::Partition)?;
    appended.map(drop).map_err(|error| {
        tracing::error!(topic = TOPIC, partition = %partition.id, %error, "cannot append");
        StoreError::Append(error)
    })
}

/// What a partition's log adds up to.
fn read(partition: &Partition) -> Result<Replay, String> {
    let mut replay = Replay::default();
    partition.each_batch(|batch| replay.apply(batch))?;
    Ok(replay)
}

/// The topic as Apache creates it (GroupCoordinatorService.groupMetadataTopicConfigs).
pub fn topic(settings: &Settings) -> NewTopic {
    let segment_bytes = settings.number("offsets.topic.segment.bytes").max(SEGMENT_BYTES_MIN);
    let configs = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", segment_bytes.to_string()),
    ];
    let configs: Overrides =
        configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let partitions = i32::try_from(settings.number(PARTITIONS)).ok();
    NewTopic { name: TOPIC.into(), partitions, configs }
}

fn partition_of<'a>(topic: &'a Topic, group: &str) -> &'a Partition {
    &topic.partitions[place(group, topic.partitions.len())]
}

/// Where a group's records lie: Java's hash of its id (GroupCoordinatorService.partitionFor).
fn place(group: &str, partitions: usize) -> usize {
    let hash = java_hash(group);
    // Utils.abs: the one number without a positive counterpart is 0.
    usize::try_from(hash.checked_abs().unwrap_or(0)).expect("it is positive") % partitions
}

/// String.hashCode, over UTF-16.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}
