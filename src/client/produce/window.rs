//! How many records may be under way.

/// As many as stay in a core's cache with what librdkafka keeps of each: it touches every one of
/// them five times on its way. Five million lines of 100 bytes take a fifth less CPU so than with
/// 200,000 under way, and 50 MiB less.
const RECORDS: usize = 30_000;

/// For each partition among a thousand records. librdkafka looks at all partitions before it sends
/// the next five batches of an idempotent producer: with a thousand partitions and 30 records in a
/// batch, that is most of the CPU.
const RECORDS_PER_PARTITION: usize = 250;

/// As many as keep the brokers busy, and few where that is enough.
#[derive(Debug)]
pub struct Window {
    records: usize,
    records_min: usize,
    records_max: usize,
}

impl Window {
    /// One that never gets wider than `queue.buffering.max.messages`, where 0 is no limit.
    pub fn new(records_max: usize) -> Window {
        let records_max = if records_max == 0 { usize::MAX } else { records_max };
        let records_min = RECORDS.min(records_max);
        Window { records: records_min, records_min, records_max }
    }

    /// Of so many partitions a thousand records are: there must be some of each.
    pub fn suit(&mut self, partitions: usize) {
        let records = RECORDS.max(partitions.saturating_mul(RECORDS_PER_PARTITION));
        self.records_min = records.min(self.records_max);
        self.records = self.records.max(self.records_min);
    }

    /// Whether one more may go under way.
    pub fn has_room(&self, in_flight: usize) -> bool {
        in_flight < self.records
    }

    /// It was full and nothing came back for long: brokers are far away, or the records are of so
    /// many partitions that no batch is full.
    pub fn widen(&mut self) {
        self.records = self.records.saturating_mul(2).min(self.records_max);
    }

    /// It was full and soon had room again: it may be wider than it needs to be.
    pub fn narrow(&mut self) {
        self.records = (self.records - self.records / 16).max(self.records_min);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_partitions_have_more_under_way() {
        let mut window = Window::new(200_000);
        for (partitions, want) in [(1, 30_000), (100, 30_000), (400, 100_000), (1000, 200_000)] {
            window.suit(partitions);
            window.narrow();
            assert!(window.has_room(want - 1) && !window.has_room(want), "{partitions}");
        }
        window.suit(6);
        assert!(window.has_room(150_000), "it narrows bit by bit");
    }

    #[test]
    fn it_widens_up_to_what_it_may() {
        let mut window = Window::new(100_000);
        let mut room = Vec::new();
        for _ in 0..4 {
            room.push((window.has_room(29_999), window.has_room(30_000), window.has_room(99_999)));
            window.widen();
        }
        let wide = (true, true, true);
        assert_eq!(room, [(true, false, false), (true, true, false), wide, wide]);
        assert!(!window.has_room(100_000));
        for _ in 0..30 {
            window.narrow();
        }
        assert!(window.has_room(29_999) && !window.has_room(30_000));
        assert!(!Window::new(10).has_room(10));
        assert!(Window::new(0).has_room(10));
    }
}
