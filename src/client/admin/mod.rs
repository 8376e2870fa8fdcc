//! Questions and orders to a cluster: topics, their edges and settings, groups.
//! Never knows: what was typed, tables.

mod coordinators;
mod groups;
mod places;
mod sizes;
mod topics;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::error::NO_ANSWER;
use super::raw::Raw;
use super::sys::{self, Kind, Native};
use super::{Code, Config, Error, cause};
use crate::record::{Offset, PartitionId};

pub use super::sys::{
    Answer, BrokerInfo, ConfigInfo, ConfigSource, Edge, Group, Isolation, Listed, Member, NewTopic,
    PartitionAnswer, PartitionInfo, Refusal, Run, TopicInfo,
};
pub use crate::wire::Sizes;
use coordinators::Coordinators;
pub use groups::Committed;
pub use places::{HeldBack, Place};
pub use sizes::{Asked, Measured};
pub use topics::{Change, Changes};

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
/// Who cannot use its disk may let another lead; one that is alone is not waited for.
const DISK_MAX: Duration = Duration::from_secs(1);
/// Who has no answer for now is asked again this soon.
const AGAIN: Duration = Duration::from_millis(50);
/// A wait is looked up from this often.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Asks and orders.
pub struct Admin {
    native: Arc<Native>,
    brokers: String,
    /// Where the brokers are, as of the last answer that said so.
    listed: Mutex<Vec<BrokerInfo>>,
    isolation: Isolation,
    patience: Patience,
    coordinators: Coordinators,
    brokers_log: Option<PathBuf>,
}

/// A question whether brokers are there.
pub struct Probe(sys::Call);

impl Probe {
    /// The answer, once it has come.
    pub fn is_answered(&self) -> Option<bool> {
        sys::edges_answered(&self.0)
    }
}

/// Why a question has no answer.
enum Failed {
    Finally(Error),
    /// Who could answer it is not there yet, or not who was asked.
    ForNow(Error),
}

impl Failed {
    fn into_error(self) -> Error {
        let (Failed::Finally(error) | Failed::ForNow(error)) = self;
        error
    }
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
        let (brokers, listed) = (config.brokers().to_owned(), Mutex::default());
        let coordinators = Coordinators::new(config);
        let brokers_log = config.brokers_log().map(Path::to_owned);
        Admin { native, brokers, listed, isolation, patience, coordinators, brokers_log }
    }

    /// Waits until a broker has answered.
    pub fn reach(&self) -> Result<(), Error> {
        self.reach_while(LOOK_UP, || ())
    }

    /// The same, and does something every so often meanwhile.
    pub(in crate::client) fn reach_while(
        &self,
        look_up: Duration,
        meanwhile: impl Fn(),
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut told = false;
        while !self.native.reached_within(look_up) {
            meanwhile();
            let complaint = self.native.latest_complaint();
            let why = complaint.as_ref().map_or(NO_ANSWER.to_owned(), |c| cause(&c.text));
            if let Some(error) = complaint.and_then(|c| Error::final_of(&self.brokers, &c)) {
                return Err(error);
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

    /// What came of a partition is not what was written.
    pub fn damaged(&self, partition: &str, why: String) -> Error {
        let what = format!("cannot read {partition}");
        Error::Damaged { what, why, log: self.brokers_log.clone() }
    }

    /// Where the built-in broker logs, if it is that one.
    pub fn brokers_log(&self) -> Option<&Path> {
        self.brokers_log.as_deref()
    }

    /// Whose ends the questions are about that name no isolation.
    pub fn isolation(&self) -> Isolation {
        self.isolation
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

    /// A way to the logs of these topics, over `wire`.
    pub fn raw(&self, config: &Config, topics: Vec<String>) -> Result<Raw, Error> {
        let brokers = self.listed.lock().expect("no holder panics").clone();
        Raw::open(config, brokers, topics, self.patience)
    }

    /// Asks again for as long as there is no answer but for now.
    fn insist<T>(&self, ask: impl FnMut() -> Result<T, Failed>) -> Result<T, Error> {
        self.asked_again(ask).map_err(Failed::into_error)
    }

    /// The same; says whether another answer could still come.
    fn asked_again<T>(&self, mut ask: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
        let (start, mut told) = (Instant::now(), false);
        loop {
            let why = match ask() {
                Err(Failed::ForNow(why)) => why,
                answer => return answer,
            };
            let max = match why {
                Error::Disk { .. } => self.patience.max.min(DISK_MAX),
                _ => self.patience.max,
            };
            if max <= start.elapsed() {
                return Err(Failed::ForNow(why));
            }
            if !told && TELL_AFTER <= start.elapsed() {
                told = true;
                (self.patience.tell)(&format!("{why}; still trying"));
            }
            // No broker tells when it can answer: it can only be asked again.
            thread::sleep(AGAIN);
        }
    }

    /// Where the brokers say they are, by their ids, as of the last answer that said so.
    pub fn places_of_brokers(&self) -> BTreeMap<i32, (String, u16)> {
        let listed = self.listed.lock().expect("no holder panics");
        listed.iter().map(|broker| (broker.id, (broker.host.clone(), broker.port))).collect()
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
        if code == Code::STORAGE_ERROR {
            return Error::Disk { what: what.to_owned(), log: self.brokers_log.clone() };
        }
        let silent = [Code::TIMED_OUT, Code::TRANSPORT, Code::ALL_BROKERS_DOWN];
        if !silent.contains(&code) {
            return Error::Refused { what: what.to_owned(), code };
        }
        let complaint = self.native.latest_complaint();
        let why = complaint.map_or_else(|| code.to_string(), |complaint| cause(&complaint.text));
        Error::Unreachable { brokers: self.brokers.clone(), why }
    }
}
