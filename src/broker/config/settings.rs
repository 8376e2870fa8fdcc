//! The broker configs in force: what was given at start and recorded in the catalogue.
//! Never knows: requests, topics.

use std::collections::BTreeMap;
use std::fmt;

use super::broker_rows::{self, BROKER_ROWS};
use super::topic_config::Synonym;
use super::{Described, Kind, Mode, Row, Source, canonical, check};

/// Why a `-c K=V` was refused: what, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError(String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Configs of Kafka's that this broker acts on; any other is accepted and has no effect.
const HONOURED: &[&str] = &[
    "auto.create.topics.enable",
    "connections.max.idle.ms",
    "default.replication.factor",
    "delete.topic.enable",
    "fetch.max.bytes",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.max.size",
    "group.min.session.timeout.ms",
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.enable",
    "log.cleaner.io.max.bytes.per.second",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleanup.policy",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.roll.hours",
    "log.roll.ms",
    "log.segment.bytes",
    "max.connections",
    "max.incremental.fetch.session.cache.slots",
    "message.max.bytes",
    "min.insync.replicas",
    "num.partitions",
    "offset.metadata.max.bytes",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "offsets.topic.num.partitions",
    "offsets.topic.segment.bytes",
    "producer.id.expiration.ms",
    "sasl.server.max.receive.size",
    "socket.request.max.bytes",
];

/// Whether this broker acts on a broker config.
pub fn has_effect(name: &str) -> bool {
    HONOURED.binary_search(&name).is_ok()
}

/// What other options of `kaw broker` say; both at once could only disagree.
const SAID_ELSEWHERE: &[(&str, &str)] = &[
    ("advertised.listeners", "use --advertise"),
    ("broker.id", "it is in meta.properties"),
    ("listeners", "use --listen"),
    ("log.dir", "use --data-dir"),
    ("log.dirs", "use --data-dir"),
    ("node.id", "it is in meta.properties"),
    ("process.roles", "it is always broker and controller"),
];

/// Configs by name.
pub type Overrides = BTreeMap<String, String>;

/// Where a broker config can come from, beside its default.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// As given at start.
    fixed: Overrides,
    /// From the catalogue: for this broker, and for all of them.
    broker: Overrides,
    cluster: Overrides,
}

impl Settings {
    /// Checks names and values as Kafka would; later wins.
    pub fn parse(pairs: &[(String, String)]) -> Result<Settings, SettingsError> {
        let mut fixed = Overrides::new();
        for (name, value) in pairs {
            if let Some((_, instead)) = SAID_ELSEWHERE.iter().find(|(key, _)| key == name) {
                return Err(SettingsError(format!("{name} cannot be set with -c; {instead}")));
            }
            let Some(known) = broker_rows::find(name) else {
                let hint = closest(name).map(|name| format!("; did you mean {name}?"));
                let hint = hint.unwrap_or_default();
                return Err(SettingsError(format!("Kafka has no broker config '{name}'{hint}")));
            };
            check(&known.row, value).map_err(SettingsError)?;
            fixed.insert(name.clone(), value.clone());
        }
        Ok(Settings { fixed, ..Settings::default() })
    }

    /// Adds what the directory says of itself, so that DescribeConfigs shows it.
    pub fn insert(&mut self, name: &'static str, value: String) {
        debug_assert!(broker_rows::find(name).is_some());
        self.fixed.insert(name.into(), value);
    }

    /// Adds what is so here unless somebody says otherwise.
    pub fn insert_if_unset(&mut self, name: &'static str, value: &str) {
        debug_assert!(broker_rows::find(name).is_some());
        self.fixed.entry(name.into()).or_insert_with(|| value.to_owned());
    }

    /// Takes the catalogue's own broker configs into account. What Kafka would not let anybody
    /// change, or not to this, is passed over, as Apache does.
    pub fn with_dynamic(mut self, broker: Overrides, cluster: Overrides) -> Settings {
        let is_good = |name: &String, value: &mut String| {
            let known = broker_rows::find(name).filter(|known| known.mode != Mode::ReadOnly);
            known.is_some_and(|known| check(&known.row, value).is_ok())
        };
        self.broker = broker;
        self.cluster = cluster;
        self.broker.retain(is_good);
        self.cluster.retain(is_good);
        self
    }

    /// Configs that were given at start and do nothing here.
    pub fn without_effect(&self) -> impl Iterator<Item = &str> {
        let names = self.fixed.keys().map(String::as_str);
        names.filter(|name| !has_effect(name) && !SAID_ELSEWHERE.iter().any(|(key, _)| key == name))
    }

    /// Every value a config has, the strongest first.
    pub fn layers(&self, name: &str) -> Vec<(&str, Source)> {
        let row = broker_rows::find(name).map(|row| row.row);
        let layers = [
            (self.broker.get(name).map(String::as_str), Source::DynamicBroker),
            (self.cluster.get(name).map(String::as_str), Source::DynamicDefaultBroker),
            (self.fixed.get(name).map(String::as_str), Source::StaticBroker),
            (row.and_then(|row| row.default), Source::Default),
        ];
        layers.into_iter().filter_map(|(value, source)| Some((value?, source))).collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.layers(name).first().map(|(value, _)| *value)
    }

