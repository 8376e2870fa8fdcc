//! A topic's configs in force: its own, else the broker's for all topics, else Kafka's default.
//! Never knows: requests, files, the catalogue.

use std::collections::BTreeMap;

use super::topic_rows::{self, TOPIC_ROWS, TopicRow};
use super::{Kind, Settings, canonical, check, has_effect};
use crate::log::Compaction;
use crate::record::{INFLATED_BYTES_MAX, TimestampType};

/// Enough for Java's batches, whose `batch.size` (16 KiB) is of what they are expected to take
/// compressed: those pack a thousand to one before they are refused.
const INFLATED_BYTES_MIN: usize = 32 << 20;

/// What a topic sets itself, by name.
pub type TopicOverrides = BTreeMap<String, String>;

/// Where a value comes from (DescribeConfigsResponse.ConfigSource).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Topic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
}

impl Source {
    /// Those of a broker config, the strongest first.
    pub const OF_BROKERS: [Source; 4] = [
        Source::DynamicBroker,
        Source::DynamicDefaultBroker,
        Source::StaticBroker,
        Source::Default,
    ];

    pub fn code(self) -> i8 {
        match self {
            Source::Topic => 1,
            Source::DynamicBroker => 2,
            Source::DynamicDefaultBroker => 3,
            Source::StaticBroker => 4,
            Source::Default => 5,
        }
    }
}

/// A config that has a say in another's value, what it says, and where it comes from.
pub type Synonym = (&'static str, Option<String>, Source);

/// One config as DescribeConfigs shows it; a sensitive value is never told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub name: &'static str,
    pub value: Option<String>,
    pub source: Source,
    pub kind: Kind,
    pub read_only: bool,
    pub sensitive: bool,
    /// Everything that has a say, the strongest first.
    pub synonyms: Vec<Synonym>,
}

/// Checks configs a client wants for a topic. The error is Kafka's text for INVALID_CONFIG.
pub fn check_topic(overrides: &TopicOverrides) -> Result<(), String> {
    if let Some(name) = overrides.keys().find(|name| topic_rows::find(name).is_none()) {
        return Err(format!("Unknown topic config name: {name}"));
    }
    for (name, value) in overrides {
        let known = topic_rows::find(name).expect("every name was found");
        check(&known.row, value)?;
    }
    check_together(overrides)
}

/// What Kafka asks of several configs at once (LogConfig.java).
fn check_together(overrides: &TopicOverrides) -> Result<(), String> {
    let value = |name: &str| {
        let row = &topic_rows::find(name).expect("a config of Kafka's").row;
        let default = || row.default.unwrap_or_default().to_owned();
        overrides.get(name).map_or_else(default, |value| canonical(row, value))
    };
    if value("remote.storage.enable") == "true" {
        let why = "Tiered Storage functionality is disabled in the broker. Topic cannot be \
                   configured with remote log storage.";
        return Err(why.into());
    }
    let lags = ["min.compaction.lag.ms", "max.compaction.lag.ms"].map(value);
    let [min, max] = lags.each_ref().map(|lag| lag.parse::<i64>().unwrap_or_default());
    if max < min {
        return Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > \
             max.compaction.lag.ms ({max})"
        ));
    }
    Ok(())
}

/// Whether this broker acts on a topic config: where it does on the one that is its default.
pub fn topic_has_effect(name: &str) -> bool {
    let synonyms = topic_rows::find(name).map(TopicRow::synonyms).unwrap_or_default();
    synonyms.first().is_some_and(|synonym| has_effect(synonym.name))
}

/// Every topic config with its value, its source and what else had a say.
pub fn describe_topic(overrides: &TopicOverrides, settings: &Settings) -> Vec<Described> {
    TOPIC_ROWS.iter().map(|row| describe(row, overrides, settings)).collect()
}

fn describe(known: &TopicRow, overrides: &TopicOverrides, settings: &Settings) -> Described {
    let name = known.row.name;
    let own = overrides.get(name).map(|value| canonical(&known.row, value));
    let own = own.map(|value| (name, Some(value), Source::Topic));
    let of_broker = known.synonyms().first().map(|first| settings.synonyms(first.name));
    let synonyms: Vec<_> = own.into_iter().chain(of_broker.unwrap_or_default()).collect();
    let value = overrides.get(name).cloned().or_else(|| inherited(known, settings));
    let value = value.map(|value| canonical(&known.row, &value));
    let source = synonyms.first().map_or(Source::Default, |(.., source)| *source);
    let kind = known.row.kind;
    Described { name, value, source, kind, read_only: false, sensitive: false, synonyms }
}

/// What a topic has that sets nothing itself: the strongest of the broker's configs that say
/// something, else Kafka's default.
fn inherited(known: &TopicRow, settings: &Settings) -> Option<String> {
    let said = known.synonyms().into_iter().find_map(|synonym| {
        let layers = settings.layers(synonym.name);
        let (text, source) = layers.into_iter().next()?;
        (source != Source::Default).then(|| scaled(text, synonym.factor))
    });
    said.or_else(|| known.row.default.map(str::to_owned))
}

/// A broker config in other units. -1 means no limit in all of them.
fn scaled(text: &str, factor: i64) -> String {
    match text.parse::<i64>() {
        Ok(number) if factor != 1 && 0 < number => number.saturating_mul(factor).to_string(),
        _ => text.to_owned(),
    }
}

