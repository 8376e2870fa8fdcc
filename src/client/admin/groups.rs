//! Consumer groups: who is in them, what they have read, where they go on.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use super::super::sys::{self, Native};
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
        let mut answers = self.each("cannot describe groups", ids, sys::describe_groups)?;
        for (_, answer) in &mut answers {
            if let Ok(group) = answer {
                group.members.sort_by(|a, b| (&a.client, &a.id).cmp(&(&b.client, &b.id)));
            }
        }
        Ok(answers)
    }

    /// Deletes groups without members.
    pub fn delete_groups(&self, ids: &[String]) -> Result<Vec<Answer<()>>, Error> {
        self.each("cannot delete groups", ids, sys::delete_groups)
    }

    /// Asks of each group, in order; those again whose coordinator could not say.
    fn each<T>(
        &self,
        what: &str,
        ids: &[String],
        ask: impl Fn(&Arc<Native>, &[CString], Duration) -> Result<Vec<Answer<T>>, Refusal>,
    ) -> Result<Vec<Answer<T>>, Error> {
        let names = texts(ids)?;
        let mut answers: BTreeMap<usize, Answer<T>> = BTreeMap::new();
        let mut open: Vec<usize> = (0..ids.len()).collect();
        let outcome = self.asked_again(|| {
            let asked: Vec<CString> = open.iter().map(|&at| names[at].clone()).collect();
            if asked.is_empty() {
                return Ok(());
            }
            let client = self.coordinators.client(ids.first()).map_err(Failed::Finally)?;
            let found = ask(&client, &asked, self.patience.max)
                .map_err(|refusal| self.unanswered(what, refusal))?;
            answers.extend(open.drain(..).zip(found));
            let mut trouble = None;
            for (&at, (id, answer)) in &answers {
                let refusal = answer.as_ref().err();
                if let Some(refusal) = refusal.filter(|it| it.code.is_about_the_coordinator()) {
                    open.push(at);
                    trouble = Some(self.unanswered(&format!("group '{id}'"), refusal.clone()));
                }
            }
            trouble.map_or(Ok(()), Err)
        });
        match outcome {
            Err(Failed::Finally(error)) => Err(error),
            Err(Failed::ForNow(error)) if answers.len() < ids.len() => Err(error),
            // Each that is still without an answer says so itself.
            _ => Ok(answers.into_values().collect()),
        }
    }

    /// What groups have committed, in the order asked, each sorted by partition.
    pub fn group_offsets(&self, ids: &[String]) -> Result<Vec<Vec<Committed>>, Error> {
        let names = texts(ids)?;
        self.insist(|| {
            let client = self.coordinators.client(ids.first()).map_err(Failed::Finally)?;
            let ask = |name: &CString| sys::ask_group_offsets(&client, name, self.patience.max);
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
        let (name, group) = (text(id)?, id.to_owned());
        let what = format!("cannot reset group '{id}'");
        self.insist(|| {
            let client = self.coordinators.client(Some(&group)).map_err(Failed::Finally)?;
            let answers = sys::set_group_offsets(&client, &name, wanted, self.patience.max)
                .map_err(|refusal| self.unanswered(&what, refusal))?;
            let mut refusals = answers.iter().filter_map(|(.., answer)| answer.as_ref().err());
            match refusals.find(|it| it.code.is_about_the_coordinator()) {
                Some(refusal) => Err(self.unanswered(&what, refusal.clone())),
                None => Ok(answers),
            }
        })
    }

    fn unanswered(&self, what: &str, refusal: Refusal) -> Failed {
        let code = refusal.code;
        let error = self.refused(what, refusal);
        if !code.is_about_the_coordinator() {
            return Failed::Finally(error);
        }
        if code != Code::COORDINATOR_LOADING {
            self.coordinators.forget();
        }
        Failed::ForNow(error)
    }
}

fn text(id: &str) -> Result<CString, Error> {
    let what = format!("group '{}'", id.replace('\0', "\\0"));
    CString::new(id).map_err(|_| Error::Refused { what, code: Code::INVALID_GROUP })
}

fn texts(ids: &[String]) -> Result<Vec<CString>, Error> {
    ids.iter().map(|id| text(id)).collect()
}
