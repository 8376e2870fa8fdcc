//! Fetch sessions (KIP-227): what a consumer asks for is remembered, and only what is new is told.
//! Never knows: logs, sockets; time and randomness are arguments.
//!
//! ```text
//! id 0, epoch -1    everything asked, everything told, nothing remembered
//! id n, epoch  0    the same, and a session begins, if there is room for one (n ends)
//! id n, epoch  e    what differs from what n remembers; e counts the requests
//! id n, epoch -1    n ends
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::fetch::FetchPartition;
use crate::protocol::{ErrorCode, Text};
use crate::record::{Offset, PartitionId, Timestamp, Uuid};

/// The id that no session has.
pub const NO_SESSION: i32 = 0;
const EPOCH_INITIAL: i32 = 0;
const EPOCH_FINAL: i32 = -1;

/// As Apache's (FetchSessionCacheShard): who was not heard of for so long makes room.
const IDLE_MS_MAX: i64 = 120_000;

/// Of all sessions together: some hundred bytes each.
const PARTITIONS_MAX: usize = 1_000_000;

/// How a request names topics; a session stays with the way it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Names,
    Ids,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicKey {
    Name(Text),
    Id(Uuid),
}

/// A partition as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub topic: TopicKey,
    pub partition: PartitionId,
}

/// What a request says of its session.
pub struct Asked {
    pub id: i32,
    pub epoch: i32,
    pub naming: Naming,
    pub asks: Vec<(Key, FetchPartition)>,
    pub forgotten: Vec<Key>,
}

/// One partition to look at.
pub struct Wanted {
    pub key: Key,
    pub ask: FetchPartition,
    /// In the session's order.
    place: u64,
}

/// What a client knows of a log. `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub high_watermark: Option<Offset>,
    pub log_start: Option<Offset>,
}

/// What else there is to tell of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    None,
    Records,
    Divergence,
    Error,
}

/// What was found in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    pub told: Told,
    pub news: News,
}

/// What a request belongs to until it is answered.
pub enum Context {
    Sessionless,
    /// A session may begin with the answer.
    Full(Naming),
    Incremental {
        id: i32,
        /// After this request.
        epoch: i32,
        session: Arc<Mutex<Session>>,
    },
}

/// How an answer begins, and which of the findings belong into it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub error_code: ErrorCode,
    pub session_id: i32,
    pub included: Vec<bool>,
}

struct Remembered {
    key: Key,
    ask: FetchPartition,
    told: Told,
}

/// One consumer's partitions, in the order in which they are looked at.
pub struct Session {
    /// That the next request must have.
    epoch: i32,
    naming: Naming,
    partitions: BTreeMap<u64, Remembered>,
    places: HashMap<Key, u64>,
    next_place: u64,
}

struct Slot {
    session: Arc<Mutex<Session>>,
    created: Timestamp,
    used: Timestamp,
    size: usize,
}

/// The sessions of all consumers.
pub struct Sessions {
    slots_max: usize,
    slots: HashMap<i32, Slot>,
    random: u64,
}

impl Sessions {
    /// `max.incremental.fetch.session.cache.slots`, and what ids are made of.
    pub fn new(slots_max: usize, seed: u64) -> Sessions {
        Sessions { slots_max, slots: HashMap::new(), random: seed }
    }

