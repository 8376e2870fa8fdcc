//! What a person may want to type next that only a cluster or a folder knows. Silent on error.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use clap_complete::CompletionCandidate;

use super::super::cluster::{self, Settings, file};
use super::super::topic::is_internal;
use super::super::{Cli, Global};
use crate::client::admin::{Admin, Patience};
use crate::client::config::properties;

/// What there is to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Topics,
    Groups,
    /// Of the topics that are typed already.
    Partitions,
    Profiles,
    Properties,
}

use Question::{Groups, Partitions, Profiles, Properties, Topics};

/// Where each is asked: the command, its argument.
pub const QUESTIONS: &[(&[&str], &str, Question)] = &[
    (&[], "profile", Profiles),
    (&[], "set", Properties),
    (&["produce"], "topic", Topics),
    (&["produce"], "partition", Partitions),
    (&["consume"], "topics", Topics),
    (&["consume"], "partitions", Partitions),
    (&["consume"], "group", Groups),
    (&["topic", "list"], "pattern", Topics),
    (&["topic", "describe"], "names", Topics),
    (&["topic", "alter"], "name", Topics),
    (&["topic", "delete"], "names", Topics),
    (&["topic", "offsets"], "named", Topics),
    (&["topic", "trim"], "named", Topics),
    (&["group", "list"], "pattern", Groups),
    (&["group", "describe"], "names", Groups),
    (&["group", "reset"], "name", Groups),
    (&["group", "reset"], "topics", Topics),
    (&["group", "delete"], "names", Groups),
];

/// How long a broker may take, so that what else there is to say is still said in time.
const PATIENCE: Duration = Duration::from_millis(600);
/// More than anybody reads.
const CANDIDATES_MAX: usize = 10_000;
/// The file that a built-in broker leaves in its data directory.
const TRACE: &str = "door.json";

/// The answers, given what was typed before.
pub fn ask(question: Question, before: &[OsString]) -> Vec<CompletionCandidate> {
    let found = match question {
        Profiles => file::profiles().into_iter().map(|(name, _)| name).collect(),
        Properties => {
            properties().iter().filter(|it| it.is_text).map(|it| it.name.clone() + "=").collect()
        }
        Topics | Groups | Partitions => of_cluster(question, before).unwrap_or_default(),
    };
    found.into_iter().take(CANDIDATES_MAX).map(CompletionCandidate::new).collect()
}

fn of_cluster(question: Question, before: &[OsString]) -> Option<Vec<String>> {
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(before).ok()?;
    let global = Global::from_arg_matches(&matches).ok()?;
    let global = Global { connect_timeout: global.connect_timeout.min(PATIENCE), ..global };
    if !is_there(&global)? {
        return None;
    }
    let cluster = cluster::connect(&global).ok()?;
    let patience = Patience { max: global.connect_timeout, tell: |_| {} };
    let admin = Admin::open(&cluster.config, patience).ok()?;
    Some(match question {
        Groups => admin.groups().ok()?.0.into_iter().map(|group| group.id).collect(),
        Partitions => {
            let topics = typed_topics(&matches).into_iter();
            let counts =
                topics.filter_map(|topic| Some(admin.topic(&topic).ok()?.partitions.len()));
            (0..counts.max()?).map(|number| number.to_string()).collect()
        }
        _ => {
            let names = admin.topics().ok()?.into_iter().map(|topic| topic.name);
            names.filter(|name| !is_internal(name)).collect()
        }
    })
}

/// Nobody who presses a key wants a broker that holds nothing; one whose data is there starts, or
/// goes on, in a fraction of the time that there is.
fn is_there(global: &Global) -> Option<bool> {
    let settings = Settings::gather(global).ok()?;
    let is_elsewhere = !settings.config().ok()?.brokers().is_empty();
    Some(is_elsewhere || cluster::place(global).ok()?.data_dir.join(TRACE).is_file())
}

/// Topics among what was typed, of whichever command.
fn typed_topics(matches: &ArgMatches) -> Vec<String> {
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    let named = ["topic", "topics"].into_iter();
    let values = named.filter_map(|id| innermost.try_get_raw(id).ok().flatten()).flatten();
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}
