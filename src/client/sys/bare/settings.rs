//! Properties of a client and of its topics, each set as soon as it is named.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use rdkafka_sys as rd;
use rustix::process::Signal;

use super::super::produce::Topic;
use super::super::{Conf, Kind, Native, Rejected, TEXT_BYTES_MAX, text_of};
use crate::client::Code;

/// Told of a broker's name and id, and for how many milliseconds it holds requests back.
pub type Throttled = fn(&str, i32, i32);

/// A configuration that is not yet a client.
pub struct Settings {
    global: Conf,
    topic: TopicConf,
}

struct TopicConf(NonNull<rd::rd_kafka_topic_conf_t>);

impl Settings {
    pub fn new() -> Settings {
        let mut settings = Settings { global: Conf::new(), topic: TopicConf::new() };
        // A client's end need not wait for what its threads wait for.
        let signal = Signal::IO.as_raw().to_string();
        settings.set("internal.termination.signal", &signal).expect("librdkafka has it");
        // SAFETY: a plain function that may be called from any thread at any time.
        unsafe {
            let global = settings.global.0.as_ptr();
            rd::rd_kafka_conf_set_log_cb(global, Some(rd::rd_kafka_log_print));
        }
        settings
    }

    /// Sets a property of the client; what librdkafka says where it does not take it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.global.put(name, value).map_err(Rejected::text)
    }

    /// Sets a property of the topic, or one of the client where a topic has none of the name.
    pub fn set_of_either(&mut self, name: &str, value: &str) -> Result<(), String> {
        match self.topic.put(name.strip_prefix("topic.").unwrap_or(name), value) {
            Err(Rejected::Unknown(_)) => self.set(name, value),
            result => result.map_err(Rejected::text),
        }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        let mut value = [0 as c_char; TEXT_BYTES_MAX];
        let mut size = value.len();
        // SAFETY: the configuration is alive, the name ends with NUL, and the buffer is as long
        // as the size says; what is written ends with NUL.
        let outcome = unsafe {
            let global = self.global.0.as_ptr();
            rd::rd_kafka_conf_get(global, name.as_ptr(), value.as_mut_ptr(), &raw mut size)
        };
        (outcome == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK).then(|| text_of(value.as_ptr()))
    }

    /// All properties with their values: the client's, and the topic's.
    pub fn all(&self) -> [Vec<(String, String)>; 2] {
        let mut count = 0;
        // SAFETY: the configurations are alive; each array is as long as its count and is freed
        // once copied.
        unsafe {
            let global = rd::rd_kafka_conf_dump(self.global.0.as_ptr(), &raw mut count);
            let global = pairs(global, count);
            let topic = rd::rd_kafka_topic_conf_dump(self.topic.0.as_ptr(), &raw mut count);
            [global, pairs(topic, count)]
        }
    }

    /// From now on `throttled` is told of brokers that hold requests back.
    pub fn tell_of_throttling(&mut self, throttled: Throttled) {
        // SAFETY: the configuration is alive; the opaque is a function, and read as one.
        unsafe {
            let global = self.global.0.as_ptr();
            rd::rd_kafka_conf_set_opaque(global, throttled as *mut c_void);
            rd::rd_kafka_conf_set_throttle_cb(global, Some(on_throttle));
        }
    }

    /// Starts a client, whose topics are opened with what `TopicSettings` holds.
    pub fn start(self, kind: Kind) -> Result<(Arc<Native>, TopicSettings), String> {
        let Settings { mut global, topic } = self;
        global.events();
        Ok((Arc::new(global.begin(kind)?), TopicSettings(topic)))
    }

    /// As `start`, for a client whose topics all have what was set for topics.
    pub fn start_group(self, kind: Kind) -> Result<(Arc<Native>, TopicSettings), String> {
        let Settings { global, topic } = self;
        // SAFETY: both are alive; the topic's settings are the client's from here on.
        unsafe { rd::rd_kafka_conf_set_default_topic_conf(global.0.as_ptr(), topic.0.as_ptr()) };
        std::mem::forget(topic);
        Settings { global, topic: TopicConf::new() }.start(kind)
    }
}

/// What was set for topics.
pub struct TopicSettings(TopicConf);

impl TopicSettings {
    /// Sets a property; what librdkafka says where it does not take it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.0.put(name, value).map_err(Rejected::text)
    }

    /// The handle of a topic.
    pub fn open(self, native: &Native, name: &str) -> Result<Topic, Code> {
        // SAFETY: the settings are alive, and forgotten below: also where there is no topic, some
        // of librdkafka's ways to refuse one free them (rd_kafka_topic_new0).
        let topic = unsafe { Topic::open_as(native, name, self.0.0.as_ptr()) };
        std::mem::forget(self);
        topic
    }
}

impl TopicConf {
    fn new() -> TopicConf {
        // SAFETY: no argument; it aborts rather than return null.
        let topic = unsafe { rd::rd_kafka_topic_conf_new() };
        TopicConf(NonNull::new(topic).expect("librdkafka aborts when out of memory"))
    }

    fn put(&mut self, name: &str, value: &str) -> Result<(), Rejected> {
        Rejected::unless_taken(name, value, |name, value, why, size| {
            // SAFETY: the configuration is alive; the texts end with NUL and are copied.
            unsafe { rd::rd_kafka_topic_conf_set(self.0.as_ptr(), name, value, why, size) }
        })
    }
}

impl Drop for TopicConf {
    fn drop(&mut self) {
        // SAFETY: the configuration was given to no topic, so it is still ours.
        unsafe { rd::rd_kafka_topic_conf_destroy(self.0.as_ptr()) }
    }
}

/// # Safety
/// The array must be one of librdkafka's, ours to free, of so many names and values in turn.
unsafe fn pairs(texts: *mut *const c_char, count: usize) -> Vec<(String, String)> {
    // SAFETY: it is the caller's promise.
    unsafe {
        let all = if texts.is_null() { &[][..] } else { slice::from_raw_parts(texts, count) };
        let found = all.chunks_exact(2).map(|pair| (text_of(pair[0]), text_of(pair[1]))).collect();
        rd::rd_kafka_conf_dump_free(texts, count);
        found
    }
}

/// # Safety
/// `opaque` must be a `Throttled`, and `name` a text of C.
unsafe extern "C" fn on_throttle(
    _client: *mut rd::rd_kafka_t,
    name: *const c_char,
    id: i32,
    time_ms: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: it is the caller's promise (`tell_of_throttling`).
    let throttled = unsafe { std::mem::transmute::<*mut c_void, Throttled>(opaque) };
    throttled(&text_of(name), id, time_ms);
}
