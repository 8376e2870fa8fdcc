//! `kaw topic describe`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::is_internal;
use crate::client::Error;
use crate::client::admin::{Admin, ConfigInfo, ConfigSource, PartitionInfo, TopicInfo};
use crate::command::Exit;
use crate::command::admin::{Connected, Log, said, shown, size};
use crate::command::stdio::tell;
use crate::command::table::{Column, Shape, Table};
use crate::record::Offset;

/// Show partitions, and the settings that differ from the default
#[derive(clap::Args, Debug)]
pub struct Describe {
    /// Topics; all, where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All settings
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Describe {
    pub fn run(&self, to: &Connected) -> anyhow::Result<Exit> {
        let admin = &to.admin;
        let mut exit = Exit::Done;
        let mut topics = Vec::new();
        for name in &self.names {
            match admin.topic(name) {
                Ok(topic) => topics.push(topic),
                Err(error @ (Error::NoTopic { .. } | Error::Topic { .. })) => {
                    exit = match exit {
                        Exit::Done | Exit::Misused if error.is_usage() => Exit::Misused,
                        _ => Exit::Refused,
                    };
                    tell(&error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if self.names.is_empty() {
            topics = admin.topics()?;
            topics.retain(|topic| !is_internal(&topic.name));
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics.dedup_by(|a, b| a.name == b.name);
        if topics.is_empty() {
            return Ok(exit);
        }
        let logs = to.logs(&topics)?;
        let configs = self.configs(admin, &topics)?;
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
        Column::Number("BYTES"),
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
                size(log.bytes),
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
            "bytes": log.bytes,
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

fn joined(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
