//! One partition, from where the last backup has come to up to the cut.

use std::time::{Duration, Instant};

use super::cut::Job;
use crate::backup::{Gaps, Growing, Partition, Segment, Store, Unread};
use crate::client::Error;
use crate::client::raw::{Fetched, Line};
use crate::command::crew::Tally;
use crate::record::{BatchError, BatchView, Offset, PartitionId};

/// As large as a segment grows; Kafka's own default is a GiB.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// A broker that says there is more and brings nothing is believed no longer than this.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// What became of a partition.
pub struct Copied {
    topic: String,
    id: PartitionId,
    pub partition: Partition,
    news: News,
}

/// What this run found of a partition that the one before it had not.
#[derive(Default)]
pub struct News {
    /// The partition's name.
    pub of: String,
    /// Between batches of the cluster's log, where no compaction can have taken it.
    pub missing: Gaps,
    /// No longer in the cluster before it was saved.
    pub skipped: Gaps,
    /// Saved, and no longer in the cluster.
    pub gone: Gaps,
    /// Such that was pruned therefore.
    pub dropped: Gaps,
}

/// Copies what is new; nothing where it is over before that.
pub fn copy(
    store: &Store,
    line: &mut Line<'_>,
    job: Job,
    tally: &Tally,
) -> anyhow::Result<Option<Copied>> {
    let Job { topic, partition: id, span, before, may_have_gaps } = job;
    let partition = before.unwrap_or_default();
    let news = News { of: format!("{topic}-{id}"), ..News::default() };
    let mut copied = Copied { topic, id, partition, news };
    let unread = match &span {
        Ok(span) => lost(line, *span, &copied)?,
        Err(why) => Some(Unread::Refused(why.clone())),
    };
    copied.partition.unread = unread;
    let (Ok((start, end)), None) = (span, &copied.partition.unread) else {
        return Ok(Some(copied));
    };
    copied.log_starts_at(start, !copied.partition.segments.is_empty());
    if copied.partition.end < end {
        store.make_partition(&copied.topic, id)?;
        let files = Files { store, growing: None };
        let copy = Copy { files, copied, end, may_have_gaps, missing: Gaps::default(), idle: None };
        let Some(done) = copy.run(line, tally)? else { return Ok(None) };
        copied = done;
        store.sync_partition(&copied.topic, id)?;
    }
    Ok(Some(copied))
}

/// A log that lost records since, and has others in their place, is no longer the one that lies
/// in the backup (KIP-101).
fn lost(
    line: &mut Line<'_>,
    (start, end): (Offset, Offset),
    copied: &Copied,
) -> anyhow::Result<Option<Unread>> {
    let had = &copied.partition;
    if had.end <= start || had.segments.is_empty() {
        return Ok(None);
    }
    let same_until = match had.leader_epoch {
        Some(epoch) => match served(line.end_of_epoch(copied.of(), epoch))? {
            Ok(until) => until.unwrap_or(end),
            Err(why) => return Ok(Some(Unread::Refused(why))),
        },
        None => end,
    };
    let same_until = same_until.min(end);
    Ok((same_until < had.end).then_some(Unread::Lost(same_until)))
}

/// What is wrong with one partition costs the others nothing.
fn served<T>(answer: Result<T, Error>) -> Result<Result<T, String>, Error> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => error.of_one_partition().map(Err).ok_or(error),
    }
}

impl Copied {
    /// Drops what the cluster no longer has, where it could be read: else nobody knows what it has.
    pub fn prune(&mut self) {
        let Copied { partition, news, .. } = self;
        if let (None, Some(log_start)) = (&partition.unread, partition.log_start) {
            news.dropped.add(partition.start, log_start.min(partition.end));
            news.gone = Gaps::default();
            partition.prune();
        }
    }

    pub fn split(self) -> (Partition, News) {
        (self.partition, self.news)
    }

    /// As it is named in messages.
    pub fn name(&self) -> &str {
        &self.news.of
    }

    fn of(&self) -> (&str, PartitionId) {
        (&self.topic, self.id)
    }

    /// Nothing before this is in the cluster any more; what is saved of it stays.
    fn log_starts_at(&mut self, start: Offset, is_saved: bool) {
        let Copied { partition, news, .. } = self;
        let end = partition.end;
        partition.end = end.max(start);
        if !is_saved {
            partition.start = start;
            return;
        }
        news.gone.add(partition.log_start.unwrap_or(partition.start), start.min(end));
        news.skipped.add(end, start);
        partition.skipped.add(end, start);
        partition.log_start = Some(start).filter(|start| partition.start < *start);
    }
}

struct Copy<'a> {
    files: Files<'a>,
    /// Up to the partition's end so far.
    copied: Copied,
    end: Offset,
    may_have_gaps: bool,
    missing: Gaps,
    /// Since when nothing came.
    idle: Option<Instant>,
}

