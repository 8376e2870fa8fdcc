//! Transactions: which are open, how one ends, what is remembered of one that was aborted.
//! Never knows: who decides, and why.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::aborted::{self, Aborted};
use super::files::Kind;
use super::part::{Aside, Part};
use super::pieces::Piece;
use super::{AppendError, Appended, Cleanup, Disk, DiskFile, Log, ReadError, Stamp};
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

    /// Ends the open transaction of a producer as the coordinator would, with a marker. `None`: it
    /// is not open any more.
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
    ) -> Option<Result<Appended, AppendError>> {
        let state = self.producers.get(open.producer);
        let state = state.filter(|state| state.transaction == Some(open.first))?;
        let coordinator_epoch = state.coordinator_epoch.max(0);
        let producer = Producer { id: open.producer, epoch: state.epoch, base_sequence: -1 };
        let mut marker = BatchBuilder::new().producer(producer).transactional().control();
        let key = [0, 0, 0, decision as u8];
        let value = [&[0; 2][..], &coordinator_epoch.to_be_bytes()].concat();
        let record = Record { key: Some(&key), value: Some(&value), headers: &[] };
        marker.push(stamp.now, &record);
        let marker = marker.build();
        let marker = BatchView::parse(&marker).expect("a batch that was just built");
        Some(self.append(&marker, stamp))
    }

    /// What would tell that the log had the marker that ended this one, and lost it.
    pub fn search_end_of(&self, open: &OpenTransaction) -> Result<EndSearch, ReadError> {
        let has_gaps = self.settings.cleanup == Cleanup::Compact;
        Ok(EndSearch { open: *open, has_gaps, asides: self.set_aside()? })
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

    /// How many ended in a segment.
    pub(super) fn aborted_in(&self, base: Offset) -> usize {
        self.aborted.get(&base).map_or(0, Vec::len)
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

/// A search for signs that a marker was lost: something behind the beginning of its transaction is
/// missing, or cannot be read.
pub struct EndSearch {
    open: OpenTransaction,
    /// Compaction leaves some.
    has_gaps: bool,
    asides: Vec<Aside>,
}

impl EndSearch {
    /// Whether there are any. `part` is asked without the log's lock, and may take it.
    pub fn finds_signs<F: DiskFile>(
        &self,
        mut part: impl FnMut(Offset) -> Result<Option<Part<F>>, ReadError>,
    ) -> Result<bool, ReadError> {
        let (mut from, mut next) = (Some(self.open.first), None);
        while let Some(part) = from.map(&mut part).transpose()?.flatten() {
            if self.asides.iter().any(|aside| part.base < aside.base) {
                return Ok(true);
            }
            let mut is_damaged = false;
            let found = part.each(|piece| {
                let Piece::Batch { batch, position } = piece else {
                    is_damaged = true;
                    return ControlFlow::Continue(());
                };
                let is_sign = match self.open.first < batch.base_offset() {
                    true => is_damaged || self.is_sign(&batch, next),
                    // What came before it does not count.
                    false => self.is_cut_behind(&part, &batch, position),
                };
                is_damaged = false;
                next = Some(batch.next_offset());
                if is_sign { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if found.is_break() || is_damaged || !self.has_gaps && next != Some(part.end) {
                return Ok(true);
            }
            from = part.next;
        }
        Ok(false)
    }

    fn is_sign(&self, batch: &BatchView<'_>, next: Option<Offset>) -> bool {
        let follows = self.has_gaps || next.is_none_or(|next| next == batch.base_offset());
        // What `kaw log repair` puts in the place of what was lost.
        let covers = !self.has_gaps && batch.count() == 0 && batch.producer().is_none();
        // A marker that is there and ended nothing is damaged.
        let its = batch.producer().is_some_and(|producer| producer.id == self.open.producer);
        !follows || covers || its && batch.is_control()
    }

    /// Whether something was taken out of the segment behind the transaction's first batch.
    fn is_cut_behind<F>(&self, part: &Part<F>, batch: &BatchView<'_>, position: u32) -> bool {
        let is_behind = |aside: &Aside| part.base == aside.base && position < aside.position;
        self.open.first < batch.next_offset() && self.asides.iter().any(is_behind)
    }
}
