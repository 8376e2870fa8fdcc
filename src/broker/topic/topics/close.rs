//! How the directory is left: logs closed, checkpoints written, then the sign that all is well.
//! Never knows: who asks for it.

use std::io::{self, Error};
use std::sync::{Arc, PoisonError};

use super::super::directory::{self, Checkpoints};
use super::super::partition::{Partition, now};
use super::Topics;
use crate::broker::topic::catalogue::CatalogueError;
use crate::protocol::catalogue::{CatalogueRecord, PartitionRecord};

impl Topics {
    /// Writes the checkpoint files at the top of the directory, where they have changed.
    pub fn write_checkpoints(&self) -> io::Result<()> {
        let mut now = Checkpoints::default();
        for topic in self.all() {
            for partition in &topic.partitions {
                partition.report(&mut now);
            }
        }
        let mut before = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        now.write(&self.data_dir, before.as_ref())?;
        *before = Some(now);
        Ok(())
    }

    /// The clean end: every log closed, then every checkpoint written, then the sign of it.
    pub fn close(&self) -> Result<(), Error> {
        let partitions: Vec<_> =
            self.all().iter().flat_map(|topic| topic.partitions.clone()).collect();
        // What was never used was never recovered either, after an unclean start.
        let asleep = partitions.iter().filter(|_| !self.clean_at_start);
        let broken = asleep.filter(|partition| partition.wake_if_on_disk().is_err()).count();
        let mut checkpoints = Checkpoints::default();
        partitions.iter().for_each(|partition| partition.report(&mut checkpoints));
        let failed = close_all(&partitions);
        let recorded = self.record_epochs().map_err(|error| Error::other(error.to_string()));
        self.catalogue.close(&self.data_dir, &self.identity)?;
        recorded?;
        if broken > 0 {
            let why = format!("{broken} of its logs cannot be opened; this was no clean stop");
            return Err(Error::other(why));
        }
        if let Some(error) = failed {
            return Err(error);
        }
        // Closing syncs: every log is durable up to its end.
        checkpoints.recovery_points = checkpoints.high_watermarks.clone();
        checkpoints.write(&self.data_dir, None)?;
        let broker_epoch = self.catalogue.lock().image.broker_epoch;
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

/// Closes logs, several at a time; says what went wrong first.
fn close_all(partitions: &[Arc<Partition>]) -> Option<Error> {
    const THREADS: usize = 8;
    let open: Vec<_> = partitions.iter().filter_map(|partition| partition.close()).collect();
    let each = open.len().div_ceil(THREADS).max(1);
    let mut open = open.into_iter().peekable();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        while open.peek().is_some() {
            let some: Vec<_> = open.by_ref().take(each).collect();
            threads.push(scope.spawn(move || {
                let closed = some.into_iter().map(|log| log.close(now()).err());
                closed.fold(None, Option::or)
            }));
        }
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).next()
    })
}
