//! `kaw log verify` of a backup: every checksum of its manifest, and the batches of every segment.
//! Never knows: clusters, how findings are shown.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::backup::{self, Batches, Gaps, Partition, Segment, Store, Trouble, Unread};
use crate::log::inspect::{Findings, Verified};
use crate::record::Offset;

/// One partition of a backup.
pub struct Kept {
    pub dir: PathBuf,
    segments: Vec<(PathBuf, Segment)>,
    end: Offset,
    /// Every record is read too.
    records: bool,
    /// Nobody writes to it meanwhile.
    _store: std::sync::Arc<Store>,
}

/// What there is to check; a manifest that cannot be believed is a finding.
pub fn partitions(dir: &Path, records: bool, findings: &mut Findings) -> anyhow::Result<Vec<Kept>> {
    let (store, manifest) = match Store::to_read(dir) {
        Ok((store, manifest)) => (std::sync::Arc::new(store), manifest),
        Err(trouble) => {
            find(findings, trouble)?;
            return Ok(Vec::new());
        }
    };
    let mut all = Vec::new();
    for (name, topic) in &manifest.topics {
        for (number, partition) in topic.numbered() {
            let path = |segment: &Segment| store.segment(name, number, segment.base);
            let segments = partition.segments.iter().map(|it| (path(it), it.clone())).collect();
            let (dir, end) = (store.partition(name, number), partition.end);
            notes(partition).into_iter().for_each(|what| findings.note(&dir, what));
            all.push(Kept { dir, segments, end, records, _store: store.clone() });
        }
    }
    Ok(all)
}

/// What it has not, as its own run said.
fn notes(partition: &Partition) -> Vec<String> {
    let end = partition.end;
    let unread = partition.unread.as_ref().map(|unread| match unread {
        Unread::Damaged(why) => format!("ends at offset {end}, where the log was damaged ({why})"),
        Unread::Refused(why) => {
            format!("ends at offset {end}; the rest could not be saved ({why})")
        }
        Unread::Lost(at) => format!("ends at offset {end}; the cluster lost it from {at} on"),
    });
    let held_back = partition.held_back_until.map(|until| {
        let what = "where a transaction was open that held back the rest";
        format!("ends at offset {end} of {until}, {what}")
    });
    let lacks = |gaps: &Gaps, why: &str| (!gaps.is_empty()).then(|| format!("lacks {gaps}: {why}"));
    let missing = lacks(&partition.missing, "missing in the log that was saved");
    let skipped = lacks(&partition.skipped, "gone from the cluster before a run saved it");
    [unread, held_back, missing, skipped].into_iter().flatten().collect()
}

/// Checks one partition. An error: the disk does not give its bytes.
pub fn verify(kept: &Kept) -> io::Result<Verified> {
    let mut verified = Verified::default();
    let bases = kept.segments.iter().skip(1).map(|(_, next)| next.base);
    for ((path, segment), limit) in kept.segments.iter().zip(bases.chain([kept.end])) {
        verified.segments += 1;
        verified.bytes += segment.bytes;
        // Bytes that are as they were written may still be no batches.
        let checked = backup::verify(path, segment, |_| true);
        let checked = checked.and_then(|()| walk(kept, (path, segment), limit, &mut verified));
        if let Err(trouble) = checked {
            find(&mut verified.findings, trouble)?;
        }
    }
    let first = kept.segments.first().map(|(_, segment)| segment.base);
    verified.span = first.map(|first| (first, kept.end));
    Ok(verified)
}

fn walk(
    kept: &Kept,
    (path, segment): (&Path, &Segment),
    limit: Offset,
    verified: &mut Verified,
) -> Result<(), Trouble> {
    let mut batches = Batches::open(path.to_owned(), segment)?;
    let (mut next, mut at) = (segment.base, 0);
    while let Some(batch) = batches.next()? {
        let (base, last) = (batch.base_offset(), batch.last_offset());
        let is_first = at == 0;
        if base < next || limit <= last || (is_first && base != segment.base) {
            let what = format!(
                "the batch says that it holds offsets {base} to {last}, where {next} to {limit} \
                 have their place"
            );
            verified.findings.damage_of(path, at, base, what);
        }
        if kept.records
            && let Err(error) = batch.skim(usize::MAX, |_| ControlFlow::Continue(()))
        {
            verified.findings.damage_of(path, at, base, error.to_string());
        }
        verified.batches += 1;
        verified.records += u64::try_from(batch.count()).unwrap_or(0);
        next = next.max(batch.next_offset());
        at += batch.size() as u64;
    }
    Ok(())
}

/// What is wrong with a file is a finding; what keeps from looking is an error.
fn find(findings: &mut Findings, trouble: Trouble) -> io::Result<()> {
    match trouble {
        Trouble::Missing { path } => findings.damage(&path, "it is missing"),
        Trouble::Cut { path, at, bytes } => {
            findings.damage_at(&path, at, format!("it ends here, {} bytes early", bytes - at));
        }
        Trouble::Damaged { path, from, until } => {
            let what = format!("what is here, up to byte {until}, is not what was written");
            findings.damage_at(&path, from, what);
        }
        Trouble::Batch { path, at, error } => findings.damage_at(&path, at, error.to_string()),
        Trouble::NoBackup { dir, .. } => {
            let what = "is missing, without which a backup is not restored; take another copy of \
                        the backup";
            findings.damage(&dir.join(backup::MANIFEST), what);
        }
        Trouble::Disk { path, .. } if !path.metadata().is_ok_and(|meta| meta.is_file()) => {
            findings.damage(&path, "is no regular file");
        }
        Trouble::Disk { path, error, .. } => findings.unread(&path, &error),
        other => return Err(io::Error::other(other.to_string())),
    }
    Ok(())
}
