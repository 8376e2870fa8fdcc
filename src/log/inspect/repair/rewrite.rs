//! Segments without what is damaged in them.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::super::verify::{Expected, aborted_in, segments};
use super::super::{Damage, Piece, Pieces, list, read_small};
use super::{Mode, RepairError, Step, aside, at, segment_path};
use crate::log::aborted;
use crate::log::files::Kind;
use crate::log::{DiskFile, EPOCHS, RealFile};
use crate::record::{BatchView, HEADER_BYTES, LeaderEpoch, Offset};

const BUFFER_BYTES: usize = 1 << 20;

/// Goes through a log's segments, in their order.
pub(super) struct Rewriting<'a> {
    dir: &'a Path,
    expected: &'a Expected,
    /// How far the log was once.
    reached: Option<Offset>,
    last_epoch: LeaderEpoch,
    /// What `leader-epoch-checkpoint` says.
    epochs: Vec<(LeaderEpoch, Offset)>,
    steps: Vec<Step>,
}

/// One segment on its way.
struct Segment<'a, W> {
    path: &'a Path,
    base: Offset,
    /// Where what was written ends.
    end: Offset,
    out: W,
    steps: Vec<Step>,
    restamped: u64,
}

impl<'a> Rewriting<'a> {
    pub fn new(dir: &'a Path, expected: &'a Expected, reached: Option<Offset>) -> Self {
        let epochs = read_small(&dir.join(EPOCHS)).ok();
        let epochs = epochs.and_then(|bytes| super::super::epochs(&bytes).ok()).unwrap_or_default();
        let last_epoch = LeaderEpoch(-1);
        Rewriting { dir, expected, reached, last_epoch, epochs, steps: Vec::new() }
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// Looks through a segment, and writes it anew if that is needed and wanted.
    pub fn segment(
        &mut self,
        base: Offset,
        next: Option<Offset>,
        mode: Mode,
    ) -> Result<(), RepairError> {
        let path = segment_path(self.dir, Kind::Log, base);
        let epoch = self.last_epoch;
        let steps = self.copy(&path, base, next, io::sink()).map_err(at(&path))?;
        if !steps.is_empty() && mode == Mode::Do {
            self.last_epoch = epoch;
            let (draft, file) = aside::draft(&path).map_err(at(&path))?;
            let out = BufWriter::with_capacity(BUFFER_BYTES, &file);
            self.copy(&path, base, next, out).map_err(at(&draft))?;
            let position = steps.iter().find_map(|step| match step {
                Step::Cut { position, .. } => Some(*position),
                _ => None,
            });
            aside::keep(&path, position.unwrap_or(0)).map_err(at(&path))?;
            aside::put(&draft, &path, &file).map_err(at(&path))?;
        }
        self.steps.extend(steps);
        Ok(())
    }

    /// Writes what is good of a segment to `out`, and says what is not.
    fn copy(
        &mut self,
        path: &Path,
        base: Offset,
        next: Option<Offset>,
        out: impl Write,
    ) -> io::Result<Vec<Step>> {
        let file = RealFile::open_to_read(path)?;
        let mut pieces = Pieces::new(&file, file.len()?, base, self.expected.limit(next));
        let steps = Vec::new();
        let mut to = Segment { path, base, end: base, out, steps, restamped: 0 };
        while let Some(piece) = pieces.next_piece()? {
            match piece {
                Piece::Damage(damage) => to.cut(&damage),
                Piece::Batch { batch, .. } => {
                    let offset = batch.base_offset();
                    if !self.expected.compacted {
                        self.cover(&mut to, offset)?;
                    }
                    to.lost_until(offset);
                    self.last_epoch = to.copy(&batch, self.epoch_of(&batch))?;
                }
            }
        }
        let bytes = file.len()?;
        if i32::MAX as u64 <= bytes {
            let why = "a segment is never that large".to_owned();
            let lost = (to.end, next);
            let (position, bytes) = (i32::MAX as u32, u32::MAX);
            to.steps.push(Step::Cut { path: path.to_owned(), position, bytes, lost, why });
        }
        // What was lost at the log's end must not be given again to other records. Compaction
        // takes nothing out there: the last batch stays, if without its records.
        let end = next.or(self.reached.filter(|&reached| to.end < reached));
        if let Some(end) = end {
            if next.is_none() || !self.expected.compacted {
                self.cover(&mut to, end)?;
            }
            to.lost_until(end);
        }
        if to.restamped > 0 {
            to.steps.push(Step::Restamp { path: path.to_owned(), batches: to.restamped });
        }
        to.out.flush()?;
        Ok(to.steps)
    }

    /// Offsets that nothing holds, up to `end`.
    fn cover<W: Write>(&self, to: &mut Segment<'_, W>, end: Offset) -> io::Result<()> {
        let last_max = to.base.get().saturating_add(i64::from(i32::MAX));
        let fits = to.end < end && end.get() - 1 <= last_max;
        if !fits {
            return Ok(());
        }
        let is_cut = to.steps.last().is_some_and(
            |step| matches!(step, Step::Cut { lost: (from, None), .. } if *from == to.end),
        );
        if !is_cut {
            let path = to.path.to_owned();
            to.steps.push(Step::Cover { path, from: to.end, end });
        }
        let epoch = LeaderEpoch(self.last_epoch.get().max(0));
        to.out.write_all(&without_records(to.end, end, epoch))?;
        to.end = end;
        Ok(())
    }

    /// The epoch that a batch is to have.
    fn epoch_of(&self, batch: &BatchView<'_>) -> LeaderEpoch {
        let epoch = batch.leader_epoch();
        let can_be = |epoch: LeaderEpoch| {
            let is_high = self.expected.leader_epoch.is_some_and(|max| max < epoch);
            !is_high && self.last_epoch <= epoch
        };
        let last = batch.last_offset();
        let after = self.epochs.partition_point(|(_, start)| *start <= last);
        let told = after.checked_sub(1).map(|at| self.epochs[at].0);
        let least = LeaderEpoch(self.last_epoch.get().max(0));
        let mut known = [Some(epoch), told].into_iter().flatten();
        known.find(|&epoch| can_be(epoch)).unwrap_or(least)
    }
}

impl<W: Write> Segment<'_, W> {
    fn cut(&mut self, damage: &Damage) {
        self.steps.push(Step::Cut {
            path: self.path.to_owned(),
            position: damage.position,
            bytes: damage.bytes,
            lost: (damage.offset, None),
            why: damage.why.to_string(),
        });
    }

