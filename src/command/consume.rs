//! `kaw consume TOPIC…`: records of topics to stdout.

mod goal;
mod held_up;
mod look;
mod partitions;
mod quiet;
mod reading;
mod stuck;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;
use regex::Regex;
use rustix::fs::FileType;

use super::admin::{compile, now};
use super::interrupt::Interrupt;
use super::progress::{Ahead, Progress};
use super::stdio::{Stdout, tell};
use super::topic::is_internal;
use super::{Exit, Global, Usage, cluster};
use crate::client::admin::{Admin, Patience};
use crate::client::consume::{Commits, Consumer, Gauge, GroupReader, Merge, Source, Tail, Wanted};
use crate::client::span::{AtEnd, Place, Span};
use crate::client::{self, Config};
use crate::output::Printer;
use crate::quantity;
use crate::record::Timestamp;
use goal::{End, Goal, Tally};
use look::Look;
use partitions::Partitions;
use reading::Reading;

const READ: &str = "What is read";
const ENDS: &str = "When it ends";
const GROUP: &str = "As a member of a group";

/// Read topics to stdout, from the beginning, and follow them
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Topics to read
    #[arg(required_unless_present = "regex", value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Topics whose names match, also those that come up later
    #[arg(short, long, value_name = "REGEX", conflicts_with = "topics")]
    #[arg(help_heading = READ)]
    pub regex: Option<String>,
    /// Wait for a topic that is not there yet, or for the first that matches -r
    #[arg(long)]
    #[arg(help_heading = READ)]
    pub wait: bool,
    /// Stop at the end, as it was when the command started
    #[arg(short = 'e', long = "exit")]
    #[arg(help_heading = ENDS)]
    pub stop_at_end: bool,
    /// Stop after this many records
    #[arg(short, long, value_name = "N")]
    #[arg(help_heading = ENDS)]
    pub count: Option<u64>,
    /// Stop after this long without a record
    #[arg(long, value_name = "TIME", value_parser = quantity::time)]
    #[arg(help_heading = ENDS)]
    pub idle: Option<Duration>,
    /// Expect exactly this many records, else exit with 3; without -e it ends at the last of them,
    /// with --idle only when no more follow
    #[arg(long, value_name = "N", conflicts_with = "count")]
    #[arg(help_heading = ENDS)]
    pub expect: Option<u64>,
    /// Exit with 124 when it takes longer
    #[arg(long, value_name = "TIME", value_parser = quantity::time)]
    #[arg(help_heading = ENDS)]
    pub within: Option<Duration>,
    /// Read as a member of this group: from where it has come to, and commit what was printed
    ///
    /// -o then only says where to begin without a commit. -X group.protocol=consumer uses Kafka's
    /// newer protocol (KIP-848).
    #[arg(short, long, value_name = "GROUP", conflicts_with_all = ["partitions", "tail", "merge"])]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = GROUP)]
    pub group: Option<String>,
    /// Commit nothing
    #[arg(long, requires = "group")]
    #[arg(help_heading = GROUP)]
    pub no_commit: bool,
    /// The last N records over all partitions, in the order of their times, and what follows
    #[arg(long, value_name = "N", conflicts_with_all = ["offset", "merge"])]
    #[arg(help_heading = READ)]
    pub tail: Option<usize>,
    /// Print records of all partitions in the order of their times
    #[arg(long)]
    #[arg(help_heading = READ)]
    pub merge: bool,
    /// Read records of open or aborted transactions too, or only those that are committed
    #[arg(long, value_name = "LEVEL")]
    #[arg(help_heading = READ)]
    pub isolation: Option<Isolation>,
    /// Only these partitions, such as 0,3 or 0-3
    #[arg(short, long, value_name = "N,…", value_delimiter = ',')]
    #[arg(help_heading = READ)]
    pub partitions: Vec<Partitions>,
    /// Where to start, or what to read: start, end, N, +N (after the start), -N (before the end),
    /// N..M, ..end, @TIME, @TIME..TIME, stored
    ///
    /// A TIME is RFC 3339, a date (both UTC unless they say otherwise), seconds or milliseconds
    /// since 1970, or a duration back from now such as -1h. kcat's s@MS and e@MS and rpk's ranges
    /// with a colon are read too.
    #[arg(short, long, value_name = "SPEC", allow_hyphen_values = true)]
    #[arg(help_heading = READ)]
    pub offset: Vec<String>,
    /// Where an offset of -o is gone, begin at the nearest that is there
    #[arg(long)]
    #[arg(help_heading = READ)]
    pub clamp: bool,
    #[command(flatten)]
    pub look: Look,
}

