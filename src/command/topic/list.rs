//! `kaw topic list`.

use regex::Regex;
use serde_json::json;

use super::{is_internal, replicas};
use crate::command::admin::{Connected, Log, compile, shown, size};
use crate::command::stdio::print;
use crate::command::table::{Column, Shape, Table};
use crate::command::{Exit, Usage};

/// List topics
#[derive(clap::Args, Debug)]
pub struct List {
    /// Only topics whose name matches
    #[arg(value_name = "REGEX")]
    pattern: Option<String>,
    /// Kafka's own topics too
    #[arg(long)]
    internal: bool,
    /// Partitions, replicas, records and bytes too
    #[arg(long)]
    detailed: bool,
    #[command(flatten)]
    shape: Shape,
}

impl List {
    pub fn pattern(&self) -> Result<Option<Regex>, Usage> {
        self.pattern.as_deref().map(compile).transpose()
    }

    pub fn run(&self, to: &Connected, pattern: Option<&Regex>) -> anyhow::Result<Exit> {
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
        let logs = to.logs(&topics)?;
        let columns = [
            Column::Text("TOPIC"),
            Column::Number("PARTITIONS"),
            Column::Number("REPLICAS"),
            Column::Number("RECORDS"),
            Column::Number("BYTES"),
        ];
        let mut table = Table::new(&columns);
        let mut lines = String::new();
        for topic in &topics {
            let (partitions, replicas) = (topic.partitions.len(), replicas(topic));
            let records: Option<i64> = logs[&topic.name].iter().map(Log::records).sum();
            let bytes: Option<u64> = logs[&topic.name].iter().map(|log| log.bytes).sum();
            if self.shape.json {
                let line = json!({
                    "topic": topic.name,
                    "partitions": partitions,
                    "replicas": replicas,
                    "records": records,
                    "bytes": bytes,
                    "internal": is_internal(&topic.name),
                });
                lines += &format!("{line}\n");
            }
            table.add(vec![
                topic.name.clone(),
                partitions.to_string(),
                replicas.to_string(),
                shown(records),
                size(bytes),
            ]);
        }
        self.shape.print(lines, [table])
    }
}
