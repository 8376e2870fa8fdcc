//! `kaw backup DIR [TOPIC…]`: a consistent copy of topics, their settings and groups' offsets.
//! Never knows: how a backup's files lie, or how a broker is asked.

mod copy;
mod cut;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::admin::{compile, connect};
use super::crew::work;
use super::interrupt::Interrupt;
use super::progress::{Ahead, Done, Progress};
use super::stdio::{print, tell};
use super::topic::is_internal;
use super::undecided;
use super::{Exit, Global, Usage, note};
use crate::backup::{Manifest, Store, Topic};
use crate::client::Error;
use crate::client::admin::HeldBack;
use crate::client::nearest::similar;
use crate::quantity::{counted, show_bytes, show_count};
use copy::copy;
use cut::Cut;

/// Copy topics to a directory, with their settings and what groups have read; again: what is new
///
/// A backup follows its topics: what retention, compaction or `kaw topic trim` removed from them
/// leaves it with the next run, and a topic that was deleted stays. To keep more, name another
/// directory now and then. A run checks what it extends, and not all that is there: let `kaw log
/// verify DIR` follow it, in a cron job too. Where the cluster's log is damaged, a partition is
/// saved up to there, all others whole, and the exit code is 1.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the backup is, or will be
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    pub topics: Chosen,
    /// Leave out what groups have committed
    #[arg(long)]
    no_groups: bool,
    /// Print a summary as one JSON object
    #[arg(short = 'J', long)]
    json: bool,
}

/// Topics by name or by pattern; all where neither is given.
#[derive(clap::Args, Debug)]
pub struct Chosen {
    /// Only these topics
    #[arg(value_name = "TOPIC")]
    names: Vec<String>,
    /// Only topics whose names match
    #[arg(short, long, value_name = "REGEX", conflicts_with = "names")]
    regex: Option<String>,
}

impl Chosen {
    /// Those that are meant among all that there are; `none` says what it means to mean nothing.
    pub fn among<'a>(
        &self,
        all: impl Iterator<Item = &'a str> + Clone,
        none: impl Fn(Missing) -> anyhow::Error,
    ) -> anyhow::Result<Vec<String>> {
        if let Some(name) = self.names.iter().find(|name| is_internal(name)) {
            let why = "is the brokers' own; what groups have committed is kept beside the topics";
            return Err(Usage(format!("topic '{name}' {why}")).into());
        }
        for name in &self.names {
            if !all.clone().any(|other| other == name) {
                let (name, similar) = (name.clone(), similar(name, all));
                return Err(none(Missing::Name { name, similar }));
            }
        }
        let pattern = self.regex.as_deref().map(compile).transpose()?;
        let is_meant = |name: &&str| match &pattern {
            Some(pattern) => pattern.is_match(name),
            None => self.names.is_empty() || self.names.iter().any(|own| own == name),
        };
        let meant = all.filter(is_meant).filter(|name| !is_internal(name));
        let meant: Vec<_> = meant.map(ToOwned::to_owned).collect();
        match (&self.regex, meant.is_empty()) {
            (Some(pattern), true) => Err(none(Missing::Pattern(pattern.clone()))),
            (None, true) => Err(none(Missing::All)),
            _ => Ok(meant),
        }
    }
}

/// What there is not.
pub enum Missing {
    /// A topic of this name, but perhaps one of a similar name.
    Name { name: String, similar: String },
    /// One that matches.
    Pattern(String),
    /// Any topic.
    All,
}