/// Which records there are, where there are transactions.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

/// How long a broker may hold back an empty answer where only what is there already is wanted.
const STOP_WAIT_MS: &str = "10";
/// The same where topics are followed: the first request may be for the first partitions alone,
/// and the others wait as long as it does.
const FOLLOW_WAIT_MS: &str = "100";
/// A topic that is waited for is asked for this often.
const WAIT: Duration = Duration::from_millis(100);

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let view = args.look.view()?;
    let span = args.span(now())?;
    let goal = args.goal(&span)?;
    let names = args.names()?;
    let mut cluster = cluster::connect(global)?;
    args.prepare(&mut cluster.config, &span)?;
    let tell: fn(&str) = if global.quiet { |_| {} } else { tell };
    let patience = Patience { max: cluster.connect_timeout, tell };
    let interrupt = Interrupt::watch()?;
    let began = Instant::now();
    let opening = Opening { args: &args, config: &cluster.config, patience, span };
    let mut is_waiting = false;
    let mut source = loop {
        match interrupt.at_once(|| opening.open(&names)) {
            Err(client::Error::NoTopic { .. } | client::Error::NoMatch { .. }) if args.wait => {}
            Err(client::Error::NoTopic { name, .. }) => {
                // Says which was probably meant.
                let admin = Admin::open(&cluster.config, patience)?;
                admin.topic(&name)?;
            }
            Err(client::Error::NoMatch { pattern }) => bail!(
                "no topic matches '{pattern}' yet; --wait waits for one, \
                 and `kaw topic list` shows all"
            ),
            source => break source?,
        }
        let tally = Tally { came: 0, began, last: began };
        if let Some(end) = goal.at_time(Instant::now(), &tally) {
            return Ok(end_of(end));
        }
        if !is_waiting && io::stderr().is_terminal() {
            tell("nothing of this name yet; waiting for it");
            is_waiting = true;
        }
        interrupt.pause(WAIT)?;
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
    };
    let gauge = view.needs_watermarks().then(|| Gauge::open(&cluster.config, patience));
    let gauge = gauge.transpose()?;
    let ahead = source.ahead();
    source.wake(interrupt.wake().writer()?)?;
    let stdout = Stdout::open()?;
    let printer = match args.look.unbuffered {
        true => Printer::unbuffered(view, stdout),
        false => Printer::buffered(view, stdout),
    };
    let brokers = cluster.config.brokers().to_owned();
    let mut reading = Reading::new(source, printer, goal, span.at_end, interrupt);
    reading.told_to(tell, brokers, cluster.lease);
    if let Some(gauge) = gauge {
        reading.gauged_by(gauge);
    }
    let ahead = goal.records().or(ahead).map_or(Ahead::Unknown, Ahead::Records);
    reading.shown_in(Progress::new(global, is_kept(&io::stdout()), ahead));
    if io::stderr().is_terminal() {
        reading.watched();
    }
    if let (Names::Matching(pattern), AtEnd::Follow) = (names, span.at_end) {
        reading.watch_for(pattern);
    }
    reading.run()
}

/// Whether stdout goes into a file: what a pipe leads to may write on the same terminal.
fn is_kept(stdout: &impl AsFd) -> bool {
    let Ok(stat) = rustix::fs::fstat(stdout) else { return false };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => true,
        // As /dev/null.
        FileType::CharacterDevice => !rustix::termios::isatty(stdout),
        _ => false,
    }
}

/// Says how it ended, where that is worth a word.
fn end_of(end: End) -> Exit {
    if end != End::Met {
        tell(&end.to_string());
    }
    end.exit()
}

/// Topics as they are wanted.
pub enum Names {
    These(Vec<String>),
    Matching(Regex),
}

impl Names {
    /// The names in this cluster; none is an error.
    fn find(&self, admin: &Admin) -> Result<Vec<String>, client::Error> {
        match self {
            Names::These(names) => Ok(names.clone()),
            Names::Matching(pattern) => match matching(pattern, admin)? {
                names if names.is_empty() => {
                    Err(client::Error::NoMatch { pattern: pattern.to_string() })
                }
                names => Ok(names),
            },
        }
    }
}

