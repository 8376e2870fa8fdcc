//! `kaw consume TOPIC…`: records of topics to stdout.

mod look;

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::interrupt::Interrupt;
use super::stdio::{ClosedStdout, Stdout, stdout_failed, tell};
use super::{Exit, Global, Usage, cluster};
use crate::client::admin::{Patience, Probe};
use crate::client::consume::{Consumer, Received, Wanted};
use crate::client::span::{AtEnd, Place, Span};
use crate::client::{Config, cause};
use crate::embedded::Lease;
use crate::output::{Fate, Printer};
use crate::record::{PartitionId, Timestamp};
use look::Look;

/// Read topics to stdout, from the beginning, and follow them
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Topics to read
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Stop at the end, as it was when the command started
    #[arg(short = 'e', long = "exit")]
    pub stop_at_end: bool,
    /// Stop after this many records
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub count: Option<u64>,
    /// Only these partitions
    #[arg(short, long, value_name = "N,…", value_delimiter = ',', allow_negative_numbers = true)]
    pub partitions: Vec<u16>,
    /// Where to start, or what to read: start, end, N, +N (after the start), -N (before the end),
    /// N..M, ..end, @TIME, @TIME..TIME, stored
    ///
    /// A TIME is RFC 3339, a date (both UTC unless they say otherwise), seconds or milliseconds
    /// since 1970, or a duration back from now such as -1h. kcat's s@MS and e@MS and rpk's ranges
    /// with a colon are read too.
    #[arg(short, long, value_name = "SPEC", allow_hyphen_values = true)]
    pub offset: Vec<String>,
    #[command(flatten)]
    pub look: Look,
}

/// Below the end, this long without a record is taken for the end.
const SILENCE: Duration = Duration::from_secs(1);
/// Trouble that lasts this long is told.
const TROUBLE: Duration = Duration::from_secs(2);
/// While nothing comes, time is looked at this often.
const TICK: Duration = Duration::from_millis(250);
/// How long a broker may hold back an empty answer where only what is there already is wanted.
const FETCH_WAIT_MS: &str = "10";

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let view = args.look.view()?;
    let span = args.span(now())?;
    let mut cluster = cluster::connect(global)?;
    let is_built_in = cluster.lease.is_some();
    prepare(&mut cluster.config, &span, is_built_in)?;
    let tell: fn(&str) = if global.quiet { |_| {} } else { tell };
    let patience = Patience { max: cluster.connect_timeout, tell };
    let mut consumer = Consumer::open(&cluster.config, patience)?;
    let partitions: Vec<_> = args.partitions.iter().map(|&id| PartitionId(id.into())).collect();
    consumer.begin(&Wanted { topics: &args.topics, partitions: &partitions, span })?;
    let interrupt = Interrupt::watch()?;
    consumer.wake(interrupt.wake().writer()?);
    let stdout = Stdout::open()?;
    let mut reading = Reading {
        quiet: Quiet::new(Instant::now(), span.at_end),
        brokers: cluster.config.brokers().to_owned(),
        needs_headers: view.needs_headers(),
        printer: match args.look.unbuffered {
            true => Printer::unbuffered(view, stdout),
            false => Printer::buffered(view, stdout),
        },
        failed: 0,
        left: args.count,
        probe: None,
        consumer,
        interrupt,
        tell,
        lease: cluster.lease,
    };
    let result = reading.run();
    // What was read before an error is printed before it.
    let flushed = reading.printer.flush().map_err(stdout_failed);
    let exit = reading.account(result?);
    flushed.map(|()| exit)
}

impl Args {
    fn span(&self, now: Timestamp) -> anyhow::Result<Span> {
        let span = Span::parse(&self.offset, now).map_err(|why| Usage(format!("-o: {why}")))?;
        Ok(if self.stop_at_end { span.stopping_at_end() } else { span })
    }
}

