//! The files at the top of a data directory: was it stopped cleanly, where is each log durable.
//! Never knows: topics beyond their names, the catalogue.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::names::Directory;
use super::partition::Asleep;
use crate::log::inspect::{self, Name, Piece, Pieces};
use crate::log::{
    BadLine, Disk, DiskFile, EPOCHS, Known, PartitionOffset, RealDisk, RealFile, Trust,
    read_offsets, regular, write_offsets,
};
use crate::record::{LeaderEpoch, Offset, PartitionId, Uuid};

const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const COMPACTED: &str = "cleaner-offset-checkpoint";
/// High watermarks.
const REPLICATION: &str = "replication-offset-checkpoint";

pub type Key = (String, PartitionId);

/// What a data directory says before any log is opened.
#[derive(Default)]
pub struct Found {
    pub clean: bool,
    /// Nobody but kaw has used it since kaw's last checkpoint of the catalogue.
    is_ours: bool,
    /// Partitions that have a directory.
    pub partitions: HashMap<Key, PathBuf>,
    /// Directories of deleted topics.
    pub deleted: Vec<PathBuf>,
    recovery_points: HashMap<Key, Offset>,
    log_starts: HashMap<Key, Offset>,
    compacted: HashMap<Key, Offset>,
    high_watermarks: HashMap<Key, Offset>,
}

impl Found {
    pub fn look(data_dir: &Path) -> io::Result<Found> {
        let mut found = Found {
            recovery_points: offsets(data_dir, RECOVERY_POINTS)?,
            log_starts: offsets(data_dir, LOG_STARTS)?,
            compacted: offsets(data_dir, COMPACTED)?,
            high_watermarks: offsets(data_dir, REPLICATION)?,
            ..Found::default()
        };
        for entry in fs::read_dir(data_dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let place = Directory::parse(name);
            // What is written to a directory is to stay in the one above it.
            if !matches!(place, Directory::Other) && !entry.file_type()?.is_dir() {
                return Err(io::Error::other(format!("{name} in it is no directory")));
            }
            match place {
                Directory::Partition { topic, partition }
                    if name != super::catalogue::DIRECTORY =>
                {
                    found.partitions.insert((topic.to_owned(), partition), entry.path());
                }
                Directory::Deleted => found.deleted.push(entry.path()),
                Directory::Partition { .. } | Directory::Other => {}
            }
        }
        let clean = fs::symlink_metadata(data_dir.join(CLEAN_SHUTDOWN));
        found.clean = clean.is_ok_and(|file| file.is_file());
        found.is_ours = inspect::is_kaws(&data_dir.join(super::catalogue::DIRECTORY));
        Ok(found)
    }

    /// Whether a checkpoint has a line of a partition that is not there. A crash left it: it must
    /// not be taken for one of a topic that is to come under that name.
    pub fn has_lines_of_others(&self) -> bool {
        let all = [&self.recovery_points, &self.log_starts, &self.high_watermarks];
        all.into_iter().flat_map(HashMap::keys).any(|key| !self.partitions.contains_key(key))
    }

    /// What is known of a partition that nobody has used since.
    pub fn asleep(&self, key: &Key) -> Asleep {
        let on_disk = self.partitions.contains_key(key);
        let high_watermark = self.high_watermarks.get(key).copied();
        let recovery_point = self.recovery_points.get(key).copied();
        Asleep {
            on_disk,
            high_watermark,
            known: Known {
                log_start: self.log_starts.get(key).copied(),
                // Where the directory is gone, with all that was in it, no offset is given out
                // again.
                recovery_point: match on_disk {
                    true => recovery_point,
                    false => recovery_point.max(high_watermark),
                },
                compacted: self.compacted.get(key).copied(),
                trust: if self.clean { Trust::Clean } else { Trust::Unclean },
                is_ours: self.is_ours,
            },
        }
    }
}

fn offsets(data_dir: &Path, name: &str) -> io::Result<HashMap<Key, Offset>> {
    let path = data_dir.join(name);
    let read = read_offsets(&RealDisk, &path).map_err(|error| named(name, &error))?;
    let read = read.unwrap_or_else(|BadLine { line, what }| {
        tracing::warn!(file = %path.display(), line, "not heeded: {what}");
        Vec::new()
    });
    Ok(read.into_iter().map(|found| ((found.topic, found.partition), found.offset)).collect())
}

/// The error, and what of the data directory it is about.
fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name} in it: {error}"))
}

