//! `kaw restore DIR [TOPIC…]`: what a backup has, into any cluster.
//! Never knows: how a backup's files lie, or how a broker is asked.

mod lacks;
mod settings;
mod target;
mod told;
mod write;

use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::json;

use super::admin::{Connected, connect, now, said};
use super::backup::{Chosen, Missing, records};
use super::crew::{Tally, work};
use super::interrupt::Interrupt;
use super::progress::{Ahead, Done, Progress};
use super::stdio::{print, tell};
use super::topic::setting;
use super::{Exit, Global, Usage, note};
use crate::backup::{Manifest, Segment, Store, Topic, verify};
use crate::client::admin::Refusal;
use crate::client::{Code, Error, is_topic_name, span};
use crate::quantity::{counted, show_bytes};
use crate::record::{PartitionId, Timestamp};
use settings::Settings;
use target::Target;

/// Restore topics from a backup, with their settings and what groups have read
///
/// Nothing is restored where one byte is not as it was written. A partition that the backup has
/// only up to damage in the log that it was taken of is told of, and the exit code is 1.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the backup is
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    topics: Chosen,
    /// What the topic is to be called; {} in it stands for the name that each topic had
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Only what is before the first record at or after this time, in each partition
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// On how many brokers each partition is to be [default: the cluster's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    replicas: Option<i32>,
    /// A setting in place of the one that the topics had
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    configs: Vec<String>,
    /// Leave out a setting that the topics had
    #[arg(long = "delete-config", value_name = "KEY")]
    unset: Vec<String>,
    /// Leave out what groups have committed
    #[arg(long)]
    no_groups: bool,
    /// Check every byte of the backup, and whether it could be restored
    #[arg(long)]
    dry_run: bool,
    /// Print a summary as one JSON object
    #[arg(short = 'J', long)]
    json: bool,
}

/// One topic of the backup and what becomes of it.
pub struct Wanted<'a> {
    pub topic: &'a Topic,
    pub name: String,
    pub target: String,
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let interrupt = Interrupt::watch()?;
    let until = match &args.until {
        Some(text) => {
            let text = text.strip_prefix('@').unwrap_or(text);
            let time = span::time(text, now());
            Some(time.map_err(|why| Usage(format!("--until: {why}")))?)
        }
        None => None,
    };
    let changed = args.configs.iter().map(|pair| setting(pair)).collect::<Result<Vec<_>, _>>()?;
    let settings = Settings { changed, unset: args.unset.clone(), replicas: args.replicas };
    let (store, manifest) = Store::to_read(&args.dir)?;
    let wanted = wanted(&args, &manifest)?;
    let mut progress = Progress::new(global, true, Ahead::Unknown);
    // Nothing is asked of the cluster before the last byte is known to be good.
    check(&store, &wanted, (&mut progress, &interrupt))?;
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    let restore = Restore { args: &args, store, manifest: &manifest, wanted, settings, until };
    restore.run(global, progress, &interrupt)
}

fn wanted<'a>(args: &Args, manifest: &'a Manifest) -> anyhow::Result<Vec<Wanted<'a>>> {
    let dir = args.dir.display();
    let missing = |what| match what {
        Missing::Name { name, similar } => anyhow!("{dir} has no topic '{name}'{similar}"),
        Missing::Pattern(pattern) => anyhow!("{dir} has no topic that matches '{pattern}'"),
        Missing::All => anyhow!("{dir} has no topics"),
    };
    let names = args.topics.among(manifest.topics.keys().map(String::as_str), missing)?;
    let wanted: Vec<_> = names
        .into_iter()
        .map(|name| {
            let target =
                args.name.as_ref().map_or_else(|| name.clone(), |to| to.replace("{}", &name));
            Wanted { topic: &manifest.topics[&name], name, target }
        })
        .collect();
    if let Some(wrong) = wanted.iter().find(|wanted| !is_topic_name(&wanted.target)) {
        return Err(Error::Topic { name: wrong.target.clone() }.into());
    }
    let is_set = |key: &&String| wanted.iter().any(|it| it.topic.configs.contains_key(*key));
    if let Some(key) = args.unset.iter().find(|key| !is_set(key)) {
        return Err(Usage(format!("--delete-config {key}: no topic here has that setting")).into());
    }
    match &args.name {
        Some(name) if 1 < wanted.len() && !name.contains("{}") => {
            let why = "is one name for several topics; write {} where the name of each goes";
            Err(Usage(format!("--as {name} {why}")).into())
        }
        _ => Ok(wanted),
    }
}

