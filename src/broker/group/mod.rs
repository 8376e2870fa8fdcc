//! Consumer groups: who is in them, what they committed, and who waits for what.
//! Never knows: sockets, the form of requests.
//!
//! What a group does is decided in `membership`, which is pure; here are the locks, the clock, the
//! log and the requests that wait. Lock order: groups → group → catalogue and what follows it.

mod alarms;
mod forget;
pub mod membership;
mod offsets;
mod replay;
pub mod store;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::config::Settings;
use super::topic::{Topics, now};
use crate::protocol::group_record::GroupRecord;
use crate::protocol::join_group::JoinGroupResponse;
use crate::protocol::sync_group::SyncGroupResponse;
use crate::protocol::{ErrorCode, Text};
use alarms::Alarms;
use membership::{Actions, Answer, Join, Membership, Moment, Persist, Rules, State, Sync, Ticket};
pub use offsets::Offsets;
pub use store::Store;
use store::StoreError;

/// Beyond this somebody makes groups up.
const GROUPS_MAX: usize = 1 << 20;

impl Moment {
    pub fn now() -> Moment {
        Moment { at: Instant::now(), wall: now() }
    }
}

impl Rules {
    fn of(settings: &Settings) -> Rules {
        let number = |name| settings.number(name);
        let delay_ms = number("group.initial.rebalance.delay.ms");
        Rules {
            initial_delay: Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0)),
            members_max: usize::try_from(number("group.max.size")).unwrap_or(usize::MAX),
            session_min_ms: number("group.min.session.timeout.ms"),
            session_max_ms: number("group.max.session.timeout.ms"),
        }
    }
}

/// Who waits for an answer of this group.
enum Waiter {
    Join(oneshot::Sender<JoinGroupResponse>),
    Sync(oneshot::Sender<SyncGroupResponse>),
}

pub struct Group {
    pub membership: Membership,
    pub offsets: Offsets,
    waiting: HashMap<Ticket, Waiter>,
    tickets: u64,
    /// The alarm that counts; others of this group are of times that are no more.
    alarm: Option<Instant>,
}

impl Group {
    fn new(membership: Membership) -> Group {
        let (offsets, waiting) = Default::default();
        Group { membership, offsets, waiting, tickets: 0, alarm: None }
    }

    fn queue(&mut self, waiter: Waiter) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, waiter);
        ticket
    }

    /// Nothing would be lost with it.
    fn is_vacant(&self) -> bool {
        self.membership.is_vacant() && self.offsets.is_empty()
    }
}

