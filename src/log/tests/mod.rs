//! The log on a disk that fails, and on the real one.

mod clean;
mod engine;
mod faulty;
mod indexes;
mod lost;
mod real;
mod simulation;
mod transactions;

use std::io;
use std::path::Path;

use super::transactions::Marker;
use super::*;
use crate::record::{
    BatchBuilder, BatchView, Codec, Producer, ProducerEpoch, ProducerId, Record, Scratch, Times,
    batches,
};

pub const TOPIC_ID: Uuid = Uuid([7; 16]);
pub const DIR: &str = "/data/t-0";

/// Small, so that everything happens often.
pub const SMALL: Settings = Settings {
    segment_bytes: 1500,
    segment_ms: i64::MAX,
    index_interval_bytes: 200,
    index_bytes_max: 10 << 20,
    producer_expiry_ms: i64::MAX,
    cleanup: Cleanup::Delete,
    producers_max: 10_000,
};

pub fn open<D: Disk>(disk: &D, known: Known) -> (Log<D>, Recovered) {
    Log::open(disk.clone(), Path::new(DIR), TOPIC_ID, SMALL, known, Timestamp(0)).unwrap()
}

pub fn stamp(now: i64) -> Stamp {
    Stamp { leader_epoch: LeaderEpoch(0), now: Timestamp(now), times: Times::Keep }
}

pub fn batch(timestamp: i64, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for value in values {
        let record = Record { value: Some(value.as_bytes()), ..Record::default() };
        builder.push(Timestamp(timestamp), &record);
    }
    builder.build()
}

/// Every value from the log's start to its end, with its offset.
pub fn contents<D: Disk>(log: &mut Log<D>) -> Vec<(i64, String)> {
    contents_by(log, 700)
}

pub fn contents_by<D: Disk>(log: &mut Log<D>, bytes_max: u32) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    let mut from = log.start();
    let mut scratch = Scratch::default();
    while let Some(slice) = log.read(from, log.end(), bytes_max).unwrap() {
        let bytes = slice.load().unwrap();
        for batch in batches(&bytes) {
            let batch = batch.expect("slices hold whole batches");
            batch.check_crc().unwrap();
            let records = batch.records(&mut scratch, 1 << 20).unwrap();
            for entry in records {
                let entry = entry.unwrap();
                let value = String::from_utf8(entry.value.unwrap_or(b"-").to_vec()).unwrap();
                all.push((entry.offset.get(), value));
            }
            from = batch.next_offset();
        }
    }
    all
}

pub fn append<D: Disk>(log: &mut Log<D>, bytes: &[u8]) -> Result<Appended, AppendError> {
    log.append(&BatchView::parse(bytes).unwrap(), stamp(0))
}

/// As the broker does it, which takes the lock for each batch anew.
pub fn offset_for_timestamp<D: Disk>(log: &mut Log<D>, time: i64) -> Option<Found> {
    let mut from = Offset::ZERO;
    while let Some(sought) = log.seek(Timestamp(time), from).unwrap() {
        if let Some(found) = sought.first_at(Timestamp(time)).unwrap() {
            return Some(found);
        }
        from = sought.next();
    }
    None
}

pub fn offset_of_max_timestamp<D: Disk>(log: &mut Log<D>) -> Option<Found> {
    let Newest { first, time } = log.newest().unwrap();
    let first = first.and_then(|first| first.newest().unwrap());
    match first.filter(|first| time <= Some(first.timestamp)) {
        Some(first) => Some(first),
        None => offset_for_timestamp(log, time?.get()),
    }
}

pub fn sync<D: Disk>(log: &mut Log<D>) {
    if let Some(target) = log.sync_target() {
        target.run().unwrap();
        log.synced(&target);
    }
}

/// As the broker does it: what must be durable before is brought to the disk in between.
pub fn removed<D: Disk>(
    log: &mut Log<D>,
    remove: impl Fn(&mut Log<D>) -> io::Result<Removal<D>>,
) -> io::Result<Removed> {
    let (mut all, mut is_restarted) = (Removed::default(), false);
    loop {
        let checkpoint = match remove(log) {
            Err(error) => Err(error),
            Ok(Removal::Done(removed)) => return Ok(all.and(removed)),
            Ok(Removal::After(removed, checkpoint)) => {
                all = all.and(removed);
                checkpoint.run().map(|()| checkpoint)
            }
        };
        match checkpoint {
            Ok(checkpoint) => log.checkpointed(&checkpoint),
            Err(error) if is_full(&error) && !is_restarted => {
                let restart = log.restart();
                is_restarted = restart.run()?;
                if !is_restarted {
                    return Err(error);
                }
                log.restarted(&restart);
            }
            Err(error) => return Err(error),
        }
    }
}

pub fn idempotent(id: i64, epoch: i16, base_sequence: i32, values: &[&str]) -> Vec<u8> {
    let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence };
    let mut builder = BatchBuilder::new().producer(producer).codec(Codec::None);
    for value in values {
        let record = Record { value: Some(value.as_bytes()), ..Record::default() };
        builder.push(Timestamp(1), &record);
    }
    builder.build()
}

/// A path of a test's own, in memory where there is such a place.
pub fn scratch(name: &str) -> std::path::PathBuf {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let memory = Path::new("/dev/shm");
    let top = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    top.join(format!("kaw-log-{name}-{}-{count}", std::process::id()))
}