/// The topics of people that match.
fn matching(pattern: &Regex, admin: &Admin) -> Result<Vec<String>, client::Error> {
    let names = admin.topics()?.into_iter().map(|topic| topic.name);
    Ok(names.filter(|name| !is_internal(name) && pattern.is_match(name)).collect())
}

/// What a source is opened with.
struct Opening<'a> {
    args: &'a Args,
    config: &'a Config,
    patience: Patience,
    span: Span,
}

impl Opening<'_> {
    /// Opens what is to be read, and begins to read it.
    fn open(&self, names: &Names) -> Result<Box<dyn Source>, client::Error> {
        let Opening { args, config, patience, span } = *self;
        if args.group.is_some() {
            let commits = if args.no_commit { Commits::No } else { Commits::Yes };
            let reader = GroupReader::open(config, patience, span, commits)?;
            let topics = match names {
                Names::These(names) if !args.wait => names.clone(),
                names => {
                    reader.admin().reach()?;
                    let topics = names.find(reader.admin())?;
                    for topic in &topics {
                        reader.admin().topic(topic)?;
                    }
                    topics
                }
            };
            return Ok(Box::new(reader.join(&topics)?));
        }
        let partitions: Vec<_> = args.partitions.iter().flat_map(Partitions::ids).collect();
        let wanted = |topics| Wanted { topics, partitions: &partitions, span };
        if args.merge {
            let mut merge = Merge::open(config, patience)?;
            let topics = names.find(merge.admin())?;
            merge.begin(&wanted(&topics))?;
            return Ok(Box::new(merge));
        }
        let mut consumer = Consumer::open(config, patience)?;
        let topics = match names {
            Names::These(names) => names.clone(),
            names => {
                consumer.admin().reach()?;
                names.find(consumer.admin())?
            }
        };
        Ok(match args.tail {
            Some(count) => Box::new(Tail::begin(consumer, &wanted(&topics), count)?),
            None => {
                consumer.begin(&wanted(&topics))?;
                Box::new(consumer)
            }
        })
    }
}

impl Args {
    fn span(&self, now: Timestamp) -> anyhow::Result<Span> {
        let mut span = Span::parse(&self.offset, now).map_err(|why| Usage(format!("-o: {why}")))?;
        if self.group.is_some() && span.until.is_some() {
            let why = "-o: a group reads on for ever; with -g it says only where to begin";
            return Err(Usage(why.to_owned()).into());
        }
        if self.group.is_some() && span.from == Place::Stored {
            // That is what a group does.
            span.from = Place::Start;
        }
        if self.clamp {
            span = span.clamped();
        }
        Ok(if self.stop_at_end { span.stopping_at_end() } else { span })
    }

    fn goal(&self, span: &Span) -> Result<Goal, Usage> {
        let Args { count, expect, within, idle, .. } = *self;
        let has_end = span.at_end == AtEnd::Stop || span.until.is_some();
        if expect == Some(0) && !has_end && idle.is_none() {
            let why = "--expect 0 needs an end: pass -e or --idle TIME";
            return Err(Usage(why.to_owned()));
        }
        Ok(Goal { count, expect, has_end, within, idle })
    }

    fn names(&self) -> Result<Names, Usage> {
        Ok(match &self.regex {
            Some(pattern) => Names::Matching(compile(pattern)?),
            None => Names::These(self.topics.clone()),
        })
    }

    /// Fits the configuration to what is read.
    fn prepare(&self, config: &mut Config, span: &Span) -> anyhow::Result<()> {
        match (&self.group, span.from) {
            (Some(group), _) => config.set("group.id", group)?,
            (None, Place::Stored) if config.get("group.id").is_none_or(str::is_empty) => {
                let why = "-o stored needs the group that has stored: pass -X group.id=NAME";
                return Err(Usage(why.to_owned()).into());
            }
            (None, Place::Stored) => {}
            // A group that a configuration file happens to name would only be looked for.
            (None, _) => config.remove(|key| key == "group.id"),
        }
        if let Some(isolation) = self.isolation {
            let level = match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            };
            config.set("isolation.level", level)?;
        }
        let wait = if span.at_end == AtEnd::Stop { STOP_WAIT_MS } else { FOLLOW_WAIT_MS };
        Ok(config.set_default("fetch.wait.max.ms", wait)?)
    }
}
