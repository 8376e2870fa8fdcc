//! Sends records and times them, from when a send was due (or made) to its delivery report.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Watch;
use crate::bench::Error;
use crate::bench::measure::Window;
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Extent, Pace};
use crate::bench::schedule::{Schedule, Step};
use crate::client::Config;
use crate::client::produce::{Hold, Producer};
use crate::record::{Outgoing, Record};

/// Records are written into blocks of about this size, which librdkafka then sends from: large
/// enough that a block's cost is gone in a batch of records, small enough for the cache.
const BLOCK_BYTES: usize = 64 << 10;

/// How long a wait may last before the watch is looked at again.
const GLANCE: Duration = Duration::from_millis(100);

/// One producer and the row of records that it has sent so far.
pub struct Source {
    producer: Producer,
    number: u32,
    sent: u64,
    bell: UnixStream,
}

/// A phase that all producers go through together.
#[derive(Clone, Copy)]
pub struct Phase<'a> {
    pub payloads: &'a Payloads,
    pub pace: Pace,
    pub extent: Extent,
    pub watch: &'a Watch,
    pub noted: Noted,
}

/// What is noted in the watch of each record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// Its delivery report.
    Reports,
    /// It is timed elsewhere, or not at all.
    Nothing,
}

/// What came of a phase.
pub struct Outcome {
    pub records: u64,
    /// Of keys and values.
    pub bytes: u64,
    pub started: Instant,
    /// When the last report came.
    pub ended: Instant,
    /// Those that were never acknowledged, and why the first was not.
    pub failed: Vec<Mark>,
    pub why: Option<String>,
}

/// Runs a phase with all producers at once, until the last record is reported.
pub fn run(sources: &mut [Source], phase: Phase<'_>) -> Outcome {
    run_from(Instant::now(), sources, phase)
}

/// The same; what is due is due from this moment on.
pub fn run_from(started: Instant, sources: &mut [Source], phase: Phase<'_>) -> Outcome {
    let count = u32::try_from(sources.len()).expect("producers are counted in u32");
    thread::scope(|scope| {
        let start = |source| scope.spawn(move || Run::new(source, count, phase, started).run());
        let threads: Vec<_> = sources.iter_mut().map(start).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        outcomes.reduce(Outcome::and).expect("there is at least one producer")
    })
}

impl Source {
    pub fn open(config: &Config, topic: &str, number: u32) -> Result<Source, Error> {
        let producer = Producer::open(config, topic)?;
        let (bell, rope) = UnixStream::pair().map_err(Error::System)?;
        bell.set_nonblocking(true).map_err(Error::System)?;
        rope.set_nonblocking(true).map_err(Error::System)?;
        producer.wake(rope.into());
        Ok(Source { producer, number, sent: 0, bell })
    }

    /// How many records this producer was given, warm-up included.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Waits until reports are there or the time is over, exact to the kernel's timers: the
    /// queue's own wait counts in milliseconds.
    fn listen(&mut self, time: Duration) {
        let time = time.min(GLANCE);
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
        // An interrupted wait is a short one.
        let _ = poll(&mut [PollFd::new(&self.bell, PollFlags::IN)], Some(&time));
        while matches!(self.bell.read(&mut [0; 64]), Ok(1..)) {}
    }
}

impl Outcome {
    pub fn begun(started: Instant) -> Outcome {
        Outcome { records: 0, bytes: 0, started, ended: started, failed: Vec::new(), why: None }
    }

    /// The window from the first send to the last report.
    pub fn window(&self) -> Window {
        let time = self.ended.saturating_duration_since(self.started);
        Window { records: self.records, bytes: self.bytes, time }
    }

    pub fn and(mut self, other: Outcome) -> Outcome {
        self.failed.extend(other.failed);
        Outcome {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
            started: self.started.min(other.started),
            ended: self.ended.max(other.ended),
            failed: self.failed,
            why: self.why.or(other.why),
        }
    }
}

