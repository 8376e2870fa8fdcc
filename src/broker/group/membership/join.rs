//! A member joins: a new one, one that was given an id, a static one that was away, or one that
//! is there and wants its generation.
//! Never knows: how a rebalance goes on.

use bytes::Bytes;

use super::member::{Member, join_refused, kept};
use super::record::Then;
use super::{Actions, Answer, Membership, Moment, Rules, State, Ticket, duration};
use crate::protocol::join_group::{JoinGroupResponse, JoinProtocol};
use crate::protocol::{ErrorCode, Text};

/// How long a new member's join is kept: whoever is still there asks again
/// (GroupCoordinatorConfig.CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS).
const NEW_MEMBER_PATIENCE_MS: i32 = 5 * 60 * 1000;

/// Ids given out to clients that have not come back with them.
const PENDING_MAX: usize = 10_000;

/// What one member may say of itself over all its protocols. More could never be written: it goes
/// into one record of the group, which is at most as large as `message.max.bytes`.
const METADATA_BYTES_MAX: usize = 4 << 20;
const PROTOCOLS_MAX: usize = 256;

/// A client's wish to join.
#[derive(Debug)]
pub struct Join {
    pub ticket: Ticket,
    /// Empty: it has none yet.
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub client_id: Text,
    pub client_host: Text,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: Text,
    pub protocols: Vec<JoinProtocol>,
    /// Its id, if it needs one: nobody else's ever.
    pub fresh_id: Text,
    /// It comes back with the id that it is given (KIP-394).
    pub takes_id: bool,
    /// A leader that can be told to keep the assignment as it is (KIP-814).
    pub can_skip: bool,
}

impl Membership {
    pub fn join(&mut self, now: Moment, rules: &Rules, join: Join) -> Actions {
        let mut actions = Actions::default();
        let (ticket, id) = (join.ticket, join.member_id.clone());
        if let Err(error_code) = self.try_join(now, rules, join, &mut actions) {
            let id = match error_code {
                ErrorCode::GROUP_MAX_SIZE_REACHED => Text::default(),
                _ => id,
            };
            actions.answers.push((ticket, join_refused(id, error_code)));
        }
        actions
    }

    fn try_join(
        &mut self,
        now: Moment,
        rules: &Rules,
        join: Join,
        actions: &mut Actions,
    ) -> Result<(), ErrorCode> {
        let bytes: usize = join.protocols.iter().map(|protocol| protocol.metadata.len()).sum();
        if PROTOCOLS_MAX < join.protocols.len() || METADATA_BYTES_MAX < bytes {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let join = Join { protocols: kept(join.protocols), ..join };
        if !self.has_room_for(&join.member_id, rules) {
            self.remove(&join.member_id);
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match join.member_id.is_empty() {
            true => self.join_new(now, rules, join, actions),
            false => self.join_again(now, rules, join, actions),
        }
    }

    /// Members who wait for the next generation count while one is prepared: the last to come back
    /// to a group that is too large are let go.
    fn has_room_for(&self, id: &str, rules: &Rules) -> bool {
        let member = self.members.get(id);
        match self.state {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some())
                    || self.joining_count() < rules.members_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < rules.members_max
            }
        }
    }

