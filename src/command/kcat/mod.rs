//! `kaw kcat …`, and the names `kcat` and `kafkacat`: kcat 1.7.1's command line, stdout and exit
//! codes, on the same librdkafka calls; without `-b`, the built-in broker.
//! Never knows: kaw's own options and defaults; kcat's and librdkafka's hold here.
//!
//! What kcat's users may rely on is the same, quirks too. What crashes kcat does not crash here.

mod brokers;
mod consume;
mod group;
mod list;
mod mock;
mod options;
mod out;
mod produce;
mod query;
mod say;
mod trouble;
mod usage;

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use super::interrupt::Interrupt;
use super::{Exit, Usage};
use crate::client::Code;
use crate::client::bare::{Native, Settings, TopicSettings};
use options::{Mode, Options};
use say::{Ended, fatal, raw};
use std::sync::Arc;

/// kcat's words, beside kaw's own options.
#[derive(clap::Args)]
#[command(
    disable_help_flag = true,
    about = "Do as kcat 1.7.1 does: its options, its output, its exit codes",
    after_help = "`kaw kcat -h` has all of kcat's options. Linked as `kcat` or `kafkacat`, kaw is \
                  kcat at once.\n\n`kaw kcat -M 3` is a cluster of three brokers for as long as \
                  its stdin is open, and prints BROKERS=HOST:PORT,…"
)]
pub struct Args {
    /// What kcat takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "KCAT-OPTIONS")]
    pub words: Vec<OsString>,
}

/// Runs as kcat where the program was called so, or where its first word says so.
pub fn main() -> Option<ExitCode> {
    let mut words = env::args_os();
    let argv0 = words.next()?;
    let is_kcat = |name: &OsString| name == "kcat" || name == "kafkacat";
    let called = Path::new(&argv0).file_name().map(ToOwned::to_owned);
    let argv0 = match called {
        Some(name) if is_kcat(&name) => argv0.to_string_lossy().into_owned(),
        _ if words.next().is_some_and(|word| word == "kcat") => "kcat".to_owned(),
        _ => return None,
    };
    let words: Vec<Vec<u8>> = words.map(OsStringExt::into_vec).collect();
    Some(ExitCode::from(run(&argv0, &words)))
}

/// kaw's own options came before its first word, and kcat knows none of them.
pub fn refuse(args: Args) -> anyhow::Result<Exit> {
    let words: Vec<_> = args.words.iter().map(|word| word.to_string_lossy()).collect();
    let why =
        format!("`kaw kcat` takes kcat's options alone: write `kaw kcat {}`", words.join(" "));
    Err(Usage(why).into())
}

fn run(argv0: &str, words: &[Vec<u8>]) -> u8 {
    let result = options::parse(argv0, words).and_then(|(options, settings)| match options.mode {
        Mode::Consume => consume::run(&options, settings),
        Mode::Group => group::run(&options, settings),
        Mode::List => list::run(&options, settings),
        Mode::Mock(nodes) => mock::run(&options, nodes),
        Mode::Produce => produce::run(&options, settings),
        Mode::Query => query::run(&options, settings),
    });
    match result {
        Ok(code) | Err(Ended::With(code)) => code,
        Err(Ended::Fatal(why)) => {
            raw(&format!("% ERROR: {why}\n"));
            1
        }
    }
}

/// Starts the client of a mode.
fn start(options: &Options, settings: Settings) -> Result<(Arc<Native>, TopicSettings), Ended> {
    let kind = options.mode.kind();
    let name = if options.mode.reads() { "consumer" } else { "producer" };
    let started = match options.mode {
        Mode::Group => settings.start_group(kind),
        _ => settings.start(kind),
    };
    let (native, topics) =
        started.or_else(|why| fatal(format!("Failed to create {name}: {why}")))?;
    match (options.debug, options.mode) {
        (true, Mode::Group) => native.log_all(),
        (false, _) if options.say.verbosity == 0 => native.log_nothing(),
        _ => {}
    }
    Ok((native, topics))
}

fn no_topic<T>(name: &str, code: Code) -> Result<T, Ended> {
    fatal(format!("Failed to create topic {name}: {code}"))
}

fn interrupt() -> Result<Interrupt, Ended> {
    Interrupt::watch_for_another().or_else(|error| fatal(format!("{error:#}")))
}

/// The system's words, as `strerror` has them.
fn system_says(error: &io::Error) -> String {
    super::without_errno(&error.to_string())
}