fn missing(what: Missing) -> anyhow::Error {
    match what {
        Missing::Name { name, similar } => Error::NoTopic { name, similar }.into(),
        Missing::Pattern(pattern) => Error::NoMatch { pattern }.into(),
        Missing::All => anyhow::anyhow!("there are no topics to copy"),
    }
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    // What was typed is checked before anything is asked.
    args.topics.regex.as_deref().map(compile).transpose()?;
    let interrupt = Interrupt::watch()?;
    let (store, before) = Store::to_write(&args.dir)?;
    let connected = connect(global)?;
    let topics = connected.admin.topics()?;
    let names = args.topics.among(topics.iter().map(|topic| topic.name.as_str()), missing)?;
    let topics: Vec<_> = topics.into_iter().filter(|it| names.contains(&it.name)).collect();
    let raw = connected.raw(names.clone())?;
    let is_first = before.is_none();
    let mut manifest = before.unwrap_or_default();
    let cut = Cut::take(&connected.admin, &raw, &topics, !args.no_groups, &manifest)?;
    store.begin((!is_first).then_some(&manifest))?;
    let mut progress = Progress::new(global, true, Ahead::Unknown);
    progress.turn_to("copying", Ahead::Records(cut.ahead()));
    let jobs = cut.jobs(&manifest);
    let one = |line: &mut _, job, tally: &_| copy(&store, line, job, tally);
    let (partitions, done) = work(jobs, || raw.line(), one, (&mut progress, &interrupt))?;
    drop(progress);
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    cut.check_topics_stayed(&raw)?;
    cut.put(partitions.into_iter().flatten().collect(), &mut manifest);
    store.publish(&manifest)?;
    store.sweep(&manifest)?;
    let unread = tell_unread(&args.dir, &manifest, &names);
    let held_back = tell_held_back(&manifest, &names);
    report(global, args, &manifest, Told { new: done, unread, held_back })?;
    Ok(if unread == 0 { Exit::Done } else { Exit::Refused })
}

/// Names the partitions that end before the cluster's log did, and counts them.
fn tell_unread(dir: &Path, manifest: &Manifest, names: &[String]) -> usize {
    let mut count = 0;
    for name in names {
        for (number, end, why) in manifest.topics.get(name).into_iter().flat_map(Topic::unread) {
            count += 1;
            tell(&format!(
                "{name}-{number} is in {} only up to offset {end}, where the cluster's log is \
                 damaged ({why}); `kaw log verify` of the broker's data directory names the file, \
                 and `kaw log repair` takes the damage out of it, after which this command goes on",
                dir.display(),
            ));
        }
    }
    count
}

/// Names the partitions of which an open transaction keeps a part out, and counts that part.
fn tell_held_back(manifest: &Manifest, names: &[String]) -> i64 {
    let mut held_back = Vec::new();
    for name in names {
        let own = manifest.topics.get(name).into_iter().flat_map(Topic::held_back);
        held_back.extend(own.map(|(partition, from, until)| HeldBack {
            topic: name.clone(),
            partition,
            from,
            until,
        }));
    }
    let then = "they are not in the backup: run it again when that has ended";
    undecided::lines(&held_back, then).iter().for_each(|line| tell(line));
    held_back.iter().map(|it| it.until.get() - it.from.get()).sum()
}

/// What a run did, and what it could not.
struct Told {
    new: Done,
    unread: usize,
    held_back: i64,
}

fn report(global: &Global, args: &Args, manifest: &Manifest, told: Told) -> anyhow::Result<()> {
    let Told { new, unread, held_back } = told;
    let topics = manifest.topics.len();
    let partitions: usize = manifest.topics.values().map(|topic| topic.partitions.len()).sum();
    let bytes: u64 = manifest.topics.values().map(Topic::bytes).sum();
    let groups = manifest.groups.len();
    if args.json {
        let line = json!({
            "topics": topics,
            "partitions": partitions,
            "groups": groups,
            "bytes": bytes,
            "new_records": new.records,
            "new_bytes": new.bytes,
            "damaged_partitions": unread,
            "held_back_offsets": held_back,
        });
        print(&format!("{line}\n"))?;
    }
    note(
        global,
        &format!(
            "{} has {}, {}, {} and {}; new: {}, {}",
            args.dir.display(),
            counted(topics as i64, "topic"),
            counted(partitions as i64, "partition"),
            counted(groups as i64, "group"),
            show_bytes(bytes),
            records(new.records),
            show_bytes(new.bytes),
        ),
    );
    Ok(())
}

/// Few are counted, of many it is about how many.
pub fn records(count: u64) -> String {
    match i64::try_from(count) {
        Ok(few @ ..1000) => counted(few, "record"),
        _ => format!("{} records", show_count(count as f64)),
    }
}
