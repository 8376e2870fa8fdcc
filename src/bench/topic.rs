//! The topic of a run: made for it, and gone with it.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::admin::{Admin, Answer, Edge, NewTopic, Patience, Run};
use crate::client::raw::Raw;
use crate::client::{Config, Error};
use crate::record::PartitionId;

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
        let ends = self.partitions.iter().map(|&id| (self.name.as_str(), id, Edge::End));
        let [ends] = self.admin.places([&ends.collect::<Vec<_>>()])?;
        let offsets = ends.iter().filter_map(|place| place.offset);
        Ok(offsets.map(|offset| offset.get().unsigned_abs()).sum())
    }

    pub fn delete(self) -> Result<(), Error> {
        all_done("delete", self.admin.delete(&[self.name])?)
    }
}

fn all_done(verb: &str, answers: Vec<Answer<()>>) -> Result<(), Error> {
    for (name, answer) in answers {
        let what = || format!("cannot {verb} topic {name}");
        answer.map_err(|refusal| Error::Said { what: what(), why: refusal.text })?;
    }
    Ok(())
}
