//! Partitions as `-p` names them.
//! Never knows: which there are.

use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::record::PartitionId;

/// A partition, or several in a row.
#[derive(Clone, Debug)]
pub struct Partitions(RangeInclusive<u16>);

impl Partitions {
    pub fn ids(&self) -> impl Iterator<Item = PartitionId> + use<> {
        self.0.clone().map(|id| PartitionId(id.into()))
    }
}

impl FromStr for Partitions {
    type Err = String;

    fn from_str(text: &str) -> Result<Partitions, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Partitions(first..=last)),
            _ => Err("write 0, 0,3 or 0-3".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let ids = |all: Partitions| all.ids().map(|id| id.to_string()).collect::<Vec<_>>();
        let said = text.parse().map_or_else(|why| why, |all| ids(all).join(" "));
        assert_eq!(said, want, "{text}");
    }

    #[test]
    fn a_partition_or_several_in_a_row() {
        check("7", "7");
        check("0-2", "0 1 2");
        check("3-3", "3");
        check("65535", "65535");
        for wrong in ["", "-", "-1", "2-0", "0-", "0-1-2", "65536", "x", "0..2"] {
            check(wrong, "write 0, 0,3 or 0-3");
        }
    }
}