    /// A number that has a default.
    pub fn number(&self, name: &str) -> i64 {
        let value = self.get(name).and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is a number with a default"))
    }

    pub fn boolean(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// What the catalogue sets for all brokers.
    pub fn describe_cluster(&self) -> Vec<Described> {
        let set = BROKER_ROWS.iter().filter_map(|known| {
            let value = Some(canonical(&known.row, self.cluster.get(known.row.name)?));
            let synonyms = vec![(known.row.name, value, Source::DynamicDefaultBroker)];
            Some(described(&known.row, synonyms, false))
        });
        set.collect()
    }

    /// Every broker config, as DescribeConfigs shows them.
    pub fn describe(&self) -> Vec<Described> {
        let described = BROKER_ROWS.iter().map(|known| {
            let synonyms = self.synonyms(known.row.name);
            described(&known.row, synonyms, known.mode == Mode::ReadOnly)
        });
        described.collect()
    }

    /// Everything that has a say in a config, the strongest first. Where the config itself has
    /// none, its synonyms are not told either (KafkaApis' ConfigHelper.configSynonyms).
    pub fn synonyms(&self, name: &'static str) -> Vec<Synonym> {
        let names: &[&'static str] = FAMILIES
            .iter()
            .find(|family| family.contains(&name))
            .map_or(std::slice::from_ref(&name), |family| family);
        let mut all = Vec::new();
        for source in Source::OF_BROKERS {
            for name in names {
                let value = self.layers(name).into_iter().find(|(_, from)| *from == source);
                let row = broker_rows::find(name).map(|known| &known.row);
                let value = value.map(|(value, _)| match row {
                    Some(row) => canonical(row, value),
                    None => value.to_owned(),
                });
                all.extend(value.map(|value| (*name, Some(value), source)));
            }
        }
        all.into_iter().skip_while(|(first, ..)| *first != name).collect()
    }
}

/// Configs that stand in for one another, the strongest first.
const FAMILIES: &[&[&str]] = &[
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.roll.ms", "log.roll.hours"],
];

fn described(row: &Row, synonyms: Vec<Synonym>, read_only: bool) -> Described {
    let sensitive = row.kind == Kind::Password;
    let hidden = |value: Option<String>| value.filter(|_| !sensitive);
    let own = synonyms.iter().find(|(name, ..)| *name == row.name);
    Described {
        name: row.name,
        value: own.and_then(|(_, value, _)| hidden(value.clone())),
        source: synonyms.first().map_or(Source::Default, |(.., source)| *source),
        kind: row.kind,
        read_only,
        sensitive,
        synonyms: synonyms.into_iter().map(|(name, v, from)| (name, hidden(v), from)).collect(),
    }
}

/// The config whose name differs least, if it is near enough to be a slip.
fn closest(name: &str) -> Option<&'static str> {
    let near = BROKER_ROWS.iter().map(|known| (distance(name, known.row.name), known.row.name));
    near.min().filter(|(distance, _)| *distance <= 3).map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(name: &str, value: &str, want: &str) {
        let error = Settings::parse(&[(name.into(), value.into())]).unwrap_err();
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn unknown_and_wrong_settings_are_named() {
        refused(
            "num.partition",
            "3",
            "Kafka has no broker config 'num.partition'; did you mean num.partitions?",
        );
        refused("colour", "red", "Kafka has no broker config 'colour'");
        refused("log.dirs", "/tmp", "log.dirs cannot be set with -c; use --data-dir");
        refused(
            "num.partitions",
            "0",
            "Invalid value 0 for configuration num.partitions: Value must be at least 1",
        );
    }

    #[test]
    fn the_catalogue_beats_the_command_line_and_both_beat_the_default() {
        let given = ["message.max.bytes", "num.partitions"];
        let given = given.map(|name| (name.to_owned(), "3".to_owned()));
        let settings = Settings::parse(&given).unwrap();
        assert_eq!(settings.number("message.max.bytes"), 3);
        assert_eq!(settings.number("max.connections"), 2_147_483_647);
        // Of the last two, one cannot be changed and one is no number.
        let cluster =
            [("message.max.bytes", "5"), ("num.partitions", "5"), ("max.connections", "x")];
        let cluster = cluster.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = settings.with_dynamic(Overrides::new(), cluster);
        assert_eq!(settings.number("message.max.bytes"), 5);
        assert_eq!(settings.number("num.partitions"), 3);
        assert_eq!(settings.number("max.connections"), 2_147_483_647);
    }

    #[test]
    fn what_has_no_effect_is_known() {
        assert!(HONOURED.is_sorted());
        let given =
            ["num.partitions", "num.io.threads"].map(|name| (name.to_owned(), "3".to_owned()));
        let settings = Settings::parse(&given).unwrap();
        assert_eq!(settings.without_effect().collect::<Vec<_>>(), ["num.io.threads"]);
    }
}
