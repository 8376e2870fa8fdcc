//! What was read, delivered and failed, and what is said about failures.

use std::collections::BTreeMap;
use std::fmt;

use super::super::stdio::say;
use super::super::topic::is_internal;
use super::shape::Origin;
use crate::client::Code;
use crate::client::produce::{Refusal, Rule};
use crate::quantity::show_bytes;
use crate::record::PartitionId;

/// Reasons that are said as they come; of those beyond there is only a count.
const SAID_MAX: u64 = 10;
/// Reasons that are counted each for itself; one may name a column, so that few are alike.
const UNSAID_MAX: usize = 20;

/// Counts records; every one that was read is delivered or failed in the end.
#[derive(Default)]
pub struct Tally {
    /// Records of an earlier run, which are not counted again.
    before: u64,
    read: u64,
    delivered: u64,
    failed: u64,
    said: u64,
    /// The reason that was said last, which is not said again in a row.
    last: String,
    unsaid: BTreeMap<String, u64>,
    /// Failures for other reasons than those.
    others: u64,
}

impl Tally {
    /// Goes on after so many records of an earlier run.
    pub fn after(before: u64) -> Tally {
        Tally { before, ..Tally::default() }
    }

    /// The number of the next record in the input, from 1.
    pub fn read_one(&mut self) -> u64 {
        self.read += 1;
        self.before + self.read
    }

    /// The number of the last record that was read.
    pub fn last_number(&self) -> u64 {
        self.before + self.read
    }

    /// What was delivered since `mark` is there no more: its transaction was aborted.
    pub fn take_back(&mut self, mark: u64) {
        self.failed += self.delivered - mark;
        self.delivered = mark;
    }

    /// How many records were delivered so far.
    pub fn mark(&self) -> u64 {
        self.delivered
    }

    pub fn has_failures(&self) -> bool {
        0 < self.failed
    }

    /// A record that was not taken after all: a signal came first.
    pub fn unread_one(&mut self) {
        self.read -= 1;
    }

    pub fn delivered(&mut self) {
        self.delivered += 1;
    }

    /// Counts a failure and says it, or counts what is not said.
    pub fn failed(&mut self, number: u64, failure: &Failure<'_>) {
        self.failed += 1;
        let reason = failure.reason;
        if self.said < SAID_MAX && self.last != reason {
            self.said += 1;
            reason.clone_into(&mut self.last);
            say(&format!("kaw: record {number}: {failure}"));
        } else if let Some(count) = self.unsaid.get_mut(reason) {
            *count += 1;
        } else if self.unsaid.len() < UNSAID_MAX {
            self.unsaid.insert(reason.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    /// What is still under way will not be delivered any more.
    pub fn give_up(&mut self) {
        self.failed = self.read - self.delivered;
    }

    pub fn finished(&self) -> u64 {
        self.delivered + self.failed
    }

    pub fn all_delivered(&self) -> bool {
        self.delivered == self.read
    }

    /// Says what was left out, and the account unless it is not wanted.
    pub fn close(&self, wants_account: bool) {
        for (reason, count) in &self.unsaid {
            say(&format!("kaw: {count} more: {reason}"));
        }
        if 0 < self.others {
            say(&format!("kaw: {} more for other reasons; --rejects FILE has each", self.others));
        }
        if wants_account {
            say(&self.account());
        }
    }

    fn account(&self) -> String {
        let Tally { read, delivered, failed, .. } = self;
        format!("read {read} = delivered {delivered} + failed {failed}")
    }
}

/// Why a record failed, and where in the input that can be seen.
pub struct Failure<'a> {
    pub reason: &'a str,
    pub origin: Option<Origin<'a>>,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Origin { input, at }) = self.origin {
            write!(f, "{input}, byte {at}: ")?;
        }
        f.write_str(self.reason)
    }
}

/// What a refusal is about, and what the user can do.
pub struct Why<'a> {
    pub topic: &'a str,
    pub delivery_timeout: String,
    pub record_bytes_max: usize,
    /// To how much the topic limits a batch, as far as that is known.
    pub topic_bytes_max: Option<usize>,
    /// What librdkafka said last about a broker.
    pub cause: Option<String>,
    /// The highest partition that any record asked for.
    pub partition_max: Option<PartitionId>,
}

