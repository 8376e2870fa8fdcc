//! A compaction as the broker does it, while others append, delete, and the disk fails.
//! Never knows: what must hold.

use std::ops::ControlFlow;

use super::*;
use crate::log::tests::faulty::FaultyDisk;

impl Model {
    pub fn compact(&mut self, log: &mut Log<FaultyDisk>) {
        let rules = Compaction {
            dirty_ratio_min: 0.0,
            memory_bytes_max: [100, 1 << 20][self.dice.below(2) as usize],
            ..Compaction::default()
        };
        self.checkpoint(log);
        let Ok(Some(mut cleaning)) = log.cleaning(&rules, self.now()) else { return };
        loop {
            let stops = self.dice.chance(20);
            let mut pace =
                |_| if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let Ok(cleaned) = cleaning.next(&mut pace) else { return };
            match self.dice.below(12) {
                0..6 => self.send(log),
                6..8 => self.sync(log),
                8 => self.delete_records(log),
                9 => self.checkpoint(log),
                _ => {}
            }
            let Some(cleaned) = cleaned else { break };
            match log.swap(cleaned) {
                Ok(swapped) if swapped.sync().is_ok() => {}
                _ => return,
            }
        }
        log.compacted(cleaning.end());
        self.counts.compactions += 1;
    }
}
