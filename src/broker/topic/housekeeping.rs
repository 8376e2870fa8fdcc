//! What a broker does when nobody asks: flush, checkpoint, let go of what is too old or replaced.
//! Never knows: requests. What is due is decided by pure functions; the clock is read in `run`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::compaction::{Which, compact};
use super::partition::{Partition, now};
use super::topics::Topics;
use crate::broker::Durability;
use crate::log::{Retention, Unchecked, is_full};
use crate::record::Timestamp;

const FLUSH_EVERY: Duration = Duration::from_secs(1);
const CHECKPOINT_EVERY: u32 = 10;

/// As Apache's (LogManager.InitialTaskDelayMs), unless it is to look more often.
const RETENTION_DELAY: Duration = Duration::from_secs(30);

/// Before the first compaction. A broker that commands start stays longer than that.
const COMPACTION_DELAY: Duration = Duration::from_secs(5);

/// What a broker that leaves spends on retention, and on compaction: one that never stays longer
/// than its linger would otherwise never let go of anything.
const FAREWELL_BUDGET: Duration = Duration::from_millis(500);

/// A larger log is not compacted in that time.
const FAREWELL_BYTES_MAX: u64 = 64 << 20;

/// What recovery may have to read of one log after a crash.
const UNCHECKED_BYTES_MAX: u64 = 8 << 20;

/// The same where nothing is synced for its own sake: the disk is left alone for longer.
const UNCHECKED_BYTES_MAX_OS: u64 = 256 << 20;

/// How old such bytes may become, as far as the time for it goes: what is damaged in them later
/// passes for torn. Apache's flush.offset.checkpoint.interval.ms; sooner where they are durable.
const UNCHECKED_MS_MAX: i64 = 5_000;
const UNCHECKED_MS_MAX_OS: i64 = 60_000;

/// What of each `FLUSH_EVERY` is spent on checkpoints for the sake of their age, so that thousands
/// of logs that are written to cost a small part of the throughput.
const CHECKPOINT_BUDGET: Duration = Duration::from_millis(30);

/// What of each `FLUSH_EVERY` is spent on transactions that could not be ended before, each of
/// which may have the coordinator's books read.
const TRANSACTIONS_BUDGET: Duration = Duration::from_millis(30);

/// The work in the background, until it is stopped.
pub struct Background {
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl Background {
    pub fn start(topics: Arc<Topics>) -> Background {
        let (stop, stopped) = watch::channel(false);
        let compaction = tokio::spawn(compact_on(topics.clone(), stopped.clone()));
        Background { stop, tasks: [compaction, tokio::spawn(run(topics, stopped))] }
    }

    /// Returns when what is under way is done.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

async fn run(topics: Arc<Topics>, mut stopped: watch::Receiver<bool>) {
    blocking(&topics, |topics| remove_all(topics.take_leftovers())).await;
    let check_every = topics.settings().number("log.retention.check.interval.ms").unsigned_abs();
    let check_every = Duration::from_millis(check_every.max(1));
    // Not at once: an instant start has better things to do than to open every log.
    let first = tokio::time::Instant::now() + RETENTION_DELAY.min(check_every);
    let mut retention = tokio::time::interval_at(first, check_every);
    retention.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut flushes = 0u32;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = retention.tick() => blocking(&topics, |topics| retain(topics, || true)).await,
            _ = flush.tick() => {
                flushes = flushes.wrapping_add(1);
                let checkpoint = flushes.is_multiple_of(CHECKPOINT_EVERY);
                blocking(&topics, move |topics| flush_once(topics, checkpoint)).await;
            }
        }
    }
}

async fn blocking(topics: &Arc<Topics>, work: impl FnOnce(&Topics) + Send + 'static) {
    let topics = topics.clone();
    // A panic in it has been logged; the next round begins anew.
    let _ = tokio::task::spawn_blocking(move || work(&topics)).await;
}

/// Compacts, and again at once as long as there is something to compact (`log.cleaner.backoff.ms`).
async fn compact_on(topics: Arc<Topics>, mut stopped: watch::Receiver<bool>) {
    let backoff = |topics: &Topics| {
        let ms = topics.settings().number("log.cleaner.backoff.ms");
        Duration::from_millis(ms.unsigned_abs().max(1))
    };
    let mut pause = COMPACTION_DELAY.min(backoff(&topics));
    let mut which = Which::InUse;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let (all, stop) = (topics.clone(), stopped.clone());
        let compacting = move || compact(&all, which, &|| !*stop.borrow());
        // A panic in it has been logged.
        let any = tokio::task::spawn_blocking(compacting).await.unwrap_or(false);
        pause = if any { Duration::ZERO } else { backoff(&topics) };
        which = Which::OnDisk;
    }
}

/// Checkpoints of the logs that are due, and, if that is due, of the data directory.
pub(super) fn flush_once(topics: &Topics, checkpoint: bool) {
    let limits = match topics.durability() {
        Durability::Fsync => Limits { bytes: UNCHECKED_BYTES_MAX, ms: UNCHECKED_MS_MAX },
        Durability::Os => Limits { bytes: UNCHECKED_BYTES_MAX_OS, ms: UNCHECKED_MS_MAX_OS },
    };
    let begun = Instant::now();
    for (urgency, partition) in due(topics, &limits, now()) {
        if urgency != Urgency::TooMuch && CHECKPOINT_BUDGET < begun.elapsed() {
            break;
        }
        let flushed = flush(&partition);
        if urgency != Urgency::TooMuch && flushed.is_err_and(|error| is_full(&error)) {
            break;
        }
    }
    end_transactions(topics);
    if checkpoint && let Err(error) = topics.write_checkpoints() {
        tracing::error!(%error, "cannot write checkpoints");
    }
}

