//! Transactions that Apache Kafka left open. Here nobody can come back to end them, and whoever
//! reads only what was committed would never get past them: a log that is opened ends its own, as
//! Apache's coordinator would.
//! Never knows: requests, other topics than the one in which the coordinator keeps its books.
//!
//! `books` has what the coordinator said, `verdict` what follows from it. All is read without the
//! log's lock; it is taken for the marker alone.

mod books;
mod verdict;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Instant;

use books::{Books, Said};
use verdict::{Verdict, verdict};

use super::broken::Broken;
use super::partition::{Partition, now};
use super::topics::Topic;
use crate::log::{Appended, Decision, OpenTransaction, Stamp};
use crate::record::{Offset, Times};

/// Where Apache's coordinator says how far each transaction is.
const TOPIC: &str = "__transaction_state";

/// That topic, if there is one, and what was read of it.
#[derive(Default)]
pub struct Coordination {
    topic: RwLock<Weak<Topic>>,
    books: Mutex<Books>,
}

/// What the coordinator said of a transaction.
struct Word {
    said: Option<Said>,
    /// Why it may have said otherwise since.
    doubt: Option<Fault>,
}

impl Coordination {
    /// Remembers it if it is this one.
    pub fn heed(&self, topic: &Arc<Topic>) {
        if &**topic.name() == TOPIC {
            *self.topic.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(topic);
        }
    }

    fn topic(&self) -> Option<Arc<Topic>> {
        self.topic.read().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// How many records of the coordinator's were read so far.
    #[cfg(test)]
    pub fn read_count(&self) -> u64 {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// One reads for all: whoever comes meanwhile waits, and finds it read.
    fn ask(&self, topic: Option<&Topic>, data_dir: &Path, open: &[OpenTransaction]) -> Vec<Word> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        match topic {
            Some(topic) => books.read_on(topic, &open.iter().map(|open| open.producer).collect()),
            None => *books = Books::default(),
        }
        let by_producer = books.by_producer();
        let stray = books::stray(data_dir);
        let word = |open: &OpenTransaction| {
            let said = by_producer.get(&open.producer).copied();
            let doubt = match said {
                None => stray.clone().or_else(|| books.doubt(None).cloned()),
                Some(said) => books.doubt(Some(said)).cloned(),
            };
            Word { said: said.cloned(), doubt }
        };
        open.iter().map(word).collect()
    }
}

/// Why a transaction is not ended.
#[derive(Clone, Debug)]
enum Fault {
    /// Nobody knows how it should end.
    Lasting(String),
    /// There is no room, say, or a file cannot be read.
    Passing(String),
}

/// A transaction, and what became of it.
struct Ending {
    open: OpenTransaction,
    verdict: Verdict,
    said: Option<Said>,
    ended: Result<(Decision, Appended), Fault>,
}

/// Transactions that could not be ended and may be yet, and when that is tried again. Locked while
/// they are ended, before any log.
#[derive(Default)]
pub struct Unended {
    /// Where they begin, in order.
    open: Vec<Offset>,
    broken: Broken,
}

impl Unended {
    pub fn is_due(&self, now: Instant) -> bool {
        self.broken.is_due(now)
    }

    /// Whether a log that was just opened has any. In its own books, the coordinator has none.
    pub fn has_any(partition: &Partition, open: &[OpenTransaction]) -> bool {
        !open.is_empty() && &*partition.core.name != TOPIC
    }

    /// Ends all transactions of a log that was just opened, and says so.
    pub fn end_all(&mut self, partition: &Partition) {
        let open = partition.if_open(|log| log.open_transactions());
        self.end(partition, open.unwrap_or_default());
    }

    /// Ends those that could not be ended before.
    pub fn end_again(&mut self, partition: &Partition) {
        let open = partition.if_open(|log| log.open_transactions());
        let mut open = open.unwrap_or_default();
        open.retain(|open| self.open.binary_search(&open.first).is_ok());
        self.end(partition, open);
    }

