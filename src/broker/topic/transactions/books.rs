//! What Apache's coordinator wrote down of its transactions, as far as some producers matter.
//! Never knows: what follows from it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use bytes::Bytes;

use super::{Fault, TOPIC};
use crate::broker::topic::{Partition, Topic};
use crate::protocol::Text;
use crate::protocol::transaction_record::{TransactionRecord, TransactionValue};
use crate::record::{
    BatchBuilder, BatchView, PartitionId, ProducerEpoch, ProducerId, Record, Scratch, Times,
    Timestamp,
};

/// To what a batch may inflate.
const INFLATED_BYTES_MAX: usize = 64 << 20;

/// The last that was said of a transactional id, and where.
pub struct Said {
    pub partition: PartitionId,
    pub record: TransactionRecord,
    /// The how many-th of all records it is.
    at: u64,
}

/// What could not be read of a partition.
struct Unreadable {
    /// As `Said` has it, of the last one.
    at: u64,
    fault: Fault,
}

#[derive(Default)]
pub struct Books {
    said: HashMap<Text, Said>,
    /// It may be about anybody.
    unreadable: BTreeMap<PartitionId, Unreadable>,
    count: u64,
}

impl Books {
    /// Reads all that is said of transactional ids that ever were one of these producers.
    pub fn read(topic: &Topic, producers: &HashSet<ProducerId>) -> Books {
        let mut books = Books::default();
        for partition in &topic.partitions {
            if let Err(why) = books.read_one(partition, producers) {
                books.unreadable.insert(partition.id, why);
            }
        }
        books
    }

    fn read_one(
        &mut self,
        partition: &Partition,
        producers: &HashSet<ProducerId>,
    ) -> Result<(), Unreadable> {
        let mut scratch = Scratch::default();
        let mut odd = None;
        let read = partition.each_batch(|batch| {
            batch.check_crc()?;
            if batch.is_control() {
                return Ok(());
            }
            let records = batch.records(&mut scratch, INFLATED_BYTES_MAX)?;
            for entry in records {
                let record = entry?;
                self.count += 1;
                let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
                match TransactionRecord::decode(key, record.value.map(Bytes::copy_from_slice)) {
                    Ok(record) => self.heed(partition.id, record, producers),
                    Err(error) => {
                        let fault = unread(Fault::Lasting, partition, &error);
                        odd = Some(Unreadable { at: self.count, fault });
                    }
                }
            }
            Ok(())
        });
        read.map_err(|why| {
            let fault = unread(Fault::Passing, partition, &why);
            Unreadable { at: u64::MAX, fault }
        })?;
        if !partition.was_whole() {
            let fault = unread(Fault::Lasting, partition, &"some of it is missing");
            return Err(Unreadable { at: u64::MAX, fault });
        }
        odd.map_or(Ok(()), Err)
    }

    fn heed(
        &mut self,
        partition: PartitionId,
        record: TransactionRecord,
        producers: &HashSet<ProducerId>,
    ) {
        let is_of = |value: &TransactionValue| {
            let previous = value.previous_producer_id;
            producers.contains(&value.producer_id)
                || previous.is_some_and(|previous| producers.contains(&previous))
        };
        let id = &record.key.transactional_id;
        if record.value.as_ref().is_some_and(is_of) || self.said.contains_key(id) {
            self.said.insert(id.clone(), Said { partition, record, at: self.count });
        }
    }

    /// Why nobody knows what the coordinator said last of a producer, of which this was read.
    pub fn doubt(&self, said: Option<&Said>) -> Option<Fault> {
        // All that is said of an id lies in one partition.
        let is_later = |said: &Said, id, at| said.partition == id && said.at < at;
        let mut unreadable = self.unreadable.iter();
        let (_, Unreadable { fault, .. }) =
            unreadable.find(|(id, it)| said.is_none_or(|said| is_later(said, **id, it.at)))?;
        Some(fault.clone())
    }

    /// The transaction that the coordinator has for this producer, or has for the one that took
    /// over from it when its epochs were used up.
    pub fn of(&self, producer: ProducerId) -> Option<&Said> {
        let is_its = |value: &TransactionValue| value.producer_id == producer;
        let was_its = |value: &TransactionValue| value.previous_producer_id == Some(producer);
        let find = |is: &dyn Fn(&TransactionValue) -> bool| {
            self.said.values().find(|said| said.record.value.as_ref().is_some_and(is))
        };
        find(&is_its).or_else(|| find(&was_its))
    }
}

/// Writes that a transaction is to be aborted, and that its producer's epoch is over, as Apache's
/// coordinator does when it takes too long (TransactionMetadata.prepareFenceProducerEpoch). Durable
/// when this returns: a producer that then comes back to Apache cannot commit half of it.
pub fn fence(topic: &Topic, said: &Said, now: Timestamp) -> Result<(), String> {
    let mut record = said.record.clone();
    let value = record.value.as_mut().expect("a transaction under way has a value");
    value.status = TransactionValue::PREPARES_TO_ABORT;
    value.producer_epoch = ProducerEpoch(value.producer_epoch.get().saturating_add(1));
    value.client_transaction_version = 0;
    value.last_update = now;
    let (key, value) = record.encode().map_err(|error| error.to_string())?;
    let mut batch = BatchBuilder::new();
    batch.push(now, &Record { key: Some(&key), value: value.as_deref(), headers: &[] });
    let batch = batch.build();
    let batch = BatchView::parse(&batch).expect("a batch that was just built");
    let partition = topic.partition(said.partition).ok_or("it is gone")?;
    let appended = partition.append(&batch, Times::Keep, now).map_err(|_| "it cannot be used")?;
    appended.map_err(|error| error.to_string())?;
    settle(topic, said)
}

/// Makes durable what was said, before anything follows from it.
pub fn settle(topic: &Topic, said: &Said) -> Result<(), String> {
    let partition = topic.partition(said.partition).ok_or("it is gone")?;
    partition.make_durable().map_err(|_| "it cannot be synced".to_owned())
}

fn unread(fault: fn(String) -> Fault, partition: &Partition, why: &dyn fmt::Display) -> Fault {
    fault(format!("{TOPIC} cannot be read: partition {}: {why}", partition.id))
}
