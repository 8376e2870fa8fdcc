//! What idempotent producers wrote last (KIP-98), so that a batch sent twice is stored once.

use std::collections::{BTreeSet, HashMap};

use super::facts::{AppendError, Settings};
use crate::record::{BatchView, Offset, Producer, ProducerEpoch, ProducerId, Timestamp};

/// As many unanswered requests as a producer may have (ProducerStateEntry.java).
pub(super) const BATCHES_KEPT: usize = 5;

/// One batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub last_sequence: i32,
    pub last_offset: Offset,
    /// The number of records, less one.
    pub offset_delta: i32,
    pub timestamp: Timestamp,
}

impl Sent {
    fn first_sequence(&self) -> i32 {
        // DefaultRecordBatch.decrementSequence: after i32::MAX comes 0.
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        let wrapped = if first < 0 { first + i64::from(i32::MAX) + 1 } else { first };
        i32::try_from(wrapped).unwrap_or(0)
    }
}

/// What is known of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    pub last_timestamp: Timestamp,
    /// The first offset of the transaction it is in.
    pub transaction: Option<Offset>,
    /// The last ones, oldest first. Empty after a transaction marker of a new epoch.
    pub sent: Vec<Sent>,
    /// When this process heard of it last.
    pub seen: Timestamp,
}

/// The producers of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Producers {
    states: HashMap<ProducerId, State>,
    /// Where transactions that are not decided began.
    open: BTreeSet<Offset>,
}

impl Producers {
    pub(super) fn states(&self) -> impl Iterator<Item = (ProducerId, &State)> {
        self.states.iter().map(|(id, state)| (*id, state))
    }

