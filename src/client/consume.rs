//! Reads parts of topics, from where to where a span says, without a group.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::admin::{self, Admin, Edge, Patience, Probe};
use super::span::{Edges, Found, Place, Reach, Reading, Span};
use super::sys::{self, Kind, Native, Reader};
use super::{Code, Complaint, Config, Error};
use crate::record::{Delivered, Header, Offset, PartitionId};

/// What kaw wants of a consumer where the user says nothing. They go before the user's own.
const DEFAULTS: &[(&str, &str)] = &[
    // What waits in memory is bounded, by bytes and by records: librdkafka spends some 300 bytes on
    // each, and counts them a partition. Eight million records of eight bytes in 50 partitions take
    // 100 MiB so, and 530 with 50,000 records and its own 50 MiB a fetch; larger is not quicker.
    ("queued.max.messages.kbytes", "32768"),
    ("queued.min.messages", "20000"),
    ("fetch.max.bytes", "8388608"),
    // A queue that is full is looked at again at once, where librdkafka's default is a second.
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "50"),
];

/// What this consumer is built on. They go after the user's own.
const FIXED: &[(&str, &str)] = &[
    ("enable.partition.eof", "true"),
    // Where an offset is gone, kaw decides.
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("auto.commit.enable", "false"),
    ("enable.auto.offset.store", "false"),
    ("allow.auto.create.topics", "false"),
];

/// Reads records.
pub struct Consumer {
    reader: Reader,
    native: Arc<Native>,
    admin: Admin,
    parts: Vec<Part>,
    /// Parts of which more is wanted.
    open: usize,
}

/// A partition that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub topic: String,
    pub partition: PartitionId,
    pub reading: Reading,
    /// librdkafka was told to stop reading it.
    stopped: bool,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub topics: &'a [String],
    /// All, where none is named.
    pub partitions: &'a [PartitionId],
    pub span: Span,
}

