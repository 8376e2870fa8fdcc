//! Compaction of the logs of `cleanup.policy=compact`, the dirtiest first, one at a time.
//! Never knows: requests, what a record says.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::partition::{Partition, now};
use super::topics::Topics;
use crate::log::{CompactError, Compaction};

/// How long a pause of the throttle is at most: whoever stops the broker does not wait longer.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Which logs are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    InUse,
    /// Those of the same that are no larger than this.
    Smaller {
        bytes_max: u64,
    },
    /// All; they are opened for it.
    OnDisk,
}

/// A log that is dirty enough.
struct Dirty {
    ratio: f64,
    partition: Arc<Partition>,
    rules: Compaction,
}

/// What compaction made of a log.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    bytes_before: u64,
    bytes_after: u64,
    kept_whole: u64,
}

/// Compacts all logs that are dirty enough, while `go_on` says so. Whether there were any: with
/// little memory there may be more to do.
pub fn compact(topics: &Topics, which: Which, go_on: &dyn Fn() -> bool) -> bool {
    if !topics.settings().boolean("log.cleaner.enable") {
        return false;
    }
    let mut all = dirty(topics, which);
    all.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let mut throttle = Throttle::new(topics);
    let mut any = false;
    for Dirty { partition, rules, .. } in all {
        let mut pace = |bytes: usize| match go_on() && throttle.wait(bytes, go_on) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let begun = Instant::now();
        let (topic, id) = (&partition.core.name, partition.id);
        match clean(&partition, &rules, &mut pace) {
            Ok(None) => {}
            Ok(Some(Outcome { bytes_before, bytes_after, kept_whole })) => {
                any = true;
                if 0 < kept_whole {
                    tracing::warn!(
                        %topic, partition = %id, batches = kept_whole,
                        "batches that cannot be decompressed, or to too much, stay as they are"
                    );
                }
                let ms = begun.elapsed().as_millis();
                tracing::info!(%topic, partition = %id, bytes_before, bytes_after, ms, "compacted");
            }
            Err(CompactError::Stopped | CompactError::Overtaken) => {}
            Err(error) => {
                if let CompactError::Damaged { .. } = error {
                    partition.give_up_compaction();
                }
                tracing::error!(%topic, partition = %id, %error, "compaction failed");
            }
        }
    }
    // Else it would only be done again.
    if any && let Err(error) = topics.write_checkpoints() {
        tracing::error!(%error, "cannot write checkpoints");
    }
    any
}

fn dirty(topics: &Topics, which: Which) -> Vec<Dirty> {
    let mut all = Vec::new();
    for topic in topics.all() {
        let Some(rules) = topic.core.config().compact else { continue };
        for partition in &topic.partitions {
            // What cannot be opened has been logged.
            if which == Which::OnDisk && partition.wake_if_on_disk().is_err() {
                continue;
            }
            let ratio = partition.if_open(|log| match which {
                Which::Smaller { bytes_max } if bytes_max < log.bytes() => Ok(None),
                _ => log.dirty_ratio(&rules, now()),
            });
            match ratio.filter(|_| partition.may_be_compacted()) {
                Some(Ok(Some(ratio))) => {
                    all.push(Dirty { ratio, partition: partition.clone(), rules });
                }
                Some(Ok(None)) | None => {}
                Some(Err(error)) => {
                    let (topic, partition) = (&partition.core.name, partition.id);
                    tracing::error!(%topic, %partition, %error, "cannot tell whether it is dirty");
                }
            }
        }
    }
    all
}

/// None: somebody else was quicker, or the log is gone.
fn clean(
    partition: &Partition,
    rules: &Compaction,
    pace: &mut crate::log::Pace<'_>,
) -> Result<Option<Outcome>, CompactError> {
    let disk = |error| CompactError::Disk { path: partition.dir(), error };
    // What is compacted must be durable, and recovery must begin behind it.
    partition.checkpoint().map_err(disk)?;
    let cleaning = partition.if_open(|log| log.cleaning(rules, now()));
    let Some(mut cleaning) = cleaning.transpose().map_err(disk)?.flatten() else {
        return Ok(None);
    };
    let mut outcome = Outcome::default();
    while let Some(cleaned) = cleaning.next(pace)? {
        let Some(swapped) = partition.if_open(|log| log.swap(cleaned)) else { return Ok(None) };
        let swapped = swapped?;
        swapped.sync().map_err(disk)?;
        outcome.bytes_before += swapped.bytes_before;
        outcome.bytes_after += swapped.bytes_after;
    }
    outcome.kept_whole = cleaning.kept_whole();
    partition.if_open(|log| log.compacted(cleaning.end()));
    Ok(Some(outcome))
}

/// `log.cleaner.io.max.bytes.per.second`, of reading and writing together.
struct Throttle {
    begun: Instant,
    bytes: u64,
    bytes_per_second: f64,
}

impl Throttle {
    fn new(topics: &Topics) -> Throttle {
        let text = topics.settings().get("log.cleaner.io.max.bytes.per.second").map(str::to_owned);
        let bytes_per_second = text.and_then(|text| text.trim().parse().ok()).unwrap_or(f64::MAX);
        Throttle { begun: Instant::now(), bytes: 0, bytes_per_second }
    }

    /// Waits until so many bytes more are due. Whether it waited so long.
    fn wait(&mut self, bytes: usize, go_on: &dyn Fn() -> bool) -> bool {
        self.bytes += bytes as u64;
        while let Some(rest) = self.early() {
            if !go_on() {
                return false;
            }
            // A throttle waits for the time itself; in pieces, so that a stop is not kept waiting.
            std::thread::sleep(rest.min(PAUSE_MAX));
        }
        true
    }

    fn early(&self) -> Option<Duration> {
        let due = Duration::try_from_secs_f64(self.bytes as f64 / self.bytes_per_second.max(1.0));
        due.unwrap_or(Duration::MAX)
            .checked_sub(self.begun.elapsed())
            .filter(|rest| !rest.is_zero())
    }
}
