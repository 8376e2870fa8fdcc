//! What is known of a partition while it is checked, over all of its segments.

use std::io;
use std::path::{Path, PathBuf};

use super::beside::Small;
use super::unfinished::Unfinished;
use super::{Condition, Expected, Verified};
use crate::log::epochs::Epoch;
use crate::log::inspect::{Entry, Findings, Name, Producing, Thing, producers, read_small};
use crate::log::producers::Producers;
use crate::log::{EPOCHS, METADATA, Settings, missing};
use crate::record::{BatchView, LeaderEpoch, Offset, Timestamp};

/// More producers than these are not compared with snapshots: memory is bounded.
const PRODUCERS_MAX: usize = 1 << 18;

pub(super) struct Pass<'a> {
    pub dir: &'a Path,
    pub expected: &'a Expected,
    small: Small,
    pub unfinished: Unfinished,
    /// The last one comes first in the log.
    snapshots: Vec<(Offset, PathBuf)>,
    pub verified: Verified,
    /// Where the batches so far end.
    pub end: Option<Offset>,
    first: Option<Offset>,
    /// From here on the batches tell what producers wrote: behind damage, and behind a batch that
    /// covers what was lost.
    told_from: Option<Offset>,
    /// `None`: there are too many to remember.
    pub producers: Option<Producers>,
    settings: Settings,
    last_epoch: Option<LeaderEpoch>,
    /// The last disagreement about epochs, so that it is told once.
    odd_epoch: Option<(LeaderEpoch, Option<LeaderEpoch>)>,
    /// A segment was not read: nobody knows where the log ends.
    is_unread: bool,
}

impl<'a> Pass<'a> {
    pub fn new(
        dir: &'a Path,
        expected: &'a Expected,
        small: Small,
        unfinished: Unfinished,
        findings: Findings,
    ) -> Self {
        Pass {
            dir,
            expected,
            small,
            unfinished,
            snapshots: Vec::new(),
            verified: Verified { findings, ..Verified::default() },
            end: None,
            first: None,
            told_from: None,
            producers: Some(Producers::default()),
            settings: Settings {
                producers_max: usize::MAX,
                producer_expiry_ms: i64::MAX,
                ..Settings::default()
            },
            last_epoch: None,
            odd_epoch: None,
            is_unread: false,
        }
    }

    pub fn findings(&mut self) -> &mut Findings {
        &mut self.verified.findings
    }

    pub fn is_clean(&self) -> bool {
        self.expected.condition == Condition::Clean
    }

    pub fn is_live(&self) -> bool {
        self.expected.condition == Condition::Live
    }

    /// Names that are not what they should be, or that nobody knows.
    pub fn stock(&mut self, entries: &[Entry]) {
        // Where a log begins behind a segment, that is to go.
        let began = self.small.began(self.expected.log_start);
        let has_log = |base: Offset| {
            let is_log = |entry: &Entry| Name::parse(&entry.name) == Name::Log(base);
            entries.iter().any(is_log)
        };
        for entry in entries {
            let path = self.dir.join(&entry.name);
            let name = Name::parse(&entry.name);
            let findings = &mut self.verified.findings;
            match (name, entry.thing) {
                (Name::LeftOver, _) if entry.name.ends_with(".swap") => {
                    findings.note(&path, "of a compaction; a broker's start puts it in place");
                }
                (Name::LeftOver, _) => {
                    findings.note(&path, "left over; a broker's start clears it away");
                }
                (Name::SetAside, _) => {
                    findings.note(&path, "damage that was taken out of the log");
                }
                (Name::Other, _) => findings.note(&path, "no file of a log"),
                (_, Thing::Directory) => findings.damage(&path, "is a directory, not a file"),
                (_, Thing::Link) => {
                    findings.damage(&path, "is a symbolic link, which is not followed");
                }
                (_, Thing::Special) => findings.damage(&path, "is no regular file"),
                (
                    Name::OffsetIndex(base) | Name::TimeIndex(base) | Name::TransactionIndex(base),
                    Thing::File { .. },
                ) if !has_log(base) => match self.expected.condition {
                    // It came or went while the directory was read.
                    Condition::Live => {}
                    _ if self.unfinished.is_going(base) || Some(base) < began => {
                        let what = "of a segment that went; a broker's start clears it away";
                        findings.note(&path, what);
                    }
                    _ => findings.damage(&path, "there is no .log that it belongs to"),
                },
                (Name::Snapshot(offset), Thing::File { .. }) => {
                    self.snapshots.insert(0, (offset, path));
                }
                (_, Thing::File { .. }) => {}
            }
        }
    }

