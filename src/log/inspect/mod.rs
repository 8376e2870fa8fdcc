//! A log's files as they lie on the disk, ours or Apache Kafka's, read without opening the log.
//! Never knows: topics' settings, records' contents, how findings are shown.
//!
//! Nothing here writes but `repair`. Files are opened only where they are regular files, and read
//! in pieces of bounded size: whatever is in them, memory is.

mod entries;
mod finding;
mod name;
mod repair;
#[cfg(test)]
mod tests;
mod top;
mod verify;

use std::fs;
use std::io;
use std::path::Path;

use super::missing::Missing;
pub use super::pieces::{Damage, Piece, Pieces, Why};
use super::saved::{self, Saved};
use super::{BadLine, DiskFile, EPOCHS, RealFile};
use crate::record::{LeaderEpoch, Offset, Timestamp, Uuid};

pub use entries::{Entries, IndexEntry, Producing, TimedEntry, producers};
pub use finding::{Finding, Findings, Severity};
pub use name::Name;
pub use repair::{Mode, draft, keep, put, repair, replace, reread, set_aside};
pub use top::offsets;
pub use verify::{Condition, Expected, Verified, verify};

/// Text files and snapshots beside a log are read whole up to this size; none has reason to be
/// larger.
const SMALL_BYTES_MAX: u64 = 256 << 20;

/// What lies under a name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    File {
        bytes: u64,
    },
    Directory,
    Link,
    /// A pipe, a socket, a device.
    Special,
}

/// One name in a directory, as bytes that may be no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub thing: Thing,
}

/// The leader epochs of `leader-epoch-checkpoint` with the offsets at which they begin; or at which
/// byte it is wrong, and how.
pub fn epochs(bytes: &[u8]) -> Result<Vec<(LeaderEpoch, Offset)>, (u64, String)> {
    let epochs = verify::epochs(bytes)?;
    Ok(epochs.into_iter().map(|epoch| (epoch.epoch, epoch.start)).collect())
}

/// What kaw's own checkpoint says: how long a segment was, and where the log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCheckpoint {
    pub segment: Offset,
    pub position: u32,
    pub end: Offset,
    /// Where the log began. One of an earlier version does not say it.
    pub start: Option<Offset>,
}

pub fn own_checkpoint(bytes: &[u8]) -> Result<OwnCheckpoint, (u64, String)> {
    let saved = Saved::decode(bytes, Timestamp(0));
    let Saved { segment, position, end, start, .. } =
        saved.ok_or((0, "is damaged, or of another version".to_owned()))?;
    Ok(OwnCheckpoint { segment, position, end, start })
}

/// Whether nobody but kaw has led this log since kaw's last checkpoint of it, which knows every
/// leader epoch that is written down. Apache Kafka leads the catalogue under a higher one whenever
/// it starts, and writes that down before it does anything else (LeaderEpochFileCache.assign).
pub fn is_kaws(dir: &Path) -> bool {
    let read = |name: &str| match read_small(&dir.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(None),
        read => read.ok().map(Some),
    };
    let own = read(saved::NAME).and_then(|own| match own {
        None => Some(None),
        Some(own) => Saved::decode(&own, Timestamp(0)).map(|saved| saved.epochs.latest()),
    });
    let told = read(EPOCHS).and_then(|told| match told {
        None => Some(None),
        Some(told) => epochs(&told).ok().map(|told| told.last().map(|last| last.0)),
    });
    own.zip(told).is_some_and(|(own, told)| told <= own)
}

/// The offsets that `kaw-missing` speaks of, their ends exclusive.
pub fn missing(bytes: &[u8]) -> Result<Vec<(Offset, Offset)>, (u64, String)> {
    let missing = Missing::parse(bytes);
    let bad = |bad: BadLine| (top::line_start(bytes, bad.line), bad.what.to_owned());
    missing.map(|missing| missing.ranges().collect()).map_err(bad)
}

/// The topic id of `partition.metadata`.
pub fn topic_id(bytes: &[u8]) -> Option<Uuid> {
    super::text::parse_partition_metadata(bytes)
}

/// All names in a directory, sorted. What goes while it is read is left out.
pub fn list(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = match fs::symlink_metadata(entry.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?,
        };
        let thing = match meta.file_type() {
            kind if kind.is_file() => Thing::File { bytes: meta.len() },
            kind if kind.is_dir() => Thing::Directory,
            kind if kind.is_symlink() => Thing::Link,
            _ => Thing::Special,
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(Entry { name, thing });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The whole of a small file.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let file = RealFile::open_to_read(path)?;
    let bytes = file.len()?;
    if SMALL_BYTES_MAX < bytes {
        let why = format!("{bytes} bytes are too many for such a file");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    let mut out = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    let read = file.read_at(&mut out, 0)?;
    out.truncate(read);
    Ok(out)
}
