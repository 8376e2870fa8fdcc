//! `kaw topic alter`.

use super::setting;
use crate::client::Code;
use crate::client::admin::{Admin, Change, Changes, Run};
use crate::command::admin::{report, said};
use crate::command::{Exit, Usage};

/// Change a topic: more partitions, other settings
#[derive(clap::Args, Debug)]
pub struct Alter {
    #[arg(value_name = "NAME")]
    name: String,
    /// How many partitions it should have in all; there can only be more
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// A setting, such as retention.ms=3600000; the others stay as they are
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    configs: Vec<String>,
    /// A setting to give back to the broker's default
    #[arg(long, value_name = "KEY")]
    delete_config: Vec<String>,
    /// Only ask whether it could be done
    #[arg(long)]
    dry_run: bool,
}

impl Alter {
    pub fn changes(&self) -> Result<Changes, Usage> {
        let set = |pair: &String| setting(pair).map(|(key, value)| (key, Change::Set(value)));
        let unset = self.delete_config.iter().map(|key| Ok((key.clone(), Change::Unset)));
        let changes: Changes =
            self.configs.iter().map(set).chain(unset).collect::<Result<_, _>>()?;
        if changes.is_empty() && self.partitions.is_none() {
            let why = "nothing to change; pass -p N, -c KEY=VALUE or --delete-config KEY";
            return Err(Usage(why.to_owned()));
        }
        Ok(changes)
    }

    pub fn run(&self, admin: &Admin, changes: &Changes) -> anyhow::Result<Exit> {
        let (run, done) = match self.dry_run {
            true => (Run::Dry, "can be altered"),
            false => (Run::Real, "altered"),
        };
        let mut answer = (self.name.clone(), Ok(()));
        // Settings can be taken back, partitions cannot: they come last.
        if !changes.is_empty() {
            answer = admin.alter_configs(&self.name, changes, run)?;
        }
        if let (Some(total), true) = (self.partitions, answer.1.is_ok()) {
            answer = admin.add_partitions(&self.name, total, run)?;
        }
        report(&[answer], |name, answer| match answer {
            Ok(()) => Ok(format!("{name} {done}")),
            Err(refusal) if refusal.code == Code::UNKNOWN_TOPIC_OR_PART => {
                Err(format!("topic '{name}' does not exist"))
            }
            Err(refusal) => Err(format!("cannot alter '{name}': {}", said(refusal))),
        })
    }
}