/// One producer's way through a phase.
struct Run<'a> {
    source: &'a mut Source,
    phase: Phase<'a>,
    schedule: Schedule,
    flights: Flights,
    /// When, how large and after how long; on its way to what all producers share.
    arrived: Vec<(Duration, u64, Duration)>,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(source: &'a mut Source, sources: u32, phase: Phase<'a>, started: Instant) -> Run<'a> {
        let schedule = Schedule::new(phase.pace, source.number, sources, phase.extent);
        let flights = Flights { first: source.sent, row: VecDeque::new() };
        let outcome = Outcome::begun(started);
        Run { source, phase, schedule, flights, arrived: Vec::new(), outcome }
    }

    fn run(mut self) -> Outcome {
        super::wake_on_time();
        while !self.is_given_up() {
            match self.schedule.step(self.outcome.records, self.outcome.started.elapsed()) {
                Step::Over => break,
                Step::Wait(time) => self.source.listen(time),
                Step::Send { .. } => self.send_due(),
            }
            self.take_reports(Duration::ZERO);
        }
        self.submit();
        while 0 < self.source.producer.in_flight() {
            self.take_reports(GLANCE);
        }
        self.outcome
    }

    /// A record that failed makes the figures void, and a stop makes them unwanted.
    fn is_given_up(&self) -> bool {
        !self.outcome.failed.is_empty() || self.phase.watch.is_stopped()
    }

    /// Sends what is due by now, up to a block.
    fn send_due(&mut self) {
        let (block, parts) = self.write_due();
        let hold = self.source.producer.hold(block.clone());
        let mut now = self.outcome.started.elapsed();
        for part in &parts {
            let Step::Send { counted_from } = self.schedule.step(self.outcome.records, now) else {
                break;
            };
            self.flights.depart(counted_from);
            if self.send(hold, &part.outgoing(&block)) == Departure::Late {
                now = self.outcome.started.elapsed();
            }
            self.outcome.bytes += part.bytes();
        }
        self.source.producer.release(hold);
        self.submit();
    }

    /// The records that are due by now, one after the other in a block.
    fn write_due(&self) -> (Bytes, Vec<Part>) {
        let (payloads, source) = (self.phase.payloads, &*self.source);
        let now = self.outcome.started.elapsed();
        let bytes_max = payloads.record_bytes_max();
        let ahead_max = (BLOCK_BYTES / bytes_max).max(1) as u64;
        let is_due = |ahead: &u64| {
            let step = self.schedule.step(self.outcome.records + ahead, now);
            matches!(step, Step::Send { .. })
        };
        let count = (0..ahead_max).take_while(is_due).count();
        let mut block = Vec::with_capacity(count * bytes_max);
        let marks = (source.sent..).map(|sequence| Mark { producer: source.number, sequence });
        let parts = marks.take(count).map(|mark| Part::write(payloads, mark, &mut block)).collect();
        (Bytes::from(block), parts)
    }

    /// Sends one record; where there is no room, it waits for some.
    fn send(&mut self, hold: Hold, outgoing: &Outgoing<'_>) -> Departure {
        let token = self.source.sent;
        let mut departure = Departure::AtOnce;
        while self.source.producer.send(hold, token, outgoing).is_err() {
            departure = Departure::Late;
            self.take_reports(GLANCE);
        }
        self.source.sent += 1;
        self.outcome.records += 1;
        departure
    }

    fn submit(&mut self) {
        while self.source.producer.submit().is_err() {
            self.take_reports(GLANCE);
        }
    }

    fn take_reports(&mut self, wait: Duration) {
        let Run { source, phase, flights, arrived, outcome, .. } = self;
        if phase.watch.is_stopped() {
            source.producer.purge();
        }
        let number = source.number;
        let count = source.producer.reports(wait, |report| {
            let counted_from = flights.arrive(report.token);
            let mark = Mark { producer: number, sequence: report.token };
            outcome.ended = report.at;
            match report.result {
                Ok(_) if phase.noted == Noted::Nothing => {}
                Ok(_) => {
                    let at = report.at.saturating_duration_since(outcome.started);
                    let bytes = phase.payloads.record_bytes(mark);
                    arrived.push((at, bytes, at.saturating_sub(counted_from)));
                }
                Err(refusal) => {
                    outcome.failed.push(mark);
                    outcome.why.get_or_insert(refusal.why);
                }
            }
        });
        if !arrived.is_empty() {
            let mut recorded = phase.watch.recorded();
            for (at, bytes, latency) in arrived.drain(..) {
                recorded.note(at, bytes, latency);
            }
        }
        phase.watch.advance(count as u64);
    }
}

