//! One partition, from where the last backup has come to up to the cut.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::cut::Job;
use crate::backup::{Growing, Partition, Segment, Store};
use crate::client::raw::{Fetched, Line};
use crate::command::crew::Tally;
use crate::record::{BatchError, BatchView, Offset, PartitionId};

/// As large as a segment grows; Kafka's own default is a GiB.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// A broker that says there is more and brings nothing is believed no longer than this.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Copies what is new; nothing where it is over before that.
pub fn copy(
    store: &Store,
    line: &mut Line<'_>,
    job: Job,
    tally: &Tally,
) -> anyhow::Result<Option<Partition>> {
    check_that_it_grew(line, &job)?;
    let from = job.before.end.max(job.start);
    let (topic, partition) = (job.topic, job.partition);
    let mut copied = Partition { start: job.start, unread: None, ..job.before };
    if from < job.end {
        store.make_partition(&topic, partition)?;
        let files = Files { store, topic: &topic, partition, growing: None };
        let Job { end, may_have_gaps, .. } = job;
        let mut copy = Copy { files, copied, position: from, end, may_have_gaps, idle: None };
        while copy.position < copy.end {
            if tally.is_over() {
                return Ok(None);
            }
            let piece = line.fetch((&topic, partition), copy.position)?;
            match piece {
                Some(piece) => copy.add(&piece, tally)?,
                // Retention was quicker.
                None => copy.skip_to(line.log_start((&topic, partition))?),
            }
        }
        copied = copy.finish()?;
        store.sync_partition(&topic, partition)?;
    }
    if copied.unread.is_none() {
        copied.end = copied.end.max(job.end);
    }
    copied.end = copied.end.max(copied.start);
    copied.drop_before_start();
    Ok(Some(copied))
}

/// A log that lost records since, and has others in their place, is no longer the one that lies
/// in the backup (KIP-101).
fn check_that_it_grew(line: &mut Line<'_>, job: &Job) -> anyhow::Result<()> {
    let had = job.before.end;
    if had <= job.start || job.before.segments.is_empty() {
        return Ok(());
    }
    let of = (job.topic.as_str(), job.partition);
    let same_until = match job.before.leader_epoch {
        Some(epoch) => line.end_of_epoch(of, epoch)?.unwrap_or(job.end),
        None => job.end,
    };
    if same_until.min(job.end) < had {
        bail!(
            "the cluster lost records of {}-{} that the backup has (up to {had}, there up to {}); \
             name another directory, so that they are kept",
            job.topic,
            job.partition,
            same_until.min(job.end)
        );
    }
    Ok(())
}

struct Copy<'a> {
    files: Files<'a>,
    copied: Partition,
    position: Offset,
    end: Offset,
    may_have_gaps: bool,
    /// Since when nothing came.
    idle: Option<Instant>,
}

