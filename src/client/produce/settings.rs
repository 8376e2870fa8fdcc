//! What is known of the topic's settings: asked for at the start, and when a broker contradicts.
//!
//! The question goes over the connections that records go over, so one that is never answered must
//! not stay there. It takes one of the five requests that an idempotent producer may have under
//! way, and librdkafka hangs up when it has been open for socket.timeout.ms
//! (rd_kafka_broker_timeout_scan; socket.max.fails is 1): what was under way may then be written
//! twice. So before that, with nothing in flight, the client starts anew and asks no more.

use std::time::{Duration, Instant};

use super::Producer;
use super::rules::Rules;
use crate::client::Code;

/// How long to hope for an answer. Half of socket.timeout.ms where that is less.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a topic may take to come into being, and a transaction to begin for want of an answer.
const TOPIC_WAIT_MAX: Duration = Duration::from_secs(1);
/// A topic that is being created is asked about again this soon.
const AGAIN: Duration = Duration::from_millis(20);

/// What is known of the topic's settings.
pub enum Settings {
    /// Asked for; since when a broker could answer, and when to ask once more.
    Awaited {
        since: Option<Instant>,
        again_at: Option<Instant>,
    },
    Known(Rules),
    /// The broker does not say, and is not asked again. Why, until somebody wants to know.
    Unknown {
        why: Option<String>,
    },
}

impl Settings {
    pub const ASKED: Settings = Settings::Awaited { since: None, again_at: None };

    fn unknown(why: impl Into<String>) -> Settings {
        Settings::Unknown { why: Some(why.into()) }
    }
}

impl Producer {
    /// Why the topic's settings will not be known, once, where that leaves nobody to tell what is
    /// refused: with acks=0.
    pub fn unguarded(&mut self) -> Option<String> {
        match &mut self.settings {
            Settings::Unknown { why } if !self.is_answered => why.take(),
            _ => None,
        }
    }

    /// What is known of the topic's settings is not so, or no more.
    ///
    /// In a transaction it stays at the first answer: a new client, for smaller batches, would lose
    /// what was sent, and a refusal is the transaction's end anyway.
    pub(super) fn ask(&mut self) {
        if matches!(self.settings, Settings::Known(_)) && self.transactions.is_none() {
            self.settings = Settings::ASKED;
            self.sender.ask_for_settings(&self.topic);
        }
    }

    /// Whether nothing may be sent before the settings are known.
    pub(super) fn must_know(&self) -> bool {
        let once = !self.is_answered || self.transactions.is_some();
        once && matches!(self.settings, Settings::Awaited { .. })
    }

    /// Takes what there is to know of the topic's settings.
    pub(super) fn learn(&mut self) {
        if !matches!(self.settings, Settings::Awaited { .. }) {
            return;
        }
        let answer = self.sender.told(&self.topic);
        let patience = match &answer {
            None => self.answer_wait(),
            Some(Err(code)) => self.again_wait(*code),
            Some(Ok(_)) => Duration::ZERO,
        };
        let Settings::Awaited { since, again_at } = &mut self.settings else { return };
        if since.is_none() && self.sender.native().reached() {
            *since = Some(Instant::now());
        }
        let is_late = since.is_some_and(|since| patience <= since.elapsed());
        match answer {
            None if again_at.is_some_and(|at| at <= Instant::now()) => {
                *again_at = None;
                self.sender.ask_for_settings(&self.topic);
            }
            None if is_late => self.give_up_asking(),
            None => {}
            Some(Err(_)) if !is_late && !patience.is_zero() => {
                *again_at = Some(Instant::now() + AGAIN);
            }
            Some(Err(code)) => self.settings = Settings::unknown(code.to_string()),
            Some(Ok(settings)) => {
                let rules = Rules::of(&settings).map(Settings::Known);
                self.settings =
                    rules.unwrap_or_else(|| Settings::unknown("the broker names no limit"));
                self.fit();
            }
        }
    }

    /// How long to hope for an answer. With acks=0 nothing is sent meanwhile.
    fn answer_wait(&self) -> Duration {
        match (self.is_answered, &self.transactions) {
            (false, _) => self.delivery_timeout,
            (true, Some(_)) => TOPIC_WAIT_MAX,
            (true, None) => ANSWER_WAIT_MAX.min(self.socket_timeout / 2),
        }
    }

    /// How long to ask again after such an answer.
    fn again_wait(&self, code: Code) -> Duration {
        match code {
            Code::UNKNOWN_TOPIC_OR_PART => TOPIC_WAIT_MAX,
            Code::TIMED_OUT if !self.is_answered => self.delivery_timeout,
            _ => Duration::ZERO,
        }
    }

    /// With nothing in flight, sees to it that the question is on no connection any more.
    fn give_up_asking(&mut self) {
        let in_transaction = self.transactions.is_some();
        if !in_transaction && (0 < self.sender.in_flight() || !self.reopen(None)) {
            return;
        }
        self.settings = Settings::unknown("the broker does not answer DescribeConfigs");
    }

    /// With nothing in flight, sees to it that no full batch is larger than the topic takes.
    pub(super) fn fit(&mut self) {
        let Settings::Known(rules) = &self.settings else { return };
        let batch_bytes_max = rules.batch_bytes_max.max(1);
        if self.room.batch_bytes_max <= batch_bytes_max || 0 < self.sender.in_flight() {
            return;
        }
        if self.reopen(Some(batch_bytes_max)) {
            self.room.batch_bytes_max = batch_bytes_max;
        } else {
            // The one that works stays; what is refused is sent again in smaller groups.
            self.settings = Settings::unknown("the client does not start anew");
        }
    }

    /// With nothing in flight, starts anew, with another `batch.size` where that is given.
    fn reopen(&mut self, batch_bytes_max: Option<usize>) -> bool {
        let mut entries = self.config.entries();
        let batch_bytes_max = batch_bytes_max.unwrap_or(self.room.batch_bytes_max);
        entries.push(("batch.size".to_owned(), batch_bytes_max.to_string()));
        let is_open = self.sender.reopen(&entries, self.config.log(), &self.topic).is_ok();
        if let Some(wait) = self.transactions.filter(|_| is_open) {
            // Where that fails, so does every record, and says why.
            let _ = self.begin_transactions(wait);
        }
        is_open
    }
}
