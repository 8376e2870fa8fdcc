//! `kaw broker`: the built-in broker in the foreground, and what becomes of it.

mod address;
mod control;
mod embedded;
mod host;
mod properties;
mod run;
mod serve;
mod taken;

use clap::Subcommand;

use super::{Exit, Global, Usage};

pub use embedded::main as embedded_main;

/// Serve other programs as a Kafka broker, on port 9092
///
/// It listens on 127.0.0.1 and [::1] without a password, prints its addresses when it is ready,
/// and keeps its data where the other commands do, which find it there. SIGINT or SIGTERM stops it.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    serve: serve::Args,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Run(run::Args),
    Status(control::StatusArgs),
    Stop(control::StopArgs),
    Properties(properties::PropertiesArgs),
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    if global.brokers.is_some() {
        let why = "-b names brokers to connect to, and `kaw broker` is one itself; \
                   --listen says where";
        return Err(Usage(why.to_owned()).into());
    }
    match args.verb {
        None => serve::run(global, args.serve),
        Some(Verb::Run(args)) => run::run(global, args),
        Some(Verb::Status(args)) => control::status(global, args),
        Some(Verb::Stop(args)) => control::stop(global, args),
        Some(Verb::Properties(args)) => properties::properties(global, args),
    }
}
