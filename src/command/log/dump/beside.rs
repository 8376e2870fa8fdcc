//! The files beside a log: indexes, snapshots, checkpoints, texts.

use std::path::Path;

use serde_json::Value;

use super::super::super::stdio::stdout_failed;
use super::super::rows::Row;
use super::Dumping;
use crate::log::inspect::{self, Entries, IndexEntry, Name, Producing, TimedEntry, read_small};
use crate::log::{Aborted, DiskFile, RealFile};
use crate::record::Offset;

/// What was read of a file, and why no more: at which byte, and how it is wrong.
type Read = Result<(), (u64, String)>;

pub fn dump(dumping: &mut Dumping, path: &Path, kind: Name) -> anyhow::Result<()> {
    let read = match kind {
        Name::OffsetIndex(base) => entries(dumping, path, |bytes| Some(index(base, bytes)))?,
        Name::TimeIndex(base) => entries(dumping, path, |bytes| Some(timed(base, bytes)))?,
        Name::TransactionIndex(_) => entries(dumping, path, aborted)?,
        other => whole(dumping, path, other)?,
    };
    if let Err((byte, what)) = read {
        dumping.complain(&format!("{}: byte {byte}: {what}", path.display()));
    }
    Ok(())
}

/// A file of entries of one size.
fn entries<const N: usize>(
    dumping: &mut Dumping,
    path: &Path,
    row: impl Fn(&[u8; N]) -> Option<Row>,
) -> anyhow::Result<Read> {
    let failed = |error: std::io::Error| (0, error.to_string());
    let file = match RealFile::open_to_read(path) {
        Ok(file) => file,
        Err(error) => return Ok(Err(failed(error))),
    };
    let mut entries = match Entries::<N>::new(&file) {
        Ok(entries) => entries,
        Err(error) => return Ok(Err(failed(error))),
    };
    let shown = path.display().to_string();
    loop {
        match entries.next() {
            Ok(Some((byte, bytes))) => match row(&bytes) {
                // Room that Apache Kafka took in advance.
                _ if byte > 0 && bytes == [0; N] => return Ok(Ok(())),
                Some(row) => dumping.rows.print(&shown, row).map_err(stdout_failed)?,
                None => return Ok(Err((byte, "the entry cannot be read".to_owned()))),
            },
            Ok(None) => break,
            Err(error) => return Ok(Err(failed(error))),
        }
    }
    let odd = entries.odd_bytes();
    let end = file.len().unwrap_or(0).saturating_sub(odd);
    let cut = || (end, format!("the last {odd} bytes are no whole entry"));
    Ok(if odd == 0 { Ok(()) } else { Err(cut()) })
}

fn index(base: Offset, bytes: &[u8; IndexEntry::BYTES]) -> Row {
    let entry = IndexEntry::parse(base, bytes);
    vec![("offset", entry.offset.get().into()), ("position", entry.position.into())]
}

fn timed(base: Offset, bytes: &[u8; TimedEntry::BYTES]) -> Row {
    let entry = TimedEntry::parse(base, bytes);
    vec![("timestamp", entry.timestamp.get().into()), ("offset", entry.offset.get().into())]
}

fn aborted(bytes: &[u8; Aborted::BYTES]) -> Option<Row> {
    let aborted = Aborted::parse(bytes)?;
    Some(vec![
        ("producer_id", aborted.producer.get().into()),
        ("first_offset", aborted.first.get().into()),
        ("last_offset", aborted.last.get().into()),
        ("last_stable_offset", aborted.stable_end.get().into()),
    ])
}

/// A file that is read whole.
fn whole(dumping: &mut Dumping, path: &Path, kind: Name) -> anyhow::Result<Read> {
    let bytes = match read_small(path) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err((0, error.to_string()))),
    };
    let rows = match kind {
        Name::Snapshot(_) => {
            inspect::producers(&bytes).map(|all| all.iter().map(producer).collect())
        }
        Name::Epochs => inspect::epochs(&bytes).map(|epochs| {
            let row = |(epoch, start): (crate::record::LeaderEpoch, Offset)| {
                vec![("epoch", epoch.get().into()), ("start_offset", start.get().into())]
            };
            epochs.into_iter().map(row).collect::<Vec<Row>>()
        }),
        Name::Offsets => inspect::offsets(&bytes).map(|lines| {
            let row = |line: crate::log::PartitionOffset| {
                vec![
                    ("topic", line.topic.into()),
                    ("partition", line.partition.get().into()),
                    ("offset", line.offset.get().into()),
                ]
            };
            lines.into_iter().map(row).collect()
        }),
        Name::Metadata => match inspect::topic_id(&bytes) {
            Some(id) => Ok(vec![vec![("topic_id", id.to_string().into())]]),
            None => Err((0, "is not `version: 0` and a topic id".to_owned())),
        },
        Name::OwnCheckpoint => inspect::own_checkpoint(&bytes).map(|own| {
            vec![vec![
                ("segment", own.segment.get().into()),
                ("position", own.position.into()),
                ("end_offset", own.end.get().into()),
            ]]
        }),
        Name::Missing => inspect::missing(&bytes).map(|ranges| {
            let row = |(from, to): (Offset, Offset)| {
                vec![("from_offset", from.get().into()), ("end_offset", to.get().into())]
            };
            ranges.into_iter().map(row).collect()
        }),
        Name::Properties | Name::Json => match String::from_utf8(bytes) {
            Ok(text) => Ok(vec![vec![("text", Value::from(text.trim_end()))]]),
            Err(error) => Err((error.utf8_error().valid_up_to() as u64, "is no text".to_owned())),
        },
        _ => Err((0, "is no file of a log; `kaw log dump --help` says what is".to_owned())),
    };
    let rows: Vec<Row> = match rows {
        Ok(rows) => rows,
        Err(bad) => return Ok(Err(bad)),
    };
    let shown = path.display().to_string();
    for row in rows {
        dumping.rows.print(&shown, row).map_err(stdout_failed)?;
    }
    Ok(Ok(()))
}

fn producer(producer: &Producing) -> Row {
    let (sequence, offset) = producer.last.unzip();
    vec![
        ("producer_id", producer.id.get().into()),
        ("producer_epoch", producer.epoch.get().into()),
        ("last_sequence", sequence.into()),
        ("last_offset", offset.map(|offset| offset.get()).into()),
        ("last_timestamp", producer.last_timestamp.get().into()),
        ("coordinator_epoch", producer.coordinator_epoch.into()),
        ("transaction_start", producer.transaction.map(|first| first.get()).into()),
    ]
}
