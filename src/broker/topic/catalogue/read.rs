//! Reading a catalogue: the newest checkpoint, if there is one, then the log behind it.
//! Never knows: what the records add up to.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::CatalogueError;
use super::image::{Image, Misfit};
use crate::broker::home::plain;
use crate::log::inspect::{self, Damage, Name, Piece, Pieces};
use crate::log::{DiskFile, Log, RealDisk, RealFile};
use crate::protocol::catalogue::CatalogueRecord;
use crate::record::{BatchView, INFLATED_BYTES_MAX, LeaderEpoch, Offset, Scratch, batches};

/// What is read of the log at once.
const READ_BYTES: u32 = 4 << 20;

/// A checkpoint file: the catalogue as of `end`, and the epoch of its last record.
pub struct CheckpointFile {
    path: PathBuf,
    pub end: Offset,
    epoch: LeaderEpoch,
}

impl CheckpointFile {
    fn read(&self, image: &mut Image) -> Result<(), CatalogueError> {
        apply_all(&self.path, &self.load()?, Offset::ZERO, image).map(drop)
    }

    fn load(&self) -> Result<Vec<u8>, CatalogueError> {
        let bytes = inspect::read_small(&self.path).map_err(|error| failed(&self.path, error))?;
        check_footer(&self.path, &bytes)?;
        Ok(bytes)
    }

    /// Shows its records.
    pub fn each_record(
        &self,
        mut each: impl FnMut(CatalogueRecord) -> Result<(), CatalogueError>,
    ) -> Result<(), CatalogueError> {
        let mut scratch = Scratch::default();
        for batch in batches(&self.load()?) {
            let batch = batch.map_err(|error| failed(&self.path, error))?;
            batch.check_crc().map_err(|error| failed(&self.path, error))?;
            if !batch.is_control() {
                let from = Offset::ZERO;
                each_record(&self.path, &batch, from, &mut scratch, |_, record| each(record))?;
            }
        }
        Ok(())
    }
}

/// The newest checkpoint. One that ends at 0 is the bootstrap file, whose records count for
/// nothing once there is a log.
pub fn newest_checkpoint(dir: &Path) -> Result<Option<CheckpointFile>, CatalogueError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(dir, error)),
    };
    let mut newest: Option<CheckpointFile> = None;
    for entry in entries {
        let path = entry.map_err(|error| failed(dir, error))?.path();
        let Some((end, epoch)) = parse_name(&path) else { continue };
        if newest.as_ref().is_none_or(|newest| newest.end < end) {
            newest = Some(CheckpointFile { path, end, epoch });
        }
    }
    Ok(newest)
}

/// Whether there is any segment of the log.
pub fn has_log(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths.any(|path| path.extension().is_some_and(|extension| extension == "log"))
}

/// `<20 digits of the end offset>-<10 digits of the epoch>.checkpoint` (Snapshots.java).
fn parse_name(path: &Path) -> Option<(Offset, LeaderEpoch)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".checkpoint")?;
    let (end, epoch) = stem.split_once('-')?;
    if end.len() != 20 || epoch.len() != 10 {
        return None;
    }
    let end = Offset(end.parse().ok()?);
    Some((end, LeaderEpoch(epoch.parse().ok()?))).filter(|(end, _)| Offset::ZERO < *end)
}