/// Fits the configuration to what is read.
fn prepare(config: &mut Config, span: &Span, is_built_in: bool) -> anyhow::Result<()> {
    match span.from {
        Place::Stored if config.get("group.id").is_none_or(str::is_empty) => {
            let why = "-o stored needs the group that has stored: pass -X group.id=NAME";
            return Err(Usage(why.to_owned()).into());
        }
        // It would be asked for the group's coordinator until the time is up.
        Place::Stored if is_built_in => {
            let why = "-o stored: the built-in broker has no groups; pass -o OFFSET, or -b for a \
                       cluster";
            return Err(Usage(why.to_owned()).into());
        }
        Place::Stored => {}
        // A group that a configuration file happens to name would only be looked for.
        _ => config.remove(|key| key == "group.id"),
    }
    if span.at_end == AtEnd::Stop {
        config.set_default("fetch.wait.max.ms", FETCH_WAIT_MS)?;
    }
    Ok(())
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// Records on their way to stdout.
struct Reading {
    consumer: Consumer,
    printer: Printer<Stdout>,
    needs_headers: bool,
    /// Records at which an expression failed.
    failed: u64,
    /// How many records are still wanted, where they are counted.
    left: Option<u64>,
    interrupt: Interrupt,
    quiet: Quiet,
    probe: Option<Probe>,
    brokers: String,
    tell: fn(&str),
    /// Keeps the built-in broker, where it is that one.
    lease: Option<Lease>,
}

impl Reading {
    fn run(&mut self) -> anyhow::Result<Exit> {
        loop {
            if let Some(exit) = self.interrupt.exit() {
                return Ok(exit);
            }
            if self.left == Some(0) || self.consumer.is_done() {
                return Ok(Exit::Done);
            }
            if self.read()? {
                self.quiet.moved(Instant::now());
                self.probe = None;
                continue;
            }
            self.printer.flush().map_err(stdout_failed)?;
            self.wait()?;
            if let Some(error) = self.lease.as_ref().and_then(Lease::broken) {
                return Err(error.into());
            }
            self.take_answer();
            if let Some(act) =
                self.quiet.act(Instant::now(), || self.consumer.complaint().is_some())
            {
                self.act(act);
            }
        }
    }

    /// Prints what is there; whether anything was.
    fn read(&mut self) -> anyhow::Result<bool> {
        let Reading { printer, left, failed, tell, needs_headers, .. } = self;
        let mut result = Ok(());
        let came = self.consumer.poll(Duration::ZERO, |received| {
            match print(printer, received, *needs_headers) {
                Ok(Fate::Printed) => {
                    if let Some(left) = left {
                        *left -= 1;
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
            match result.is_err() || *left == Some(0) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        result.map_err(stdout_failed)?;
        Ok(came?)
    }

    /// Says how many records an expression failed at; they may be those that were looked for.
    fn account(&self, exit: Exit) -> Exit {
        if self.failed == 0 {
            return exit;
        }
        (self.tell)(&format!(
            "the expression failed at {} records, which were left out; ? after a path is silent",
            self.failed
        ));
        match exit {
            Exit::Done => Exit::Refused,
            other => other,
        }
    }

    /// Waits for records, a signal, the end of whoever reads stdout, or a tick.
    fn wait(&self) -> anyhow::Result<()> {
        let wake = self.interrupt.wake();
        let stdout = io::stdout();
        // A closed reader is reported without being asked for (poll(2)).
        let mut fds = [PollFd::new(wake, PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
        let tick = Timespec::try_from(TICK).expect("a tick fits");
        match poll(&mut fds, Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        wake.clear();
        match fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            true => Err(ClosedStdout.into()),
            false => Ok(()),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Probe => {
                self.probe = Some(self.consumer.probe());
                self.quiet.asked(Instant::now());
            }
            Act::Tell => {
                self.quiet.told();
                let complaint = self.consumer.complaint();
                let why = complaint.map_or("no answer".to_owned(), |c| cause(&c.text));
                (self.tell)(&format!("{}: {why}; waiting for it to come back", self.brokers));
            }
            Act::GiveUp => {
                for place in self.consumer.give_up() {
                    (self.tell)(&format!("{place}: nothing came below its end; taken as the end"));
                }
            }
        }
    }

    /// Looks whether the brokers that were asked have answered.
    fn take_answer(&mut self) {
        let Some(answers) = self.probe.as_ref().and_then(Probe::is_answered) else { return };
        self.probe = None;
        if answers {
            self.consumer.forgive();
        }
        self.quiet.answered(Instant::now(), answers);
    }
}

fn print(
    printer: &mut Printer<Stdout>,
    received: &Received<'_>,
    needs_headers: bool,
) -> io::Result<Fate> {
    if !needs_headers {
        return printer.print(&received.delivered(&[]));
    }
    let mut headers = Vec::new();
    received.headers(&mut headers);
    printer.print(&received.delivered(&headers))
}

/// What is done about a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Ask the brokers whether they are there.
    Probe,
    /// Say what is wrong.
    Tell,
    /// Take it for the end.
    GiveUp,
}

/// Decides what a silence means. Without trouble a topic that is followed may be silent for ever;
/// one that is read to its end may not be, unless the broker is away: that it is not must have
/// been seen for as long as the silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quiet {
    at_end: AtEnd,
    /// The last time that anything came.
    since: Instant,
    /// When the brokers were asked, while they have not answered.
    asked: Option<Instant>,
    answer: Option<Answer>,
    told: bool,
}

/// What came of asking the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// They answered every time that they were asked.
    There {
        first: Instant,
        last: Instant,
    },
    Failed {
        at: Instant,
    },
}

impl Quiet {
    fn new(now: Instant, at_end: AtEnd) -> Quiet {
        Quiet { at_end, since: now, asked: None, answer: None, told: false }
    }

    fn moved(&mut self, now: Instant) {
        *self = Quiet::new(now, self.at_end);
    }

    fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    fn told(&mut self) {
        self.told = true;
    }

    fn answered(&mut self, now: Instant, answers: bool) {
        self.asked = None;
        self.answer = Some(match (answers, self.answer) {
            (true, Some(Answer::There { first, .. })) => Answer::There { first, last: now },
            (true, _) => Answer::There { first: now, last: now },
            (false, _) => Answer::Failed { at: now },
        });
        self.told &= !answers;
    }

    /// What is to be done now. `trouble` says whether a broker was complained about.
    fn act(&self, now: Instant, trouble: impl Fn() -> bool) -> Option<Act> {
        let past = |since: Instant, time: Duration| time <= now.saturating_duration_since(since);
        let failed = matches!(self.answer, Some(Answer::Failed { .. }));
        let away = failed || self.asked.is_some_and(|asked| past(asked, SILENCE));
        if away && !self.told && past(self.since, TROUBLE) {
            return Some(Act::Tell);
        }
        if self.asked.is_some() {
            return None;
        }
        let last = match self.answer {
            Some(Answer::There { first, last }) => {
                if self.at_end == AtEnd::Stop && first + SILENCE / 2 <= last {
                    return Some(Act::GiveUp);
                }
                last
            }
            Some(Answer::Failed { at }) => at,
            None => self.since,
        };
        let in_doubt = failed || self.at_end == AtEnd::Stop || trouble();
        (past(last, SILENCE / 2) && in_doubt).then_some(Act::Probe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a silence in steps of a quarter of a second: what is done at each, as a letter.
    /// `answers` says how the brokers answer the step after they are asked, if they do.
    fn played(at_end: AtEnd, trouble: bool, answers: &[Option<bool>]) -> String {
        let start = Instant::now();
        let mut quiet = Quiet::new(start, at_end);
        let mut acts = String::new();
        for (step, answer) in (1..).zip(answers) {
            let now = start + TICK * step;
            if let (Some(answer), Some(_)) = (answer, quiet.asked) {
                quiet.answered(now, *answer);
            }
            acts.push(match quiet.act(now, || trouble) {
                None => '.',
                Some(Act::Probe) => {
                    quiet.asked(now);
                    'p'
                }
                Some(Act::Tell) => {
                    quiet.told();
                    't'
                }
                Some(Act::GiveUp) => return acts + "g",
            });
        }
        acts
    }

    #[track_caller]
    fn check(at_end: AtEnd, trouble: bool, answer: Option<bool>, want: &str) {
        assert_eq!(played(at_end, trouble, &vec![answer; want.len()]), want);
    }

    #[test]
    fn a_topic_that_is_followed_may_be_silent() {
        check(AtEnd::Follow, false, Some(true), "............");
    }

    #[test]
    fn trouble_that_passed_is_not_told() {
        // The complaint is forgiven at the first answer, which the played brokers do not show.
        check(AtEnd::Follow, true, Some(true), ".p..p..p..p.");
    }

    #[test]
    fn trouble_that_lasts_is_told_once() {
        check(AtEnd::Follow, true, None, ".p.....t........");
        check(AtEnd::Stop, false, None, ".p.....t........");
        check(AtEnd::Follow, true, Some(false), ".p..p..tp..p..p.");
    }

    #[test]
    fn below_the_end_a_silence_is_the_end_only_while_the_brokers_answer() {
        check(AtEnd::Stop, false, Some(true), ".p..pg");
        let away = [vec![None; 6], vec![Some(true); 20]].concat();
        assert_eq!(played(AtEnd::Stop, false, &away), ".p......pg");
    }
}
