//! A producer for one topic: records with a token in, reports with the same token out, and what
//! lies in a partition lies there in the order of the tokens.
//!
//! librdkafka keeps that order until a broker refuses a batch: it then gives up on all records of
//! the batch, though only some are guilty, and goes on with those behind them. So what a topic may
//! refuse travels in a *group*: one batch a partition, and nothing else in flight. Of a group that
//! is refused, the innocent are sent again before anything that follows them.

mod again;
mod group;
mod rules;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::error::is_topic_name;
use super::sys::{self, Sender};
use super::{Code, Complaint, Config, Error};
use crate::record::{Offset, Outgoing, PartitionId, Timestamp};
use again::{Again, Owned};
use group::{Group, Room};
use rules::{Rules, Suspicion};

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
/// How long to go on in groups for want of the topic's settings, from the first answer on.
const SETTINGS_WAIT_MAX: Duration = Duration::from_secs(1);
/// A topic that is being created is asked about again this soon.
const SETTINGS_AGAIN: Duration = Duration::from_millis(20);
/// How often to look for them where nothing else is awaited.
const SETTINGS_GLANCE: Duration = Duration::from_millis(1);
/// For so long a refusal holds for whatever breaks the same rule as surely.
const REFUSAL_HOLDS: Duration = Duration::from_secs(1);

