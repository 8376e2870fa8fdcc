//! How far partitions reach while their records are read.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::admin::{Admin, Edge, Isolation, Patience, Place};
use super::super::{Config, Error};
use crate::record::{Offset, PartitionId, Watermarks};

/// What was looked up is taken for true this long, unless a record shows that it is not.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Looks up watermarks, which librdkafka passes on with no record. It has connections of its own:
/// on a consumer's the answer waits behind a fetch that waits for records.
pub struct Gauge {
    admin: Admin,
    known: HashMap<String, HashMap<PartitionId, (Watermarks, Instant)>>,
}

impl Gauge {
    pub fn open(config: &Config, patience: Patience) -> Result<Gauge, Error> {
        Ok(Gauge { admin: Admin::open(config, patience)?, known: HashMap::new() })
    }

    /// The watermarks of a partition of which the record at this offset was read.
    pub fn watermarks(
        &mut self,
        topic: &str,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Watermarks, Error> {
        let known = self.known.get(topic).and_then(|partitions| partitions.get(&partition));
        match known {
            Some((marks, since)) if offset < marks.high && since.elapsed() < AGE_MAX => Ok(*marks),
            _ => self.look_up(topic, partition),
        }
    }

    fn look_up(&mut self, topic: &str, partition: PartitionId) -> Result<Watermarks, Error> {
        let at = |edge| [(topic, partition, edge)];
        let [stable, start, high] = self.admin.places_at([
            (Isolation::Committed, &at(Edge::End)),
            (Isolation::Uncommitted, &at(Edge::Start)),
            (Isolation::Uncommitted, &at(Edge::End)),
        ])?;
        let offset = |places: Vec<Place>| places[0].offset.unwrap_or_default();
        let marks = Watermarks {
            log_start: offset(start),
            last_stable: offset(stable),
            high: offset(high),
        };
        let partitions = self.known.entry(topic.to_owned()).or_default();
        partitions.insert(partition, (marks, Instant::now()));
        Ok(marks)
    }
}
