//! `kaw group reset`: where a group goes on reading.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use crate::client::Code;
use crate::client::admin::{Admin, Committed};
use crate::client::span::Place;
use crate::command::admin::{Located, Named, Target, locate, said, shown, targets, wanted};
use crate::command::stdio::tell;
use crate::command::table::{Column, Shape, Table};
use crate::command::{Exit, Global, Usage, note};
use crate::record::Offset;

/// Set where a group that has no members goes on reading
#[derive(clap::Args, Debug)]
pub struct Reset {
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// The record that comes next, in each partition: start, end, N, +N (after the start), -N
    /// (before the end) or @TIME, the first record at or after it
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    to: String,
    /// Only these topics, or some of their partitions: NAME:0,2 [default: all it has committed]
    #[arg(short, long = "topic", value_name = "NAME[:P]")]
    topics: Vec<Named>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Reset {
    pub fn place(&self) -> Result<Place, Usage> {
        wanted("--to", &self.to)
    }

    pub fn run(&self, global: &Global, admin: &Admin, place: Place) -> anyhow::Result<Exit> {
        self.check_that_nobody_reads(admin)?;
        let names = [self.name.clone()];
        let committed = admin.group_offsets(&names)?.into_iter().flatten();
        let before: BTreeMap<Target, Offset> = committed
            .map(|Committed { topic, partition, offset, .. }| ((topic, partition), offset))
            .collect();
        let targets = match self.topics.as_slice() {
            [] => before.keys().cloned().collect(),
            named => targets(admin, named)?,
        };
        if targets.is_empty() {
            bail!("group '{}' has committed nothing; name topics with --topic", self.name);
        }
        if self.topics.is_empty() {
            self.tell_of_the_others(global, admin, &targets);
        }
        let located = locate(admin, &targets, place)?;
        let failures = self.set(admin, &targets, &located)?;
        for (target, why) in &failures {
            tell(&format!("cannot reset {}-{}: {why}", target.0, target.1));
        }
        let both = targets.iter().zip(&located);
        let done = both.filter(|(target, _)| !failures.contains_key(target));
        self.print(&before, done)?;
        if self.dry_run {
            tell("nothing was changed (--dry-run)");
        }
        Ok(if failures.is_empty() { Exit::Done } else { Exit::Refused })
    }

    /// Partitions that the group has not committed, of topics of which it has committed others.
    fn tell_of_the_others(&self, global: &Global, admin: &Admin, targets: &[Target]) {
        for topic in admin.topics().unwrap_or_default() {
            let committed = targets.iter().filter(|(name, _)| *name == topic.name).count();
            let others = topic.partitions.len().saturating_sub(committed);
            if committed == 0 || others == 0 {
                continue;
            }
            let (group, topic) = (&self.name, &topic.name);
            let which = match others {
                1 => format!("a partition of {topic} has no commit and stays so"),
                _ => format!("{others} partitions of {topic} have no commit and stay so"),
            };
            note(global, &format!("{group}: {which}; --topic {topic} resets all of it"));
        }
    }

    /// Members would go on from where they are, and commit over it.
    fn check_that_nobody_reads(&self, admin: &Admin) -> anyhow::Result<()> {
        for (id, answer) in admin.describe_groups(std::slice::from_ref(&self.name))? {
            match answer {
                Ok(group) if group.members.is_empty() => {}
                Ok(group) => {
                    let members = match group.members.len() {
                        1 => "a member".to_owned(),
                        count => format!("{count} members"),
                    };
                    bail!("group '{id}' is {} and has {members}; stop them first", group.state)
                }
                Err(refusal) if refusal.code == Code::NO_GROUP => {}
                Err(refusal) => bail!("cannot describe '{id}': {}", said(&refusal)),
            }
        }
        Ok(())
    }

    /// Sets the offsets; returns what was refused, and why.
    fn set(
        &self,
        admin: &Admin,
        targets: &[Target],
        located: &[Located],
    ) -> anyhow::Result<BTreeMap<Target, String>> {
        if self.dry_run {
            return Ok(BTreeMap::new());
        }
        let both = targets.iter().zip(located);
        let wanted: Vec<_> =
            both.map(|((topic, partition), at)| (topic.as_str(), *partition, at.offset)).collect();
        let answers = admin.set_group_offsets(&self.name, &wanted)?;
        let refused = answers.into_iter().filter_map(|(topic, partition, answer)| {
            let refusal = answer.err()?;
            let why = match refusal.code {
                Code::UNKNOWN_MEMBER => "the group has members now; stop them first".to_owned(),
                _ => said(&refusal),
            };
            Some(((topic, partition), why))
        });
        Ok(refused.collect())
    }

    fn print<'a>(
        &self,
        before: &BTreeMap<Target, Offset>,
        done: impl Iterator<Item = (&'a Target, &'a Located)>,
    ) -> anyhow::Result<Exit> {
        let mut table = Table::new(&[
            Column::Text("GROUP"),
            Column::Text("TOPIC"),
            Column::Number("PARTITION"),
            Column::Number("FROM"),
            Column::Number("TO"),
            Column::Number("LAG"),
        ]);
        let mut lines = String::new();
        for (target, at) in done {
            let (topic, partition) = target;
            let (from, to) = (before.get(target), at.offset);
            let lag = at.edges.end.get() - to.get();
            let line = json!({
                "group": self.name,
                "topic": topic,
                "partition": partition.get(),
                "from": from.map(|offset| offset.get()),
                "to": to.get(),
                "lag": lag,
            });
            lines += &format!("{line}\n");
            table.add(vec![
                self.name.clone(),
                topic.clone(),
                partition.to_string(),
                shown(from),
                to.to_string(),
                lag.to_string(),
            ]);
        }
        self.shape.print(lines, [table])
    }
}