    pub(super) fn get(&self, id: ProducerId) -> Option<&State> {
        self.states.get(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn insert(&mut self, id: ProducerId, state: State) {
        self.open.extend(state.transaction);
        self.states.insert(id, state);
    }

    /// The first record of all open transactions.
    pub(super) fn first_open_transaction(&self) -> Option<Offset> {
        self.open.first().copied()
    }

    /// Whether the log may take `batch`; or where it already has it
    /// (ProducerAppendInfo.checkProducerEpoch, checkSequence).
    pub(super) fn check(&self, batch: &BatchView<'_>) -> Result<Option<Sent>, AppendError> {
        let Some(producer) = batch.producer().filter(|_| !batch.is_control()) else {
            return Ok(None);
        };
        let Some(state) = self.states.get(&producer.id) else { return Ok(None) };
        if producer.epoch < state.epoch {
            return Err(AppendError::Fenced);
        }
        if producer.epoch > state.epoch {
            return in_order(0, producer.base_sequence);
        }
        let last_sequence = last_sequence(&producer, batch);
        let twice = state.sent.iter().find(|sent| {
            sent.first_sequence() == producer.base_sequence && sent.last_sequence == last_sequence
        });
        match (twice, state.sent.last()) {
            (Some(sent), _) => Ok(Some(*sent)),
            (None, Some(last)) => {
                in_order(next_sequence(last.last_sequence), producer.base_sequence)
            }
            (None, None) => in_order(0, producer.base_sequence),
        }
    }

    /// `batch` is in the log. `coordinator_epoch` is what a transaction marker says. Returns where
    /// the transaction began that it ends.
    pub(super) fn observe(
        &mut self,
        batch: &BatchView<'_>,
        coordinator_epoch: Option<i32>,
        now: Timestamp,
        settings: &Settings,
    ) -> Option<Offset> {
        let producer = batch.producer()?;
        if !self.states.contains_key(&producer.id) && self.states.len() >= settings.producers_max {
            self.forget_oldest();
        }
        let state = self.states.entry(producer.id).or_insert_with(|| State::new(producer.epoch));
        if state.epoch != producer.epoch {
            state.epoch = producer.epoch;
            state.sent.clear();
        }
        state.last_timestamp = batch.max_timestamp();
        state.seen = now;
        if batch.is_control() {
            state.coordinator_epoch = coordinator_epoch.unwrap_or(state.coordinator_epoch);
            let first = state.transaction.take();
            return first.inspect(|first| _ = self.open.remove(first));
        }
        if batch.is_transactional() {
            self.open.insert(*state.transaction.get_or_insert(batch.base_offset()));
        }
        if state.sent.len() == BATCHES_KEPT {
            state.sent.remove(0);
        }
        state.sent.push(Sent {
            last_sequence: last_sequence(&producer, batch),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta(),
            timestamp: batch.max_timestamp(),
        });
        None
    }

    /// Those that were silent for `producer.id.expiration.ms` are forgotten.
    pub(super) fn expire(&mut self, now: Timestamp, settings: &Settings) {
        self.states.retain(|_, state| {
            let silent_ms = now.get().saturating_sub(state.seen.get());
            state.transaction.is_some() || silent_ms < settings.producer_expiry_ms
        });
    }

    /// A tenth of them at once: all must be looked at to find the oldest.
    fn forget_oldest(&mut self) {
        let last_offset = |state: &State| state.sent.last().map(|sent| sent.last_offset);
        let idle = self.states.iter().filter(|(_, state)| state.transaction.is_none());
        let mut idle: Vec<_> = idle.map(|(id, state)| (last_offset(state), *id)).collect();
        let count = (self.states.len() / 10 + 1).min(idle.len());
        if count < idle.len() {
            idle.select_nth_unstable(count);
        }
        for (_, id) in &idle[..count] {
            self.states.remove(id);
        }
    }

    /// Where the version number of a snapshot and the rest go is drawn in `parse_snapshot`.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let mut states: Vec<_> = self.states().collect();
        states.sort_by_key(|(id, _)| *id);
        let mut body = Vec::with_capacity(4 + states.len() * SNAPSHOT_ENTRY_BYTES);
        body.extend_from_slice(&(states.len() as u32).to_be_bytes());
        for (id, state) in states {
            let last = state.sent.last();
            body.extend_from_slice(&id.get().to_be_bytes());
            body.extend_from_slice(&state.epoch.get().to_be_bytes());
            body.extend_from_slice(&last.map_or(-1, |sent| sent.last_sequence).to_be_bytes());
            body.extend_from_slice(&last.map_or(-1, |sent| sent.last_offset.get()).to_be_bytes());
            body.extend_from_slice(&last.map_or(0, |sent| sent.offset_delta).to_be_bytes());
            body.extend_from_slice(&state.last_timestamp.get().to_be_bytes());
            body.extend_from_slice(&state.coordinator_epoch.to_be_bytes());
            body.extend_from_slice(&state.transaction.map_or(-1, Offset::get).to_be_bytes());
        }
        let mut out = SNAPSHOT_VERSION.to_be_bytes().to_vec();
        out.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        out.extend_from_slice(&body);
        out
    }

    /// A `.snapshot` file: i16 version 1 | u32 crc32c of the rest | i32 count | count × { i64 id,
    /// i16 epoch, i32 last sequence, i64 last offset, i32 offset delta, i64 timestamp,
    /// i32 coordinator epoch, i64 first offset of its transaction or -1 }.
    pub(super) fn parse_snapshot(bytes: &[u8], now: Timestamp) -> Option<Producers> {
        let (version, rest) = bytes.split_first_chunk()?;
        let (crc, body) = rest.split_first_chunk()?;
        let damaged = crc32c::crc32c(body) != u32::from_be_bytes(*crc);
        if i16::from_be_bytes(*version) != SNAPSHOT_VERSION || damaged {
            return None;
        }
        let (count, entries) = body.split_first_chunk()?;
        let (entries, []) = entries.as_chunks::<SNAPSHOT_ENTRY_BYTES>() else { return None };
        let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
        let mut producers = Producers::default();
        for entry in entries {
            let (id, state) = parse_snapshot_entry(entry, now)?;
            producers.insert(id, state);
        }
        (entries.len() == count).then_some(producers)
    }
}

impl State {
    fn new(epoch: ProducerEpoch) -> State {
        State {
            epoch,
            coordinator_epoch: -1,
            last_timestamp: Timestamp(-1),
            transaction: None,
            sent: Vec::new(),
            seen: Timestamp(-1),
        }
    }
}

const SNAPSHOT_VERSION: i16 = 1;
pub(super) const SNAPSHOT_ENTRY_BYTES: usize = 46;

fn parse_snapshot_entry(entry: &[u8], now: Timestamp) -> Option<(ProducerId, State)> {
    let mut rest = entry;
    let id = ProducerId(i64::from_be_bytes(take(&mut rest)?));
    let epoch = ProducerEpoch(i16::from_be_bytes(take(&mut rest)?));
    let last_sequence = i32::from_be_bytes(take(&mut rest)?);
    let last_offset = Offset(i64::from_be_bytes(take(&mut rest)?));
    let offset_delta = i32::from_be_bytes(take(&mut rest)?);
    let timestamp = Timestamp(i64::from_be_bytes(take(&mut rest)?));
    let coordinator_epoch = i32::from_be_bytes(take(&mut rest)?);
    let transaction = i64::from_be_bytes(take(&mut rest)?);
    let sent = Sent { last_sequence, last_offset, offset_delta, timestamp };
    let state = State {
        epoch,
        coordinator_epoch,
        last_timestamp: timestamp,
        transaction: (transaction >= 0).then_some(Offset(transaction)),
        sent: if last_offset >= Offset::ZERO { vec![sent] } else { Vec::new() },
        seen: now,
    };
    Some((id, state))
}

pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

fn in_order(expected: i32, found: i32) -> Result<Option<Sent>, AppendError> {
    if expected == found { Ok(None) } else { Err(AppendError::OutOfOrder { expected, found }) }
}

fn next_sequence(last: i32) -> i32 {
    last.checked_add(1).unwrap_or(0)
}

fn last_sequence(producer: &Producer, batch: &BatchView<'_>) -> i32 {
    // DefaultRecordBatch.incrementSequence.
    let last = i64::from(producer.base_sequence) + i64::from(batch.last_offset_delta());
    let wrapped = if last > i64::from(i32::MAX) { last - i64::from(i32::MAX) - 1 } else { last };
    i32::try_from(wrapped).unwrap_or(-1)
}
