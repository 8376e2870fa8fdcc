//! Topics: what there are, more of them, fewer.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as rd;

use super::super::produce::Topic;
use super::{
    Answer, Call, Native, Refusal, Run, TEXT_BYTES_MAX, array, milliseconds, pointers, text_of,
};
use crate::client::Code;
use crate::record::PartitionId;

/// As in the parent: error codes as plain integers.
mod plain {
    use super::{c_int, rd};

    unsafe extern "C" {
        pub fn rd_kafka_metadata(
            client: *mut rd::rd_kafka_t,
            all_topics: c_int,
            only: *mut rd::rd_kafka_topic_t,
            metadata: *mut *const rd::rd_kafka_metadata,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn rd_kafka_topic_result_error(result: *const rd::rd_kafka_topic_result_t) -> c_int;
    }
}

pub(in crate::client::sys) use plain::rd_kafka_metadata as plain_metadata;

/// What one broker knows of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Those that are up.
    pub brokers: Vec<BrokerInfo>,
    pub topics: Vec<TopicInfo>,
}

/// What the cluster says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    pub name: String,
    /// Why there is no more to say, if so.
    pub code: Code,
    /// Sorted by number.
    pub partitions: Vec<PartitionInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    pub id: PartitionId,
    /// `None` while there is none.
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
}

/// Where a broker is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerInfo {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

/// A topic to be made. What is `None` is left to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    pub partitions: Option<i32>,
    pub replicas: Option<i32>,
    pub configs: Vec<(String, String)>,
}

/// All topics, or one, as one broker knows them.
pub fn metadata(native: &Native, only: Option<&Topic>, wait: Duration) -> Result<Metadata, Code> {
    let only = only.map_or(ptr::null_mut(), Topic::as_ptr);
    let all = c_int::from(only.is_null());
    let mut metadata = ptr::null();
    // SAFETY: client and topic are alive. The answer is ours and freed after it was copied; its
    // arrays are as long as their counts say.
    unsafe {
        let code = plain::rd_kafka_metadata(
            native.as_ptr(),
            all,
            only,
            &raw mut metadata,
            milliseconds(wait),
        );
        if code != 0 {
            return Err(Code(code));
        }
        let brokers = array((*metadata).brokers, (*metadata).broker_cnt);
        let brokers = brokers.iter().filter_map(broker_info).collect();
        let topics = array((*metadata).topics, (*metadata).topic_cnt);
        let topics = topics.iter().map(|topic| topic_info(topic)).collect();
        rd::rd_kafka_metadata_destroy(metadata);
        Ok(Metadata { brokers, topics })
    }
}

fn broker_info(broker: &rd::rd_kafka_metadata_broker) -> Option<BrokerInfo> {
    let port = u16::try_from(broker.port).ok()?;
    Some(BrokerInfo { id: broker.id, host: text_of(broker.host), port })
}

