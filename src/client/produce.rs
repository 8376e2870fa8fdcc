//! A producer for one topic: records with a token in, reports with the same token out, and what
//! lies in a partition lies there in the order of the tokens.
//!
//! librdkafka keeps that order until a broker refuses a batch: it then gives up on all records of
//! the batch, though only some are guilty, and goes on with those behind them. So what a topic may
//! refuse travels in a *group*: one batch a partition, and nothing else in flight. Of a group that
//! is refused, the innocent are sent again before anything that follows them. As long as nobody
//! tells what the topic refuses, it may refuse anything.
//!
//! The order is lost where a topic begins to refuse what it took before: the batches that are under
//! way at that moment may come before what is sent again of the one that was refused. Without
//! idempotence (acks 0 or 1) it is also lost, and records may lie there twice, where librdkafka
//! sends a batch again after it lost a connection. With acks=0 a refusal is known only by the
//! topic's settings: without them, what a topic refuses is lost, and nobody tells.

mod again;
mod group;
mod resend;
mod rules;
mod settings;
mod transaction;
mod window;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::error::is_topic_name;
use super::sys::{self, Sender};
use super::{Code, Complaint, Config, Error};
use crate::record::{Offset, Outgoing, PartitionId, Timestamp};
use again::Again;
use group::{Group, Room};
use settings::Settings;
use window::Window;

pub use super::sys::{Full, Hold, Token, Undone};
pub use rules::Rule;

/// What kaw wants of a producer where the user says nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("delivery.timeout.ms", "30000"),
    // Below Kafka's default max.message.bytes; where a topic's is less, so is this (`fit`).
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
/// How often to look for the topic's settings where nothing else is awaited.
const SETTINGS_GLANCE: Duration = Duration::from_millis(1);
/// For so long a refusal holds for whatever breaks the same rule as surely.
const REFUSAL_HOLDS: Duration = Duration::from_secs(1);

