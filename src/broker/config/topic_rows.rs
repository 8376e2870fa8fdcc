//! Kafka's topic configs, one row each, as of 4.3.
//! Never knows: which of them this broker honours.

use super::Kind::{Boolean, Double, Int, List, Long, Text};
use super::Rule::{Any, AtLeast, Between, GzipLevel, OneOf, Ratio, Replicas};
use super::{Kind, Row, Rule};

/// A topic config and the broker config that is its default; empty where there is none.
pub struct TopicRow {
    pub row: Row,
    server_default: &'static str,
}

/// A broker config that gives a topic config its default, in units of `factor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: &'static str,
    pub factor: i64,
}

impl TopicRow {
    /// The broker configs that decide the default, the strongest first (ServerTopicConfigSynonyms).
    pub fn synonyms(&self) -> Vec<Synonym> {
        let also: &[(&str, i64)] = match self.row.name {
            "retention.ms" => {
                &[("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)]
            }
            "segment.ms" => &[("log.roll.hours", 3_600_000)],
            "segment.jitter.ms" => &[("log.roll.jitter.hours", 3_600_000)],
            "flush.ms" => &[("log.flush.scheduler.interval.ms", 1)],
            _ => &[],
        };
        let first = (!self.server_default.is_empty()).then_some((self.server_default, 1));
        let all = first.into_iter().chain(also.iter().copied());
        all.map(|(name, factor)| Synonym { name, factor }).collect()
    }
}

/// The row of a name, if Kafka has it.
pub fn find(name: &str) -> Option<&'static TopicRow> {
    let at = TOPIC_ROWS.binary_search_by_key(&name, |row| row.row.name).ok()?;
    Some(&TOPIC_ROWS[at])
}

const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    rule: Rule,
    server_default: &'static str,
) -> TopicRow {
    TopicRow { row: Row { name, kind, default: Some(default), rule }, server_default }
}

/// Sorted by name.
pub static TOPIC_ROWS: &[TopicRow] = &[
    row("cleanup.policy", List, "delete", OneOf(&["compact", "delete"]), "log.cleanup.policy"),
    row("compression.gzip.level", Int, "-1", GzipLevel, "compression.gzip.level"),
    row("compression.lz4.level", Int, "9", Between(1, 17), "compression.lz4.level"),
    row(
        "compression.type",
        Text,
        "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "compression.type",
    ),
    row("compression.zstd.level", Int, "3", Between(-131072, 22), "compression.zstd.level"),
    row("delete.retention.ms", Long, "86400000", AtLeast(0), "log.cleaner.delete.retention.ms"),
    row("file.delete.delay.ms", Long, "60000", AtLeast(0), "log.segment.delete.delay.ms"),
    row("flush.messages", Long, "9223372036854775807", AtLeast(1), "log.flush.interval.messages"),
    row("flush.ms", Long, "9223372036854775807", AtLeast(0), "log.flush.interval.ms"),
    row("follower.replication.throttled.replicas", List, "", Replicas, ""),
    row("index.interval.bytes", Int, "4096", AtLeast(0), "log.index.interval.bytes"),
    row("leader.replication.throttled.replicas", List, "", Replicas, ""),
    row("local.retention.bytes", Long, "-2", AtLeast(-2), "log.local.retention.bytes"),
    row("local.retention.ms", Long, "-2", AtLeast(-2), "log.local.retention.ms"),
    row(
        "max.compaction.lag.ms",
        Long,
        "9223372036854775807",
        AtLeast(1),
        "log.cleaner.max.compaction.lag.ms",
    ),
    row("max.message.bytes", Int, "1048588", AtLeast(0), "message.max.bytes"),
    row(
        "message.timestamp.after.max.ms",
        Long,
        "3600000",
        AtLeast(0),
        "log.message.timestamp.after.max.ms",
    ),
    row(
        "message.timestamp.before.max.ms",
        Long,
        "9223372036854775807",
        AtLeast(0),
        "log.message.timestamp.before.max.ms",
    ),
    row(
        "message.timestamp.type",
        Text,
        "CreateTime",
        OneOf(&["CreateTime", "LogAppendTime"]),
        "log.message.timestamp.type",
    ),
    row("min.cleanable.dirty.ratio", Double, "0.5", Ratio, "log.cleaner.min.cleanable.ratio"),
    row("min.compaction.lag.ms", Long, "0", AtLeast(0), "log.cleaner.min.compaction.lag.ms"),
    row("min.insync.replicas", Int, "1", AtLeast(1), "min.insync.replicas"),
    row("preallocate", Boolean, "false", Any, "log.preallocate"),
    row("remote.log.copy.disable", Boolean, "false", Any, ""),
    row("remote.log.delete.on.disable", Boolean, "false", Any, ""),
    row("remote.storage.enable", Boolean, "false", Any, ""),
    row("retention.bytes", Long, "-1", Any, "log.retention.bytes"),
    row("retention.ms", Long, "604800000", AtLeast(-1), "log.retention.ms"),
    row("segment.bytes", Int, "1073741824", AtLeast(1048576), "log.segment.bytes"),
    row("segment.index.bytes", Int, "10485760", AtLeast(4), "log.index.size.max.bytes"),
    row("segment.jitter.ms", Long, "0", AtLeast(0), "log.roll.jitter.ms"),
    row("segment.ms", Long, "604800000", AtLeast(1), "log.roll.ms"),
    row("unclean.leader.election.enable", Boolean, "false", Any, "unclean.leader.election.enable"),
];
