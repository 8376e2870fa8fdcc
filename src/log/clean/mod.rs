//! Compaction: of each key only the last record is kept. What is to be read is decided under the
//! log's lock, reading and writing need no lock, and the lock is taken again for putting the new
//! files in the place of the old.
//! Never knows: the clock, the lock itself, other logs.
//!
//! Only what is durable, and lies before the segment of the last checkpoint, is compacted: a record
//! may go only once the one that replaces it is sure to stay, and recovery begins behind it.

mod latest;
mod plan;
mod rewrite;
mod swap;
mod transactions;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::{ControlFlow, Range};

use super::facts::{CompactError, Compaction, Settings};
use super::files::{Failed, Files};
use super::segment::Segment;
use super::{Disk, Log};
use crate::record::{Offset, ProducerId, Scratch, Sketches, Timestamp};
use latest::{Full, KEYS_AT_ONCE, Latest};
use plan::{Due, Span};
use rewrite::{Judge, LastOf, each_batch, rewrite};
use transactions::Transactions;

pub use swap::Cleaned;

/// Hears how much was read or written, may wait, and says whether to go on.
pub type Pace<'a> = dyn FnMut(usize) -> ControlFlow<()> + 'a;

/// A closed segment as it was when the compaction began.
#[derive(Clone, Copy, Debug)]
struct Source {
    base: Offset,
    /// Where the next segment begins.
    next: Offset,
    bytes: u32,
    modified: Timestamp,
}

/// A compaction under way.
pub struct Cleaning<D: Disk> {
    files: Files<D>,
    settings: Settings,
    memory_bytes_max: usize,
    /// The closed segments, the first ones of the log.
    spans: Vec<Span>,
    sources: Vec<Source>,
    first_dirty: Offset,
    judge: Judge,
    /// What becomes one segment each. None until the dirty part was read.
    groups: Option<VecDeque<Range<usize>>>,
}

impl<D: Disk> Log<D> {
    /// How much of what compaction would read it never read before, if there is enough of it.
    pub fn dirty_ratio(&mut self, rules: &Compaction, now: Timestamp) -> io::Result<Option<f64>> {
        let Some(last) = self.segments.last() else { return Ok(None) };
        let due = self.due(last.base, rules, now).map_err(|failed| failed.error)?;
        Ok(due.map(|(_, due)| due.dirty_ratio))
    }

    /// A compaction of what is due and lies before the last checkpoint's segment. One at a time.
    pub fn cleaning(
        &mut self,
        rules: &Compaction,
        now: Timestamp,
    ) -> io::Result<Option<Cleaning<D>>> {
        let Some(checkpoint) = self.checkpoint_segment.filter(|_| self.may_remove()) else {
            return Ok(None);
        };
        let due = self.due(checkpoint, rules, now).map_err(|failed| failed.error)?;
        let Some((spans, Due { first_dirty, end, .. })) = due else { return Ok(None) };
        let source = |(segment, span): (&Segment<D::File>, &Span)| Source {
            base: segment.base,
            next: span.next,
            bytes: segment.bytes,
            modified: segment.modified,
        };
        let judge = Judge {
            latest: Latest::new(first_dirty, first_dirty, 0),
            end,
            transactions: Transactions::new(self.aborted.values().flatten().copied().collect()),
            producers: self.last_of_producers(),
            now,
            horizon: Timestamp(now.get().saturating_add(rules.tombstones_ms)),
            inflated_bytes_max: rules.inflated_bytes_max,
            kept_whole: 0,
        };
        Ok(Some(Cleaning {
            files: self.files.clone(),
            settings: self.settings,
            memory_bytes_max: rules.memory_bytes_max,
            sources: self.segments.iter().zip(&spans).map(source).collect(),
            spans,
            first_dirty,
            judge,
            groups: None,
        }))
    }

    /// Everything before `end` is compacted. For `cleaner-offset-checkpoint`.
    pub fn compacted(&mut self, end: Offset) {
        self.compacted = end;
    }

    /// Up to where the log was compacted. What the checkpoint said may lie outside the log.
    pub fn compacted_end(&self) -> Offset {
        let inside = self.start <= self.compacted && self.compacted <= self.end;
        if inside { self.compacted } else { self.start }
    }

    fn due(
        &mut self,
        bound: Offset,
        rules: &Compaction,
        now: Timestamp,
    ) -> Result<Option<(Vec<Span>, Due)>, Failed> {
        let bound = bound.min(self.stable_end());
        if 0 < rules.lag_ms_min {
            self.load_times()?;
        }
        if rules.lag_ms_max < i64::MAX {
            self.load_first_times()?;
        }
        let span = |pair: &[Segment<D::File>]| Span {
            base: pair[0].base,
            next: pair[1].base,
            bytes: pair[0].bytes,
            first_time: pair[0].times.first,
            last_time: pair[0].age_mark(),
        };
        let spans: Vec<Span> = self.segments.windows(2).map(span).collect();
        let due = plan::due(&spans, self.compacted_end(), bound, rules, now);
        Ok(due.map(|due| (spans, due)))
    }