/// The groups of a broker.
pub struct Groups {
    all: Mutex<BTreeMap<Text, Arc<Mutex<Group>>>>,
    store: Store,
    pub rules: Rules,
    /// `offsets.retention.minutes`
    offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    expiry_interval: Duration,
    alarms: Alarms,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Groups {
    /// The groups as they were: their members go on as if nothing had happened.
    pub fn open(topics: Arc<Topics>) -> Groups {
        let settings = &topics.settings();
        let interval_ms = settings.number("offsets.retention.check.interval.ms");
        let groups = Groups {
            rules: Rules::of(settings),
            offsets_retention_ms: 60_000 * settings.number("offsets.retention.minutes"),
            expiry_interval: Duration::from_millis(interval_ms.unsigned_abs()),
            all: Mutex::default(),
            store: Store::new(topics.clone()),
            alarms: Alarms::default(),
        };
        let now = Moment::now();
        let (mut generations, mut offsets) = (Vec::new(), Vec::new());
        groups.store.load(|record| match record {
            GroupRecord::Generation(id, value) => generations.push((id, value)),
            GroupRecord::Offset(key, value) => offsets.push((key, value)),
            GroupRecord::OffsetGone(_) | GroupRecord::GroupGone(_) => {}
        });
        let mut all: BTreeMap<Text, Group> = BTreeMap::new();
        for (id, value) in generations {
            all.insert(id, Group::new(Membership::restored(now, &groups.rules, value)));
        }
        for (key, value) in offsets {
            // A group without members that only keeps its offsets here.
            let group = all.entry(key.group);
            let group = group.or_insert_with(|| Group::new(Membership::new(now)));
            group.offsets.set(key.topic, key.partition, value);
        }
        let shared = all.into_iter().map(|(id, group)| (id, Arc::new(Mutex::new(group))));
        *lock(&groups.all) = shared.collect();
        groups.mend(&topics, now.wall);
        groups.ids().iter().for_each(|id| _ = groups.with(id, |_, _| ()));
        groups
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn ids(&self) -> Vec<Text> {
        lock(&self.all).keys().cloned().collect()
    }

    /// Does something with a group, under its lock.
    pub fn with<T>(&self, id: &str, act: impl FnOnce(&mut Group, &Store) -> T) -> Option<T> {
        let (id, group) = {
            let all = lock(&self.all);
            let (id, group) = all.get_key_value(id)?;
            (id.clone(), group.clone())
        };
        self.act(&id, &group, act).ok()
    }

    /// The same with a group that is made if there is none. It stays if something comes of it.
    pub fn with_or_new<T>(
        &self,
        id: &Text,
        mut act: impl FnOnce(&mut Group, &Store) -> T,
    ) -> Result<T, ErrorCode> {
        loop {
            match self.act(id, &*self.find_or_make(id)?, act) {
                Ok(done) => return Ok(done),
                Err(undone) => act = undone,
            }
        }
    }

    fn find_or_make(&self, id: &Text) -> Result<Arc<Mutex<Group>>, ErrorCode> {
        let mut all = lock(&self.all);
        if let Some(group) = all.get(id) {
            return Ok(group.clone());
        }
        if GROUPS_MAX <= all.len() {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        let group = Arc::new(Mutex::new(Group::new(Membership::new(Moment::now()))));
        all.insert(id.clone(), group.clone());
        Ok(group)
    }

    fn forget_if_vacant(&self, id: &str) {
        let vacant = |group: &mut Group, _: &Store| match group.is_vacant() {
            true => Ok(()),
            false => Err(()),
        };
        let _ = self.remove(id, vacant);
    }

    /// Takes a group away if `decide` says so, which also writes that down.
    pub fn remove<T, E>(
        &self,
        id: &str,
        decide: impl FnOnce(&mut Group, &Store) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let mut all = lock(&self.all);
        let shared = all.get(id)?.clone();
        let mut group = lock(&shared);
        let decided = decide(&mut group, &self.store);
        if decided.is_ok() {
            group.membership.die();
            all.remove(id);
        }
        Some(decided)
    }

    /// Hands `act` back where the group was deleted before its lock was had.
    fn act<T, F: FnOnce(&mut Group, &Store) -> T>(
        &self,
        id: &Text,
        shared: &Mutex<Group>,
        act: F,
    ) -> Result<T, F> {
        let mut group = lock(shared);
        if group.membership.state() == State::Dead {
            return Err(act);
        }
        let done = act(&mut group, &self.store);
        if let Some(at) = group.membership.take_alarm()
            && group.alarm.is_none_or(|set| at < set)
        {
            group.alarm = Some(at);
            self.alarms.set(at, id.clone());
        }
        let is_vacant = group.is_vacant();
        drop(group);
        if is_vacant {
            self.forget_if_vacant(id);
        }
        Ok(done)
    }

    /// A member of that name joins, or a new one where it has none yet.
    pub fn join(&self, id: &Text, join: Join) -> oneshot::Receiver<JoinGroupResponse> {
        let (sender, receiver) = oneshot::channel();
        let refused = |member_id: Text, error_code| JoinGroupResponse {
            member_id,
            error_code,
            ..JoinGroupResponse::default()
        };
        let member_id = join.member_id.clone();
        let mut sender = Some(sender);
        let act = |group: &mut Group, store: &Store| {
            let ticket = group.queue(Waiter::Join(sender.take().expect("it acts once")));
            let join = Join { ticket, ..join };
            let actions = group.membership.join(Moment::now(), &self.rules, join);
            self.follow(id, group, store, actions);
        };
        let done = match member_id.is_empty() {
            // Who was in it is not known: nobody may be told that nobody was.
            _ if !self.store.is_readable(id) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            true => self.with_or_new(id, act),
            false => self.with(id, act).ok_or(ErrorCode::UNKNOWN_MEMBER_ID),
        };
        if let (Err(error), Some(sender)) = (done, sender) {
            let _ = sender.send(refused(member_id, error));
        }
        receiver
    }

    pub fn sync(&self, id: &str, sync: Sync) -> oneshot::Receiver<SyncGroupResponse> {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        self.with(id, |group, store| {
            let ticket = group.queue(Waiter::Sync(sender.take().expect("it acts once")));
            let actions = group.membership.sync(Sync { ticket, ..sync });
            self.follow(id, group, store, actions);
        });
        if let Some(sender) = sender {
            let error_code = ErrorCode::UNKNOWN_MEMBER_ID;
            let _ = sender.send(SyncGroupResponse { error_code, ..Default::default() });
        }
        receiver
    }

    /// Does what the group decided: writes, and answers whoever waits.
    pub fn follow(&self, id: &str, group: &mut Group, store: &Store, mut actions: Actions) {
        loop {
            for (ticket, answer) in actions.answers {
                // A client that is gone does not hear it.
                match (group.waiting.remove(&ticket), answer) {
                    (Some(Waiter::Join(waiter)), Answer::Joined(answer)) => {
                        let _ = waiter.send(answer);
                    }
                    (Some(Waiter::Sync(waiter)), Answer::Synced(answer)) => {
                        let _ = waiter.send(answer);
                    }
                    _ => unreachable!("a ticket is answered once, with what it asked for"),
                }
            }
            let Some(Persist { value, then }) = actions.persist else { return };
            let now = Moment::now();
            let record = GroupRecord::Generation(id.into(), value);
            let written = store.append(id, &[record], now.wall).map_err(|error| {
                error.log(id);
                code(&error)
            });
            actions = group.membership.persisted(now, &self.rules, then, written);
        }
    }

    /// Ends sessions and waits as their time comes, until the broker leaves.
    pub async fn keep_time(self: Arc<Groups>) {
        loop {
            let (at, id) = self.alarms.next().await;
            self.with(&id, |group, store| {
                if group.alarm != Some(at) {
                    return;
                }
                group.alarm = None;
                while let Some(actions) = group.membership.expire(Moment::now(), &self.rules) {
                    self.follow(&id, group, store, actions);
                }
            });
        }
    }
}

/// What a member hears when its group cannot be written down
/// (GroupMetadataManager.appendGroupMetadataErrorToResponseError).
fn code(error: &StoreError) -> ErrorCode {
    match error.code() {
        ErrorCode::INVALID_COMMIT_OFFSET_SIZE => ErrorCode::UNKNOWN_SERVER_ERROR,
        code => code,
    }
}
