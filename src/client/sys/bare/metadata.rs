//! What one broker says of a cluster, and offsets by time: whole and as it came.

use std::ffi::c_int;
use std::ptr;

use rdkafka_sys as rd;

use super::super::admin::{Partitions, array, plain_metadata};
use super::super::produce::Topic;
use super::super::{Native, text_of};
use super::{Milliseconds, done};
use crate::client::Code;

/// What a broker answered, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub from: i32,
    pub from_name: String,
    pub brokers: Vec<Broker>,
    pub topics: Vec<TopicMetadata>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub host: String,
    pub port: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    pub name: String,
    pub code: Code,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub id: i32,
    pub code: Code,
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub isrs: Vec<i32>,
}

/// A partition with an offset, or with a time to find one by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub code: Code,
}

/// Asks any broker about the topics that this client knows; whether it answers.
pub(super) fn answers(native: &Native, wait: Milliseconds) -> bool {
    let mut answer = ptr::null();
    // SAFETY: the client is alive; an answer is ours to free, and not looked at.
    unsafe {
        let none = ptr::null_mut();
        plain_metadata(native.as_ptr(), 0, none, &raw mut answer, wait.0);
        if !answer.is_null() {
            rd::rd_kafka_metadata_destroy(answer);
        }
    }
    !answer.is_null()
}

/// Asks a broker for all topics, or for one.
pub fn metadata(
    native: &Native,
    only: Option<&Topic>,
    wait: Milliseconds,
) -> Result<Metadata, Code> {
    let topic = only.map_or(ptr::null_mut(), Topic::as_ptr);
    let all = c_int::from(only.is_none());
    let mut answer = ptr::null();
    // SAFETY: client and topic are alive. The answer is ours and freed after it was copied; its
    // arrays are as long as their counts say.
    unsafe {
        done(plain_metadata(native.as_ptr(), all, topic, &raw mut answer, wait.0))?;
        let said = &*answer;
        let metadata = Metadata {
            from: said.orig_broker_id,
            from_name: text_of(said.orig_broker_name),
            brokers: array(said.brokers, said.broker_cnt)
                .iter()
                .map(|b| Broker { id: b.id, host: text_of(b.host), port: b.port })
                .collect(),
            topics: array(said.topics, said.topic_cnt).iter().map(|t| topic_of(t)).collect(),
        };
        rd::rd_kafka_metadata_destroy(answer);
        Ok(metadata)
    }
}

/// # Safety
/// The topic must be one of a live answer.
unsafe fn topic_of(topic: &rd::rd_kafka_metadata_topic) -> TopicMetadata {
    // SAFETY: it is the caller's promise. The codes are read as plain integers.
    unsafe {
        let partitions = array(topic.partitions, topic.partition_cnt).iter();
        let partitions = partitions.map(|partition| Partition {
            id: partition.id,
            code: Code((&raw const partition.err).cast::<i32>().read()),
            leader: partition.leader,
            replicas: array(partition.replicas, partition.replica_cnt).to_vec(),
            isrs: array(partition.isrs, partition.isr_cnt).to_vec(),
        });
        TopicMetadata {
            name: text_of(topic.topic),
            code: Code((&raw const topic.err).cast::<i32>().read()),
            partitions: partitions.collect(),
        }
    }
}

/// The offset of each partition for the time in its place; sorted by topic and partition.
pub fn offsets_for_times(
    native: &Native,
    places: &[Place],
    wait: Milliseconds,
) -> Result<Vec<Place>, Code> {
    let list = Partitions::new(places.len());
    for place in places {
        list.add(&place.topic, crate::record::PartitionId(place.partition), place.offset);
    }
    // SAFETY: client and list are alive; the list is as long as its count, and its codes are read
    // as plain integers. A comparison that is left out is librdkafka's own.
    unsafe {
        done(rd::rd_kafka_offsets_for_times(native.as_ptr(), list.0, wait.0) as c_int)?;
        rd::rd_kafka_topic_partition_list_sort(list.0, None, ptr::null_mut());
        let place = |place: &rd::rd_kafka_topic_partition_t| Place {
            topic: text_of(place.topic),
            partition: place.partition,
            offset: place.offset,
            code: Code((&raw const place.err).cast::<i32>().read()),
        };
        Ok(array((*list.0).elems, (*list.0).cnt).iter().map(place).collect())
    }
}
