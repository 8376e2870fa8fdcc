//! Opening a partition's log, when it is first needed.
//! Never knows: what for.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use super::{Partition, Unusable, now};
use crate::broker::topic::directory::segment_bytes;
use crate::broker::topic::report;
use crate::broker::topic::topics::set_stray_aside;
use crate::broker::topic::transactions::Unended;
use crate::log::{Known, Log, OpenError, RealDisk, Trust};
use crate::record::{Offset, Uuid};

impl Partition {
    /// Ends the transactions that were open in the log when it was opened. Who comes meanwhile
    /// waits.
    pub(super) fn decide(&self) {
        let mut unended = self.unended();
        if self.is_undecided.load(Ordering::Acquire) {
            unended.end_all(self);
            self.is_undecided.store(false, Ordering::Release);
        }
    }

    /// Ends what transactions could not be ended before, if it is time to try that again. Whether
    /// it was tried.
    pub fn end_transactions(&self) -> bool {
        let mut unended = match self.unended.try_lock() {
            Ok(unended) => unended,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // Whoever opened the log is at it.
            Err(TryLockError::WouldBlock) => return false,
        };
        if !unended.is_due(Instant::now()) {
            return false;
        }
        unended.end_again(self);
        self.waiters.wake();
        true
    }

    fn unended(&self) -> MutexGuard<'_, Unended> {
        self.unended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the log. One that could not be is let be for a while.
    pub(super) fn wake(&self, known: Known) -> Result<Log<RealDisk>, Unusable> {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if !broken.may_be_tried(Instant::now()) {
            return Err(Unusable::Broken);
        }
        let (topic, partition) = (&self.core.name, self.id);
        match tokio::task::block_in_place(|| self.open(known)) {
            Ok(log) => {
                if broken.mend() {
                    tracing::info!(%topic, %partition, "its log can be opened again");
                }
                Ok(log)
            }
            Err(error) => {
                if broken.fail(Instant::now(), error.to_string()) {
                    report::unusable(self, &error);
                }
                Err(Unusable::Broken)
            }
        }
    }

    fn open(&self, known: Known) -> Result<Log<RealDisk>, OpenError> {
        let (dir, settings) = (self.dir(), self.core.log_settings());
        let opened = Log::open(RealDisk, &dir, self.core.id, settings, known, now());
        match opened {
            Ok((log, recovered)) => {
                report::recovered(self, &log, &recovered);
                // It may have gone further than the catalogue says, by another program's hands or
                // because the catalogue lost more; then what followed is gone as well.
                let latest = log.latest_epoch().map_or(0, |latest| match known.trust {
                    Trust::Unclean => latest.get().saturating_add(1),
                    Trust::Clean | Trust::CleanButRead | Trust::Nothing => latest.get(),
                });
                self.leader_epoch.fetch_max(latest, Ordering::AcqRel);
                self.is_not_whole.store(!recovered.is_whole(), Ordering::Relaxed);
                let is_undecided = Unended::has_any(self, &log.open_transactions());
                self.is_undecided.store(is_undecided, Ordering::Release);
                Ok(log)
            }
            Err(OpenError::OtherTopic { found, .. })
                if self.is_leftover(found, &known)
                    && set_stray_aside(&dir, &self.core.name, self.id, found).is_ok() =>
            {
                self.open(Known::default())
            }
            Err(error) => Err(error),
        }
    }
    /// Whether the directory is one of a deleted topic, which a crash left behind, or holds
    /// nothing. Else its partition.metadata may be damaged, and the records in it are this
    /// partition's: to begin it anew would lose them.
    fn is_leftover(&self, found: Uuid, known: &Known) -> bool {
        let reached = known.recovery_point.max(known.log_start);
        let is_empty = reached <= Some(Offset::ZERO) && segment_bytes(&self.dir()) == 0;
        self.core.deleted.contains(&found) || is_empty
    }
}
