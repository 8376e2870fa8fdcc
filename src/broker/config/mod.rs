//! Kafka's broker and topic configs: what each is called, takes and defaults to.
//! Never knows: requests, files, what any config does.

mod alter;
mod broker_rows;
mod known;
mod settings;
mod topic_config;
mod topic_rows;

pub use alter::{Changes, Level, Operation, Refusal, Wish, broker_changes, topic_changes};
pub use known::{broker_configs, topic_configs};
pub use settings::{Overrides, Settings, has_effect};
pub use topic_config::{
    Described, Source, TopicConfig, check_topic, describe_topic, topic_has_effect,
};

/// What a value is, as DescribeConfigs names it (KIP-569).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Int,
    Short,
    Long,
    Double,
    Text,
    List,
    Class,
    Password,
}

impl Kind {
    /// DescribeConfigsResponse.ConfigType.
    pub fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::Text => 2,
            Kind::Int => 3,
            Kind::Short => 4,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }
}

/// What else a value must be, beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    Any,
    NotEmpty,
    AtLeast(i64),
    Between(i64, i64),
    /// From 0 to 1.
    Ratio,
    /// 1 to 9, or -1 for the library's own choice.
    GzipLevel,
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// `*`, or a list of `partition:broker`.
    Replicas,
}

/// When a change of it takes effect in Apache Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

/// One config. `None` is Kafka's null.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Option<&'static str>,
    pub rule: Rule,
}

/// No value of Kafka's is longer, and the catalogue keeps them all in memory.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// Says why `value` cannot be the value of `row`, in Kafka's words (ConfigDef.java).
pub fn check(row: &Row, value: &str) -> Result<(), String> {
    if VALUE_BYTES_MAX < value.len() {
        let bytes = value.len();
        return Err(format!("Invalid value of {bytes} bytes for configuration {}", row.name));
    }
    let wrong =
        |why: String| Err(format!("Invalid value {value} for configuration {}: {why}", row.name));
    let value = value.trim();
    let number = match row.kind {
        Kind::Boolean if !matches!(value.to_ascii_lowercase().as_str(), "true" | "false") => {
            return wrong("Expected value to be either true or false".into());
        }
        Kind::Int => value.parse::<i32>().map(i64::from).map_err(|_| "INT"),
        Kind::Short => value.parse::<i16>().map(i64::from).map_err(|_| "SHORT"),
        Kind::Long => value.parse::<i64>().map_err(|_| "LONG"),
        Kind::Double => return check_double(row, value),
        _ => return check_text(row, value),
    };
    match number {
        Err(kind) => wrong(format!("Not a number of type {kind}")),
        Ok(number) => check_number(row.rule, number).or_else(wrong),
    }
}

fn check_number(rule: Rule, number: i64) -> Result<(), String> {
    match rule {
        Rule::AtLeast(low) if number < low => Err(format!("Value must be at least {low}")),
        Rule::Between(low, _) if number < low => Err(format!("Value must be at least {low}")),
        Rule::Between(_, high) if high < number => {
            Err(format!("Value must be no more than {high}"))
        }
        Rule::GzipLevel if number != -1 && !(1..=9).contains(&number) => {
            Err("Value must be between 1 and 9 or equal to -1".into())
        }
        _ => Ok(()),
    }
}

fn check_double(row: &Row, value: &str) -> Result<(), String> {
    let why = match value.parse::<f64>() {
        Err(_) => "Not a number of type DOUBLE",
        Ok(number) if row.rule == Rule::Ratio && number < 0.0 => "Value must be at least 0",
        Ok(number) if row.rule == Rule::Ratio && 1.0 < number => "Value must be no more than 1",
        Ok(_) => return Ok(()),
    };
    Err(format!("Invalid value {value} for configuration {}: {why}", row.name))
}

fn check_text(row: &Row, value: &str) -> Result<(), String> {
    let wrong = |value: &str, why: String| {
        Err(format!("Invalid value {value} for configuration {}: {why}", row.name))
    };
    match row.rule {
        Rule::Replicas => check_replicas(row.name, value),
        Rule::NotEmpty if value.is_empty() => wrong(value, "String must be non-empty".into()),
        Rule::OneOf(allowed) | Rule::OneOfAnyCase(allowed) => {
            let exact = matches!(row.rule, Rule::OneOf(_));
            let list = row.kind == Kind::List;
            let items = if list { value.split(',').map(str::trim).collect() } else { vec![value] };
            if list && 1 < items.len() && items.contains(&"") {
                return Err(format!("Configuration '{}' values must not be empty.", row.name));
            }
            let is_allowed = |item: &&str| {
                let same = |one: &&str| one == item || (!exact && one.eq_ignore_ascii_case(item));
                (list && item.is_empty()) || allowed.iter().any(same)
            };
            let outsider = items.into_iter().find(|item| !is_allowed(item));
            match outsider {
                None => Ok(()),
                Some(item) => wrong(item, format!("String must be one of: {}", allowed.join(", "))),
            }
        }
        _ => Ok(()),
    }
}

