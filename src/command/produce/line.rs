//! The line to the broker: records in, the account of what became of them, and whether it still
//! goes on.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use bytes::Bytes;

use super::super::Global;
use super::super::cluster::Cluster;
use super::super::interrupt::Interrupt;
use super::super::progress::Progress;
use super::super::stdio::say;
use super::files::Mark;
use super::pace::Pace;
use super::tally::{Failure, Tally, Why};
use super::trail::{Fate, Trail};
use crate::client::produce::{Full, Hold, Producer, Refusal, Undone};
use crate::client::{Code, Error, cause};
use crate::quantity::show_time;
use crate::record::{Outgoing, PartitionId, Timestamp};

/// How often signals, time limits and the state of the broker are looked at while waiting.
pub const TICK: Duration = Duration::from_millis(100);
/// So long without a delivery, and the last broker error is named.
const STALL: Duration = Duration::from_secs(2);

/// Batches go when they are full, and when the input pauses (`rd_kafka_flush`), so that no record
/// waits for this. It must be longer than a batch takes: an idempotent producer of librdkafka has
/// one batch of a partition in flight, and polls without a pause once the next has lingered.
const LINGER_MS: u64 = 500;
/// Waits that are shorter are slept through.
const PACE_SLACK: Duration = Duration::from_millis(1);
/// Without a report for so long, batches of many partitions may be waiting for each other's room.
const ROOM_PATIENCE: Duration = Duration::from_millis(10);

pub struct Line<'a> {
    pub producer: Producer,
    pub tally: Tally,
    pub progress: Progress,
    pub interrupt: Interrupt,
    cluster: Cluster,
    topic: &'a str,
    quiet: bool,
    watch: Watch,
    partition_max: Option<PartitionId>,
    trail: Option<Trail>,
    pace: Option<Schedule>,
    transactions: Option<Transactions>,
}

/// When records are due.
struct Schedule {
    pace: Pace,
    sent: u64,
    start: Instant,
}

/// What is there only once it is committed.
struct Transactions {
    /// Commits after so many records; without it, at the end of the input.
    records_max: Option<u64>,
    /// Records sent in the one that is open.
    records: u64,
    /// The tally's mark at its begin.
    mark: u64,
}

/// Since when nothing has gone on.
struct Watch {
    start: Instant,
    reached: bool,
    progress: Instant,
    /// The broker error that was said last, so that it is said once.
    said: Option<String>,
}

