//! Words to values and back: one file a subcommand. It alone knows clap and tables.
//! Never knows: the wire format, the insides of the broker or the log.

mod cluster;
#[cfg(test)]
mod generated;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// How a command ended, as its exit code (CLI.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// Kafka, the network or the disk said no; what was said is on stderr already.
    Refused,
    /// An expectation of the user (`--fail-if`, `--expect`) was not met.
    Unmet,
    /// A time limit of the user ran out.
    TimedOut,
    /// Ended by this signal.
    Signalled(i32),
    /// What a command that ran inside this one returned.
    Passed(u8),
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Unmet => 3,
            Exit::TimedOut => 124,
            Exit::Signalled(signal) => 128 + (signal & 0x7f) as u8,
            Exit::Passed(code) => code,
        }
    }
}

/// What was typed cannot be done: exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A command-line toolkit for Kafka with a light broker inside
#[derive(Parser)]
#[command(name = "kaw", version, max_term_width = 100, subcommand_required = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {}

/// Options that every command takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Kafka brokers; without any, the built-in broker is found or started
    #[arg(short, long, global = true, value_name = "HOST:PORT,…", alias = "bootstrap-server")]
    pub brokers: Option<String>,
    /// Configuration file: librdkafka's key=value lines or a Java client.properties
    #[arg(
        short = 'F',
        long,
        global = true,
        value_name = "FILE",
        env = "KAW_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Set a librdkafka property; `list` prints them all
    #[arg(short = 'X', global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where the built-in broker keeps its data
    #[arg(long, global = true, value_name = "DIR", env = "KAW_DATA_DIR", hide_env_values = true)]
    pub data_dir: Option<PathBuf>,
    /// How long a broker may take to answer
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub connect_timeout: Duration,
    /// Print no progress, summaries or warnings
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice adds librdkafka's log
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

fn time(text: &str) -> Result<Duration, String> {
    let _ = text;
    Ok(Duration::from_secs(10))
}

/// Parses the command line, runs the command, and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            // Nothing can be done where stderr is closed.
            let _ = writeln!(std::io::stderr(), "kaw: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let _ = (&cli.global, Exit::Refused, Exit::Unmet, Exit::TimedOut);
    match cli.command {}
}
