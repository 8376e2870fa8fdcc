//! Records on their way to stdout, until there is nothing more to read or somebody says stop.

mod silence;

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::interrupt::Interrupt;
use super::super::progress::{Done, Progress};
use super::super::stdio::{ClosedStdout, Stdout, stdout_failed};
use super::super::undecided;
use super::super::{Exit, admin};
use super::goal::{End, Goal, Tally};
use super::held_up::HeldUp;
use super::quiet::{Act, Quiet};
use super::stuck::Stuck;
use super::{end_of, matching};
use crate::client::admin::Probe;
use crate::client::consume::{Gauge, Received, Source};
use crate::client::span::AtEnd;
use crate::embedded::Lease;
use crate::output::{Fate, Printer};
use crate::quantity::show_bytes;

/// While nothing comes, time is looked at this often.
const TICK: Duration = Duration::from_millis(250);
/// After so long a silence a person may want to know what is waited for.
const SILENCE: Duration = Duration::from_secs(1);
/// New topics are looked for this often.
const LOOK: Duration = Duration::from_secs(2);

pub struct Reading {
    source: Box<dyn Source>,
    printer: Printer<Stdout>,
    needs_headers: bool,
    /// Where it is printed how far partitions reach.
    gauge: Option<Gauge>,
    goal: Goal,
    tally: Tally,
    /// Records at which an expression failed.
    failed: u64,
    /// Something could not be read to its end.
    is_missed: bool,
    interrupt: Interrupt,
    quiet: Quiet,
    probe: Option<Probe>,
    /// When something came, or it was looked whether all is still there.
    checked: Instant,
    /// New topics of these names are read too; when they were looked for last.
    watched: Option<(Regex, Instant)>,
    brokers: String,
    tell: fn(&str),
    progress: Option<Progress>,
    /// Whether a person sees what is said.
    is_watched: bool,
    /// Whether it is still to be said that more is waited for.
    is_hinting: bool,
    held_up: HeldUp,
    stuck: Stuck,
    printed: Done,
    /// Keeps the built-in broker, where it is that one.
    lease: Option<Lease>,
}

impl Reading {
    pub fn new(
        source: Box<dyn Source>,
        printer: Printer<Stdout>,
        goal: Goal,
        at_end: AtEnd,
        interrupt: Interrupt,
    ) -> Reading {
        let now = Instant::now();
        Reading {
            source,
            needs_headers: printer.needs_headers(),
            gauge: None,
            printer,
            goal,
            tally: Tally { came: 0, began: now, last: now },
            failed: 0,
            is_missed: false,
            interrupt,
            quiet: Quiet::new(now, at_end),
            probe: None,
            checked: now,
            watched: None,
            brokers: String::new(),
            tell: |_| {},
            progress: None,
            is_watched: false,
            is_hinting: false,
            held_up: HeldUp::new(now, admin::now()),
            stuck: Stuck::new(now),
            printed: Done::default(),
            lease: None,
        }
    }

    /// Who is told of trouble, and with which brokers; what keeps them.
    pub fn told_to(&mut self, tell: fn(&str), brokers: String, lease: Option<Lease>) {
        (self.tell, self.brokers, self.lease) = (tell, brokers, lease);
    }

    /// How far partitions reach is printed, as this says it.
    pub fn gauged_by(&mut self, gauge: Gauge) {
        self.gauge = Some(gauge);
    }

    /// Where it shows how far it is.
    pub fn shown_in(&mut self, progress: Progress) {
        self.progress = Some(progress).filter(Progress::is_wanted);
    }

    /// By a person, who is told how it ends: also how to end it, where that is not clear.
    pub fn watched(&mut self) {
        self.is_watched = true;
        let is_endless = self.goal == Goal::default();
        self.is_hinting = is_endless && io::stdout().is_terminal();
    }

    /// New topics of these names are read too.
    pub fn watch_for(&mut self, pattern: Regex) {
        self.watched = Some((pattern, Instant::now()));
    }

    pub fn run(mut self) -> anyhow::Result<Exit> {
        let result = self.read_all();
        // What was read before an error is printed before it. What was printed is committed, also
        // where the rest could not be.
        let printed = self.flush();
        let closed = printed.and(self.source.close().map_err(anyhow::Error::from));
        let is_told = self.is_watched || self.progress.take().is_some();
        let exit = self.account(result?);
        closed?;
        if let (Exit::Signalled(_), true) = (exit, is_told) {
            let Done { records, bytes } = self.printed;
            (self.tell)(&format!("interrupted after {records} records, {}", show_bytes(bytes)));
        }
        Ok(exit)
    }

    /// Says how many records an expression failed at; they may be those that were looked for, as
    /// what could not be read may be.
    fn account(&self, exit: Exit) -> Exit {
        if 0 < self.failed {
            let failed = self.failed;
            (self.tell)(&format!(
                "the expression failed at {failed} records, which were left out; ? after a path is \
                 silent"
            ));
        }
        match exit {
            Exit::Done if 0 < self.failed || self.is_missed => Exit::Refused,
            other => other,
        }
    }

