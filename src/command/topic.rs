//! `kaw topic`: the topics of a cluster.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Value, json};

use super::stdio::{print, tell};
use super::table::{Column, Look, Table};
use super::{Exit, Global, Usage, cluster};
use crate::client::admin::{
    Admin, ConfigInfo, ConfigSource, Edge, NewTopic, PartitionInfo, Patience, Place, Refusal, Run,
    TopicAnswer, TopicInfo,
};
use crate::client::{Code, Error};
use crate::record::{Offset, PartitionId};

/// Create, list, describe and delete topics
#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Create(Create),
    List(List),
    Describe(Describe),
    Delete(Delete),
}

/// Create topics; what is not given is left to the broker
#[derive(clap::Args, Debug)]
struct Create {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// How many partitions
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    #[arg(allow_negative_numbers = true)]
    partitions: Option<i32>,
    /// On how many brokers each partition is
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    #[arg(allow_negative_numbers = true)]
    replicas: Option<i32>,
    /// A setting, such as retention.ms=3600000
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    configs: Vec<String>,
    /// A topic that is there already is no error
    #[arg(long)]
    if_not_exists: bool,
    /// Only ask whether it could be done
    #[arg(long)]
    dry_run: bool,
}

/// List topics
#[derive(clap::Args, Debug)]
struct List {
    /// Only topics whose name matches
    #[arg(value_name = "REGEX")]
    pattern: Option<String>,
    /// Kafka's own topics too
    #[arg(long)]
    internal: bool,
    /// Partitions, replicas and records too
    #[arg(long)]
    detailed: bool,
    #[command(flatten)]
    shape: Shape,
}

/// Show partitions, and the settings that differ from the default
#[derive(clap::Args, Debug)]
struct Describe {
    /// Topics; all, where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All settings
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    shape: Shape,
}

/// Delete topics and all their records
#[derive(clap::Args, Debug)]
struct Delete {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// A topic that is not there is no error
    #[arg(long)]
    if_exists: bool,
}

/// What the output looks like.
#[derive(clap::Args, Debug)]
struct Shape {
    /// Print JSON, one object a line
    #[arg(short = 'J', long)]
    json: bool,
    /// Print tables without headings
    #[arg(long)]
    no_headers: bool,
}

/// Topics that brokers make for themselves (Topic.java, and the catalogue).
const INTERNAL: [&str; 4] =
    ["__cluster_metadata", "__consumer_offsets", "__share_group_state", "__transaction_state"];

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Create(create) => {
            let topics = create.topics()?;
            create.run(&admin(global)?, &topics)
        }
        Command::List(list) => {
            let pattern = list.pattern()?;
            list.run(&admin(global)?, pattern.as_ref())
        }
        Command::Describe(describe) => describe.run(&admin(global)?),
        Command::Delete(delete) => delete.run(&admin(global)?),
    }
}

/// A client, and what must live as long as it does.
struct Connected {
    admin: Admin,
    _cluster: cluster::Cluster,
}

fn admin(global: &Global) -> anyhow::Result<Connected> {
    let cluster = cluster::connect(global)?;
    let tell = if global.quiet { |_: &str| {} } else { tell };
    let patience = Patience { max: cluster.connect_timeout, tell };
    Ok(Connected { admin: Admin::open(&cluster.config, patience)?, _cluster: cluster })
}

impl Create {
    fn topics(&self) -> anyhow::Result<Vec<NewTopic>> {
        let pair = |pair: &String| match pair.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(Usage(format!("-c {pair}: write KEY=VALUE"))),
        };
        let configs = self.configs.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let topic = |name: &String| NewTopic {
            name: name.clone(),
            partitions: self.partitions,
            replicas: self.replicas,
            configs: configs.clone(),
        };
        Ok(self.names.iter().map(topic).collect())
    }

    fn run(&self, to: &Connected, topics: &[NewTopic]) -> anyhow::Result<Exit> {
        let run = if self.dry_run { Run::Dry } else { Run::Real };
        let done = if self.dry_run { "can be created" } else { "created" };
        let answers = to.admin.create(topics, run)?;
        report(&answers, |name, answer| match answer {
            Ok(()) => Ok(format!("{name} {done}")),
            Err(refusal) if refusal.code == Code::TOPIC_ALREADY_EXISTS => {
                match self.if_not_exists {
                    true => Ok(format!("{name} exists")),
                    false => {
                        Err(format!("topic '{name}' exists already; --if-not-exists allows that"))
                    }
                }
            }
            Err(refusal) => Err(format!("cannot create '{name}': {}", said(refusal))),
        })
    }
}

impl Delete {
    fn run(&self, to: &Connected) -> anyhow::Result<Exit> {
        let answers = to.admin.delete(&self.names)?;
        report(&answers, |name, answer| match answer {
            Ok(()) => Ok(format!("{name} deleted")),
            Err(refusal) if refusal.code == Code::UNKNOWN_TOPIC_OR_PART => match self.if_exists {
                true => Ok(format!("{name} does not exist")),
                false => Err(format!("topic '{name}' does not exist; --if-exists allows that")),
            },
            Err(refusal) => Err(format!("cannot delete '{name}': {}", said(refusal))),
        })
    }
}

