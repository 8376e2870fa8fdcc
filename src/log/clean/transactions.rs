//! Which batches count for nothing because their transaction was aborted, and which markers have
//! nothing left to decide (CleanedTransactionMetadata.java). Pure: fed with batches in their order.

use std::collections::{HashMap, HashSet, VecDeque};

use super::super::aborted::Aborted;
use super::super::transactions::{Decision, Marker};
use crate::record::{BatchView, Offset, ProducerId};

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
            Some(producer) if batch.is_control() => self.end(producer.id, batch),
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

    fn end(&mut self, producer: ProducerId, batch: &BatchView<'_>) -> bool {
        match Marker::of(batch).map(|marker| marker.decision) {
            Some(Decision::Abort) => match self.aborted.remove(&producer) {
                Some((aborted, true)) => {
                    self.left.push(aborted);
                    false
                }
                _ => true,
            },
            Some(Decision::Commit) => !self.committed.remove(&producer),
            // An earlier compaction emptied it, or it ends nothing.
            None => batch.count() == 0,
        }
    }

    /// The aborted transactions that ended since this was asked last, and still have batches.
    pub(super) fn take_left(&mut self) -> Vec<Aborted> {
        std::mem::take(&mut self.left)
    }
}
