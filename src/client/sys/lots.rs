//! Records that were taken and not yet handed over, one lot a partition.

use rdkafka_sys as rd;

/// `RD_KAFKA_PARTITION_UA`: the partitioner decides.
pub const ANY_PARTITION: i32 = -1;
/// Records of all lots together. More would save nothing: a call's fixed cost is gone by then.
const RECORDS_MAX: usize = 1000;
/// Partitions that may have a lot.
const LOTS_MAX: i32 = 10_000;
/// What an empty lot keeps.
const KEPT_RECORDS: usize = 64;

/// Keys and values point into blocks.
#[derive(Default)]
pub struct Lots {
    /// That of `ANY_PARTITION` first.
    lots: Vec<Vec<rd::rd_kafka_message_t>>,
    /// Which of them are not empty, in the order in which they came to be so.
    filled: Vec<usize>,
    records: usize,
}

impl Lots {
    /// Whether there can be a lot of this partition.
    pub fn may_have(partition: i32) -> bool {
        (ANY_PARTITION..LOTS_MAX).contains(&partition)
    }

    pub fn records(&self) -> usize {
        self.records
    }

    /// Of how many partitions they are.
    pub fn partitions(&self) -> usize {
        self.filled.len()
    }

    /// Whether a record of this partition may join them. What is of any partition may end up in
    /// one with a lot of its own, and would not keep its place there.
    pub fn takes(&self, partition: i32) -> bool {
        let is_any = |index: &usize| *index == 0;
        self.records < RECORDS_MAX
            && self.filled.first().is_none_or(|first| is_any(first) == (partition == ANY_PARTITION))
    }

    pub fn add(&mut self, message: rd::rd_kafka_message_t) {
        let index = usize::try_from(message.partition - ANY_PARTITION).expect("`may_have` said so");
        if self.lots.len() <= index {
            self.lots.resize_with(index + 1, Vec::new);
        }
        if self.lots[index].is_empty() {
            self.filled.push(index);
        }
        self.lots[index].push(message);
        self.records += 1;
    }

    /// Hands each lot over; what `hand_over` leaves in it stays. Whether all went.
    pub fn hand_over(
        &mut self,
        mut hand_over: impl FnMut(i32, &mut Vec<rd::rd_kafka_message_t>),
    ) -> bool {
        let (lots, records) = (&mut self.lots, &mut self.records);
        self.filled.retain(|&index| {
            let lot = &mut lots[index];
            let before = lot.len();
            hand_over(index as i32 + ANY_PARTITION, lot);
            *records -= before - lot.len();
            if lot.is_empty() {
                lot.shrink_to(KEPT_RECORDS);
            }
            !lot.is_empty()
        });
        self.filled.is_empty()
    }
}
