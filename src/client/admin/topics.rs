//! Topics: what there are, more of them, fewer, and their settings.

use std::ffi::CString;
use std::time::{Duration, Instant};

use super::super::sys::{self, Metadata, Topic};
use super::{Admin, Answer, Code, ConfigInfo, Error, NewTopic, PartitionAnswer, Run, TopicInfo};
use crate::client::nearest::similar;
use crate::record::{Offset, PartitionId};

/// How long a change may take to be seen by the broker that is asked; more than it ever does.
const SEEN_MAX: Duration = Duration::from_secs(5);
/// A change that is not seen yet is looked for again this soon.
const SEEN_AGAIN: Duration = Duration::from_millis(5);

/// What becomes of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Set(String),
    /// Back to what the broker has for all topics.
    Unset,
}

/// Settings by name.
pub type Changes = Vec<(String, Change)>;

impl Admin {
    /// All topics, sorted by name.
    pub fn topics(&self) -> Result<Vec<TopicInfo>, Error> {
        let topics = self.metadata(None);
        let mut topics = topics.map_err(|code| self.failed("cannot list topics", code))?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic; an error where there is none.
    pub fn topic(&self, name: &str) -> Result<TopicInfo, Error> {
        match self.topic_here(name) {
            Err(Error::NoTopic { name, .. }) => Err(self.no_topic(name)),
            result => result,
        }
    }

    fn topic_here(&self, name: &str) -> Result<TopicInfo, Error> {
        self.topic_of(&Topic::open(&self.native, name)?, name)
    }

    /// Says also which topic was probably meant.
    fn no_topic(&self, name: String) -> Error {
        let topics = self.topics().unwrap_or_default();
        let similar = similar(&name, topics.iter().map(|topic| topic.name.as_str()));
        Error::NoTopic { name, similar }
    }

    pub(in crate::client) fn topic_of(
        &self,
        handle: &Topic,
        name: &str,
    ) -> Result<TopicInfo, Error> {
        let what = || format!("topic '{name}'");
        let topics = self.metadata(Some(handle));
        let topics = topics.map_err(|code| self.failed(&what(), code))?;
        let Some(topic) = topics.into_iter().find(|topic| topic.name == name) else {
            return Err(Error::NoTopic { name: name.to_owned(), similar: String::new() });
        };
        match topic.code {
            Code::NONE | Code::LEADER_NOT_AVAILABLE => Ok(topic),
            Code::UNKNOWN_TOPIC_OR_PART | Code::UNKNOWN_TOPIC => {
                Err(Error::NoTopic { name: name.to_owned(), similar: String::new() })
            }
            Code::INVALID_TOPIC => Err(Error::Topic { name: name.to_owned() }),
            code => Err(Error::Refused { what: what(), code }),
        }
    }

    fn metadata(&self, only: Option<&Topic>) -> Result<Vec<TopicInfo>, Code> {
        let Metadata { brokers, topics } = sys::metadata(&self.native, only, self.patience.max)?;
        *self.listed.lock().expect("no holder panics") = brokers;
        Ok(topics)
    }

    /// Makes topics; returns when this client can see those that were made.
    pub fn create(&self, topics: &[NewTopic], run: Run) -> Result<Vec<Answer<()>>, Error> {
        let answers = sys::create(&self.native, topics, run, self.patience.max)
            .map_err(|refusal| self.refused("cannot create topics", refusal))?;
        if run == Run::Real {
            let there = |name: &str| self.topic(name).is_ok_and(|topic| topic.code == Code::NONE);
            self.until_seen(&answers, there);
        }
        Ok(answers)
    }

    /// Deletes topics; returns when this client no longer sees those that were deleted.
    pub fn delete(&self, names: &[String]) -> Result<Vec<Answer<()>>, Error> {
        let answers = sys::delete(&self.native, &texts(names)?, self.patience.max)
            .map_err(|refusal| self.refused("cannot delete topics", refusal))?;
        let gone = |name: &str| matches!(self.topic_here(name), Err(Error::NoTopic { .. }));
        self.until_seen(&answers, gone);
        Ok(answers)
    }

    /// The settings of topics, sorted by name.
    pub fn configs(&self, names: &[String]) -> Result<Vec<Answer<Vec<ConfigInfo>>>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = sys::configs(&self.native, &texts(names)?, self.patience.max)
            .map_err(|refusal| self.refused("cannot ask for settings", refusal))?;
        // A broker may leave out what it was asked for.
        for name in names {
            if !answers.iter().any(|(other, _)| other == name) {
                answers.push((name.clone(), Err(sys::Refusal::from(Code::UNKNOWN))));
            }
        }
        for configs in answers.iter_mut().filter_map(|(_, answer)| answer.as_mut().ok()) {
            configs.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(answers)
    }

    /// A change is made by the controller, and seen by the other brokers a moment later. It is
    /// made all the same: if it is not seen in time, that is no error.
    fn until_seen(&self, answers: &[Answer<()>], seen: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + SEEN_MAX;
        for (name, answer) in answers {
            while answer.is_ok() && !seen(name) && Instant::now() < deadline {
                // No broker tells when it has heard of a change: it can only be asked again.
                std::thread::sleep(SEEN_AGAIN);
            }
        }
    }

    /// Gives a topic as many partitions as it should have in all; returns when this client sees
    /// them.
    pub fn add_partitions(&self, name: &str, total: u32, run: Run) -> Result<Answer<()>, Error> {
        let wanted = [(text(name)?, total as usize)];
        let answers = sys::add_partitions(&self.native, &wanted, run, self.patience.max)
            .map_err(|refusal| self.refused("cannot add partitions", refusal))?;
        if run == Run::Real {
            let there = |topic: TopicInfo| total as usize <= topic.partitions.len();
            self.until_seen(&answers, |name| self.topic(name).is_ok_and(there));
        }
        self.only(answers, "cannot add partitions")
    }

    /// Changes settings of a topic, and leaves the others as they are.
    pub fn alter_configs(
        &self,
        name: &str,
        changes: &Changes,
        run: Run,
    ) -> Result<Answer<()>, Error> {
        let what = "cannot change settings";
        let wrong = |_| Error::Said { what: what.to_owned(), why: "a NUL in one".to_owned() };
        let mut wanted = Vec::with_capacity(changes.len());
        for (key, change) in changes {
            let change = match change {
                Change::Set(value) => sys::Change::Set(CString::new(&**value).map_err(wrong)?),
                Change::Unset => sys::Change::Unset,
            };
            wanted.push((CString::new(&**key).map_err(wrong)?, change));
        }
        let wanted = [(text(name)?, wanted)];
        let answers = sys::alter_configs(&self.native, &wanted, run, self.patience.max)
            .map_err(|refusal| self.refused(what, refusal))?;
        self.only(answers, what)
    }

    /// Deletes what is before these offsets, `None` being the end; answers with where each
    /// partition now starts.
    pub fn trim(
        &self,
        wanted: &[(&str, PartitionId, Option<Offset>)],
    ) -> Result<Vec<PartitionAnswer<Offset>>, Error> {
        sys::trim(&self.native, wanted, self.patience.max)
            .map_err(|refusal| self.refused("cannot delete records", refusal))
    }

    /// The answer of a call that was about one topic.
    fn only(&self, answers: Vec<Answer<()>>, what: &str) -> Result<Answer<()>, Error> {
        let none = || self.failed(what, Code::UNKNOWN_TOPIC_OR_PART);
        answers.into_iter().next().ok_or_else(none)
    }
}

fn text(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::Topic { name: name.to_owned() })
}

fn texts(names: &[String]) -> Result<Vec<CString>, Error> {
    names.iter().map(|name| text(name)).collect()
}