/// # Safety
/// The topic must be one of a live answer.
unsafe fn topic_info(topic: &rd::rd_kafka_metadata_topic) -> TopicInfo {
    // SAFETY: it is the caller's promise. The code is read as a plain integer.
    unsafe {
        let mut partitions: Vec<_> = array(topic.partitions, topic.partition_cnt)
            .iter()
            .map(|partition| PartitionInfo {
                id: PartitionId(partition.id),
                leader: (0 <= partition.leader).then_some(partition.leader),
                replicas: array(partition.replicas, partition.replica_cnt).to_vec(),
                isr: array(partition.isrs, partition.isr_cnt).to_vec(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.id);
        let code = Code((&raw const topic.err).cast::<i32>().read());
        TopicInfo { name: text_of(topic.topic), code, partitions }
    }
}

/// Makes topics; each has an answer of its own.
pub fn create(
    native: &Arc<Native>,
    topics: &[NewTopic],
    run: Run,
    wait: Duration,
) -> Result<Vec<Answer<()>>, Refusal> {
    let mut made = NewTopics(Vec::with_capacity(topics.len()));
    for topic in topics {
        made.push(topic)?;
    }
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS, wait);
    call.run(run);
    // SAFETY: client, topics, options and queue are alive; the call copies the topics.
    call.send(|options, queue| unsafe {
        let (topics, count) = (made.0.as_mut_ptr(), made.0.len());
        rd::rd_kafka_CreateTopics(native.as_ptr(), topics, count, options, queue);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind.
    unsafe {
        let result = rd::rd_kafka_event_CreateTopics_result(event.as_ptr());
        let mut count = 0;
        let topics = rd::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
        Ok(topic_answers(topics, count))
    }
}

/// Deletes topics; each has an answer of its own.
pub fn delete(
    native: &Arc<Native>,
    topics: &[CString],
    wait: Duration,
) -> Result<Vec<Answer<()>>, Refusal> {
    // SAFETY: names end with NUL and are copied by the call.
    let mut doomed: Vec<_> =
        topics.iter().map(|name| unsafe { rd::rd_kafka_DeleteTopic_new(name.as_ptr()) }).collect();
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS, wait);
    // SAFETY: client, topics, options and queue are alive; the call copies the topics, so that
    // ours can go.
    call.send(|options, queue| unsafe {
        let (topics, count) = (doomed.as_mut_ptr(), doomed.len());
        rd::rd_kafka_DeleteTopics(native.as_ptr(), topics, count, options, queue);
        rd::rd_kafka_DeleteTopic_destroy_array(topics, count);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind.
    unsafe {
        let result = rd::rd_kafka_event_DeleteTopics_result(event.as_ptr());
        let mut count = 0;
        let topics = rd::rd_kafka_DeleteTopics_result_topics(result, &raw mut count);
        Ok(topic_answers(topics, count))
    }
}

/// Gives topics as many partitions as they should have in all; each has an answer of its own.
pub fn add_partitions(
    native: &Arc<Native>,
    topics: &[(CString, usize)],
    run: Run,
    wait: Duration,
) -> Result<Vec<Answer<()>>, Refusal> {
    let mut why = [0 as c_char; TEXT_BYTES_MAX];
    let mut wanted = Vec::with_capacity(topics.len());
    for (name, total) in topics {
        // SAFETY: the name ends with NUL and is copied; the buffer is as long as we say.
        let one = unsafe {
            rd::rd_kafka_NewPartitions_new(name.as_ptr(), *total, why.as_mut_ptr(), why.len())
        };
        if one.is_null() {
            // SAFETY: those made so far are ours; the buffer holds a text that ends with NUL.
            let text = unsafe {
                rd::rd_kafka_NewPartitions_destroy_array(wanted.as_mut_ptr(), wanted.len());
                text_of(why.as_ptr())
            };
            return Err(Refusal { code: Code::INVALID_ARGUMENT, text });
        }
        wanted.push(one);
    }
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, wait);
    call.run(run);
    // SAFETY: client, wishes, options and queue are alive; the call copies the wishes, so that
    // ours can go.
    call.send(|options, queue| unsafe {
        let (wanted, count) = (wanted.as_mut_ptr(), wanted.len());
        rd::rd_kafka_CreatePartitions(native.as_ptr(), wanted, count, options, queue);
        rd::rd_kafka_NewPartitions_destroy_array(wanted, count);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind.
    unsafe {
        let result = rd::rd_kafka_event_CreatePartitions_result(event.as_ptr());
        let mut count = 0;
        let topics = rd::rd_kafka_CreatePartitions_result_topics(result, &raw mut count);
        Ok(topic_answers(topics, count))
    }
}

/// # Safety
/// The array must be one of a live answer, as long as `count`.
unsafe fn topic_answers(
    topics: *mut *const rd::rd_kafka_topic_result_t,
    count: usize,
) -> Vec<Answer<()>> {
    // SAFETY: it is the caller's promise.
    unsafe {
        let answer = |&topic: &*const rd::rd_kafka_topic_result_t| {
            let code = Code(plain::rd_kafka_topic_result_error(topic));
            let text = text_of(rd::rd_kafka_topic_result_error_string(topic));
            let result = if code == Code::NONE { Ok(()) } else { Err(Refusal { code, text }) };
            (text_of(rd::rd_kafka_topic_result_name(topic)), result)
        };
        pointers(topics, count).iter().map(answer).collect()
    }
}

/// Topics to be made, ours.
struct NewTopics(Vec<*mut rd::rd_kafka_NewTopic_t>);

impl NewTopics {
    fn push(&mut self, topic: &NewTopic) -> Result<(), Refusal> {
        let wrong = |text: &str| Refusal { code: Code::INVALID_ARGUMENT, text: text.to_owned() };
        let text = |text: &str| CString::new(text).map_err(|_| wrong("a NUL is in its name"));
        let mut why = [0 as c_char; TEXT_BYTES_MAX];
        let name = text(&topic.name)?;
        // SAFETY: the name ends with NUL and is copied; the buffer is as long as we say.
        let made = unsafe {
            rd::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions.unwrap_or(-1),
                topic.replicas.unwrap_or(-1),
                why.as_mut_ptr(),
                why.len(),
            )
        };
        if made.is_null() {
            return Err(wrong(&text_of(why.as_ptr())));
        }
        self.0.push(made);
        for (key, value) in &topic.configs {
            let (key, value) = (text(key)?, text(value)?);
            // SAFETY: the topic is alive; both texts end with NUL and are copied.
            unsafe { rd::rd_kafka_NewTopic_set_config(made, key.as_ptr(), value.as_ptr()) };
        }
        Ok(())
    }
}

impl Drop for NewTopics {
    fn drop(&mut self) {
        // SAFETY: the topics are ours and used no more.
        unsafe { rd::rd_kafka_NewTopic_destroy_array(self.0.as_mut_ptr(), self.0.len()) }
    }
}
