//! `kaw topic`: the topics of a cluster.
//! Never knows: how a cluster is asked.

mod alter;
mod create;
mod describe;
mod list;
mod offsets;

use super::admin::connect;
use super::{Exit, Global};
use crate::client::admin::TopicInfo;

/// Create, list, describe, change and delete topics, and find or delete their records
#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Create(create::Create),
    List(list::List),
    Describe(describe::Describe),
    Alter(alter::Alter),
    Delete(create::Delete),
    Offsets(offsets::Offsets),
    Trim(offsets::Trim),
}

/// Topics that brokers make for themselves (Topic.java, and the catalogue).
const INTERNAL: [&str; 4] =
    ["__cluster_metadata", "__consumer_offsets", "__share_group_state", "__transaction_state"];

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    // What was typed is checked before anything is asked.
    match args.command {
        Command::Create(create) => {
            let topics = create.topics()?;
            create.run(&connect(global)?.admin, &topics)
        }
        Command::List(list) => {
            let pattern = list.pattern()?;
            list.run(&connect(global)?, pattern.as_ref())
        }
        Command::Describe(describe) => describe.run(&connect(global)?),
        Command::Alter(alter) => {
            let changes = alter.changes()?;
            alter.run(&connect(global)?.admin, &changes)
        }
        Command::Delete(delete) => delete.run(&connect(global)?.admin),
        Command::Offsets(offsets) => {
            let place = offsets.place()?;
            offsets.run(&connect(global)?.admin, place)
        }
        Command::Trim(trim) => {
            let place = trim.place()?;
            trim.run(&connect(global)?.admin, place)
        }
    }
}

/// `KEY=VALUE` of `-c`.
pub fn setting(pair: &str) -> Result<(String, String), super::Usage> {
    match pair.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(super::Usage(format!("-c {pair}: write KEY=VALUE"))),
    }
}

pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// On how many brokers the topic's partitions are; the first speaks for all.
fn replicas(topic: &TopicInfo) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}
