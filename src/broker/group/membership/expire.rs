//! What happens when nothing happens: sessions end, joins and syncs are waited for no longer.
//! Never knows: who calls it when.

use std::time::Instant;

use super::{Actions, Membership, Moment, Phase, Rules, State};
use crate::protocol::Text;

impl Membership {
    /// Does what is due, one deadline a call, since each may change what else is; `None` when
    /// nothing is.
    pub fn expire(&mut self, now: Moment, rules: &Rules) -> Option<Actions> {
        let mut actions = Actions::default();
        let due = |at: Instant| at <= now.at;
        if let Some(id) = self.first_late(now.at) {
            self.session_ended(now, rules, &id, &mut actions);
            return Some(actions);
        }
        match self.phase {
            Some(phase) if due(phase.ends()) => {
                self.phase_ended(now, rules, phase, &mut actions);
                Some(actions)
            }
            _ => {
                self.alarm = self.next_deadline();
                None
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().filter_map(|member| member.alive_until);
        let phase = self.phase.as_ref().map(Phase::ends);
        sessions.chain(self.pending.values().copied()).chain(phase).min()
    }

    fn first_late(&self, at: Instant) -> Option<Text> {
        let members =
            self.members.iter().filter_map(|(id, member)| Some((member.alive_until?, id)));
        let pending = self.pending.iter().map(|(id, until)| (*until, id));
        let (until, id) = members.chain(pending).min()?;
        (until <= at).then(|| id.clone())
    }

    fn session_ended(&mut self, now: Moment, rules: &Rules, id: &Text, actions: &mut Actions) {
        if let Some(member) = self.members.get_mut(id)
            && member.is_excused()
        {
            // It waits for us; its session goes on when it is answered.
            member.alive_until = None;
            return;
        }
        let was_member = self.members.contains_key(id);
        self.dismiss(id, actions);
        match self.state {
            State::Stable | State::CompletingRebalance if was_member => {
                self.prepare(now, rules, actions);
            }
            State::PreparingRebalance if self.have_all_joined() => self.complete(now, actions),
            _ => {}
        }
    }

    fn phase_ended(&mut self, now: Moment, rules: &Rules, phase: Phase, actions: &mut Actions) {
        match phase {
            Phase::Gathering { .. } => self.gathered(now, rules, actions),
            Phase::Joining { .. } => self.complete(now, actions),
            Phase::Syncing { .. } => {
                self.phase = None;
                let late: Vec<Text> = self.unsynced.iter().cloned().collect();
                if !late.is_empty() {
                    late.iter().for_each(|id| self.dismiss(id, actions));
                    self.prepare(now, rules, actions);
                }
            }
        }
    }
}
