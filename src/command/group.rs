//! `kaw group`: consumer groups, who is in them, how far they are, where they go on.

mod describe;
mod reset;

use regex::Regex;
use serde_json::json;

use super::admin::{compile, connect, report, said};
use super::stdio::{print, tell};
use super::table::{Column, Shape, Table};
use super::{Exit, Global};
use crate::client::admin::Admin;
use crate::client::{Code, nearest};

/// List, describe, reset and delete consumer groups
#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    List(List),
    Describe(describe::Describe),
    Reset(reset::Reset),
    Delete(Delete),
}

/// List groups
#[derive(clap::Args, Debug)]
struct List {
    /// Only groups whose name matches
    #[arg(value_name = "REGEX")]
    pattern: Option<String>,
    /// State and type too
    #[arg(long)]
    detailed: bool,
    #[command(flatten)]
    shape: Shape,
}

/// Delete groups that have no members, and what they have committed
#[derive(clap::Args, Debug)]
struct Delete {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// A group that is not there is no error
    #[arg(long)]
    if_exists: bool,
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::List(list) => {
            let pattern = list.pattern.as_deref().map(compile).transpose()?;
            list.run(&connect(global)?.admin, pattern.as_ref())
        }
        Command::Describe(describe) => describe.run(&connect(global)?.admin),
        Command::Reset(reset) => {
            let place = reset.place()?;
            reset.run(global, &connect(global)?.admin, place)
        }
        Command::Delete(delete) => delete.run(&connect(global)?.admin),
    }
}

impl List {
    fn run(&self, admin: &Admin, pattern: Option<&Regex>) -> anyhow::Result<Exit> {
        let (mut groups, refusals) = admin.groups()?;
        groups.retain(|group| pattern.is_none_or(|pattern| pattern.is_match(&group.id)));
        for refusal in &refusals {
            tell(&format!("a broker did not list its groups: {}", said(refusal)));
        }
        let exit = if refusals.is_empty() { Exit::Done } else { Exit::Refused };
        if !self.detailed && !self.shape.json {
            print(&groups.iter().map(|group| format!("{}\n", group.id)).collect::<String>())?;
            return Ok(exit);
        }
        let columns = [Column::Text("GROUP"), Column::Text("STATE"), Column::Text("TYPE")];
        let mut table = Table::new(&columns);
        let mut lines = String::new();
        for group in groups {
            let line = json!({"group": group.id, "state": group.state, "type": group.kind});
            lines += &format!("{line}\n");
            table.add(vec![group.id, group.state, group.kind]);
        }
        self.shape.print(lines, [table])?;
        Ok(exit)
    }
}

/// Words about a group that was probably meant.
fn similar(admin: &Admin, name: &str) -> String {
    let groups = admin.groups().map(|(groups, _)| groups).unwrap_or_default();
    nearest::similar(name, groups.iter().map(|group| group.id.as_str()))
}

impl Delete {
    fn run(&self, admin: &Admin) -> anyhow::Result<Exit> {
        report(&admin.delete_groups(&self.names)?, |name, answer| match answer {
            Ok(()) => Ok(format!("{name} deleted")),
            Err(refusal) if refusal.code == Code::NO_GROUP => match self.if_exists {
                true => Ok(format!("{name} does not exist")),
                false => {
                    let similar = similar(admin, name);
                    Err(format!("group '{name}' does not exist{similar}; --if-exists allows that"))
                }
            },
            Err(refusal) if refusal.code == Code::NON_EMPTY_GROUP => {
                Err(format!("group '{name}' has members; stop them first"))
            }
            Err(refusal) => Err(format!("cannot delete '{name}': {}", said(refusal))),
        })
    }
}
