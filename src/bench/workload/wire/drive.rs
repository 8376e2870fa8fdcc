//! Many lines at once, over a few threads, each of which sends when something is due and hears
//! when something comes.
//! Never knows: what is in a batch.

use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::cargo::Cargo;
use super::line::Line;
use crate::bench::payload::Mark;
use crate::bench::plan::{Extent, Pace};
use crate::bench::schedule::{Schedule, Step};
use crate::bench::workload::Watch;
use crate::bench::workload::produce::Outcome;
use crate::wire::Acks;

/// How long a wait may last before the watch is looked at again.
const GLANCE: Duration = Duration::from_millis(100);

/// After so long without any answer nobody waits for one any more.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What all lines do together. Pace and extent count batches.
#[derive(Clone, Copy)]
pub struct Phase<'a> {
    pub topic: &'a str,
    pub cargo: &'a Cargo,
    pub acks: Acks,
    pub in_flight: usize,
    pub pace: Pace,
    pub extent: Extent,
    pub watch: &'a Watch,
}

/// Runs a phase until the last answer.
pub fn run(lines: &mut [Line<'_>], phase: Phase<'_>) -> Outcome {
    let started = Instant::now();
    let count = u32::try_from(lines.len()).expect("lines are counted in u32");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let start = |lines| scope.spawn(move || Drive::new(lines, count, phase, started).run());
        let lines = lines.chunks_mut(count.div_ceil(threads as u32).max(1) as usize);
        let threads: Vec<_> = lines.map(start).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        outcomes.reduce(Outcome::and).expect("there is at least one line")
    })
}

/// What one thread heard so far.
pub struct Heard {
    outcome: Outcome,
    /// When and after how long; on its way to what all threads share.
    arrived: Vec<(Duration, Duration)>,
}

impl Heard {
    fn begun(started: Instant) -> Heard {
        Heard { outcome: Outcome::begun(started), arrived: Vec::new() }
    }

    pub fn elapsed(&self) -> Duration {
        self.outcome.started.elapsed()
    }

    /// A request was answered.
    pub fn note(&mut self, cargo: &Cargo, now: Duration, counted_from: Duration) {
        self.outcome.records += cargo.records;
        self.outcome.bytes += cargo.bytes;
        self.outcome.ended = self.outcome.started + now;
        self.arrived.push((now, now.saturating_sub(counted_from)));
    }

    /// These were not taken, or nobody knows.
    pub fn fail(&mut self, marks: impl IntoIterator<Item = Mark>, why: String) {
        self.outcome.failed.extend(marks);
        self.outcome.why.get_or_insert(why);
    }

    fn share(&mut self, phase: &Phase<'_>) {
        if self.arrived.is_empty() {
            return;
        }
        let Cargo { records, bytes, .. } = *phase.cargo;
        phase.watch.advance(self.arrived.len() as u64 * records);
        let mut recorded = phase.watch.recorded();
        for (at, latency) in self.arrived.drain(..) {
            recorded.note_batch(at, (records, bytes), latency);
        }
    }
}

/// The lines of one thread.
struct Drive<'p, 'l, 'a> {
    phase: Phase<'p>,
    courses: Vec<Course<'l, 'a>>,
    heard: Heard,
    heard_at: Instant,
}

/// A line on its way through the phase.
struct Course<'l, 'a> {
    line: &'l mut Line<'a>,
    schedule: Schedule,
    first: u64,
    asked: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Sending,
    /// All was asked.
    Over,
    Broken,
}