/// Compares every byte with its checksum.
fn check(
    store: &Store,
    wanted: &[Wanted<'_>],
    (progress, interrupt): (&mut Progress, &Interrupt),
) -> anyhow::Result<()> {
    let mut jobs: Vec<(PathBuf, &Segment)> = Vec::new();
    for Wanted { topic, name, .. } in wanted {
        for (number, partition) in (0..).zip(&topic.partitions) {
            let path = |segment: &Segment| store.segment(name, PartitionId(number), segment.base);
            jobs.extend(partition.segments.iter().map(|segment| (path(segment), segment)));
        }
    }
    let bytes = jobs.iter().map(|(_, segment)| segment.bytes).sum();
    progress.turn_to("checking", Ahead::Bytes(bytes));
    let one = |(): &mut (), (path, segment): (PathBuf, &Segment), tally: &Tally| {
        Ok(verify(&path, segment, |bytes| {
            tally.add(0, bytes);
            !tally.is_over()
        })?)
    };
    work(jobs, || (), one, (progress, interrupt)).map(|_| ())
}

struct Restore<'a> {
    args: &'a Args,
    store: Store,
    manifest: &'a Manifest,
    wanted: Vec<Wanted<'a>>,
    settings: Settings,
    until: Option<Timestamp>,
}

