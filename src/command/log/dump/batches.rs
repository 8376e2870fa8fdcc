//! Batches, and the records in them.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::super::stdio::stdout_failed;
use super::super::place::Partition;
use super::super::rows::Row;
use super::{Dumping, partition_of};
use crate::log::inspect::{Damage, Piece, Pieces};
use crate::log::{DiskFile, RealFile};
use crate::output::Json;
use crate::protocol::decoded::{self, Kind};
use crate::record::{
    BatchView, Codec, Delivered, HEADER_BYTES, INFLATED_BYTES_MAX, Offset, Record, Scratch,
    TimestampType,
};

/// Prints the batches of a file, or their records. `base`: the segment's, where the name says it.
pub fn dump(dumping: &mut Dumping, path: &Path, base: Option<Offset>) -> anyhow::Result<()> {
    let shown = path.display().to_string();
    let opened = RealFile::open_to_read(path).and_then(|file| Ok((file.len()?, file)));
    let (bytes, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            dumping.complain(&format!("{shown}: {error}"));
            return Ok(());
        }
    };
    let base = base.unwrap_or_else(|| first_offset(&file));
    let mut pieces = Pieces::new(&file, bytes, base, None);
    let mut printing = Records {
        partition: partition_of(path),
        json: Json::ended_by(Vec::new()),
        scratch: Scratch::default(),
        line: Vec::new(),
    };
    loop {
        match pieces.next_piece() {
            Ok(None) => return Ok(()),
            Err(error) => {
                dumping.complain(&format!("{shown}: byte {}: {error}", pieces.position()));
                return Ok(());
            }
            // A log that is written to has grown meanwhile, and this was its tail.
            Ok(Some(Piece::Damage(damage)))
                if u64::from(damage.position + damage.bytes) == bytes
                    && file.len().is_ok_and(|now| bytes < now) =>
            {
                return Ok(());
            }
            Ok(Some(Piece::Damage(damage))) => complain(dumping, &shown, &damage),
            Ok(Some(Piece::Batch { position, batch })) if dumping.records => {
                if let Err(what) = printing.print(dumping, &batch)? {
                    let offset = batch.base_offset();
                    dumping.complain(&format!("{shown}: byte {position}: offset {offset}: {what}"));
                }
            }
            Ok(Some(Piece::Batch { position, batch })) => {
                dumping.rows.print(&shown, row(position, &batch)).map_err(stdout_failed)?;
            }
        }
    }
}

fn complain(dumping: &mut Dumping, shown: &str, damage: &Damage) {
    let Damage { position, bytes, offset, why } = damage;
    dumping.complain(&format!(
        "{shown}: byte {position}: offset {offset}: {why}; {bytes} bytes are left out"
    ));
}

/// Where a file begins whose name does not say so.
fn first_offset(file: &RealFile) -> Offset {
    let mut header = [0; HEADER_BYTES];
    let read = file.read_at(&mut header, 0).unwrap_or(0);
    match <[u8; 8]>::try_from(&header[..8]) {
        Ok(bytes) if 8 <= read => Offset(i64::from_be_bytes(bytes).max(0)),
        _ => Offset::ZERO,
    }
}

fn row(position: u32, batch: &BatchView<'_>) -> Row {
    let producer = batch.producer();
    let kind = match batch.timestamp_type() {
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "logappend",
    };
    let codec = match batch.codec() {
        Ok(Codec::None) => "none",
        Ok(Codec::Gzip) => "gzip",
        Ok(Codec::Snappy) => "snappy",
        Ok(Codec::Lz4) => "lz4",
        Ok(Codec::Zstd) => "zstd",
        Err(_) => "unknown",
    };
    vec![
        ("position", position.into()),
        ("bytes", batch.size().into()),
        ("base_offset", batch.base_offset().get().into()),
        ("last_offset", batch.last_offset().get().into()),
        ("count", batch.count().into()),
        ("leader_epoch", batch.leader_epoch().get().into()),
        ("producer_id", producer.map(|producer| producer.id.get()).into()),
        ("producer_epoch", producer.map(|producer| producer.epoch.get()).into()),
        ("base_sequence", producer.map(|producer| producer.base_sequence).into()),
        ("max_timestamp", batch.max_timestamp().get().into()),
        ("timestamp_type", kind.into()),
        ("codec", codec.into()),
        ("transactional", batch.is_transactional().into()),
        ("control", batch.is_control().into()),
        ("crc", format!("{:08x}", batch.crc()).into()),
    ]
}

/// Prints records.
struct Records {
    partition: Partition,
    json: Json,
    scratch: Scratch,
    line: Vec<u8>,
}

impl Records {
    /// The records of one batch, or why they cannot be read, past those that can.
    fn print(
        &mut self,
        dumping: &mut Dumping,
        batch: &BatchView<'_>,
    ) -> anyhow::Result<Result<(), String>> {
        let kind = match batch.is_control() {
            true => Some(Kind::Control),
            false => Kind::of_topic(&self.partition.topic),
        };
        let records = match batch.records(&mut self.scratch, INFLATED_BYTES_MAX) {
            Ok(records) => records,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (epoch, mut headers) = (batch.leader_epoch(), Vec::new());
        for entry in records {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let record = entry.record(&mut headers);
            let delivered = Delivered {
                topic: &self.partition.topic,
                partition: self.partition.partition,
                offset: entry.offset,
                timestamp: Some((batch.timestamp_type(), entry.timestamp)),
                leader_epoch: Some(epoch),
                watermarks: None,
                record,
            };
            let decoded = kind.and_then(|kind| decode(kind, &record));
            self.line.clear();
            match dumping.rows.json {
                true => {
                    self.json.print(&delivered, &mut self.line);
                    if let Some(decoded) = decoded {
                        assert_eq!(self.line.pop(), Some(b'}'), "a record is an object");
                        let _ = write!(self.line, ",\"decoded\":{decoded}}}");
                    }
                }
                false => plain(&delivered, decoded, &mut self.line),
            }
            self.line.push(b'\n');
            dumping.rows.out.write_all(&self.line).map_err(stdout_failed)?;
        }
        Ok(Ok(()))
    }
}

/// What a record of Kafka's own says; or why it cannot be understood.
fn decode(kind: Kind, record: &Record<'_>) -> Option<Value> {
    match decoded::decode(kind, record.key, record.value) {
        Ok(decoded) => decoded,
        Err(error) => Some(serde_json::json!({"error": error.to_string()})),
    }
}

/// Offset, timestamp, key, value and headers; or what the record was decoded to.
fn plain(delivered: &Delivered<'_>, decoded: Option<Value>, out: &mut Vec<u8>) {
    let Delivered { offset, timestamp, record, .. } = delivered;
    let time = timestamp.map_or(-1, |(_, time)| time.get());
    let written = match decoded {
        Some(decoded) => write!(out, "{offset:>10}  {time:>13}  {decoded}"),
        None => {
            write!(out, "{offset:>10}  {time:>13}  {}  {}", word(record.key), word(record.value))
        }
    };
    written.expect("memory takes it");
    for header in record.headers {
        write!(out, "  {}={}", word(Some(header.name)), word(header.value))
            .expect("memory takes it");
    }
}

/// Bytes as one word: a JSON string, or base64 where they are no text.
fn word(bytes: Option<&[u8]>) -> String {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => "null".to_owned(),
        Some((_, Ok(text))) => Value::from(text).to_string(),
        Some((bytes, Err(_))) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}
