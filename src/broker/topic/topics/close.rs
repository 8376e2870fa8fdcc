//! How the directory is left: logs closed, checkpoints written, then the sign that all is well.
//! Never knows: who asks for it.

use std::collections::BTreeMap;
use std::io::{self, Error};
use std::sync::{Arc, PoisonError};

use super::super::directory::{self, Checkpoints};
use super::super::file_system::FileSystem;
use super::super::partition::{Partition, now};
use super::Topics;
use crate::broker::topic::catalogue::CatalogueError;
use crate::log::{Disk, Draft, PartitionOffset, RealDisk};
use crate::protocol::catalogue::{CatalogueRecord, PartitionRecord};

/// From so many logs on, the whole file system is synced instead of some ten files of each. It may
/// hold much that others have written: a few logs are synced sooner by themselves.
const LOGS_MANY: usize = 100;

/// Closing syncs: every log is durable up to its end. One that nobody used may have been further
/// than its high watermark says: what was durable stays so.
fn durable(checkpoints: &Checkpoints) -> Vec<PartitionOffset> {
    let mut points = BTreeMap::new();
    for line in checkpoints.recovery_points.iter().chain(&checkpoints.high_watermarks) {
        let point = points.entry((&line.topic, line.partition)).or_insert(line.offset);
        *point = line.offset.max(*point);
    }
    let line = |((topic, partition), offset): ((&String, _), _)| PartitionOffset {
        topic: topic.clone(),
        partition,
        offset,
    };
    points.into_iter().map(line).collect()
}

impl Topics {
    /// Writes the checkpoint files at the top of the directory, where they have changed.
    pub fn write_checkpoints(&self) -> io::Result<()> {
        let mut before = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.checkpoints();
        now.write(&self.data_dir, before.as_ref())?;
        *before = Some(now);
        Ok(())
    }

    /// The same, of where logs begin alone: who deletes records waits for it. Of several who wait,
    /// the first writes what the others find written.
    pub fn write_log_starts(&self) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.checkpoints();
        if let Some(before) = &*written {
            now.recovery_points.clone_from(&before.recovery_points);
            now.high_watermarks.clone_from(&before.high_watermarks);
        }
        now.write(&self.data_dir, written.as_ref())?;
        *written = Some(now);
        Ok(())
    }

    /// Topics were deleted, and their directories set aside: a power loss must not bring them back
    /// under a name that has got a new topic, nor what the checkpoints said of them.
    pub fn settle_deletions(&self) -> io::Result<()> {
        let written = self.write_checkpoints();
        // A full disk takes no checkpoints, but the new names.
        RealDisk.sync_dir(&self.data_dir)?;
        written
    }

    /// As they are now. What is written is taken under the lock, or an older one could come last.
    fn checkpoints(&self) -> Checkpoints {
        let mut now = Checkpoints::default();
        for topic in self.all() {
            for partition in &topic.partitions {
                partition.report(&mut now);
            }
        }
        now
    }

    /// The clean end: every log closed, then every checkpoint written, then the sign of it.
    pub fn close(&self) -> Result<(), Error> {
        let partitions: Vec<_> =
            self.all().iter().flat_map(|topic| topic.partitions.clone()).collect();
        // What was never used was never recovered either, after an unclean start.
        let asleep = partitions.iter().filter(|_| !self.clean_at_start);
        let broken = asleep.filter(|partition| partition.wake_at_last().is_err()).count();
        let mut checkpoints = Checkpoints::default();
        partitions.iter().for_each(|partition| partition.report(&mut checkpoints));
        let closed = close_all(&partitions, self.file_system.as_ref());
        let recorded = self.record_epochs().map_err(|error| Error::other(error.to_string()));
        self.catalogue.close(&self.data_dir, &self.identity)?;
        recorded?;
        if broken > 0 {
            let why = format!("{broken} of its logs cannot be opened; this was no clean stop");
            return Err(Error::other(why));
        }
        closed?;
        checkpoints.recovery_points = durable(&checkpoints);
        checkpoints.write(&self.data_dir, None)?;
        let broker_epoch = self.catalogue.lock().image.broker_epoch();
        directory::sign_clean_shutdown(&self.data_dir, broker_epoch)
    }

    /// Logs that went further than the catalogue says take it along: Apache Kafka serves the
    /// catalogue's epochs, and a consumer that knows a higher one would read nothing from it.
    fn record_epochs(&self) -> Result<(), CatalogueError> {
        let mut state = self.catalogue.lock();
        let mut records: Vec<CatalogueRecord> = Vec::new();
        for topic in self.all() {
            let Some(image) = state.image.topics.get(topic.name()) else { continue };
            for partition in &topic.partitions {
                let (id, leader_epoch) = (partition.id, partition.leader_epoch());
                let known = image.partitions.get(&id);
                let Some(known) = known.filter(|known| known.leader_epoch < leader_epoch) else {
                    continue;
                };
                // The whole record again: a change can raise the epoch only by one.
                let record = PartitionRecord {
                    partition: id,
                    topic_id: image.id,
                    replicas: known.replicas.clone(),
                    in_sync: vec![self.node],
                    leader: Some(self.node),
                    leader_epoch,
                    directories: vec![self.identity.directory_id; known.replicas.len()],
                    ..PartitionRecord::default()
                };
                records.push(record.into());
            }
        }
        self.append_all(&mut state, &records)
    }
}

