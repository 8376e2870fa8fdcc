//! Questions and orders to a cluster: each is one call that is answered with one event.
//! Never knows: what its callers make of the answers.

mod configs;
mod groups;
mod offsets;
mod topics;

use std::ffi::{CString, c_char, c_int};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka_sys as rd;

use super::{Complaint, Event, Native, Queue, TEXT_BYTES_MAX, text_of};
use crate::client::Code;
use crate::record::{LeaderEpoch, Offset, PartitionId};

pub use configs::{
    Change, ConfigInfo, ConfigSource, alter_configs, ask_configs, configs, configs_in,
};
pub use groups::{
    Group, Listed, Member, ask_group_offsets, delete_groups, describe_groups, group_offsets,
    list_groups, set_group_offsets,
};
pub use offsets::{Edge, EdgeAnswer, Isolation, ask_edges, committed, edges, edges_answered, trim};
pub(in crate::client::sys) use topics::plain_metadata;
pub use topics::{
    BrokerInfo, Metadata, NewTopic, PartitionInfo, TopicInfo, add_partitions, create, delete,
    metadata,
};

/// What was refused, in the broker's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub text: String,
}

/// Whether something is done or only checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Real,
    Dry,
}

/// What became of one of the things that a call was about.
pub type Answer<T> = (String, Result<T, Refusal>);
/// What became of one partition.
pub type PartitionAnswer<T> = (String, PartitionId, Result<T, Refusal>);

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
        let wait = self.deadline.saturating_duration_since(Instant::now());
        self.answer_within(wait).unwrap_or_else(|| Err(Refusal::from(Code::TIMED_OUT)))
    }

    /// The answer, or `None` where it does not come within so long.
    pub fn answer_within(&self, wait: Duration) -> Option<Result<Event, Refusal>> {
        let deadline = Instant::now() + wait;
        loop {
            let event = self.queue.poll(deadline.saturating_duration_since(Instant::now()))?;
            if event.kind() == rd::RD_KAFKA_EVENT_ERROR {
                self.native.noted(event);
                continue;
            }
            return Some(match event.code() {
                Code::NONE => Ok(event),
                code => Err(Refusal { code, text: event.text() }),
            });
        }
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
pub(in crate::client::sys) struct Partitions(pub *mut rd::rd_kafka_topic_partition_list_t);

impl Partitions {
    pub fn new(capacity: usize) -> Partitions {
        let capacity = c_int::try_from(capacity).unwrap_or(0);
        // SAFETY: the size is a hint; it aborts rather than return null.
        Partitions(unsafe { rd::rd_kafka_topic_partition_list_new(capacity) })
    }

    /// Adds a partition; a topic whose name has a NUL is none and stays out.
    pub fn add(&self, topic: &str, partition: PartitionId, offset: i64) {
        self.add_after(topic, partition, offset, None);
    }

    /// The same, with the epoch of the record before the offset.
    pub fn add_after(
        &self,
        topic: &str,
        partition: PartitionId,
        offset: i64,
        epoch: Option<LeaderEpoch>,
    ) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: the list is alive, and the name is copied; the place is used at once.
        unsafe {
            let place =
                rd::rd_kafka_topic_partition_list_add(self.0, topic.as_ptr(), partition.get());
            (*place).offset = offset;
            if let Some(epoch) = epoch {
                rd::rd_kafka_topic_partition_set_leader_epoch(place, epoch.get());
            }
        }
    }

    /// What is in a list.
    ///
    /// # Safety
    /// The list must be alive.
    pub unsafe fn names(
        list: *const rd::rd_kafka_topic_partition_list_t,
    ) -> Vec<(String, PartitionId)> {
        // SAFETY: it is the caller's promise; the array is as long as its count.
        let places = unsafe { array((*list).elems, (*list).cnt) };
        places.iter().map(|place| (text_of(place.topic), PartitionId(place.partition))).collect()
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        // SAFETY: the list is ours and used no more.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0) }
    }
}

/// # Safety
/// The list must be one of a live answer.
unsafe fn partition_answers(
    list: *const rd::rd_kafka_topic_partition_list_t,
) -> Vec<PartitionAnswer<Offset>> {
    // SAFETY: it is the caller's promise; the array is as long as its count. The code is read as a
    // plain integer.
    unsafe {
        let answer = |place: &rd::rd_kafka_topic_partition_t| {
            let code = Code((&raw const place.err).cast::<i32>().read());
            let offset = Offset(place.offset);
            let result = if code == Code::NONE { Ok(offset) } else { Err(Refusal::from(code)) };
            (text_of(place.topic), PartitionId(place.partition), result)
        };
        array((*list).elems, (*list).cnt).iter().map(answer).collect()
    }
}

pub(in crate::client::sys) fn milliseconds(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}

fn optional(text: *const c_char) -> Option<String> {
    (!text.is_null()).then(|| text_of(text))
}

/// # Safety
/// `items` must be null or be valid for `count` items as long as `'a`.
pub(in crate::client::sys) unsafe fn array<'a, T>(items: *const T, count: c_int) -> &'a [T] {
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
