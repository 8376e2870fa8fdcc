//! Changes of configs: what each makes of the values a resource has, and which Kafka refuses.
//! Never knows: requests, files, what any config does.
//!
//! A broker config that Kafka does not have is refused here. Apache keeps it for plug-ins, of which
//! this broker has none.

use super::broker_rows;
use super::settings::Overrides;
use super::topic_config::check_topic;
use super::topic_rows;
use super::{Kind, Mode, Row, check};

/// What happens to one config (AlterConfigOp.java).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

/// What is to become of a resource's configs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Change(Vec<(String, Operation)>),
    /// These and no others.
    Replace(Overrides),
}

/// Why configs stay as they are, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// INVALID_CONFIG
    Config(String),
    /// INVALID_REQUEST
    Request(String),
}

/// For whom a broker config is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    OneBroker,
    AllBrokers,
}

/// The configs that change; `None` deletes.
pub type Changes = Vec<(String, Option<String>)>;

/// What a wish changes of a topic's own configs.
pub fn topic_changes(own: &Overrides, wish: &Wish) -> Result<Changes, Refusal> {
    let list = |name: &str, verb: &str| match topic_rows::find(name).map(|known| &known.row) {
        Some(row) if row.kind == Kind::List => Ok(row),
        _ => {
            let verb = verb.to_ascii_uppercase();
            let why = format!("Can't {verb} to key {name} because its type is not LIST.");
            Err(Refusal::Config(why))
        }
    };
    let changes = changes(own, wish, list)?;
    check_topic(&after(own, &changes)).map_err(Refusal::Config)?;
    Ok(changes)
}

/// What a wish changes of a broker's dynamic configs (DynamicBrokerConfig.validateConfigs).
pub fn broker_changes(own: &Overrides, wish: &Wish, level: Level) -> Result<Changes, Refusal> {
    let list = |name: &str, verb: &str| {
        let known = broker_rows::find(name).ok_or_else(|| unknown(name))?;
        match known.row.kind {
            Kind::List => Ok(&known.row),
            _ => Err(Refusal::Config(format!(
                "Config value {verb} is not allowed for config key: {name}"
            ))),
        }
    };
    let changes = changes(own, wish, list)?;
    let set = changes.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
    let set: Vec<_> = set
        .map(|(name, value)| Ok((broker_rows::find(name).ok_or_else(|| unknown(name))?, value)))
        .collect::<Result<_, Refusal>>()?;
    let none = |why: &str, is_bad: &dyn Fn(&broker_rows::BrokerRow) -> bool| {
        let bad = set.iter().filter(|(known, _)| is_bad(known)).map(|(known, _)| known.row.name);
        match bad.collect::<Vec<_>>() {
            bad if bad.is_empty() => Ok(()),
            bad => Err(Refusal::Request(format!("{why}: [{}]", bad.join(", ")))),
        }
    };
    let is_ssl = |name: &str| name.starts_with("ssl.");
    none("Cannot update these configs dynamically", &|known| known.mode == Mode::ReadOnly)?;
    none(
        "These security configs can be dynamically updated only per-listener using the listener \
         prefix",
        &|known| known.mode == Mode::PerBroker && is_ssl(known.row.name),
    )?;
    for (known, value) in &set {
        check(&known.row, value).map_err(Refusal::Request)?;
    }
    if level == Level::AllBrokers {
        none(
            "Cannot update these configs at default cluster level, broker id must be specified",
            &|known| known.mode == Mode::PerBroker,
        )?;
    }
    // Listeners and who may come by them are settled when this broker starts.
    none("Cannot update these configs dynamically", &|known| known.mode == Mode::PerBroker)?;
    Ok(changes)
}

fn unknown(name: &str) -> Refusal {
    Refusal::Config(format!("Unknown config name: {name}"))
}

/// Applies the operations; `list` finds the row of a config that can be appended to.
fn changes(
    own: &Overrides,
    wish: &Wish,
    list: impl Fn(&str, &str) -> Result<&'static Row, Refusal>,
) -> Result<Changes, Refusal> {
    let operations = match wish {
        Wish::Replace(values) => {
            let gone = own.keys().filter(|name| !values.contains_key(*name));
            let gone = gone.map(|name| (name.clone(), None));
            let set = values.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
            return Ok(set
                .chain(gone)
                .filter(|(name, new)| own.get(name) != new.as_ref())
                .collect());
        }
        Wish::Change(operations) => operations,
    };
    let mut changes = Changes::new();
    for (name, operation) in operations {
        let old = own.get(name);
        let items = |row: &Row| {
            let value = old.map(String::as_str).or(row.default).unwrap_or_default();
            split(value).map(str::to_owned).collect::<Vec<_>>()
        };
        let new = match operation {
            Operation::Set(value) => Some(value.clone()),
            Operation::Delete => None,
            Operation::Append(more) => {
                let mut items = items(list(name, "append")?);
                for item in split(more) {
                    if !items.iter().any(|there| there == item) {
                        items.push(item.to_owned());
                    }
                }
                Some(items.join(","))
            }
            Operation::Subtract(less) => {
                let mut items = items(list(name, "subtract")?);
                for item in split(less) {
                    if let Some(at) = items.iter().position(|there| there == item) {
                        items.remove(at);
                    }
                }
                Some(items.join(","))
            }
        };
        if old != new.as_ref() {
            changes.push((name.clone(), new));
        }
    }
    Ok(changes)
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|item| !item.is_empty())
}

