//! A member asks for its assignment, the leader brings everybody's, and heartbeats.
//! Never knows: what is in an assignment.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::member::sync_refused;
use super::record::Then;
use super::{Actions, Answer, Membership, Moment, Phase, State, Ticket};
use crate::protocol::sync_group::SyncGroupResponse;
use crate::protocol::{ErrorCode, Text};

/// A member's wish for its assignment.
#[derive(Debug)]
pub struct Sync {
    pub ticket: Ticket,
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub generation: i32,
    /// What the member believes the group to be about, where it says so.
    pub protocol_type: Option<Text>,
    pub protocol: Option<Text>,
    /// From the leader.
    pub assignments: Vec<(Text, Bytes)>,
}

impl Membership {
    pub fn sync(&mut self, sync: Sync) -> Actions {
        let mut actions = Actions::default();
        let ticket = sync.ticket;
        if let Err(error_code) = self.try_sync(sync, &mut actions) {
            actions.answers.push((ticket, sync_refused(error_code)));
        }
        actions
    }

    fn try_sync(&mut self, sync: Sync, actions: &mut Actions) -> Result<(), ErrorCode> {
        self.check_sync(&sync)?;
        match self.state {
            State::Empty | State::Dead => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => return Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance => {
                self.has_synced(&sync.member_id);
                let member = self.members.get_mut(&sync.member_id).expect("it was checked");
                if let Some(older) = member.syncing.replace(sync.ticket) {
                    let busy = sync_refused(ErrorCode::REBALANCE_IN_PROGRESS);
                    actions.answers.push((older, busy));
                }
                if self.is_leader(&sync.member_id) {
                    let assignments = self.complete_assignments(sync.assignments);
                    self.persist(Then::Assigned { assignments }, actions);
                }
            }
            State::Stable => {
                self.has_synced(&sync.member_id);
                let assignment = self.members[&sync.member_id].assignment.clone();
                actions.answers.push((sync.ticket, self.synced(assignment)));
            }
        }
        Ok(())
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        self.check_member(&sync.member_id, sync.instance_id.as_deref())?;
        if sync.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |said: &Option<Text>, is: &Option<Text>| said.is_some() && said != is;
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol, &self.protocol)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    /// Once all have asked nobody is waited for.
    fn has_synced(&mut self, id: &str) {
        self.unsynced.remove(id);
        if self.unsynced.is_empty() && matches!(self.phase, Some(Phase::Syncing { .. })) {
            self.phase = None;
        }
    }

    /// An assignment for every member, and for nobody else; whom the leader forgot gets none.
    fn complete_assignments(&self, assignments: Vec<(Text, Bytes)>) -> BTreeMap<Text, Bytes> {
        let mut all: BTreeMap<Text, Bytes> =
            self.members.keys().map(|id| (id.clone(), Bytes::new())).collect();
        for (id, assignment) in assignments {
            if let Some(place) = all.get_mut(&id) {
                // A copy: a slice would keep the whole request.
                *place = Bytes::copy_from_slice(&assignment);
            }
        }
        all
    }

    /// The leader's assignments are written: the group is stable.
    pub(super) fn assign(
        &mut self,
        now: Moment,
        mut assignments: BTreeMap<Text, Bytes>,
        actions: &mut Actions,
    ) {
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let member = self.members.get_mut(&id).expect("a key of the same map");
            member.assignment = assignments.remove(&id).unwrap_or_default();
            if let Some(ticket) = member.syncing.take() {
                let assignment = member.assignment.clone();
                actions.answers.push((ticket, self.synced(assignment)));
                // Its session may have run out while it waited for us.
                self.hear(now, &id);
            }
        }
        self.turn(now, State::Stable);
    }

    fn synced(&self, assignment: Bytes) -> Answer {
        Answer::Synced(SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment,
            ..SyncGroupResponse::default()
        })
    }

    pub fn heartbeat(
        &mut self,
        now: Moment,
        id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        self.check_member(id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        self.hear(now, id);
        match self.state {
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }
}
