//! `kaw topic alter`.

use anyhow::{Context, bail};

use super::setting;
use crate::client::Code;
use crate::client::admin::{Admin, Change, Changes, Refusal, Run};
use crate::client::nearest::similar;
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
        if let Some(why) = self.unknown(admin, changes)? {
            bail!("cannot alter '{}': {why}", self.name);
        }
        let has_two_parts = self.partitions.is_some() && !changes.is_empty();
        let mut altered = Altered::default();
        // Two requests do two parts: none of it is done where a part cannot be.
        if self.dry_run || has_two_parts {
            altered = self.alter(admin, changes, Run::Dry)?;
        }
        if !self.dry_run && altered.refusal.is_none() {
            altered = self.alter(admin, changes, Run::Real)?;
        }
        let done = if self.dry_run { "can be altered" } else { "altered" };
        let half = match altered.has_settings {
            true => "; its settings are changed already",
            false => "",
        };
        let answer = (self.name.clone(), altered.refusal.map_or(Ok(()), Err));
        report(&[answer], |name, answer| match answer {
            Ok(()) => Ok(format!("{name} {done}")),
            Err(refusal) if refusal.code == Code::UNKNOWN_TOPIC_OR_PART => {
                Err(format!("topic '{name}' does not exist"))
            }
            Err(refusal) => Err(format!("cannot alter '{name}': {}{half}", said(refusal))),
        })
    }

    /// What is wrong with a setting that no topic has: brokers give it back without a word.
    fn unknown(&self, admin: &Admin, changes: &Changes) -> anyhow::Result<Option<String>> {
        if changes.is_empty() {
            return Ok(None);
        }
        let answers = admin.configs(std::slice::from_ref(&self.name))?;
        // Who may change settings may yet not see them; and a topic that is not there is no
        // setting's fault.
        let Some((_, Ok(known))) = answers.into_iter().next() else { return Ok(None) };
        let known: Vec<&str> = known.iter().map(|config| config.name.as_str()).collect();
        let unknown = changes.iter().find(|(key, _)| !known.contains(&key.as_str()));
        Ok(unknown.map(|(key, _)| {
            let similar = similar(key, known.iter().copied());
            format!("topics have no setting '{key}'{similar}")
        }))
    }

    fn alter(&self, admin: &Admin, changes: &Changes, run: Run) -> anyhow::Result<Altered> {
        let mut altered = Altered::default();
        // Settings can be taken back, partitions cannot: they come last.
        if !changes.is_empty() {
            altered.refusal = admin.alter_configs(&self.name, changes, run)?.1.err();
            altered.has_settings = altered.refusal.is_none() && run == Run::Real;
        }
        if let (Some(total), None) = (self.partitions, &altered.refusal) {
            let answer = admin.add_partitions(&self.name, total, run);
            let half = "its settings are changed already";
            let answer = if altered.has_settings { answer.context(half)? } else { answer? };
            altered.refusal = answer.1.err();
        }
        Ok(altered)
    }
}

/// How far it came.
#[derive(Default)]
struct Altered {
    has_settings: bool,
    refusal: Option<Refusal>,
}
