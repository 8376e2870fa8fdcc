//! The transactions of a partition that were aborted: whose batches no reader may see (KIP-98).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{BatchView, Offset, ProducerId, Scratch};

/// Producer, first offset, and the marker that ended it, where that is before the end of all.
type Entry = (ProducerId, Offset, Option<Offset>);

/// A producer has one transaction at a time, so its offsets from the first one to the marker are
/// those of the one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Aborted(BTreeMap<(ProducerId, Offset), Option<Offset>>);

/// What a marker's key says: version, and 0 for an abort (ControlRecordType.java).
const ABORT: [u8; 4] = [0, 0, 0, 0];
const MARKER_BYTES_MAX: usize = 1 << 10;

impl Aborted {
    /// A broker says that there is one. It says so with each batch that may be of it.
    pub fn list(&mut self, producer: ProducerId, first: Offset) {
        self.0.entry((producer, first)).or_insert(None);
    }

    /// The next batch of the partition: it may hold the marker of one.
    pub fn pass(&mut self, batch: &BatchView<'_>) {
        if self.0.is_empty() || !is_abort(batch) {
            return;
        }
        if let Some(last) = batch.producer().and_then(|it| self.last_before(it.id, batch)) {
            last.get_or_insert(batch.base_offset());
        }
    }

    fn last_before(
        &mut self,
        producer: ProducerId,
        batch: &BatchView<'_>,
    ) -> Option<&mut Option<Offset>> {
        let all = (producer, Offset::ZERO)..=(producer, batch.base_offset());
        self.0.range_mut(all).next_back().map(|(_, last)| last)
    }

    /// Whether this batch is of one of them.
    pub fn hide(&self, batch: &BatchView<'_>) -> bool {
        let Some(producer) = batch.producer().filter(|_| batch.is_transactional()) else {
            return false;
        };
        let base = batch.base_offset();
        let all = (producer.id, Offset::ZERO)..=(producer.id, base);
        let before = self.0.range(all).next_back();
        before.is_some_and(|(_, last)| last.is_none_or(|last| base < last))
    }

    /// Forgets those of which nothing is left.
    pub fn drop_before(&mut self, start: Offset) {
        self.0.retain(|_, last| last.is_none_or(|last| start <= last));
    }
}

fn is_abort(batch: &BatchView<'_>) -> bool {
    let mut scratch = Scratch::default();
    batch.is_control()
        && batch.records(&mut scratch, MARKER_BYTES_MAX).is_ok_and(
            |mut records| matches!(records.next(), Some(Ok(entry)) if entry.key == Some(&ABORT)),
        )
}

impl From<Vec<Entry>> for Aborted {
    fn from(entries: Vec<Entry>) -> Aborted {
        let entry = |(producer, first, last)| ((producer, first), last);
        Aborted(entries.into_iter().map(entry).collect())
    }
}

impl From<Aborted> for Vec<Entry> {
    fn from(aborted: Aborted) -> Vec<Entry> {
        let entry = |((producer, first), last)| (producer, first, last);
        aborted.0.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Producer, ProducerEpoch, Record, Timestamp};

    fn batch(producer: i64, offset: i64, key: Option<&[u8]>) -> Vec<u8> {
        let id = Producer { id: ProducerId(producer), epoch: ProducerEpoch(0), base_sequence: 0 };
        let builder = BatchBuilder::new().producer(id).transactional().base_offset(Offset(offset));
        let mut builder = if key.is_some() { builder.control() } else { builder };
        builder.push(Timestamp(1), &Record { key, ..Record::default() });
        builder.build()
    }

    #[test]
    fn a_transaction_is_hidden_up_to_its_marker_and_no_other() {
        const COMMIT: Option<&[u8]> = Some(&[0, 0, 0, 1]);
        let mut aborted = Aborted::default();
        aborted.list(ProducerId(7), Offset(3));
        aborted.list(ProducerId(7), Offset(3));
        let hides = |aborted: &Aborted, producer, offset| {
            aborted.hide(&BatchView::parse(&batch(producer, offset, None)).unwrap())
        };
        // As long as its marker is not seen, all of it is.
        assert!(hides(&aborted, 7, 3) && hides(&aborted, 7, 100));
        assert!(!hides(&aborted, 7, 2) && !hides(&aborted, 8, 3));
        for (producer, offset, key) in [(8, 5, Some(&ABORT[..])), (7, 6, COMMIT), (7, 2, COMMIT)] {
            aborted.pass(&BatchView::parse(&batch(producer, offset, key)).unwrap());
            assert!(hides(&aborted, 7, 100));
        }
        aborted.pass(&BatchView::parse(&batch(7, 9, Some(&ABORT))).unwrap());
        assert!(hides(&aborted, 7, 8) && !hides(&aborted, 7, 10));
        aborted.list(ProducerId(7), Offset(20));
        assert!(!hides(&aborted, 7, 19) && hides(&aborted, 7, 21));
        let text = serde_json::to_string(&aborted).unwrap();
        assert_eq!(text, "[[7,3,9],[7,20,null]]");
        assert_eq!(serde_json::from_str::<Aborted>(&text).unwrap(), aborted);
        aborted.drop_before(Offset(10));
        assert!(!hides(&aborted, 7, 8) && hides(&aborted, 7, 21));
    }
}
