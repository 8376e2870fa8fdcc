//! What Apache's coordinator wrote down of its transactions. It is read once, and on from there
//! when it is asked again: a thousand logs may have transactions to end.
//! Never knows: what follows from it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;

use super::{Fault, TOPIC};
use crate::broker::topic::{Partition, Topic};
use crate::log::Piece;
use crate::protocol::Text;
use crate::protocol::transaction_record::{TransactionRecord, TransactionValue};
use crate::record::{
    BatchBuilder, BatchView, Offset, PartitionId, ProducerEpoch, ProducerId, Record, Scratch,
    Times, Timestamp, Uuid,
};

/// To what a batch may inflate.
const INFLATED_BYTES_MAX: usize = 64 << 20;

/// What is kept of transactional ids that nobody asked for: some 20,000 of them.
const BYTES_MAX: usize = 4 << 20;
/// What an id takes, beside its record.
const ENTRY_BYTES: usize = 200;

/// The last that was said of a transactional id, and where.
#[derive(Clone)]
pub struct Said {
    pub partition: PartitionId,
    pub record: TransactionRecord,
    /// The how many-th of all records it is.
    at: u64,
    bytes: usize,
}

impl Said {
    pub fn value(&self) -> Option<&TransactionValue> {
        self.record.value.as_ref()
    }

    fn is_of(&self, mut is_wanted: impl FnMut(ProducerId) -> bool) -> bool {
        let of = |value: &TransactionValue| {
            is_wanted(value.producer_id) || value.previous_producer_id.is_some_and(&mut is_wanted)
        };
        self.value().is_some_and(of)
    }
}

/// What is known of one partition.
#[derive(Default)]
struct Reading {
    /// Where it goes on.
    next: Offset,
    /// Up to which record there was one that could not be read, and so may be about anybody.
    odd: Option<(u64, Fault)>,
    /// Why it may have said more.
    missing: Option<Fault>,
}

#[derive(Default)]
pub struct Books {
    topic: Uuid,
    said: HashMap<Text, Said>,
    partitions: BTreeMap<PartitionId, Reading>,
    /// Records so far.
    pub count: u64,
    bytes: usize,
    /// Producers that somebody asked for.
    asked: HashSet<ProducerId>,
    /// There are too many ids: it knows those of the producers that were asked for alone.
    is_crowded: bool,
}

impl Books {
    /// Reads on, until all is known that was said of transactional ids that are one of these
    /// producers, or were the last time.
    pub fn read_on(&mut self, topic: &Topic, producers: &HashSet<ProducerId>) {
        if self.topic != topic.id() {
            *self = Books { topic: topic.id(), ..Books::default() };
        }
        if self.is_crowded && !producers.is_subset(&self.asked) {
            let asked = std::mem::take(&mut self.asked);
            *self = Books { topic: self.topic, asked, is_crowded: true, ..Books::default() };
        }
        self.asked.extend(producers);
        for partition in &topic.partitions {
            let mut reading = self.partitions.remove(&partition.id).unwrap_or_default();
            reading.missing = self.read_one(partition, &mut reading).err();
            self.partitions.insert(partition.id, reading);
        }
    }

    fn read_one(&mut self, partition: &Partition, reading: &mut Reading) -> Result<(), Fault> {
        let passing = |why: String| unread(Fault::Passing, partition, &why);
        let lasting = |why: &dyn fmt::Display| unread(Fault::Lasting, partition, why);
        let asides = partition.ask(|log| log.set_aside());
        let asides = asides.map_err(|_| passing("its log cannot be opened".to_owned()))?;
        let asides = asides.map_err(|error| passing(error.to_string()))?;
        let next = |from| partition.part(from).map_err(|error| passing(error.to_string()));
        while let Some(part) = next(reading.next)? {
            let read = part.each(|piece| {
                self.see(partition, piece, reading);
                ControlFlow::Continue(())
            });
            let _all = read.map_err(|error| passing(error.to_string()))?;
            reading.next = part.end;
        }
        match asides.first() {
            Some(aside) => {
                let path = aside.path.display();
                Err(lasting(&format!("{path} was taken out of it, and may say more")))
            }
            None if !partition.was_whole() => Err(lasting(&"some of it is missing")),
            None => Ok(()),
        }
    }

