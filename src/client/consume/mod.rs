//! Reads topics: parts of them as a span says, or what falls to a member of a group.
//! Never knows: how records are printed.

mod find;
mod gauge;
mod group;
mod kept;
mod merge;
mod tail;

pub use gauge::Gauge;
pub use group::{Commits, GroupReader};
pub use merge::Merge;
pub use tail::Tail;

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::admin::{Admin, HeldBack, Patience, Probe};
use super::span::{Reach, Reading, Span};
use super::sys::{self, Kind, Native, Reader};
use super::{Code, Complaint, Config, Error};
use kept::Kept;

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
    // A record that was altered on its way or on a disk is an error, as to a Java consumer.
    ("check.crcs", "true"),
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

/// A partition of which nothing came although it has more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    pub topic: String,
    /// `TOPIC-PARTITION`.
    pub place: String,
    /// So far it was read.
    pub position: Offset,
}

/// What a command reads from, whichever way the records come.
pub trait Source {
    /// Passes on the wanted records that are there, until `each` breaks or nothing more is wanted.
    /// Returns whether anything came, records or not.
    fn read(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error>;

    /// Nothing more is wanted.
    fn is_done(&self) -> bool;

    /// What librdkafka said last about a broker since `forgive`.
    fn complaint(&self) -> Option<Complaint>;

    /// Forgets the last complaint: progress was made since.
    fn forgive(&self);

    /// Asks the leaders of all that is still read whether they are there. `None` where nothing is.
    fn probe(&self) -> Option<Probe>;

    /// Takes what is still read for done; returns what that was.
    fn give_up(&mut self) -> Vec<Behind>;

    /// What it has not read to the end that its log has now.
    fn behind(&self) -> Result<Vec<Behind>, Error>;

    /// From now on a byte is written to an end of this pipe when there is something to read again.
    fn wake(&mut self, fd: OwnedFd) -> io::Result<()>;

    /// How long it may be left alone while nothing comes.
    fn wait_max(&self) -> Duration {
        Duration::MAX
    }

    /// Whether something is to be done that has to wait until all that was passed on is printed.
    fn waits_for_printing(&self) -> bool {
        false
    }

    /// All that was passed on has been printed, for good.
    fn printed(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Looks, after a silence, whether what is read is still there: a topic that was deleted, or
    /// made anew with fewer records than were read, is silent for ever.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Why it cannot read yet, while that is so for another reason than a broker that is away.
    fn held_up(&self) -> Option<String> {
        None
    }

    /// About how many records are wanted in all, where there is an end: offsets are counted.
    fn ahead(&self) -> Option<u64> {
        None
    }

    /// Reads these topics, those that are new to it from their start.
    fn want(&mut self, topics: &[String]) -> Result<(), Error>;

    /// What a transaction that is still open kept from being read, up to the ends as they were when
    /// it began. Asks for it only where it was so then.
    fn held_back(&self) -> Result<Vec<HeldBack>, Error>;

    /// For questions about the same cluster.
    fn admin(&self) -> &Admin;

    /// Before it ends: what was printed is made known to those who go on from there.
    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Reads records in the order in which they come.
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
    /// Where the log ended, where what is decided ended before it and the reading is to end too.
    undecided_until: Option<Offset>,
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
        let native = native(config, FIXED)?;
        Ok(Consumer {
            reader: Reader::new(Arc::clone(&native)),
            admin: Admin::over(Arc::clone(&native), config, patience),
            native,
            parts: Vec::new(),
            open: 0,
        })
    }

    /// Finds out where the parts begin and end, and begins to read them. What was read before is
    /// read no more.
    pub fn begin(&mut self, wanted: &Wanted<'_>) -> Result<(), Error> {
        if !self.parts.is_empty() {
            self.reader = self.reader.renewed();
            (self.parts, self.open) = (Vec::new(), 0);
        }
        // Made before the connection is there, so that its first metadata request is for them.
        for topic in wanted.topics {
            self.reader.handle(topic)?;
        }
        self.admin.reach()?;
        for part in find::parts(&self.admin, wanted)? {
            self.start(part)?;
        }
        Ok(())
    }

    /// Reads one part more.
    fn start(&mut self, part: Part) -> Result<(), Error> {
        if !part.stopped {
            let (topic, partition) = (&part.topic, part.partition);
            self.reader
                .start(self.parts.len(), topic, partition, part.reading.position)
                .map_err(|code| Error::Refused { what: format!("{topic}-{partition}"), code })?;
            self.open += 1;
        }
        self.parts.push(part);
        Ok(())
    }

    /// Goes on after the end, from where the reading of each part has come to.
    pub fn follow(&mut self) -> Result<(), Error> {
        self.reader = self.reader.renewed();
        self.open = 0;
        for part in std::mem::take(&mut self.parts) {
            let (topic, partition) = (part.topic, part.partition);
            self.start(Part::new(topic, partition, part.reading.onwards()))?;
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
                Code::NONE if part.reading.at_record(message.offset()) => each(&Received::fetched(
                    message.slot().expect("a record is of a part"),
                    &part.topic,
                    message,
                )),
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
            judge(&self.admin, slot.map(|slot| &self.parts[slot]), code, text)?;
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
}

impl Source for Consumer {
    fn read(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        self.poll(Duration::ZERO, each)
    }

    fn is_done(&self) -> bool {
        self.is_done()
    }

    fn complaint(&self) -> Option<Complaint> {
        self.native.latest_complaint()
    }

    fn forgive(&self) {
        self.native.forgive();
    }

    fn probe(&self) -> Option<Probe> {
        probe(&self.admin, &self.parts)
    }

    fn give_up(&mut self) -> Vec<Behind> {
        self.open = 0;
        give_up(&mut self.parts)
    }

    fn behind(&self) -> Result<Vec<Behind>, Error> {
        behind(&self.admin, &self.parts)
    }

    fn wake(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.reader.wake(fd);
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        check(&self.admin, &self.parts)
    }

    fn ahead(&self) -> Option<u64> {
        let offsets: Option<i64> = self.parts.iter().map(|part| part.reading.offsets()).sum();
        offsets.and_then(|offsets| u64::try_from(offsets).ok())
    }

    fn want(&mut self, topics: &[String]) -> Result<(), Error> {
        for part in find::new_parts(&self.admin, topics, &self.parts)? {
            self.start(part)?;
        }
        Ok(())
    }

    fn held_back(&self) -> Result<Vec<HeldBack>, Error> {
        held_back(&self.admin, &self.parts)
    }

    fn admin(&self) -> &Admin {
        &self.admin
    }
}

impl Behind {
    fn of(part: &Part) -> Behind {
        let (topic, position) = (part.topic.clone(), part.reading.position);
        Behind { topic, place: part.name(), position }
    }
}

impl Part {
    fn new(topic: String, partition: PartitionId, reach: Reach) -> Part {
        let reading = Reading::new(reach);
        let stopped = reading.is_done();
        Part { topic, partition, stopped, reading, undecided_until: None }
    }

    /// As it is named in messages.
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

fn native(config: &Config, fixed: &[(&str, &str)]) -> Result<Arc<Native>, Error> {
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let properties = [own(DEFAULTS), config.entries(), own(fixed)].concat();
    Ok(Arc::new(Native::open(Kind::Consumer, &properties, config.log())?))
}

fn probe<'a>(admin: &Admin, parts: impl IntoIterator<Item = &'a Part>) -> Option<Probe> {
    let open = parts.into_iter().filter(|part| !part.reading.is_done());
    let partitions: Vec<_> = open.map(|part| (part.topic.as_str(), part.partition)).collect();
    // An empty question is refused by librdkafka.
    (!partitions.is_empty()).then(|| admin.probe(&partitions))
}

fn give_up<'a>(parts: impl IntoIterator<Item = &'a mut Part>) -> Vec<Behind> {
    let open = parts.into_iter().filter(|part| !part.reading.is_done());
    let names = open.map(|part| {
        part.reading.give_up();
        Behind::of(part)
    });
    names.collect()
}

fn behind<'a>(
    admin: &Admin,
    parts: impl IntoIterator<Item = &'a Part>,
) -> Result<Vec<Behind>, Error> {
    let open: Vec<_> = parts.into_iter().filter(|part| !part.reading.is_done()).collect();
    let places: Vec<_> = open.iter().map(|part| (part.topic.as_str(), part.partition)).collect();
    let edges = match places.is_empty() {
        true => Vec::new(),
        false => find::edges(admin, &places)?,
    };
    let behind = open.iter().zip(edges).filter(|(part, edges)| part.reading.position < edges.end);
    Ok(behind.map(|(part, _)| Behind::of(part)).collect())
}

fn held_back<'a>(
    admin: &Admin,
    parts: impl IntoIterator<Item = &'a Part>,
) -> Result<Vec<HeldBack>, Error> {
    let undecided = parts
        .into_iter()
        .filter_map(|part| Some((part.topic.as_str(), part.partition, part.undecided_until?)));
    let undecided: Vec<_> = undecided.collect();
    if undecided.is_empty() { Ok(Vec::new()) } else { admin.held_back(&undecided) }
}

