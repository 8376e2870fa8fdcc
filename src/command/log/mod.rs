//! `kaw log`: the files of a log, ours or Apache Kafka's, as they lie on the disk.

mod backup;
mod catalogue;
mod data;
mod dump;
mod place;
mod repair;
mod rows;
mod shown;
mod verify;

use super::{Exit, Global};

/// Look into the files of a log, check them and mend them; no broker is needed
#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Dump(dump::Dump),
    Verify(verify::Verify),
    Repair(repair::Repair),
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Dump(dump) => dump.run(),
        Command::Verify(verify) => verify.run(global),
        Command::Repair(repair) => repair.run(global),
    }
}