/// Prints what was done, and on stderr what was not.
fn report(
    answers: &[TopicAnswer<()>],
    line: impl Fn(&str, &Result<(), Refusal>) -> Result<String, String>,
) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut done = String::new();
    for (name, answer) in answers {
        match line(name, answer) {
            Ok(line) => done += &(line + "\n"),
            Err(why) => {
                exit = Exit::Refused;
                tell(&why);
            }
        }
    }
    print(&done)?;
    Ok(exit)
}

/// The broker's own words where it has any; they end with a full stop, ours do not.
fn said(refusal: &Refusal) -> String {
    let code = refusal.code.to_string();
    let text = if refusal.text.is_empty() { &code } else { &refusal.text };
    text.trim_end_matches(['.', ' ', '\n']).replace('\n', " ")
}

impl List {
    fn pattern(&self) -> anyhow::Result<Option<Regex>> {
        let Some(pattern) = &self.pattern else { return Ok(None) };
        let wrong = |error: regex::Error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Usage(format!("'{pattern}' is not a regular expression: {last}"))
        };
        Ok(Some(Regex::new(pattern).map_err(wrong)?))
    }

    fn run(&self, to: &Connected, pattern: Option<&Regex>) -> anyhow::Result<Exit> {
        let mut topics = to.admin.topics()?;
        topics.retain(|topic| {
            (self.internal || !is_internal(&topic.name))
                && pattern.is_none_or(|pattern| pattern.is_match(&topic.name))
        });
        if !self.detailed && !self.shape.json {
            return print(
                &topics.iter().map(|topic| format!("{}\n", topic.name)).collect::<String>(),
            );
        }
        let logs = logs(&to.admin, &topics)?;
        let columns = [
            Column::Text("TOPIC"),
            Column::Number("PARTITIONS"),
            Column::Number("REPLICAS"),
            Column::Number("RECORDS"),
        ];
        let mut table = Table::new(&columns);
        let mut lines = String::new();
        for topic in &topics {
            let (partitions, replicas) = (topic.partitions.len(), replicas(topic));
            let records: Option<i64> = logs[&topic.name].iter().map(Log::records).sum();
            if self.shape.json {
                let line = json!({
                    "topic": topic.name,
                    "partitions": partitions,
                    "replicas": replicas,
                    "records": records,
                    "internal": is_internal(&topic.name),
                });
                lines += &format!("{line}\n");
            }
            table.add(vec![
                topic.name.clone(),
                partitions.to_string(),
                replicas.to_string(),
                shown(records),
            ]);
        }
        self.shape.print(lines, [table])
    }
}

