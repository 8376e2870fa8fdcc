//! librdkafka's properties, in the order they were given: a later one wins.

mod access;
mod jaas;
pub mod java;
mod property;
mod store;
pub mod text;

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Error, sys};
pub use access::nonce;
pub use property::{is_secret, nearest, properties};
use sys::LogTo;

/// What a client is started with.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    entries: Vec<(String, String)>,
    /// What was typed as `-X` wins over all else, whenever that is set.
    typed: Vec<(String, String)>,
    log: LogTo,
    brokers_log: Option<PathBuf>,
}

/// What every client starts from. Each is for a command line, where a user waits.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "kaw"),
    // A broker that comes back is found at once, also after a long pause.
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "1000"),
    // OpenSSL is built in and does not know where this system keeps its certificates.
    ("ssl.ca.location", "probe"),
    ("https.ca.location", "probe"),
    // Keys land where Java's producer puts them.
    ("partitioner", "murmur2_random"),
];

impl Config {
    pub fn new() -> Config {
        let entries = DEFAULTS.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Config { entries, typed: Vec::new(), log: LogTo::Nowhere, brokers_log: None }
    }

    /// Sets a property; it must be one that librdkafka knows.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let entry = self.checked(key, value)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Sets a property over all that `set` says, before or after.
    pub fn set_typed(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let entry = self.checked(key, value)?;
        self.typed.push(entry);
        Ok(())
    }

    fn checked(&mut self, key: &str, value: &str) -> Result<(String, String), Error> {
        let bare = bare(key);
        let wrong = |why: String| Error::Property { key: key.to_owned(), why };
        let range = property::range(bare);
        sys::check_property(bare, value).map_err(|error| match (error, range) {
            (Error::Property { why, .. }, Some(range)) if why.starts_with("Invalid value") => {
                wrong(format!("{why}; it takes {range}"))
            }
            (error, _) => error,
        })?;
        if let Some(range) = range.filter(|range| property::is_beyond(value, range)) {
            return Err(wrong(format!("{value} is outside of {range}")));
        }
        if is_secret(bare) && value.starts_with(|c: char| c.is_ascii_whitespace()) {
            let why = "it begins with white space, which librdkafka would leave out".to_owned();
            return Err(wrong(why));
        }
        // librdkafka takes only one of these, and what users say goes before what kaw does.
        if bare == "https.ca.pem" {
            self.entries.retain(|(key, _)| key != "https.ca.location");
        }
        Ok((bare.to_owned(), value.to_owned()))
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

    /// A login needs a mechanism. librdkafka's default, Kerberos, is not built in.
    pub fn check_login(&self) -> Result<(), Error> {
        let protocol = self.get("security.protocol").unwrap_or_default().to_lowercase();
        let mechanism = self.get("sasl.mechanism").unwrap_or("GSSAPI");
        if !protocol.starts_with("sasl_") || !mechanism.eq_ignore_ascii_case("GSSAPI") {
            return Ok(());
        }
        let choice = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER";
        let why = format!("it is GSSAPI unless set, and Kerberos is not built in; set {choice}");
        Err(Error::Property { key: "sasl.mechanism".to_owned(), why })
    }

    /// Where the broker logs, as far as that is a file of this machine.
    pub fn brokers_log(&self) -> Option<&Path> {
        self.brokers_log.as_deref()
    }

    pub fn set_brokers_log(&mut self, file: Option<PathBuf>) {
        self.brokers_log = file;
    }

    /// Sends librdkafka's own log to stderr.
    pub fn log_to_stderr(&mut self) {
        self.log = LogTo::Stderr;
    }

    pub(super) fn log(&self) -> LogTo {
        self.log
    }

    /// All of it, in the order in which it is to be set.
    pub fn entries(&self) -> Vec<(String, String)> {
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

/// Whether librdkafka has such a property.
pub fn known(key: &str) -> bool {
    properties().iter().any(|property| property.name == key)
}

/// As in kcat: a topic's property may say so.
fn bare(key: &str) -> &str {
    key.strip_prefix("topic.").filter(|bare| known(bare)).unwrap_or(key)
}

/// librdkafka's aliases under the names that Java's clients know too (CONFIGURATION.md).
pub fn canonical(key: &str) -> &str {
    match bare(key) {
        "metadata.broker.list" => "bootstrap.servers",
        "request.required.acks" => "acks",
        "message.timeout.ms" => "delivery.timeout.ms",
        "queue.buffering.max.ms" => "linger.ms",
        "compression.type" => "compression.codec",
        "sasl.mechanisms" => "sasl.mechanism",
        "max.in.flight" => "max.in.flight.requests.per.connection",
        "fetch.message.max.bytes" => "max.partition.fetch.bytes",
        "message.send.max.retries" => "retries",
        "auto.commit.enable" => "enable.auto.commit",
        "sasl.oauthbearer.client.credentials.client.id" => "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.credentials.client.secret" => "sasl.oauthbearer.client.secret",
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
        assert_eq!(
            said("sasl.pasword", "1"),
            "librdkafka has no property 'sasl.pasword', but 'sasl.password'; \
             `kaw -X list` prints them all"
        );
        assert!(said("linger.ms", "soon").starts_with("property 'linger.ms': "));
        assert_eq!(
            said("sasl.password", " x"),
            "property 'sasl.password': it begins with white space, \
             which librdkafka would leave out"
        );
    }

    #[test]
    fn topics_properties_may_say_so() {
        let mut config = Config::new();
        config.set("topic.acks", "1").unwrap();
        config.set("topic.metadata.refresh.interval.ms", "5000").unwrap();
        assert_eq!(config.get("acks"), Some("1"));
        assert_eq!(config.get("topic.metadata.refresh.interval.ms"), Some("5000"));
    }

    #[test]
    fn the_users_authorities_for_https_go_before_the_systems() {
        let mut config = Config::new();
        config.set("https.ca.pem", "x").unwrap();
        assert_eq!(config.get("https.ca.location"), None);
    }

    #[test]
    fn every_alias_is_known() {
        for property in properties() {
            // Two of one name: the topic's stands for the client's.
            let Some(of) = &property.alias_of else { continue };
            assert_eq!(canonical(&property.name), canonical(of), "{} of {of}", property.name);
        }
    }

    #[test]
    fn values_are_not_in_the_debug_print() {
        let mut config = Config::new();
        config.set("sasl.password", "tell-nobody").unwrap();
        assert!(!format!("{config:?}").contains("tell-nobody"));
    }
}
