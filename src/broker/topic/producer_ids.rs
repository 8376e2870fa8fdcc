//! Ids for idempotent producers, taken from the catalogue in blocks so that few need a record.
//! Never knows: who gets one.

use crate::record::{Offset, ProducerId};

/// Apache's (ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
const BLOCK: i64 = 1000;

/// The first free id of a new catalogue: those below it are its first broker's.
pub const FIRST_FREE: ProducerId = ProducerId(BLOCK);

/// Ids that may be handed out.
#[derive(Debug, PartialEq, Eq)]
pub struct ProducerIds {
    next: i64,
    end: i64,
    /// Where the catalogue ends with the record of them.
    recorded: Offset,
}

/// What is needed for an id to be handed out.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// This one, once the catalogue is durable up to the offset: whoever got an id that a power
    /// loss gave to somebody else as well would be taken for that one, and its records for
    /// duplicates.
    Id(ProducerId, Offset),
    /// Record this as the first free id, then say so with `extend`, then ask again.
    Record(ProducerId),
}

impl ProducerIds {
    /// `first_free` is what the catalogue says: ids below it may be anyone's.
    pub fn new(first_free: ProducerId) -> ProducerIds {
        let first_free = first_free.get();
        ProducerIds { next: first_free, end: first_free, recorded: Offset::ZERO }
    }

    /// The ids of a catalogue that begins just now. Nobody has to wait for their record: a power
    /// loss that takes it takes all topics as well, which come after it.
    pub fn of_new_catalogue() -> ProducerIds {
        ProducerIds { next: 0, ..ProducerIds::new(FIRST_FREE) }
    }

    pub fn take(&mut self) -> Take {
        if self.next == self.end {
            return Take::Record(ProducerId(self.end + BLOCK));
        }
        self.next += 1;
        Take::Id(ProducerId(self.next - 1), self.recorded)
    }

    /// The catalogue has the record, and ends at `recorded` with it.
    pub fn extend(&mut self, first_free: ProducerId, recorded: Offset) {
        self.end = first_free.get();
        self.recorded = recorded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_recorded_before_it_is_handed_out_and_a_block_needs_one_record() {
        let mut ids = ProducerIds::new(ProducerId(5000));
        assert_eq!(ids.take(), Take::Record(ProducerId(6000)));
        ids.extend(ProducerId(6000), Offset(9));
        for id in 5000..6000 {
            assert_eq!(ids.take(), Take::Id(ProducerId(id), Offset(9)));
        }
        assert_eq!(ids.take(), Take::Record(ProducerId(7000)));
    }

    #[test]
    fn a_new_catalogue_has_a_block_that_nobody_waits_for() {
        let mut ids = ProducerIds::of_new_catalogue();
        for id in 0..1000 {
            assert_eq!(ids.take(), Take::Id(ProducerId(id), Offset::ZERO));
        }
        assert_eq!(ids.take(), Take::Record(ProducerId(2000)));
    }
}
