//! From one generation to the next: members are asked to join again, those who do are the next
//! generation, and each is told its leader and protocol.
//! Never knows: why there is a rebalance.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::member::{Member, join_refused, sync_refused};
use super::record::Then;
use super::{Actions, Answer, Membership, Moment, Phase, Rules, State, duration};
use crate::protocol::join_group::{JoinGroupResponse, JoinedMember};
use crate::protocol::{ErrorCode, Text};

impl Membership {
    /// Begins a rebalance, or ends it if nobody is missing any more.
    pub(super) fn rebalance_or_complete(
        &mut self,
        now: Moment,
        rules: &Rules,
        actions: &mut Actions,
    ) {
        match self.state {
            State::Empty | State::CompletingRebalance | State::Stable => {
                self.prepare(now, rules, actions);
            }
            State::PreparingRebalance | State::Dead => {
                self.complete_if_all_joined(now, actions);
            }
        }
    }

    pub(super) fn prepare(&mut self, now: Moment, rules: &Rules, actions: &mut Actions) {
        if self.state == State::CompletingRebalance {
            self.refuse_syncs(now, ErrorCode::REBALANCE_IN_PROGRESS, actions);
        }
        self.unsynced.clear();
        self.phase = None;
        let was_empty = self.state == State::Empty;
        self.turn(now, State::PreparingRebalance);
        match was_empty && !rules.initial_delay.is_zero() {
            true => {
                let left = self.rebalance_timeout().saturating_sub(rules.initial_delay);
                self.gather(now, rules.initial_delay, left);
            }
            false => self.complete_or_wait(now, actions),
        }
    }

    fn gather(&mut self, now: Moment, delay: Duration, left: Duration) {
        let ends = self.arm(now.at + delay);
        self.phase = Some(Phase::Gathering { ends, delay, left, joined_since: false });
    }

    /// Somebody came while a group that was empty waits for more.
    pub(super) fn somebody_gathers(&mut self) {
        if let Some(Phase::Gathering { joined_since, .. }) = &mut self.phase {
            *joined_since = true;
        }
    }

    /// The wait for more members is over, unless somebody came meanwhile.
    pub(super) fn gathered(&mut self, now: Moment, rules: &Rules, actions: &mut Actions) {
        match self.phase {
            Some(Phase::Gathering { delay, left, joined_since: true, .. }) if !left.is_zero() => {
                self.gather(now, rules.initial_delay.min(left), left.saturating_sub(delay));
            }
            _ => self.complete(now, actions),
        }
    }

    /// While a group that was empty gathers, being complete means nothing: more may come.
    pub(super) fn complete_if_all_joined(&mut self, now: Moment, actions: &mut Actions) {
        let gathers = matches!(self.phase, Some(Phase::Gathering { .. }));
        if self.state == State::PreparingRebalance && !gathers && self.have_all_joined() {
            self.complete(now, actions);
        }
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    fn complete_or_wait(&mut self, now: Moment, actions: &mut Actions) {
        if self.have_all_joined() {
            self.complete(now, actions);
        } else {
            self.wait_for_joins(now);
        }
    }

    fn wait_for_joins(&mut self, now: Moment) {
        let ends = self.arm(now.at + self.rebalance_timeout());
        self.phase = Some(Phase::Joining { ends });
    }

    /// Ends the joining: who did not come is out, but for static members, who have their session's
    /// time to come back.
    pub(super) fn complete(&mut self, now: Moment, actions: &mut Actions) {
        self.phase = None;
        let is_missing = |member: &Member| member.joining.is_none() && member.instance_id.is_none();
        let missing = self.members.iter().filter(|(_, member)| is_missing(member));
        for id in missing.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.remove(&id);
        }
        if !self.members.is_empty() && !self.elect() {
            // Only static members are left, and all are away: their sessions decide.
            return self.wait_for_joins(now);
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.unsynced.clear();
        if self.members.is_empty() {
            self.protocol = None;
            self.turn(now, State::Empty);
            return self.persist(Then::Nothing, actions);
        }
        self.protocol = self.vote();
        self.turn(now, State::CompletingRebalance);
        self.tell_generation(now, actions);
    }

    fn tell_generation(&mut self, now: Moment, actions: &mut Actions) {
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let member = self.members.get_mut(&id).expect("a key of the same map");
            member.is_new = false;
            if let Some(ticket) = member.joining.take() {
                let joined = self.joined(&id, self.is_leader(&id));
                actions.answers.push((ticket, Answer::Joined(joined)));
            }
            self.hear(now, &id);
            self.unsynced.insert(id);
        }
        let ends = self.arm(now.at + self.rebalance_timeout());
        self.phase = Some(Phase::Syncing { ends });
    }

    /// What a member is told of its generation; the leader also who else is in it.
    pub(super) fn joined(&self, id: &Text, with_members: bool) -> JoinGroupResponse {
        let protocol = self.protocol.as_deref();
        let shown = self.members.iter().filter(|_| with_members);
        JoinGroupResponse {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            members: shown
                .map(|(id, member)| JoinedMember {
                    member_id: id.clone(),
                    instance_id: member.instance_id.clone(),
                    metadata: member.metadata(protocol),
                })
                .collect(),
            ..JoinGroupResponse::default()
        }
    }

    /// Keeps the leader if it joined, else takes the first who did.
    fn elect(&mut self) -> bool {
        let has_joined =
            |id: &Text| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.keys().find(|id| has_joined(id)).cloned();
        match joined {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// Each member votes for the first of its protocols that all support; the most votes win, the
    /// first name among equals.
    pub(super) fn vote(&self) -> Option<Text> {
        let mut votes: BTreeMap<&Text, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|protocol| &protocol.name);
            let candidate =
                names.find(|name| self.supported.get(*name) == Some(&self.members.len()));
            if let Some(name) = candidate {
                *votes.entry(name).or_default() += 1;
            }
        }
        let best = votes.into_iter().rev().max_by_key(|(_, count)| *count);
        best.map(|(name, _)| name.clone())
    }

    /// Takes a member out, whoever of its requests waits answered before.
    pub(super) fn remove(&mut self, id: &str) {
        if let Some(member) = self.members.remove(id) {
            self.count(&member.protocols, -1);
            if let Some(instance_id) = member.instance_id {
                self.instances.remove(&instance_id);
            }
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending.remove(id);
        self.unsynced.remove(id);
    }

    /// Takes a member out that may be waiting: it is to join anew if it is still there.
    pub(super) fn dismiss(&mut self, id: &Text, actions: &mut Actions) {
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        if let Some(member) = self.members.get(id) {
            if let Some(ticket) = member.joining {
                actions.answers.push((ticket, join_refused(Text::default(), unknown)));
            }
            if let Some(ticket) = member.syncing {
                actions.answers.push((ticket, sync_refused(unknown)));
            }
        }
        self.remove(id);
    }

    /// Whoever waits for an assignment gets an error instead.
    pub(super) fn refuse_syncs(&mut self, now: Moment, error: ErrorCode, actions: &mut Actions) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(ticket) = member.syncing.take() {
                actions.answers.push((ticket, sync_refused(error)));
                member.alive_until = Some(now.at + duration(member.session_timeout_ms));
            }
        }
        let earliest = self.members.values().filter_map(|member| member.alive_until).min();
        if let Some(at) = earliest {
            self.arm(at);
        }
    }
}
