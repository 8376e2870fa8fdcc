//! What a log did, as its clients saw it, and what a log must never do (Jepsen's invariants,
//! `jepsen.tests.kafka`): a pure checker, itself tested on bad histories.
//! Never knows: how a history came about.

use std::collections::{BTreeMap, BTreeSet};

/// One partition, one run. Values are unique.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every value that anybody tried to send, by its producer, in the order it was sent.
    pub sent: Vec<(u32, String)>,
    /// Offset and value of what was acknowledged.
    pub acknowledged: Vec<(i64, String)>,
    /// What each consumer read, poll after poll. `None`: it began anew, wherever it liked.
    pub polls: Vec<Vec<Option<(i64, String)>>>,
    /// The log from end to end, read at the end.
    pub last: Vec<(i64, String)>,
}

/// What a log must not do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// Acknowledged at an offset that readers went past, and nobody saw it.
    LostWrite(i64, String),
    /// Acknowledged, and not there when all was read, behind all that was.
    Unseen(i64, String),
    /// One value at two offsets.
    Duplicate(String, i64, i64),
    /// Two values at one offset.
    InconsistentOffset(i64, String, String),
    /// A consumer was given an earlier offset than before, or the same again.
    NonMonotonicPoll(i64, i64),
    /// A consumer was not given a record that others were given between two of its own.
    PollSkip(i64),
    /// What a producer sent later comes earlier.
    NonMonotonicSend(String, String),
    /// Nobody sent it.
    Phantom(String),
}

impl History {
    /// Everything that is wrong with it.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let mut found = Vec::new();
        let seen = self.seen(&mut found);
        self.check_acknowledged(&seen, &mut found);
        self.check_polls(&seen, &mut found);
        self.check_order(&seen, &mut found);
        found.sort();
        found.dedup();
        found
    }

    /// Which value is at which offset, as all tell who have read or were told.
    fn seen(&self, found: &mut Vec<Anomaly>) -> BTreeMap<i64, String> {
        let polled = self.polls.iter().flatten().flatten();
        let mut values: BTreeMap<i64, String> = BTreeMap::new();
        let mut offsets: BTreeMap<String, i64> = BTreeMap::new();
        let read: BTreeSet<_> = polled.chain(&self.last).collect();
        for (offset, value) in read.iter().copied().chain(&self.acknowledged) {
            let other = values.entry(*offset).or_insert_with(|| value.clone());
            if other != value {
                let both = (other.clone(), value.clone());
                found.push(Anomaly::InconsistentOffset(*offset, both.0, both.1));
            }
            let other = *offsets.entry(value.clone()).or_insert(*offset);
            if other != *offset {
                found.push(Anomaly::Duplicate(value.clone(), other, *offset));
            }
        }
        read.into_iter().cloned().collect()
    }

    fn check_acknowledged(&self, seen: &BTreeMap<i64, String>, found: &mut Vec<Anomaly>) {
        let end = seen.keys().next_back().copied();
        for (offset, value) in &self.acknowledged {
            if seen.contains_key(offset) {
                continue;
            }
            let (offset, value) = (*offset, value.clone());
            found.push(match end {
                Some(end) if offset < end => Anomaly::LostWrite(offset, value),
                _ => Anomaly::Unseen(offset, value),
            });
        }
    }

    fn check_polls(&self, seen: &BTreeMap<i64, String>, found: &mut Vec<Anomaly>) {
        for consumer in self.polls.iter() {
            for turns in consumer.split(Option::is_none) {
                for pair in turns.windows(2) {
                    let [Some((before, _)), Some((after, _))] = pair else { continue };
                    if after <= before {
                        found.push(Anomaly::NonMonotonicPoll(*before, *after));
                        continue;
                    }
                    let between = seen.range(before + 1..*after);
                    found.extend(between.map(|(offset, _)| Anomaly::PollSkip(*offset)));
                }
            }
        }
    }

    fn check_order(&self, seen: &BTreeMap<i64, String>, found: &mut Vec<Anomaly>) {
        let sent: BTreeMap<&str, (u32, usize)> =
            self.sent.iter().enumerate().map(|(at, (by, value))| (&**value, (*by, at))).collect();
        let mut latest: BTreeMap<u32, (usize, &str)> = BTreeMap::new();
        for value in seen.values() {
            let Some((producer, at)) = sent.get(&**value) else {
                found.push(Anomaly::Phantom(value.clone()));
                continue;
            };
            match latest.insert(*producer, (*at, value)) {
                Some((before, earlier)) if *at < before => {
                    found.push(Anomaly::NonMonotonicSend(earlier.to_owned(), value.clone()));
                }
                _ => {}
            }
        }
    }
}

