//! A catalogue with holes, read as far as it is whole.
//! Never knows: what is to be done about it.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use bytes::Bytes;

use super::CatalogueError;
use super::fit::Ledger;
use super::image::{Image, Misfit};
use super::read::{durable, each_record, failed, newest_checkpoint, segments};
use crate::broker::home::plain;
use crate::log::inspect::{Damage, Piece, Pieces, Why};
use crate::log::{DiskFile, RealFile};
use crate::protocol::Text;
use crate::protocol::catalogue::CatalogueRecord;
use crate::protocol::control::ControlRecord;
use crate::record::{BatchError, BatchView, INFLATED_BYTES_MAX, Offset, Scratch, Uuid};

/// What is left of a catalogue.
#[derive(Default)]
pub struct Survey {
    /// Of the records that can be replayed.
    pub image: Image,
    /// Records of what is lost, which nobody can replay.
    pub unfit: BTreeSet<Offset>,
    /// Records were lost; a repair may have covered them.
    pub has_holes: bool,
    /// There is a record of any kind.
    pub is_there: bool,
    /// The quorum's voters stand in it.
    pub has_voters: bool,
    /// Topics of which settings may be lost: they began before the last hole.
    pub doubtful: Vec<Text>,
    /// Topics that were deleted, also those whose beginning is lost.
    pub removed: HashSet<Uuid>,
}

/// The state of reading.
struct Reading {
    survey: Survey,
    ledger: Ledger,
    records: Vec<(Offset, CatalogueRecord)>,
    scratch: Scratch,
    end: Offset,
    /// Damage with nothing behind it so far.
    torn: bool,
    /// How many records came before the last hole.
    before_hole: usize,
}

/// Reads a catalogue, whatever was done to it. An error: a record of a newer Kafka, or a file that
/// is not given.
pub fn survey(dir: &Path, clean: bool) -> Result<Survey, CatalogueError> {
    let mut reading = Reading {
        survey: Survey::default(),
        ledger: Ledger::default(),
        records: Vec::new(),
        scratch: Scratch::default(),
        end: Offset::ZERO,
        torn: false,
        before_hole: 0,
    };
    let mut from = Offset::ZERO;
    if let Some(checkpoint) = newest_checkpoint(dir)? {
        checkpoint.each_record(|record| {
            reading.enter(Offset(-1), record);
            Ok(())
        })?;
        from = checkpoint.end;
        reading.survey.is_there = true;
        // It begins with them (KafkaRaftClient.createSnapshot).
        reading.survey.has_voters = true;
    }
    for (at, (base, path)) in segments(dir)?.into_iter().enumerate() {
        let first = if at == 0 { base } else { reading.end };
        reading.go_on(first, base);
        reading.segment(&path, base, from)?;
    }
    let durable = durable(dir);
    if reading.end < durable || (reading.torn && clean) {
        reading.hole();
    }
    reading.finish(dir)
}

impl Reading {
    fn segment(&mut self, path: &Path, base: Offset, from: Offset) -> Result<(), CatalogueError> {
        let unreadable = |error| failed(path, plain(&error));
        let file = RealFile::open_to_read(path).map_err(unreadable)?;
        let bytes = file.len().map_err(unreadable)?;
        let mut pieces = Pieces::new(&file, bytes, base, None);
        self.end = base;
        while let Some(piece) = pieces.next_piece().map_err(unreadable)? {
            match piece {
                Piece::Damage(damage) if may_be_torn(&damage) => self.torn = true,
                Piece::Damage(_) => self.hole(),
                Piece::Batch { batch, .. } => {
                    self.go_on(self.end, batch.base_offset());
                    self.survey.is_there |= batch.count() > 0;
                    self.batch(path, &batch, from)?;
                    self.end = batch.next_offset();
                }
            }
        }
        Ok(())
    }

    /// The records go on at `found`, where they should at `expected`.
    fn go_on(&mut self, expected: Offset, found: Offset) {
        if expected != found || std::mem::take(&mut self.torn) {
            self.hole();
        }
    }

    fn hole(&mut self) {
        self.survey.has_holes = true;
        self.before_hole = self.records.len();
        self.ledger.hole();
    }

    fn batch(
        &mut self,
        path: &Path,
        batch: &BatchView<'_>,
        from: Offset,
    ) -> Result<(), CatalogueError> {
        if batch.is_control() {
            self.survey.has_voters |= has_voters(batch, &mut self.scratch);
            return Ok(());
        }
        if batch.count() == 0 {
            self.hole();
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = each_record(path, batch, from, &mut scratch, |offset, record| {
            self.enter(offset, record);
            Ok(())
        });
        self.scratch = scratch;
        read
    }

    fn enter(&mut self, offset: Offset, record: CatalogueRecord) {
        self.ledger.enter(offset, &record);
        if let CatalogueRecord::RemoveTopic(gone) = &record {
            self.survey.removed.insert(gone.topic_id);
        }
        if !matches!(record, CatalogueRecord::NoOp(_)) {
            self.records.push((offset, record));
        }
    }

    fn finish(mut self, dir: &Path) -> Result<Survey, CatalogueError> {
        // Nobody calls a record unfit where nothing is lost.
        if self.survey.has_holes {
            self.survey.unfit = self.ledger.into_unfit();
            self.survey.unfit.remove(&Offset(-1));
        }
        let mut doubtful = HashSet::new();
        for (at, (offset, record)) in self.records.into_iter().enumerate() {
            if self.survey.unfit.contains(&offset) {
                continue;
            }
            if let CatalogueRecord::Topic(topic) = &record
                && at < self.before_hole
            {
                doubtful.insert(topic.topic_id);
            }
            let misfit = |misfit: Misfit| failed(dir, format!("record {offset}: {}", misfit.0));
            self.survey.image.apply(record).map_err(misfit)?;
        }
        let topics = self.survey.image.topics.iter();
        let doubtful = topics.filter(|(_, topic)| doubtful.contains(&topic.id));
        self.survey.doubtful = doubtful.map(|(name, _)| name.clone()).collect();
        Ok(self.survey)
    }
}

/// As a kill leaves the end of a log.
fn may_be_torn(damage: &Damage) -> bool {
    matches!(damage.why, Why::Zeros | Why::Batch(BatchError::Short))
}

fn has_voters(batch: &BatchView<'_>, scratch: &mut Scratch) -> bool {
    let Ok(records) = batch.records(scratch, INFLATED_BYTES_MAX) else { return false };
    records.filter_map(Result::ok).any(|entry| {
        let bytes = |bytes: Option<&[u8]>| Bytes::copy_from_slice(bytes.unwrap_or_default());
        let record = ControlRecord::decode(bytes(entry.key), bytes(entry.value));
        matches!(record, Ok(ControlRecord::KRaftVoters(_)))
    })
}