/// The values once they are changed.
pub fn after(own: &Overrides, changes: &Changes) -> Overrides {
    let mut values = own.clone();
    for (name, value) in changes {
        match value {
            Some(value) => values.insert(name.clone(), value.clone()),
            None => values.remove(name),
        };
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(operations: &[(&str, Operation)]) -> Wish {
        Wish::Change(operations.iter().map(|(name, op)| ((*name).to_owned(), op.clone())).collect())
    }

    fn values(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn set(value: &str) -> Operation {
        Operation::Set(value.to_owned())
    }

    fn append(value: &str) -> Operation {
        Operation::Append(value.to_owned())
    }

    fn subtract(value: &str) -> Operation {
        Operation::Subtract(value.to_owned())
    }

    fn shown(own: &Overrides, changes: Result<Changes, Refusal>) -> String {
        match changes {
            Ok(changes) => format!("{:?}", after(own, &changes)),
            Err(Refusal::Config(why)) => format!("config: {why}"),
            Err(Refusal::Request(why)) => format!("request: {why}"),
        }
    }

    #[track_caller]
    fn topic(own: &[(&str, &str)], operations: &[(&str, Operation)], want: &str) {
        let own = values(own);
        assert_eq!(shown(&own, topic_changes(&own, &wish(operations))), want);
    }

    #[track_caller]
    fn broker(operations: &[(&str, Operation)], level: Level, want: &str) {
        let own = Overrides::new();
        assert_eq!(shown(&own, broker_changes(&own, &wish(operations), level)), want);
    }

    #[test]
    fn operations_do_to_a_topic_what_they_do_in_apache_kafka() {
        topic(&[], &[("retention.ms", set("5"))], r#"{"retention.ms": "5"}"#);
        topic(&[("retention.ms", "5")], &[("retention.ms", Operation::Delete)], "{}");
        topic(&[], &[("no.such", Operation::Delete)], "{}");
        let policy = |own: &str, operation: Operation, want: &str| {
            let want = format!("{:?}", values(&[("cleanup.policy", want)]));
            topic(&[("cleanup.policy", own)], &[("cleanup.policy", operation)], &want);
        };
        policy("delete", append("compact"), "delete,compact");
        policy("delete,compact", append("compact,delete"), "delete,compact");
        policy("", append("compact"), "compact");
        policy("delete,compact", subtract("delete"), "compact");
        policy("compact", subtract("compact"), "");
        policy("", subtract("compact"), "");
        let unset = r#"{"cleanup.policy": "delete,compact"}"#;
        topic(&[], &[("cleanup.policy", append("compact"))], unset);
        let listless = "config: Can't APPEND to key retention.ms because its type is not LIST.";
        topic(&[], &[("retention.ms", append("5"))], listless);
        let unknown = "config: Can't SUBTRACT to key zzz because its type is not LIST.";
        topic(&[], &[("zzz", subtract("5"))], unknown);
        let shred = "config: Invalid value shred for configuration cleanup.policy: String must be \
                     one of: compact, delete";
        topic(&[], &[("cleanup.policy", append("shred"))], shred);
        topic(&[], &[("retention", set("5"))], "config: Unknown topic config name: retention");
        let lags = [("min.compaction.lag.ms", set("10")), ("max.compaction.lag.ms", set("5"))];
        let conflict = "config: conflict topic config setting min.compaction.lag.ms (10) > \
                        max.compaction.lag.ms (5)";
        topic(&[], &lags, conflict);
    }

    #[test]
    fn what_a_broker_cannot_change_while_it_runs_is_named() {
        use Level::{AllBrokers, OneBroker};
        broker(&[("log.retention.ms", set("5"))], OneBroker, r#"{"log.retention.ms": "5"}"#);
        let fixed = [("num.partitions", set("3")), ("log.dirs", set("x"))];
        let dynamically = "request: Cannot update these configs dynamically: ";
        broker(&fixed, AllBrokers, &format!("{dynamically}[num.partitions, log.dirs]"));
        broker(&[("listeners", set("x"))], OneBroker, &format!("{dynamically}[listeners]"));
        let at_level = "request: Cannot update these configs at default cluster level, broker id \
                        must be specified: [listeners]";
        broker(&[("listeners", set("x"))], AllBrokers, at_level);
        let ssl = "request: These security configs can be dynamically updated only per-listener \
                   using the listener prefix: [ssl.keystore.location]";
        broker(&[("ssl.keystore.location", set("x"))], AllBrokers, ssl);
        let soon = "request: Invalid value soon for configuration log.retention.ms: Not a number \
                    of type LONG";
        broker(&[("log.retention.ms", set("soon"))], OneBroker, soon);
        broker(&[("no.such", set("x"))], OneBroker, "config: Unknown config name: no.such");
        broker(&[("no.such", append("x"))], OneBroker, "config: Unknown config name: no.such");
        broker(&[("no.such", Operation::Delete)], OneBroker, "{}");
        let list = "config: Config value append is not allowed for config key: log.retention.ms";
        broker(&[("log.retention.ms", append("5"))], OneBroker, list);
    }

    #[test]
    fn replacing_sets_what_is_named_and_deletes_the_rest() {
        let own = values(&[("retention.ms", "5"), ("segment.ms", "7")]);
        let changes = topic_changes(&own, &Wish::Replace(values(&[("segment.ms", "7")]))).unwrap();
        assert_eq!(changes, [("retention.ms".to_owned(), None)]);
    }
}