    /// What to look at for a request (FetchManager.newContext).
    pub fn open(
        &mut self,
        asked: Asked,
        now: Timestamp,
    ) -> Result<(Context, Vec<Wanted>), ErrorCode> {
        if matches!(asked.epoch, EPOCH_INITIAL | EPOCH_FINAL) {
            self.slots.remove(&asked.id);
            let context = match asked.epoch {
                EPOCH_FINAL => Context::Sessionless,
                _ => Context::Full(asked.naming),
            };
            return Ok((context, once_each(asked.asks)));
        }
        let slot = self.slots.get_mut(&asked.id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let shared = slot.session.clone();
        let mut session = lock(&shared);
        if session.epoch != asked.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.naming != asked.naming {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.update(asked.asks, &asked.forgotten);
        let size = session.partitions.len();
        if size == 0 || PARTITIONS_MAX < size {
            self.slots.remove(&asked.id);
            return match size {
                0 => Ok((Context::Sessionless, Vec::new())),
                _ => Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
            };
        }
        (slot.used, slot.size) = (now, size);
        session.epoch = next_epoch(session.epoch);
        let wanted = session.wanted();
        let epoch = session.epoch;
        drop(session);
        Ok((Context::Incremental { id: asked.id, epoch, session: shared }, wanted))
    }

    /// What to tell of what was found, one finding for each that was wanted.
    pub fn answer(
        &mut self,
        context: &Context,
        wanted: &[Wanted],
        findings: &[Finding],
        now: Timestamp,
    ) -> Answer {
        assert_eq!(wanted.len(), findings.len(), "a finding for each that was wanted");
        let session_id = match context {
            Context::Sessionless => NO_SESSION,
            Context::Full(naming) => {
                let found = wanted.iter().zip(findings);
                self.begin(*naming, found.map(|(wanted, found)| (wanted, found.told)), now)
            }
            Context::Incremental { id, epoch, session } => {
                return lock(session).tell((*id, *epoch), wanted, findings);
            }
        };
        let included = vec![true; findings.len()];
        Answer { error_code: ErrorCode::NONE, session_id, included }
    }

    /// Begins a session, unless there is no room for one of this size.
    fn begin<'a>(
        &mut self,
        naming: Naming,
        told: impl ExactSizeIterator<Item = (&'a Wanted, Told)>,
        now: Timestamp,
    ) -> i32 {
        let size = told.len();
        let all: usize = self.slots.values().map(|slot| slot.size).sum();
        if PARTITIONS_MAX < all + size
            || (self.slots_max <= self.slots.len() && !self.evict(size, now))
        {
            return NO_SESSION;
        }
        let mut session = Session {
            epoch: next_epoch(EPOCH_INITIAL),
            naming,
            partitions: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
        };
        for (Wanted { key, ask, .. }, told) in told {
            session.push(Remembered { key: key.clone(), ask: ask.clone(), told });
        }
        let id = self.free_id();
        let session = Arc::new(Mutex::new(session));
        self.slots.insert(id, Slot { session, created: now, used: now, size });
        id
    }

    /// Makes room for a session of this size: the one unheard of for longest if that is long, else
    /// the smallest of those that are no longer new, if it is smaller (FetchSessionCacheShard).
    fn evict(&mut self, size: usize, now: Timestamp) -> bool {
        let since = |then: Timestamp, now: Timestamp| now.get().saturating_sub(then.get());
        let slots = || self.slots.iter();
        let oldest = slots().min_by_key(|(id, slot)| (slot.used, **id));
        let stale = oldest.filter(|(_, slot)| IDLE_MS_MAX < since(slot.used, now));
        let settled = slots().filter(|(_, slot)| IDLE_MS_MAX < since(slot.created, slot.used));
        let smallest = settled.min_by_key(|(id, slot)| (slot.size, **id));
        let goes = stale.or_else(|| smallest.filter(|(_, slot)| slot.size < size));
        let Some(id) = goes.map(|(id, _)| *id) else { return false };
        self.slots.remove(&id).is_some()
    }

    /// Positive, and nobody's. By splitmix64.
    fn free_id(&mut self) -> i32 {
        loop {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let id = (mixed >> 33) as i32;
            if id != NO_SESSION && !self.slots.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Session {
    fn push(&mut self, remembered: Remembered) {
        self.places.insert(remembered.key.clone(), self.next_place);
        self.partitions.insert(self.next_place, remembered);
        self.next_place += 1;
    }

    fn update(&mut self, asks: Vec<(Key, FetchPartition)>, forgotten: &[Key]) {
        for (key, ask) in asks {
            match self.places.get(&key).and_then(|place| self.partitions.get_mut(place)) {
                Some(remembered) => remembered.ask = ask,
                None => self.push(Remembered { key, ask, told: Told::default() }),
            }
        }
        for key in forgotten {
            if let Some(place) = self.places.remove(key) {
                self.partitions.remove(&place);
            }
        }
    }

    fn wanted(&self) -> Vec<Wanted> {
        let all = self.partitions.iter().map(|(&place, Remembered { key, ask, .. })| Wanted {
            key: key.clone(),
            ask: ask.clone(),
            place,
        });
        all.collect()
    }

    /// What of the findings is news, which from now on it is not any more. A partition that had
    /// records is looked at last the next time, so that all have their turn.
    fn tell(&mut self, (id, epoch): (i32, i32), wanted: &[Wanted], findings: &[Finding]) -> Answer {
        if self.epoch != epoch {
            // Somebody has asked again meanwhile.
            let error_code = ErrorCode::INVALID_FETCH_SESSION_EPOCH;
            return Answer { error_code, session_id: id, included: vec![false; findings.len()] };
        }
        let mut included = Vec::with_capacity(findings.len());
        for (wanted, finding) in wanted.iter().zip(findings) {
            let remembered = self.partitions.get_mut(&wanted.place);
            let remembered = remembered.expect("what was wanted stays until the next request");
            included.push(finding.news != News::None || remembered.told != finding.told);
            remembered.told = finding.told;
            if finding.news == News::Error {
                // So that the client hears of it when the error is gone.
                remembered.told.high_watermark = None;
            }
            if finding.news == News::Records {
                let moved = self.partitions.remove(&wanted.place).expect("it was just there");
                self.push(moved);
            }
        }
        Answer { error_code: ErrorCode::NONE, session_id: id, included }
    }
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

/// FetchMetadata.nextEpoch.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// Who names a partition twice asks for it once, as it said last.
fn once_each(asks: Vec<(Key, FetchPartition)>) -> Vec<Wanted> {
    let mut places: HashMap<Key, usize> = HashMap::with_capacity(asks.len());
    let mut wanted: Vec<Wanted> = Vec::with_capacity(asks.len());
    for (key, ask) in asks {
        match places.get(&key) {
            Some(&at) => wanted[at].ask = ask,
            None => {
                places.insert(key.clone(), wanted.len());
                wanted.push(Wanted { key, ask, place: 0 });
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
