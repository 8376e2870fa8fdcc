//! What a broker does when nobody asks: flush, checkpoint, let go of what is too old or replaced.
//! Never knows: requests. What is due is decided by pure functions; the clock is read in `run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::compaction::{Which, compact};
use super::partition::{Partition, now};
use super::topics::Topics;
use crate::broker::Durability;
use crate::log::{Log, RealDisk, Retention};
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

fn flush_once(topics: &Topics, checkpoint: bool) {
    let bytes_max = match topics.durability() {
        Durability::Fsync => UNCHECKED_BYTES_MAX,
        Durability::Os => UNCHECKED_BYTES_MAX_OS,
    };
    for topic in topics.all() {
        for partition in &topic.partitions {
            let due = |log: &mut Log<RealDisk>| bytes_max < log.unchecked_bytes();
            if partition.if_open(due).unwrap_or(false) {
                flush(partition);
            }
        }
    }
    if checkpoint && let Err(error) = topics.write_checkpoints() {
        tracing::error!(%error, "cannot write checkpoints");
    }
}

fn flush(partition: &Partition) {
    let topic = &partition.core.name;
    if let Err(error) = partition.checkpoint() {
        tracing::error!(%topic, partition = %partition.id, %error, "cannot flush");
    }
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
