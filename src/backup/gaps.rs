//! Ranges of offsets that a backup has no batch of.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::Offset;

/// More are not listed: a log that lost segments has a few, one that was compacted thousands.
const RANGES_MAX: usize = 1000;
/// So many are named in a line.
const NAMED_MAX: usize = 3;

/// From an offset up to another, exclusive; rising, and not touching each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gaps(Vec<(Offset, Offset)>);

impl Gaps {
    /// Behind all that are listed. Where there are too many, the oldest is forgotten.
    pub fn add(&mut self, from: Offset, until: Offset) {
        match self.0.last_mut() {
            _ if until <= from => {}
            Some((_, end)) if from <= *end => *end = until.max(*end),
            _ => {
                if self.is_full() {
                    self.0.remove(0);
                }
                self.0.push((from, until));
            }
        }
    }

    pub fn add_all(&mut self, others: &Gaps) {
        others.0.iter().for_each(|&(from, until)| self.add(from, until));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_full(&self) -> bool {
        RANGES_MAX <= self.0.len()
    }

    pub fn contains(&self, offset: Offset) -> bool {
        let before = self.0.partition_point(|(from, _)| *from <= offset);
        before.checked_sub(1).is_some_and(|last| offset < self.0[last].1)
    }

    /// How many there are.
    pub fn offsets(&self) -> i64 {
        self.0.iter().map(|(from, until)| until.get() - from.get()).sum()
    }

    pub fn drop_before(&mut self, start: Offset) {
        self.0.retain_mut(|(from, until)| {
            *from = start.max(*from);
            *from < *until
        });
    }

    pub(super) fn is_sound(&self) -> bool {
        let rising = self.0.windows(2).all(|pair| pair[0].1 < pair[1].0);
        rising && self.0.iter().all(|(from, until)| Offset::ZERO <= *from && from < until)
    }
}

/// `offset 7`, `offsets 7, 500 to 999 and 3 ranges more`.
impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.0.iter().take(NAMED_MAX).map(range).collect();
        f.write_str(if self.offsets() == 1 { "offset " } else { "offsets " })?;
        match (self.0.len() - named.len(), named.split_last()) {
            (0, Some((last, [first @ .., before]))) => {
                first.iter().try_for_each(|range| write!(f, "{range}, "))?;
                write!(f, "{before} and {last}")
            }
            (0, _) => f.write_str(&named.concat()),
            (1, _) => write!(f, "{} and 1 range more", named.join(", ")),
            (more, _) => write!(f, "{} and {more} ranges more", named.join(", ")),
        }
    }
}

fn range(&(from, until): &(Offset, Offset)) -> String {
    match until.get() - 1 {
        last if last == from.get() => last.to_string(),
        last => format!("{from} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(ranges: &[(i64, i64)]) -> Gaps {
        let mut gaps = Gaps::default();
        ranges.iter().for_each(|&(from, until)| gaps.add(Offset(from), Offset(until)));
        gaps
    }

    #[track_caller]
    fn check(ranges: &[(i64, i64)], offsets: i64, want: &str) {
        let gaps = gaps(ranges);
        assert!(gaps.is_sound());
        assert_eq!((gaps.offsets(), gaps.to_string().as_str()), (offsets, want));
    }

    #[test]
    fn ranges_are_put_together_and_named() {
        check(&[(7, 8), (9, 9)], 1, "offset 7");
        check(&[(500, 700), (700, 900), (800, 1000)], 500, "offsets 500 to 999");
        check(&[(7, 8), (10, 13)], 4, "offsets 7 and 10 to 12");
        check(&[(1, 2), (3, 4), (5, 6)], 3, "offsets 1, 3 and 5");
        check(&[(1, 2), (3, 4), (5, 6), (7, 9)], 5, "offsets 1, 3, 5 and 1 range more");
        check(&[(1, 2), (3, 4), (5, 6), (7, 9), (10, 11)], 6, "offsets 1, 3, 5 and 2 ranges more");
    }

    #[test]
    fn what_is_before_the_start_is_dropped() {
        let mut cut = gaps(&[(1, 3), (5, 9), (11, 12)]);
        cut.drop_before(Offset(7));
        assert_eq!(cut, gaps(&[(7, 9), (11, 12)]));
    }

    #[test]
    fn an_offset_is_in_a_range_or_in_none() {
        let gaps = gaps(&[(1, 3), (5, 6)]);
        let contained: Vec<_> = (0..8).filter(|&n| gaps.contains(Offset(n))).collect();
        assert_eq!(contained, [1, 2, 5]);
    }

    #[test]
    fn too_many_ranges_cost_the_oldest() {
        let many: Vec<_> = (0..=RANGES_MAX as i64).map(|n| (2 * n, 2 * n + 1)).collect();
        assert_eq!(gaps(&many), gaps(&many[1..]));
    }

    #[test]
    fn what_no_backup_wrote_is_unsound() {
        for ranges in [&[(3, 3)][..], &[(-1, 3)], &[(5, 6), (1, 2)], &[(1, 2), (2, 3)]] {
            let ranges = ranges.iter().map(|&(from, until)| (Offset(from), Offset(until)));
            assert!(!Gaps(ranges.collect()).is_sound());
        }
    }
}
