//! Questions and orders to a cluster: topics, their edges and settings.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sys::{self, Kind, Native, Topic};
use super::{Code, Config, Error, cause};
use crate::record::{LeaderEpoch, Offset, PartitionId};

pub use super::sys::{
    ConfigInfo, ConfigSource, Edge, Isolation, NewTopic, PartitionInfo, Refusal, Run, TopicAnswer,
    TopicInfo,
};

/// How long a cluster may take to answer, and who is told while it does not.
#[derive(Clone, Copy)]
pub struct Patience {
    pub max: Duration,
    pub tell: fn(&str),
}

/// Without an answer for this long, the last trouble is told.
const TELL_AFTER: Duration = Duration::from_secs(2);
/// librdkafka's `socket.timeout.ms`.
const PROBE_MAX: Duration = Duration::from_secs(60);
/// A wait is looked up from this often.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long a change may take to be seen by the broker that is asked; more than it ever does.
const SEEN_MAX: Duration = Duration::from_secs(5);
/// A change that is not seen yet is looked for again this soon.
const SEEN_AGAIN: Duration = Duration::from_millis(5);

/// Asks and orders.
pub struct Admin {
    native: Arc<Native>,
    brokers: String,
    isolation: Isolation,
    patience: Patience,
}

/// A question whether brokers are there.
pub struct Probe(sys::Call);

impl Probe {
    /// The answer, once it has come.
    pub fn is_answered(&self) -> Option<bool> {
        self.0.is_answered()
    }
}

