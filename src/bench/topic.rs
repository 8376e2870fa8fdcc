//! The topic of a run: made for it, and gone with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use super::process::Process;
use crate::client::admin::{Admin, Answer, Edge, NewTopic, Patience, Run};
use crate::client::raw::Raw;
use crate::client::{Config, Error};
use crate::record::{Offset, PartitionId};

/// With acks=0 a record may be on its way still when it counts as sent; it arrives by then.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// What is no larger passes Kafka's default max.message.bytes, whatever goes around it.
const USUAL_BYTES_MAX: usize = 900_000;

/// What a topic for batches of this size needs; twice the size, for what goes around records and
/// what a codec may add to bytes that do not compress.
fn configs(batch_bytes: usize) -> Vec<(String, String)> {
    let limit = || ("max.message.bytes".to_owned(), batch_bytes.saturating_mul(2).to_string());
    (USUAL_BYTES_MAX < batch_bytes).then(limit).into_iter().collect()
}

/// A topic that the run made, and therefore may delete.
pub struct Topic {
    admin: Admin,
    name: String,
    partitions: Vec<PartitionId>,
}

impl Topic {
    pub fn create(
        config: &Config,
        name: &str,
        partitions: u32,
        batch_bytes: usize,
        patience: Patience,
    ) -> Result<Topic, Error> {
        let admin = Admin::open(config, patience)?;
        let count = i32::try_from(partitions).expect("bounded where it is typed");
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: Some(count),
            replicas: None,
            configs: configs(batch_bytes),
        };
        all_done("create", admin.create(&[topic], Run::Real)?)?;
        let partitions = (0..count).map(PartitionId).collect();
        let topic = Topic { admin, name: name.to_owned(), partitions };
        // A record with acks=0 that comes before its partition has a leader is lost in silence.
        topic.await_records(0)?;
        Ok(topic)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn partitions(&self) -> &[PartitionId] {
        &self.partitions
    }

    /// A way to its batches past librdkafka.
    pub fn raw(&self, config: &Config) -> Result<Raw, Error> {
        self.admin.raw(config, vec![self.name.clone()])
    }

    /// Waits until as many records are there, or until no more will come. A partition that was
    /// made a moment ago may have no leader yet, which is no more than a reason to ask again.
    pub fn await_records(&self, count: u64) -> Result<(), Error> {
        let deadline = Instant::now() + ARRIVAL_MAX;
        loop {
            match self.records() {
                Ok(records) if count <= records => return Ok(()),
                answer if deadline <= Instant::now() => return answer.map(|_| ()),
                Ok(_) | Err(_) => thread::sleep(LOOK_AGAIN),
            }
        }
    }

    fn records(&self) -> Result<u64, Error> {
        let ends = self.ends()?;
        Ok(ends.into_values().map(|offset| offset.get().unsigned_abs()).sum())
    }

    /// Where each partition ends now.
    pub fn ends(&self) -> Result<BTreeMap<PartitionId, Offset>, Error> {
        let wanted = self.partitions.iter().map(|&id| (self.name.as_str(), id, Edge::End));
        let [places] = self.admin.places([&wanted.collect::<Vec<_>>()])?;
        let ends = self.partitions.iter().zip(places);
        Ok(ends.filter_map(|(&id, place)| Some((id, place.offset?))).collect())
    }

    /// The processes that lead its partitions, where all of them are known to be on this machine.
    pub fn leaders(&self) -> Option<Vec<Process>> {
        let topic = self.admin.topic(&self.name).ok()?;
        let ids: BTreeSet<_> = topic.partitions.iter().map(|it| it.leader).collect();
        let places = self.admin.places_of_brokers();
        let process = |id: Option<i32>| {
            let (host, port) = places.get(&id?)?;
            Process::listening(loopback(host, *port)?)
        };
        let processes: Option<BTreeSet<_>> = ids.into_iter().map(process).collect();
        processes.map(|processes| processes.into_iter().collect())
    }

    pub fn delete(self) -> Result<(), Error> {
        all_done("delete", self.admin.delete(&[self.name])?)
    }
}

/// No name is looked up: what would be found may be anywhere.
fn loopback(host: &str, port: u16) -> Option<SocketAddr> {
    let ip = if host == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { host.parse() };
    Some(SocketAddr::new(ip.ok()?, port))
}

fn all_done(verb: &str, answers: Vec<Answer<()>>) -> Result<(), Error> {
    for (name, answer) in answers {
        let what = || format!("cannot {verb} topic {name}");
        answer.map_err(|refusal| Error::Said { what: what(), why: refusal.text })?;
    }
    Ok(())
}
