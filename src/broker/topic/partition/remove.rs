//! Letting go of records: by retention, and because somebody deleted them.
//! Never knows: who, or when it is time.

use std::io;

use super::{Partition, Unusable, now};
use crate::log::{Log, RealDisk, Removal, Removed, Retention, is_full};
use crate::record::{Offset, Timestamp};

/// What came of deleting records.
pub struct Trimmed {
    /// Where the log begins now.
    pub start: Offset,
    pub removed: Removed,
}

/// Why records were not deleted.
pub enum Untrimmed {
    OutOfRange,
    Unusable(Unusable),
    Disk(std::io::Error),
}

/// Each is one more segment that was written full meanwhile.
const CHECKPOINTS_PER_REMOVAL_MAX: usize = 3;

impl Partition {
    /// Deletes what is before `offset`, or all that there is. It stays deleted once the data
    /// directory's checkpoint says where the log begins; the checkpoint counts only for a log that
    /// reaches so far, after a power loss too.
    pub fn trim(&self, offset: Option<Offset>) -> Result<Trimmed, Untrimmed> {
        self.with(|_| ()).and_then(|()| self.make_durable()).map_err(Untrimmed::Unusable)?;
        let offset = self.with(|log| {
            let offset = offset.unwrap_or(log.end());
            let is_inside = Offset::ZERO <= offset && offset <= log.end();
            is_inside.then_some(offset).ok_or(Untrimmed::OutOfRange)
        });
        let offset = offset.map_err(Untrimmed::Unusable)??;
        let removed = self.remove(|log| log.remove_before(offset, now()));
        self.waiters.wake();
        let gone = || Untrimmed::Unusable(Unusable::Gone);
        let removed = removed.ok_or_else(gone)?.map_err(Untrimmed::Disk)?;
        let start = self.if_open(|log| log.start()).ok_or_else(gone)?;
        Ok(Trimmed { start, removed })
    }

    /// Removes what has outlived its time. `None`: the log is not open.
    pub fn remove_expired(&self, keep: &Retention, now: Timestamp) -> Option<io::Result<Removed>> {
        self.remove(|log| log.remove_expired(keep, now))
    }

    /// Asks the log until nothing has to be brought to the disk before, without its lock. Whoever
    /// writes may be quicker: then the next time goes on. `None`: the log is not open.
    fn remove(
        &self,
        wish: impl Fn(&mut Log<RealDisk>) -> io::Result<Removal<RealDisk>>,
    ) -> Option<io::Result<Removed>> {
        let _alone = self.alone();
        let mut all = Removed::default();
        for _ in 0..CHECKPOINTS_PER_REMOVAL_MAX {
            let checkpoint = match self.if_open(&wish)? {
                Err(error) => Err(error),
                Ok(Removal::Done(removed)) => return Some(Ok(all.and(removed))),
                Ok(Removal::After(removed, checkpoint)) => {
                    all = all.and(removed);
                    checkpoint.run().map(|()| checkpoint)
                }
            };
            match checkpoint {
                Ok(checkpoint) => self.if_open(|log| log.checkpointed(&checkpoint))?,
                Err(error) if is_full(&error) && self.restart()? => {}
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(all))
    }

    /// Brings to the disk where the log begins, where there is no room for a checkpoint. Whether it
    /// could be.
    fn restart(&self) -> Option<bool> {
        let restart = self.if_open(|log| log.restart())?;
        let is_done = restart.run().unwrap_or(false);
        if is_done {
            self.if_open(|log| log.restarted(&restart))?;
        }
        Some(is_done)
    }
}
