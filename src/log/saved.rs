//! The log's own checkpoint, `kaw-checkpoint` in the partition's directory: how far the files were
//! synced, and what was known there. Recovery starts from it, so it reads only what came later.
//!
//! Apache Kafka ignores the file. It counts only where it fits the log: Apache may have written,
//! truncated or removed segments meanwhile.

use super::epochs::{Epoch, Epochs};
use super::index::TimeEntry;
use super::producers::{Producers, Sent, State, take};
use super::segment::Largest;
use crate::record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

// Apache Kafka takes every file of the catalogue whose name ends in `.checkpoint` for a snapshot
// and dies of a name that is none (Snapshots.java).
pub(super) const NAME: &str = "kaw-checkpoint";
const VERSION: u32 = 2;
/// The one before, which does not say where the log begins.
const VERSION_WITHOUT_START: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    /// The base offset of the segment that grew, and how long it was.
    pub segment: Offset,
    pub position: u32,
    /// The log's end there.
    pub end: Offset,
    /// Where it began: this is durable before any file of what lies before goes.
    pub start: Option<Offset>,
    /// Where the last batch began, and its CRC: a fingerprint of the file. Both 0 when empty.
    pub last_position: u32,
    pub last_crc: u32,
    pub index_entries: (u32, u32),
    pub since_entry_bytes: u32,
    pub largest: Largest,
    pub epochs: Epochs,
    pub producers: Producers,
}

/// Up to where the start stands, from the checksum on: less than a sector, which a disk writes
/// whole or not at all.
const HEAD_BYTES: usize = 32;

/// The head of a checkpoint that says where the log begins now, and else what it said.
pub(super) fn begun_at(bytes: &[u8], start: Offset) -> Option<[u8; HEAD_BYTES]> {
    Saved::decode(bytes, Timestamp(0))?.start?;
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let mut head = *head;
    head[HEAD_BYTES - 8..].copy_from_slice(&start.get().to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[4..]), rest);
    head[..4].copy_from_slice(&crc.to_be_bytes());
    Some(head)
}

impl Saved {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.segment.get().to_be_bytes());
        out.extend_from_slice(&self.end.get().to_be_bytes());
        out.extend_from_slice(&self.start.unwrap_or(Offset::ZERO).get().to_be_bytes());
        for number in [
            self.position,
            self.last_position,
            self.last_crc,
            self.index_entries.0,
            self.index_entries.1,
            self.since_entry_bytes,
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let (timestamp, delta) = match self.largest {
            Largest::At(entry) => (entry.timestamp.get(), entry.delta),
            Largest::None | Largest::Unknown => (-1, 0),
        };
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&delta.to_be_bytes());
        out.extend_from_slice(&(self.epochs.entries().len() as u32).to_be_bytes());
        for Epoch { epoch, start } in self.epochs.entries() {
            out.extend_from_slice(&epoch.get().to_be_bytes());
            out.extend_from_slice(&start.get().to_be_bytes());
        }
        out.extend_from_slice(&(self.producers.len() as u32).to_be_bytes());
        for (id, state) in self.producers.states() {
            put_producer(&mut out, id, state);
        }
        let crc = crc32c::crc32c(&out[4..]);
        out[..4].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// `None`: torn, damaged, or of another version.
    pub(super) fn decode(bytes: &[u8], now: Timestamp) -> Option<Saved> {
        let rest = &mut &bytes[..];
        let crc = u32::from_be_bytes(take(rest)?);
        if crc32c::crc32c(rest) != crc {
            return None;
        }
        let version = u32::from_be_bytes(take(rest)?);
        let says_start = match version {
            VERSION => true,
            VERSION_WITHOUT_START => false,
            _ => return None,
        };
        let segment = Offset(i64::from_be_bytes(take(rest)?));
        let end = Offset(i64::from_be_bytes(take(rest)?));
        let start = match says_start {
            true => Some(Offset(i64::from_be_bytes(take(rest)?))),
            false => None,
        };
        let mut number = || Some(u32::from_be_bytes(take(rest)?));
        let (position, last_position, last_crc) = (number()?, number()?, number()?);
        let index_entries = (number()?, number()?);
        let since_entry_bytes = number()?;
        let timestamp = Timestamp(i64::from_be_bytes(take(rest)?));
        let delta = u32::from_be_bytes(take(rest)?);
        let largest = match timestamp {
            Timestamp(-1) => Largest::None,
            timestamp => Largest::At(TimeEntry { timestamp, delta }),
        };
        let mut epochs = Vec::new();
        for _ in 0..u32::from_be_bytes(take(rest)?) {
            let epoch = LeaderEpoch(i32::from_be_bytes(take(rest)?));
            epochs.push(Epoch { epoch, start: Offset(i64::from_be_bytes(take(rest)?)) });
        }
        let epochs = Epochs::from_entries(epochs);
        let mut producers = Producers::default();
        for _ in 0..u32::from_be_bytes(take(rest)?) {
            let (id, state) = take_producer(rest, now)?;
            producers.insert(id, state);
        }
        rest.is_empty().then_some(Saved {
            segment,
            position,
            end,
            start,
            last_position,
            last_crc,
            index_entries,
            since_entry_bytes,
            largest,
            epochs,
            producers,
        })
    }
}

fn put_producer(out: &mut Vec<u8>, id: ProducerId, state: &State) {
    out.extend_from_slice(&id.get().to_be_bytes());
    out.extend_from_slice(&state.epoch.get().to_be_bytes());
    out.extend_from_slice(&state.coordinator_epoch.to_be_bytes());
    out.extend_from_slice(&state.last_timestamp.get().to_be_bytes());
    out.extend_from_slice(&state.transaction.map_or(-1, Offset::get).to_be_bytes());
    out.push(state.sent.len() as u8);
    for sent in &state.sent {
        out.extend_from_slice(&sent.last_sequence.to_be_bytes());
        out.extend_from_slice(&sent.last_offset.get().to_be_bytes());
        out.extend_from_slice(&sent.offset_delta.to_be_bytes());
        out.extend_from_slice(&sent.timestamp.get().to_be_bytes());
    }
}

fn take_producer(rest: &mut &[u8], now: Timestamp) -> Option<(ProducerId, State)> {
    let id = ProducerId(i64::from_be_bytes(take(rest)?));
    let epoch = ProducerEpoch(i16::from_be_bytes(take(rest)?));
    let coordinator_epoch = i32::from_be_bytes(take(rest)?);
    let last_timestamp = Timestamp(i64::from_be_bytes(take(rest)?));
    let transaction = i64::from_be_bytes(take(rest)?);
    let transaction = (transaction >= 0).then_some(Offset(transaction));
    let [count] = take(rest)?;
    let mut sent = Vec::new();
    for _ in 0..count {
        sent.push(Sent {
            last_sequence: i32::from_be_bytes(take(rest)?),
            last_offset: Offset(i64::from_be_bytes(take(rest)?)),
            offset_delta: i32::from_be_bytes(take(rest)?),
            timestamp: Timestamp(i64::from_be_bytes(take(rest)?)),
        });
    }
    let state = State { epoch, coordinator_epoch, last_timestamp, transaction, sent, seen: now };
    Some((id, state))
}
