//! What a topic that is there already lacks of what the backup has: nothing is put between its
//! records, so that it has to be told.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use bytes::Bytes;

use super::write::Job;
use crate::backup::{Batches, Gaps, Store};
use crate::client::raw::Line;
use crate::command::crew::Tally;
use crate::quantity::counted;
use crate::record::{BatchError, BatchView, Offset, PartitionId};

/// A broker that says there is more and brings nothing is believed no longer than this.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A partition that is not whole.
pub struct Lacking {
    /// The topic's name in the backup.
    pub name: String,
    pub target: String,
    pub id: PartitionId,
    pub offsets: Gaps,
}

impl Lacking {
    pub fn new(job: &Job<'_>, offsets: Gaps) -> Option<Lacking> {
        let (name, target) = (job.name.to_owned(), job.target.to_owned());
        (!offsets.is_empty()).then_some(Lacking { name, target, id: job.id, offsets })
    }
}

/// Why nothing is restored over these, and what brings their records back.
pub fn refuse(dir: &Path, lacking: &[Lacking]) -> anyhow::Result<()> {
    let Some((Lacking { name, target, id, offsets }, others)) = lacking.split_first() else {
        return Ok(());
    };
    let others = match others.len() {
        0 => String::new(),
        more => format!(" (and {} more lack some)", counted(more as i64, "partition")),
    };
    let dir = dir.display();
    Err(anyhow!(
        "{target}-{id} lacks {offsets}, which {dir} has{others}; nothing was restored: `kaw \
         restore {dir} {name} --as NAME` brings all of it under another name, and after `kaw \
         topic delete {target}` the same command as now brings it in place of what is there"
    ))
}

/// Compares the topic that was saved with what was saved, offset by offset. Its end may be missing:
/// that can be written.
pub fn compare_offsets(
    store: &Store,
    line: &mut Line<'_>,
    job: &Job<'_>,
    tally: &Tally,
) -> anyhow::Result<Gaps> {
    let mut lacks = Gaps::default();
    let mut log = Log::new(line, job, tally);
    for segment in &job.partition.segments {
        let mut batches = Batches::open(store.segment(job.name, job.id, segment.base), segment)?;
        while let Some(batch) = batches.next()? {
            if tally.is_over() {
                return Ok(Gaps::default());
            }
            let from = batch.base_offset().max(job.partition.start);
            let until = batch.next_offset().min(job.there.end);
            // One that a repair put there holds nothing that could be missing.
            if batch.is_control() || 0 < batch.count() {
                log.look(from, until, &mut lacks)?;
            }
        }
    }
    Ok(lacks)
}

/// A partition's log as it is read from the one end to the other.
pub struct Log<'a, 'b> {
    line: &'a mut Line<'b>,
    of: (&'a str, PartitionId),
    start: Offset,
    tally: &'a Tally,
    piece: Bytes,
}

impl<'a, 'b> Log<'a, 'b> {
    pub fn new(line: &'a mut Line<'b>, job: &Job<'a>, tally: &'a Tally) -> Log<'a, 'b> {
        let (of, start) = ((job.target, job.id), job.there.start);
        Log { line, of, start, tally, piece: Bytes::new() }
    }

    /// Adds what no whole batch has of these offsets.
    pub fn look(
        &mut self,
        mut from: Offset,
        until: Offset,
        lacks: &mut Gaps,
    ) -> anyhow::Result<()> {
        if from < self.start {
            lacks.add(from, until.min(self.start));
            from = self.start;
        }
        while from < until {
            match self.next(from)? {
                Next::Batch { base, next, is_whole } => {
                    lacks.add(from, if is_whole { base.min(until) } else { next.min(until) });
                    from = next;
                }
                Next::Nothing => {
                    lacks.add(from, until);
                    from = until;
                }
                Next::Undecided => from = until,
            }
        }
        Ok(())
    }

    /// The first batch that ends behind the offset.
    fn next(&mut self, from: Offset) -> anyhow::Result<Next> {
        let idle = Instant::now();
        loop {
            match BatchView::parse(&self.piece) {
                Ok(batch) if batch.next_offset() <= from => {
                    let size = batch.size();
                    self.piece = self.piece.slice(size..);
                    continue;
                }
                Ok(batch) => {
                    let (base, next) = (batch.base_offset(), batch.next_offset());
                    let is_repaired = batch.count() == 0 && batch.producer().is_none();
                    let is_whole = batch.check_crc().is_ok() && !is_repaired;
                    return Ok(Next::Batch { base, next, is_whole });
                }
                Err(BatchError::Short) => {}
                Err(_) => {
                    self.piece = Bytes::new();
                    return Ok(Next::Nothing);
                }
            }
            let Some(piece) = self.line.fetch(self.of, from)? else { return Ok(Next::Nothing) };
            match piece.last_stable {
                Some(stable) if stable <= from => return Ok(Next::Undecided),
                Some(_) if piece.batches.is_empty() => return Ok(Next::Nothing),
                _ if self.tally.is_over() => return Ok(Next::Undecided),
                _ if IDLE_MAX <= idle.elapsed() && piece.throttle.is_zero() => {
                    let (topic, id) = self.of;
                    bail!("the broker brings nothing of {topic}-{id}; run it again later");
                }
                _ => {}
            }
            if piece.batches.is_empty() {
                // A quota: the broker names the time, and there is nothing else to wait for.
                std::thread::sleep(piece.throttle.min(IDLE_MAX));
            }
            self.piece = piece.batches;
        }
    }
}

enum Next {
    Batch {
        base: Offset,
        next: Offset,
        is_whole: bool,
    },
    Nothing,
    /// A transaction that is open has it, or nobody waits for it any more.
    Undecided,
}
