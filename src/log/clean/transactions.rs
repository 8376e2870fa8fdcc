//! Which batches count for nothing because their transaction was aborted, and which markers have
//! nothing left to decide (CleanedTransactionMetadata.java). Pure: fed with batches in their order.

use std::collections::{HashMap, HashSet, VecDeque};

use super::super::aborted::Aborted;
use crate::record::{BatchView, Offset, ProducerId, Scratch};

/// A marker is a few bytes.
const MARKER_BYTES_MAX: usize = 1 << 16;

#[derive(Clone, Default)]
pub(super) struct Transactions {
    /// Aborted ones that begin further on, in their order.
    coming: VecDeque<Aborted>,
    /// Those that are under way here, and whether a batch of theirs was there.
    aborted: HashMap<ProducerId, (Aborted, bool)>,
    /// Producers with batches whose commit is still to come.
    committed: HashSet<ProducerId>,
    /// Those that ended, and of which a batch was there.
    left: Vec<Aborted>,
}

impl Transactions {
    pub(super) fn new(mut aborted: Vec<Aborted>) -> Transactions {
        aborted.sort_by_key(|aborted| aborted.first);
        Transactions { coming: aborted.into(), ..Transactions::default() }
    }

    /// The same for batches from `offset` on.
    pub(super) fn from(&self, offset: Offset) -> Transactions {
        let ends_later = |aborted: &&Aborted| offset <= aborted.last;
        Transactions::new(self.coming.iter().filter(ends_later).copied().collect())
    }

    /// Whether the batch, or what it decides, is of no use.
    pub(super) fn is_done_with(&mut self, batch: &BatchView<'_>) -> bool {
        while self.coming.front().is_some_and(|next| next.first <= batch.last_offset()) {
            let next = self.coming.pop_front().expect("it is there");
            self.aborted.entry(next.producer).or_insert((next, false));
        }
        match batch.producer() {
            Some(producer) if batch.is_control() => self.end(producer.id, Marker::of(batch)),
            Some(producer) if batch.is_transactional() => {
                match self.aborted.get_mut(&producer.id) {
                    Some((_, has_batches)) => {
                        *has_batches = true;
                        true
                    }
                    None => {
                        self.committed.insert(producer.id);
                        false
                    }
                }
            }
            _ => false,
        }
    }

    fn end(&mut self, producer: ProducerId, marker: Marker) -> bool {
        match marker {
            Marker::Abort => match self.aborted.remove(&producer) {
                Some((aborted, true)) => {
                    self.left.push(aborted);
                    false
                }
                _ => true,
            },
            Marker::Commit => !self.committed.remove(&producer),
            Marker::Emptied => true,
            Marker::Other => false,
        }
    }

    /// The aborted transactions that ended since this was asked last, and still have batches.
    pub(super) fn take_left(&mut self) -> Vec<Aborted> {
        std::mem::take(&mut self.left)
    }
}

enum Marker {
    Abort,
    Commit,
    /// An earlier compaction took it out.
    Emptied,
    Other,
}

impl Marker {
    /// Its key: i16 version, i16 type (ControlRecordType.java).
    fn of(batch: &BatchView<'_>) -> Marker {
        let mut scratch = Scratch::default();
        let first = batch.sketches(&mut scratch, MARKER_BYTES_MAX).map(|mut all| all.next());
        match first {
            Ok(None) => Marker::Emptied,
            Ok(Some(Ok(record))) => match record.key {
                Some([_, _, 0, 0, ..]) => Marker::Abort,
                Some([_, _, 0, 1, ..]) => Marker::Commit,
                _ => Marker::Other,
            },
            Ok(Some(Err(_))) | Err(_) => Marker::Other,
        }
    }
}
