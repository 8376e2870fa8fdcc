//! Transactions: which are open, how one ends, what is remembered of one that was aborted.
//! Never knows: who decides, and why.

use std::path::PathBuf;

use super::aborted::{self, Aborted};
use super::files::{Kind, at};
use super::pieces::{Piece, Pieces};
use super::{AppendError, Appended, Cleanup, Disk, Log, ReadError, Stamp};
use crate::record::{
    BatchBuilder, BatchView, Offset, Producer, ProducerEpoch, ProducerId, Record, Scratch,
};

/// A marker is a few bytes.
const MARKER_BYTES_MAX: usize = 1 << 16;

/// How a transaction ends. As the type of a marker (ControlRecordType.java): 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Abort,
    Commit,
}

/// A transaction that is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
    pub first: Offset,
}

/// What a batch says that ends a transaction: i16 version and i16 type as its key, i16 version and
/// i32 coordinator epoch as its value (EndTransactionMarker.java).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub decision: Decision,
    pub coordinator_epoch: Option<i32>,
}

impl Marker {
    pub(super) fn of(batch: &BatchView<'_>) -> Option<Marker> {
        if !batch.is_control() || batch.producer().is_none() {
            return None;
        }
        let mut scratch = Scratch::default();
        let mut records = batch.records(&mut scratch, MARKER_BYTES_MAX).ok()?;
        let record = records.next()?.ok()?;
        let decision = match record.key?.get(2..4)? {
            [0, 0] => Decision::Abort,
            [0, 1] => Decision::Commit,
            _ => return None,
        };
        let epoch = record.value.and_then(|value| value.get(2..6)?.try_into().ok());
        Some(Marker { decision, coordinator_epoch: epoch.map(i32::from_be_bytes) })
    }
}

impl<D: Disk> Log<D> {
    /// Those that are open, in the order in which they began.
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        let open = self.producers.states().filter_map(|(producer, state)| {
            let first = state.transaction?;
            Some(OpenTransaction { producer, epoch: state.epoch, first })
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|open| open.first);
        open
    }

    /// Ends the open transaction of a producer as the coordinator would, with a marker.
    ///
    /// It has the producer's own epoch. The coordinator's own marker may come yet, once Apache
    /// Kafka has the directory back, and is refused unless its epoch is higher, or of old
    /// transactions as high (ProducerAppendInfo.checkProducerEpoch): then the coordinator would
    /// never come to an end with its transaction. Where nothing is open it ends nothing.
    pub fn end_transaction(
        &mut self,
        open: &OpenTransaction,
        decision: Decision,
        stamp: Stamp,
    ) -> Result<Appended, AppendError> {
        let state = self.producers.get(open.producer);
        let coordinator_epoch = state.map_or(0, |state| state.coordinator_epoch.max(0));
        let (id, epoch) = (open.producer, open.epoch);
        let producer = Producer { id, epoch, base_sequence: -1 };
        let mut marker = BatchBuilder::new().producer(producer).transactional().control();
        let key = [0, 0, 0, decision as u8];
        let value = [&[0; 2][..], &coordinator_epoch.to_be_bytes()].concat();
        let record = Record { key: Some(&key), value: Some(&value), headers: &[] };
        marker.push(stamp.now, &record);
        let marker = marker.build();
        self.append(&BatchView::parse(&marker).expect("a batch that was just built"), stamp)
    }

    /// Whether the log may have had the marker that ended this one, and lost it: something behind
    /// its beginning is missing, or cannot be read.
    pub fn may_have_lost_end_of(&mut self, open: &OpenTransaction) -> Result<bool, ReadError> {
        let has_gaps = self.settings.cleanup == Cleanup::Compact;
        let after = self.segments.partition_point(|segment| segment.base <= open.first);
        let mut next = None;
        for at_segment in after.saturating_sub(1)..self.segments.len() {
            let (base, bytes) = (self.segments[at_segment].base, self.segments[at_segment].bytes);
            let limit = self.segments.get(at_segment + 1).map(|next| next.base);
            let path = self.files.path(Kind::Log, base);
            let file = self.load_file(at_segment)?;
            // By their checksums: one bit makes a marker that of another producer, or a record.
            let mut pieces = Pieces::new(&*file, bytes.into(), base, limit);
            let mut is_odd = false;
            while let Some(piece) = pieces.next_piece().map_err(at(&path))? {
                let Piece::Batch { batch, .. } = piece else {
                    is_odd = true;
                    continue;
                };
                let follows = has_gaps || next.is_none_or(|next| next == batch.base_offset());
                next = Some(batch.next_offset());
                let its = batch.producer().is_some_and(|producer| producer.id == open.producer);
                // What `kaw log repair` puts in the place of what was lost.
                let covers = !has_gaps && batch.count() == 0 && batch.producer().is_none();
                // A marker that is there and ended nothing is damaged.
                is_odd |= !follows || covers || its && batch.is_control();
                if is_odd && open.first < batch.base_offset() {
                    return Ok(true);
                }
                is_odd = false;
            }
            if is_odd {
                return Ok(true);
            }
        }
        Ok(!has_gaps && next != Some(self.end))
    }

    /// A transaction that began at `first` was aborted by `marker`, which ends the log.
    pub(super) fn note_aborted(&mut self, marker: &BatchView<'_>, first: Offset) {
        let Some(producer) = marker.producer().map(|producer| producer.id) else { return };
        let last = marker.base_offset();
        let stable_end = self.producers.first_open_transaction().unwrap_or(self.end);
        let base = self.segments.last().expect("the marker lies in it").base;
        let known = self.aborted.entry(base).or_default();
        // Where the log is read again, the file may have it.
        if known.iter().all(|known| known.last != last) {
            known.push(Aborted { producer, first, last, stable_end });
            self.aborted_unsaved.insert(base);
        }
    }

    /// The files of those segments of which more is known than their files say.
    pub(super) fn aborted_files(&self) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
        self.aborted_unsaved.iter().filter_map(|base| {
            let aborted = self.aborted.get(base)?;
            Some((self.files.path(Kind::TransactionIndex, *base), aborted::file(aborted)))
        })
    }

    /// A power loss may have taken markers that the files speak of. Offsets are given out again:
    /// what is written there is not aborted.
    pub(super) fn forget_aborted_behind_end(&mut self) {
        let end = self.end;
        for (base, aborted) in &mut self.aborted {
            let count = aborted.len();
            aborted.retain(|aborted| aborted.last < end);
            if aborted.len() < count {
                self.aborted_unsaved.insert(*base);
            }
        }
    }
}