impl Describe {
    fn run(&self, to: &Connected) -> anyhow::Result<Exit> {
        let mut exit = Exit::Done;
        let mut topics = Vec::new();
        for name in &self.names {
            match to.admin.topic(name) {
                Ok(topic) => topics.push(topic),
                Err(error @ (Error::NoTopic { .. } | Error::Topic { .. })) => {
                    exit = Exit::Refused;
                    tell(&error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if self.names.is_empty() {
            topics = to.admin.topics()?;
            topics.retain(|topic| !is_internal(&topic.name));
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics.dedup_by(|a, b| a.name == b.name);
        if topics.is_empty() {
            return Ok(exit);
        }
        let logs = logs(&to.admin, &topics)?;
        let configs = self.configs(&to.admin, &topics)?;
        let lines = match self.shape.json {
            true => {
                topics.iter().map(|t| described(t, &logs[&t.name], &configs[&t.name])).collect()
            }
            false => String::new(),
        };
        let tables = [partitions(&topics, &logs), settings(&topics, &configs)];
        self.shape.print(lines, tables)?;
        Ok(exit)
    }

    fn configs(
        &self,
        admin: &Admin,
        topics: &[TopicInfo],
    ) -> anyhow::Result<HashMap<String, Vec<ConfigInfo>>> {
        let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
        let mut found = HashMap::new();
        for (name, answer) in admin.configs(&names)? {
            let mut configs = answer.map_err(|refusal| Error::Said {
                what: format!("settings of '{name}'"),
                why: said(&refusal),
            })?;
            configs.retain(|config| self.all || is_changed(config));
            found.insert(name, configs);
        }
        Ok(found)
    }
}

impl Shape {
    /// Prints the lines where JSON is wanted, else the tables that have rows, a blank line between.
    fn print<const N: usize>(&self, lines: String, tables: [Table; N]) -> anyhow::Result<Exit> {
        if self.json {
            return print(&lines);
        }
        let look = Look::of_stdout();
        let tables = tables.into_iter().enumerate();
        let shown = tables.filter(|(index, table)| *index == 0 || !table.is_empty());
        let shown: Vec<_> = shown.map(|(_, table)| table.print(look, !self.no_headers)).collect();
        print(&shown.join("\n"))
    }
}

/// Where a partition's log begins and ends, as far as its leader says.
#[derive(Clone, Copy, Default)]
struct Log {
    start: Option<Offset>,
    end: Place,
}

impl Log {
    /// How many offsets there are; compaction and transactions leave fewer records.
    fn records(&self) -> Option<i64> {
        Some(self.end.offset?.get() - self.start?.get())
    }
}

/// The logs of topics, in the order of their partitions.
fn logs(admin: &Admin, topics: &[TopicInfo]) -> anyhow::Result<HashMap<String, Vec<Log>>> {
    let all = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)));
    // A partition without a leader has nobody to ask.
    let led = all.filter(|(_, partition)| partition.leader.is_some());
    let led: Vec<_> = led.map(|(topic, partition)| (topic.name.as_str(), partition.id)).collect();
    let at = |edge| led.iter().map(|&(topic, id)| (topic, id, edge)).collect::<Vec<_>>();
    let [starts, ends] = admin.places([&at(Edge::Start), &at(Edge::End)])?;
    let answers = led.iter().zip(starts.iter().zip(ends));
    let answers: HashMap<(&str, PartitionId), Log> =
        answers.map(|(&of, (start, end))| (of, Log { start: start.offset, end })).collect();
    let log = |topic: &TopicInfo, id| answers.get(&(topic.name.as_str(), id)).copied();
    let of = |topic: &TopicInfo| {
        topic.partitions.iter().map(|p| log(topic, p.id).unwrap_or_default()).collect()
    };
    Ok(topics.iter().map(|topic| (topic.name.clone(), of(topic))).collect())
}

fn partitions(topics: &[TopicInfo], logs: &HashMap<String, Vec<Log>>) -> Table {
    let mut table = Table::new(&[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("LEADER"),
        Column::Number("EPOCH"),
        Column::Text("REPLICAS"),
        Column::Text("ISR"),
        Column::Number("START"),
        Column::Number("END"),
        Column::Number("RECORDS"),
    ]);
    for topic in topics {
        for (partition, log) in topic.partitions.iter().zip(&logs[&topic.name]) {
            table.add(vec![
                topic.name.clone(),
                partition.id.to_string(),
                shown(partition.leader),
                shown(log.end.leader_epoch),
                joined(&partition.replicas),
                joined(&partition.isr),
                shown(log.start),
                shown(log.end.offset),
                shown(log.records()),
            ]);
        }
    }
    table
}

fn settings(topics: &[TopicInfo], configs: &HashMap<String, Vec<ConfigInfo>>) -> Table {
    // The value comes last: it alone may have blanks.
    let mut table = Table::new(&[
        Column::Text("TOPIC"),
        Column::Text("CONFIG"),
        Column::Text("SOURCE"),
        Column::Text("VALUE"),
    ]);
    for topic in topics {
        for config in &configs[&topic.name] {
            table.add(vec![
                topic.name.clone(),
                config.name.clone(),
                source(config.source).to_owned(),
                config.value.clone().unwrap_or_default(),
            ]);
        }
    }
    table
}

fn described(topic: &TopicInfo, logs: &[Log], configs: &[ConfigInfo]) -> String {
    let partition = |(partition, log): (&PartitionInfo, &Log)| {
        json!({
            "partition": partition.id.get(),
            "leader": partition.leader,
            "epoch": log.end.leader_epoch.map(|epoch| epoch.get()),
            "replicas": partition.replicas,
            "isr": partition.isr,
            "start": log.start.map(Offset::get),
            "end": log.end.offset.map(Offset::get),
            "records": log.records(),
        })
    };
    let config = |config: &ConfigInfo| {
        json!({
            "name": config.name,
            "value": config.value,
            "source": source(config.source),
        })
    };
    let line = json!({
        "topic": topic.name,
        "internal": is_internal(&topic.name),
        "partitions": topic.partitions.iter().zip(logs).map(partition).collect::<Vec<Value>>(),
        "configs": configs.iter().map(config).collect::<Vec<Value>>(),
    });
    format!("{line}\n")
}

/// Who set a setting, in one word.
fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "topic",
        ConfigSource::DynamicBroker => "broker",
        ConfigSource::DynamicDefaultBroker => "brokers",
        ConfigSource::StaticBroker => "broker-file",
        ConfigSource::Default => "default",
        ConfigSource::Unknown => "unknown",
    }
}

/// Whether somebody wanted it otherwise: for this topic, or for all.
fn is_changed(config: &ConfigInfo) -> bool {
    match config.source {
        ConfigSource::Topic => true,
        ConfigSource::Default => false,
        _ => config.value.is_none() || config.value != config.default,
    }
}

fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// On how many brokers the topic's partitions are; the first speaks for all.
fn replicas(topic: &TopicInfo) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