    /// Whether there is a protocol that everybody here supports.
    fn supports(&self, protocol_type: &str, protocols: &[JoinProtocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let by_all = |protocol: &JoinProtocol| {
            self.supported.get(&protocol.name).copied().unwrap_or(0) == self.members.len()
        };
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(by_all)
    }

    fn join_new(
        &mut self,
        now: Moment,
        rules: &Rules,
        join: Join,
        actions: &mut Actions,
    ) -> Result<(), ErrorCode> {
        let id = join.fresh_id.clone();
        if let Some(instance_id) = &join.instance_id {
            match self.instances.get(instance_id).cloned() {
                Some(old_id) => self.come_back(now, rules, old_id, join, actions),
                None => self.enter(now, rules, id, join, actions),
            }
            return Ok(());
        }
        if !join.takes_id {
            self.enter(now, rules, id, join, actions);
            return Ok(());
        }
        if PENDING_MAX <= self.pending.len() {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        let until = self.arm(now.at + duration(join.session_timeout_ms));
        self.pending.insert(id.clone(), until);
        actions.answers.push((join.ticket, join_refused(id, ErrorCode::MEMBER_ID_REQUIRED)));
        Ok(())
    }

    fn join_again(
        &mut self,
        now: Moment,
        rules: &Rules,
        join: Join,
        actions: &mut Actions,
    ) -> Result<(), ErrorCode> {
        let id = join.member_id.clone();
        if self.pending.contains_key(&id) {
            // Ids are given to dynamic members only; Apache fails here without a word of its own.
            if join.instance_id.is_some() {
                return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
            }
            self.enter(now, rules, id, join, actions);
            return Ok(());
        }
        self.check_member(&id, join.instance_id.as_deref())?;
        let is_same = self.members[&id].protocols == join.protocols;
        let rebalances = match self.state {
            State::PreparingRebalance => true,
            // It may not have received the answer to its last join.
            State::CompletingRebalance => !is_same,
            // A leader has reasons that its own subscription does not show, such as new partitions.
            State::Stable => !is_same || self.is_leader(&id),
            State::Empty | State::Dead => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
        };
        if rebalances {
            self.update(&id, &join, Some(join.ticket), actions);
            self.rebalance_or_complete(now, rules, actions);
        } else {
            let shown = self.state == State::CompletingRebalance && self.is_leader(&id);
            actions.answers.push((join.ticket, Answer::Joined(self.joined(&id, shown))));
        }
        Ok(())
    }

    /// Adds a member, who waits for the next generation.
    fn enter(&mut self, now: Moment, rules: &Rules, id: Text, join: Join, actions: &mut Actions) {
        self.somebody_gathers();
        let until = self.arm(now.at + duration(NEW_MEMBER_PATIENCE_MS));
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        if self.leader.is_none() {
            self.leader = Some(id.clone());
        }
        if let Some(instance_id) = &join.instance_id {
            self.instances.insert(instance_id.clone(), id.clone());
        }
        self.pending.remove(&id);
        self.count(&join.protocols, 1);
        let member = Member {
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            joining: Some(join.ticket),
            syncing: None,
            is_new: true,
            alive_until: Some(until),
        };
        self.members.insert(id, member);
        self.rebalance_or_complete(now, rules, actions);
    }

    /// A static member comes back without its id: it takes its old self's place, and whoever still
    /// uses that is fenced. Where the protocol stays the same, nobody else notices.
    fn come_back(
        &mut self,
        now: Moment,
        rules: &Rules,
        old_id: Text,
        join: Join,
        actions: &mut Actions,
    ) {
        let (id, leader) = (join.fresh_id.clone(), self.leader.clone());
        let old = self.replace(&old_id, &id, actions);
        self.hear(now, &id);
        self.update(&id, &join, Some(join.ticket), actions);
        match self.state {
            State::Stable if self.vote() == self.protocol => {
                let answer = match join.can_skip {
                    true => JoinGroupResponse {
                        skip_assignment: self.is_leader(&id),
                        ..self.joined(&id, self.is_leader(&id))
                    },
                    // It is to believe that another leads, and to ask for its assignment only.
                    false => JoinGroupResponse {
                        leader: leader.clone().unwrap_or_default(),
                        ..self.joined(&id, false)
                    },
                };
                let then = Then::CameBack { old_id, old: Box::new(old), leader, id, answer };
                self.persist(then, actions);
            }
            State::Stable | State::CompletingRebalance => self.prepare(now, rules, actions),
            State::PreparingRebalance | State::Empty | State::Dead => {
                self.complete_if_all_joined(now, actions);
            }
        }
    }

    /// Gives a static member's place to a new id, and answers whoever waits under the old one.
    pub(super) fn replace(&mut self, old_id: &Text, id: &Text, actions: &mut Actions) -> Member {
        let old = self.members.remove(old_id).expect("a static member is a member");
        let fenced = ErrorCode::FENCED_INSTANCE_ID;
        if let Some(ticket) = old.joining {
            actions.answers.push((ticket, join_refused(old_id.clone(), fenced)));
        }
        if let Some(ticket) = old.syncing {
            actions.answers.push((ticket, super::member::sync_refused(fenced)));
        }
        if self.is_leader(old_id) {
            self.leader = Some(id.clone());
        }
        if let Some(instance_id) = &old.instance_id {
            self.instances.insert(instance_id.clone(), id.clone());
        }
        if self.unsynced.remove(old_id) {
            self.unsynced.insert(id.clone());
        }
        let new = Member { joining: None, syncing: None, is_new: false, ..old.clone() };
        self.members.insert(id.clone(), new);
        old
    }

    /// Takes what a member says of itself now.
    fn update(&mut self, id: &str, join: &Join, ticket: Option<Ticket>, actions: &mut Actions) {
        let member = self.members.get_mut(id).expect("checked by the caller");
        let before = std::mem::replace(&mut member.protocols, join.protocols.clone());
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.session_timeout_ms = join.session_timeout_ms;
        if let Some(older) = std::mem::replace(&mut member.joining, ticket) {
            // The client gave up on it, or it would not ask again; Apache never answers it.
            let busy = join_refused(id.into(), ErrorCode::REBALANCE_IN_PROGRESS);
            actions.answers.push((older, busy));
        }
        self.count(&before, -1);
        self.count(&join.protocols, 1);
    }

    pub(super) fn count(&mut self, protocols: &[JoinProtocol], by: isize) {
        for JoinProtocol { name, .. } in protocols {
            let count = self.supported.entry(name.clone()).or_default();
            *count = count.checked_add_signed(by).expect("what goes was counted when it came");
            if *count == 0 {
                self.supported.remove(name);
            }
        }
    }

    fn joining_count(&self) -> usize {
        self.members.values().filter(|member| member.joining.is_some()).count()
    }
}
