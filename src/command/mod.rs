//! Words to values and back: one file a subcommand. It alone knows clap and tables.
//! Never knows: the wire format, the insides of the broker or the log.

mod admin;
mod backup;
mod bench;
mod broker;
mod cluster;
mod color;
mod completion;
mod config;
mod consume;
mod crew;
mod examples;
#[cfg(test)]
mod generated;
mod group;
mod interrupt;
mod kcat;
mod log;
#[cfg(test)]
mod manual;
mod produce;
mod progress;
mod restore;
#[cfg(test)]
mod round_trip;
mod stdio;
mod table;
mod topic;
mod undecided;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{client, quantity};
use color::Color;
use stdio::{ClosedStdout, print, tell};

/// How a command ended, as its exit code (CLI.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// Kafka, the network or the disk said no; what was said is on stderr already.
    Refused,
    /// What was typed cannot be, in part; what was said is on stderr already.
    Misused,
    /// An expectation of the user (`--fail-if`, `--expect`) was not met.
    Unmet,
    /// A time that the user set ran out.
    OutOfTime,
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
            Exit::Misused => 2,
            Exit::Unmet => 3,
            Exit::OutOfTime => 124,
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

/// What `kaw` alone says.
const START: &str = "\
A command-line toolkit for Kafka with a light broker inside

  seq 1 5 | kaw produce numbers   write lines to a topic; no broker is needed
  kaw consume -e numbers          read them back
  kaw topic list                  see which topics there are
  kaw group describe              see who reads them, and how far behind
  kaw bench produce               measure how fast it is
  kaw broker                      serve other programs, on port 9092

-b HOST:PORT names the brokers of a cluster. `kaw --help` shows all commands, and
`kaw COMMAND --help` explains one.
";

/// A command-line toolkit for Kafka with a light broker inside
#[derive(Parser)]
#[command(name = "kaw", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand)]
pub enum Command {
    Topic(topic::Args),
    Produce(produce::Args),
    Consume(consume::Args),
    Group(group::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Bench(bench::Args),
    Broker(broker::Args),
    Config(config::Args),
    Log(log::Args),
    Completion(completion::Args),
    Kcat(kcat::Args),
}

/// Options that every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Kafka brokers; without any, the built-in broker is found or started
    #[arg(short, long, global = true, value_name = "HOST:PORT,…", alias = "bootstrap-server")]
    pub brokers: Option<String>,
    /// Configuration file: librdkafka's key=value lines or a Java client.properties
    /// [env: KAW_CONFIG]
    #[arg(
        short = 'F',
        long,
        global = true,
        value_name = "FILE",
        value_parser = maybe_path()
    )]
    pub config: Vec<PathBuf>,
    /// The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Set a librdkafka property; `list` prints them all
    #[arg(short = 'X', global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where the built-in broker keeps its data
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        value_parser = maybe_path(),
        env = "KAW_DATA_DIR",
        hide_env_values = true
    )]
    pub data_dir: Option<PathBuf>,
    /// How long a broker may take to answer
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        default_value = "10s",
        value_parser = quantity::some_time
    )]
    pub connect_timeout: Duration,
    /// Print no progress, summaries or warnings
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice adds librdkafka's log
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When there is colour; auto is on a terminal, and heeds NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Print progress as plain lines, one a second, also where stderr is no terminal
    #[arg(long, global = true)]
    pub progress: bool,
}

/// The definition of the command line, whole.
pub fn line() -> clap::Command {
    examples::with_examples(with_negative_values(Cli::command()))
}

/// A negative number after an option is its value, and the option says what is wrong with it.
fn with_negative_values(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| match arg.is_positional() {
        true => arg,
        false => arg.allow_negative_numbers(true),
    });
    command.mut_subcommands(with_negative_values)
}

