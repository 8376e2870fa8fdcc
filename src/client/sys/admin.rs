//! Questions and orders to a cluster: each is one call that is answered with one event.

use std::ffi::{CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka_sys as rd;

use super::produce::Topic;
use super::{Complaint, Event, Native, Queue, TEXT_BYTES_MAX, text_of};
use crate::client::Code;
use crate::record::{LeaderEpoch, Offset, PartitionId, Timestamp};

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
        pub fn rd_kafka_ConfigResource_error(
            resource: *const rd::rd_kafka_ConfigResource_t,
        ) -> c_int;
        pub fn rd_kafka_ConfigEntry_source(entry: *const rd::rd_kafka_ConfigEntry_t) -> c_int;
        pub fn rd_kafka_committed(
            client: *mut rd::rd_kafka_t,
            partitions: *mut rd::rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
    }
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

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Start,
    End,
    /// The first record at or after this time.
    Since(Timestamp),
}

/// Whether the records of open transactions are within the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

/// What the leader of a partition says of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeInfo {
    /// `None` where no record is that young.
    pub offset: Option<Offset>,
    pub leader_epoch: Option<LeaderEpoch>,
}

/// What was refused, in the broker's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub text: String,
}

/// A topic to be made. What is `None` is left to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    pub partitions: Option<i32>,
    pub replicas: Option<i32>,
    pub configs: Vec<(String, String)>,
}

/// Whether something is done or only checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Real,
    Dry,
}

/// A setting of a topic, and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigInfo {
    pub name: String,
    /// `None` where it is a secret.
    pub value: Option<String>,
    /// What it would be if nobody had set it, where the broker says.
    pub default: Option<String>,
    pub source: ConfigSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    Topic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    Unknown,
}

/// One partition's answer.
pub type EdgeAnswer = (String, PartitionId, Result<EdgeInfo, Code>);
/// One topic's answer.
pub type TopicAnswer<T> = (String, Result<T, Refusal>);

impl Native {
    /// Whether a broker has answered a metadata request, waiting for it at most this long.
    pub fn reached_within(&self, wait: Duration) -> bool {
        // SAFETY: the client is alive; the text is ours, to be freed with its own function.
        unsafe {
            let id = rd::rd_kafka_clusterid(self.as_ptr(), milliseconds(wait));
            if !id.is_null() {
                rd::rd_kafka_mem_free(self.as_ptr(), id.cast());
            }
            !id.is_null()
        }
    }

    /// What librdkafka said last about a broker, up to now. Other events are dropped: only for
    /// clients that wait for none.
    pub fn latest_complaint(&self) -> Option<Complaint> {
        while let Some(event) = self.main.poll(Duration::ZERO) {
            self.noted(event);
        }
        self.complaint()
    }
}

/// All topics, or one, as one broker knows them.
pub fn metadata(
    native: &Native,
    only: Option<&Topic>,
    wait: Duration,
) -> Result<Vec<TopicInfo>, Code> {
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
        let topics = array((*metadata).topics, (*metadata).topic_cnt);
        let topics = topics.iter().map(|topic| topic_info(topic)).collect();
        rd::rd_kafka_metadata_destroy(metadata);
        Ok(topics)
    }
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

/// Asks where partitions begin or end, or which of their records is the first of a time.
pub fn ask_edges(
    native: &Arc<Native>,
    isolation: Isolation,
    wanted: &[(&str, PartitionId, Edge)],
    wait: Duration,
) -> Call {
    let list = Partitions::new(wanted.len());
    for (topic, partition, edge) in wanted {
        use rd::rd_kafka_OffsetSpec_t as spec;
        list.add(
            topic,
            *partition,
            match edge {
                Edge::Start => spec::RD_KAFKA_OFFSET_SPEC_EARLIEST as i64,
                Edge::End => spec::RD_KAFKA_OFFSET_SPEC_LATEST as i64,
                Edge::Since(time) => time.get().max(0),
            },
        );
    }
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, wait);
    call.isolation(isolation);
    // SAFETY: client, list, options and queue are alive; the call copies the list.
    call.send(|options, queue| unsafe {
        rd::rd_kafka_ListOffsets(native.as_ptr(), list.0, options, queue);
    });
    call
}

/// The answer to `ask_edges`.
pub fn edges(call: &Call) -> Result<Vec<EdgeAnswer>, Refusal> {
    let event = call.answer()?;
    assert_eq!(event.kind(), rd::RD_KAFKA_EVENT_LISTOFFSETS_RESULT, "a call for edges");
    // SAFETY: the event is alive and of this kind; the array is as long as its count, and lives as
    // long as the event.
    unsafe {
        let result = rd::rd_kafka_event_ListOffsets_result(event.as_ptr());
        let mut count = 0;
        let infos = rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let infos = pointers(infos.cast_const().cast(), count);
        Ok(infos.iter().map(|&info| edge_answer(info)).collect())
    }
}

