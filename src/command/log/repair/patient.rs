//! What is to be mended: a data directory or a partition's, held against others at work there.

use std::path::{Path, PathBuf};

use super::super::super::Usage;
use super::super::super::stdio::{line, print};
use super::super::catalogue;
use super::super::data::{Data, Options};
use super::super::place::{Place, around};
use crate::broker::Plan;
use crate::broker::home::{self, Lock};
use crate::log::inspect::{Expected, Mode};

/// Whom to mend, and who must not be at work on it meanwhile.
pub struct Patient {
    pub data: Option<Data>,
    pub partitions: Vec<PathBuf>,
    _lock: Option<Lock>,
}

impl Patient {
    pub fn admit(dir: &Path, mode: Mode) -> anyhow::Result<Patient> {
        let (top, one) = match Place::find(dir)? {
            Place::File(path) => {
                let what = format!("{} is a file; name its directory", path.display());
                return Err(Usage(what).into());
            }
            Place::Backup(dir) => {
                let what = format!(
                    "{} is a backup, which is repaired by no guess; take another copy of it",
                    dir.display()
                );
                return Err(Usage(what).into());
            }
            Place::Partition(dir) => (around(&dir), Some(dir)),
            Place::Data(dir) => (Some(dir), None),
        };
        let lock = match (top.as_deref(), mode) {
            (None, _) => None,
            (Some(top), Mode::Do) => Some(home::hold(top)?),
            // Who only looks writes nothing, not even the lock's file.
            (Some(top), Mode::Say) => {
                home::refuse_held(top)?;
                None
            }
        };
        let data = top.as_deref().map(Data::look_own).transpose()?;
        let all = data.as_ref().map(|data| data.partitions.clone()).unwrap_or_default();
        let partitions = one.map_or(all, |one| vec![one]);
        Ok(Patient { data, partitions, _lock: lock })
    }

    pub fn expected(&self, dir: &Path, options: Options) -> Expected {
        let unknown = Expected { compacted: options.compacted, ..Expected::default() };
        let Some(data) = &self.data else { return unknown };
        let mut expected = data.expected(dir, options);
        // One that has lost records does not know how far the epochs are.
        if data.plan.as_ref().is_some_and(Plan::is_damaged) {
            expected.leader_epoch = None;
        }
        expected
    }

    /// Whether the data directory's catalogue is to be mended.
    pub fn has_catalogue(&self) -> bool {
        let Some(data) = &self.data else { return false };
        let is_all = self.partitions == data.partitions;
        is_all || self.partitions.iter().any(|dir| catalogue::is_own(dir))
    }

    /// Whether nothing is left of the catalogue that could be mended.
    pub fn begins_catalogue_anew(&self) -> bool {
        let plan = self.data.as_ref().and_then(|data| data.plan.as_ref());
        plan.is_some_and(Plan::begins_anew)
    }

    /// What is in the catalogue, once what is no batch is taken out of it.
    pub fn mend_catalogue(&mut self, mode: Mode) -> anyhow::Result<usize> {
        let Some(data) = &mut self.data else { return Ok(0) };
        let Some(plan) = data.plan.take() else { return Ok(0) };
        let steps = plan.steps();
        print(&steps.iter().map(|step| line(step)).collect::<String>())?;
        match (mode, &data.identity) {
            (Mode::Do, Some(identity)) if !steps.is_empty() => {
                plan.carry_out(&data.dir, identity).map_err(anyhow::Error::msg)?;
                // Of what the catalogue says now, the others are.
                *data = Data::look_own(&data.dir)?;
            }
            _ => data.plan = Some(plan),
        }
        Ok(steps.len())
    }
}
