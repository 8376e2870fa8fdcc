//! librdkafka with its own defaults, driven step by step as programs in C drive it: kcat mode.
//! Never knows: kcat's options, or what is printed.

mod metadata;
mod settings;
mod transaction;

pub use metadata::{
    Broker, Metadata, Partition, Place, TopicMetadata, metadata, offsets_for_times,
};
pub use settings::{Settings, TopicSettings};
pub use transaction::Transaction;

use std::ffi::c_int;
use std::time::Duration;

use rdkafka_sys as rd;

use super::{Event, Native};
use crate::client::{Code, Complaint};

/// What `debug` may name, as this librdkafka was built.
pub fn debug_contexts() -> &'static str {
    let text = std::ffi::CStr::from_bytes_with_nul(rd::RD_KAFKA_DEBUG_CONTEXTS);
    text.expect("a text of C").to_str().expect("names of letters")
}

impl Native {
    /// Nothing of librdkafka's own log is printed any more.
    pub fn log_nothing(&self) {
        self.log_level(0);
    }

    /// All of librdkafka's own log is printed (`LOG_DEBUG` of syslog).
    pub fn log_all(&self) {
        self.log_level(7);
    }

    fn log_level(&self, level: c_int) {
        // SAFETY: the client is alive.
        unsafe { rd::rd_kafka_set_log_level(self.as_ptr(), level) }
    }

    /// Passes on the errors of brokers that are there, waiting for the first at most this long.
    /// Other events are dropped: only for clients that wait for none.
    pub fn heed(&self, wait: Duration, mut each: impl FnMut(Complaint)) {
        let mut wait = wait;
        while let Some(event) = self.main.poll(wait) {
            wait = Duration::ZERO;
            self.heard(&event).into_iter().for_each(&mut each);
        }
    }

    /// The error that an event brings, in librdkafka's own words.
    pub(in crate::client::sys) fn heard(&self, event: &Event) -> Option<Complaint> {
        if event.kind() != rd::RD_KAFKA_EVENT_ERROR {
            return None;
        }
        let said = Complaint { code: event.code(), text: event.text(), fatal: event.is_fatal() };
        Some(if said.fatal { self.fatal().unwrap_or(said) } else { said })
    }

    /// Whether any broker answers in time.
    pub fn has_broker(&self, wait: Milliseconds) -> bool {
        metadata::answers(self, wait)
    }

    /// The controller's node id, as far as the last metadata said; -1 where it did not.
    pub fn controller(&self) -> i32 {
        // SAFETY: the client is alive.
        unsafe { rd::rd_kafka_controllerid(self.as_ptr(), 0) }
    }
}

/// As a C program passes it: a negative time is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milliseconds(pub i32);

/// # Safety
/// The error must be null or ours to free.
unsafe fn told(error: *mut rd::rd_kafka_error_t) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: it is the caller's promise.
    unsafe {
        let text = super::text_of(rd::rd_kafka_error_string(error));
        rd::rd_kafka_error_destroy(error);
        Err(text)
    }
}

fn done(code: c_int) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}
