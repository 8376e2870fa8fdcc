//! A record that is put aside until its turn comes.

use super::{Delivered, Header, Offset, PartitionId, Received};
use crate::record::{LeaderEpoch, Record, Timestamp, TimestampType};

/// A copy of a record: what librdkafka has fetched would be held whole for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub(super) part: usize,
    partition: PartitionId,
    offset: Offset,
    timestamp: Option<(TimestampType, Timestamp)>,
    leader_epoch: Option<LeaderEpoch>,
    pub(super) key: Option<Box<[u8]>>,
    pub(super) value: Option<Box<[u8]>>,
    headers: Vec<KeptHeader>,
}

/// A name and its value.
type KeptHeader = (Box<[u8]>, Option<Box<[u8]>>);

impl Kept {
    pub fn of(received: &Received<'_>) -> Kept {
        let mut headers = Vec::new();
        received.headers(&mut headers);
        let delivered = received.delivered(&[]);
        Kept {
            part: received.part(),
            partition: delivered.partition,
            offset: delivered.offset,
            timestamp: delivered.timestamp,
            leader_epoch: delivered.leader_epoch,
            key: delivered.record.key.map(Box::from),
            value: delivered.record.value.map(Box::from),
            headers: headers.iter().map(|h| (h.name.into(), h.value.map(Box::from))).collect(),
        }
    }

    /// Sorts by time, then by where it lies. A record without a time is as old as can be.
    pub fn order(&self) -> (Option<Timestamp>, usize, Offset) {
        (self.timestamp.map(|(_, time)| time), self.part, self.offset)
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() })
    }

    pub(super) fn delivered<'a>(
        &'a self,
        topic: &'a str,
        headers: &'a [Header<'a>],
    ) -> Delivered<'a> {
        Delivered {
            topic,
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            leader_epoch: self.leader_epoch,
            watermarks: None,
            record: Record { key: self.key.as_deref(), value: self.value.as_deref(), headers },
        }
    }
}