impl<'p, 'l, 'a> Drive<'p, 'l, 'a> {
    fn new(lines: &'l mut [Line<'a>], count: u32, phase: Phase<'p>, started: Instant) -> Self {
        let course = |line: &'l mut Line<'a>| {
            let number = line.route.seat.number;
            let schedule = Schedule::new(phase.pace, number, count, phase.extent);
            Course { schedule, first: line.sent(), asked: 0, state: State::Sending, line }
        };
        let courses = lines.iter_mut().map(course).collect();
        Drive { phase, courses, heard: Heard::begun(started), heard_at: started }
    }

    fn run(mut self) -> Outcome {
        super::super::wake_on_time();
        let mut ready = vec![PollFlags::empty(); self.courses.len()];
        loop {
            let wait = self.turn(&ready);
            self.heard.share(&self.phase);
            if self.is_done() || self.phase.watch.is_stopped() {
                return self.heard.outcome;
            }
            self.listen(wait, &mut ready);
            if SILENCE_MAX < self.heard_at.elapsed() {
                let why = format!("no answer in {} s", SILENCE_MAX.as_secs());
                self.courses.iter_mut().for_each(|course| course.end(&mut self.heard, &why));
            }
        }
    }

    /// Every line does what it can; how long until the next is due.
    fn turn(&mut self, ready: &[PollFlags]) -> Duration {
        let Drive { phase, courses, heard, .. } = self;
        let mut wait = GLANCE;
        for (course, &ready) in courses.iter_mut().zip(ready) {
            match course.turn(ready, phase, heard) {
                Ok(until) => wait = wait.min(until),
                Err(why) => course.end(heard, &why),
            }
        }
        wait
    }

    fn is_done(&self) -> bool {
        let is_failed = self.heard.outcome.why.is_some();
        self.courses.iter().all(|course| {
            let sends = course.state == State::Sending && !is_failed;
            !sends && course.line.under_way() == 0
        })
    }

    /// Waits until a line can go on.
    fn listen(&mut self, wait: Duration, ready: &mut [PollFlags]) {
        let mut polled: Vec<PollFd<'_>> = self.courses.iter().map(Course::polled).collect();
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.min(GLANCE).subsec_nanos()) };
        // An interrupted wait is a short one.
        let some = poll(&mut polled, Some(&wait)).is_ok_and(|count| 0 < count);
        let is_waiting = self.courses.iter().any(|course| 0 < course.line.under_way());
        if some || !is_waiting {
            self.heard_at = Instant::now();
        }
        ready.iter_mut().zip(&polled).for_each(|(ready, fd)| *ready = fd.revents());
    }
}

impl Course<'_, '_> {
    fn polled(&self) -> PollFd<'_> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.state != State::Broken);
        flags.set(PollFlags::OUT, self.state != State::Broken && self.line.has_unsent());
        PollFd::new(&*self.line, flags)
    }

    fn turn(
        &mut self,
        ready: PollFlags,
        phase: &Phase<'_>,
        heard: &mut Heard,
    ) -> Result<Duration, String> {
        if self.state == State::Broken {
            return Ok(GLANCE);
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.line.hear(phase, heard)?;
        }
        let before = self.asked;
        let wait = match heard.outcome.why {
            None => self.send_due(phase, heard)?,
            Some(_) => GLANCE,
        };
        if before < self.asked || ready.contains(PollFlags::OUT) {
            self.line.push(phase, heard)?;
        }
        Ok(wait)
    }

    /// Sends what is due, as much as may be under way; how long until the next is.
    fn send_due(&mut self, phase: &Phase<'_>, heard: &Heard) -> Result<Duration, String> {
        while self.line.under_way() < phase.in_flight {
            match self.schedule.step(self.asked, heard.elapsed()) {
                Step::Over => {
                    self.state = State::Over;
                    return Ok(GLANCE);
                }
                Step::Wait(time) => return Ok(time),
                Step::Send { counted_from } => {
                    self.line.ask(phase, self.first + self.asked, counted_from)?;
                    self.asked += 1;
                }
            }
        }
        Ok(GLANCE)
    }

    fn end(&mut self, heard: &mut Heard, why: &str) {
        self.state = State::Broken;
        self.line.give_up(heard, why.to_owned());
    }
}
