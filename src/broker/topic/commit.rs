//! Group commit: one sync of a log for all who wait for it, round after round.
//! Never knows: requests; what is synced is a closure to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::record::Offset;

/// Syncs of one log on end before its thread serves others.
const ROUNDS_MAX: usize = 8;

/// The disk did not take what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncFailed;

/// The promise that a log is durable up to an offset.
pub enum Ticket {
    Kept,
    Pending(oneshot::Receiver<Result<(), SyncFailed>>),
}

impl Ticket {
    pub async fn wait(self) -> Result<(), SyncFailed> {
        match self {
            Ticket::Kept => Ok(()),
            // Only a broker that ends drops the sender: nothing is known to be durable.
            Ticket::Pending(told) => told.await.unwrap_or(Err(SyncFailed)),
        }
    }
}

type Teller = oneshot::Sender<Result<(), SyncFailed>>;

#[derive(Default)]
struct Queue {
    durable: Offset,
    waiting: Vec<(Offset, Teller)>,
    running: bool,
}

/// Who waits for one log to be durable.
#[derive(Default)]
pub struct GroupCommit {
    queue: Mutex<Queue>,
}

/// What can be made durable: a sync of everything appended so far, which returns up to where.
pub trait Sync: Send + std::marker::Sync + 'static {
    fn sync(&self) -> Result<Offset, SyncFailed>;
    fn commit(&self) -> &GroupCommit;
}

impl GroupCommit {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for everything below `end` to be durable. The first to ask starts the rounds; who
    /// comes while one runs is served by the next.
    pub fn ask<S: Sync>(log: &Arc<S>, end: Offset) -> Ticket {
        let (teller, told) = oneshot::channel();
        let mut queue = log.commit().lock();
        if end <= queue.durable {
            return Ticket::Kept;
        }
        queue.waiting.push((end, teller));
        if !std::mem::replace(&mut queue.running, true) {
            let log = log.clone();
            tokio::task::spawn_blocking(move || rounds(log));
        }
        Ticket::Pending(told)
    }
}

/// Syncs until nobody waits. Where somebody always does, other logs have their turn in between.
fn rounds<S: Sync>(log: Arc<S>) {
    for _ in 0..ROUNDS_MAX {
        if round(&*log) == Round::Last {
            return;
        }
    }
    tokio::task::spawn_blocking(move || rounds(log));
}

#[derive(PartialEq, Eq)]
enum Round {
    Last,
    AnotherWaits,
}

fn round(log: &impl Sync) -> Round {
    // A defect in it must not leave those who wait without an answer.
    let synced = catch_unwind(AssertUnwindSafe(|| log.sync())).unwrap_or(Err(SyncFailed));
    let mut queue = log.commit().lock();
    let told = match synced {
        Ok(durable) => {
            queue.durable = queue.durable.max(durable);
            let all = std::mem::take(&mut queue.waiting);
            let (kept, waiting) = all.into_iter().partition(|(end, _)| *end <= durable);
            queue.waiting = waiting;
            kept
        }
        Err(SyncFailed) => std::mem::take(&mut queue.waiting),
    };
    queue.running = !queue.waiting.is_empty();
    let is_last = !queue.running;
    drop(queue);
    for (_, teller) in told {
        // Whoever asked may have gone.
        let _ = teller.send(synced.map(drop));
    }
    if is_last { Round::Last } else { Round::AnotherWaits }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counted {
        end: AtomicI64,
        syncs: AtomicUsize,
        broken: bool,
        commit: GroupCommit,
    }

    impl Sync for Counted {
        fn sync(&self) -> Result<Offset, SyncFailed> {
            self.syncs.fetch_add(1, Ordering::SeqCst);
            if self.broken {
                return Err(SyncFailed);
            }
            Ok(Offset(self.end.load(Ordering::SeqCst)))
        }

        fn commit(&self) -> &GroupCommit {
            &self.commit
        }
    }

    #[tokio::test]
    async fn what_is_durable_is_not_synced_again() {
        let log = Arc::new(Counted { end: AtomicI64::new(5), ..Counted::default() });
        assert_eq!(GroupCommit::ask(&log, Offset(5)).wait().await, Ok(()));
        assert_eq!(GroupCommit::ask(&log, Offset(3)).wait().await, Ok(()));
        assert_eq!(log.syncs.load(Ordering::SeqCst), 1);
    }

    /// One that somebody waits for again whenever it was synced.
    #[derive(Default)]
    struct Busy {
        end: AtomicI64,
        commit: GroupCommit,
    }

    impl Sync for Busy {
        fn sync(&self) -> Result<Offset, SyncFailed> {
            let end = Offset(self.end.fetch_add(1, Ordering::SeqCst));
            let (teller, _) = oneshot::channel();
            self.commit.lock().waiting.push((Offset(end.get() + 1), teller));
            Ok(end)
        }

        fn commit(&self) -> &GroupCommit {
            &self.commit
        }
    }

    #[test]
    fn a_log_that_is_never_done_lets_others_have_their_turn() {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let busy = Arc::new(Busy::default());
            let _never_done = GroupCommit::ask(&busy, Offset(1));
            let idle = Arc::new(Counted { end: AtomicI64::new(5), ..Counted::default() });
            assert_eq!(GroupCommit::ask(&idle, Offset(5)).wait().await, Ok(()));
        });
        runtime.shutdown_background();
    }

    #[tokio::test]
    async fn a_failed_sync_is_told_to_all_who_wait() {
        let log = Arc::new(Counted { broken: true, ..Counted::default() });
        let (a, b) = (GroupCommit::ask(&log, Offset(1)), GroupCommit::ask(&log, Offset(2)));
        assert_eq!(a.wait().await, Err(SyncFailed));
        assert_eq!(b.wait().await, Err(SyncFailed));
    }
}
