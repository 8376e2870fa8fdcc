//! How the directory is left: logs closed, checkpoints written, then the sign that all is well.
//! Never knows: who asks for it.

use std::sync::{Arc, PoisonError};

use super::super::directory::{self, Checkpoints};
use super::super::partition::{Partition, now};
use super::Topics;

impl Topics {
    /// Writes the checkpoint files at the top of the directory, where they have changed.
    pub fn write_checkpoints(&self) -> std::io::Result<()> {
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
    pub fn close(&self) -> Result<(), std::io::Error> {
        let partitions: Vec<_> =
            self.all().iter().flat_map(|topic| topic.partitions.clone()).collect();
        // What was never used was never recovered either, after an unclean start.
        let asleep = partitions.iter().filter(|_| !self.clean_at_start);
        let broken = asleep.filter(|partition| partition.wake_if_on_disk().is_err()).count();
        let mut checkpoints = Checkpoints::default();
        partitions.iter().for_each(|partition| partition.report(&mut checkpoints));
        let failed = close_all(&partitions);
        self.catalogue.close()?;
        if broken > 0 {
            let why = format!("{broken} of its logs cannot be opened; this was no clean stop");
            return Err(std::io::Error::other(why));
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
}

/// Closes logs, several at a time; says what went wrong first.
fn close_all(partitions: &[Arc<Partition>]) -> Option<std::io::Error> {
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
