//! Reads partitions side by side and passes records on in the order of their times.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::super::admin::{Admin, HeldBack, Patience, Probe};
use super::super::sys::{Message, Native, Reader};
use super::{
    Behind, Code, Complaint, Config, Error, FIXED, Kept, Offset, Part, Received, Source, Wanted,
    behind, check, find, give_up, held_back, judge, native, probe,
};
use crate::record::Timestamp;

/// What a partition may have waiting here; the rest waits in its queue.
const LANE_RECORDS_MAX: usize = 500;
/// librdkafka's limits are a partition's where partitions have queues of their own.
const LANE_DEFAULTS: &[(&str, &str)] =
    &[("queued.max.messages.kbytes", "2048"), ("queued.min.messages", "1000")];

/// Records of many partitions, oldest first. A partition that has more holds the others up until
/// its next record is there; one that was read to its end does not.
pub struct Merge {
    // Before the client that they belong to.
    lanes: Vec<Lane>,
    /// The first record of each lane that has one.
    heads: BinaryHeap<Reverse<(Option<Timestamp>, usize, Offset)>>,
    /// Lanes without a record, of which more is wanted.
    dry: Vec<usize>,
    native: Arc<Native>,
    admin: Admin,
}

/// A partition with a queue of its own.
struct Lane {
    part: Part,
    reader: Reader,
    waiting: VecDeque<Kept>,
    /// All that there was has been read.
    at_end: bool,
}

impl Merge {
    pub fn open(config: &Config, patience: Patience) -> Result<Merge, Error> {
        let mut config = config.clone();
        for (key, value) in LANE_DEFAULTS {
            config.set_default(key, value)?;
        }
        let native = native(&config, FIXED)?;
        let admin = Admin::over(Arc::clone(&native), &config, patience);
        let (lanes, heads, dry) = (Vec::new(), BinaryHeap::new(), Vec::new());
        Ok(Merge { lanes, heads, dry, native, admin })
    }

    pub fn begin(&mut self, wanted: &Wanted<'_>) -> Result<(), Error> {
        self.admin.reach()?;
        find::parts(&self.admin, wanted)?.into_iter().try_for_each(|part| self.start(part))
    }

    fn start(&mut self, part: Part) -> Result<(), Error> {
        let mut reader = Reader::new(Arc::clone(&self.native));
        if !part.stopped {
            let (topic, from) = (&part.topic, part.reading.position);
            reader
                .start(self.lanes.len(), topic, part.partition, from)
                .map_err(|code| Error::Refused { what: part.name(), code })?;
            self.dry.push(self.lanes.len());
        }
        self.lanes.push(Lane { part, reader, waiting: VecDeque::new(), at_end: false });
        Ok(())
    }

    /// Looks for records where there are none; whether anything came.
    fn refill(&mut self) -> Result<bool, Error> {
        let mut came = false;
        for index in std::mem::take(&mut self.dry) {
            let lane = &mut self.lanes[index];
            let (some, trouble) = lane.refill(index);
            came |= some;
            if let Some((code, text)) = trouble {
                judge(&self.admin, Some(&lane.part), code, text)?;
            }
            match lane.waiting.front() {
                Some(head) => self.heads.push(Reverse(head.order())),
                None if lane.part.reading.is_done() => {}
                None => self.dry.push(index),
            }
        }
        Ok(came)
    }

    /// Whether an older record than any that is there may still come.
    fn is_held_up(&self) -> bool {
        self.dry.iter().any(|&index| !self.lanes[index].at_end)
    }

    /// Passes on the oldest record; what `each` says to that.
    fn pass_on(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Option<ControlFlow<()>> {
        let Reverse((_, index, _)) = self.heads.pop()?;
        let lane = &mut self.lanes[index];
        let kept = lane.waiting.pop_front().expect("a head is a lane's first record");
        match lane.waiting.front() {
            Some(head) => self.heads.push(Reverse(head.order())),
            None if lane.part.reading.is_done() => {}
            None => self.dry.push(index),
        }
        Some(each(&Received::kept(&lane.part.topic, &kept)))
    }
}

impl Lane {
    /// Takes what is in the queue, as far as there is room; whether that was anything, and an
    /// error that was among it.
    fn refill(&mut self, index: usize) -> (bool, Option<(Code, String)>) {
        let Lane { part, reader, waiting, at_end } = self;
        let mut trouble = None;
        let count = reader.drain(Duration::ZERO, |message: Message<'_>| {
            match message.code() {
                Code::NONE => {
                    *at_end = false;
                    if part.reading.at_record(message.offset()) {
                        let received = Received::fetched(index, &part.topic, message);
                        waiting.push_back(Kept::of(&received));
                    }
                }
                Code::PARTITION_EOF => {
                    *at_end = true;
                    part.reading.at_end(message.offset());
                }
                code => {
                    trouble = Some((code, message.text()));
                    return ControlFlow::Break(());
                }
            }
            let is_enough = LANE_RECORDS_MAX <= waiting.len() || part.reading.is_done();
            if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if part.reading.is_done() && !part.stopped {
            part.stopped = true;
            reader.stop(&part.topic, part.partition);
        }
        (0 < count, trouble)
    }
}

impl Source for Merge {
    fn read(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let mut came = self.refill()?;
        while !self.is_held_up() {
            let Some(flow) = self.pass_on(each) else { break };
            came = true;
            if flow.is_break() {
                break;
            }
            if !self.dry.is_empty() {
                self.refill()?;
            }
        }
        Ok(came)
    }

    fn is_done(&self) -> bool {
        self.heads.is_empty() && self.dry.is_empty()
    }

    fn complaint(&self) -> Option<Complaint> {
        self.native.latest_complaint()
    }

    fn forgive(&self) {
        self.native.forgive();
    }

    fn probe(&self) -> Option<Probe> {
        probe(&self.admin, self.lanes.iter().map(|lane| &lane.part))
    }

    fn give_up(&mut self) -> Vec<Behind> {
        let gone = give_up(self.lanes.iter_mut().map(|lane| &mut lane.part));
        self.dry.clear();
        gone
    }

    fn behind(&self) -> Result<Vec<Behind>, Error> {
        behind(&self.admin, self.lanes.iter().map(|lane| &lane.part))
    }

    fn wake(&mut self, fd: OwnedFd) -> io::Result<()> {
        for lane in &mut self.lanes {
            lane.reader.wake(fd.try_clone()?);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        check(&self.admin, self.lanes.iter().map(|lane| &lane.part))
    }

    fn ahead(&self) -> Option<u64> {
        let offsets: Option<i64> = self.lanes.iter().map(|lane| lane.part.reading.offsets()).sum();
        offsets.and_then(|offsets| u64::try_from(offsets).ok())
    }

    fn want(&mut self, topics: &[String]) -> Result<(), Error> {
        let known = self.lanes.iter().map(|lane| &lane.part);
        for part in find::new_parts(&self.admin, topics, known)? {
            self.start(part)?;
        }
        Ok(())
    }

    fn held_back(&self) -> Result<Vec<HeldBack>, Error> {
        held_back(&self.admin, self.lanes.iter().map(|lane| &lane.part))
    }

    fn admin(&self) -> &Admin {
        &self.admin
    }
}
