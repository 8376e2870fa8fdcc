//! Who is in a classic group and what each member is to do next, as Apache Kafka 4.1 decides it
//! (ClassicGroup.java, GroupMetadataManager.java): events and the time in, answers out.
//! Never knows: connections, locks, where a record goes, what time it is.
//!
//! ```text
//! Empty → PreparingRebalance → CompletingRebalance → Stable     Dead: nobody can find it
//!   ↑____________|   ↑________________|________________|
//! ```

mod describe;
mod expire;
mod join;
mod leave;
mod member;
mod rebalance;
mod record;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use crate::protocol::join_group::JoinGroupResponse;
use crate::protocol::sync_group::SyncGroupResponse;
use crate::protocol::{ErrorCode, Text};
use crate::record::Timestamp;

pub use join::Join;
pub use leave::Leaver;
use member::Member;
pub use record::Persist;
pub use sync::Sync;

/// When something happens: by the clock that timeouts are measured with, and by the wall's.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: Instant,
    pub wall: Timestamp,
}

/// Where a group is; the names are what ListGroups and DescribeGroups say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    Dead,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the broker's configs say of groups.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long a group that was empty waits for more members.
    pub initial_delay: Duration,
    pub members_max: usize,
    pub session_min_ms: i64,
    pub session_max_ms: i64,
}

impl Rules {
    pub fn check_session(&self, timeout_ms: i32) -> Result<(), ErrorCode> {
        let timeout_ms = i64::from(timeout_ms);
        match timeout_ms < self.session_min_ms || self.session_max_ms < timeout_ms {
            true => Err(ErrorCode::INVALID_SESSION_TIMEOUT),
            false => Ok(()),
        }
    }
}

/// Names one request that waits for its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Joined(JoinGroupResponse),
    Synced(SyncGroupResponse),
}

/// What the caller is to do after an event.
#[derive(Debug, Default)]
#[must_use = "somebody waits for these answers"]
pub struct Actions {
    pub answers: Vec<(Ticket, Answer)>,
    /// To be written, and what became of that told to `Membership::persisted`.
    pub persist: Option<Persist>,
}

/// Who commits offsets, as OffsetCommit names it.
#[derive(Clone, Copy, Debug)]
pub struct Committer<'a> {
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    pub generation: i32,
}

/// Since when an offset of this group grows old (ClassicGroup.offsetExpirationCondition).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetRetention {
    Never,
    SinceEmpty(Timestamp),
    /// Its own commit; not where a member is subscribed to the topic.
    SinceCommit,
}

/// What a group waits for beside its members' heartbeats.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// It was empty: more members may come within moments.
    Gathering { ends: Instant, delay: Duration, left: Duration, joined_since: bool },
    /// Members are to join again.
    Joining { ends: Instant },
    /// Members are to ask for their assignment.
    Syncing { ends: Instant },
}

impl Phase {
    fn ends(&self) -> Instant {
        let (Phase::Gathering { ends, .. } | Phase::Joining { ends } | Phase::Syncing { ends }) =
            self;
        *ends
    }
}

/// The members of one group.
#[derive(Debug)]
pub struct Membership {
    state: State,
    /// Unknown of groups that an old Kafka wrote.
    since: Option<Timestamp>,
    generation: i32,
    protocol_type: Option<Text>,
    protocol: Option<Text>,
    leader: Option<Text>,
    members: BTreeMap<Text, Member>,
    /// Static members (KIP-345): the member id of each instance id.
    instances: BTreeMap<Text, Text>,
    /// Ids that were given out and have not joined with yet (KIP-394), and until when they may.
    pending: BTreeMap<Text, Instant>,
    /// How many members support a protocol.
    supported: BTreeMap<Text, usize>,
    /// Members of this generation that have not asked for their assignment.
    unsynced: BTreeSet<Text>,
    phase: Option<Phase>,
    /// The earliest deadline that was set since `take_alarm`.
    alarm: Option<Instant>,
}

impl Membership {
    pub fn new(now: Moment) -> Membership {
        Membership {
            state: State::Empty,
            since: Some(now.wall),
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeMap::new(),
            supported: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            phase: None,
            alarm: None,
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// When `expire` should be called at the latest, if that changed. A deadline that moved to a
    /// later time is not told: it is found when the earlier one has come.
    pub fn take_alarm(&mut self) -> Option<Instant> {
        self.alarm.take()
    }

    /// Nobody joined and nothing was written: it need not be kept.
    pub fn is_vacant(&self) -> bool {
        self.state == State::Empty && self.generation == 0 && self.pending.is_empty()
    }

    /// The group is deleted.
    pub fn die(&mut self) {
        self.state = State::Dead;
    }

    /// DeleteGroups takes empty groups only.
    pub fn check_delete(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Empty => Ok(()),
            State::Dead => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            _ => Err(ErrorCode::NON_EMPTY_GROUP),
        }
    }

    /// OffsetDelete takes groups of consumers, whose subscriptions can be looked at.
    pub fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Dead => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            State::Empty => Ok(()),
            _ if self.is_of_consumers() => Ok(()),
            _ => Err(ErrorCode::NON_EMPTY_GROUP),
        }
    }

    pub fn retention(&self) -> OffsetRetention {
        match (&self.protocol_type, self.state) {
            (None, _) => OffsetRetention::SinceCommit,
            (Some(_), State::Empty) => match self.since {
                Some(since) => OffsetRetention::SinceEmpty(since),
                None => OffsetRetention::SinceCommit,
            },
            (Some(_), State::Stable) if self.subscribed_topics().is_some() => {
                OffsetRetention::SinceCommit
            }
            _ => OffsetRetention::Never,
        }
    }

    /// Says whether somebody may commit offsets, and takes it for a heartbeat.
    pub fn commit(&mut self, now: Moment, by: Committer<'_>) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        // Who does not take part in the group's life may commit while nobody does.
        if by.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let is_simple = by.generation < 0 && by.member_id.is_empty() && by.instance_id.is_none();
        if is_simple {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(by.member_id, by.instance_id)?;
        if by.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        // It knows the generation from its join, but not what is assigned to it.
        if self.state == State::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.hear(now, by.member_id);
        Ok(())
    }

    /// A static member is who its instance id says, and anybody must be a member.
    fn check_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.instances.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(member_id) if **member_id != *id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        match self.members.contains_key(id) {
            true => Ok(()),
            false => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    fn turn(&mut self, now: Moment, state: State) {
        self.state = state;
        self.since = Some(now.wall);
    }

    fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }

    fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    fn arm(&mut self, at: Instant) -> Instant {
        self.alarm = Some(self.alarm.map_or(at, |armed| armed.min(at)));
        at
    }

    /// A member's session goes on from now.
    fn hear(&mut self, now: Moment, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            let until = now.at + member.session();
            member.alive_until = Some(until);
            self.arm(until);
        }
    }

    /// The members have as long as the slowest asks for.
    fn rebalance_timeout(&self) -> Duration {
        let slowest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        duration(slowest.unwrap_or(0))
    }
}

fn duration(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