/// Whether a record left when it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Departure {
    AtOnce,
    Late,
}

/// Where one record lies in a block: key, then value.
struct Part {
    start: usize,
    value: usize,
    end: usize,
}

impl Part {
    fn write(payloads: &Payloads, mark: Mark, block: &mut Vec<u8>) -> Part {
        let start = block.len();
        block.extend_from_slice(payloads.key(mark).unwrap_or_default());
        let value = block.len();
        payloads.write_value(mark, block);
        Part { start, value, end: block.len() }
    }

    /// A run either has keys, none of them empty, or none.
    fn outgoing<'a>(&self, block: &'a [u8]) -> Outgoing<'a> {
        let key = (self.start < self.value).then(|| &block[self.start..self.value]);
        let value = Some(&block[self.value..self.end]);
        Outgoing { record: Record { key, value, headers: &[] }, partition: None, timestamp: None }
    }

    fn bytes(&self) -> u64 {
        (self.end - self.start) as u64
    }
}

/// The records on their way, each with the moment that its latency counts from.
struct Flights {
    /// The sequence of the first in the row.
    first: u64,
    row: VecDeque<Option<Duration>>,
}

impl Flights {
    fn depart(&mut self, counted_from: Duration) {
        self.row.push_back(Some(counted_from));
    }

    /// Reports come in any order over partitions; what has arrived at the front is forgotten.
    fn arrive(&mut self, sequence: u64) -> Duration {
        let flight = &mut self.row[(sequence - self.first) as usize];
        let counted_from = flight.take().expect("each record is reported once");
        while self.row.front().is_some_and(Option::is_none) {
            self.row.pop_front();
            self.first += 1;
        }
        counted_from
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::payload::{Shape, read_value};

    #[test]
    fn a_block_holds_the_records_whole() {
        let payloads = Payloads::random(Shape { record_size: 40, keys: Some(9), seed: 1 });
        let marks = [4, 5].map(|sequence| Mark { producer: 0, sequence });
        let mut block = Vec::new();
        let parts = marks.map(|mark| Part::write(&payloads, mark, &mut block));
        for (part, mark) in parts.iter().zip(marks) {
            let record = part.outgoing(&block).record;
            assert_eq!(record.key, payloads.key(mark));
            assert_eq!(read_value(record.value.unwrap()), Some(mark));
        }
        assert!(block.len() <= 2 * payloads.record_bytes_max());
    }

    #[test]
    fn reports_come_in_any_order() {
        let ms = Duration::from_millis;
        let mut flights = Flights { first: 10, row: VecDeque::new() };
        (0..4).for_each(|n| flights.depart(ms(n)));
        assert_eq!(flights.arrive(11), ms(1));
        assert_eq!(flights.row.len(), 4);
        assert_eq!(flights.arrive(10), ms(0));
        assert_eq!((flights.first, flights.row.len()), (12, 2));
        assert_eq!(flights.arrive(13), ms(3));
        assert_eq!(flights.arrive(12), ms(2));
        assert_eq!((flights.first, flights.row.len()), (14, 0));
    }
}
