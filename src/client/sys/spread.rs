//! Which partition a record goes to, chosen before librdkafka has it.
//!
//! Left to itself it looks at clock, topic and partition, and locks them, once a record: a sixth of
//! what a small record costs. Records whose partition is known go in by the batch. The choice is
//! librdkafka's own: its partitioner for a key, and for no key one partition for some time
//! (`sticky.partitioning.linger.ms`). While a partition has no leader, or a broker is in trouble,
//! the choice is left to librdkafka, which avoids partitions that are away.

use std::hash::{BuildHasher, RandomState};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rdkafka_sys as rd;

use super::produce::Topic;

/// Fewer are not worth a question.
const RECORDS_MIN: usize = 5_000;
/// An answer holds this long: partitions may be added, and lose their leaders.
const ANSWER_HOLDS: Duration = Duration::from_secs(10);
/// A topic that is being made is asked for this often.
const GLANCE: Duration = Duration::from_millis(100);

/// How many partitions a topic has; 0 while that is not known, or not all of them have leaders.
pub type Count = Arc<AtomicI32>;

type Partitioner = unsafe extern "C" fn(
    *const rd::rd_kafka_topic_t,
    *const std::ffi::c_void,
    usize,
    i32,
    *mut std::ffi::c_void,
    *mut std::ffi::c_void,
) -> i32;

/// Chooses partitions for the records of one topic.
pub struct Spread {
    topic: Arc<Topic>,
    of_key: Partitioner,
    /// librdkafka's consistent_random takes an empty key for none.
    empty_is_none: bool,
    linger: Duration,
    answer: Count,
    /// The partitions among which is chosen now; 0: librdkafka chooses.
    count: i32,
    sticky: i32,
    sticky_since: Instant,
    /// Records since the last look.
    records: usize,
    looked: Instant,
}

impl Spread {
    /// `None` where librdkafka is to choose for each record on its own.
    pub fn of(topic: Arc<Topic>, answer: Count, properties: &[(String, String)]) -> Option<Spread> {
        let last = |name: &str| {
            let named = properties.iter().rev().find(|(key, _)| key == name);
            named.map(|(_, value)| value.as_str())
        };
        let linger_ms = last("sticky.partitioning.linger.ms")?.parse().ok().filter(|&ms| 0 < ms)?;
        let (of_key, empty_is_none): (Partitioner, bool) = match last("partitioner")? {
            "murmur2_random" => (rd::rd_kafka_msg_partitioner_murmur2_random, false),
            "consistent_random" => (rd::rd_kafka_msg_partitioner_consistent_random, true),
            _ => return None,
        };
        let now = Instant::now();
        Some(Spread {
            topic,
            of_key,
            empty_is_none,
            linger: Duration::from_millis(linger_ms),
            answer,
            count: 0,
            sticky: i32::try_from(RandomState::new().hash_one(0) >> 34).expect("30 bits"),
            sticky_since: now,
            records: 0,
            looked: now,
        })
    }

    /// Where a record with this key goes; `None` leaves it to librdkafka.
    pub fn partition(&self, key: Option<&[u8]>) -> Option<i32> {
        if self.count == 0 {
            return None;
        }
        let key = key.filter(|key| !(self.empty_is_none && key.is_empty()));
        let Some(key) = key else { return Some(self.sticky % self.count) };
        let (topic, no) = (self.topic.as_ptr(), ptr::null_mut());
        // SAFETY: the topic is alive; for a key that is there these partitioners look at the key
        // and the count alone.
        Some(unsafe { (self.of_key)(topic, key.as_ptr().cast(), key.len(), self.count, no, no) })
    }

    /// A partition that was chosen is not there: the topic was made anew, and has fewer. Until that
    /// is known, librdkafka chooses.
    pub fn missed(&self) {
        self.answer.store(0, Ordering::Relaxed);
    }

    /// So many records went. Whether it is to be asked how many partitions there are.
    pub fn went(&mut self, records: usize, is_in_trouble: bool) -> bool {
        self.count = if is_in_trouble { 0 } else { self.answer.load(Ordering::Relaxed) };
        self.records += records;
        if self.records < RECORDS_MIN {
            return false;
        }
        let now = Instant::now();
        if self.linger <= now - self.sticky_since {
            (self.sticky, self.sticky_since) = ((self.sticky + 1) & i32::MAX, now);
        }
        let holds = if self.count == 0 { GLANCE } else { ANSWER_HOLDS };
        let is_due = holds <= now - self.looked;
        if is_due {
            self.looked = now;
        }
        is_due
    }
}
