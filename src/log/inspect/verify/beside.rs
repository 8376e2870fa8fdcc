//! The small files of a partition: what each says, and whether it can be so.

use std::io;
use std::path::Path;

use super::{Condition, Expected};
use crate::log::epochs::{Epoch, parse_epoch};
use crate::log::inspect::top::line_start;
use crate::log::inspect::{self, Findings, own_checkpoint, read_small};
use crate::log::text::{parse_checkpoint, parse_partition_metadata, partition_metadata};
use crate::log::{EPOCHS, METADATA};
use crate::log::{missing, saved};
use crate::record::{LeaderEpoch, Offset};

/// What the small files say.
#[derive(Default)]
pub(super) struct Small {
    /// Both numbers rise.
    pub epochs: Option<Vec<Epoch>>,
    /// How far the log was when kaw wrote its own checkpoint.
    pub own_end: Option<Offset>,
    /// Where it began.
    pub own_start: Option<Offset>,
    /// What was gone when a broker opened the log.
    pub missing: Vec<(Offset, Offset)>,
}

impl Small {
    pub(super) fn read(dir: &Path, expected: &Expected, findings: &mut Findings) -> Small {
        let own = found(&dir.join(saved::NAME), findings, own_checkpoint);
        let own_end = own.map(|own| own.end);
        let own_start = own.and_then(|own| own.start);
        // Apache Kafka makes the file empty, and writes it when there is something to say.
        let empty = expected.condition != Condition::Clean;
        let epochs = found(&dir.join(EPOCHS), findings, |bytes| match bytes {
            [] if empty => Ok(Vec::new()),
            bytes => epochs(bytes),
        });
        let id = found(&dir.join(METADATA), findings, |bytes| {
            let id = parse_partition_metadata(bytes);
            let whole = id.filter(|&id| bytes.trim_ascii_end() == partition_metadata(id));
            whole.ok_or((0, "is not `version: 0` and a topic id".into()))
        });
        if let (Some(found), Some(want)) = (id, expected.topic_id)
            && found != want
        {
            let what = format!("has topic id {found}, and the catalogue {want}");
            findings.damage(&dir.join(METADATA), what);
        }
        let missing = found(&dir.join(missing::NAME), findings, inspect::missing);
        Small { epochs, own_end, own_start, missing: missing.unwrap_or_default() }
    }
}

impl Small {
    /// Where the log began when this was written: where its leader epochs begin, or its start that
    /// lies behind a segment's base (`recover/lost.rs`).
    pub(super) fn began(&self, log_start: Option<Offset>) -> Option<Offset> {
        let epochs = self.epochs.as_ref()?;
        epochs.first().map(|epoch| epoch.start).max(log_start).max(self.own_start)
    }

    /// Whether an epoch begins from `from` on and before `end`.
    pub(super) fn begins_in(&self, from: Offset, end: Offset) -> bool {
        let epochs = self.epochs.as_deref().unwrap_or_default();
        let after = epochs.partition_point(|epoch| epoch.start < from);
        epochs.get(after).is_some_and(|epoch| epoch.start < end)
    }
}

/// What a file says, if it is there; a finding, if it cannot be read.
fn found<T>(
    path: &Path,
    findings: &mut Findings,
    parse: impl FnOnce(&[u8]) -> Result<T, (u64, String)>,
) -> Option<T> {
    // What is no file is found by its name.
    if !std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        return None;
    }
    let bytes = match read_small(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            findings.unread(path, &error);
            return None;
        }
        Ok(bytes) => bytes,
    };
    match parse(&bytes) {
        Ok(said) => Some(said),
        Err((byte, what)) => {
            findings.damage_at(path, byte, what);
            None
        }
    }
}

/// The lines of `leader-epoch-checkpoint`, of which both numbers rise.
pub fn epochs(bytes: &[u8]) -> Result<Vec<Epoch>, (u64, String)> {
    let bad = |line, what: &str| (line_start(bytes, line), format!("line {line}: {what}"));
    let epochs =
        parse_checkpoint(bytes, parse_epoch).map_err(|error| bad(error.line, error.what))?;
    let rises = |a: &Epoch, b: &Epoch| a.epoch < b.epoch && a.start < b.start;
    let is_low = |epoch: &Epoch| epoch.epoch < LeaderEpoch(0) || epoch.start < Offset::ZERO;
    if let Some(at) = epochs.iter().position(is_low) {
        return Err(bad(at + 3, "a number is negative"));
    }
    match epochs.windows(2).position(|pair| !rises(&pair[0], &pair[1])) {
        Some(at) => Err(bad(at + 4, "epochs and offsets do not rise")),
        None => Ok(epochs),
    }
}
