//! A producer for one topic: records with a token in, reports with the same token out.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::error::is_topic_name;
use super::sys::{self, Sender};
use super::{Code, Complaint, Config, Error};
use crate::record::{Header, Offset, Outgoing, PartitionId, Record, Timestamp};

pub use super::sys::{Full, Hold, Token};

/// What kaw wants of a producer where the user says nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("delivery.timeout.ms", "30000"),
    // Below Kafka's default max.message.bytes: a record that is larger travels alone, so that
    // only it can be refused.
    ("batch.size", BATCH_BYTES),
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
const BATCH_BYTES: &str = "1000000";

/// Sends records to one topic.
pub struct Producer {
    sender: Sender,
    record_bytes_max: usize,
    batch_bytes: usize,
    delivery_timeout: Duration,
    again: Again,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub token: Token,
    /// When the report was taken, which is once for all that came together.
    pub at: Instant,
    pub result: Result<Place, Refusal>,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: PartitionId,
    /// `None` with `acks=0`, where the broker says nothing.
    pub offset: Option<Offset>,
}

/// Why a record was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// The broker's own words, where it had any, else librdkafka's.
    pub why: String,
    /// The partition it was meant for, as far as that was known.
    pub partition: Option<PartitionId>,
}

impl Producer {
    /// Starts a producer. It connects on its own, in the background.
    pub fn open(config: &Config, topic: &str) -> Result<Producer, Error> {
        if !is_topic_name(topic) {
            return Err(Error::Topic { name: topic.to_owned() });
        }
        let mut config = config.clone();
        if matches!(config.get("acks"), Some("0" | "1")) {
            config.set_default("enable.idempotence", "false")?;
        }
        for (key, value) in DEFAULTS {
            config.set_default(key, value)?;
        }
        let number = |key| config.get(key).and_then(|value: &str| value.parse().ok());
        let number = |key| number(key).expect("librdkafka took it for a number");
        Ok(Producer {
            record_bytes_max: number("message.max.bytes"),
            batch_bytes: number("batch.size"),
            delivery_timeout: Duration::from_millis(number("delivery.timeout.ms") as u64),
            sender: Sender::open(&config.entries(), config.log(), topic)?,
            again: Again::default(),
        })
    }

    /// `message.max.bytes`: what is larger cannot be sent at all.
    pub fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// How long a record may take until it has failed.
    pub fn delivery_timeout(&self) -> Duration {
        self.delivery_timeout
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
        if self.again.is_empty() { self.sender.send(hold, token, outgoing) } else { Err(Full) }
    }

    /// Hands over all that was taken. On `Full` the rest waits for the next call.
    pub fn submit(&mut self) -> Result<(), Full> {
        self.sender.submit()
    }

    /// Takes the reports that are there, waiting for the first one at most this long.
    /// Returns how many were passed on.
    ///
    /// Where a broker refused a batch for one of its records, all of them are sent again in
    /// smaller and smaller batches, until only the guilty are refused. That goes on in here, so
    /// this must be called until nothing is in flight.
    pub fn reports(&mut self, wait: Duration, mut each: impl FnMut(Report)) -> usize {
        let (mut at, mut passed) = (None, 0);
        let (again, batch_bytes) = (&mut self.again, self.batch_bytes);
        self.sender.reports(wait, |report| {
            if again.keep(&report, batch_bytes) {
                return;
            }
            passed += 1;
            let at = *at.get_or_insert_with(Instant::now);
            each(Report { token: report.token(), at, result: result(&report) });
        });
        if self.sender.in_flight() == 0 {
            self.again.send(&mut self.sender);
        }
        passed
    }

    /// From now on one byte is written to `fd` when reports come after there were none.
    pub fn wake(&self, fd: OwnedFd) {
        self.sender.native().wake(fd);
    }

    /// Sends batches without waiting for them to fill, until nothing is in flight, or `fill`.
    pub fn flush(&self) {
        self.sender.flush();
    }

    /// More is to come at once: lets batches fill again.
    pub fn fill(&self) {
        self.sender.fill();
    }

    /// Records taken and not yet reported.
    pub fn in_flight(&self) -> usize {
        self.sender.in_flight() + self.again.waiting()
    }