/// What a leader says of a place in its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `None` where no record is that young.
    pub offset: Option<Offset>,
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Admin {
    /// Connects; fails where no broker answers in time.
    pub fn open(config: &Config, patience: Patience) -> Result<Admin, Error> {
        let native = Native::open(Kind::Consumer, &config.entries(), config.log())?;
        let admin = Admin::over(Arc::new(native), config, patience);
        admin.reach()?;
        Ok(admin)
    }

    /// The same over a client that runs already.
    pub(super) fn over(native: Arc<Native>, config: &Config, patience: Patience) -> Admin {
        let isolation = match config.get("isolation.level") {
            Some("read_uncommitted") => Isolation::Uncommitted,
            _ => Isolation::Committed,
        };
        Admin { native, brokers: config.brokers().to_owned(), isolation, patience }
    }

    /// Waits until a broker has answered.
    pub(super) fn reach(&self) -> Result<(), Error> {
        let start = Instant::now();
        let mut told = false;
        while !self.native.reached_within(LOOK_UP) {
            let complaint = self.native.latest_complaint();
            let why = complaint.as_ref().map_or("no answer".to_owned(), |c| cause(&c.text));
            if complaint.is_some_and(|c| c.fatal || c.code == Code::AUTHENTICATION) {
                return Err(Error::Denied { brokers: self.brokers.clone(), why });
            }
            let waited = start.elapsed();
            if self.patience.max <= waited {
                return Err(Error::Unreachable { brokers: self.brokers.clone(), why });
            }
            if !told && TELL_AFTER <= waited {
                told = true;
                (self.patience.tell)(&format!("{}: {why}; still trying", self.brokers));
            }
        }
        self.native.forgive();
        Ok(())
    }

    /// All topics, sorted by name.
    pub fn topics(&self) -> Result<Vec<TopicInfo>, Error> {
        let topics = sys::metadata(&self.native, None, self.patience.max);
        let mut topics = topics.map_err(|code| self.failed("cannot list topics", code))?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic; an error where there is none.
    pub fn topic(&self, name: &str) -> Result<TopicInfo, Error> {
        self.topic_of(&Topic::open(&self.native, name)?, name)
    }

    pub(super) fn topic_of(&self, handle: &Topic, name: &str) -> Result<TopicInfo, Error> {
        let what = || format!("topic '{name}'");
        let topics = sys::metadata(&self.native, Some(handle), self.patience.max);
        let topics = topics.map_err(|code| self.failed(&what(), code))?;
        let Some(topic) = topics.into_iter().find(|topic| topic.name == name) else {
            return Err(Error::NoTopic { name: name.to_owned() });
        };
        match topic.code {
            Code::NONE | Code::LEADER_NOT_AVAILABLE => Ok(topic),
            Code::UNKNOWN_TOPIC_OR_PART | Code::UNKNOWN_TOPIC => {
                Err(Error::NoTopic { name: name.to_owned() })
            }
            Code::INVALID_TOPIC => Err(Error::Topic { name: name.to_owned() }),
            code => Err(Error::Refused { what: what(), code }),
        }
    }

    /// Where partitions begin or end, or which record is the first of a time; in the order asked.
    /// Ends are those of the isolation in force. All questions are under way at once.
    pub fn places<const N: usize>(
        &self,
        wanted: [&[(&str, PartitionId, Edge)]; N],
    ) -> Result<[Vec<Place>; N], Error> {
        let ask = |wanted: &[(&str, PartitionId, Edge)]| {
            sys::ask_edges(&self.native, self.isolation, wanted, self.patience.max)
        };
        // An empty question is refused by librdkafka.
        let calls = wanted.map(|wanted| (!wanted.is_empty()).then(|| ask(wanted)));
        let mut places = [const { Vec::new() }; N];
        for ((wanted, call), places) in wanted.iter().zip(calls).zip(&mut places) {
            if let Some(call) = call {
                let answers = sys::edges(&call);
                let answers = answers
                    .map_err(|refusal| self.failed("cannot ask for offsets", refusal.code))?;
                *places = self.in_order(wanted, answers)?;
            }
        }
        Ok(places)
    }

    /// One call asks for a partition only once, so that its name finds its answer.
    fn in_order(
        &self,
        wanted: &[(&str, PartitionId, Edge)],
        answers: Vec<sys::EdgeAnswer>,
    ) -> Result<Vec<Place>, Error> {
        let answers: HashMap<_, _> =
            answers.into_iter().map(|(topic, id, answer)| ((topic, id), answer)).collect();
        let mut places = Vec::with_capacity(wanted.len());
        for (topic, partition, _) in wanted {
            let answer = answers.get(&((*topic).to_owned(), *partition));
            let answer = answer.copied().unwrap_or(Err(Code::UNKNOWN_PARTITION));
            let what = || format!("offsets of {topic}-{partition}");
            let info = answer.map_err(|code| self.failed(&what(), code))?;
            places.push(Place { offset: info.offset, leader_epoch: info.leader_epoch });
        }
        Ok(places)
    }

    /// Asks the leaders of these partitions whether they are there.
    ///
    /// The answer comes behind that of a fetch which is under way, since both go over one
    /// connection and brokers answer in order; and it has the time that any request has, since a
    /// request that times out ends the connection (`socket.max.fails`).
    pub fn probe(&self, partitions: &[(&str, PartitionId)]) -> Probe {
        let wanted: Vec<_> = partitions.iter().map(|&(t, p)| (t, p, Edge::End)).collect();
        Probe(sys::ask_edges(&self.native, self.isolation, &wanted, PROBE_MAX))
    }

    /// Where the group of the configuration has read to, in the order asked.
    pub fn committed(&self, wanted: &[(&str, PartitionId)]) -> Result<Vec<Option<Offset>>, Error> {
        let found = sys::committed(&self.native, wanted, self.patience.max)
            .map_err(|code| self.failed("cannot ask for the group's offsets", code))?;
        let of = |topic: &str, id| {
            found.iter().find(|(name, other, _)| name == topic && *other == id).and_then(|f| f.2)
        };
        Ok(wanted.iter().map(|(topic, id)| of(topic, *id)).collect())
    }

    /// Makes topics; returns when this client can see those that were made.
    pub fn create(&self, topics: &[NewTopic], run: Run) -> Result<Vec<TopicAnswer<()>>, Error> {
        let answers = sys::create(&self.native, topics, run, self.patience.max)
            .map_err(|refusal| self.refused("cannot create topics", refusal))?;
        if run == Run::Real {
            let there = |name: &str| self.topic(name).is_ok_and(|topic| topic.code == Code::NONE);
            self.until_seen(&answers, there);
        }
        Ok(answers)
    }

    /// Deletes topics; returns when this client no longer sees those that were deleted.
    pub fn delete(&self, names: &[String]) -> Result<Vec<TopicAnswer<()>>, Error> {
        let answers = sys::delete(&self.native, &texts(names)?, self.patience.max)
            .map_err(|refusal| self.refused("cannot delete topics", refusal))?;
        let gone = |name: &str| matches!(self.topic(name), Err(Error::NoTopic { .. }));
        self.until_seen(&answers, gone);
        Ok(answers)
    }

    /// The settings of topics, sorted by name.
    pub fn configs(&self, names: &[String]) -> Result<Vec<TopicAnswer<Vec<ConfigInfo>>>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = sys::configs(&self.native, &texts(names)?, self.patience.max)
            .map_err(|refusal| self.refused("cannot ask for settings", refusal))?;
        for configs in answers.iter_mut().filter_map(|(_, answer)| answer.as_mut().ok()) {
            configs.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(answers)
    }

    /// A change is made by the controller, and seen by the other brokers a moment later. It is
    /// made all the same: if it is not seen in time, that is no error.
    fn until_seen(&self, answers: &[TopicAnswer<()>], seen: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + SEEN_MAX;
        for (name, answer) in answers {
            while answer.is_ok() && !seen(name) && Instant::now() < deadline {
                std::thread::sleep(SEEN_AGAIN);
            }
        }
    }

    fn refused(&self, what: &str, refusal: Refusal) -> Error {
        match refusal.code {
            Code::INVALID_ARGUMENT => {
                Error::Said { what: what.to_owned(), why: refusal.text.clone() }
            }
            code => self.failed(what, code),
        }
    }

    /// No answer is the brokers' failing, anything else an answer.
    fn failed(&self, what: &str, code: Code) -> Error {
        let silent = [Code::TIMED_OUT, Code::TRANSPORT, Code::ALL_BROKERS_DOWN];
        if !silent.contains(&code) {
            return Error::Refused { what: what.to_owned(), code };
        }
        let complaint = self.native.latest_complaint();
        let why = complaint.map_or_else(|| code.to_string(), |complaint| cause(&complaint.text));
        Error::Unreachable { brokers: self.brokers.clone(), why }
    }
}

fn texts(names: &[String]) -> Result<Vec<CString>, Error> {
    let text = |name: &String| {
        CString::new(name.as_str()).map_err(|_| Error::Topic { name: name.to_owned() })
    };
    names.iter().map(text).collect()
}
