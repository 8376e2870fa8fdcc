//! `kaw backup DIR [TOPIC…]`: a consistent copy of topics, their settings and groups' offsets.
//! Never knows: how a backup's files lie, or how a broker is asked.

mod copy;
mod cut;
mod told;

use std::path::PathBuf;

use serde_json::json;

use super::admin::{compile, connect};
use super::crew::work;
use super::interrupt::Interrupt;
use super::progress::{Ahead, Done, Progress};
use super::stdio::print;
use super::topic::is_internal;
use super::{Exit, Global, Usage, note};
use crate::backup::{Manifest, Store, Topic};
use crate::client::Error;
use crate::client::nearest::similar;
use crate::quantity::{counted, show_bytes, show_count};
use copy::{Copied, copy};
use cut::Cut;
use told::Told;

/// Copy topics to a directory, with their settings and what groups have read; again: what is new
///
/// A further run takes nothing away: what retention, `kaw topic trim` or damage has taken from a
/// topic since stays in the backup and is restored with the rest, until a run with --prune; a topic
/// that was deleted stays. A run checks what it extends, and not all that is there: let `kaw log
/// verify DIR` follow it, in a cron job too.
///
/// What cannot be saved is named, and the exit code is 1: a partition whose log is damaged is saved
/// up to there, one that no broker gives stays as it was, and each further run tries again. Offsets
/// that are missing in the middle of a log which is not compacted are named by the run that finds
/// them. A topic that is compacted is to be saved more often than its delete.retention.ms, else
/// what was deleted meanwhile is back after a restore.
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
    /// Drop what the topics no longer have, such as what retention took
    #[arg(long)]
    prune: bool,
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
    let (copied, done) = work(jobs, || raw.line(), one, (&mut progress, &interrupt))?;
    drop(progress);
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    cut.check_topics_stayed(&raw)?;
    let mut copied: Vec<_> = copied.into_iter().flatten().collect();
    told::fail_without_any(&copied)?;
    if args.prune {
        copied.iter_mut().for_each(Copied::prune);
    }
    let (partitions, news) = copied.into_iter().map(Copied::split).unzip();
    let kept = cut.put(partitions, &mut manifest, args.prune);
    store.publish(&manifest)?;
    store.sweep(&manifest)?;
    let told = told::tell(global, &args.dir, &manifest, &names, news);
    told::kept_groups(global, &args.dir, &kept);
    report(global, args, &manifest, (done, &told))?;
    Ok(told.exit())
}

fn report(
    global: &Global,
    args: &Args,
    manifest: &Manifest,
    (new, told): (Done, &Told),
) -> anyhow::Result<()> {
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
            "damaged_partitions": told.unread,
            "missing_offsets": told.missing,
            "held_back_offsets": told.held_back,
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
