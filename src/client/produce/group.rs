//! How much makes one batch, and no more, of what a topic may refuse.
//! Never knows: librdkafka.

use std::time::{Duration, Instant};

use super::rules::Suspicion;

/// Records in the first group. Where a broker does not name the guilty, fewer come again sooner.
const RECORDS: usize = 1000;
/// Records in any: batch.num.messages, where the user says nothing.
const RECORDS_MAX: usize = 10_000;
/// What a request has besides its records: librdkafka counts that into `batch.size`, from the
/// request's own header on (rd_kafka_msgset_writer_write_msgq), so that a full batch is always
/// smaller than `batch.size`.
const REQUEST_BYTES_MAX: usize = 1024;

/// What fits a group.
pub struct Room {
    /// `batch.size`.
    pub batch_bytes_max: usize,
    /// Fewer, while it is sought who is guilty.
    records: usize,
    records_max: usize,
    /// For so long at least librdkafka waits for a batch to fill.
    time: Duration,
}

/// Records on their way as one batch a partition, with nothing else in flight.
pub struct Group {
    is_open: bool,
    since: Instant,
    records: usize,
    bytes: usize,
    /// Somebody in it is sure to be refused.
    is_defiant: bool,
}

impl Room {
    pub fn new(batch_bytes_max: usize, batch_records_max: Option<usize>, linger_ms: f64) -> Room {
        let records_max = batch_records_max.unwrap_or(RECORDS_MAX);
        let time = Duration::from_secs_f64(linger_ms / 2000.0);
        Room { batch_bytes_max, records: RECORDS.min(records_max), records_max, time }
    }

    /// All of the group were in order.
    pub fn grow(&mut self) {
        self.records = self.records_max.min(self.records * 2);
    }

    /// Somebody in the group is guilty: half of it is more likely not to have them.
    pub fn shrink(&mut self, group: &Group) {
        self.records = (group.records / 2).max(1);
    }
}

impl Group {
    pub fn begin() -> Group {
        Group { is_open: true, since: Instant::now(), records: 0, bytes: 0, is_defiant: false }
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether it cannot get through, by all that is known.
    pub fn is_defiant(&self) -> bool {
        self.is_defiant
    }

    /// What comes later is no part of it.
    pub fn close(&mut self) {
        self.is_open = false;
    }

    /// Whether one more record is sure to go with the others. The first one always does.
    pub fn has_room(&self, bytes: usize, room: &Room) -> bool {
        let batch_bytes = REQUEST_BYTES_MAX + self.bytes + bytes;
        let fits = self.records < room.records
            && batch_bytes <= room.batch_bytes_max
            && self.since.elapsed() < room.time;
        self.is_open && (self.records == 0 || fits)
    }

    pub fn add(&mut self, bytes: usize, suspicion: Option<Suspicion>) {
        self.records += 1;
        self.bytes += bytes;
        self.is_defiant |= matches!(suspicion, Some(Suspicion::Sure(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_never_more_than_a_batch() {
        let mut room = Room::new(10_000, Some(4), 1e9);
        let mut group = Group::begin();
        assert!(group.has_room(50_000, &room), "the first always goes");
        group.add(5_000, None);
        assert!(group.has_room(3_976, &room));
        assert!(!group.has_room(3_977, &room));
        for _ in 0..3 {
            group.add(1, None);
        }
        assert!(!group.has_room(1, &room), "four records are a batch");
        room.shrink(&group);
        assert_eq!(room.records, 2);
        room.grow();
        room.grow();
        assert_eq!(room.records, 4);
        group = Group::begin();
        group.close();
        assert!(!group.has_room(1, &room));
    }

    #[test]
    fn without_time_to_fill_a_batch_each_travels_alone() {
        let room = Room::new(10_000, None, 0.0);
        let mut group = Group::begin();
        assert!(group.has_room(1, &room));
        group.add(1, None);
        assert!(!group.has_room(1, &room));
    }
}
