//! A producer for one topic: records with a token in, reports with the same token out.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::sys::Sender;
use super::{Code, Complaint, Config, Error};
use crate::record::{Offset, Outgoing, PartitionId};

pub use super::sys::{Flusher, Full, Hold, Token};

/// What kaw wants of a producer where the user says nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("delivery.timeout.ms", "30000"),
    // Below Kafka's default max.message.bytes: a record that is larger travels alone, so that
    // only it can be refused.
    ("batch.size", "1000000"),
    // Kafka's brokers take requests up to socket.request.max.bytes, 100 MiB, and hang up beyond.
    ("message.max.bytes", "104000000"),
    ("queue.buffering.max.messages", "200000"),
    // One record of the largest size must fit, else it would wait for ever.
    ("queue.buffering.max.kbytes", "131072"),
    ("linger.ms", "2"),
    ("sticky.partitioning.linger.ms", "4"),
    // A topic that was created a moment ago is asked for again this soon.
    ("topic.metadata.refresh.fast.interval.ms", "20"),
    ("topic.metadata.propagation.max.ms", "10000"),
];

/// Sends records to one topic.
pub struct Producer {
    sender: Sender,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub token: Token,
    /// When the report was taken, which is once for all that came together.
    pub at: Instant,
    pub result: Result<Place, Code>,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: PartitionId,
    /// `None` with `acks=0`, where the broker says nothing.
    pub offset: Option<Offset>,
}

impl Producer {
    /// Starts a producer. It connects on its own, in the background.
    pub fn open(config: &Config, topic: &str) -> Result<Producer, Error> {
        let mut config = config.clone();
        if matches!(config.get("acks"), Some("0" | "1")) {
            config.set_default("enable.idempotence", "false")?;
        }
        for (key, value) in DEFAULTS {
            config.set_default(key, value)?;
        }
        Ok(Producer { sender: Sender::open(config.entries(), config.log(), topic)? })
    }

    /// Keeps a block that records are sent from without a copy.
    pub fn hold(&mut self, bytes: Bytes) -> Hold {
        self.sender.hold(bytes)
    }

    /// No more records come from this block; it goes when its last one is reported.
    pub fn release(&mut self, hold: Hold) {
        self.sender.release(hold);
    }

    /// Takes a record; what of it lies in the block is not copied. It may wait for others until
    /// `submit`. On `Full` it was not taken: take reports, then send it again.
    pub fn send(&mut self, hold: Hold, token: Token, outgoing: &Outgoing<'_>) -> Result<(), Full> {
        self.sender.send(hold, token, outgoing)
    }

    /// Hands over all that was taken. On `Full` the rest waits for the next call.
    pub fn submit(&mut self) -> Result<(), Full> {
        self.sender.submit()
    }

    /// Takes the reports that are there, waiting for the first one at most this long.
    /// Returns how many.
    pub fn reports(&mut self, wait: Duration, mut each: impl FnMut(Report)) -> usize {
        let mut at = None;
        self.sender.reports(wait, |report| {
            let at = *at.get_or_insert_with(Instant::now);
            let result = match (report.code(), report.place()) {
                (Code::NONE, Some((partition, offset))) => Ok(Place { partition, offset }),
                (code, _) => Err(code),
            };
            each(Report { token: report.token(), at, result });
        })
    }

    /// From now on one byte is written to `fd` when reports come after there were none.
    pub fn wake(&self, fd: OwnedFd) {
        self.sender.native().wake(fd);
    }

    /// Records taken and not yet reported.
    pub fn in_flight(&self) -> usize {
        self.sender.in_flight()
    }

    /// Gives up on all that is not delivered; it is reported as such.
    pub fn purge(&self) {
        self.sender.purge();
    }

    /// What librdkafka said last about a broker, among the reports taken so far.
    pub fn complaint(&self) -> Option<Complaint> {
        self.sender.native().complaint()
    }

    /// Whether a broker has answered.
    pub fn reached(&self) -> bool {
        self.sender.native().reached()
    }
}