    fn end(&mut self, partition: &Partition, open: Vec<OpenTransaction>) {
        let coordination = &partition.core.coordination;
        let topic = coordination.topic();
        let words = match open.is_empty() {
            true => Vec::new(),
            false => coordination.ask(topic.as_deref(), &partition.core.data_dir, &open),
        };
        let end = |(open, word)| Ending::of(partition, topic.as_deref(), open, word);
        let all: Vec<_> = open.into_iter().zip(words).map(end).collect();
        // Its topic was deleted, or the broker is leaving.
        if partition.is_gone() {
            return;
        }
        let passing = all.iter().filter_map(Ending::passing);
        let (open, why): (Vec<_>, Vec<_>) = passing.unzip();
        self.open = open;
        let is_news = match why.is_empty() {
            true => self.broken.mend(),
            false => self.broken.fail(Instant::now(), why.join("; ")),
        };
        for ending in &all {
            if is_news || ending.passing().is_none() {
                ending.tell(partition);
            }
        }
    }
}

impl Ending {
    fn of(
        partition: &Partition,
        topic: Option<&Topic>,
        open: OpenTransaction,
        Word { said, doubt }: Word,
    ) -> Ending {
        let value = said.as_ref().and_then(Said::value);
        let verdict = verdict(&open, value, &partition.core.name, partition.id);
        let ended = match doubt {
            Some(fault) => Err(fault),
            None => {
                let decided = decide(partition, &open, verdict, topic.zip(said.as_ref()));
                decided.and_then(|decision| Ok((decision, mark(partition, &open, decision)?)))
            }
        };
        Ending { open, verdict, said, ended }
    }

    fn passing(&self) -> Option<(Offset, String)> {
        match &self.ended {
            Err(Fault::Passing(why)) => {
                Some((self.open.first, format!("{}: {why}", self.open.first)))
            }
            Err(Fault::Lasting(_)) | Ok(_) => None,
        }
    }
}

/// How it ends; that is durable where the coordinator keeps its books.
fn decide(
    partition: &Partition,
    open: &OpenTransaction,
    verdict: Verdict,
    said: Option<(&Topic, &Said)>,
) -> Result<Decision, Fault> {
    let of_books = |why: String| Fault::Passing(format!("{TOPIC}: {why}"));
    let lasting = |why: &str| Err(Fault::Lasting(why.to_owned()));
    match verdict {
        Verdict::Decided(decision) => {
            // It may be what was written here when the marker could not be.
            let (topic, said) = said.expect("the coordinator said what it decided");
            books::settle(topic, said).map_err(of_books)?;
            Ok(decision)
        }
        Verdict::Ongoing => {
            let (topic, said) = said.expect("the coordinator said that it is under way");
            books::fence(topic, said, now()).map_err(of_books)?;
            Ok(Decision::Abort)
        }
        Verdict::Unknown => {
            lasting("an earlier one of its producer was committed, perhaps this one not")
        }
        Verdict::Hanging => {
            let search = partition.if_open(|log| log.search_end_of(open));
            let search = search.ok_or_else(|| passing(&CLOSED))?.map_err(|why| passing(&why))?;
            let may_be_lost = search.finds_signs(|from| partition.part(from));
            match may_be_lost.map_err(|why| passing(&why))? {
                true => lasting("what is missing behind it may have committed it"),
                false => Ok(Decision::Abort),
            }
        }
    }
}

const CLOSED: &str = "its log was closed";

fn passing(why: &dyn fmt::Display) -> Fault {
    Fault::Passing(why.to_string())
}

/// Ends it in the log, if it is open still.
fn mark(
    partition: &Partition,
    open: &OpenTransaction,
    decision: Decision,
) -> Result<Appended, Fault> {
    let stamp = Stamp { leader_epoch: partition.leader_epoch(), now: now(), times: Times::Keep };
    let marked = partition.if_open(|log| log.end_transaction(open, decision, stamp));
    let marked = marked.flatten().ok_or_else(|| passing(&CLOSED))?;
    marked.map_err(|why| passing(&why))
}

impl Ending {
    fn tell(&self, partition: &Partition) {
        let name = format!("{}-{}", partition.core.name, partition.id);
        let (producer, from) = (self.open.producer, self.open.first);
        let transactional_id = self.said.as_ref().map(|said| &*said.record.key.transactional_id);
        let why = match self.verdict {
            Verdict::Decided(_) | Verdict::Unknown => "as __transaction_state says",
            Verdict::Ongoing => "its producer was still writing, and kaw has no transactions",
            Verdict::Hanging => "no coordinator knows of it",
        };
        match &self.ended {
            Ok((decision, marker)) => {
                let marker = marker.base_offset;
                let outcome = match decision {
                    Decision::Abort => "aborted",
                    Decision::Commit => "committed",
                };
                tracing::warn!(
                    partition = name, %producer, transactional_id, %from, %marker, why,
                    "{outcome} a transaction that Apache Kafka left open"
                );
            }
            Err(Fault::Lasting(why)) => tracing::error!(
                partition = name, %producer, transactional_id, %from, why,
                "an open transaction cannot be ended; from there on only read_uncommitted readers \
                 read, until Apache Kafka's kafka-transactions.sh aborts it"
            ),
            Err(Fault::Passing(why)) => tracing::error!(
                partition = name, %producer, transactional_id, %from, why,
                "an open transaction cannot be ended yet; from there on only read_uncommitted \
                 readers read; it is tried again"
            ),
        }
    }
}
