//! The batches of partitions as they lie in their logs, over `wire`: librdkafka gives and takes
//! single records, without what a log knows beside them.
//! Never knows: what is in a batch, where it goes or comes from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::admin::{BrokerInfo, Patience};
use super::config::nonce;
use super::{Config, Error};
use crate::record::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId};
use crate::wire::{self, Access, Chart, Connection};

pub use crate::wire::Fetched;

/// For so long a leader may be away.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// For so long an answer may take, over a slow line too (librdkafka's `socket.timeout.ms`).
const CALL_MAX: Duration = Duration::from_secs(60);
/// After this long somebody is told.
const TELL_AFTER: Duration = Duration::from_secs(2);
/// A broker is asked again this soon.
const AGAIN: Duration = Duration::from_millis(50);

/// A partition by its names.
pub type Of<'a> = (&'a str, PartitionId);

/// Where the partitions of some topics are, for several lines at once.
pub struct Raw {
    access: Access,
    brokers: Vec<BrokerInfo>,
    topics: Vec<String>,
    chart: Mutex<Arc<Chart>>,
    patience: Patience,
    brokers_log: Option<PathBuf>,
}

/// Connections to the leaders of partitions; one call at a time.
pub struct Line<'a> {
    raw: &'a Raw,
    connections: HashMap<(String, u16), Connection>,
}

impl Raw {
    pub(super) fn open(
        config: &Config,
        brokers: Vec<BrokerInfo>,
        topics: Vec<String>,
        patience: Patience,
    ) -> Result<Raw, Error> {
        let access = config.access().map_err(unasked)?;
        let chart = Mutex::default();
        let brokers_log = config.brokers_log().map(Path::to_owned);
        let raw = Raw { access, brokers, topics, chart, patience, brokers_log };
        raw.refresh()?;
        Ok(raw)
    }

    /// The id of a topic, where the cluster gives such.
    pub fn id(&self, topic: &str) -> Option<String> {
        self.chart().id(topic).map(|id| id.to_string())
    }

    pub fn cluster(&self) -> Option<String> {
        self.chart().cluster.clone()
    }

    /// Asks anew where everything is, and which ids topics have now.
    pub fn refresh(&self) -> Result<(), Error> {
        self.draw().map_err(|error| unasked(error.to_string()))
    }

