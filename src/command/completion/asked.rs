//! What a person may want to type next that only a cluster or a folder knows. Silent on error.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use clap_complete::CompletionCandidate;

use super::super::cluster::{self, Settings, file};
use super::super::topic::is_internal;
use super::super::{Cli, Global};
use crate::broker::{broker_configs, topic_configs};
use crate::client::admin::{Admin, ConfigSource, Patience};
use crate::client::config::properties;

/// What there is to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Topics,
    /// Topics, or some of the partitions of one: `NAME:0,2`.
    Places,
    Groups,
    /// Of the topics that are typed already.
    Partitions,
    Profiles,
    /// Of librdkafka, with values.
    Properties,
    /// Configs of topics, with values.
    TopicConfigs,
    /// Configs of brokers, with values.
    BrokerConfigs,
    /// Names of configs that the typed topic has set.
    OwnConfigs,
}

use Question::{
    BrokerConfigs, Groups, OwnConfigs, Partitions, Places, Profiles, Properties, TopicConfigs,
    Topics,
};

/// Where each is asked: the command, its argument.
pub const QUESTIONS: &[(&[&str], &str, Question)] = &[
    (&[], "profile", Profiles),
    (&[], "set", Properties),
    (&["produce"], "topic", Topics),
    (&["produce"], "partition", Partitions),
    (&["consume"], "topics", Topics),
    (&["consume"], "partitions", Partitions),
    (&["consume"], "group", Groups),
    (&["topic", "create"], "configs", TopicConfigs),
    (&["topic", "list"], "pattern", Topics),
    (&["topic", "describe"], "names", Topics),
    (&["topic", "alter"], "name", Topics),
    (&["topic", "alter"], "configs", TopicConfigs),
    (&["topic", "alter"], "delete_config", OwnConfigs),
    (&["topic", "delete"], "names", Topics),
    (&["topic", "offsets"], "named", Places),
    (&["topic", "trim"], "named", Places),
    (&["group", "list"], "pattern", Groups),
    (&["group", "describe"], "names", Groups),
    (&["group", "reset"], "name", Groups),
    (&["group", "reset"], "topics", Places),
    (&["group", "delete"], "names", Groups),
    (&["backup"], "names", Topics),
    (&["restore"], "configs", TopicConfigs),
    (&["broker"], "settings", BrokerConfigs),
];

/// How long a broker may take, so that what else there is to say is still said in time.
const PATIENCE: Duration = Duration::from_millis(600);
/// More than anybody reads.
const CANDIDATES_MAX: usize = 10_000;
/// The file that a built-in broker leaves in its data directory.
const TRACE: &str = "door.json";

/// The answers that go on from what is `typed` of the word, given the words `before` it.
pub fn ask(question: Question, before: &[OsString], typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let found = match question {
        Profiles => file::profiles().into_iter().map(|(name, _)| name).collect(),
        Properties => {
            let texts = properties().iter().filter(|property| property.is_text);
            pairs(typed, texts.map(|property| (property.name.as_str(), property.words.as_slice())))
        }
        TopicConfigs => pairs(typed, topic_configs().iter().map(|it| (it.name, it.words))),
        BrokerConfigs => pairs(typed, broker_configs().iter().map(|it| (it.name, it.words))),
        Topics | Places | Groups | Partitions | OwnConfigs => {
            of_cluster(question, before, typed).unwrap_or_default()
        }
    };
    let found = found.into_iter().filter(|answer| answer.starts_with(typed));
    found.take(CANDIDATES_MAX).map(CompletionCandidate::new).collect()
}

/// Names to set, and after the sign the values of one, where they are words.
fn pairs<'a, W: AsRef<str> + 'a>(
    typed: &str,
    known: impl Iterator<Item = (&'a str, &'a [W])>,
) -> Vec<String> {
    let Some((name, _)) = typed.split_once('=') else {
        return known.map(|(name, _)| format!("{name}=")).collect();
    };
    let words = known.filter(|(known, _)| *known == name).flat_map(|(_, words)| words);
    words.map(|word| format!("{name}={}", word.as_ref())).collect()
}

fn of_cluster(question: Question, before: &[OsString], typed: &str) -> Option<Vec<String>> {
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(before).ok()?;
    let global = Global::from_arg_matches(&matches).ok()?;
    let global = Global { connect_timeout: global.connect_timeout.min(PATIENCE), ..global };
    if !is_there(&global)? {
        return None;
    }
    let cluster = cluster::connect(&global).ok()?;
    let patience = Patience { max: global.connect_timeout, tell: |_| {} };
    let admin = Admin::open(&cluster.config, patience).ok()?;
    let count = |topic: &String| Some(admin.topic(topic).ok()?.partitions.len());
    Some(match (question, typed.split_once(':')) {
        (Groups, _) => admin.groups().ok()?.0.into_iter().map(|group| group.id).collect(),
        (Partitions, _) => {
            let count = typed_topics(&matches).iter().filter_map(count).max()?;
            (0..count).map(|number| number.to_string()).collect()
        }
        (Places, Some((topic, list))) => {
            // After a comma one more.
            let listed = list.rfind(',').map_or("", |comma| &list[..=comma]);
            let count = count(&topic.to_owned())?;
            (0..count).map(|number| format!("{topic}:{listed}{number}")).collect()
        }
        (OwnConfigs, _) => {
            let answers = admin.configs(&typed_topics(&matches)).ok()?;
            let configs = answers.into_iter().filter_map(|(_, answer)| answer.ok()).flatten();
            let own = configs.filter(|config| config.source == ConfigSource::Topic);
            own.map(|config| config.name).collect()
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
    let named = ["topic", "topics", "name"].into_iter();
    let values = named.filter_map(|id| innermost.try_get_raw(id).ok().flatten()).flatten();
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}
