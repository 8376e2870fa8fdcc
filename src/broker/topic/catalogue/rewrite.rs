//! Writes a segment of the catalogue anew, with records that say nothing in the place of what
//! nobody can replay.
//! Never knows: what else is done for a catalogue.
//!
//! Every offset keeps a record (NoOpRecord): Apache Kafka finds its way in this log by counting
//! records, and does not come by a batch without any (Batch.java).

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::CatalogueError;
use super::read::failed;
use super::survey::Survey;
use crate::broker::home::plain;
use crate::log::inspect::{self, Piece, Pieces};
use crate::log::{DiskFile, RealFile};
use crate::protocol::catalogue::{CatalogueRecord, NoOpRecord};
use crate::record::{
    BatchBuilder, BatchView, INFLATED_BYTES_MAX, Offset, Record, Scratch, Timestamp,
};

/// Apache reads no batch here of more than 8 MiB (KafkaRaftClient.MAX_BATCH_SIZE_BYTES).
pub const RECORDS_MAX: usize = 10_000;

/// Writes a segment anew in which records say nothing or are missing. The old one is kept.
pub fn rewrite(path: &Path, base: Offset, survey: &Survey) -> Result<(), CatalogueError> {
    let unwritable = |error| failed(path, plain(&error));
    let file = RealFile::open_to_read(path).map_err(unwritable)?;
    let bytes = file.len().map_err(unwritable)?;
    let (draft, out) = inspect::draft(path).map_err(unwritable)?;
    let mut to = BufWriter::new(&out);
    let mut scratch = Scratch::default();
    let mut is_other = false;
    let mut pieces = Pieces::new(&file, bytes, base, None);
    while let Some(piece) = pieces.next_piece().map_err(unwritable)? {
        let Piece::Batch { batch, .. } = piece else {
            return Err(failed(path, "it is damaged still"));
        };
        let range = batch.base_offset()..batch.next_offset();
        let is_unfit = !batch.is_control() && survey.unfit.range(range).next().is_some();
        let written = match (is_unfit, batch.count()) {
            (_, 0) => fill(&batch, &mut to),
            (true, _) => {
                let fitting = without_unfit(path, &batch, survey, &mut scratch)?;
                to.write_all(&fitting)
            }
            (false, _) => to.write_all(batch.bytes()),
        };
        is_other |= is_unfit || batch.count() == 0;
        written.map_err(unwritable)?;
    }
    to.flush().map_err(unwritable)?;
    drop(to);
    match is_other {
        true => {
            inspect::keep(path, 0).map_err(unwritable)?;
            inspect::put(&draft, path, &out).map_err(unwritable)
        }
        false => fs::remove_file(&draft).map_err(unwritable),
    }
}

/// Records that say nothing, at the offsets of a batch that has none.
fn fill(batch: &BatchView<'_>, to: &mut impl Write) -> std::io::Result<()> {
    let (mut from, end) = (batch.base_offset().get(), batch.next_offset().get());
    while from < end {
        let next = end.min(from + RECORDS_MAX as i64);
        let records = (from..next).map(|_| nothing());
        to.write_all(&built(batch, Offset(from), records))?;
        from = next;
    }
    Ok(())
}

fn nothing() -> Vec<u8> {
    CatalogueRecord::from(NoOpRecord {}).encode().expect("it has no fields")
}

/// The batch, with nothing in the place of what nobody can replay.
fn without_unfit(
    path: &Path,
    batch: &BatchView<'_>,
    survey: &Survey,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, CatalogueError> {
    let mut values = Vec::new();
    let records = batch.records(scratch, INFLATED_BYTES_MAX);
    for record in records.map_err(|error| failed(path, error))? {
        let record = record.map_err(|error| failed(path, error))?;
        values.push(match survey.unfit.contains(&record.offset) {
            true => nothing(),
            false => record.value.unwrap_or_default().to_vec(),
        });
    }
    Ok(built(batch, batch.base_offset(), values.into_iter()))
}

/// A batch at `base`, in the place and of the time of another.
fn built(like: &BatchView<'_>, base: Offset, values: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut batch = BatchBuilder::new();
    let time = like.max_timestamp().max(Timestamp(0));
    values.for_each(|value| {
        batch.push(time, &Record { value: Some(&value), ..Record::default() });
    });
    let mut batch = batch.build();
    // Where a batch begins and under which epoch is not in its CRC (DefaultRecordBatch.java).
    batch[..8].copy_from_slice(&base.get().to_be_bytes());
    batch[12..16].copy_from_slice(&like.leader_epoch().get().to_be_bytes());
    batch
}
