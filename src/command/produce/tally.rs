//! What was read, delivered and failed, and what is said about failures.

use std::collections::BTreeMap;

use super::screen::Screen;
use crate::client::Code;
use crate::client::produce::Refusal;
use crate::quantity::show_bytes;
use crate::record::PartitionId;

/// Failures that are said one by one; of the others there is only a count.
const SAID_MAX: u64 = 10;

/// Counts records; every one that was read is delivered or failed in the end.
#[derive(Default)]
pub struct Tally {
    read: u64,
    delivered: u64,
    failed: u64,
    unsaid: BTreeMap<String, u64>,
}

impl Tally {
    /// The number of the next record, from 1.
    pub fn read_one(&mut self) -> u64 {
        self.read += 1;
        self.read
    }

    /// A record that was not taken after all: a signal came first.
    pub fn unread_one(&mut self) {
        self.read -= 1;
    }

    pub fn delivered(&mut self) {
        self.delivered += 1;
    }

    /// Counts a failure and says it, or counts what is not said.
    pub fn failed(&mut self, number: u64, reason: &str, screen: &Screen) {
        self.failed += 1;
        if self.failed <= SAID_MAX {
            screen.say(&format!("kaw: record {number}: {reason}"));
        } else {
            *self.unsaid.entry(reason.to_owned()).or_default() += 1;
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
    pub fn close(&self, screen: &Screen, wants_account: bool) {
        for (reason, count) in &self.unsaid {
            screen.say(&format!("kaw: {count} more: {reason}"));
        }
        if wants_account {
            screen.say(&self.account());
        }
    }

    fn account(&self) -> String {
        let Tally { read, delivered, failed, .. } = self;
        format!("read {read} = delivered {delivered} + failed {failed}")
    }
}

/// What a refusal is about, and what the user can do.
pub struct Why<'a> {
    pub topic: &'a str,
    pub delivery_timeout: String,
    pub record_bytes_max: usize,
    /// What librdkafka said last about a broker.
    pub cause: Option<String>,
    /// The highest partition that any record asked for.
    pub partition_max: Option<PartitionId>,
}

impl Why<'_> {
    /// The reason in the user's words.
    pub fn of(&self, refusal: &Refusal) -> String {
        let Why { topic, .. } = self;
        match refusal.code {
            Code::MSG_SIZE_TOO_LARGE if refusal.partition.is_none() => self.too_large(),
            Code::MSG_SIZE_TOO_LARGE | Code::RECORD_LIST_TOO_LARGE => format!(
                "the broker refuses a record of this size; raise max.message.bytes of topic {topic}"
            ),
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
            Code::INVALID_TIMESTAMP => "the broker refuses its timestamp".to_owned(),
            Code::STORAGE_ERROR => "the broker cannot write to its disk; is it full?".to_owned(),
            Code::PURGE_QUEUE | Code::PURGE_INFLIGHT => "given up".to_owned(),
            // The built-in broker has no other use for this code (`broker/api/produce.rs`).
            Code::UNKNOWN => "the broker cannot write it; if it is kaw's own, its disk is full: \
                 free some space, then produce the rest again"
                .to_owned(),
            code => format!("{} ({})", refusal.why.trim_end_matches('.'), code.name()),
        }
    }

    /// librdkafka does not take a record of this size.
    pub fn too_large(&self) -> String {
        let max = show_bytes(self.record_bytes_max as u64);
        format!("larger than {max}, which is message.max.bytes; -X message.max.bytes=N raises it")
    }

    fn no_partition(&self, refusal: &Refusal) -> String {
        let Why { topic, .. } = self;
        let wanted = refusal.partition.max(self.partition_max).map_or(0, PartitionId::get);
        let count = i64::from(wanted) + 1;
        format!(
            "topic {topic} has no such partition; run `kaw topic create {topic} -p {count}` \
             before, or let keys decide with -p -1"
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
            cause: Some("connection refused".to_owned()),
            partition_max: Some(PartitionId(6)),
        };
        let partition = partition.map(PartitionId);
        let refusal = Refusal { code, why: "Broker: No.".to_owned(), partition };
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
            "the broker refuses a record of this size; raise max.message.bytes of topic t",
        );
        check(
            Code::UNKNOWN_PARTITION,
            Some(3),
            "topic t has no such partition; run `kaw topic create t -p 7` before, \
             or let keys decide with -p -1",
        );
        check(Code::STORAGE_ERROR, Some(0), "the broker cannot write to its disk; is it full?");
        check(Code::RESOLVE, Some(0), "Broker: No (_RESOLVE)");
        check(
            Code::UNKNOWN,
            Some(0),
            "the broker cannot write it; if it is kaw's own, its disk is full: \
             free some space, then produce the rest again",
        );
    }

    #[test]
    fn the_account_adds_up() {
        let screen = Screen::new(false, None);
        let mut tally = Tally::default();
        for _ in 0..5 {
            tally.read_one();
        }
        tally.delivered();
        tally.failed(2, "no", &screen);
        tally.give_up();
        assert_eq!(tally.account(), "read 5 = delivered 1 + failed 4");
        assert!(!tally.all_delivered());
    }
}