impl Copy<'_> {
    fn skip_to(&mut self, start: Offset) {
        self.copied.start = self.copied.start.max(start);
        self.position = self.position.max(start);
    }

    /// Takes the batches of a piece that are wanted.
    fn add(&mut self, piece: &Fetched, tally: &Tally) -> anyhow::Result<()> {
        for &(producer, first) in &piece.aborted {
            self.copied.aborted.list(producer, first);
        }
        let Wanted { from, until, records } = self.wanted(&piece.batches);
        if from == until {
            let is_over = self.end <= self.position;
            if !is_over {
                self.nothing_came(piece);
            }
            return Ok(());
        }
        self.idle = None;
        self.files.write(&piece.batches[from..until], &mut self.copied)?;
        tally.add(records, (until - from) as u64);
        Ok(())
    }

    /// Which bytes are wanted: whole batches, from the position on, before the end.
    fn wanted(&mut self, batches: &[u8]) -> Wanted {
        let mut wanted = Wanted { from: 0, until: 0, records: 0 };
        while self.position < self.end {
            let batch = match BatchView::parse(&batches[wanted.until..]) {
                // The last one is cut off at the bytes that were asked for.
                Err(BatchError::Short) => break,
                batch => batch.and_then(|batch| batch.check_crc().map(|()| batch)),
            };
            let is_first = wanted.from == wanted.until;
            let batch = match batch {
                Err(error) => {
                    self.end_here(error.to_string());
                    break;
                }
                Ok(batch) if batch.base_offset() < self.position && !is_first => {
                    self.end_here(format!("it says that it begins with {}", batch.base_offset()));
                    break;
                }
                Ok(batch) => batch,
            };
            if batch.next_offset() <= self.position {
                wanted.from += batch.size();
                wanted.until = wanted.from;
                continue;
            }
            if self.end <= batch.base_offset() {
                self.position = self.end;
                break;
            }
            self.note(&batch);
            wanted.until += batch.size();
            if !batch.is_control() {
                wanted.records += u64::try_from(batch.count()).unwrap_or(0);
            }
        }
        wanted
    }

    /// The next batch is damaged where it lies in the cluster: what is before it is saved.
    fn end_here(&mut self, why: String) {
        self.end = self.position;
        self.copied.unread = Some(why);
    }

    fn note(&mut self, batch: &BatchView<'_>) {
        let copied = &mut self.copied;
        copied.aborted.pass(batch);
        copied.leader_epoch = Some(batch.leader_epoch()).filter(|epoch| 0 <= epoch.get());
        copied.batch_bytes_max = copied.batch_bytes_max.max(batch.size() as u64);
        copied.end = batch.next_offset();
        self.position = copied.end;
    }

    /// Compaction may have left no record up to the end, or a quota wants a pause.
    fn nothing_came(&mut self, piece: &Fetched) {
        let idle = *self.idle.get_or_insert_with(Instant::now);
        let is_decided = piece.last_stable.is_some_and(|stable| self.end <= stable);
        if is_decided && piece.batches.is_empty() && !self.may_have_gaps {
            self.end_here("the broker finds nothing there".to_owned());
        } else if is_decided && piece.batches.is_empty() {
            self.position = self.end;
        } else if IDLE_MAX <= idle.elapsed() && piece.throttle.is_zero() {
            self.end_here("the broker brings nothing of it".to_owned());
        } else {
            // The broker names the time; there is nothing else to wait for.
            std::thread::sleep(piece.throttle.min(IDLE_MAX));
        }
    }

    fn finish(mut self) -> anyhow::Result<Partition> {
        self.files.close(&mut self.copied)?;
        Ok(self.copied)
    }
}

/// A piece's wanted bytes, and how many records they hold.
struct Wanted {
    from: usize,
    until: usize,
    records: u64,
}

/// Where the batches go.
struct Files<'a> {
    store: &'a Store,
    topic: &'a str,
    partition: PartitionId,
    growing: Option<Growing>,
}

impl Files<'_> {
    fn write(&mut self, batches: &[u8], copied: &mut Partition) -> anyhow::Result<()> {
        let is_full = |growing: &Growing| SEGMENT_BYTES_MAX <= growing.bytes();
        if self.growing.as_ref().is_some_and(is_full) {
            self.close(copied)?;
        }
        let growing = match self.growing.take() {
            Some(growing) => growing,
            None => self.open(batches, copied)?,
        };
        self.growing.insert(growing).write(batches)?;
        Ok(())
    }

    fn open(&self, batches: &[u8], copied: &mut Partition) -> anyhow::Result<Growing> {
        let path = |base| self.store.segment(self.topic, self.partition, base);
        let may_grow = |segment: &Segment| self.store.may_grow(self.topic, self.partition, segment);
        let last = copied.segments.last();
        let is_open = |last: &&Segment| last.bytes < SEGMENT_BYTES_MAX && may_grow(last);
        if last.filter(is_open).is_some()
            && let Some(last) = copied.segments.pop()
        {
            return Ok(Growing::go_on(path(last.base), last)?);
        }
        let base = BatchView::parse(batches)?.base_offset();
        Ok(Growing::create(path(base), base)?)
    }

    fn close(&mut self, copied: &mut Partition) -> anyhow::Result<()> {
        if let Some(growing) = self.growing.take() {
            copied.segments.push(growing.finish()?);
        }
        Ok(())
    }
}