/// A variable that is empty counts as not set, which clap's own parser of paths refuses.
fn maybe_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Parses the command line, runs the command, and says how it ended.
pub fn main() -> ExitCode {
    if let Some(code) = broker::embedded_main().or_else(completion::main).or_else(kcat::main) {
        return code;
    }
    Color::typed(std::env::args_os().skip(1)).choose();
    let parsed = line().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let result = match parsed {
        Ok(cli) => run(cli),
        Err(error) => parse_failed(&error),
    };
    stdio::begin_line();
    match result {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) if error.is::<ClosedStdout>() => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            let usage = error.is::<Usage>()
                || error.downcast_ref::<client::Error>().is_some_and(client::Error::is_usage);
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

/// Says in one line what went wrong.
fn complain(error: &anyhow::Error) {
    tell(&without_errno(&format!("{error:#}")));
}

/// `std` adds the number to what the system says, which helps nobody.
fn without_errno(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest))
}

/// Says something that is good to know, to who did not ask for quiet.
fn note(global: &Global, news: &str) {
    if !global.quiet {
        tell(news);
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    if cli.global.set.iter().any(|set| set == "list" || set == "help") {
        return print(&client::properties());
    }
    match cli.command {
        None => {
            let _ = io::stderr().write_all(START.as_bytes());
            Ok(Exit::Passed(2))
        }
        Some(Command::Topic(args)) => topic::run(&cli.global, args),
        Some(Command::Produce(args)) => produce::run(&cli.global, args),
        Some(Command::Consume(args)) => consume::run(&cli.global, args),
        Some(Command::Group(args)) => group::run(&cli.global, args),
        Some(Command::Backup(args)) => backup::run(&cli.global, &args),
        Some(Command::Restore(args)) => restore::run(&cli.global, args),
        Some(Command::Bench(args)) => bench::run(&cli.global, args),
        Some(Command::Broker(args)) => broker::run(&cli.global, args),
        Some(Command::Config(args)) => config::run(&cli.global, &args),
        Some(Command::Log(args)) => log::run(&cli.global, args),
        Some(Command::Completion(args)) => completion::run(&args),
        Some(Command::Kcat(args)) => kcat::refuse(args),
    }
}

/// Help and version go to stdout; everything else that clap says becomes one line.
fn parse_failed(error: &clap::Error) -> anyhow::Result<Exit> {
    if error.use_stderr() {
        return Err(Usage(one_line(&error.render().to_string())).into());
    }
    print(&match error.kind() {
        ErrorKind::DisplayVersion => version(),
        _ if color::on_stdout() => error.render().ansi().to_string(),
        _ => error.render().to_string(),
    })
}

fn version() -> String {
    let (librdkafka, features) = (client::version(), client::features().join(", "));
    format!("kaw {}\nlibrdkafka {librdkafka} with {features}\n", env!("CARGO_PKG_VERSION"))
}

/// What `std` says of numbers, which tells nobody what to write.
const OF_NUMBERS: [(&str, &str); 3] = [
    (": invalid digit found in string", ": write a whole number"),
    (": cannot parse integer from empty string", ": write a whole number"),
    (": number too large to fit in target type", ": that is too large"),
];

/// What clap spreads over several lines, without its heading and its usage.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let said = said.join(" ").replace(" tip: ", "; ");
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    let said = said.replace("For more information, try '--help'.", "");
    let in_words = |said: String, (theirs, ours): &(&str, &str)| said.replace(theirs, ours);
    let said = OF_NUMBERS.iter().fold(said, in_words);
    // clap takes every unknown option for a value that somebody wants to pass.
    let said = said.split("; to pass '").next().unwrap_or_default().trim().to_owned();
    let is_open = PUZZLES.iter().any(|puzzle| said.starts_with(puzzle)) && !said.contains("; ");
    if is_open { said + &remedy(text) } else { said }
}

/// What leaves people without a clue, unless something similar exists.
const PUZZLES: [&str; 3] = [
    "unexpected argument",
    "unrecognized subcommand",
    "the following required arguments were not provided",
];