/// # Safety
/// The info must be one of a live answer.
unsafe fn edge_answer(info: *const rd::rd_kafka_ListOffsetsResultInfo_t) -> EdgeAnswer {
    // SAFETY: it is the caller's promise. The code is read as a plain integer.
    unsafe {
        let place = rd::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
        let code = Code((&raw const (*place).err).cast::<i32>().read());
        let epoch = rd::rd_kafka_topic_partition_get_leader_epoch(place);
        let answer = EdgeInfo {
            offset: (0 <= (*place).offset).then_some(Offset((*place).offset)),
            leader_epoch: (0 <= epoch).then_some(LeaderEpoch(epoch)),
        };
        let answer = if code == Code::NONE { Ok(answer) } else { Err(code) };
        (text_of((*place).topic), PartitionId((*place).partition), answer)
    }
}

/// Where the group of the configuration has read to; nothing where it never said.
pub fn committed(
    native: &Native,
    wanted: &[(&str, PartitionId)],
    wait: Duration,
) -> Result<Vec<(String, PartitionId, Option<Offset>)>, Code> {
    let list = Partitions::new(wanted.len());
    for (topic, partition) in wanted {
        list.add(topic, *partition, 0);
    }
    // SAFETY: client and list are alive; the answer is written into the list.
    let code =
        Code(unsafe { plain::rd_kafka_committed(native.as_ptr(), list.0, milliseconds(wait)) });
    if code != Code::NONE {
        return Err(code);
    }
    // SAFETY: the list is alive, and its array is as long as its count.
    let places = unsafe { array((*list.0).elems, (*list.0).cnt) };
    let found = places.iter().map(|place| {
        let offset = (0 <= place.offset).then_some(Offset(place.offset));
        (text_of(place.topic), PartitionId(place.partition), offset)
    });
    Ok(found.collect())
}