impl Copy<'_> {
    fn run(mut self, line: &mut Line<'_>, tally: &Tally) -> anyhow::Result<Option<Copied>> {
        while self.position() < self.end {
            if tally.is_over() {
                return Ok(None);
            }
            match served(line.fetch(self.copied.of(), self.position()))? {
                Ok(Some(piece)) => self.add(&piece, tally)?,
                Ok(None) => self.skip(served(line.log_start(self.copied.of()))?),
                Err(why) => self.end_here(Unread::Refused(why)),
            }
        }
        self.files.close(&mut self.copied)?;
        let Copied { partition, news, .. } = &mut self.copied;
        if !self.may_have_gaps {
            partition.missing.add_all(&self.missing);
            news.missing = self.missing;
        }
        Ok(Some(self.copied))
    }

    fn position(&self) -> Offset {
        self.copied.partition.end
    }

    /// Retention was quicker; or the log lost its end.
    fn skip(&mut self, start: Result<Offset, String>) {
        match start {
            Ok(start) if self.position() < start => {
                let copied = &self.copied.partition;
                let is_saved = !copied.segments.is_empty() || self.files.growing.is_some();
                self.copied.log_starts_at(start, is_saved);
            }
            Ok(_) => self.end_here(Unread::Lost(self.position())),
            Err(why) => self.end_here(Unread::Refused(why)),
        }
    }

    /// Takes the batches of a piece that are wanted.
    fn add(&mut self, piece: &Fetched, tally: &Tally) -> anyhow::Result<()> {
        for &(producer, first) in &piece.aborted {
            self.copied.partition.aborted.list(producer, first);
        }
        let Wanted { from, until, records } = self.wanted(&piece.batches);
        if from == until {
            if self.position() < self.end {
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
        while self.position() < self.end {
            let batch = match BatchView::parse(&batches[wanted.until..]) {
                // The last one is cut off at the bytes that were asked for.
                Err(BatchError::Short) => break,
                batch => batch.and_then(|batch| batch.check_crc().map(|()| batch)),
            };
            let is_first = wanted.from == wanted.until;
            let batch = match batch {
                Err(error) => {
                    self.end_here(Unread::Damaged(error.to_string()));
                    break;
                }
                Ok(batch) if batch.base_offset() < self.position() && !is_first => {
                    let what = format!("it says that it begins with {}", batch.base_offset());
                    self.end_here(Unread::Damaged(what));
                    break;
                }
                Ok(batch) => batch,
            };
            if batch.next_offset() <= self.position() {
                wanted.from += batch.size();
                wanted.until = wanted.from;
                continue;
            }
            if self.end <= batch.base_offset() {
                self.nothing_before(batch.base_offset());
                break;
            }
            self.pass_over(batch.base_offset());
            self.note(&batch);
            wanted.until += batch.size();
            if !batch.is_control() {
                wanted.records += u64::try_from(batch.count()).unwrap_or(0);
            }
        }
        wanted
    }

    /// What is before it is saved.
    fn end_here(&mut self, why: Unread) {
        self.end = self.position();
        self.copied.partition.unread = Some(why);
    }

    /// The next batch is behind the end. It may say what is not so: no checksum covers its place.
    fn nothing_before(&mut self, base: Offset) {
        match self.may_have_gaps {
            true => self.copied.partition.end = self.end,
            false => self.end_here(Unread::Damaged(format!("the next batch begins with {base}"))),
        }
    }

    /// No batch has what is before this offset. A topic that was compacted once may no longer say
    /// so in its settings; that it has so many holes does.
    fn pass_over(&mut self, next: Offset) {
        self.missing.add(self.position(), next);
        self.may_have_gaps |= self.missing.is_full();
        self.copied.partition.end = self.position().max(next);
    }

    fn note(&mut self, batch: &BatchView<'_>) {
        // Nothing but compaction takes single records out of a batch; one that a repair put in the
        // place of damage has none, and no producer.
        let offsets = batch.next_offset().get() - batch.base_offset().get();
        let is_repaired = batch.count() == 0 && batch.producer().is_none();
        self.may_have_gaps |= i64::from(batch.count()) != offsets && !is_repaired;
        let copied = &mut self.copied.partition;
        copied.aborted.pass(batch);
        copied.leader_epoch = Some(batch.leader_epoch()).filter(|epoch| 0 <= epoch.get());
        copied.batch_bytes_max = copied.batch_bytes_max.max(batch.size() as u64);
        copied.end = batch.next_offset();
    }

    /// Compaction may have left no record up to the end, or a quota wants a pause.
    fn nothing_came(&mut self, piece: &Fetched) {
        let idle = *self.idle.get_or_insert_with(Instant::now);
        let is_decided = piece.last_stable.is_some_and(|stable| self.end <= stable);
        if is_decided && piece.batches.is_empty() && !self.may_have_gaps {
            self.end_here(Unread::Damaged("the broker finds nothing there".to_owned()));
        } else if is_decided && piece.batches.is_empty() {
            self.copied.partition.end = self.end;
        } else if IDLE_MAX <= idle.elapsed() && piece.throttle.is_zero() {
            self.end_here(Unread::Refused("the broker brings nothing of it".to_owned()));
        } else {
            // The broker names the time; there is nothing else to wait for.
            std::thread::sleep(piece.throttle.min(IDLE_MAX));
        }
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
    growing: Option<Growing>,
}

impl Files<'_> {
    fn write(&mut self, batches: &[u8], copied: &mut Copied) -> anyhow::Result<()> {
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

    fn open(&self, batches: &[u8], copied: &mut Copied) -> anyhow::Result<Growing> {
        let Copied { topic, id, partition, .. } = copied;
        let path = |base| self.store.segment(topic, *id, base);
        let may_grow = |segment: &Segment| self.store.may_grow(topic, *id, segment);
        let last = partition.segments.last();
        let is_open = |last: &&Segment| last.bytes < SEGMENT_BYTES_MAX && may_grow(last);
        if last.filter(is_open).is_some()
            && let Some(last) = partition.segments.pop()
        {
            return Ok(Growing::go_on(path(last.base), last)?);
        }
        let base = BatchView::parse(batches)?.base_offset();
        Ok(Growing::create(path(base), base)?)
    }

    fn close(&mut self, copied: &mut Copied) -> anyhow::Result<()> {
        if let Some(growing) = self.growing.take() {
            copied.partition.segments.push(growing.finish()?);
        }
        Ok(())
    }
}