    fn see(&mut self, partition: &Partition, piece: Piece<'_>, reading: &mut Reading) {
        let odd = match piece {
            Piece::Damage(damage) => Err(damage.why.to_string()),
            // A segment is read again where it has grown.
            Piece::Batch { batch, .. } if batch.base_offset() < reading.next => Ok(()),
            Piece::Batch { batch, .. } => {
                reading.next = batch.next_offset();
                self.heed_all(partition.id, &batch)
            }
        };
        if let Err(why) = odd {
            self.count += 1;
            reading.odd = Some((self.count, unread(Fault::Lasting, partition, &why)));
        }
    }

    /// All records of a batch. Those that can be read are heeded also where others cannot.
    fn heed_all(&mut self, partition: PartitionId, batch: &BatchView<'_>) -> Result<(), String> {
        if batch.is_control() {
            return Ok(());
        }
        let mut odd = Ok(());
        let mut scratch = Scratch::default();
        let records = batch.records(&mut scratch, INFLATED_BYTES_MAX);
        for entry in records.map_err(|error| error.to_string())? {
            let record = entry.map_err(|error| error.to_string())?;
            self.count += 1;
            let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
            let value = record.value.map(Bytes::copy_from_slice);
            let bytes = key.len() + value.as_ref().map_or(0, Bytes::len) + ENTRY_BYTES;
            match TransactionRecord::decode(key, value) {
                Ok(record) => self.heed(Said { partition, record, at: self.count, bytes }),
                Err(error) => odd = Err(error.to_string()),
            }
        }
        odd
    }

    fn heed(&mut self, said: Said) {
        let id = &said.record.key.transactional_id;
        if let Some(before) = self.said.remove(id) {
            self.bytes -= before.bytes;
        }
        let is_asked = |said: &Said| said.is_of(|producer| self.asked.contains(&producer));
        if said.value().is_none() || self.is_crowded && !is_asked(&said) {
            return;
        }
        self.bytes += said.bytes;
        self.said.insert(id.clone(), said);
        if !self.is_crowded && BYTES_MAX < self.bytes {
            self.is_crowded = true;
            self.said.retain(|_, said| is_asked(said));
            self.bytes = self.said.values().map(|said| said.bytes).sum();
        }
    }

    /// Why nobody knows what the coordinator said last of a producer, of which this was read.
    pub fn doubt<'a>(&'a self, said: Option<&Said>) -> Option<&'a Fault> {
        let doubt = |(id, reading): (&PartitionId, &'a Reading)| {
            // All that is said of an id lies in one partition.
            if said.is_some_and(|said| said.partition != *id) {
                return None;
            }
            let is_later = |at: u64| said.is_none_or(|said| said.at < at);
            let odd = reading.odd.as_ref().filter(|(at, _)| is_later(*at));
            reading.missing.as_ref().or(odd.map(|(_, fault)| fault))
        };
        self.partitions.iter().find_map(doubt)
    }

    /// The transaction that the coordinator has for each producer, or has for the one that took
    /// over from it when its epochs were used up.
    pub fn by_producer(&self) -> HashMap<ProducerId, &Said> {
        let values = || self.said.values().filter_map(|said| Some((said.value()?, said)));
        let before = values().filter_map(|(value, said)| Some((value.previous_producer_id?, said)));
        before.chain(values().map(|(value, said)| (value.producer_id, said))).collect()
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

/// Books that the catalogue knows nothing of any more were set aside; they may say something.
pub fn stray(data_dir: &Path) -> Option<Fault> {
    let is_stray = |name: &str| name.starts_with(TOPIC) && name.ends_with("-stray");
    let found = fs::read_dir(data_dir).ok()?.filter_map(Result::ok);
    let stray = found.into_iter().find(|entry| entry.file_name().to_str().is_some_and(is_stray))?;
    Some(Fault::Lasting(format!("{} was set aside, and may say more", stray.path().display())))
}

fn unread(fault: fn(String) -> Fault, partition: &Partition, why: &dyn fmt::Display) -> Fault {
    fault(format!("{TOPIC} cannot be read: partition {}: {why}", partition.id))
}