    /// Bytes of the blocks that are kept.
    pub fn held_bytes(&self) -> usize {
        self.sender.held_bytes()
    }

    /// Gives up on all that is not delivered; it is reported as such.
    pub fn purge(&self) {
        self.sender.purge();
    }

    /// What librdkafka said last about a broker, among the reports taken so far.
    pub fn complaint(&self) -> Option<Complaint> {
        self.sender.native().complaint()
    }

    /// Forgets the last complaint: progress was made since.
    pub fn forgive(&self) {
        self.sender.native().forgive();
    }

    /// Whether a broker has answered.
    pub fn reached(&self) -> bool {
        self.sender.native().reached()
    }
}

fn result(report: &sys::Report<'_>) -> Result<Place, Refusal> {
    match (report.code(), report.place()) {
        (Code::NONE, Some((partition, offset))) => Ok(Place { partition, offset }),
        (code, place) => {
            let partition = place.map(|(partition, _)| partition).filter(|p| 0 <= p.get());
            Err(Refusal { code, why: report.why(), partition })
        }
    }
}

/// Records whose batch was refused, perhaps for another's sake.
#[derive(Default)]
struct Again {
    /// Refused since the last group was sent.
    refused: Vec<Owned>,
    /// To be sent one group after the other, with nothing else in flight.
    groups: Vec<Vec<Owned>>,
    /// How many were sent in the group that is now in flight.
    sent: usize,
}

struct Owned {
    token: Token,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    partition: Option<PartitionId>,
    timestamp: Option<Timestamp>,
}

impl Again {
    fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    fn waiting(&self) -> usize {
        self.refused.len() + self.groups.iter().map(Vec::len).sum::<usize>()
    }

    /// Takes a record that may be innocent.
    fn keep(&mut self, report: &sys::Report<'_>, batch_bytes: usize) -> bool {
        if !report.code().is_about_a_batch() || self.sent == 1 {
            return false;
        }
        let mut headers = Vec::new();
        let Some(outgoing) = report.outgoing(&mut headers) else { return false };
        // It was alone in its batch.
        let is_alone = batch_bytes <= outgoing.record.value.map_or(0, <[u8]>::len);
        if !is_alone {
            self.refused.push(Owned::of(report.token(), &outgoing));
        }
        !is_alone
    }

    /// With nothing in flight: halves what was refused, and sends the next group.
    fn send(&mut self, sender: &mut Sender) {
        self.sent = 0;
        let mut refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            let half = refused.split_off(refused.len() / 2);
            self.groups.push(half);
            self.groups.push(refused);
        }
        let Some(group) = std::iter::from_fn(|| self.groups.pop()).find(|g| !g.is_empty()) else {
            return;
        };
        self.sent = group.len();
        let hold = sender.hold(Bytes::new());
        for owned in &group {
            let mut headers = Vec::new();
            let sent = sender.send(hold, owned.token, &owned.outgoing(&mut headers));
            sent.expect("an empty queue has room for a part of what was in it");
        }
        sender.release(hold);
        // All that can be in flight now is this group.
        let submitted = sender.submit();
        submitted.expect("an empty queue has room for a part of what was in it");
        sender.flush();
    }
}

impl Owned {
    fn of(token: Token, outgoing: &Outgoing<'_>) -> Owned {
        let record = &outgoing.record;
        let header = |h: &Header<'_>| (h.name.to_vec(), h.value.map(<[u8]>::to_vec));
        Owned {
            token,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().map(header).collect(),
            partition: outgoing.partition,
            timestamp: outgoing.timestamp,
        }
    }

    fn outgoing<'s>(&'s self, headers: &'s mut Vec<Header<'s>>) -> Outgoing<'s> {
        let of = |(name, value): &'s (Vec<u8>, Option<Vec<u8>>)| Header {
            name,
            value: value.as_deref(),
        };
        headers.extend(self.headers.iter().map(of));
        Outgoing {
            record: Record { key: self.key.as_deref(), value: self.value.as_deref(), headers },
            partition: self.partition,
            timestamp: self.timestamp,
        }
    }
}