/// Sends records to one topic.
pub struct Producer {
    sender: Sender,
    config: Config,
    topic: String,
    room: Room,
    window: Window,
    record_bytes_max: usize,
    delivery_timeout: Duration,
    socket_timeout: Duration,
    compresses: bool,
    /// With acks=0 no broker says what it refused, and hangs up on what comes behind it.
    is_answered: bool,
    settings: Settings,
    /// `None` while batches may follow each other.
    group: Option<Group>,
    again: Again,
    /// What is queued was asked back, because a batch before it was refused.
    takes_back: bool,
    is_given_up: bool,
    /// Refused without being sent, to be reported.
    refused: Vec<(Token, Refusal)>,
    reports_times: bool,
    /// Transactions were begun, and how long a step of theirs may take.
    transactions: Option<Duration>,
    /// When a broker last refused what surely breaks a rule.
    confirmed: BTreeMap<Rule, Instant>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub token: Token,
    /// When the report was taken, which is once for all that came together.
    pub at: Instant,
    /// Of the record in the log; asked for with `report_times`.
    pub timestamp: Option<Timestamp>,
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
    /// The rule of the topic's that it breaks, as far as that is known.
    pub rule: Option<Rule>,
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
        let text = |key| config.get(key).unwrap_or_default();
        let number = |key| text(key).parse().expect("librdkafka took it for a number");
        let linger_ms: f64 = text("linger.ms").parse().expect("librdkafka took it for a number");
        let records_max = config.get("batch.num.messages").and_then(|n| n.parse().ok());
        let mut producer = Producer {
            sender: Sender::open(&config.entries(), config.log(), topic)?,
            room: Room::new(number("batch.size"), records_max, linger_ms),
            window: Window::new(number("queue.buffering.max.messages")),
            record_bytes_max: number("message.max.bytes"),
            delivery_timeout: Duration::from_millis(number("delivery.timeout.ms") as u64),
            socket_timeout: Duration::from_millis(
                config.get("socket.timeout.ms").and_then(|ms| ms.parse().ok()).unwrap_or(60_000),
            ),
            compresses: !matches!(config.get("compression.codec"), None | Some("none")),
            is_answered: config.get("acks") != Some("0"),
            config,
            topic: topic.to_owned(),
            settings: Settings::ASKED,
            group: None,
            again: Again::default(),
            takes_back: false,
            is_given_up: false,
            refused: Vec::new(),
            reports_times: false,
            transactions: None,
            confirmed: BTreeMap::new(),
        };
        producer.sender.ask_for_settings(topic);
        Ok(producer)
    }

    /// From now on reports say which time a record has.
    pub fn report_times(&mut self) {
        self.reports_times = true;
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
        if !self.again.is_empty() {
            return Err(Full);
        }
        if !self.window.has_room(self.sender.in_flight()) {
            self.window.suit(self.sender.partitions_at_once());
            self.sender.submit()?;
            return Err(Full);
        }
        self.learn();
        if self.must_know() {
            return Err(Full);
        }
        let suspicion = self.suspicion(outgoing);
        if let Some(rule) = self.refused_anyway(suspicion) {
            self.refused.push((token, Refusal::unsent(rule, outgoing.partition)));
            return Ok(());
        }
        if self.group.is_none() && !self.may_follow(suspicion) {
            self.begin_group()?;
        }
        let Some(group) = &mut self.group else {
            return self.sender.send(hold, token, outgoing);
        };
        let bytes = rules::record_bytes_bound(outgoing);
        if !group.has_room(bytes, &self.room) {
            self.push();
            return Err(Full);
        }
        self.sender.send(hold, token, outgoing)?;
        group.add(bytes, suspicion);
        Ok(())
    }

    /// Hands over all that was taken. On `Full` the rest waits for the next call.
    pub fn submit(&mut self) -> Result<(), Full> {
        self.sender.submit()
    }

    /// Takes the reports that are there, waiting for the first one at most this long.
    /// Returns how many were passed on.
    ///
    /// What was refused for another's sake is sent again in here, so this must be called until
    /// nothing is in flight.
    pub fn reports(&mut self, wait: Duration, mut each: impl FnMut(Report)) -> usize {
        if self.group.as_ref().map_or(!self.again.is_empty(), |group| !group.is_open()) {
            self.push();
        }
        let wait = match self.refused.is_empty() {
            true if self.must_know() => wait.min(SETTINGS_GLANCE),
            true => wait,
            false => Duration::ZERO,
        };
        let (mut at, mut passed) = (None, 0);
        let mut pass = |token, timestamp, result| {
            passed += 1;
            let at = *at.get_or_insert_with(Instant::now);
            each(Report { token, at, timestamp, result });
        };
        let reports_times = self.reports_times;
        let (again, takes_back) = (&mut self.again, self.takes_back);
        let is_given_up = self.is_given_up;
        self.sender.reports(wait, |report| {
            let may_be_written = || report.may_be_written();
            let is_back =
                !is_given_up && again::comes_back(report.code(), may_be_written, takes_back);
            if !(is_back && again.keep(&report)) {
                let time = if reports_times { report.timestamp() } else { None };
                pass(report.token(), time, result(&report));
            }
        });
        self.take_back();
        if self.sender.in_flight() == 0 {
            self.settle();
        }
        for (token, refusal) in self.refused.drain(..) {
            pass(token, None, Err(refusal));
        }
        passed
    }

    /// From now on one byte is written to `fd` when reports come after there were none.
    pub fn wake(&self, fd: OwnedFd) {
        self.sender.native().wake(fd);
    }

    /// Sends batches without waiting for them to fill, until nothing is in flight, or `fill`.
    pub fn flush(&mut self) {
        // What comes later would be another batch.
        if let Some(group) = &mut self.group {
            group.close();
        }
        self.sender.flush();
    }

    /// There was no room, and nothing was reported for long: lets more be under way.
    pub fn widen(&mut self) {
        self.window.widen();
    }

    /// There was no room, and soon some was reported: fewer under way may do.
    pub fn narrow(&mut self) {
        self.window.narrow();
    }

    /// More is to come at once: lets batches fill again.
    pub fn fill(&self) {
        if self.group.is_none() && self.again.is_empty() {
            self.sender.fill();
        }
    }

    /// Records taken and not yet reported.
    pub fn in_flight(&self) -> usize {
        self.sender.in_flight() + self.again.len() + self.refused.len()
    }

    /// Bytes of the blocks that are kept.
    pub fn held_bytes(&self) -> usize {
        self.sender.held_bytes()
    }

    /// Gives up on all that is not delivered; it is reported as such.
    pub fn purge(&mut self) {
        self.is_given_up = true;
        let returned = self.again.take_batches().into_iter().flatten();
        self.again.put(returned.map(|returned| returned.owned).collect());
        while let Some(owned) = self.again.next() {
            self.refused.push((owned.token, Refusal::of(Code::PURGE_QUEUE, owned.partition)));
        }
        self.sender.purge();
    }

    /// To how much a topic limits a batch, as far as that is known.
    pub fn topic_bytes_max(&self) -> Option<usize> {
        match &self.settings {
            Settings::Known(rules) => Some(rules.batch_bytes_max),
            _ => None,
        }
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

impl Refusal {
    fn of(code: Code, partition: Option<PartitionId>) -> Refusal {
        Refusal { code, why: code.to_string(), partition, rule: None }
    }

    fn unsent(rule: Rule, partition: Option<PartitionId>) -> Refusal {
        let code = match rule {
            Rule::Size => Code::MSG_SIZE_TOO_LARGE,
            Rule::Key => Code::INVALID_RECORD,
            Rule::Past | Rule::Future => Code::INVALID_TIMESTAMP,
        };
        Refusal { rule: Some(rule), ..Refusal::of(code, partition) }
    }
}

fn result(report: &sys::Report<'_>) -> Result<Place, Refusal> {
    match (report.code(), report.place()) {
        (Code::NONE, Some((partition, offset))) => Ok(Place { partition, offset }),
        (code, place) => {
            let partition = place.map(|(partition, _)| partition).filter(|p| 0 <= p.get());
            if code == Code::PURGE_QUEUE && report.may_be_written() {
                let why = "the connection was lost on its way; it may have been written".to_owned();
                return Err(Refusal { why, ..Refusal::of(Code::TRANSPORT, partition) });
            }
            Err(Refusal { why: report.why(), ..Refusal::of(code, partition) })
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as i64)
}
