//! Mends the files of one partition. Nothing is deleted: what is damaged stays beside the log,
//! under its name with `.damaged`, a segment's with the byte at which the damage begins.
//!
//! Good batches stay, also behind damage. Offsets that are lost stay lost: a batch without records
//! covers them, as compaction leaves one, so that no offset is given twice and readers go on. What
//! can be made anew from the batches is made by the engine itself, which opens the log in the end.

mod aside;
mod rewrite;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::verify::{Expected, Verified, segments, verify};
use super::{Finding, Name, Severity, Thing, list, read_small, topic_id};
use crate::log::files::Kind;
use crate::log::{Cleanup, Known, Log, METADATA, OpenError, RealDisk, Settings, Trust};
use crate::log::{missing, saved};
use crate::record::{Offset, Timestamp, Uuid};
pub use aside::{draft, keep, put, replace, set_aside};
use rewrite::Rewriting;

/// One thing that is to be done, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes of a segment that are no batch are taken out.
    Cut {
        path: PathBuf,
        position: u32,
        bytes: u32,
        /// Those that were there, as far as it can be known: the end is exclusive.
        lost: (Offset, Option<Offset>),
        why: String,
    },
    /// Offsets that are missing are covered.
    Cover { path: PathBuf, from: Offset, end: Offset },
    /// Leader epochs that cannot be are set to those before them.
    Restamp { path: PathBuf, batches: u64 },
    /// A file is set aside; it is made anew where it can be.
    Aside { path: PathBuf, why: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Cut { path, position, bytes, lost, why } => {
                let path = path.display();
                write!(f, "{path}: byte {position}: cut {bytes} bytes, ")?;
                match lost {
                    (from, Some(end)) if from == end => f.write_str("no records")?,
                    (from, Some(end)) => {
                        let count = end.get() - from.get();
                        write!(f, "offsets {from} to {}, {count} records at most", end.get() - 1)?;
                    }
                    (from, None) => write!(f, "what there is from offset {from} on")?,
                }
                write!(f, " ({why})")
            }
            Step::Cover { path, from, end } => write!(
                f,
                "{}: cover the missing offsets {from} to {} with a batch without records",
                path.display(),
                end.get() - 1
            ),
            Step::Restamp { path, batches } => {
                write!(f, "{}: mend the leader epochs of {batches} batches", path.display())
            }
            Step::Aside { path, why } => write!(f, "{}: set aside ({why})", path.display()),
        }
    }
}

/// Why a partition cannot be mended.
#[derive(Debug)]
pub enum RepairError {
    Disk {
        path: PathBuf,
        error: io::Error,
    },
    Open(OpenError),
    /// What is in a file that is not read is not mended by a guess.
    Unread(Finding),
    /// Neither the catalogue nor the directory says whose it is.
    NoTopic {
        dir: PathBuf,
    },
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RepairError::Disk { path, error } => write!(f, "{}: {error}", path.display()),
            RepairError::Open(error) => error.fmt(f),
            RepairError::Unread(finding) => write!(f, "{finding}; its partition is left as it is"),
            RepairError::NoTopic { dir } => write!(
                f,
                "{}: nothing says which topic it belongs to; write its id into {METADATA}",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for RepairError {}

/// The same for every error with a path.
fn at(path: &Path) -> impl FnOnce(io::Error) -> RepairError + '_ {
    |error| RepairError::Disk { path: path.to_owned(), error }
}

/// Whether anything is done, or only said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Say,
    Do,
}

/// What was found in a partition, and what is done about it.
#[derive(Debug)]
pub struct Repair {
    pub steps: Vec<Step>,
    /// Where the log ends now, if anything was done.
    pub end: Option<Offset>,
}

/// Mends one partition, or says how. Only for whoever holds the data directory's lock.
pub fn repair(
    dir: &Path,
    expected: &Expected,
    mode: Mode,
    now: Timestamp,
) -> Result<Repair, RepairError> {
    let verified = verify(dir, expected).map_err(at(dir))?;
    if let Some(unread) = verified.findings.first_unread() {
        return Err(RepairError::Unread(unread.clone()));
    }
    if !verified.findings.is_damaged() {
        return Ok(Repair { steps: Vec::new(), end: None });
    }
    let expected = &expected.among(&list(dir).map_err(at(dir))?);
    let mut steps = asides(dir, &verified)?;
    if mode == Mode::Do {
        let path = |step: &Step| match step {
            Step::Aside { path, .. } => Some(path.clone()),
            _ => None,
        };
        for path in steps.iter().filter_map(path).collect::<BTreeSet<_>>() {
            set_aside(&path).map_err(at(&path))?;
        }
    }
    let cuts = rewrite_all(dir, expected, mode)?;
    let is_cut = !cuts.is_empty();
    steps.extend(cuts);
    let end = match mode {
        Mode::Say => None,
        Mode::Do => Some(rebuild(dir, expected, is_cut, now)?),
    };
    Ok(Repair { steps, end })
}