    /// What was gone before the first segment, where a kill does not explain it, and what a broker
    /// has missed.
    pub fn check_begin(&mut self, first: Option<Offset>) {
        let is_certain = match self.expected.condition {
            Condition::Clean => true,
            Condition::Unclean => self.expected.is_ours && self.small.own_start.is_some(),
            Condition::Live => false,
        };
        let began = self.small.began(self.expected.log_start).filter(|_| is_certain);
        let first = first.map(|first| self.unfinished.first().unwrap_or(first).min(first));
        if let (Some(began), Some(first)) = (began, first)
            && began < first
        {
            let last = first.get() - 1;
            let what =
                format!("offsets {began} to {last} are missing; the first segment is {first}");
            let path = self.dir.join(EPOCHS);
            self.findings().damage_off(&path, began, what);
        }
        let path = self.dir.join(missing::NAME);
        for (from, to) in std::mem::take(&mut self.small.missing) {
            let what = format!("a broker found that offsets {from} to {} are gone", to.get() - 1);
            self.findings().damage(&path, what);
        }
    }

    /// A batch that is good by itself: does it fit what is known?
    pub fn note(&mut self, path: &Path, position: u32, batch: &BatchView<'_>, marker: Option<i32>) {
        self.first.get_or_insert(batch.base_offset());
        self.compare_snapshots(batch.base_offset());
        self.told_from.get_or_insert(batch.base_offset());
        self.check_epoch(path, position, batch);
        if let Some(producers) = &mut self.producers {
            producers.observe(batch, marker, Timestamp(0), &self.settings);
            if PRODUCERS_MAX < producers.len() {
                self.producers = None;
            }
        }
        self.verified.batches += 1;
        self.verified.records += u64::try_from(batch.count()).unwrap_or(0);
        self.end = Some(batch.next_offset());
        if batch.count() == 0 {
            self.lose();
        }
    }

    /// What the batches tell of producers has a hole here.
    pub fn lose(&mut self) {
        self.told_from = None;
    }

    /// A segment could not be read: whatever is in it, nothing else can be held against it.
    pub fn forget(&mut self) {
        self.lose();
        self.producers = self.producers.take().map(|_| Producers::default());
        self.is_unread = true;
    }

    /// Up to where all was durable, as far as other files know.
    pub fn durable(&self) -> Option<Offset> {
        self.expected.recovery_point.max(self.small.own_end)
    }

    fn check_epoch(&mut self, path: &Path, position: u32, batch: &BatchView<'_>) {
        let (epoch, offset) = (batch.leader_epoch(), batch.base_offset());
        let goes_back = self.last_epoch.filter(|&last| epoch < last);
        self.last_epoch = self.last_epoch.max(Some(epoch));
        let is_high = self.expected.leader_epoch.filter(|&max| max < epoch && !self.is_live());
        let told = self.small.epochs.as_deref().map(|epochs| epoch_at(epochs, batch.last_offset()));
        let newest = self.small.epochs.as_ref().and_then(|epochs| epochs.last());
        let may_lag = !self.is_clean() && newest.is_none_or(|newest| newest.epoch < epoch);
        // Apache Kafka's start goes back where it was killed before it was written down, and the
        // epochs that were cut there do not.
        let began = self.small.began(self.expected.log_start);
        let is_before = began.is_some_and(|began| offset < began);
        let begins_within = self.is_clean()
            && !self.expected.compacted
            && !is_before
            && self.small.begins_in(offset.plus(1), batch.next_offset());
        let differs = told.filter(|&told| told != Some(epoch) && !may_lag && !is_before);
        let what = match (goes_back, is_high) {
            (Some(last), _) => format!("leader epoch {epoch} comes behind {last}"),
            (None, Some(max)) => format!("leader epoch {epoch}, and the catalogue is at {max}"),
            (None, None) => {
                let file = self.dir.join(EPOCHS);
                if begins_within {
                    let what = "an epoch begins in the middle of the batch there";
                    self.findings().damage_off(&file, offset, what);
                } else if let Some(told) = differs.filter(|&told| {
                    // Told once for all batches of the epoch.
                    self.odd_epoch.replace((epoch, told)) != Some((epoch, told))
                }) {
                    let told = told.map_or("no epoch".to_owned(), |told| format!("epoch {told}"));
                    let what = format!("{told}, where the batch at byte {position} has {epoch}");
                    self.findings().damage_off(&file, offset, what);
                }
                return;
            }
        };
        self.findings().damage_of(path, position.into(), offset, what);
    }

    /// Compares the snapshots up to here with the batches up to here.
    fn compare_snapshots(&mut self, reached: Offset) {
        while let Some((offset, path)) = self.snapshots.pop_if(|(next, _)| *next <= reached) {
            self.compare(offset, &path);
        }
    }