fn check<'a>(admin: &Admin, parts: impl IntoIterator<Item = &'a Part>) -> Result<(), Error> {
    let open: Vec<_> = parts.into_iter().filter(|part| !part.reading.is_done()).collect();
    let mut topics: Vec<_> = open.iter().map(|part| part.topic.as_str()).collect();
    topics.dedup();
    for topic in topics {
        match admin.topic(topic) {
            Err(Error::NoTopic { name, .. }) => return Err(Error::Gone { name }),
            result => drop(result?),
        }
    }
    let places: Vec<_> = open.iter().map(|part| (part.topic.as_str(), part.partition)).collect();
    for (part, edges) in open.iter().zip(find::edges(admin, &places)?) {
        if edges.end < part.reading.position {
            return Err(Error::Gone { name: part.topic.clone() });
        }
    }
    Ok(())
}

/// Whether reading can go on after this error: what a broker that is away or was replaced makes
/// librdkafka say passes, anything else does not.
fn judge(admin: &Admin, part: Option<&Part>, code: Code, text: String) -> Result<(), Error> {
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
    let Some(part) = part else {
        return Err(Error::Said { what: "cannot read".to_owned(), why: text });
    };
    match code {
        Code::AUTO_OFFSET_RESET | Code::OFFSET_OUT_OF_RANGE => {
            let edges = find::edges(admin, &[(part.topic.as_str(), part.partition)])?[0];
            let (topic, offset) = (part.topic.clone(), part.reading.position);
            Err(Error::NoOffset { topic, partition: part.partition, offset, edges })
        }
        Code::UNKNOWN_TOPIC | Code::UNKNOWN_TOPIC_OR_PART | Code::UNKNOWN_PARTITION => {
            // It passes where a broker has just started and does not know all yet.
            admin.topic(&part.topic).map(|_| ())
        }
        code if code.is_about_damage() => Err(admin.damaged(&part.name(), text)),
        _ => Err(Error::Said { what: format!("cannot read {}", part.name()), why: text }),
    }
}

