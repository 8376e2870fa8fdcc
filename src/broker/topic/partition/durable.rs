//! Bringing a partition's records to the disk, for acks and for the next start.
//! Never knows: who waits for it.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Partition, Unusable};
use crate::broker::topic::commit::{self, GroupCommit, SyncFailed, Ticket};
use crate::log::Log;
use crate::record::Offset;

impl Partition {
    /// The promise that everything below `end` is on the disk.
    pub fn durable(self: &Arc<Self>, end: Offset) -> Ticket {
        GroupCommit::ask(self, end)
    }

    /// Brings everything that was appended to the disk, here and now.
    pub fn make_durable(&self) -> Result<(), Unusable> {
        commit::Sync::sync(self).map(drop).map_err(|_| Unusable::Broken)
    }

    /// Brings everything that was appended to the disk, and makes it where recovery would begin.
    pub fn checkpoint(&self) -> io::Result<()> {
        let _alone = self.alone();
        let Some(checkpoint) = self.if_open(Log::checkpoint) else { return Ok(()) };
        let checkpoint = checkpoint?;
        checkpoint.run()?;
        self.if_open(|log| log.checkpointed(&checkpoint));
        Ok(())
    }

    /// Each segment that was closed holds files open until the next checkpoint. Whoever makes so
    /// many of them so soon waits for it.
    pub(super) fn let_files_go(&self) {
        if let Err(error) = tokio::task::block_in_place(|| self.checkpoint()) {
            let (topic, partition) = (&self.core.name, self.id);
            tracing::error!(%topic, %partition, %error, "cannot flush");
        }
    }

    /// Nobody else makes a checkpoint meanwhile: one that was begun before another must not end
    /// after it. What removes records may make one too. Taken before the log's own lock.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl commit::Sync for Partition {
    fn sync(&self) -> Result<Offset, SyncFailed> {
        let target = self.if_open(|log| (log.sync_target(), log.end())).ok_or(SyncFailed)?;
        let (Some(target), _) = target else { return Ok(target.1) };
        match target.run() {
            Ok(()) => {
                self.if_open(|log| log.synced(&target));
                Ok(target.end())
            }
            Err(error) => {
                let topic = &self.core.name;
                let partition = self.id;
                tracing::error!(%topic, %partition, %error, "cannot sync; not acknowledged");
                Err(SyncFailed)
            }
        }
    }

    fn commit(&self) -> &GroupCommit {
        &self.commit
    }
}
