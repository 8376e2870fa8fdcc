//! Kafka's small text files: offset checkpoints, `leader-epoch-checkpoint`, `partition.metadata`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, DiskFile, Open};
use crate::record::{Offset, PartitionId, Uuid};

/// One line of `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint` or
/// `replication-offset-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    pub topic: String,
    pub partition: PartitionId,
    pub offset: Offset,
}

/// The lines of an offset checkpoint. A file that is missing says nothing, and one that is
/// malformed should not either, as for Apache Kafka: what it would have saved is then read from
/// the logs.
pub fn read_offsets<D: Disk>(
    disk: &D,
    path: &Path,
) -> io::Result<Result<Vec<PartitionOffset>, BadLine>> {
    let bytes = match disk.read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Vec::new())),
        read => read?,
    };
    // Apache Kafka makes it empty and fills it later: a kill in between is no damage
    // (CheckpointFile.java).
    if bytes.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    Ok(parse_checkpoint(&bytes, parse_offset))
}

/// Replaces an offset checkpoint: afterwards it is the new one, whatever happens.
pub fn write_offsets<D: Disk>(
    disk: &D,
    path: &Path,
    offsets: &[PartitionOffset],
) -> io::Result<()> {
    let mut text = format!("0\n{}\n", offsets.len());
    for PartitionOffset { topic, partition, offset } in offsets {
        writeln!(text, "{topic} {partition} {offset}").expect("memory takes it");
    }
    replace(disk, path, text.as_bytes())
}

/// Writes `bytes` beside `path`, syncs and renames, so that a crash leaves the old file or the
/// new; which of them, a sync of the directory decides.
pub fn replace<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> io::Result<()> {
    draft(disk, path, bytes)?.sync()?;
    put(disk, path)
}

/// The first half: what is to be under `path`, beside it.
pub(super) fn draft<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> io::Result<D::File> {
    let file = disk.open(&beside(path), Open::OrCreate)?;
    file.set_len(0)?;
    file.write_at([bytes, &[]], 0)?;
    Ok(file)
}

/// The second half, once the draft is durable.
pub(super) fn put<D: Disk>(disk: &D, path: &Path) -> io::Result<()> {
    disk.rename(&beside(path), path)
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    beside.into()
}

/// Why a checkpoint says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    pub what: &'static str,
}

/// Version 0, the count of lines, the lines (CheckpointFile.java).
pub(super) fn parse_checkpoint<T>(
    bytes: &[u8],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, BadLine> {
    let bad = |line, what| BadLine { line, what };
    let text = std::str::from_utf8(bytes).map_err(|_| bad(1, "the file is no text"))?;
    let mut lines = text.lines();
    if lines.next().is_none_or(|version| version.trim() != "0") {
        return Err(bad(1, "the version is not 0"));
    }
    let count = lines.next().and_then(|count| count.trim().parse::<usize>().ok());
    let count = count.ok_or(bad(2, "there is no count of lines"))?;
    let mut entries = Vec::new();
    for (line, text) in lines.enumerate() {
        entries.push(parse(text).ok_or(bad(line + 3, "the line cannot be read"))?);
    }
    match entries.len() == count {
        true => Ok(entries),
        false => Err(bad(2, "the count is not that of the lines")),
    }
}

pub(super) fn parse_offset(line: &str) -> Option<PartitionOffset> {
    let mut words = line.split_whitespace();
    let topic = words.next()?.to_owned();
    let partition = PartitionId(words.next()?.parse().ok()?);
    let offset = Offset(words.next()?.parse().ok()?);
    words.next().is_none().then_some(PartitionOffset { topic, partition, offset })
}

/// `partition.metadata`, which binds a directory to a topic id (PartitionMetadataFile.java).
pub(super) fn partition_metadata(topic_id: Uuid) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic_id}").into_bytes()
}

/// The topic id in `partition.metadata`. `None`: the file is empty or torn.
pub(super) fn parse_partition_metadata(bytes: &[u8]) -> Option<Uuid> {
    let text = std::str::from_utf8(bytes).ok()?;
    Uuid::parse(text.lines().find_map(|line| line.strip_prefix("topic_id: "))?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_checkpoints_say_nothing() {
        let parse = |text: &str| parse_checkpoint(text.as_bytes(), parse_offset);
        assert_eq!(parse("0\n1\nt 3 17\n").unwrap()[0].offset, Offset(17));
        assert_eq!(parse("0\n0\n").unwrap(), []);
        assert_eq!(parse("0\n2\nt 3 1\nt 3\n").unwrap_err().line, 4);
        for bad in ["", "0", "1\n0\n", "0\n2\nt 3 17\n", "0\n1\nt 3\n", "0\n1\nt 3 17 4\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_empty_checkpoint_says_nothing_and_is_not_malformed() {
        let path = std::env::temp_dir().join(format!("kaw-empty-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        assert_eq!(read_offsets(&super::super::RealDisk, &path).unwrap(), Ok(Vec::new()));
        std::fs::write(&path, "1\n").unwrap();
        assert!(read_offsets(&super::super::RealDisk, &path).unwrap().is_err());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn partition_metadata_is_read_back() {
        let id = Uuid([9; 16]);
        assert_eq!(parse_partition_metadata(&partition_metadata(id)), Some(id));
        assert_eq!(parse_partition_metadata(b""), None);
        assert_eq!(parse_partition_metadata(b"version: 0\ntopic_id: AAAA"), None);
    }
}
