//! Members leave, or are made to by an administrator.
//! Never knows: why.

use super::{Actions, Membership, Moment, Rules, State};
use crate::protocol::{ErrorCode, Text};

/// Who is to leave.
#[derive(Clone, Copy, Debug)]
pub struct Leaver<'a> {
    /// Empty: an administrator names a static member by its instance id alone (KIP-345).
    pub member_id: &'a Text,
    pub instance_id: Option<&'a Text>,
}

impl Membership {
    /// One answer for each, in their order.
    pub fn leave<'a>(
        &mut self,
        now: Moment,
        rules: &Rules,
        leavers: impl IntoIterator<Item = Leaver<'a>>,
    ) -> (Vec<Result<(), ErrorCode>>, Actions) {
        let mut actions = Actions::default();
        let leavers = leavers.into_iter();
        let left: Vec<_> = leavers.map(|leaver| self.leave_one(leaver, &mut actions)).collect();
        if left.iter().any(Result::is_ok) {
            match self.state {
                State::Stable | State::CompletingRebalance => {
                    self.prepare(now, rules, &mut actions);
                }
                State::PreparingRebalance => self.complete_if_all_joined(now, &mut actions),
                State::Empty | State::Dead => {}
            }
        }
        (left, actions)
    }

    fn leave_one(&mut self, leaver: Leaver<'_>, actions: &mut Actions) -> Result<(), ErrorCode> {
        let id = match leaver.instance_id {
            Some(instance_id) if leaver.member_id.is_empty() => {
                let id = self.instances.get(instance_id).cloned();
                id.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?
            }
            _ => leaver.member_id.clone(),
        };
        if !self.pending.contains_key(&id) {
            self.check_member(&id, leaver.instance_id.map(|id| &**id))?;
        }
        self.dismiss(&id, actions);
        Ok(())
    }
}
