//! Every record accounted for: what was sent against what came back.

use super::payload::{self, Mark, Payloads};
use crate::record::PartitionId;

/// What went wrong with the records of a run; all zero, or the run has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Acknowledged, but not in the topic.
    pub lost: u64,
    pub duplicated: u64,
    /// Behind a record of the same producer and partition that was sent later.
    pub reordered: u64,
    /// Not as it was sent, or never sent by this run.
    pub corrupted: u64,
    /// Never acknowledged: the broker or the client gave up on it.
    pub failed: u64,
}

/// All records of a run, warm-up included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub sent: u64,
    /// Different records that came back from the topic as they were sent.
    pub verified: u64,
    pub faults: Faults,
}

impl Account {
    /// The account of the records in what was counted: so many in each.
    pub fn times(self, records: u64) -> Account {
        let Faults { lost, duplicated, reordered, corrupted, failed } = self.faults;
        Account {
            sent: self.sent * records,
            verified: self.verified * records,
            faults: Faults {
                lost: lost * records,
                duplicated: duplicated * records,
                reordered: reordered * records,
                corrupted: corrupted * records,
                failed: failed * records,
            },
        }
    }
}

/// What has come back so far, by its marks. One bit each, so that any order of partitions will do.
pub struct Tally {
    rows: Vec<Row>,
    faults: Faults,
    seen: u64,
}

/// One producer's part.
struct Row {
    sent: u64,
    seen: Bits,
    failed: Bits,
    /// The last sequence seen in each partition.
    last: Vec<Option<u64>>,
}

impl Tally {
    /// `sent` has how many marks each producer sent, or will send at most.
    pub fn new(sent: &[u64]) -> Tally {
        let row =
            |&sent| Row { sent, seen: Bits::default(), failed: Bits::default(), last: vec![] };
        Tally { rows: sent.iter().map(row).collect(), faults: Faults::default(), seen: 0 }
    }

    /// This was never acknowledged: it may be there or not.
    pub fn failed(&mut self, mark: Mark) {
        self.faults.failed += 1;
        self.rows[mark.producer as usize].failed.set(mark.sequence);
    }

    /// This came back from a partition: it again, if it is of this run, and the first time.
    pub fn see(&mut self, partition: PartitionId, mark: Mark) -> Option<Mark> {
        let row = self.rows.get_mut(mark.producer as usize);
        let Some(row) = row.filter(|row| mark.sequence < row.sent) else {
            self.see_corrupt();
            return None;
        };
        if !row.seen.set(mark.sequence) {
            self.faults.duplicated += 1;
            return None;
        }
        self.seen += 1;
        if row.advance(partition, mark.sequence).is_err() {
            self.faults.reordered += 1;
        }
        Some(mark)
    }

    /// Where it began before all was sent: this is what each producer did send. What has come back
    /// beyond that is none of it.
    pub fn sent_were(&mut self, sent: &[u64]) {
        for (row, &sent) in self.rows.iter_mut().zip(sent) {
            let beyond = row.seen.cut(sent);
            self.seen -= beyond;
            self.faults.corrupted += beyond;
            row.sent = sent;
        }
    }

    /// Something came back that nobody sent like this.
    pub fn see_corrupt(&mut self) {
        self.faults.corrupted += 1;
    }

    /// How many must be in the topic.
    pub fn acknowledged(&self) -> u64 {
        self.sent() - self.faults.failed
    }

    fn sent(&self) -> u64 {
        self.rows.iter().map(|row| row.sent).sum()
    }

    /// The account, when nothing more is to come.
    pub fn close(self) -> Account {
        let lost = self.rows.iter().map(|row| row.seen.missing(row.sent, &row.failed)).sum();
        let faults = Faults { lost, ..self.faults };
        Account { sent: self.sent(), verified: self.seen, faults }
    }
}

/// What has come back of records that carry their marks themselves.
pub struct Ledger<'a> {
    payloads: &'a Payloads,
    tally: Tally,
}