/// Makes topics; each has an answer of its own.
pub fn create(
    native: &Arc<Native>,
    topics: &[NewTopic],
    run: Run,
    wait: Duration,
) -> Result<Vec<TopicAnswer<()>>, Refusal> {
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
) -> Result<Vec<TopicAnswer<()>>, Refusal> {
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

/// # Safety
/// The array must be one of a live answer, as long as `count`.
unsafe fn topic_answers(
    topics: *mut *const rd::rd_kafka_topic_result_t,
    count: usize,
) -> Vec<TopicAnswer<()>> {
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

/// The settings of topics; each topic has an answer of its own.
pub fn configs(
    native: &Arc<Native>,
    topics: &[CString],
    wait: Duration,
) -> Result<Vec<TopicAnswer<Vec<ConfigInfo>>>, Refusal> {
    let kind = rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
    // SAFETY: names end with NUL and are copied by the call.
    let resource = |name: &CString| unsafe { rd::rd_kafka_ConfigResource_new(kind, name.as_ptr()) };
    let mut resources: Vec<_> = topics.iter().map(resource).collect();
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, wait);
    // SAFETY: client, resources, options and queue are alive; the call copies the resources, so
    // that ours can go.
    call.send(|options, queue| unsafe {
        let (resources, count) = (resources.as_mut_ptr(), resources.len());
        rd::rd_kafka_DescribeConfigs(native.as_ptr(), resources, count, options, queue);
        rd::rd_kafka_ConfigResource_destroy_array(resources, count);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; the array is as long as its count.
    unsafe {
        let result = rd::rd_kafka_event_DescribeConfigs_result(event.as_ptr());
        let mut count = 0;
        let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
        Ok(pointers(resources, count).iter().map(|&resource| config_answer(resource)).collect())
    }
}

/// # Safety
/// The resource must be one of a live answer.
unsafe fn config_answer(
    resource: *const rd::rd_kafka_ConfigResource_t,
) -> TopicAnswer<Vec<ConfigInfo>> {
    // SAFETY: it is the caller's promise; the array is as long as its count.
    unsafe {
        let name = text_of(rd::rd_kafka_ConfigResource_name(resource));
        let code = Code(plain::rd_kafka_ConfigResource_error(resource));
        if code != Code::NONE {
            let text = text_of(rd::rd_kafka_ConfigResource_error_string(resource));
            return (name, Err(Refusal { code, text }));
        }
        let mut count = 0;
        let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        (name, Ok(pointers(entries, count).iter().map(|&entry| config_info(entry)).collect()))
    }
}

/// # Safety
/// The entry must be one of a live answer.
unsafe fn config_info(entry: *const rd::rd_kafka_ConfigEntry_t) -> ConfigInfo {
    // SAFETY: it is the caller's promise; the array is as long as its count.
    unsafe {
        let source = |entry| source(plain::rd_kafka_ConfigEntry_source(entry));
        let value = |entry| optional(rd::rd_kafka_ConfigEntry_value(entry));
        let mut count = 0;
        let others = rd::rd_kafka_ConfigEntry_synonyms(entry, &raw mut count);
        let mut others = pointers(others, count).iter();
        let default = others.find(|&&other| source(other) == ConfigSource::Default);
        ConfigInfo {
            name: text_of(rd::rd_kafka_ConfigEntry_name(entry)),
            value: value(entry),
            default: default.and_then(|&default| value(default)),
            source: source(entry),
        }
    }
}

/// The protocol's numbers (DescribeConfigsResponse.java).
fn source(number: c_int) -> ConfigSource {
    match number {
        1 => ConfigSource::Topic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        _ => ConfigSource::Unknown,
    }
}

/// One admin call: its options, and the queue for its one answer.
pub struct Call {
    options: NonNull<rd::rd_kafka_AdminOptions_t>,
    queue: Queue,
    deadline: Instant,
    /// Last, so that it goes last.
    native: Arc<Native>,
}

impl Call {
    fn new(native: &Arc<Native>, kind: rd::rd_kafka_admin_op_t, wait: Duration) -> Call {
        let mut why = [0 as c_char; TEXT_BYTES_MAX];
        let wait_ms = milliseconds(wait).max(1);
        // SAFETY: the client is alive and outlives options and queue; the buffer is as long as we
        // say. A time within an int is always taken.
        unsafe {
            let options = rd::rd_kafka_AdminOptions_new(native.as_ptr(), kind);
            let options = NonNull::new(options).expect("this librdkafka has the call");
            rd::rd_kafka_AdminOptions_set_request_timeout(
                options.as_ptr(),
                wait_ms,
                why.as_mut_ptr(),
                why.len(),
            );
            let queue = rd::rd_kafka_queue_new(native.as_ptr());
            let queue = Queue(NonNull::new(queue).expect("librdkafka aborts when out of memory"));
            // librdkafka keeps the time itself; the second beyond is for its timers.
            let deadline = Instant::now() + wait + Duration::from_secs(1);
            Call { options, queue, deadline, native: Arc::clone(native) }
        }
    }

    fn isolation(&self, isolation: Isolation) {
        use rd::rd_kafka_IsolationLevel_t as level;
        let level = match isolation {
            Isolation::Committed => level::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            Isolation::Uncommitted => level::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        };
        // SAFETY: the options are alive and of a call that has an isolation level: no error.
        unsafe { rd::rd_kafka_AdminOptions_set_isolation_level(self.options.as_ptr(), level) };
    }

    fn run(&self, run: Run) {
        let mut why = [0 as c_char; TEXT_BYTES_MAX];
        let dry = c_int::from(run == Run::Dry);
        // SAFETY: the options are alive and of a call that can be tried; the buffer is as long as
        // we say.
        unsafe {
            rd::rd_kafka_AdminOptions_set_validate_only(
                self.options.as_ptr(),
                dry,
                why.as_mut_ptr(),
                why.len(),
            );
        }
    }

    fn send(
        &self,
        send: impl FnOnce(*const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) {
        send(self.options.as_ptr(), self.queue.as_ptr());
    }

    /// Waits for the answer, which comes also when time is out.
    fn answer(&self) -> Result<Event, Refusal> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.queue.poll(left) {
                Some(event) if event.kind() == rd::RD_KAFKA_EVENT_ERROR => {
                    self.native.noted(event);
                }
                Some(event) if event.code() == Code::NONE => return Ok(event),
                Some(event) => return Err(Refusal { code: event.code(), text: event.text() }),
                None => return Err(Refusal::from(Code::TIMED_OUT)),
            }
        }
    }

    /// Whether the answer has come, and is one.
    pub fn is_answered(&self) -> Option<bool> {
        self.queue.poll(Duration::ZERO).map(|event| event.code() == Code::NONE)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: both are ours and used no more; an answer that is still to come is dropped.
        unsafe {
            rd::rd_kafka_AdminOptions_destroy(self.options.as_ptr());
            self.queue.release();
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        Refusal { code, text: code.to_string() }
    }
}

/// A list of partitions, ours.
struct Partitions(*mut rd::rd_kafka_topic_partition_list_t);

impl Partitions {
    fn new(capacity: usize) -> Partitions {
        let capacity = c_int::try_from(capacity).unwrap_or(0);
        // SAFETY: the size is a hint; it aborts rather than return null.
        Partitions(unsafe { rd::rd_kafka_topic_partition_list_new(capacity) })
    }

    /// Adds a partition; a topic whose name has a NUL is none and stays out.
    fn add(&self, topic: &str, partition: PartitionId, offset: i64) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: the list is alive, and the name is copied; the place is used at once.
        unsafe {
            let place =
                rd::rd_kafka_topic_partition_list_add(self.0, topic.as_ptr(), partition.get());
            (*place).offset = offset;
        }
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        // SAFETY: the list is ours and used no more.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0) }
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

fn milliseconds(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}

fn optional(text: *const c_char) -> Option<String> {
    (!text.is_null()).then(|| text_of(text))
}

/// # Safety
/// `items` must be null or be valid for `count` items as long as `'a`.
unsafe fn array<'a, T>(items: *const T, count: c_int) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: it is the caller's promise.
        Ok(count) if !items.is_null() => unsafe { slice::from_raw_parts(items, count) },
        _ => &[],
    }
}

/// # Safety
/// `items` must be null or be valid for `count` pointers as long as `'a`.
unsafe fn pointers<'a, T>(items: *const *const T, count: usize) -> &'a [*const T] {
    // SAFETY: it is the caller's promise.
    if items.is_null() { &[] } else { unsafe { slice::from_raw_parts(items, count) } }
}