/// Closes logs, several at a time.
fn close_all(partitions: &[Arc<Partition>], on: Option<&FileSystem>) -> io::Result<()> {
    let open: Vec<_> =
        partitions.iter().filter_map(|partition| Some((partition, partition.close()?))).collect();
    let Some(file_system) = on.filter(|_| LOGS_MANY <= open.len()) else {
        return side_by_side(open, |(of, log)| log.close(now()).map_err(not_closed(of))).map(drop);
    };
    let drafts = side_by_side(open, |(of, log)| {
        let checkpoint = log.finish(now()).map_err(not_closed(of))?;
        checkpoint.map(|checkpoint| checkpoint.draft()).transpose().map_err(not_closed(of))
    })?;
    file_system.sync()?;
    side_by_side(drafts.into_iter().flatten().collect(), Draft::put)?;
    file_system.sync()
}

/// The next start reads again what is not sure of such a log.
fn not_closed(of: &Partition) -> impl Fn(Error) -> Error {
    |error| Error::other(format!("{} was not closed: {error}", of.dir().display()))
}

/// Does the same with all, several at a time; the error is the first of any.
fn side_by_side<T: Send, R: Send>(
    all: Vec<T>,
    act: impl Fn(T) -> io::Result<R> + Sync,
) -> io::Result<Vec<R>> {
    const THREADS: usize = 8;
    let each = all.len().div_ceil(THREADS).max(1);
    let mut all = all.into_iter().peekable();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        while all.peek().is_some() {
            let some: Vec<_> = all.by_ref().take(each).collect();
            let act = &act;
            // One that fails keeps none of the others from being done.
            let done = move || some.into_iter().map(act).collect::<Vec<_>>();
            threads.push(scope.spawn(done));
        }
        let panicked = |_| vec![Err(Error::other("a log cannot be closed"))];
        let done = threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(panicked));
        done.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Offset, PartitionId};

    #[test]
    fn no_log_is_said_to_be_durable_up_to_less_than_before() {
        let line = |topic: &str, offset| PartitionOffset {
            topic: topic.into(),
            partition: PartitionId(0),
            offset: Offset(offset),
        };
        let checkpoints = Checkpoints {
            recovery_points: vec![line("grew", 3), line("lagged", 9), line("lost", 5)],
            high_watermarks: vec![line("grew", 7), line("lagged", 8), line("new", 2)],
            ..Checkpoints::default()
        };
        let want = [line("grew", 7), line("lagged", 9), line("lost", 5), line("new", 2)];
        assert_eq!(durable(&checkpoints), want);
    }
}
