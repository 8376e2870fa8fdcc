//! Aborted transactions, as they lie in `.txnindex` files: who reads only what was committed must
//! know of them.

use super::producers::take;
use crate::record::{Offset, ProducerId};

/// i16 version 0, i64 producer id, i64 first offset, i64 last offset (of the marker), i64 last
/// stable offset (AbortedTxn.java).
pub(super) const ENTRY_BYTES: usize = 34;
const VERSION: i16 = 0;

/// A transaction whose records count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    pub producer: ProducerId,
    pub first: Offset,
    /// Of its marker.
    pub last: Offset,
    /// The last stable offset once it had ended.
    pub stable_end: Offset,
}

/// The entries of one segment's file. `None`: it is not whole, or of another version.
pub(super) fn parse(file: &[u8]) -> Option<Vec<Aborted>> {
    let (entries, []) = file.as_chunks::<ENTRY_BYTES>() else { return None };
    entries.iter().map(|entry| parse_entry(entry)).collect()
}

pub(super) fn parse_entry(entry: &[u8]) -> Option<Aborted> {
    let mut rest = entry;
    let version = i16::from_be_bytes(take(&mut rest)?);
    let mut number = || Some(i64::from_be_bytes(take(&mut rest)?));
    let (producer, first, last) = (number()?, number()?, number()?);
    let aborted = Aborted {
        producer: ProducerId(producer),
        first: Offset(first),
        last: Offset(last),
        stable_end: Offset(number()?),
    };
    (version == VERSION && first <= last).then_some(aborted)
}

pub(super) fn file(entries: &[Aborted]) -> Vec<u8> {
    let entry = |aborted: &Aborted| {
        let Aborted { producer, first, last, stable_end } = aborted;
        let numbers = [producer.get(), first.get(), last.get(), stable_end.get()];
        let numbers = numbers.map(i64::to_be_bytes).concat();
        [&VERSION.to_be_bytes()[..], &numbers].concat()
    };
    entries.iter().flat_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_whole_or_not_at_all() {
        let aborted = Aborted {
            producer: ProducerId(5),
            first: Offset(7),
            last: Offset(9),
            stable_end: Offset(8),
        };
        let bytes = file(&[aborted, aborted]);
        assert_eq!(parse(&bytes), Some(vec![aborted, aborted]));
        assert_eq!(parse(&bytes[..40]), None);
        assert_eq!(parse(&[&[0, 1], &bytes[2..]].concat()), None);
        assert_eq!(parse(&[]), Some(Vec::new()));
    }
}