impl<'a> Line<'a> {
    pub fn open(
        cluster: Cluster,
        global: &Global,
        topic: &'a str,
        progress: Progress,
    ) -> anyhow::Result<Line<'a>> {
        let start = Instant::now();
        let mut cluster = cluster;
        let timeout_ms = cluster.config.get("delivery.timeout.ms").and_then(|ms| ms.parse().ok());
        // librdkafka wants it to be the shorter of the two.
        let linger_ms = timeout_ms.map_or(LINGER_MS, |ms: u64| LINGER_MS.min(ms / 2));
        cluster.config.set_default("linger.ms", &linger_ms.to_string())?;
        let producer = Producer::open(&cluster.config, topic)?;
        let interrupt = Interrupt::watch()?;
        producer.wake(interrupt.wake().writer()?);
        Ok(Line {
            producer,
            tally: Tally::default(),
            progress,
            interrupt,
            cluster,
            topic,
            quiet: global.quiet,
            watch: Watch { start, reached: false, progress: start, said: None },
            partition_max: None,
            trail: None,
            pace: None,
            transactions: None,
        })
    }

    /// What becomes of records is told along the way; this run goes on after so many.
    pub fn follow(&mut self, trail: Trail, before: u64) {
        self.producer.report_times();
        self.trail = Some(trail);
        self.tally = Tally::after(before);
    }

    /// Records are sent when they are due.
    pub fn keep_pace(&mut self, pace: Pace) {
        self.pace = Some(Schedule { pace, sent: 0, start: Instant::now() });
    }

    /// All is there at the end, or nothing; or so many records at a time.
    pub fn begin_transactions(&mut self, records_max: Option<u64>) -> anyhow::Result<()> {
        self.transactions = Some(Transactions { records_max, records: 0, mark: 0 });
        let began = self.producer.begin_transactions(self.cluster.connect_timeout);
        began.map_err(|undone| cannot("begin", &undone))
    }

    /// A record was read: `bytes` of this block, at this place of the input.
    pub fn note(&mut self, number: u64, mark: Mark, block: &Bytes, bytes: &[u8]) {
        if let Some(trail) = &mut self.trail {
            trail.read(number, mark, block, bytes);
        }
    }

    /// Whether what was read waits for answers, as much as there may be.
    pub fn is_behind(&self) -> bool {
        self.trail.as_ref().is_some_and(Trail::is_full)
    }

    /// All before this place was read.
    pub fn read_to(&mut self, mark: Mark) {
        if let Some(trail) = &mut self.trail {
            trail.read_to(mark);
        }
    }

    /// The last record was not taken after all: a signal came first.
    pub fn unread(&mut self) {
        self.tally.unread_one();
        if let Some(trail) = &mut self.trail {
            trail.unread();
        }
    }

    /// Sends one record, waiting for room. `false` when a signal came before there was any.
    pub fn send(
        &mut self,
        hold: Hold,
        number: u64,
        outgoing: &Outgoing<'_>,
    ) -> anyhow::Result<bool> {
        if let Err(reason) = carried(outgoing) {
            self.fail(number, &Failure { reason, origin: None });
            return Ok(true);
        }
        self.partition_max = self.partition_max.max(outgoing.partition);
        if !self.is_due(outgoing.timestamp)? {
            return Ok(false);
        }
        while let Err(Full) = self.producer.send(hold, number, outgoing) {
            if self.interrupt.exit().is_some() {
                return Ok(false);
            }
            self.wait_for_room()?;
        }
        self.sent_in_transaction()?;
        Ok(true)
    }

    /// Waits until a record with this time is due. `false` when a signal came first.
    fn is_due(&mut self, timestamp: Option<Timestamp>) -> anyhow::Result<bool> {
        let Some(schedule) = &mut self.pace else { return Ok(true) };
        let due = schedule.pace.due(schedule.sent, timestamp);
        schedule.sent += 1;
        let start = schedule.start;
        while let Some(left) = due.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            if self.interrupt.exit().is_some() {
                return Ok(false);
            }
            if left < PACE_SLACK {
                // librdkafka's queues are waited for in whole milliseconds: less would be a spin,
                // and a millisecond a batch for each. Reports wait no longer than this.
                std::thread::sleep(left);
                continue;
            }
            // What came before is not to wait for what comes after.
            self.submit()?;
            self.producer.flush();
            self.take_reports(left.min(TICK))?;
            self.producer.fill();
        }
        Ok(true)
    }

    /// Counts a record, and commits where that is enough of them.
    fn sent_in_transaction(&mut self) -> anyhow::Result<()> {
        let Some(open) = &mut self.transactions else { return Ok(()) };
        open.records += 1;
        if open.records_max.is_none_or(|max| open.records < max) {
            return Ok(());
        }
        open.records = 0;
        self.drain()?;
        self.commit()?;
        self.producer.begin_next().map_err(|undone| cannot("begin", &undone))
    }

    /// Everything was delivered: it is to be there.
    fn commit(&mut self) -> anyhow::Result<()> {
        if self.tally.has_failures() {
            anyhow::bail!("a record failed, so the transaction is aborted");
        }
        self.producer.commit().map_err(|undone| cannot("commit", &undone))?;
        if let Some(open) = &mut self.transactions {
            open.mark = self.tally.mark();
        }
        Ok(())
    }

    /// The end of the input, or of the run: commits where all went well, else aborts what is open.
    pub fn end_transactions(&mut self, all_well: bool) -> anyhow::Result<()> {
        let Some(open) = &self.transactions else { return Ok(()) };
        let mark = open.mark;
        let committed = match all_well && !self.tally.has_failures() {
            true => self.commit(),
            false => Err(anyhow!("the transaction was aborted; nothing of it is there")),
        };
        let Err(error) = committed else { return Ok(()) };
        self.tally.take_back(mark);
        // What is not aborted here is by the broker, when its time is over.
        let _ = self.producer.abort();
        Err(error)
    }

    /// Waits for reports, and has batches sent that are not full where there are none.
    pub fn wait_for_room(&mut self) -> anyhow::Result<()> {
        let before = self.tally.finished();
        self.take_reports(ROOM_PATIENCE)?;
        if self.tally.finished() == before {
            self.producer.widen();
            self.producer.flush();
            self.take_reports(TICK)?;
            self.producer.fill();
        } else {
            self.producer.narrow();
        }
        Ok(())
    }

    /// Hands over what was sent so far.
    pub fn submit(&mut self) -> anyhow::Result<()> {
        while let Err(Full) = self.producer.submit() {
            self.wait_for_room()?;
        }
        Ok(())
    }

    /// Waits until everything is delivered or failed.
    pub fn drain(&mut self) -> anyhow::Result<()> {
        self.submit()?;
        self.producer.flush();
        while 0 < self.producer.in_flight() {
            self.take_reports(TICK)?;
        }
        Ok(())
    }

    pub fn fail(&mut self, number: u64, failure: &Failure<'_>) {
        self.tally.failed(number, failure);
        if let Some(trail) = &mut self.trail {
            trail.is(number, Fate::Failed { why: failure.to_string() });
        }
    }

    /// A record was left out of the input because of its size.
    pub fn fail_too_large(&mut self, mark: Mark) {
        let reason = &self.why().too_large();
        self.fail_left_out(mark, &Failure { reason, origin: None });
    }

    /// What came here in the input cannot be a record.
    pub fn fail_left_out(&mut self, mark: Mark, failure: &Failure<'_>) {
        let number = self.tally.read_one();
        if let Some(trail) = &mut self.trail {
            trail.left_out(number, mark);
        }
        self.fail(number, failure);
    }

    /// Takes what reports there are, waiting at most so long for the first, and looks whether it
    /// makes sense to go on.
    pub fn take_reports(&mut self, wait: Duration) -> anyhow::Result<()> {
        let mut refused = Vec::new();
        let (tally, trail) = (&mut self.tally, &mut self.trail);
        let count = self.producer.reports(wait, |report| match report.result {
            Ok(place) => {
                tally.delivered();
                if let Some(trail) = trail {
                    let timestamp = report.timestamp;
                    trail.is(report.token, Fate::Delivered { place, timestamp });
                }
            }
            Err(refusal) => refused.push((report.token, refusal)),
        });
        for (number, refusal) in &refused {
            self.refused(*number, refusal)?;
        }
        if let Some(trail) = &mut self.trail {
            trail.tell()?;
        }
        if refused.len() < count {
            self.producer.forgive();
            self.watch.said = None;
        }
        if 0 < count || self.producer.in_flight() == 0 {
            self.watch.progress = Instant::now();
        }
        self.look()
    }

    /// A refusal of one record, or one that every other record will meet too.
    fn refused(&mut self, number: u64, refusal: &Refusal) -> anyhow::Result<()> {
        let reason = self.why().of(refusal);
        match refusal.code {
            Code::UNKNOWN_TOPIC
            | Code::UNKNOWN_TOPIC_OR_PART
            | Code::INVALID_TOPIC
            | Code::TOPIC_AUTHORIZATION_FAILED => Err(anyhow!(reason)),
            _ => {
                self.fail(number, &Failure { reason: &reason, origin: None });
                Ok(())
            }
        }
    }

    /// Ends the command where no broker can be had, and says why nothing goes on.
    fn look(&mut self) -> anyhow::Result<()> {
        if let Some(error) = self.cluster.lease.as_ref().and_then(|lease| lease.broken()) {
            return Err(error.into());
        }
        if let Some(why) = self.producer.unguarded().filter(|_| !self.quiet) {
            let topic = self.topic;
            say(&format!(
                "kaw: the limits of topic {topic} are not known ({why}); \
                 with --acks 0 nobody tells what is refused"
            ));
        }
        let complaint = self.producer.complaint();
        if let Some(complaint) = &complaint {
            if complaint.fatal {
                return Err(anyhow!("the producer cannot go on: {}", complaint.text));
            }
            // The built-in broker let us in: who does not is somebody else who took its port, and
            // the lease knows where it is.
            let over = Error::final_of(self.cluster.config.brokers(), complaint);
            if let Some(error) = over.filter(|_| self.cluster.lease.is_none()) {
                return Err(error.into());
            }
        }
        self.watch.reached |= self.producer.reached();
        if !self.watch.reached && self.cluster.connect_timeout <= self.watch.start.elapsed() {
            let why = complaint.map_or_else(|| "no answer".to_owned(), |c| cause(&c.text));
            let brokers = self.cluster.config.brokers().to_owned();
            return Err(Error::Unreachable { brokers, why }.into());
        }
        if let Some(complaint) = complaint.filter(|_| STALL <= self.watch.progress.elapsed()) {
            self.say_stall(cause(&complaint.text));
        }
        Ok(())
    }

    fn say_stall(&mut self, cause: String) {
        if !self.quiet && self.watch.said.as_ref() != Some(&cause) {
            let brokers = self.cluster.config.brokers();
            say(&format!("kaw: waiting for {brokers} ({cause})"));
            self.watch.said = Some(cause);
        }
    }

    /// The run is over: what has no answer was given up.
    pub fn close_trail(&mut self, why: &str) -> anyhow::Result<()> {
        self.trail.take().map_or(Ok(()), |trail| trail.close(why))
    }

    fn why(&self) -> Why<'_> {
        Why {
            topic: self.topic,
            delivery_timeout: show_time(self.producer.delivery_timeout()),
            record_bytes_max: self.producer.record_bytes_max(),
            topic_bytes_max: self.producer.topic_bytes_max(),
            cause: self.producer.complaint().map(|complaint| cause(&complaint.text)),
            partition_max: self.partition_max,
        }
    }
}

