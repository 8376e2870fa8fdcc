//! What the log engine found when it opened something, as log lines: the engine itself never logs.
//! Never knows: what to do about it.

use std::path::Path;

use super::catalogue::rebuild::{Left, Rebuilt};
use super::partition::Partition;
use crate::log::{Log, OpenError, RealDisk, Recovered};

pub fn recovered(partition: &Partition, log: &Log<RealDisk>, recovered: &Recovered) {
    let name = format!("{}-{}", partition.core.name, partition.id);
    tell(&name, &partition.core.data_dir, recovered);
    let (start, end) = (log.start(), log.end());
    let scanned = recovered.scanned_bytes;
    tracing::debug!(partition = name, %start, %end, scanned, "log opened");
}

pub fn recovered_catalogue(data_dir: &Path, found: &Recovered) {
    tell(super::catalogue::DIRECTORY, data_dir, found);
}

/// A log that cannot be opened.
pub fn unusable(partition: &Partition, error: &OpenError) {
    let (topic, id) = (&partition.core.name, partition.id);
    match error {
        OpenError::OtherTopic { .. } => {
            let (want, way) = (partition.core.id, repair(&partition.core.data_dir));
            tracing::error!(
                %topic, partition = %id, %error,
                "cannot open log: its partition.metadata names another topic id than the \
                 catalogue, {want}; if the records are this topic's, {way} writes that id into \
                 it, else move the directory away"
            );
        }
        _ => tracing::error!(%topic, partition = %id, %error, "cannot open log"),
    }
}

/// What mends a data directory that a broker is using.
pub fn repair(data_dir: &Path) -> String {
    format!("`kaw broker stop; kaw log repair --yes {}`", data_dir.display())
}

/// What the catalogue had lost.
pub fn rebuilt(rebuilt: &Rebuilt) {
    for taken in &rebuilt.taken {
        tracing::error!("{taken}");
    }
}

pub fn stray(dir: &Path, kept_at: &Path, why: &Left) {
    let (dir, kept_at) = (dir.display(), kept_at.display());
    tracing::error!(
        %dir, %kept_at,
        "set aside, because the catalogue does not know it: {why}; \
         `kaw log dump --records -J {kept_at} | kaw produce -J NAME` makes a topic of it"
    );
}

/// So many ranges of lost offsets have a line of their own.
const LOST_MAX: usize = 20;

fn tell(partition: &str, data_dir: &Path, recovered: &Recovered) {
    let way = repair(data_dir);
    if let Some(torn) = &recovered.torn {
        let (file, position, bytes) = (torn.path.display(), torn.position, torn.bytes);
        tracing::warn!(partition, %file, position, bytes, "cut a torn tail, never acknowledged");
    }
    for lost in recovered.lost.iter().take(LOST_MAX) {
        let (file, from, to) = (lost.path.display(), lost.from, lost.to);
        tracing::error!(
            partition, %file, %from, %to,
            "offsets that were durable are gone; restore them from a backup, or accept that with \
             {way}"
        );
    }
    if LOST_MAX < recovered.lost.len() {
        let more = recovered.lost.len() - LOST_MAX;
        tracing::error!(partition, more, "more ranges are gone; `kaw log verify` names each");
    }
    for damaged in &recovered.damaged {
        let (file, position, bytes) = (damaged.path.display(), damaged.position, damaged.bytes);
        let offset = damaged.offset;
        tracing::error!(
            partition, %file, position, bytes, %offset,
            "damaged; what is behind it is kept, and {way} takes the damage out"
        );
    }
    for orphan in &recovered.orphans {
        let file = orphan.display();
        tracing::warn!(partition, %file, "removed; its segment is not there");
    }
    for aside in &recovered.set_aside {
        let (file, kept_at) = (aside.path.display(), aside.kept_at.display());
        let (position, bytes, batches) = (aside.position, aside.bytes, aside.batches);
        tracing::error!(
            partition, %file, position, bytes, batches, %kept_at,
            "damaged; what cannot be read is set aside"
        );
    }
}