impl Consumer {
    /// Starts a consumer. It connects on its own, in the background.
    pub fn open(config: &Config, patience: Patience) -> Result<Consumer, Error> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let properties = [own(DEFAULTS), config.entries(), own(FIXED)].concat();
        let native = Arc::new(Native::open(Kind::Consumer, &properties, config.log())?);
        Ok(Consumer {
            reader: Reader::new(Arc::clone(&native)),
            admin: Admin::over(Arc::clone(&native), config, patience),
            native,
            parts: Vec::new(),
            open: 0,
        })
    }

    /// Finds out where the parts begin and end, and begins to read them.
    pub fn begin(&mut self, wanted: &Wanted<'_>) -> Result<(), Error> {
        // Made before the connection is there, so that its first metadata request is for them.
        for topic in wanted.topics {
            self.reader.handle(topic)?;
        }
        self.admin.reach()?;
        let partitions = self.partitions(wanted)?;
        let reaches = self.reaches(&partitions, &wanted.span)?;
        for ((topic, partition), reach) in partitions.iter().zip(reaches) {
            let reading = Reading::new(reach);
            let stopped = reading.is_done();
            if !stopped {
                self.reader.start(self.parts.len(), topic, *partition, reach.from).map_err(
                    |code| Error::Refused { what: format!("{topic}-{partition}"), code },
                )?;
                self.open += 1;
            }
            let (topic, partition) = (topic.to_string(), *partition);
            self.parts.push(Part { topic, partition, reading, stopped });
        }
        Ok(())
    }

    /// Passes on the wanted records that are there, waiting for the first at most this long, until
    /// `each` breaks or nothing more is wanted. Returns whether anything came, records or not.
    pub fn poll<F>(&mut self, wait: Duration, mut each: F) -> Result<bool, Error>
    where
        F: FnMut(&Received<'_>) -> ControlFlow<()>,
    {
        let (parts, open) = (&mut self.parts, &mut self.open);
        let mut trouble = None;
        let mut ended = false;
        let count = self.reader.drain(wait, |message| {
            let part = message.slot().map(|slot| &mut parts[slot]);
            let (code, Some(part)) = (message.code(), part) else {
                trouble = Some((message.slot(), message.code(), message.text()));
                return ControlFlow::Break(());
            };
            let was_done = part.reading.is_done();
            let flow = match code {
                Code::NONE if part.reading.at_record(message.offset()) => {
                    each(&Received { message, topic: &part.topic })
                }
                Code::NONE => ControlFlow::Continue(()),
                Code::PARTITION_EOF => {
                    part.reading.at_end(message.offset());
                    ControlFlow::Continue(())
                }
                code => {
                    trouble = Some((message.slot(), code, message.text()));
                    ControlFlow::Break(())
                }
            };
            if !was_done && part.reading.is_done() {
                ended = true;
                *open -= 1;
            }
            if *open == 0 { ControlFlow::Break(()) } else { flow }
        });
        if ended {
            self.stop_what_is_done();
        }
        if let Some((slot, code, text)) = trouble {
            self.judge(slot, code, text)?;
        }
        Ok(0 < count)
    }

    /// Nothing more is wanted.
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    /// What is read, and how far.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What librdkafka said last about a broker since `forgive`.
    pub fn complaint(&self) -> Option<Complaint> {
        self.native.latest_complaint()
    }

    /// Forgets the last complaint: progress was made since.
    pub fn forgive(&self) {
        self.native.forgive();
    }

    /// Asks the leaders of all that is still read whether they are there.
    pub fn probe(&self) -> Probe {
        let open = self.parts.iter().filter(|part| !part.reading.is_done());
        let partitions: Vec<_> = open.map(|part| (part.topic.as_str(), part.partition)).collect();
        self.admin.probe(&partitions)
    }

    /// Takes what is still read for done; returns what that was.
    pub fn give_up(&mut self) -> Vec<String> {
        let open = self.parts.iter_mut().filter(|part| !part.reading.is_done());
        let names = open.map(|part| {
            part.reading.give_up();
            format!("{}-{}", part.topic, part.partition)
        });
        let names = names.collect();
        self.open = 0;
        names
    }

    /// From now on a byte is written to `fd` when there is something to poll again.
    pub fn wake(&mut self, fd: OwnedFd) {
        self.reader.wake(fd);
    }

    fn partitions<'a>(
        &mut self,
        wanted: &Wanted<'a>,
    ) -> Result<Vec<(&'a str, PartitionId)>, Error> {
        let mut all = Vec::new();
        for topic in wanted.topics {
            let info = self.admin.topic_of(self.reader.handle(topic)?, topic)?;
            let there: Vec<_> = info.partitions.iter().map(|partition| partition.id).collect();
            let missing = wanted.partitions.iter().find(|id| !there.contains(id));
            if let Some(&partition) = missing {
                let count = there.len();
                return Err(Error::NoPartition { topic: topic.clone(), partition, count });
            }
            let is_wanted =
                |id: &PartitionId| wanted.partitions.is_empty() || wanted.partitions.contains(id);
            all.extend(there.into_iter().filter(is_wanted).map(|id| (topic.as_str(), id)));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    fn reaches(
        &self,
        partitions: &[(&str, PartitionId)],
        span: &Span,
    ) -> Result<Vec<Reach>, Error> {
        let at = |edge| partitions.iter().map(|&(t, p)| (t, p, edge)).collect::<Vec<_>>();
        let time = |place| match place {
            Some(Place::Since(time)) => at(Edge::Since(time)),
            _ => Vec::new(),
        };
        let (from, until) = (time(Some(span.from)), time(span.until));
        let [starts, ends, from, until] =
            self.admin.places([&at(Edge::Start), &at(Edge::End), &from, &until])?;
        let stored = match span.from {
            Place::Stored => self.admin.committed(partitions)?,
            _ => Vec::new(),
        };
        let found = |places: &[admin::Place], index: usize| {
            places.get(index).and_then(|place| place.offset)
        };
        let mut reaches = Vec::with_capacity(partitions.len());
        for (index, &(topic, partition)) in partitions.iter().enumerate() {
            let from = stored.get(index).copied().unwrap_or_else(|| found(&from, index));
            let found = Found { from, until: found(&until, index) };
            let edges = edges(starts[index], ends[index]);
            reaches.push(span.reach(edges, found).map_err(|gone| Error::NoOffset {
                topic: topic.to_owned(),
                partition,
                offset: gone.offset,
                edges: gone.edges,
            })?);
        }
        Ok(reaches)
    }

    /// What is done would only be fetched to be dropped.
    fn stop_what_is_done(&mut self) {
        if self.open == 0 {
            return;
        }
        for part in &mut self.parts {
            if part.reading.is_done() && !part.stopped {
                part.stopped = true;
                self.reader.stop(&part.topic, part.partition);
            }
        }
    }

    /// Whether reading can go on after this error: what a broker that is away or was replaced
    /// makes librdkafka say passes, anything else does not.
    fn judge(&self, slot: Option<usize>, code: Code, text: String) -> Result<(), Error> {
        const PASSING: [Code; 7] = [
            Code::TRANSPORT,
            Code::ALL_BROKERS_DOWN,
            Code::RESOLVE,
            Code::TIMED_OUT,
            Code::REQUEST_TIMED_OUT,
            Code::LEADER_NOT_AVAILABLE,
            Code::NOT_LEADER,
        ];
        if PASSING.contains(&code) {
            return Ok(());
        }
        let Some(part) = slot.map(|slot| &self.parts[slot]) else {
            return Err(Error::Said { what: "cannot read".to_owned(), why: text });
        };
        let (topic, partition) = (part.topic.clone(), part.partition);
        match code {
            Code::AUTO_OFFSET_RESET | Code::OFFSET_OUT_OF_RANGE => {
                let at = |edge| [(topic.as_str(), partition, edge)];
                let [start, end] = self.admin.places([&at(Edge::Start), &at(Edge::End)])?;
                let edges = edges(start[0], end[0]);
                Err(Error::NoOffset { topic, partition, offset: part.reading.position, edges })
            }
            Code::UNKNOWN_TOPIC | Code::UNKNOWN_TOPIC_OR_PART | Code::UNKNOWN_PARTITION => {
                // It passes where a broker has just started and does not know all yet.
                self.admin.topic(&topic).map(|_| ())
            }
            _ => Err(Error::Said { what: format!("cannot read {topic}-{partition}"), why: text }),
        }
    }
}

fn edges(start: admin::Place, end: admin::Place) -> Edges {
    let offset = |place: admin::Place| place.offset.unwrap_or(Offset::ZERO);
    Edges { start: offset(start), end: offset(end) }
}

/// A record as it was read. What it holds is looked up only when it is asked for.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    message: sys::Message<'a>,
    topic: &'a str,
}

impl<'a> Received<'a> {
    /// Which of `Consumer::parts` it is of.
    pub fn part(&self) -> usize {
        self.message.slot().expect("only records of a part are passed on")
    }

    pub fn key(&self) -> Option<&'a [u8]> {
        self.message.key()
    }

    pub fn value(&self) -> Option<&'a [u8]> {
        self.message.value()
    }

    /// Appends the headers, which are parsed only now.
    pub fn headers(&self, out: &mut Vec<Header<'a>>) {
        self.message.headers(out);
    }

    pub fn delivered(&self, headers: &'a [Header<'a>]) -> Delivered<'a> {
        self.message.delivered(self.topic, headers)
    }
}
