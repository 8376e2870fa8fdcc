//! What became of records, told in the order of the input: a report, what was rejected, and how far
//! a run has come.
//!
//! Brokers answer out of order; what is behind a record without an answer waits here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::files::{Checkpoint, Lines, Mark};
use crate::client::produce::Place;
use crate::record::Timestamp;

/// What may wait behind a record without an answer. Input that fails at once is not held elsewhere.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// Files are brought up to date this often.
const TICK: Duration = Duration::from_millis(500);

/// Follows each record until its fate is known.
pub struct Trail {
    report: Option<Lines>,
    rejects: Option<Lines>,
    checkpoint: Option<Checkpoint>,
    topic: String,
    /// The number of the first record that waits.
    first: u64,
    waiting: VecDeque<Slot>,
    waiting_bytes: usize,
    /// All before this was read.
    read_to: Mark,
    /// A record failed that nobody keeps: a run that goes on begins there.
    gap: Option<Mark>,
    ticked: Instant,
}

struct Slot {
    mark: Mark,
    /// The input, where it may have to be kept.
    bytes: Option<Bytes>,
    fate: Option<Fate>,
}

impl Slot {
    fn size(&self) -> usize {
        size_of::<Slot>() + self.bytes.as_ref().map_or(0, Bytes::len)
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered { place: Place, timestamp: Option<Timestamp> },
    Failed { why: String },
}

/// Where a trail leads.
#[derive(Default)]
pub struct Sinks {
    pub report: Option<Lines>,
    pub rejects: Option<Lines>,
    pub checkpoint: Option<Checkpoint>,
}

impl Trail {
    /// A trail that begins after what an earlier run has done.
    pub fn new(topic: &str, sinks: Sinks) -> Option<Trail> {
        let Sinks { report, rejects, checkpoint } = sinks;
        if report.is_none() && rejects.is_none() && checkpoint.is_none() {
            return None;
        }
        let done = checkpoint.as_ref().map(Checkpoint::done).unwrap_or_default();
        Some(Trail {
            report,
            rejects,
            checkpoint,
            topic: topic.to_owned(),
            first: done.records + 1,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            read_to: done,
            gap: None,
            ticked: Instant::now(),
        })
    }

    /// A record was read; they come in the order of their numbers.
    pub fn read(&mut self, number: u64, mark: Mark, block: &Bytes, bytes: &[u8]) {
        assert_eq!(number, self.first + self.waiting.len() as u64, "records are followed in order");
        let bytes = self.rejects.is_some().then(|| block.slice_ref(bytes));
        self.wait(Slot { mark, bytes, fate: None });
    }

    /// A record was read that nobody could keep in memory.
    pub fn left_out(&mut self, number: u64, mark: Mark) {
        assert_eq!(number, self.first + self.waiting.len() as u64, "records are followed in order");
        self.wait(Slot { mark, bytes: None, fate: None });
    }

    fn wait(&mut self, slot: Slot) {
        self.waiting_bytes += slot.size();
        self.waiting.push_back(slot);
    }

    /// Whether no more should be read before there are answers.
    pub fn is_full(&self) -> bool {
        WAITING_BYTES_MAX < self.waiting_bytes
    }

    /// The last record was not taken after all.
    pub fn unread(&mut self) {
        if let Some(slot) = self.waiting.pop_back() {
            self.waiting_bytes -= slot.size();
            self.read_to = slot.mark;
        }
    }

    /// All before this was read.
    pub fn read_to(&mut self, mark: Mark) {
        self.read_to = mark;
    }

    pub fn is(&mut self, number: u64, fate: Fate) {
        let index = usize::try_from(number - self.first).expect("it waits in memory");
        self.waiting[index].fate = Some(fate);
    }

    /// Tells what is known without a gap.
    pub fn tell(&mut self) -> anyhow::Result<()> {
        while let Some(fate) = self.waiting.front_mut().and_then(|slot| slot.fate.take()) {
            let slot = self.waiting.pop_front().expect("it is at the front");
            self.waiting_bytes -= slot.size();
            let number = self.first;
            self.first += 1;
            if let Some(report) = &mut self.report {
                report.report(number, &self.topic, &fate)?;
            }
            if let Fate::Failed { why } = &fate {
                match &mut self.rejects {
                    Some(rejects) => {
                        rejects.reject(number, &slot.mark, why, slot.bytes.as_deref())?
                    }
                    None => {
                        self.gap.get_or_insert(slot.mark);
                    }
                }
            }
        }
        if TICK <= self.ticked.elapsed() {
            self.ticked = Instant::now();
            self.save()?;
        }
        Ok(())
    }

    /// Brings the files up to date; a checkpoint is never ahead of what it speaks of.
    fn save(&mut self) -> anyhow::Result<()> {
        for lines in [&mut self.report, &mut self.rejects].into_iter().flatten() {
            lines.flush()?;
        }
        let waiting = self.waiting.front().map(|slot| slot.mark);
        let done = self.gap.or(waiting).unwrap_or(self.read_to);
        match &mut self.checkpoint {
            Some(checkpoint) => checkpoint.save(done),
            None => Ok(()),
        }
    }

    /// The run is over. What has no answer was given up: a run that goes on sends it again, and
    /// without one it is rejected.
    pub fn close(mut self, why: &str) -> anyhow::Result<()> {
        if self.checkpoint.is_none() {
            for slot in self.waiting.iter_mut().filter(|slot| slot.fate.is_none()) {
                slot.fate = Some(Fate::Failed { why: why.to_owned() });
            }
        }
        self.tell()?;
        self.save()
    }
}