/// Where to look, of the command whose usage stands in the text.
fn remedy(text: &str) -> String {
    let usage = text.split("Usage: ").nth(1).unwrap_or_default();
    let is_word = |word: &&str| !word.starts_with(['[', '<', '-']);
    let command: Vec<&str> = usage.split_whitespace().take_while(is_word).collect();
    if command.is_empty() {
        return "; see `kaw --help`".to_owned();
    }
    format!("; see `{} --help`", command.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], want: &str) {
        let parsed = line().try_get_matches_from(words);
        let said = parsed.err().map(|error| error.render().to_string());
        assert_eq!(said.map(|text| one_line(&text)).unwrap_or_default(), want);
    }

    #[test]
    fn wrong_usage_is_one_line_with_a_suggestion() {
        check(
            &["kaw", "produce", "t", "--timestmp", "5"],
            "unexpected argument '--timestmp' found; a similar argument exists: '--timestamp'",
        );
        check(
            &["kaw", "prodcue"],
            "unrecognized subcommand 'prodcue'; a similar subcommand exists: 'produce'",
        );
        check(
            &["kaw", "produce", "t", "-z", "gzp"],
            "invalid value 'gzp' for '--compression <CODEC>' \
             [possible values: none, gzip, snappy, lz4, zstd]; a similar value exists: 'gzip'",
        );
        check(
            &["kaw", "topic", "lsit"],
            "unrecognized subcommand 'lsit'; a similar subcommand exists: 'list'",
        );
        check(
            &["kaw", "topic", "list", "--colour", "never"],
            "unexpected argument '--colour' found; a similar argument exists: '--color'",
        );
        check(
            &["kaw", "produce", "t", "--key-delimter", ":"],
            "unexpected argument '--key-delimter' found; a similar argument exists: \
             '--key-delimiter'",
        );
        check(
            &["kaw", "topic"],
            "'kaw topic' requires a subcommand but one was not provided \
             [subcommands: create, list, describe, alter, delete, offsets, trim, help]",
        );
        check(
            &["kaw", "topic", "create", "t", "-p", "-5"],
            "invalid value '-5' for '--partitions <N>': -5 is not in 1..=2147483647",
        );
        check(
            &["kaw", "consume", "t", "-c", "-1"],
            "invalid value '-1' for '--count <N>': write a whole number",
        );
        check(
            &["kaw", "consume", "t", "--tail", "99999999999999999999"],
            "invalid value '99999999999999999999' for '--tail <N>': that is too large",
        );
        check(&["kaw", "topic", "rm"], "unrecognized subcommand 'rm'; see `kaw topic --help`");
        check(
            &["kaw", "consume", "t", "--from-beginning"],
            "unexpected argument '--from-beginning' found; see `kaw consume --help`",
        );
        check(
            &["kaw", "produce"],
            "the following required arguments were not provided: <TOPIC>; \
             see `kaw produce --help`",
        );
        check(
            &["kaw", "--connect-timeout", "soon"],
            "invalid value 'soon' for '--connect-timeout <TIME>': \
             'soon' is not a time; write 250ms, 10s, 5m or 2h",
        );
    }

    #[test]
    fn help_is_a_command_too() {
        let shown = |words: &[&str]| {
            let error = line().try_get_matches_from(words).expect_err("it is no run");
            assert!(!error.use_stderr(), "{error}");
            error.render().to_string()
        };
        for words in [&[][..], &["consume"], &["topic", "create"]] {
            let asked = [&["kaw", "help"], words].concat();
            assert_eq!(shown(&asked), shown(&[&["kaw"], words, &["--help"]].concat()));
        }
        assert_eq!(shown(&["kaw", "topic", "help"]), shown(&["kaw", "topic", "--help"]));
    }

    #[test]
    fn an_empty_variable_is_no_error() {
        check(&["kaw", "--config", "", "--data-dir", "", "topic", "list"], "");
    }

    #[test]
    fn errors_of_the_system_are_words() {
        let said = "cannot read a: Permission denied (os error 13); see b (os error 2)";
        assert_eq!(without_errno(said), "cannot read a: Permission denied; see b");
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        line().debug_assert();
    }

    #[test]
    fn what_kaw_alone_shows_can_be_typed() {
        let examples = START.lines().filter(|line| line.starts_with("  "));
        for line in examples.filter_map(|line| line.split("kaw ").nth(1)) {
            let typed = line.split("  ").next().unwrap_or_default();
            check(&["kaw"].into_iter().chain(typed.split(' ')).collect::<Vec<_>>(), "");
        }
    }
}