    fn compare(&mut self, offset: Offset, path: &Path) {
        let snapshot = match read_small(path) {
            // Removed meanwhile, as those of older segments are.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.findings().unread(path, &error),
            Ok(bytes) => producers(&bytes),
        };
        match snapshot {
            Err((byte, what)) => self.findings().damage_at(path, byte, what),
            // What compaction took out, the batches no longer tell.
            Ok(_) if self.expected.compacted => {}
            Ok(told) => told.iter().enumerate().for_each(|(at, told)| {
                let byte = Producing::HEAD_BYTES + at as u64 * Producing::BYTES;
                if let Some(what) = self.disagreement(offset, told) {
                    self.findings().damage_at(path, byte, what);
                }
            }),
        }
    }

    /// What a snapshot of `offset` says of a producer and the batches do not.
    fn disagreement(&self, offset: Offset, told: &Producing) -> Option<String> {
        let (producers, first) = (self.producers.as_ref()?, self.told_from.unwrap_or(offset));
        if let Some((_, last)) = told.last.filter(|&(_, last)| offset <= last) {
            return Some(format!("producer {} wrote offset {last}, behind the snapshot", told.id));
        }
        let last = told.last.filter(|(_, offset)| first <= *offset)?;
        let seen = producers.get(told.id).and_then(|state| state.sent.last());
        let seen = seen.map(|sent| (sent.last_sequence, sent.last_offset));
        (seen != Some(last)).then(|| {
            let seen = seen.map_or("nothing".to_owned(), |(sequence, offset)| {
                format!("sequence {sequence} at offset {offset}")
            });
            let (id, (sequence, offset)) = (told.id, last);
            format!(
                "producer {id} wrote sequence {sequence} at offset {offset} last, and in the log \
                 it is {seen}"
            )
        })
    }

    /// What can be said only when all was read.
    pub fn finish(mut self, entries: &[Entry], first: Option<Offset>) -> Verified {
        // One segment that is empty tells where the log is, all the same.
        let end = self.end.or(first.max(self.expected.log_start)).unwrap_or(Offset::ZERO);
        let is_empty = first.is_none();
        self.compare_snapshots(end);
        self.verified.span = self.end.map(|end| (self.first.unwrap_or(end), end));
        let metadata = entries.iter().any(|entry| entry.name == METADATA);
        if !is_empty && !metadata && self.expected.topic_id.is_some() {
            let what = "is missing; Apache Kafka would take the topic for a deleted one";
            let path = self.dir.join(METADATA);
            self.findings().damage(&path, what);
        }
        let epochs = entries.iter().any(|entry| entry.name == EPOCHS);
        if !is_empty && metadata && !epochs && self.is_clean() {
            let path = self.dir.join(EPOCHS);
            self.findings().damage(&path, "is missing");
        }
        if !self.is_live() && !self.is_unread {
            self.check_end(end);
            self.note_open_transactions();
        }
        for (offset, path) in std::mem::take(&mut self.snapshots) {
            self.compare(offset, &path);
            if self.is_clean() && !self.is_unread {
                let what = format!("it is of offset {offset}, and the log ends at {end}");
                self.findings().damage(&path, what);
            }
        }
        self.verified
    }

    fn note_open_transactions(&mut self) {
        let states = self.producers.iter().flat_map(Producers::states);
        let mut open: Vec<_> = states.filter_map(|(id, it)| Some((it.transaction?, id))).collect();
        open.sort();
        let dir = self.dir;
        for (first, id) in open {
            let what =
                format!("producer {id} has not ended its transaction from offset {first} on");
            let then = "who reads what was committed stops there; a start of kaw's broker ends it";
            self.findings().note(dir, format!("{what}: {then}"));
        }
    }

    /// What other files say that the log has reached.
    fn check_end(&mut self, end: Offset) {
        // The high watermark runs ahead of the disk until a clean stop.
        let watermark = self.expected.high_watermark.filter(|_| self.is_clean());
        let point = self.expected.recovery_point;
        let reached = [
            ("recovery-point-offset-checkpoint", point),
            ("replication-offset-checkpoint", watermark),
            ("kaw-checkpoint", self.small.own_end),
        ];
        let dir = self.dir;
        for (file, reached) in reached {
            if let Some(reached) = reached.filter(|&reached| end < reached) {
                let what = format!("the log ends at {end}, but reached {reached} says {file}");
                self.findings().damage(dir, what);
            }
        }
        if let Some(point) = point.filter(|&point| self.is_clean() && point < end) {
            let what = format!("the log ends at {end}, but was closed at {point}");
            self.findings().damage(dir, what);
        }
    }
}

fn epoch_at(epochs: &[Epoch], offset: Offset) -> Option<LeaderEpoch> {
    let after = epochs.partition_point(|entry| entry.start <= offset);
    after.checked_sub(1).map(|at| epochs[at].epoch)
}