impl<'a> Ledger<'a> {
    /// `sent` has the number of records that each producer sent, or will send at most.
    pub fn new(payloads: &'a Payloads, sent: &[u64]) -> Ledger<'a> {
        Ledger { payloads, tally: Tally::new(sent) }
    }

    /// This record was never acknowledged: it may be there or not.
    pub fn failed(&mut self, mark: Mark) {
        self.tally.failed(mark);
    }

    /// A record has come back: which one, if it is of this run, and the first time.
    pub fn see(
        &mut self,
        partition: PartitionId,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Option<Mark> {
        self.enter(partition, key, value.and_then(payload::read_value))
    }

    /// The same of a record whose value names it in another way.
    pub fn enter(
        &mut self,
        partition: PartitionId,
        key: Option<&[u8]>,
        mark: Option<Mark>,
    ) -> Option<Mark> {
        let mark = mark.filter(|&mark| self.payloads.key(mark) == key);
        if mark.is_none() {
            self.tally.see_corrupt();
        }
        self.tally.see(partition, mark?)
    }

    /// Where it began before all was sent: this is what each producer did send.
    pub fn sent_were(&mut self, sent: &[u64]) {
        self.tally.sent_were(sent);
    }

    /// How many records must be in the topic.
    pub fn acknowledged(&self) -> u64 {
        self.tally.acknowledged()
    }

    /// The account, when nothing more is to come.
    pub fn close(self) -> Account {
        self.tally.close()
    }
}

impl Row {
    fn advance(&mut self, partition: PartitionId, sequence: u64) -> Result<(), Late> {
        let partition = partition.get().unsigned_abs() as usize;
        if self.last.len() <= partition {
            self.last.resize(partition + 1, None);
        }
        if self.last[partition].is_some_and(|last| sequence < last) {
            return Err(Late);
        }
        self.last[partition] = Some(sequence);
        Ok(())
    }
}

/// A record that comes after one that was sent later.
struct Late;

/// A set of sequences.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Whether the bit was not set before.
    fn set(&mut self, at: u64) -> bool {
        let (word, bit) = ((at / 64) as usize, 1 << (at % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Takes out all from `end` on; how many those were.
    fn cut(&mut self, end: u64) -> u64 {
        let (first, bit) = ((end / 64) as usize, end % 64);
        let mut beyond = self.0.split_off(self.0.len().min(first + 1));
        if let Some(word) = self.0.get_mut(first) {
            beyond.push(*word >> bit << bit);
            *word &= (1 << bit) - 1;
        }
        beyond.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many below `end` are neither here nor in `other`.
    fn missing(&self, end: u64, other: &Bits) -> u64 {
        let word = |bits: &Bits, at| bits.0.get(at).copied().unwrap_or(0);
        let words = end.div_ceil(64) as usize;
        let present: u32 =
            (0..words).map(|at| (word(self, at) | word(other, at)).count_ones()).sum();
        end - u64::from(present)
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::Shape;
    use super::*;

    /// Two producers of 200 records each to two partitions, then `injure`, then the account.
    #[track_caller]
    fn check(injure: impl Fn(&mut Vec<Arrived>), want: Faults) {
        let shape = Shape { record_size: 40, keys: Some(3), seed: 5 };
        let payloads = Payloads::random(shape);
        let mut arrived: Vec<Arrived> = (0..400).map(|n| arrival(&payloads, n)).collect();
        injure(&mut arrived);
        let mut ledger = Ledger::new(&payloads, &[200, 200]);
        for record in &arrived {
            ledger.see(record.partition, record.key.as_deref(), record.value.as_deref());
        }
        assert_eq!(ledger.close().faults, want);
    }

    #[derive(Clone)]
    struct Arrived {
        partition: PartitionId,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    }

    fn arrival(payloads: &Payloads, number: u64) -> Arrived {
        let mark = Mark { producer: (number % 2) as u32, sequence: number / 2 };
        let mut value = vec![];
        payloads.write_value(mark, &mut value);
        let key = payloads.key(mark).map(<[u8]>::to_vec);
        Arrived { partition: PartitionId((number / 8 % 2) as i32), key, value: Some(value) }
    }

    #[test]
    fn what_arrives_as_sent_has_no_fault() {
        check(|_| {}, Faults::default());
        // Partitions may come one after the other.
        check(|all| all.sort_by_key(|record| record.partition), Faults::default());
    }

    #[test]
    fn lost_records_are_counted() {
        check(|all| drop(all.drain(100..103)), Faults { lost: 3, ..Faults::default() });
        check(|all| all.truncate(390), Faults { lost: 10, ..Faults::default() });
        check(Vec::clear, Faults { lost: 400, ..Faults::default() });
    }

    #[test]
    fn duplicated_records_are_counted() {
        let again = |all: &mut Vec<Arrived>| all.insert(60, all[50].clone());
        check(again, Faults { duplicated: 1, ..Faults::default() });
        let twice = |all: &mut Vec<Arrived>| all.extend_from_within(..);
        check(twice, Faults { duplicated: 400, ..Faults::default() });
    }

    #[test]
    fn reordered_records_are_counted() {
        // 0 and 2 are neighbours of the first producer in the first partition.
        check(|all| all.swap(0, 2), Faults { reordered: 1, ..Faults::default() });
        // 0 and 1 are of different producers: they have no order.
        check(|all| all.swap(0, 1), Faults::default());
        // One that comes too early makes only itself conspicuous once the others follow.
        let early = |all: &mut Vec<Arrived>| all[..6].rotate_right(2);
        check(early, Faults { reordered: 4, ..Faults::default() });
    }

    #[test]
    fn corrupted_records_are_counted_and_miss() {
        let both = Faults { lost: 1, corrupted: 1, ..Faults::default() };
        check(|all| all[7].value.as_mut().unwrap()[30] ^= 0x10, both);
        check(|all| all[7].value = None, both);
        check(|all| all[7].value.as_mut().unwrap().truncate(39), both);
        check(|all| all[7].key = Some(b"key-of-another".to_vec()), both);
    }

    #[test]
    fn a_record_that_was_never_sent_is_corrupt() {
        let stranger = |mark| {
            let payloads = Payloads::random(Shape { record_size: 40, keys: Some(3), seed: 5 });
            let mut value = vec![];
            payloads.write_value(mark, &mut value);
            let key = payloads.key(mark).map(<[u8]>::to_vec);
            move |all: &mut Vec<Arrived>| {
                let (key, value) = (key.clone(), Some(value.clone()));
                all.push(Arrived { partition: PartitionId(0), key, value });
            }
        };
        let want = Faults { corrupted: 1, ..Faults::default() };
        check(stranger(Mark { producer: 0, sequence: 200 }), want);
        check(stranger(Mark { producer: 2, sequence: 0 }), want);
    }

    #[test]
    fn what_is_sent_may_be_known_only_at_the_end() {
        let payloads = Payloads::random(Shape { record_size: 40, keys: Some(3), seed: 5 });
        for sent in [0, 63, 64, 65, 100, 199, 200] {
            let mut ledger = Ledger::new(&payloads, &[1000, 1000]);
            for arrived in (0..400).map(|n| arrival(&payloads, n)) {
                let (key, value) = (arrived.key.as_deref(), arrived.value.as_deref());
                assert!(ledger.see(arrived.partition, key, value).is_some());
            }
            ledger.sent_were(&[sent, 200]);
            let Account { verified, faults, .. } = ledger.close();
            assert_eq!(verified, 200 + sent);
            assert_eq!(faults, Faults { corrupted: 200 - sent, ..Faults::default() });
        }
    }

    #[test]
    fn a_failed_record_is_not_also_lost() {
        let payloads = Payloads::random(Shape { record_size: 40, keys: None, seed: 5 });
        let mut ledger = Ledger::new(&payloads, &[2]);
        ledger.failed(Mark { producer: 0, sequence: 1 });
        assert_eq!(ledger.acknowledged(), 1);
        let faults = ledger.close().faults;
        assert_eq!(faults, Faults { lost: 1, failed: 1, ..Faults::default() });
    }
}
