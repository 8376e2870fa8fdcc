//! Records that came back, to be sent again in the order in which they came.
//! Never knows: when that is.

use std::collections::{BTreeMap, VecDeque};

use super::Token;
use super::rules::{Rule, Suspicion};
use crate::client::{Code, sys};
use crate::record::{Header, Outgoing, PartitionId, Record, Timestamp};

/// What came back, by token, which is the order of the input.
#[derive(Default)]
pub struct Again {
    queue: VecDeque<Owned>,
    /// Since the last call of `take_returned`.
    returned: Vec<Returned>,
}

/// A record that came back, and what the broker said of its batch.
pub struct Returned {
    pub owned: Owned,
    pub code: Code,
}

pub struct Owned {
    pub token: Token,
    pub partition: Option<PartitionId>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    timestamp: Option<Timestamp>,
}

impl Again {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        self.queue.len() + self.returned.len()
    }

    pub fn has_returned(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Takes a record that may be innocent. `false` where it never got into librdkafka's queue.
    pub fn keep(&mut self, report: &sys::Report<'_>) -> bool {
        let mut headers = Vec::new();
        let Some(outgoing) = report.outgoing(&mut headers) else { return false };
        let owned = Owned::of(report.token(), &outgoing);
        self.returned.push(Returned { owned, code: report.code() });
        true
    }

    /// What came back, by its batch: of a group there is one a partition.
    pub fn take_batches(&mut self) -> Vec<Vec<Returned>> {
        let mut batches = BTreeMap::<_, Vec<_>>::new();
        for returned in std::mem::take(&mut self.returned) {
            batches.entry(returned.owned.partition).or_default().push(returned);
        }
        batches.into_values().collect()
    }

    /// Puts them where they were in the input.
    pub fn put(&mut self, innocent: Vec<Owned>) {
        self.queue.extend(innocent);
        self.queue.make_contiguous().sort_unstable_by_key(|owned| owned.token);
    }

    pub fn next(&mut self) -> Option<Owned> {
        self.queue.pop_front()
    }

    /// The last one taken was not sent after all.
    pub fn put_first(&mut self, owned: Owned) {
        self.queue.push_front(owned);
    }
}

/// Whether a record that was not delivered is to be sent again: its batch was refused, or it was
/// taken back because one before it was. What may be written already might then lie there twice.
pub fn comes_back(code: Code, may_be_written: impl FnOnce() -> bool, takes_back: bool) -> bool {
    match code {
        Code::PURGE_QUEUE => takes_back && !may_be_written(),
        code => code.is_about_a_batch(),
    }
}

/// Which records of a refused batch are guilty, `None` where that cannot be told.
///
/// A broker may name them (KIP-467), which librdkafka passes on as another code for those that are
/// not; old brokers do not, nor does any for a batch that is too large.
pub fn guilty(batch: &[(Code, Option<Suspicion>)]) -> Option<Vec<bool>> {
    let is_innocent = |code: Code| code == Code::INVALID_DIFFERENT_RECORD;
    if batch.len() == 1 {
        return Some(vec![true]);
    }
    let named: Vec<bool> = batch.iter().map(|(code, _)| !is_innocent(*code)).collect();
    if named.contains(&false) {
        return named.contains(&true).then_some(named);
    }
    let is_sure = |(code, suspicion): &(Code, Option<Suspicion>)| match suspicion {
        Some(Suspicion::Sure(rule)) => (*rule == Rule::Size) == code.is_about_size(),
        _ => false,
    };
    let sure: Vec<bool> = batch.iter().map(is_sure).collect();
    sure.contains(&true).then_some(sure)
}

impl Owned {
    fn of(token: Token, outgoing: &Outgoing<'_>) -> Owned {
        let record = &outgoing.record;
        let header = |h: &Header<'_>| (h.name.to_vec(), h.value.map(<[u8]>::to_vec));
        Owned {
            token,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().map(header).collect(),
            partition: outgoing.partition,
            timestamp: outgoing.timestamp,
        }
    }

    pub fn outgoing<'s>(&'s self, headers: &'s mut Vec<Header<'s>>) -> Outgoing<'s> {
        let of = |(name, value): &'s (Vec<u8>, Option<Vec<u8>>)| Header {
            name,
            value: value.as_deref(),
        };
        headers.extend(self.headers.iter().map(of));
        Outgoing {
            record: Record { key: self.key.as_deref(), value: self.value.as_deref(), headers },
            partition: self.partition,
            timestamp: self.timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(batch: &[(Code, Option<Suspicion>)], want: Option<&[bool]>) {
        assert_eq!(guilty(batch).as_deref(), want);
    }

    #[test]
    fn what_may_be_written_is_not_sent_again() {
        let purged = Code::PURGE_QUEUE;
        assert!(comes_back(purged, || false, true));
        assert!(!comes_back(purged, || true, true));
        assert!(!comes_back(purged, || false, false), "nobody took it back");
        assert!(
            comes_back(Code::INVALID_RECORD, || true, false),
            "a broker that refuses writes not"
        );
        assert!(!comes_back(Code::MSG_TIMED_OUT, || false, true));
    }

    #[test]
    fn the_guilty_are_told_from_the_innocent() {
        let (no, other) = (Code::INVALID_RECORD, Code::INVALID_DIFFERENT_RECORD);
        let key = Some(Suspicion::Sure(Rule::Key));
        let maybe = Some(Suspicion::Likely(Rule::Past));
        check(&[(no, None)], Some(&[true]));
        // Whom else could a broker mean.
        check(&[(other, None)], Some(&[true]));
        // Each is innocent because of the others: that cannot be.
        check(&[(other, None), (other, key)], None);
        // By the broker's word, whatever we suspect.
        check(&[(no, None), (other, key), (no, maybe)], Some(&[true, false, true]));
        // By ours where it says nothing.
        check(&[(no, None), (no, key), (no, maybe)], Some(&[false, true, false]));
        check(&[(no, None), (no, maybe)], None);
        let large = Code::MSG_SIZE_TOO_LARGE;
        check(&[(large, None), (large, key)], None);
        let size = Some(Suspicion::Sure(Rule::Size));
        check(&[(large, None), (large, size)], Some(&[false, true]));
    }
}