/// Ends transactions that could not be ended when their logs were opened.
fn end_transactions(topics: &Topics) {
    let begun = Instant::now();
    for topic in topics.all() {
        for partition in &topic.partitions {
            if partition.end_transactions() && TRANSACTIONS_BUDGET < begun.elapsed() {
                return;
            }
        }
    }
}

/// The logs that are due for a checkpoint, the most urgent first.
fn due(topics: &Topics, limits: &Limits, now: Timestamp) -> Vec<(Urgency, Arc<Partition>)> {
    let mut due = Vec::new();
    for topic in topics.all() {
        for partition in &topic.partitions {
            let unchecked = partition.if_open(|log| log.unchecked()).flatten();
            let urgency = unchecked.and_then(|unchecked| limits.urgency(&unchecked, now));
            due.extend(urgency.map(|urgency| (urgency, partition.clone())));
        }
    }
    due.sort_by_key(|(urgency, _)| *urgency);
    due
}

/// What recovery may have to read of a log.
struct Limits {
    bytes: u64,
    ms: i64,
}

/// Why a log is due for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// However long it takes.
    TooMuch,
    TooOld {
        since: Timestamp,
    },
}

impl Limits {
    fn urgency(&self, unchecked: &Unchecked, now: Timestamp) -> Option<Urgency> {
        let since = unchecked.since;
        if self.bytes < unchecked.bytes {
            return Some(Urgency::TooMuch);
        }
        // A clock that was set back must not put it off.
        let is_old = self.ms.unsigned_abs() <= now.get().abs_diff(since.get());
        (is_old || unchecked.has_rolled).then_some(Urgency::TooOld { since })
    }
}

fn flush(partition: &Partition) -> io::Result<()> {
    partition.checkpoint().inspect_err(|error| {
        let topic = &partition.core.name;
        tracing::error!(%topic, partition = %partition.id, %error, "cannot flush");
    })
}

/// What is due before the broker leaves, as far as its budget goes. Retention begins where the
/// clock says, so that in the long run every topic has its turn.
pub fn tidy_in_leaving(topics: &Topics) {
    let budget = || {
        let begun = std::time::Instant::now();
        move || begun.elapsed() < FAREWELL_BUDGET
    };
    retain(topics, budget());
    compact(topics, Which::Smaller { bytes_max: FAREWELL_BYTES_MAX }, &budget());
}

/// Lets go of what is too old or too much, of every log that is on disk, while `go_on` says so.
fn retain(topics: &Topics, go_on: impl Fn() -> bool) {
    let mut all = topics.all();
    let turn = usize::try_from(now().get()).unwrap_or(0).checked_rem(all.len()).unwrap_or(0);
    all.rotate_left(turn);
    for topic in all {
        let config = topic.core.config();
        if !config.delete || (config.retention_ms.is_none() && config.retention_bytes.is_none()) {
            continue;
        }
        let keep = Retention { ms: config.retention_ms, bytes: config.retention_bytes };
        for partition in &topic.partitions {
            if !go_on() {
                return;
            }
            // What cannot be opened has been logged.
            if partition.wake_if_on_disk().is_ok() {
                retain_one(partition, &keep, now());
            }
        }
    }
}

fn retain_one(partition: &Partition, keep: &Retention, now: Timestamp) {
    let topic = &partition.core.name;
    match partition.remove_expired(keep, now) {
        None => {}
        Some(Ok(removed)) if removed.segments == 0 => {}
        Some(Ok(removed)) => {
            let (segments, bytes) = (removed.segments, removed.bytes);
            tracing::info!(%topic, partition = %partition.id, segments, bytes, "retention removed");
        }
        Some(Err(error)) => {
            tracing::error!(%topic, partition = %partition.id, %error, "retention failed");
        }
    }
}

/// Removes directories of deleted topics.
pub fn remove_all(leftovers: Vec<PathBuf>) {
    for dir in leftovers {
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            tracing::warn!(dir = %dir.display(), %error, "cannot remove a deleted topic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_checkpointed_when_it_holds_too_much_or_too_old_or_has_rolled() {
        let limits = Limits { bytes: 100, ms: 10 };
        let check = |bytes, since, has_rolled, want| {
            let unchecked = Unchecked { bytes, since: Timestamp(since), has_rolled };
            let found = limits.urgency(&unchecked, Timestamp(1000));
            assert_eq!(found, want, "{unchecked:?}");
        };
        let old = |since| Some(Urgency::TooOld { since: Timestamp(since) });
        check(100, 991, false, None);
        check(101, 991, false, Some(Urgency::TooMuch));
        check(1, 990, false, old(990));
        check(1, 991, true, old(991));
        check(1, 1010, false, old(1010));
        assert!(Some(Urgency::TooMuch) < old(0) && old(0) < old(1), "the most urgent first");
    }
}