    fn read_all(&mut self) -> anyhow::Result<Exit> {
        loop {
            if let Some(exit) = self.interrupt.exit() {
                return Ok(exit);
            }
            if let Some(end) = self.end() {
                if self.is_idle() && self.goes_on_late()? {
                    continue;
                }
                // Said after what it is about.
                self.flush()?;
                self.tell_held_back();
                return Ok(end_of(end));
            }
            if let Some(progress) = &mut self.progress {
                progress.show(self.printed);
            }
            if self.read()? {
                self.quiet.moved(Instant::now());
                self.checked = Instant::now();
                self.probe = None;
                continue;
            }
            self.flush()?;
            self.wait()?;
            if let Some(error) = self.lease.as_ref().and_then(Lease::broken) {
                return Err(error.into());
            }
            self.look_for_topics()?;
            self.look_around()?;
        }
    }

    /// Whether it is over.
    fn end(&self) -> Option<End> {
        let came = self.tally.came;
        self.goal
            .at_count(came)
            .or_else(|| self.source.is_done().then(|| self.goal.at_end(came)))
            .or_else(|| self.goal.at_time(Instant::now(), &self.tally))
    }

    /// Whether it is over for the silence alone.
    fn is_idle(&self) -> bool {
        let at_time = self.goal.at_time(Instant::now(), &self.tally);
        let is_met = self.goal.at_count(self.tally.came).is_some() || self.source.is_done();
        !is_met && at_time.is_some_and(|end| !matches!(end, End::OutOfTime { .. }))
    }

    /// Prints what is there; whether anything came.
    fn read(&mut self) -> anyhow::Result<bool> {
        let Reading { printer, gauge, goal, tally, failed, tell, needs_headers, printed, .. } =
            self;
        let before = tally.came;
        let mut result = Ok(());
        let is_shown = self.progress.is_some() || self.is_watched;
        let came = self.source.read(&mut |received| {
            match print(printer, received, *needs_headers, gauge.as_mut()) {
                Ok(Fate::Printed) => {
                    tally.came += 1;
                    if is_shown {
                        printed.add(size(received));
                    }
                }
                Ok(Fate::LeftOut) => {}
                Ok(Fate::Failed(why)) => {
                    if *failed == 0 {
                        let record = received.delivered(&[]);
                        let place = format!("{}-{}", record.topic, record.partition);
                        tell(&format!("{place}: offset {}: {why}", record.offset));
                    }
                    *failed += 1;
                }
                Err(error) => result = Err(error),
            }
            match result.is_err() || goal.at_count(tally.came).is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if before < tally.came {
            tally.last = Instant::now();
        }
        result?;
        let came = came?;
        if self.source.waits_for_printing() {
            self.flush()?;
        }
        Ok(came)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.printer.flush().map_err(stdout_failed)?;
        Ok(self.source.printed()?)
    }

    /// Waits for records, a signal, the end of whoever reads stdout, or a tick.
    fn wait(&self) -> anyhow::Result<()> {
        let wake = self.interrupt.wake();
        let stdout = io::stdout();
        // A closed reader is reported without being asked for (poll(2)).
        let mut fds = [PollFd::new(wake, PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
        let wait = TICK.min(self.source.wait_max());
        let wait = wait.min(self.goal.wait(Instant::now(), &self.tally));
        let wait = Timespec::try_from(wait).expect("a tick fits");
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        wake.clear();
        match fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            true => Err(ClosedStdout.into()),
            false => Ok(()),
        }
    }

    /// Says what else there is, where the end that was reached is that of what is decided.
    fn tell_held_back(&self) {
        if !self.source.is_done() {
            return;
        }
        // A broker that does not answer any more is of no interest to who has read all.
        let held_back = self.source.held_back().unwrap_or_default();
        let lines = undecided::lines(&held_back, "--isolation uncommitted reads them");
        lines.iter().for_each(|line| (self.tell)(line));
    }

    fn look_for_topics(&mut self) -> anyhow::Result<()> {
        let Some((pattern, last)) = &mut self.watched else { return Ok(()) };
        if last.elapsed() < LOOK {
            return Ok(());
        }
        *last = Instant::now();
        // A broker that is away is told of by those who wait for records.
        match matching(pattern, self.source.admin()) {
            Ok(topics) if !topics.is_empty() => {
                self.source.want(&topics)?;
                self.source.wake(self.interrupt.wake().writer()?)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// What a record holds, names of headers aside.
fn size(received: &Received<'_>) -> u64 {
    let record = received.delivered(&[]).record;
    let size = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len() as u64);
    size(record.key) + size(record.value)
}

fn print(
    printer: &mut Printer<Stdout>,
    received: &Received<'_>,
    needs_headers: bool,
    gauge: Option<&mut Gauge>,
) -> anyhow::Result<Fate> {
    let mut headers = Vec::new();
    if needs_headers {
        received.headers(&mut headers);
    }
    let mut record = received.delivered(&headers);
    if let Some(gauge) = gauge {
        let (topic, partition, offset) = (record.topic, record.partition, record.offset);
        record.watermarks = Some(gauge.watermarks(topic, partition, offset)?);
    }
    printer.print(&record).map_err(stdout_failed)
}
