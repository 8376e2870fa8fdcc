//! Ids for idempotent producers, taken from the catalogue in blocks so that few need a record.
//! Never knows: who gets one.

use crate::record::ProducerId;

/// Apache's (ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
const BLOCK: i64 = 1000;

/// Ids that may be handed out.
#[derive(Debug, PartialEq, Eq)]
pub struct ProducerIds {
    next: i64,
    end: i64,
}

/// What is needed for an id to be handed out.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    Id(ProducerId),
    /// Record this as the first free id, then say so with `extend`, then ask again.
    Record(ProducerId),
}

impl ProducerIds {
    /// `first_free` is what the catalogue says: ids below it may be anyone's.
    pub fn new(first_free: ProducerId) -> ProducerIds {
        ProducerIds { next: first_free.get(), end: first_free.get() }
    }

    pub fn take(&mut self) -> Take {
        if self.next == self.end {
            return Take::Record(ProducerId(self.end + BLOCK));
        }
        self.next += 1;
        Take::Id(ProducerId(self.next - 1))
    }

    pub fn extend(&mut self, first_free: ProducerId) {
        self.end = first_free.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_recorded_before_it_is_handed_out_and_a_block_needs_one_record() {
        let mut ids = ProducerIds::new(ProducerId(5000));
        assert_eq!(ids.take(), Take::Record(ProducerId(6000)));
        ids.extend(ProducerId(6000));
        for id in 5000..6000 {
            assert_eq!(ids.take(), Take::Id(ProducerId(id)));
        }
        assert_eq!(ids.take(), Take::Record(ProducerId(7000)));
    }
}