impl Restore<'_> {
    fn run(
        &self,
        global: &Global,
        mut progress: Progress,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Exit> {
        let connected = connect(global)?;
        let admin = &connected.admin;
        target::check_groups(admin, &self.groups())?;
        let targets = target::look(admin, &self.wanted)?;
        self.compare(&connected, &targets, (&mut progress, interrupt))?;
        self.settings.create(admin, &targets, self.args.dry_run)?;
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        if self.args.dry_run {
            return self.foretell(global);
        }
        let begun = self.settings.begin(admin, &targets)?;
        let raw = connected.raw(self.wanted.iter().map(|it| it.target.clone()).collect())?;
        let bytes = self.wanted.iter().map(|wanted| wanted.topic.bytes()).sum();
        progress.turn_to("restoring", Ahead::Bytes(bytes));
        let batch_bytes_max = begun.iter().map(|begun| begun.batch_bytes_max);
        let jobs = self.jobs(targets.iter().zip(batch_bytes_max));
        let one = |line: &mut _, job, tally: &_| write::write(&self.store, line, job, tally);
        let (written, done) = work(jobs, || raw.line(), one, (&mut progress, interrupt))?;
        drop(progress);
        if let Some(exit) = interrupt.exit() {
            tell("what is there now is not whole; the same command again goes on from there");
            return Ok(exit);
        }
        let written: Vec<_> = written.into_iter().flatten().collect();
        self.warn_of_retention(&written, &begun);
        self.settings.end(admin, &targets, &begun, |news| note(global, news))?;
        let groups = target::commit(admin, &targets, &self.groups(), &written)?;
        let bytes = written.iter().map(|written| written.bytes).sum();
        let was_there = bytes == 0 && targets.iter().all(|target| target.there.is_some());
        self.report(global, Done { bytes, ..done }, groups, was_there)
    }

    /// What is known of groups in the topics that are restored, by the names these get.
    fn groups(&self) -> Vec<target::Group> {
        if self.args.no_groups {
            return Vec::new();
        }
        target::groups(self.manifest, &self.wanted)
    }

    /// What is there already must be what an earlier command left that came to no end.
    fn compare(
        &self,
        connected: &Connected,
        targets: &[Target<'_>],
        watch: (&mut Progress, &Interrupt),
    ) -> anyhow::Result<()> {
        let there = |target: &Target<'_>| target.there.as_ref().map(|it| it.batch_bytes_max);
        let jobs = self.jobs(targets.iter().filter_map(|target| Some((target, there(target)?))));
        let jobs: Vec<_> = jobs.into_iter().filter(|job| !job.there.is_empty()).collect();
        let mut names: Vec<_> = jobs.iter().map(|job| job.target.to_owned()).collect();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        watch.0.turn_to("comparing", Ahead::Unknown);
        let raw = connected.raw(names)?;
        let one = |line: &mut _, mut job: write::Job<'_>, tally: &_| {
            let saved = self.manifest.topics.get(job.name).and_then(|topic| topic.id.clone());
            job.is_the_same = saved.is_some() && saved == raw.id(job.target);
            write::compare(&self.store, line, &job, tally)
        };
        let (lacking, _) = work(jobs, || raw.line(), one, watch)?;
        let lacking: Vec<_> = lacking.into_iter().flatten().collect();
        lacks::refuse(&self.args.dir, &lacking)
    }

    fn jobs<'a>(
        &'a self,
        targets: impl Iterator<Item = (&'a Target<'a>, usize)>,
    ) -> Vec<write::Job<'a>> {
        let groups = self.groups();
        let mut jobs = Vec::new();
        for (target, batch_bytes_max) in targets {
            for (number, partition) in (0..).zip(&target.wanted.topic.partitions) {
                let id = PartitionId(number);
                jobs.push(write::Job {
                    name: &target.wanted.name,
                    target: &target.wanted.target,
                    id,
                    partition,
                    there: target.edges(id),
                    is_the_same: false,
                    is_compacted: target.there.as_ref().is_some_and(|it| it.is_compacted),
                    until: self.until,
                    batch_bytes_max,
                    committed: target::committed(&groups, &target.wanted.target, id),
                });
            }
        }
        jobs
    }

    fn warn_of_retention(&self, written: &[write::Written], begun: &[settings::Begun]) {
        for (wanted, begun) in self.wanted.iter().zip(begun) {
            let own = written.iter().filter(|written| written.target == wanted.target);
            let oldest = own.filter_map(|written| written.oldest).min();
            let Some((oldest, retention_ms)) = oldest.zip(begun.retention_ms) else { continue };
            if retention_ms < now().get().saturating_sub(oldest.get()) {
                tell(&format!(
                    "'{}' has records that are older than its retention.ms={retention_ms}, which \
                     will remove them; -c retention.ms=-1 keeps them",
                    wanted.target
                ));
            }
        }
    }

    fn foretell(&self, global: &Global) -> anyhow::Result<Exit> {
        for wanted in &self.wanted {
            let count = wanted.topic.partitions.len();
            let (name, target) = (&wanted.name, &wanted.target);
            let what = if name == target { name.clone() } else { format!("{name} as {target}") };
            let bytes = show_bytes(wanted.topic.bytes());
            print(&format!("{what}: {}, {bytes}\n", counted(count as i64, "partition")))?;
        }
        note(global, "every byte is as it was written; nothing was restored (--dry-run)");
        Ok(told::tell(&self.args.dir, &self.wanted))
    }

    fn report(
        &self,
        global: &Global,
        done: Done,
        groups: usize,
        was_there: bool,
    ) -> anyhow::Result<Exit> {
        let topics = self.wanted.len();
        let partitions: usize = self.wanted.iter().map(|it| it.topic.partitions.len()).sum();
        if self.args.json {
            let line = json!({
                "topics": topics,
                "partitions": partitions,
                "groups": groups,
                "records": done.records,
                "bytes": done.bytes,
            });
            print(&format!("{line}\n"))?;
        }
        let done_with = if was_there { "was there already:" } else { "restored" };
        note(
            global,
            &format!(
                "{done_with} {}, {}, {}, {}, {}",
                counted(topics as i64, "topic"),
                counted(partitions as i64, "partition"),
                counted(groups as i64, "group"),
                records(done.records),
                show_bytes(done.bytes),
            ),
        );
        Ok(told::tell(&self.args.dir, &self.wanted))
    }
}

/// What a refusal of a target says, and what to do.
fn refused(target: &str, refusal: &Refusal) -> anyhow::Error {
    let remedy = match refusal.code {
        Code::INVALID_CONFIG => "; -c KEY=VALUE and --delete-config KEY change settings",
        _ => "",
    };
    anyhow!("cannot restore '{target}': {}{remedy}", said(refusal))
}