fn cannot(step: &str, undone: &Undone) -> anyhow::Error {
    anyhow!("cannot {step} the transaction: {}", undone.why.trim_end_matches('.'))
}

/// What librdkafka would change on the way is refused instead.
fn carried(outgoing: &Outgoing<'_>) -> Result<(), &'static str> {
    if outgoing.timestamp.is_some_and(|timestamp| timestamp.get() <= 0) {
        // librdkafka takes 0 for the time of sending, and Kafka -1 for no time at all.
        return Err("librdkafka cannot send a timestamp of 0 or less");
    }
    // It gives names back as C strings.
    if outgoing.record.headers.iter().any(|header| header.name.contains(&0)) {
        return Err("librdkafka cannot carry a header name with a NUL in it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, Record, Timestamp};

    #[test]
    fn what_librdkafka_would_change_is_refused() {
        let at = |ms| Outgoing { timestamp: Some(Timestamp(ms)), ..Outgoing::default() };
        assert!(carried(&at(1)).is_ok());
        assert!(carried(&at(0)).is_err());
        assert!(carried(&at(-1)).is_err());
        let headers = [Header { name: b"a\0b", value: None }];
        let record = Record { headers: &headers, ..Record::default() };
        assert!(carried(&Outgoing { record, ..Outgoing::default() }).is_err());
        assert!(carried(&Outgoing::default()).is_ok());
    }
}