/// What a catalogue says as it lies there; nothing is written. It is read as far as it is whole:
/// more is for whoever opens it.
pub fn look(dir: &Path) -> Result<Image, CatalogueError> {
    let (mut image, mut from) = (Image::default(), Offset::ZERO);
    if let Some(checkpoint) = newest_checkpoint(dir)? {
        checkpoint.read(&mut image)?;
        from = checkpoint.end;
    }
    let mut scratch = Scratch::default();
    pieces(dir, |path, piece| {
        let Piece::Batch { batch, .. } = piece else { return Ok(ControlFlow::Break(())) };
        if !batch.is_control() {
            apply(path, &batch, from, &mut image, &mut scratch)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(image)
}

/// Shows what lies in the segments, one after the other, until `each` has seen enough.
fn pieces(
    dir: &Path,
    mut each: impl FnMut(&Path, Piece<'_>) -> Result<ControlFlow<()>, CatalogueError>,
) -> Result<(), CatalogueError> {
    for (base, path) in segments(dir)? {
        let unreadable = |error| failed(&path, plain(&error));
        let file = RealFile::open_to_read(&path).map_err(unreadable)?;
        let bytes = file.len().map_err(unreadable)?;
        let mut pieces = Pieces::new(&file, bytes, base, None);
        while let Some(piece) = pieces.next_piece().map_err(unreadable)? {
            if each(&path, piece)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Refuses a log with damage that no torn end is: to serve what can be read of it would be to
/// forget topics, and to set their records aside. `clean`: it was left whole.
pub fn refuse_damage(dir: &Path, clean: bool) -> Result<(), CatalogueError> {
    let durable = durable(dir);
    let mut torn: Option<(PathBuf, Damage)> = None;
    let checkpoint = newest_checkpoint(dir)?;
    let mut end = checkpoint.map_or(Offset::ZERO, |checkpoint| checkpoint.end);
    pieces(dir, |path, piece| {
        match (piece, &torn) {
            (Piece::Batch { batch, .. }, None) => end = end.max(batch.next_offset()),
            (Piece::Batch { .. }, Some((path, damage))) => return Err(damaged(path, damage)),
            (Piece::Damage(damage), _) if clean || damage.offset < durable => {
                return Err(damaged(path, &damage));
            }
            (Piece::Damage(damage), None) => torn = Some((path.to_owned(), damage)),
            (Piece::Damage(_), Some(_)) => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if end < durable {
        let why = format!("it ends at offset {end}, and reached {durable}");
        return Err(failed(dir, format!("{why}; {}", advice(dir))));
    }
    Ok(())
}

/// Up to where all was durable, as far as kaw's own checkpoint knows.
pub fn durable(dir: &Path) -> Offset {
    let own = inspect::read_small(&dir.join("kaw-checkpoint")).ok();
    let own = own.and_then(|bytes| inspect::own_checkpoint(&bytes).ok());
    own.map_or(Offset::ZERO, |own| own.end)
}

fn advice(dir: &Path) -> String {
    let data_dir = dir.parent().unwrap_or(dir).display();
    format!(
        "`kaw log repair {data_dir}` keeps what is whole, and finds the topics whose directories \
         are here"
    )
}

fn damaged(path: &Path, damage: &Damage) -> CatalogueError {
    let (position, why) = (damage.position, damage.why);
    failed(path, format!("byte {position}: {why}; {}", advice(path.parent().unwrap_or(path))))
}

/// The log's segments in their order.
pub fn segments(dir: &Path) -> Result<Vec<(Offset, PathBuf)>, CatalogueError> {
    let entries = match inspect::list(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(dir, plain(&error))),
    };
    let segment = |entry: inspect::Entry| match Name::parse(&entry.name) {
        Name::Log(base) => Some((base, dir.join(entry.name))),
        _ => None,
    };
    Ok(entries.into_iter().filter_map(segment).collect())
}

/// What checkpoint and log add up to, and the last epoch; no epoch: there is no catalogue yet.
pub fn replay(
    dir: &Path,
    checkpoint: Option<CheckpointFile>,
    log: &mut Log<RealDisk>,
) -> Result<(Image, Option<LeaderEpoch>), CatalogueError> {
    let mut image = Image::default();
    let mut epoch = None;
    let mut from = Offset::ZERO;
    if let Some(checkpoint) = checkpoint {
        checkpoint.read(&mut image)?;
        epoch = Some(checkpoint.epoch);
        from = checkpoint.end;
    }
    if log.end() < from {
        let why = format!("the log ends at {}, before the checkpoint of {from}", log.end());
        return Err(CatalogueError::Read { path: dir.to_owned(), why });
    }
    if from < log.start() {
        let why =
            format!("the log begins at {}, and what is known before ends at {from}", log.start());
        return Err(CatalogueError::Read { path: dir.to_owned(), why });
    }
    while from < log.end() {
        let slice = log.read(from, log.end(), READ_BYTES).map_err(|error| failed(dir, error))?;
        let Some(slice) = slice else { break };
        let bytes = slice.load().map_err(|error| failed(dir, error))?;
        let (next, last_epoch) = apply_all(dir, &bytes, from, &mut image)?;
        assert!(from < next, "what was read goes on");
        from = next;
        epoch = epoch.max(last_epoch);
    }
    Ok((image, epoch))
}

/// A checkpoint ends with a control batch (SnapshotFooterRecord): without it, batches are missing.
fn check_footer(path: &Path, bytes: &[u8]) -> Result<(), CatalogueError> {
    match batches(bytes).last() {
        Some(Ok(last)) if last.is_control() && 0 < last.base_offset().get() => Ok(()),
        _ => Err(failed(path, format!("it is cut off at byte {}", bytes.len()))),
    }
}

/// Applies the batches from `from` on; says where they end and the epoch of the last.
fn apply_all(
    path: &Path,
    bytes: &[u8],
    from: Offset,
    image: &mut Image,
) -> Result<(Offset, Option<LeaderEpoch>), CatalogueError> {
    let (mut next, mut epoch) = (from, None);
    let mut scratch = Scratch::default();
    for batch in batches(bytes) {
        let batch = batch.map_err(|error| failed(path, error))?;
        batch.check_crc().map_err(|error| failed(path, error))?;
        next = next.max(batch.next_offset());
        epoch = epoch.max(Some(batch.leader_epoch()));
        if !batch.is_control() {
            apply(path, &batch, from, image, &mut scratch)?;
        }
    }
    Ok((next, epoch))
}

fn apply(
    path: &Path,
    batch: &BatchView<'_>,
    from: Offset,
    image: &mut Image,
    scratch: &mut Scratch,
) -> Result<(), CatalogueError> {
    each_record(path, batch, from, scratch, |offset, record| {
        let misfit = |misfit: Misfit| failed(path, format!("record {offset}: {}", misfit.0));
        image.apply(record).map_err(misfit)
    })
}

/// Shows the records of a batch, from `from` on.
pub fn each_record(
    path: &Path,
    batch: &BatchView<'_>,
    from: Offset,
    scratch: &mut Scratch,
    mut each: impl FnMut(Offset, CatalogueRecord) -> Result<(), CatalogueError>,
) -> Result<(), CatalogueError> {
    let records =
        batch.records(scratch, INFLATED_BYTES_MAX).map_err(|error| failed(path, error))?;
    for entry in records {
        let entry = entry.map_err(|error| failed(path, error))?;
        if entry.offset < from {
            continue;
        }
        let at =
            |why: &dyn std::fmt::Display| failed(path, format!("record {}: {why}", entry.offset));
        let value = entry.value.ok_or_else(|| at(&"it has no value"))?;
        let record =
            CatalogueRecord::decode(Bytes::copy_from_slice(value)).map_err(|error| at(&error))?;
        each(entry.offset, record)?;
    }
    Ok(())
}

pub fn failed(path: &Path, why: impl std::fmt::Display) -> CatalogueError {
    CatalogueError::Read { path: path.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_told_by_their_names() {
        let check = |name: &str, want: Option<(i64, i32)>| {
            let want = want.map(|(end, epoch)| (Offset(end), LeaderEpoch(epoch)));
            assert_eq!(parse_name(Path::new(name)), want, "{name}");
        };
        check("00000000000000000100-0000000003.checkpoint", Some((100, 3)));
        check("00000000000000000000-0000000000.checkpoint", None);
        check("00000000000000000100-0000000003.checkpoint.part", None);
        check("100-3.checkpoint", None);
        check("00000000000000000100.log", None);
    }
}