/// Files that are not mended but made anew, or are no files of a log at all.
fn asides(dir: &Path, verified: &Verified) -> Result<Vec<Step>, RepairError> {
    let entries = list(dir).map_err(at(dir))?;
    let mut steps: Vec<Step> = Vec::new();
    let mut aside = |path: &Path, why: &str| {
        let known = |step: &Step| matches!(step, Step::Aside { path: other, .. } if other == path);
        // All that is gone is said.
        if !steps.iter().any(known) || path.ends_with(missing::NAME) {
            steps.push(Step::Aside { path: path.to_owned(), why: why.to_owned() });
        }
    };
    for finding in verified.findings.list().iter().filter(|f| f.severity == Severity::Damage) {
        let name = finding.path.file_name().unwrap_or_default().to_string_lossy();
        let thing = entries.iter().find(|entry| entry.name == name).map(|entry| entry.thing);
        match (Name::parse(&name), thing) {
            // Nothing is there to be set aside, or it is written anew.
            (_, None) | (Name::Log(_), Some(Thing::File { .. })) => {}
            (_, Some(_)) => aside(&finding.path, &finding.what),
        }
    }
    for entry in &entries {
        // A broker would write through a link.
        let is_file = matches!(entry.thing, Thing::File { .. });
        if !is_file && Name::parse(&entry.name) == Name::LeftOver {
            aside(&dir.join(&entry.name), "it is no regular file");
        }
    }
    Ok(steps)
}

/// Every segment that has damage, gaps, or impossible epochs.
fn rewrite_all(dir: &Path, expected: &Expected, mode: Mode) -> Result<Vec<Step>, RepairError> {
    let entries = list(dir).map_err(at(dir))?;
    let segments: Vec<Offset> = segments(&entries).into_keys().collect();
    let mut rewriting = Rewriting::new(dir, expected, reached(dir, expected));
    for (at_segment, &base) in segments.iter().enumerate() {
        let next = segments.get(at_segment + 1).copied();
        rewriting.segment(base, next, mode)?;
    }
    Ok(rewriting.into_steps())
}

/// How far the log was once, as other files know.
fn reached(dir: &Path, expected: &Expected) -> Option<Offset> {
    let own = read_small(&dir.join(saved::NAME)).ok();
    let own = own.and_then(|bytes| super::own_checkpoint(&bytes).ok()).map(|own| own.end);
    expected.recovery_point.max(own)
}

/// What lies beside a log of this topic is made anew, after its segments were written anew.
pub fn reread(dir: &Path, topic_id: Uuid, now: Timestamp) -> Result<Offset, RepairError> {
    let expected = Expected { topic_id: Some(topic_id), ..Expected::default() };
    rebuild(dir, &expected, true, now)
}

/// The engine reads everything again, and writes what lies beside the batches.
fn rebuild(
    dir: &Path,
    expected: &Expected,
    is_cut: bool,
    now: Timestamp,
) -> Result<Offset, RepairError> {
    let metadata = dir.join(METADATA);
    let found = read_small(&metadata).ok().and_then(|bytes| topic_id(&bytes));
    let id = expected.topic_id.or(found);
    let id = id.ok_or_else(|| RepairError::NoTopic { dir: dir.to_owned() })?;
    let own = dir.join(saved::NAME);
    if is_cut && fs::symlink_metadata(&own).is_ok() {
        // It speaks of places in files that are others now.
        set_aside(&own).map_err(at(&own))?;
    }
    rewrite::transactions(dir, expected)?;
    let settings = Settings { cleanup: Cleanup::Compact, ..Settings::default() };
    // What compaction took out is no sign that the log ends there.
    let compacted = expected.compacted.then_some(Offset(i64::MAX));
    let trust = Trust::Nothing;
    let known = Known { log_start: expected.log_start, compacted, trust, ..Known::default() };
    let (log, _) = Log::open(RealDisk, dir, id, settings, known, now).map_err(RepairError::Open)?;
    let end = log.end();
    log.close(now).map_err(at(dir))?;
    aside::settle(dir).map_err(at(dir))?;
    Ok(end)
}

/// The path of a segment's file.
fn segment_path(dir: &Path, kind: Kind, base: Offset) -> PathBuf {
    dir.join(format!("{:020}{}", base.get(), kind.suffix()))
}
