//! What of a group is written, and what becomes of a group when it is read again.
//! Never knows: where it is written.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::member::{Member, join_refused};
use super::{Actions, Answer, Membership, Moment, Rules, State};
use crate::protocol::group_record::{GroupMember, GroupMetadataValue};
use crate::protocol::join_group::{JoinGroupResponse, JoinProtocol};
use crate::protocol::{ErrorCode, Text};

/// Something to be written.
#[derive(Debug)]
pub struct Persist {
    pub value: GroupMetadataValue,
    pub then: Then,
}

/// What depends on its being written.
#[derive(Debug)]
pub enum Then {
    /// An empty group: nobody waits.
    Nothing,
    /// A generation becomes stable.
    Assigned { assignments: BTreeMap<Text, Bytes> },
    /// A static member has a new id.
    CameBack {
        old_id: Text,
        old: Box<Member>,
        leader: Option<Text>,
        id: Text,
        answer: JoinGroupResponse,
    },
}

impl Membership {
    /// The group as it is, to be written.
    pub(super) fn persist(&self, then: Then, actions: &mut Actions) {
        let protocol = self.protocol.as_deref();
        let members = self.members.iter().map(|(id, member)| GroupMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: match &then {
                Then::Assigned { assignments } => assignments[id].clone(),
                _ => member.assignment.clone(),
            },
        });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.since,
            members: members.collect(),
        };
        actions.persist = Some(Persist { value, then });
    }

    /// What was to be written is, or could not be.
    pub fn persisted(
        &mut self,
        now: Moment,
        rules: &Rules,
        then: Then,
        outcome: Result<(), ErrorCode>,
    ) -> Actions {
        let mut actions = Actions::default();
        match (then, outcome) {
            // The generation before is what a restart finds, and its members' sessions end.
            (Then::Nothing, _) => {}
            (Then::Assigned { assignments }, Ok(())) => {
                self.assign(now, assignments, &mut actions);
            }
            (Then::Assigned { .. }, Err(error)) => {
                self.refuse_syncs(now, error, &mut actions);
                self.prepare(now, rules, &mut actions);
            }
            (Then::CameBack { id, answer, .. }, Ok(())) => {
                self.answer_join(&id, Answer::Joined(answer), &mut actions);
            }
            (Then::CameBack { old_id, old, leader, id, .. }, Err(error)) => {
                self.answer_join(&id, join_refused(Text::default(), error), &mut actions);
                self.put_back(now, old_id, *old, &id);
                self.leader = leader;
            }
        }
        actions
    }

    fn answer_join(&mut self, id: &str, answer: Answer, actions: &mut Actions) {
        let member = self.members.get_mut(id).expect("nothing happened since it came back");
        if let Some(ticket) = member.joining.take() {
            actions.answers.push((ticket, answer));
        }
    }

    /// A static member has its old id again.
    fn put_back(&mut self, now: Moment, old_id: Text, old: Member, id: &str) {
        let was_unsynced = self.unsynced.contains(id);
        self.remove(id);
        self.count(&old.protocols, 1);
        if let Some(instance_id) = &old.instance_id {
            self.instances.insert(instance_id.clone(), old_id.clone());
        }
        if was_unsynced {
            self.unsynced.insert(old_id.clone());
        }
        self.members.insert(old_id.clone(), Member { joining: None, syncing: None, ..old });
        self.hear(now, &old_id);
    }

    /// A group as it was written. Its members may go on; their sessions begin anew.
    pub fn restored(now: Moment, rules: &Rules, value: GroupMetadataValue) -> Membership {
        let mut group = Membership::new(now);
        group.generation = value.generation;
        group.protocol_type = Some(value.protocol_type).filter(|kind| !kind.is_empty());
        group.since = value.state_since;
        for member in value.members {
            group.restore(now, value.protocol.as_ref(), member);
        }
        group.protocol = value.protocol;
        if !group.members.is_empty() {
            group.state = State::Stable;
            let is_member = |id: &Text| group.members.contains_key(id);
            let leader = value.leader.filter(is_member);
            group.leader = leader.or_else(|| group.members.keys().next().cloned());
        }
        if rules.members_max < group.members.len() {
            // Its members have to join again, and so many as there is room for can.
            let mut nobody_waits = Actions::default();
            group.prepare(now, rules, &mut nobody_waits);
        }
        group
    }

    fn restore(&mut self, now: Moment, protocol: Option<&Text>, member: GroupMember) {
        let protocols = protocol.map(|name| JoinProtocol {
            name: name.clone(),
            metadata: Bytes::copy_from_slice(&member.subscription),
        });
        let protocols: Vec<_> = protocols.into_iter().collect();
        self.count(&protocols, 1);
        if let Some(instance_id) = &member.group_instance_id {
            self.instances.insert(instance_id.clone(), member.member_id.clone());
        }
        let rebalance_timeout_ms = match member.rebalance_timeout_ms {
            -1 => member.session_timeout_ms,
            timeout_ms => timeout_ms,
        };
        let restored = Member {
            instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            session_timeout_ms: member.session_timeout_ms,
            rebalance_timeout_ms,
            protocols,
            assignment: Bytes::copy_from_slice(&member.assignment),
            joining: None,
            syncing: None,
            is_new: false,
            alive_until: None,
        };
        let id = member.member_id;
        self.members.insert(id.clone(), restored);
        self.hear(now, &id);
    }
}