    /// The time of the first batch of every segment becomes known.
    fn load_first_times(&mut self) -> Result<(), Failed> {
        for at_segment in 0..self.segments.len() {
            if self.segments[at_segment].times.first.is_none() {
                self.segments[at_segment].times.first = self.first_time(at_segment)?;
            }
        }
        Ok(())
    }

    fn last_of_producers(&self) -> HashMap<ProducerId, LastOf> {
        let last = self.producers.states().map(|(id, state)| match state.sent.last() {
            Some(sent) => (id, LastOf::Data(sent.last_offset)),
            None => (id, LastOf::Marker(state.epoch)),
        });
        last.collect()
    }
}

impl<D: Disk> Cleaning<D> {
    /// The next segments that become one; without the log's lock. None: all is done.
    pub fn next(&mut self, pace: &mut Pace<'_>) -> Result<Option<Cleaned<D>>, CompactError> {
        if self.groups.is_none() {
            self.learn(pace)?;
            let groups = plan::groups(&self.spans, self.judge.end, &self.settings);
            self.groups = Some(groups.into());
        }
        let Some(group) = self.groups.as_mut().and_then(VecDeque::pop_front) else {
            return Ok(None);
        };
        let sources = &self.sources[group];
        // What an earlier attempt left could pass for a part of this one.
        swap::forget(&self.files, sources[0].base)?;
        match rewrite(&self.files, sources, &mut self.judge, &self.settings, pace) {
            Ok(written) => Ok(Some(Cleaned::new(&self.files, sources, written))),
            Err(error) => {
                // Else they are removed when the log is opened next.
                let _ = swap::forget(&self.files, sources[0].base);
                Err(error)
            }
        }
    }

    /// How many batches stayed whole so far although records of them may have been replaced.
    pub fn kept_whole(&self) -> u64 {
        self.judge.kept_whole
    }

    /// Up to here the log is compacted once all is done.
    pub fn end(&self) -> Offset {
        self.judge.end
    }

    /// Reads where each key of the dirty part is last, as far as there is memory.
    fn learn(&mut self, pace: &mut Pace<'_>) -> Result<(), CompactError> {
        let (first, end) = (self.first_dirty, self.judge.end);
        let mut latest = Latest::new(first, end, self.memory_bytes_max);
        let mut scratch = Scratch::default();
        let dirty = |span: &Span| first < span.next && span.base < end;
        let at = self.spans.iter().position(dirty).unwrap_or(self.spans.len());
        let from = self.spans.get(at).map_or(end, |span| span.base);
        let mut transactions = self.judge.transactions.from(from);
        let dirty = self.spans[at..].iter().take_while(|span| dirty(span)).count();
        for source in &self.sources[at..at + dirty] {
            each_batch(&self.files, source, pace, |batch, _, _| {
                let is_done_with = transactions.is_done_with(batch);
                if is_done_with || batch.is_control() || batch.last_offset() < first {
                    return ControlFlow::Continue(());
                }
                let Ok(all) = batch.sketches(&mut scratch, self.judge.inflated_bytes_max) else {
                    return ControlFlow::Continue(());
                };
                let Err(full) = put_all(all, first..self.judge.end, &mut latest) else {
                    return ControlFlow::Continue(());
                };
                self.judge.end = full;
                ControlFlow::Break(())
            })?;
            if self.judge.end < end {
                break;
            }
        }
        self.judge.latest = latest;
        Ok(())
    }
}

/// Puts the keys of a batch that can be read to its end: of one that cannot, nobody knows what
/// readers get. An error is the offset of the first record that did not fit any more.
fn put_all(all: Sketches<'_>, inside: Range<Offset>, latest: &mut Latest) -> Result<(), Offset> {
    if all.clone().any(|record| record.is_err()) {
        return Ok(());
    }
    let mut inside = all.flatten().filter(|record| inside.contains(&record.offset));
    let mut keys = Vec::with_capacity(KEYS_AT_ONCE);
    loop {
        let some = inside.by_ref().take(KEYS_AT_ONCE);
        keys.extend(some.map(|record| (record.key.map(|key| latest.spot(key)), record.offset)));
        if keys.is_empty() {
            return Ok(());
        }
        latest.warm(keys.iter().filter_map(|(spot, _)| *spot));
        for (spot, offset) in keys.drain(..) {
            spot.map_or(Ok(()), |spot| latest.put(spot, offset)).map_err(|Full| offset)?;
        }
    }
}