/// Sends records to one topic.
pub struct Producer {
    sender: Sender,
    config: Config,
    topic: String,
    room: Room,
    record_bytes_max: usize,
    delivery_timeout: Duration,
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

/// What is known of the topic's settings.
enum Settings {
    /// Asked for; since when that matters, and when to ask once more.
    Awaited {
        since: Option<Instant>,
        again_at: Option<Instant>,
    },
    Known(Rules),
    /// The broker does not say.
    Unknown,
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
            record_bytes_max: number("message.max.bytes"),
            delivery_timeout: Duration::from_millis(number("delivery.timeout.ms") as u64),
            compresses: !matches!(config.get("compression.codec"), None | Some("none")),
            is_answered: config.get("acks") != Some("0"),
            config,
            topic: topic.to_owned(),
            settings: Settings::Unknown,
            group: None,
            again: Again::default(),
            takes_back: false,
            is_given_up: false,
            refused: Vec::new(),
            reports_times: false,
            transactions: None,
            confirmed: BTreeMap::new(),
        };
        producer.ask();
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
        let (again, takes_back) = (&mut self.again, self.takes_back && !self.is_given_up);
        let is_given_up = self.is_given_up;
        self.sender.reports(wait, |report| {
            let code = report.code();
            let is_back = (takes_back && code == Code::PURGE_QUEUE)
                || (!is_given_up && code.is_about_a_batch());
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

/// Transactions: all that is sent between two steps is there, or none of it.
impl Producer {
    /// Shuts out earlier producers of the same `transactional.id`, and begins the first one. A step
    /// may take so long.
    pub fn begin_transactions(&mut self, wait: Duration) -> Result<(), Undone> {
        self.transactions = Some(wait);
        sys::init_transactions(self.sender.native(), wait)?;
        sys::begin_transaction(self.sender.native())
    }

    /// With nothing in flight: commits.
    pub fn commit(&mut self) -> Result<(), Undone> {
        let wait = self.transactions.expect("transactions were begun");
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match sys::commit_transaction(self.sender.native(), left) {
                Err(undone) if undone.is_retriable && Instant::now() < deadline => {}
                result => return result,
            }
        }
    }

    /// Begins the next one.
    pub fn begin_next(&mut self) -> Result<(), Undone> {
        sys::begin_transaction(self.sender.native())
    }

    /// Nothing that was sent since the last step is to be there.
    pub fn abort(&mut self) -> Result<(), Undone> {
        let wait = self.transactions.expect("transactions were begun");
        sys::abort_transaction(self.sender.native(), wait)
    }
}

/// How what a topic may refuse is sent.
impl Producer {
    /// What is known of the topic's settings is not so, or no more.
    fn ask(&mut self) {
        self.settings = Settings::Awaited { since: None, again_at: None };
        self.sender.ask_for_settings(&self.topic);
    }

    /// Whether nothing may be sent before the settings are known.
    fn must_know(&self) -> bool {
        !self.is_answered && matches!(self.settings, Settings::Awaited { .. })
    }

    /// Takes what there is to know of the topic's settings.
    fn learn(&mut self) {
        let Settings::Awaited { since, again_at } = &mut self.settings else { return };
        if since.is_none() && !self.is_answered && self.sender.native().reached() {
            *since = Some(Instant::now());
        }
        let is_late = since.is_some_and(|since| SETTINGS_WAIT_MAX <= since.elapsed());
        match self.sender.told(&self.topic) {
            None if is_late => self.settings = Settings::Unknown,
            None => {
                if again_at.is_some_and(|at| at <= Instant::now()) {
                    *again_at = None;
                    self.sender.ask_for_settings(&self.topic);
                }
            }
            Some(Err(Code::UNKNOWN_TOPIC_OR_PART)) if !is_late => {
                *again_at = Some(Instant::now() + SETTINGS_AGAIN);
            }
            Some(answer) => {
                let rules = answer.ok().and_then(|settings| Rules::of(&settings));
                self.settings = rules.map_or(Settings::Unknown, Settings::Known);
                self.fit();
            }
        }
    }

    /// With nothing in flight, sees to it that no full batch is larger than the topic takes.
    fn fit(&mut self) {
        let Settings::Known(rules) = &self.settings else { return };
        if self.room.batch_bytes_max <= rules.batch_bytes_max || 0 < self.sender.in_flight() {
            return;
        }
        let batch_bytes_max = rules.batch_bytes_max.max(1);
        let mut entries = self.config.entries();
        entries.push(("batch.size".to_owned(), batch_bytes_max.to_string()));
        match self.sender.reopen(&entries, self.config.log(), &self.topic) {
            Ok(()) => {
                self.room.batch_bytes_max = batch_bytes_max;
                if let Some(wait) = self.transactions {
                    // Where that fails, so does every record, and says why.
                    let _ = self.begin_transactions(wait);
                }
            }
            // The one that works stays; what is refused is sent again in smaller groups.
            Err(_) => self.settings = Settings::Unknown,
        }
    }

    fn suspicion(&self, outgoing: &Outgoing<'_>) -> Option<Suspicion> {
        match &self.settings {
            Settings::Known(rules) => rules.suspicion(outgoing, self.compresses, now),
            _ => None,
        }
    }

    /// The rule for which a broker would refuse it: it just did so with another like it. To ask
    /// every time would take as long as two answers for each.
    fn refused_anyway(&self, suspicion: Option<Suspicion>) -> Option<Rule> {
        let Some(Suspicion::Sure(rule)) = suspicion else { return None };
        let holds = |since: &Instant| since.elapsed() < REFUSAL_HOLDS;
        (!self.is_answered || self.confirmed.get(&rule).is_some_and(holds)).then_some(rule)
    }

    /// Whether a record may follow others that are in flight.
    fn may_follow(&self, suspicion: Option<Suspicion>) -> bool {
        match &self.settings {
            Settings::Awaited { .. } => false,
            Settings::Known(rules) => {
                suspicion.is_none() && self.room.batch_bytes_max <= rules.batch_bytes_max
            }
            Settings::Unknown => true,
        }
    }

    /// `Full` until nothing is in flight.
    fn begin_group(&mut self) -> Result<(), Full> {
        if 0 < self.sender.in_flight() {
            self.push();
            return Err(Full);
        }
        // A flush that still goes on would tear the batch apart.
        self.sender.fill_now();
        self.group = Some(Group::begin());
        Ok(())
    }

    /// Sends all that was taken, as it is.
    fn push(&mut self) {
        if let Some(group) = &mut self.group {
            group.close();
        }
        // On `Full` the next call sees to the rest.
        let _ = self.sender.submit();
        self.sender.flush();
    }

    /// A batch was refused while others may be behind it: what is not yet sent comes back.
    fn take_back(&mut self) {
        if self.again.has_returned() && self.group.is_none() && !self.takes_back {
            self.takes_back = true;
            self.push();
            self.sender.take_back();
            self.ask();
        }
    }

    /// With nothing in flight: judges what came back, and sends the innocent again.
    fn settle(&mut self) {
        let group = self.group.take();
        if let Settings::Awaited { since, .. } = &mut self.settings {
            since.get_or_insert_with(Instant::now);
        }
        self.takes_back = false;
        if group.is_none() && self.again.is_empty() {
            return;
        }
        self.learn();
        match group {
            Some(group) if self.again.has_returned() => self.judge(&group),
            Some(group) => {
                self.room.grow();
                if group.is_defiant() {
                    self.ask();
                }
            }
            None => {
                let returned = self.again.take_batches().into_iter().flatten();
                self.again.put(returned.map(|returned| returned.owned).collect());
            }
        }
        self.fit();
        self.sender.fill();
        self.send_again();
    }

    /// Tells the guilty of a group from the innocent, or has them come again in smaller groups.
    fn judge(&mut self, group: &Group) {
        for batch in self.again.take_batches() {
            let suspicion = |owned: &Owned| self.suspicion(&owned.outgoing(&mut Vec::new()));
            let known: Vec<_> = batch.iter().map(|r| (r.code, suspicion(&r.owned))).collect();
            let guilty = again::guilty(&known).unwrap_or_else(|| {
                self.room.shrink(group);
                vec![false; known.len()]
            });
            let mut innocent = Vec::new();
            for ((returned, (code, suspicion)), guilty) in batch.into_iter().zip(known).zip(guilty)
            {
                if guilty {
                    self.refuse(&returned.owned, code, suspicion);
                } else {
                    innocent.push(returned.owned);
                }
            }
            self.again.put(innocent);
        }
    }

    fn refuse(&mut self, owned: &Owned, code: Code, suspicion: Option<Suspicion>) {
        match suspicion {
            Some(Suspicion::Sure(rule)) => drop(self.confirmed.insert(rule, Instant::now())),
            None if matches!(self.settings, Settings::Known(_)) => self.ask(),
            _ => {}
        }
        let rule = suspicion.map(Suspicion::rule);
        self.refused.push((owned.token, Refusal { rule, ..Refusal::of(code, owned.partition) }));
    }

    /// Sends as much again as makes a group.
    fn send_again(&mut self) {
        if self.again.is_empty() {
            return;
        }
        self.sender.fill_now();
        let mut group = Group::begin();
        let hold = self.sender.hold(Bytes::new());
        while let Some(owned) = self.again.next() {
            if self.send_owned(hold, &mut group, &owned).is_err() {
                self.again.put_first(owned);
                break;
            }
        }
        self.sender.release(hold);
        self.group = Some(group);
        self.push();
    }

    fn send_owned(&mut self, hold: Hold, group: &mut Group, owned: &Owned) -> Result<(), Full> {
        let mut headers = Vec::new();
        let outgoing = owned.outgoing(&mut headers);
        let suspicion = self.suspicion(&outgoing);
        if let Some(rule) = self.refused_anyway(suspicion) {
            self.refused.push((owned.token, Refusal::unsent(rule, owned.partition)));
            return Ok(());
        }
        let bytes = rules::record_bytes_bound(&outgoing);
        if !group.has_room(bytes, &self.room) {
            return Err(Full);
        }
        self.sender.send(hold, owned.token, &outgoing)?;
        group.add(bytes, suspicion);
        Ok(())
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
            Err(Refusal { why: report.why(), ..Refusal::of(code, partition) })
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as i64)
}