    pub fn line(&self) -> Line<'_> {
        Line { raw: self, connections: HashMap::new() }
    }

    /// Where the leader of a partition is, as far as one knows.
    pub fn leader(&self, (topic, partition): Of<'_>) -> Option<(String, u16)> {
        let chart = self.chart();
        chart.leader(topic, partition).map(|(host, port)| (host.to_owned(), port))
    }

    /// A connection to a broker for the caller alone.
    pub fn enter(&self, (host, port): (&str, u16)) -> Result<Connection, wire::Error> {
        let deadline = Instant::now() + self.patience.max;
        self.access.enter((host, port), &nonce(), deadline)
    }

    /// A refusal is of the partition alone; a broker that is away, of all that it leads.
    fn failed(&self, of: Of<'_>, error: &wire::Error) -> Error {
        let (what, why) = (name(of), error.to_string());
        match error {
            error if error.is_of_disk() => Error::Disk { what, log: self.brokers_log.clone() },
            error if error.is_refusal() => Error::Unserved { what, why },
            _ => Error::Said { what, why },
        }
    }

    fn chart(&self) -> Arc<Chart> {
        Arc::clone(&self.chart.lock().expect("no holder panics"))
    }

    /// Asks anew where everything is, any broker that answers.
    fn draw(&self) -> Result<(), wire::Error> {
        let mut result = Ok(());
        for broker in &self.brokers {
            let deadline = Instant::now() + self.patience.max;
            let address = (broker.host.as_str(), broker.port);
            let entered = self.access.enter(address, &nonce(), deadline);
            match entered.and_then(|mut broker| broker.chart(&self.topics, deadline)) {
                Ok(chart) => {
                    *self.chart.lock().expect("no holder panics") = Arc::new(chart);
                    return Ok(());
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

impl Line<'_> {
    /// What is decided from this offset on; `None` where the log has no such offset any more.
    pub fn fetch(&mut self, of: Of<'_>, from: Offset) -> Result<Option<Fetched>, Error> {
        self.ask(of, |leader, deadline| match leader.fetch(of, from, deadline) {
            Err(error) if error.is_out_of_range() => Ok(None),
            answer => answer.map(Some),
        })
    }

    pub fn log_start(&mut self, of: Of<'_>) -> Result<Offset, Error> {
        self.ask(of, |leader, deadline| leader.log_start(of, deadline))
    }

    /// Where the batches up to this leader epoch end.
    pub fn end_of_epoch(
        &mut self,
        of: Of<'_>,
        epoch: LeaderEpoch,
    ) -> Result<Option<Offset>, Error> {
        self.ask(of, |leader, deadline| leader.end_of_epoch(of, epoch, deadline))
    }

    /// An identity for a producer, of the broker that leads this partition.
    pub fn identity(&mut self, of: Of<'_>) -> Result<(ProducerId, ProducerEpoch), Error> {
        self.ask(of, |leader, deadline| leader.identity(deadline))
    }

    /// Appends a batch and says where it lies. It is sent again where nobody knows whether it
    /// arrived; by its sequence the broker knows it then (KIP-98).
    pub fn append(&mut self, of: Of<'_>, batch: &Bytes) -> Result<Option<Offset>, Error> {
        self.ask(of, |leader, deadline| leader.append(of, batch.clone(), deadline))
    }

    /// Asks the leader, also the next one.
    fn ask<T>(
        &mut self,
        of: Of<'_>,
        ask: impl Fn(&mut Connection, Instant) -> Result<T, wire::Error>,
    ) -> Result<T, Error> {
        let (began, mut is_told) = (Instant::now(), false);
        loop {
            let why = match self.try_ask(of, &ask) {
                Ok(answer) => return Ok(answer),
                Err(Failed::Finally(why)) => return Err(why),
                Err(Failed::ForNow(why)) => why,
            };
            if AWAY_MAX <= began.elapsed() {
                return Err(why);
            }
            if TELL_AFTER <= began.elapsed() && !is_told {
                is_told = true;
                (self.raw.patience.tell)(&format!("{why}; still trying"));
            }
            // No broker tells when it has become a leader: it can only be asked again.
            std::thread::sleep(AGAIN);
            // Where that fails, so does the next question, and says why.
            let _ = self.raw.draw();
        }
    }

    fn try_ask<T>(
        &mut self,
        of: Of<'_>,
        ask: impl Fn(&mut Connection, Instant) -> Result<T, wire::Error>,
    ) -> Result<T, Failed> {
        let failed = |error: wire::Error| match error.is_passing() {
            true => Failed::ForNow(self.raw.failed(of, &error)),
            false => Failed::Finally(self.raw.failed(of, &error)),
        };
        let chart = self.raw.chart();
        let Some((host, port)) = chart.leader(of.0, of.1) else {
            let (what, why) = (name(of), "the partition has no leader".to_owned());
            return Err(Failed::ForNow(Error::Unserved { what, why }));
        };
        let key = (host.to_owned(), port);
        let mut connection = match self.connections.remove(&key) {
            Some(connection) => connection,
            None => self.raw.enter((host, port)).map_err(failed)?,
        };
        // One that failed may hold half an answer: it is not used again.
        let answer = ask(&mut connection, Instant::now() + CALL_MAX).map_err(failed)?;
        self.connections.insert(key, connection);
        Ok(answer)
    }
}

enum Failed {
    ForNow(Error),
    Finally(Error),
}

fn unasked(why: String) -> Error {
    Error::Said { what: "cannot ask for whole batches".to_owned(), why }
}

fn name((topic, partition): Of<'_>) -> String {
    format!("{topic}-{partition}")
}
