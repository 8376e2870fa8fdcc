//! `kaw-missing` in a partition's directory: offsets that were gone when the log was opened, until
//! somebody accepts that. Apache Kafka ignores the file.

use std::fmt::Write as _;

use super::text::{BadLine, parse_checkpoint};
use crate::record::Offset;

pub(super) const NAME: &str = "kaw-missing";

/// Ranges of offsets, rising and apart, their ends exclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    ranges: Vec<(Offset, Offset)>,
}

impl Missing {
    pub(super) fn parse(file: &[u8]) -> Result<Missing, BadLine> {
        let ranges = parse_checkpoint(file, parse_range)?;
        match ranges.windows(2).position(|pair| pair[1].0 <= pair[0].1) {
            Some(at) => Err(BadLine { line: at + 4, what: "the ranges do not rise" }),
            None => Ok(Missing { ranges }),
        }
    }

    pub(super) fn file(&self) -> Vec<u8> {
        let mut text = format!("0\n{}\n", self.ranges.len());
        for (from, to) in &self.ranges {
            writeln!(text, "{from} {to}").expect("memory takes it");
        }
        text.into_bytes()
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = (Offset, Offset)> {
        self.ranges.iter().copied()
    }

    pub(super) fn add(&mut self, from: Offset, to: Offset) {
        let touches = |range: &mut (Offset, Offset)| range.0 <= to && from <= range.1;
        let near: Vec<_> = self.ranges.extract_if(.., touches).collect();
        let from = near.first().map_or(from, |first| first.0.min(from));
        let to = near.last().map_or(to, |last| last.1.max(to));
        let after = self.ranges.partition_point(|range| range.0 < from);
        self.ranges.insert(after, (from, to));
    }
}

/// One line of the file.
fn parse_range(line: &str) -> Option<(Offset, Offset)> {
    let (from, to) = line.split_once(' ')?;
    let (from, to) = (Offset(from.parse().ok()?), Offset(to.trim().parse().ok()?));
    (Offset::ZERO <= from && from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one_and_are_read_back() {
        let mut missing = Missing::default();
        for (from, to) in [(50, 60), (0, 10), (20, 30), (10, 15), (28, 40), (50, 55)] {
            missing.add(Offset(from), Offset(to));
        }
        assert_eq!(missing.file(), b"0\n3\n0 15\n20 40\n50 60\n");
        assert_eq!(Missing::parse(&missing.file()).unwrap(), missing);
        for bad in ["", "0\n1\n", "0\n1\n5 5\n", "0\n1\n-1 5\n", "0\n1\n5\n", "0\n2\n5 6\n1 2\n"] {
            assert!(Missing::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