mod tests {
    use super::*;

    /// `sent | acknowledged | polls; of each consumer | last`, in which `3a` is value `a` at offset
    /// 3, and `-` a consumer that begins anew. Producers are the letters' cases.
    fn history(text: &str) -> History {
        let at = |word: &str| {
            let (offset, value) = word.split_at(word.len() - 1);
            (offset.parse().unwrap(), value.to_owned())
        };
        let parts: Vec<&str> = text.split('|').collect();
        let words = |part: &str| part.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let by = |value: &String| u32::from(value.chars().all(char::is_uppercase));
        let poll = |word: &String| (word != "-").then(|| at(word));
        History {
            sent: words(parts[0]).into_iter().map(|value| (by(&value), value)).collect(),
            acknowledged: words(parts[1]).iter().map(|word| at(word)).collect(),
            polls: parts[2].split(';').map(|one| words(one).iter().map(poll).collect()).collect(),
            last: words(parts[3]).iter().map(|word| at(word)).collect(),
        }
    }

    #[track_caller]
    fn check(text: &str, want: &[Anomaly]) {
        assert_eq!(history(text).anomalies(), want, "{text}");
    }

    #[test]
    fn good_histories_are_good() {
        check("||||", &[]);
        check("a b c | 0a 1b 2c | 0a 1b; 1b 2c | 0a 1b 2c", &[]);
        // What was not acknowledged may be there or not; a consumer that began anew reads again.
        check("a b c d | 0a 1d | 0a - 0a 1d | 0a 1d", &[]);
        check("a A b B | 0A 3b | 0A 1a 2B 3b | 0A 1a 2B 3b", &[]);
        // Nobody has read so far; what retention took away nobody reads either, in the end.
        check("a b | 0a 1b | 0a | 1b", &[]);
    }

    #[test]
    fn bad_histories_are_told_apart() {
        use Anomaly::*;
        let s = |text: &str| text.to_owned();
        check("a b | 0a 1b | 1b | 1b", &[LostWrite(0, s("a"))]);
        check("a b | 0a 1b | 0a | 0a", &[Unseen(1, s("b"))]);
        check("a b | 0a | | ", &[Unseen(0, s("a"))]);
        check("a b | 0a | 0a | 0a 1a", &[Duplicate(s("a"), 0, 1)]);
        check("a | 0a | | 1a", &[LostWrite(0, s("a")), Duplicate(s("a"), 1, 0)]);
        check("a b | 0a | 0b | 0b", &[InconsistentOffset(0, s("b"), s("a"))]);
        check("a b | | 0a; 0b | ", &[InconsistentOffset(0, s("a"), s("b"))]);
        check("a b | 0a 1b | 0a 1b 0a | 0a 1b", &[NonMonotonicPoll(1, 0)]);
        check("a b | 0a 1b | 0a 0a 1b | 0a 1b", &[NonMonotonicPoll(0, 0)]);
        check("a b c | 0a 1b 2c | 0a 2c | 0a 1b 2c", &[PollSkip(1)]);
        check("a b | | | 0b 1a", &[NonMonotonicSend(s("b"), s("a"))]);
        check("a | | | 0a 1x", &[Phantom(s("x"))]);
    }
}