impl Why<'_> {
    /// The reason in the user's words.
    pub fn of(&self, refusal: &Refusal) -> String {
        let Why { topic, .. } = self;
        // librdkafka says INVALID_RECORD of timestamps too, where there are several in a batch.
        if let (Code::INVALID_RECORD | Code::INVALID_TIMESTAMP, Some(broken)) =
            (refusal.code, self.broken(refusal))
        {
            return broken;
        }
        match refusal.code {
            Code::MSG_SIZE_TOO_LARGE
                if refusal.partition.is_none() && refusal.rule != Some(Rule::Size) =>
            {
                self.too_large()
            }
            Code::MSG_SIZE_TOO_LARGE | Code::RECORD_LIST_TOO_LARGE => self.too_large_for_topic(),
            Code::MSG_TIMED_OUT => {
                let cause = self.cause.as_ref().map(|cause| format!(" ({cause})"));
                let cause = cause.unwrap_or_default();
                format!("not delivered within {}{cause}", self.delivery_timeout)
            }
            Code::UNKNOWN_PARTITION => self.no_partition(refusal),
            Code::UNKNOWN_TOPIC | Code::UNKNOWN_TOPIC_OR_PART => format!(
                "topic {topic} is not there and the broker does not create it; \
                 run `kaw topic create {topic}`"
            ),
            Code::INVALID_TOPIC | Code::TOPIC_AUTHORIZATION_FAILED if is_internal(topic) => {
                format!("topic {topic} is the brokers' own, and they let nobody write to it")
            }
            Code::INVALID_TIMESTAMP => "the broker refuses its timestamp".to_owned(),
            Code::STORAGE_ERROR => "the broker cannot write to its disk; is it full?".to_owned(),
            Code::PURGE_QUEUE | Code::PURGE_INFLIGHT => "given up".to_owned(),
            // The built-in broker has no other use for this code (`broker/api/produce.rs`).
            Code::UNKNOWN => "the broker cannot write it; if it is kaw's own, its disk is full \
                 or broken, as broker.log in its data directory says: mend that, then produce the \
                 rest again"
                .to_owned(),
            code => format!("{} ({})", refusal.why.trim_end_matches('.'), code.name()),
        }
    }

    /// librdkafka does not take a record of this size.
    pub fn too_large(&self) -> String {
        let max = show_bytes(self.record_bytes_max as u64);
        format!("larger than {max}, which is message.max.bytes; -X message.max.bytes=N raises it")
    }

    fn too_large_for_topic(&self) -> String {
        let Why { topic, .. } = self;
        let max = self.topic_bytes_max.map(|max| format!(", {} a batch", show_bytes(max as u64)));
        let max = max.unwrap_or_default();
        format!(
            "larger than topic {topic} takes{max}; \
             `kaw topic alter {topic} -c max.message.bytes=N` raises that"
        )
    }

    /// In the words of the setting that the record breaks, where that is known.
    fn broken(&self, refusal: &Refusal) -> Option<String> {
        let Why { topic, .. } = self;
        let (way, setting) = match refusal.rule? {
            Rule::Size => return None,
            Rule::Key => {
                return Some(format!(
                    "topic {topic} is compacted and takes no record without a key"
                ));
            }
            Rule::Past => ("past", "before"),
            Rule::Future => ("future", "after"),
        };
        Some(format!(
            "its timestamp is farther in the {way} than topic {topic} takes, \
             see its message.timestamp.{setting}.max.ms"
        ))
    }

    fn no_partition(&self, refusal: &Refusal) -> String {
        let Why { topic, .. } = self;
        let wanted = refusal.partition.max(self.partition_max).map_or(0, PartitionId::get);
        let count = i64::from(wanted) + 1;
        format!(
            "topic {topic} has no such partition; run `kaw topic alter {topic} -p {count}` before, \
             or let keys decide with -p -1"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: Code, partition: Option<i32>, want: &str) {
        let why = Why {
            topic: "t",
            delivery_timeout: "30 s".to_owned(),
            record_bytes_max: 1 << 20,
            topic_bytes_max: Some(20_000),
            cause: Some("connection refused".to_owned()),
            partition_max: Some(PartitionId(6)),
        };
        let partition = partition.map(PartitionId);
        let refusal = Refusal { code, why: "Broker: No.".to_owned(), partition, rule: None };
        assert_eq!(why.of(&refusal), want);
    }

    #[test]
    fn refusals_say_what_to_do() {
        check(Code::MSG_TIMED_OUT, Some(0), "not delivered within 30 s (connection refused)");
        check(
            Code::MSG_SIZE_TOO_LARGE,
            None,
            "larger than 1.0 MiB, which is message.max.bytes; -X message.max.bytes=N raises it",
        );
        check(
            Code::MSG_SIZE_TOO_LARGE,
            Some(0),
            "larger than topic t takes, 19.5 KiB a batch; \
             `kaw topic alter t -c max.message.bytes=N` raises that",
        );
        check(
            Code::UNKNOWN_PARTITION,
            Some(3),
            "topic t has no such partition; run `kaw topic alter t -p 7` before, \
             or let keys decide with -p -1",
        );
        check(Code::STORAGE_ERROR, Some(0), "the broker cannot write to its disk; is it full?");
        check(Code::RESOLVE, Some(0), "Broker: No (_RESOLVE)");
        check(
            Code::UNKNOWN,
            Some(0),
            "the broker cannot write it; if it is kaw's own, its disk is full or broken, as \
             broker.log in its data directory says: mend that, then produce the rest again",
        );
    }

    #[test]
    fn a_broken_rule_is_named() {
        let said = |code, rule| {
            let why = Why {
                topic: "t",
                delivery_timeout: String::new(),
                record_bytes_max: 1 << 20,
                topic_bytes_max: None,
                cause: None,
                partition_max: None,
            };
            why.of(&Refusal { code, why: "No".to_owned(), partition: None, rule: Some(rule) })
        };
        assert_eq!(
            said(Code::INVALID_RECORD, Rule::Key),
            "topic t is compacted and takes no record without a key"
        );
        assert_eq!(
            said(Code::INVALID_RECORD, Rule::Past),
            "its timestamp is farther in the past than topic t takes, \
             see its message.timestamp.before.max.ms"
        );
        assert_eq!(
            said(Code::MSG_SIZE_TOO_LARGE, Rule::Size),
            "larger than topic t takes; `kaw topic alter t -c max.message.bytes=N` raises that"
        );
        assert_eq!(said(Code::INVALID_RECORD, Rule::Size), "No (INVALID_RECORD)");
    }

    #[test]
    fn a_reason_is_said_once_in_a_row() {
        let mut tally = Tally::default();
        for (number, reason) in (1..).zip(["full", "full", "full", "odd", "full", "full"]) {
            tally.read_one();
            tally.failed(number, &Failure { reason, origin: None });
        }
        assert_eq!((tally.said, tally.failed), (3, 6));
        assert_eq!(tally.unsaid, BTreeMap::from([("full".to_owned(), 3)]));
    }

    #[test]
    fn few_reasons_are_kept_of_many() {
        let mut tally = Tally::default();
        for number in 1..=1000 {
            tally.read_one();
            let reason = &format!("odd at column {number}");
            tally.failed(number, &Failure { reason, origin: None });
        }
        assert_eq!((tally.said, tally.unsaid.len(), tally.others), (10, UNSAID_MAX, 970));
    }

    #[test]
    fn the_account_adds_up() {
        let mut tally = Tally::default();
        for _ in 0..5 {
            tally.read_one();
        }
        tally.delivered();
        tally.failed(2, &Failure { reason: "no", origin: None });
        tally.give_up();
        assert_eq!(tally.account(), "read 5 = delivered 1 + failed 4");
        assert!(!tally.all_delivered());
    }
}
