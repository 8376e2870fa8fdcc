//! The last records of all partitions together, in the order of their times, and what follows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::super::admin::{Admin, HeldBack, Probe};
use super::super::span::{AtEnd, Place, Span};
use super::{Behind, Complaint, Consumer, Error, Kept, Received, Source, Wanted};
use crate::record::PartitionId;

/// A window that held too few records is read again so many times as wide.
const WIDER: i64 = 4;

/// Reads the last records, and goes on from there if it is to.
pub struct Tail {
    inner: Consumer,
    topics: Vec<String>,
    partitions: Vec<PartitionId>,
    count: usize,
    at_end: AtEnd,
    /// How many offsets before the end are read of each partition: compaction and transactions
    /// leave fewer records than offsets.
    window: i64,
    /// How many records there were, a partition.
    seen: Vec<usize>,
    newest: BinaryHeap<Reverse<InOrder>>,
    stage: Stage,
}

enum Stage {
    Gathering,
    /// Newest first, so that the next one is the last.
    Printing(Vec<Kept>),
    Following,
    Done,
}

/// A record by its time.
struct InOrder(Kept);

impl Tail {
    /// Begins to read the last `count` records.
    pub fn begin(mut inner: Consumer, wanted: &Wanted<'_>, count: usize) -> Result<Tail, Error> {
        let at_end = wanted.span.at_end;
        let window = i64::try_from(count).unwrap_or(i64::MAX);
        let wanted = Wanted { span: Tail::span(window), ..*wanted };
        inner.begin(&wanted)?;
        Ok(Tail {
            seen: vec![0; inner.parts().len()],
            inner,
            topics: wanted.topics.to_vec(),
            partitions: wanted.partitions.to_vec(),
            count,
            at_end,
            window,
            newest: BinaryHeap::new(),
            stage: Stage::Gathering,
        })
    }

    fn span(window: i64) -> Span {
        Span { from: Place::BeforeEnd(window), until: None, at_end: AtEnd::Stop }
    }

    /// Keeps the newest of what is there.
    fn gather(&mut self) -> Result<bool, Error> {
        let Tail { inner, newest, seen, count, .. } = self;
        inner.poll(Duration::ZERO, |received| {
            seen[received.part()] += 1;
            newest.push(Reverse(InOrder(Kept::of(received))));
            if *count < newest.len() {
                newest.pop();
            }
            ControlFlow::Continue(())
        })
    }

    /// All windows were read: prints, or reads wider ones where there may be more.
    fn gathered(&mut self) -> Result<(), Error> {
        let short = |(part, seen): (&super::Part, &usize)| {
            *seen < self.count && part.reading.offsets() == Some(self.window)
        };
        if self.inner.parts().iter().zip(&self.seen).any(short) && self.window < i64::MAX {
            self.window = self.window.saturating_mul(WIDER);
            self.newest.clear();
            let (topics, partitions) = (&self.topics, &self.partitions);
            let span = Tail::span(self.window);
            self.inner.begin(&Wanted { topics, partitions, span })?;
            self.seen = vec![0; self.inner.parts().len()];
            return Ok(());
        }
        let newest = std::mem::take(&mut self.newest).into_sorted_vec();
        self.stage = Stage::Printing(newest.into_iter().map(|Reverse(kept)| kept.0).collect());
        Ok(())
    }

    fn print(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let Stage::Printing(left) = &mut self.stage else { return Ok(()) };
        while let Some(kept) = left.pop() {
            let topic = &self.inner.parts()[kept.part].topic;
            if each(&Received::kept(topic, &kept)).is_break() {
                return Ok(());
            }
        }
        self.stage = match self.at_end {
            AtEnd::Stop => Stage::Done,
            AtEnd::Follow => {
                self.inner.follow()?;
                Stage::Following
            }
        };
        Ok(())
    }
}

impl Source for Tail {
    fn read(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        match self.stage {
            Stage::Gathering => {
                let came = self.gather()?;
                let is_done = self.inner.is_done();
                if is_done {
                    self.gathered()?;
                }
                Ok(came || is_done)
            }
            Stage::Printing(_) => self.print(each).map(|()| true),
            Stage::Following => self.inner.read(each),
            Stage::Done => Ok(false),
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn complaint(&self) -> Option<Complaint> {
        self.inner.complaint()
    }

    fn forgive(&self) {
        self.inner.forgive();
    }

    fn probe(&self) -> Option<Probe> {
        self.inner.probe()
    }

    fn give_up(&mut self) -> Vec<Behind> {
        self.inner.give_up()
    }

    fn behind(&self) -> Result<Vec<Behind>, Error> {
        self.inner.behind()
    }

    fn wake(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.inner.wake(fd)
    }

    fn check(&self) -> Result<(), Error> {
        self.inner.check()
    }

    fn want(&mut self, topics: &[String]) -> Result<(), Error> {
        match self.stage {
            Stage::Following => self.inner.want(topics),
            _ => Ok(()),
        }
    }

    fn held_back(&self) -> Result<Vec<HeldBack>, Error> {
        self.inner.held_back()
    }

    fn admin(&self) -> &Admin {
        self.inner.admin()
    }
}

impl PartialEq for InOrder {
    fn eq(&self, other: &InOrder) -> bool {
        self.0.order() == other.0.order()
    }
}

impl Eq for InOrder {}

impl PartialOrd for InOrder {
    fn partial_cmp(&self, other: &InOrder) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InOrder {
    fn cmp(&self, other: &InOrder) -> std::cmp::Ordering {
        self.0.order().cmp(&other.0.order())
    }
}
