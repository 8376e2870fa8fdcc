//! What a run says of a backup that has not all, or more than the cluster has now.

use std::path::Path;

use anyhow::bail;

use super::copy::{Copied, News};
use crate::backup::{Gaps, Manifest, Partition, Topic, Unread};
use crate::client::admin::HeldBack;
use crate::command::stdio::tell as say;
use crate::command::{Exit, Global, note, undecided};
use crate::quantity::counted;

/// Of more partitions it is only told how many they are.
const LINES_MAX: usize = 5;

/// What a run could not save, and what the cluster has not.
pub struct Told {
    pub unread: usize,
    pub missing: i64,
    pub held_back: i64,
    is_news: bool,
}

impl Told {
    /// What an earlier run found missing is not to fail all later ones.
    pub fn exit(&self) -> Exit {
        if self.unread == 0 && !self.is_news { Exit::Done } else { Exit::Refused }
    }
}

/// A run that nobody answered makes no backup, and changes none.
pub fn fail_without_any(copied: &[Copied]) -> anyhow::Result<()> {
    let why = |it: &Copied| match &it.partition.unread {
        Some(Unread::Refused(why)) => Some(format!("{}: {why}", it.name())),
        _ => None,
    };
    let all: Option<Vec<_>> = copied.iter().map(why).collect();
    match all.as_deref() {
        None | Some([]) => Ok(()),
        Some([why]) => bail!("nothing was saved: {why}"),
        Some([why, others @ ..]) => {
            let others = counted(others.len() as i64, "other partition");
            bail!("nothing was saved: {why}; nor is any of {others} served")
        }
    }
}

/// Says what the topics of these names have not in the backup, and what only that has.
pub fn tell(
    global: &Global,
    dir: &Path,
    manifest: &Manifest,
    names: &[String],
    news: Vec<News>,
) -> Told {
    let topics = || names.iter().filter_map(|name| Some((name, manifest.topics.get(name)?)));
    let all = topics().flat_map(|(name, it)| it.numbered().map(move |(id, it)| (name, id, it)));
    let all: Vec<_> = all.map(|(name, id, it)| (format!("{name}-{id}"), it)).collect();
    let unread: Vec<_> = all.iter().filter_map(|(of, it)| unread(dir, of, it)).collect();
    few(&unread, dir);
    let is_new = |of: &str| news.iter().any(|it| it.of == of && !it.missing.is_empty());
    let missing = all.iter().filter(|(_, it)| !it.missing.is_empty());
    let missing: Vec<_> = missing.map(|(of, it)| missing_line(dir, of, it, is_new(of))).collect();
    few(&missing, dir);
    once(global, dir, &news);
    let held_back = held_back(topics());
    let then = "they are not in the backup: run it again when that has ended";
    undecided::lines(&held_back, then).iter().for_each(|line| say(line));
    Told {
        unread: unread.len(),
        missing: all.iter().map(|(_, it)| it.missing.offsets()).sum(),
        held_back: held_back.iter().map(|it| it.until.get() - it.from.get()).sum(),
        is_news: news.iter().any(|it| !it.missing.is_empty()),
    }
}

fn few(lines: &[String], dir: &Path) {
    lines.iter().take(LINES_MAX).for_each(|line| say(line));
    if LINES_MAX < lines.len() {
        let more = counted((lines.len() - LINES_MAX) as i64, "partition");
        say(&format!("the same of {more} more; `kaw log verify {}` names each", dir.display()));
    }
}

/// Why a partition is not in the backup as far as the cluster's log goes.
fn unread(dir: &Path, of: &str, partition: &Partition) -> Option<String> {
    let (dir, end) = (dir.display(), partition.end);
    let is_in = match partition.segments.is_empty() {
        true => format!("{of} is not in {dir}"),
        false => format!("{of} is in {dir} only up to offset {end}"),
    };
    Some(match partition.unread.as_ref()? {
        Unread::Damaged(why) => format!(
            "{of} is in {dir} only up to offset {end}, where the cluster's log is damaged ({why}); \
             `kaw log verify` of the broker's data directory names the file, and `kaw log repair` \
             takes the damage out of it, after which this command goes on"
        ),
        Unread::Refused(why) => {
            format!("{is_in} ({why}); run this command again when that is mended")
        }
        Unread::Lost(at) => format!(
            "the cluster lost records of {of} that {dir} has (up to {end}, there up to {at}): they \
             stay there, and nothing new of it is saved; name another directory for that"
        ),
    })
}

fn missing_line(dir: &Path, of: &str, partition: &Partition, is_new: bool) -> String {
    let missing = &partition.missing;
    match is_new {
        true => format!(
            "{of}: the cluster's log lacks {missing} in its middle, and the topic is not \
             compacted: was it once, or did the log lose a segment? `kaw log verify` of the \
             broker's data directory tells; all that is there is saved"
        ),
        false => format!(
            "{of}: {} lacks {missing}: an earlier run found the cluster's log without",
            dir.display()
        ),
    }
}

/// What is no error, in a line each for all partitions.
fn once(global: &Global, dir: &Path, news: &[News]) {
    const WHY: &str = "retention, `kaw topic trim` or damage took them";
    let dir = dir.display();
    if let Some(gone) = named(news, |it| &it.gone) {
        let line = format!("the cluster no longer has {gone} ({WHY})");
        note(global, &format!("{line}; {dir} keeps it all until a run with --prune"));
    }
    if let Some(dropped) = named(news, |it| &it.dropped) {
        note(global, &format!("{dir} drops what the cluster no longer has: {dropped} ({WHY})"));
    }
    if let Some(skipped) = named(news, |it| &it.skipped) {
        let then = "run it more often to save all";
        say(&format!("not saved, as gone before this run: {skipped} ({WHY}); {then}"));
    }
}

/// What groups had committed that the cluster no longer says.
pub fn kept_groups(global: &Global, dir: &Path, kept: &[String]) {
    let Some((first, others)) = kept.split_first() else { return };
    let of = match others.len() {
        0 => format!("group '{first}'"),
        more => format!("group '{first}' and {}", counted(more as i64, "other group")),
    };
    let dir = dir.display();
    note(
        global,
        &format!(
            "the cluster no longer has what {of} committed (deleted, expired or lost); {dir} keeps \
             it until a run with --prune"
        ),
    );
}

/// `offsets 0 to 499 of t-0`, and of how many others.
fn named(news: &[News], gaps: impl Fn(&News) -> &Gaps) -> Option<String> {
    let mut some = news.iter().filter(|it| !gaps(it).is_empty());
    let first = some.next()?;
    let named = format!("{} of {}", gaps(first), first.of);
    Some(match some.count() {
        0 => named,
        others => format!("{named} and some of {}", counted(others as i64, "other partition")),
    })
}

/// The part of each partition that an open transaction keeps out.
fn held_back<'a>(topics: impl Iterator<Item = (&'a String, &'a Topic)>) -> Vec<HeldBack> {
    let of = |(name, topic): (&String, &Topic)| {
        let own = topic.held_back().map(|(partition, from, until)| {
            let topic = name.clone();
            HeldBack { topic, partition, from, until }
        });
        own.collect::<Vec<_>>()
    };
    topics.flat_map(of).collect()
}