    /// What was cut last is known to end here.
    fn lost_until(&mut self, end: Offset) {
        if let Some(Step::Cut { lost: (_, until @ None), .. }) = self.steps.last_mut() {
            *until = Some(end);
        }
    }

    fn copy(&mut self, batch: &BatchView<'_>, epoch: LeaderEpoch) -> io::Result<LeaderEpoch> {
        let bytes = batch.bytes();
        if epoch == batch.leader_epoch() {
            self.out.write_all(bytes)?;
        } else {
            // Its CRC does not cover it (DefaultRecordBatch.java).
            self.out.write_all(&bytes[..12])?;
            self.out.write_all(&epoch.get().to_be_bytes())?;
            self.out.write_all(&bytes[16..])?;
            self.restamped += 1;
        }
        self.end = batch.next_offset();
        Ok(epoch)
    }
}

/// A batch of these offsets in which there is nothing, as compaction leaves it
/// (DefaultRecordBatch.writeEmptyHeader).
fn without_records(from: Offset, end: Offset, epoch: LeaderEpoch) -> [u8; HEADER_BYTES] {
    let delta = i32::try_from(end.get() - 1 - from.get()).expect("offsets of one segment");
    let mut batch = [0xff; HEADER_BYTES];
    batch[..8].copy_from_slice(&from.get().to_be_bytes());
    batch[8..12].copy_from_slice(&(HEADER_BYTES as i32 - 12).to_be_bytes());
    batch[12..16].copy_from_slice(&epoch.get().to_be_bytes());
    batch[16] = 2;
    batch[21..23].copy_from_slice(&0i16.to_be_bytes());
    batch[23..27].copy_from_slice(&delta.to_be_bytes());
    // Times, producer and sequence are -1: none.
    batch[57..].copy_from_slice(&0i32.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// Makes those indexes of aborted transactions anew that were set aside: the engine only reads
/// them, and without them aborted records would pass for committed ones.
pub(super) fn transactions(dir: &Path, expected: &Expected) -> Result<(), RepairError> {
    let entries = list(dir).map_err(at(dir))?;
    let bases: Vec<Offset> = segments(&entries).into_keys().collect();
    for (base, aborted) in aborted_in(dir, &bases, expected).map_err(at(dir))? {
        let path = segment_path(dir, Kind::TransactionIndex, base);
        if std::fs::symlink_metadata(&path).is_ok() || aborted.is_empty() {
            continue;
        }
        aside::replace(&path, &aborted::file(&aborted)).map_err(at(&path))?;
    }
    Ok(())
}
