//! Consumer groups: who is in them, what they have read, where they go on.

use std::ffi::CString;

use super::super::sys;
use super::{Admin, Answer, Code, Error, Failed, Group, Listed, PartitionAnswer, Refusal};
use crate::record::{LeaderEpoch, Offset, PartitionId};

/// Where a group goes on reading a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Committed {
    pub topic: String,
    pub partition: PartitionId,
    pub offset: Offset,
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Admin {
    /// All groups, sorted by id; beside them what could not be asked.
    pub fn groups(&self) -> Result<(Vec<Listed>, Vec<Refusal>), Error> {
        let (mut groups, refusals) = sys::list_groups(&self.native, self.patience.max)
            .map_err(|refusal| self.refused("cannot list groups", refusal))?;
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok((groups, refusals))
    }

    /// Groups and their members, in the order asked.
    pub fn describe_groups(&self, ids: &[String]) -> Result<Vec<Answer<Group>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = sys::describe_groups(&self.native, &texts(ids)?, self.patience.max)
            .map_err(|refusal| self.refused("cannot describe groups", refusal))?;
        for (_, answer) in &mut answers {
            if let Ok(group) = answer {
                group.members.sort_by(|a, b| (&a.client, &a.id).cmp(&(&b.client, &b.id)));
            }
        }
        Ok(answers)
    }

    /// What groups have committed, in the order asked, each sorted by partition.
    pub fn group_offsets(&self, ids: &[String]) -> Result<Vec<Vec<Committed>>, Error> {
        let names = texts(ids)?;
        let ask = |name: &CString| sys::ask_group_offsets(&self.native, name, self.patience.max);
        self.insist(|| {
            let calls: Vec<_> = names.iter().map(ask).collect();
            ids.iter().zip(calls).map(|(id, call)| self.offsets_in(id, &call)).collect()
        })
    }

    fn offsets_in(&self, id: &str, call: &sys::Call) -> Result<Vec<Committed>, Failed> {
        let offsets = sys::group_offsets(call)
            .map_err(|refusal| self.unanswered(&format!("offsets of group '{id}'"), refusal))?;
        let mut offsets: Vec<_> = offsets
            .into_iter()
            .map(|(topic, partition, offset, leader_epoch)| Committed {
                topic,
                partition,
                offset,
                leader_epoch,
            })
            .collect();
        offsets.sort();
        Ok(offsets)
    }

    /// Sets where a group without members goes on.
    pub fn set_group_offsets(
        &self,
        id: &str,
        wanted: &[(&str, PartitionId, Offset)],
    ) -> Result<Vec<PartitionAnswer<Offset>>, Error> {
        let name = text(id)?;
        self.insist(|| {
            sys::set_group_offsets(&self.native, &name, wanted, self.patience.max)
                .map_err(|refusal| self.unanswered(&format!("cannot reset group '{id}'"), refusal))
        })
    }

    fn unanswered(&self, what: &str, refusal: Refusal) -> Failed {
        let is_for_now = refusal.code.is_about_the_coordinator();
        let error = self.refused(what, refusal);
        if is_for_now { Failed::ForNow(error) } else { Failed::Finally(error) }
    }

    /// Deletes groups without members.
    pub fn delete_groups(&self, ids: &[String]) -> Result<Vec<Answer<()>>, Error> {
        sys::delete_groups(&self.native, &texts(ids)?, self.patience.max)
            .map_err(|refusal| self.refused("cannot delete groups", refusal))
    }
}

fn text(id: &str) -> Result<CString, Error> {
    let what = format!("group '{}'", id.replace('\0', "\\0"));
    CString::new(id).map_err(|_| Error::Refused { what, code: Code::INVALID_GROUP })
}

fn texts(ids: &[String]) -> Result<Vec<CString>, Error> {
    ids.iter().map(|id| text(id)).collect()
}