/// The configs that decide what happens to a record, as values.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    pub segment_bytes: u32,
    pub segment_ms: i64,
    pub segment_index_bytes: u32,
    pub index_interval_bytes: u32,
    pub retention_ms: Option<i64>,
    pub retention_bytes: Option<u64>,
    /// Whether retention removes segments (`cleanup.policy` has `delete`).
    pub delete: bool,
    /// `cleanup.policy` has `compact`: records must have keys, and only the last of each stays.
    pub compact: Option<Compaction>,
    pub batch_bytes_max: u32,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub min_insync_replicas: i64,
}

impl TopicConfig {
    /// Values that were checked before they were recorded; one that is not (another program's
    /// directory) counts as unset.
    pub fn resolve(overrides: &TopicOverrides, settings: &Settings) -> TopicConfig {
        let value = |name: &str| effective(name, overrides, settings);
        let number = |name: &str| value(name).parse::<i64>().unwrap_or_default();
        let bytes = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
        let policy = value("cleanup.policy");
        let has = |word: &str| policy.split(',').any(|item| item.trim() == word);
        let log_append = value("message.timestamp.type") == "LogAppendTime";
        let batch_bytes_max = bytes("max.message.bytes");
        let memory_bytes = settings.number("log.cleaner.dedupe.buffer.size");
        let compact = has("compact").then(|| Compaction {
            dirty_ratio_min: value("min.cleanable.dirty.ratio").parse().unwrap_or_default(),
            lag_ms_min: number("min.compaction.lag.ms"),
            lag_ms_max: number("max.compaction.lag.ms"),
            tombstones_ms: number("delete.retention.ms"),
            memory_bytes_max: usize::try_from(memory_bytes).unwrap_or_default(),
            inflated_bytes_max: inflated_bytes_max(batch_bytes_max),
        });
        TopicConfig {
            segment_bytes: bytes("segment.bytes"),
            // A record that is due for compaction must lie in a closed segment
            // (LogConfig.maxSegmentMs).
            segment_ms: compact
                .map_or(i64::MAX, |rules| rules.lag_ms_max)
                .min(number("segment.ms")),
            segment_index_bytes: bytes("segment.index.bytes"),
            index_interval_bytes: bytes("index.interval.bytes"),
            retention_ms: Some(number("retention.ms")).filter(|ms| 0 <= *ms),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            delete: has("delete"),
            compact,
            batch_bytes_max,
            timestamp_type: match log_append {
                true => TimestampType::LogAppendTime,
                false => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_insync_replicas: number("min.insync.replicas"),
        }
    }

    /// To what the records of a batch may decompress. Whoever compacts holds them all at once, so
    /// it goes by what a broker may take of memory rather than by how well data may pack.
    pub fn inflated_bytes_max(&self) -> usize {
        inflated_bytes_max(self.batch_bytes_max)
    }
}

fn inflated_bytes_max(batch_bytes_max: u32) -> usize {
    (batch_bytes_max as usize).saturating_mul(16).clamp(INFLATED_BYTES_MIN, INFLATED_BYTES_MAX)
}

/// The value in force. A recorded value that Kafka would refuse is passed over.
fn effective(name: &str, overrides: &TopicOverrides, settings: &Settings) -> String {
    let known = topic_rows::find(name).expect("a config of Kafka's");
    let valid = |value: &String| check(&known.row, value).is_ok();
    if let Some(own) = overrides.get(name).filter(|value| valid(value)) {
        return canonical(&known.row, own);
    }
    let described = describe(known, &TopicOverrides::new(), settings);
    let value = described.value.filter(valid);
    value.unwrap_or_else(|| known.row.default.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Settings::parse(&pairs).unwrap()
    }

    fn overrides(pairs: &[(&str, &str)]) -> TopicOverrides {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn retention_is_found_where_kafka_finds_it() {
        let none = TopicOverrides::new();
        let check = |own: &TopicOverrides, given: &[(&str, &str)], want: Option<i64>| {
            let config = TopicConfig::resolve(own, &settings(given));
            assert_eq!(config.retention_ms, want, "{own:?} {given:?}");
        };
        check(&none, &[], Some(604_800_000));
        check(&none, &[("log.retention.hours", "2")], Some(7_200_000));
        check(
            &none,
            &[("log.retention.hours", "2"), ("log.retention.minutes", "3")],
            Some(180_000),
        );
        check(&none, &[("log.retention.ms", "-1")], None);
        check(&overrides(&[("retention.ms", "5")]), &[("log.retention.ms", "-1")], Some(5));
    }

    #[test]
    fn a_topics_own_value_comes_first_and_all_else_is_a_synonym() {
        let own = overrides(&[("retention.ms", "5")]);
        let all = describe_topic(&own, &settings(&[("log.retention.hours", "2")]));
        let retention = all.iter().find(|config| config.name == "retention.ms").unwrap();
        assert_eq!(retention.value.as_deref(), Some("5"));
        assert_eq!(retention.source, Source::Topic);
        let names: Vec<_> = retention.synonyms.iter().map(|(name, ..)| *name).collect();
        // As Apache has it: log.retention.ms itself says nothing, so its family is not told.
        assert_eq!(names, ["retention.ms"]);
        let cleanup = all.iter().find(|config| config.name == "cleanup.policy").unwrap();
        let broker = ("log.cleanup.policy", Some("delete".to_owned()), Source::Default);
        assert_eq!(cleanup.synonyms, [broker]);
    }

    #[test]
    fn unknown_topic_configs_are_named() {
        let why = check_topic(&overrides(&[("retention", "5")])).unwrap_err();
        assert_eq!(why, "Unknown topic config name: retention");
    }
}
