//! librdkafka's properties, in the order they were given: a later one wins.

use std::fmt;

use super::{Error, sys};
use sys::LogTo;

/// What a client is started with.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    entries: Vec<(String, String)>,
    /// What was typed as `-X` wins over all else, whenever that is set.
    typed: Vec<(String, String)>,
    log: LogTo,
}

/// What every client starts from. Each is for a command line, where a user waits.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "kaw"),
    // A broker that comes back is found at once, also after a long pause.
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "1000"),
    ("log.connection.close", "false"),
    // OpenSSL is built in and does not know where this system keeps its certificates.
    ("ssl.ca.location", "probe"),
    ("https.ca.location", "probe"),
    // Keys land where Java's producer puts them.
    ("partitioner", "murmur2_random"),
];

impl Config {
    pub fn new() -> Config {
        let entries = DEFAULTS.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Config { entries, typed: Vec::new(), log: LogTo::Nowhere }
    }

    /// Sets a property; it must be one that librdkafka knows.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        sys::check_property(key, value)?;
        self.entries.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Sets a property over all that `set` says, before or after.
    pub fn set_typed(&mut self, key: &str, value: &str) -> Result<(), Error> {
        sys::check_property(key, value)?;
        self.typed.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Sets a property unless it was set before, under this name or an alias.
    pub fn set_default(&mut self, key: &str, value: &str) -> Result<(), Error> {
        if self.get(key).is_some() { Ok(()) } else { self.set(key, value) }
    }

    /// The value in force, or `None` where neither user nor kaw said anything.
    pub fn get(&self, key: &str) -> Option<&str> {
        let name = canonical(key);
        let of = |entry: &&(String, String)| canonical(&entry.0) == name;
        let mut all = self.typed.iter().rev().chain(self.entries.iter().rev());
        all.find(of).map(|(_, value)| value.as_str())
    }

    /// Forgets every property that `matches`.
    pub fn remove(&mut self, matches: impl Fn(&str) -> bool) {
        self.entries.retain(|(key, _)| !matches(key));
        self.typed.retain(|(key, _)| !matches(key));
    }

    /// The addresses that the client begins with, as the user wrote them.
    pub fn brokers(&self) -> &str {
        self.get("bootstrap.servers").unwrap_or_default()
    }

    /// Sends librdkafka's own log to stderr.
    pub fn log_to_stderr(&mut self) {
        self.log = LogTo::Stderr;
    }

    pub(super) fn log(&self) -> LogTo {
        self.log
    }

    /// All of it, in the order in which it is to be set.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        self.entries.iter().chain(&self.typed).cloned().collect()
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

/// Names only: a value may be a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().iter().map(|(key, _)| key)).finish()
    }
}

/// librdkafka's aliases, as far as kaw itself asks for a property (CONFIGURATION.md).
fn canonical(key: &str) -> &str {
    let key = key.strip_prefix("topic.").filter(|rest| *rest == "acks").unwrap_or(key);
    match key {
        "metadata.broker.list" => "bootstrap.servers",
        "request.required.acks" => "acks",
        "message.timeout.ms" => "delivery.timeout.ms",
        "queue.buffering.max.ms" => "linger.ms",
        "compression.type" => "compression.codec",
        "sasl.mechanisms" => "sasl.mechanism",
        "max.in.flight" => "max.in.flight.requests.per.connection",
        key => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_value_wins_under_any_alias() {
        let mut config = Config::new();
        config.set("metadata.broker.list", "a:1").unwrap();
        config.set("bootstrap.servers", "b:2").unwrap();
        assert_eq!(config.brokers(), "b:2");
        config.set_default("metadata.broker.list", "c:3").unwrap();
        assert_eq!(config.brokers(), "b:2");
        config.set_typed("bootstrap.servers", "d:4").unwrap();
        config.set("bootstrap.servers", "e:5").unwrap();
        assert_eq!(config.brokers(), "d:4");
    }

    #[test]
    fn unknown_and_wrong_properties_are_named() {
        let said = |key, value| Config::new().set(key, value).unwrap_err().to_string();
        assert_eq!(
            said("no.such", "1"),
            "librdkafka has no property 'no.such'; `kaw -X list` prints them all"
        );
        assert!(said("linger.ms", "soon").starts_with("property 'linger.ms': "));
    }

    #[test]
    fn values_are_not_in_the_debug_print() {
        let mut config = Config::new();
        config.set("sasl.password", "tell-nobody").unwrap();
        assert!(!format!("{config:?}").contains("tell-nobody"));
    }
}
