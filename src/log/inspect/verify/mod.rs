//! Checks the files of one partition against each other, from end to end.
//!
//! What a log is made of is checked in its own file: `segment` walks the batches, with the two
//! indexes beside it (`index`) and that of aborted transactions (`aborted`); `records` reads what
//! is in a batch; `beside` has the small files. What a kill leaves is no damage: `torn` knows the
//! ends of such logs, and `unfinished` the names.

mod aborted;
mod beside;
mod index;
mod records;
mod segment;
mod state;
mod torn;
mod unfinished;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub(super) use aborted::aborted_in;
pub(super) use beside::epochs;
use unfinished::Unfinished;

use super::{Entry, Findings, Name, Thing, list};
use crate::record::{LeaderEpoch, Offset, Uuid};

/// In which state the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Condition {
    /// The last broker stopped cleanly: all files agree.
    Clean,
    /// It did not, or nobody knows: files may say less than the log has.
    #[default]
    Unclean,
    /// A broker writes to them now.
    Live,
}

/// What is known of a log from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    pub condition: Condition,
    /// Records may have been taken out (`cleanup.policy=compact`).
    pub compacted: bool,
    /// Every record is read too, decompressed where need be.
    pub records: bool,
    pub topic_id: Option<Uuid>,
    /// None that the log has is higher.
    pub leader_epoch: Option<LeaderEpoch>,
    pub log_start: Option<Offset>,
    /// Up to here all is durable. `None`: nobody knows.
    pub recovery_point: Option<Offset>,
    pub high_watermark: Option<Offset>,
    /// Nobody but kaw has used the data directory since kaw's last checkpoint of its catalogue.
    pub is_ours: bool,
}

impl Expected {
    /// With what the names of the files tell.
    pub(super) fn among(&self, entries: &[Entry]) -> Expected {
        let is_compaction = Unfinished::new(entries).is_compaction();
        Expected { compacted: self.compacted || is_compaction, ..*self }
    }

    /// Below which all offsets of a segment are: those of the next one, or where the log was
    /// closed.
    pub(super) fn limit(&self, next: Option<Offset>) -> Option<Offset> {
        next.or(self.recovery_point.filter(|_| self.condition == Condition::Clean))
    }
}

/// What a log is.
#[derive(Debug, Default)]
pub struct Verified {
    pub segments: u64,
    pub batches: u64,
    /// By the headers of their batches.
    pub records: u64,
    /// Of the segments.
    pub bytes: u64,
    /// Where it begins and ends, if there is anything.
    pub span: Option<(Offset, Offset)>,
    pub findings: Findings,
}

/// Checks one partition's directory. An error: it cannot be listed.
pub fn verify(dir: &Path, expected: &Expected) -> io::Result<Verified> {
    // What is written once and may lag behind is read before what grows.
    let mut findings = Findings::default();
    let small = beside::Small::read(dir, expected, &mut findings);
    let entries = list(dir)?;
    let expected = &expected.among(&entries);
    let unfinished = Unfinished::new(&entries);
    let mut pass = state::Pass::new(dir, expected, small, unfinished, findings);
    pass.stock(&entries);
    let segments = segments(&entries);
    let first = segments.keys().next().copied();
    pass.check_begin(first);
    let nexts = segments.keys().skip(1).copied().map(Some).chain([None]);
    for ((&base, &bytes), next) in segments.iter().zip(nexts) {
        pass.segment(base, bytes, next, &entries);
    }
    Ok(pass.finish(&entries, first))
}

/// The segments by their base offsets, with their lengths.
pub(super) fn segments(entries: &[Entry]) -> BTreeMap<Offset, u64> {
    let segment = |entry: &Entry| match (Name::parse(&entry.name), entry.thing) {
        (Name::Log(base), Thing::File { bytes }) => Some((base, bytes)),
        _ => None,
    };
    entries.iter().filter_map(segment).collect()
}