/// A record as it was read. What it holds is looked up only when it is asked for.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    part: usize,
    topic: &'a str,
    held: Held<'a>,
}

/// Where a record lies.
#[derive(Clone, Copy)]
enum Held<'a> {
    /// In what librdkafka has fetched.
    Fetched(sys::Message<'a>),
    Kept(&'a Kept),
}

impl<'a> Received<'a> {
    fn fetched(part: usize, topic: &'a str, message: sys::Message<'a>) -> Received<'a> {
        Received { part, topic, held: Held::Fetched(message) }
    }

    /// A record that was put aside.
    fn kept(topic: &'a str, kept: &'a Kept) -> Received<'a> {
        Received { part: kept.part, topic, held: Held::Kept(kept) }
    }

    /// Which of `Consumer::parts` it is of.
    pub fn part(&self) -> usize {
        self.part
    }

    pub fn key(&self) -> Option<&'a [u8]> {
        match self.held {
            Held::Fetched(message) => message.key(),
            Held::Kept(kept) => kept.key.as_deref(),
        }
    }

    pub fn value(&self) -> Option<&'a [u8]> {
        match self.held {
            Held::Fetched(message) => message.value(),
            Held::Kept(kept) => kept.value.as_deref(),
        }
    }

    /// Appends the headers, which are parsed only now.
    pub fn headers(&self, out: &mut Vec<Header<'a>>) {
        match self.held {
            Held::Fetched(message) => message.headers(out),
            Held::Kept(kept) => out.extend(kept.headers()),
        }
    }

    pub fn delivered(&self, headers: &'a [Header<'a>]) -> Delivered<'a> {
        match self.held {
            Held::Fetched(message) => message.delivered(self.topic, headers),
            Held::Kept(kept) => kept.delivered(self.topic, headers),
        }
    }
}