/// The checkpoints of all logs.
#[derive(Default, PartialEq, Eq)]
pub struct Checkpoints {
    pub recovery_points: Vec<PartitionOffset>,
    /// Only of logs that do not begin at 0.
    pub log_starts: Vec<PartitionOffset>,
    /// Only of logs that were compacted.
    pub compacted: Vec<PartitionOffset>,
    pub high_watermarks: Vec<PartitionOffset>,
}

impl Checkpoints {
    /// Replaces those files that are to say something else than before. Nobody knows what they
    /// said `before` this process wrote them: a line of a deleted topic must not stay.
    pub fn write(&self, data_dir: &Path, before: Option<&Checkpoints>) -> io::Result<()> {
        let files = [
            (RECOVERY_POINTS, &self.recovery_points, before.map(|before| &before.recovery_points)),
            (LOG_STARTS, &self.log_starts, before.map(|before| &before.log_starts)),
            (COMPACTED, &self.compacted, before.map(|before| &before.compacted)),
            (REPLICATION, &self.high_watermarks, before.map(|before| &before.high_watermarks)),
        ];
        let mut replaced = false;
        for (name, now, before) in files {
            let path = data_dir.join(name);
            let is_new = match before {
                Some(before) => now != before,
                None => !now.is_empty() || fs::symlink_metadata(&path).is_ok(),
            };
            if is_new {
                write_offsets(&RealDisk, &path, now)?;
                replaced = true;
            }
        }
        // What an old one says of a deleted topic is wrong for the one that comes after it.
        if replaced { RealDisk.sync_dir(data_dir) } else { Ok(()) }
    }
}

/// From now on there is no clean stop until the next. That is durable before anything is written:
/// else a power loss would pass for a clean stop.
pub fn begin(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(CLEAN_SHUTDOWN)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(CLEAN_SHUTDOWN, &error)),
        Ok(()) => RealDisk.sync_dir(data_dir),
    }
}

/// The last thing that a clean stop writes. Apache Kafka compares the epoch with that of the last
/// registration in the catalogue (KIP-966).
pub fn sign_clean_shutdown(data_dir: &Path, broker_epoch: i64) -> io::Result<()> {
    let path = data_dir.join(CLEAN_SHUTDOWN);
    let mut file = regular(OpenOptions::new().write(true).create(true).truncate(true), &path)
        .map_err(|error| named(CLEAN_SHUTDOWN, &error))?;
    write!(file, "{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")?;
    file.sync_all()?;
    RealDisk.sync_dir(data_dir)
}

/// The topic whose partition lies in a directory, as its partition.metadata says.
pub fn topic_id(dir: &Path) -> Option<Uuid> {
    inspect::topic_id(&inspect::read_small(&dir.join("partition.metadata")).ok()?)
}

/// The highest leader epoch in a partition's directory, as its files say it.
pub fn last_epoch(dir: &Path) -> LeaderEpoch {
    let told = inspect::read_small(&dir.join(EPOCHS)).ok();
    let told = told.and_then(|bytes| inspect::epochs(&bytes).ok()).unwrap_or_default();
    let told = told.last().map(|(epoch, _)| *epoch);
    told.max(last_epoch_of_batches(dir).unwrap_or_default()).unwrap_or_default()
}

/// The same of the last segment that has a batch: epochs rise.
fn last_epoch_of_batches(dir: &Path) -> io::Result<Option<LeaderEpoch>> {
    for entry in inspect::list(dir)?.into_iter().rev() {
        let Name::Log(base) = Name::parse(&entry.name) else { continue };
        let file = RealFile::open_to_read(&dir.join(&entry.name))?;
        let mut pieces = Pieces::new(&file, file.len()?, base, None);
        let mut last = None;
        while let Some(piece) = pieces.next_piece()? {
            if let Piece::Batch { batch, .. } = piece {
                last = last.max(Some(batch.leader_epoch()));
            }
        }
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

/// What a log's segments take; indexes do not count.
pub fn segment_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let files = entries.filter_map(Result::ok);
    let segments = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
    segments.map(|file| file.metadata().map_or(0, |file| file.len())).sum()
}

/// The file system that a data directory is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    pub total_bytes: u64,
    /// By an ordinary user.
    pub usable_bytes: u64,
}

impl Volume {
    pub fn of(dir: &Path) -> Option<Volume> {
        let found = rustix::fs::statvfs(dir).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Some(Volume { total_bytes: bytes(found.f_blocks), usable_bytes: bytes(found.f_bavail) })
    }
}