/// ThrottledReplicaListValidator.java.
fn check_replicas(name: &str, value: &str) -> Result<(), String> {
    let items: Vec<&str> = value.split(',').map(str::trim).collect();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = |item: &&str| {
        item.split_once(':').is_some_and(|(partition, broker)| number(partition) && number(broker))
    };
    match value.trim() {
        "" | "*" => Ok(()),
        _ if items.iter().all(is_replica) => Ok(()),
        _ => Err(format!(
            "Invalid value [{}] for configuration {name}: {name} must be the literal '*' or a list \
             of replicas in the following format: \
             [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            items.join(", ")
        )),
    }
}

/// A value as Kafka shows it, whatever it was written like (ConfigDef.parseType).
pub fn canonical(row: &Row, value: &str) -> String {
    let value = value.trim();
    let number = || value.parse::<i64>().map(|number| number.to_string());
    match row.kind {
        Kind::Boolean => value.to_ascii_lowercase(),
        Kind::Int | Kind::Short | Kind::Long => number().unwrap_or_else(|_| value.to_owned()),
        Kind::Double => {
            let number = value.parse::<f64>().map(|number| format!("{number:?}"));
            number.unwrap_or_else(|_| value.to_owned())
        }
        Kind::List => {
            let mut items: Vec<&str> = Vec::new();
            for item in value.split(',').map(str::trim) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            items.join(",")
        }
        Kind::Text | Kind::Class | Kind::Password => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::topic_rows::TOPIC_ROWS;
    use super::*;

    #[track_caller]
    fn check_topic(name: &str, value: &str, want: &str) {
        let row = TOPIC_ROWS.iter().find(|row| row.row.name == name).unwrap();
        let got = check(&row.row, value).err().unwrap_or_else(|| "ok".into());
        assert_eq!(got, want, "{name}={value}");
    }

    #[test]
    fn values_are_refused_in_kafkas_words() {
        check_topic("retention.ms", "-1", "ok");
        check_topic(
            "retention.ms",
            "-2",
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        );
        check_topic(
            "segment.bytes",
            "99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        );
        check_topic("cleanup.policy", "compact,delete", "ok");
        check_topic(
            "cleanup.policy",
            "compact,shred",
            "Invalid value shred for configuration cleanup.policy: \
             String must be one of: compact, delete",
        );
        check_topic("min.cleanable.dirty.ratio", "0.7", "ok");
        check_topic(
            "min.cleanable.dirty.ratio",
            "7",
            "Invalid value 7 for configuration min.cleanable.dirty.ratio: \
             Value must be no more than 1",
        );
        check_topic("cleanup.policy", "", "ok");
        check_topic("cleanup.policy", "compact, delete", "ok");
        check_topic(
            "cleanup.policy",
            ",delete",
            "Configuration 'cleanup.policy' values must not be empty.",
        );
        check_topic("retention.ms", " 007 ", "ok");
        check_topic("leader.replication.throttled.replicas", "0:1, 1:1", "ok");
        check_topic("leader.replication.throttled.replicas", "*", "ok");
        check_topic(
            "leader.replication.throttled.replicas",
            "1:1,*",
            "Invalid value [1:1, *] for configuration leader.replication.throttled.replicas: \
             leader.replication.throttled.replicas must be the literal '*' or a list of replicas \
             in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        );
        check_topic("preallocate", "TRUE", "ok");
        check_topic(
            "preallocate",
            "yes",
            "Invalid value yes for configuration preallocate: \
             Expected value to be either true or false",
        );
    }

    #[test]
    fn values_are_shown_as_kafka_shows_them() {
        let check = |name: &str, value: &str, want: &str| {
            let known = super::topic_rows::find(name).unwrap();
            assert_eq!(canonical(&known.row, value), want, "{name}={value}");
        };
        check("retention.ms", " 007 ", "7");
        check("preallocate", "TRUE", "true");
        check("cleanup.policy", "compact, delete,compact", "compact,delete");
        check("min.cleanable.dirty.ratio", ".30", "0.3");
        check("compression.type", " zstd", "zstd");
    }

    #[test]
    fn every_default_passes_its_own_check() {
        let rows = super::broker_rows::BROKER_ROWS.iter().map(|row| row.row);
        for row in rows.chain(TOPIC_ROWS.iter().map(|row| row.row)) {
            if let Some(default) = row.default {
                assert_eq!(check(&row, default), Ok(()), "{}", row.name);
            }
        }
    }

    #[test]
    fn tables_are_sorted_and_every_synonym_is_a_broker_config() {
        assert!(TOPIC_ROWS.is_sorted_by_key(|row| row.row.name));
        assert!(super::broker_rows::BROKER_ROWS.is_sorted_by_key(|row| row.row.name));
        for synonym in TOPIC_ROWS.iter().flat_map(|row| row.synonyms()) {
            assert!(broker_rows::find(synonym.name).is_some(), "{}", synonym.name);
        }
    }
}
