//! What a compaction or a deletion that was cut off has left, by the names of its files alone.
//! The next start ends it (`recover/swap.rs`, Apache's LogLoader).

use std::collections::BTreeSet;

use crate::log::files::{Kind, Stage};
use crate::log::inspect::{Entry, Name, Thing};
use crate::record::Offset;

#[derive(Default)]
pub(super) struct Unfinished {
    /// Segments that wait to take the place of others.
    swaps: BTreeSet<Offset>,
    /// Segments that have their names no more.
    deleted: BTreeSet<Offset>,
    logs: BTreeSet<Offset>,
}

impl Unfinished {
    pub fn new(entries: &[Entry]) -> Unfinished {
        let mut unfinished = Unfinished::default();
        let is_file = |entry: &&Entry| matches!(entry.thing, Thing::File { .. });
        for Entry { name, .. } in entries.iter().filter(is_file) {
            if let Some((Kind::Log, base)) = Stage::Swap.parse(name) {
                unfinished.swaps.insert(base);
            }
            if let Some((Kind::Log, base)) = name.strip_suffix(".deleted").and_then(Kind::parse) {
                unfinished.deleted.insert(base);
            }
            if let Name::Log(base) = Name::parse(name) {
                unfinished.logs.insert(base);
            }
        }
        unfinished
    }

    /// Whether offsets may be missing between segments: those that have them wait for their names.
    pub fn is_compaction(&self) -> bool {
        !self.swaps.is_empty()
    }

    /// The first segment that waits for its name.
    pub fn first(&self) -> Option<Offset> {
        self.swaps.first().copied()
    }

    /// Whether files of this segment may have gone before others: it was renamed to be deleted, or
    /// another one is to take its place. Those that are replaced go in their order.
    pub fn is_going(&self, base: Offset) -> bool {
        let Some(swap) = self.swaps.range(..=base).next_back() else {
            return self.deleted.contains(&base);
        };
        self.deleted.contains(&base) || self.logs.range(..base).next_back() <= Some(swap)
    }

    /// Whether the log has got its name, so that what belongs to it may still wait for theirs.
    pub fn is_in_place(&self, base: Offset) -> bool {
        self.logs.contains(&base) && !self.swaps.contains(&base)
    }
}
