//! What file, environment and options say together, and which of them said it.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::Context;

use super::{check_ports, file, is_security, set};
use crate::client::config::text::Kind;
use crate::client::config::{canonical, java, known, nearest};
use crate::client::{Config, Error};
use crate::command::stdio::tell;
use crate::command::{Global, Usage};

/// The variables that name brokers, the first that is set wins.
const VARIABLES: [&str; 3] = ["KAW_BROKERS", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS"];
/// What librdkafka takes for a connection's set-up.
const CONNECT_MS: RangeInclusive<u128> = 1000..=i32::MAX as u128;

/// The brokers that the environment names, and in which variable.
pub fn brokers_of_environment() -> Option<(&'static str, String)> {
    let value = |name| Some((name, set(name)?.to_string_lossy().into_owned()));
    VARIABLES.into_iter().find_map(value)
}

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, line: usize, kind: Kind },
    Variable(&'static str),
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) | Origin::Option(name) => f.write_str(name),
        }
    }
}

/// A setting as somebody gave it.
#[derive(Clone)]
pub struct Given {
    pub key: String,
    pub value: String,
    pub origin: Origin,
}

/// All settings that were given, the later over the earlier.
pub struct Settings {
    /// In librdkafka's words.
    pub given: Vec<Given>,
    /// What files say that neither kaw nor librdkafka has a use for.
    pub ignored: Vec<Given>,
}

impl Settings {
    pub fn gather(global: &Global) -> anyhow::Result<Settings> {
        translated(said(global)?)
    }

    pub fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::new();
        for Given { key, value, origin } in &self.given {
            let result = match origin {
                Origin::Option("-X") => config.set_typed(key, value),
                _ => config.set(key, value),
            };
            result.with_context(|| origin.to_string())?;
        }
        Ok(config)
    }

    /// Says that the environment's brokers are used, where a file that was typed names others.
    pub fn tell_overruled(&self, global: &Global) {
        let is_typed = !global.config.is_empty() || global.profile.is_some();
        let brokers: Vec<_> = self.given.iter().filter(|it| is_brokers(&it.key)).collect();
        let [.., file, used] = brokers.as_slice() else { return };
        let from_file = matches!(file.origin, Origin::File { .. });
        if let (Origin::Variable(name), true) = (&used.origin, is_typed && from_file)
            && file.value != used.value
            && !global.quiet
        {
            tell(&format!(
                "{name}={} is used, not the {} of {}; unset {name}, or pass -b",
                used.value, file.value, file.origin
            ));
        }
    }

    /// Names what was ignored to who wants to know more.
    pub fn tell_ignored(&self, global: &Global) {
        for Given { key, origin, .. } in self.ignored.iter().filter(|_| 0 < global.verbose) {
            tell(&format!("{origin}: {key} has no effect here"));
        }
    }
}

/// What was said, word for word, from the weakest to the strongest.
fn said(global: &Global) -> anyhow::Result<Vec<Given>> {
    let setup_ms = global.connect_timeout.as_millis().clamp(*CONNECT_MS.start(), *CONNECT_MS.end());
    let setup = "socket.connection.setup.timeout.ms".to_owned();
    let origin = Origin::Option("--connect-timeout");
    let mut said = vec![Given { key: setup, value: setup_ms.to_string(), origin }];
    for file::Chosen { path, by } in file::chosen(global)? {
        let read = file::read(&path);
        let (kind, lines) = match by {
            Some(name) => read.context(name)?,
            None => read?,
        };
        said.extend(lines.into_iter().map(|line| Given {
            key: line.key,
            value: line.value,
            origin: Origin::File { path: path.clone(), line: line.number, kind },
        }));
    }
    let brokers = |value, origin| Given { key: "bootstrap.servers".to_owned(), value, origin };
    if let Some((name, value)) = brokers_of_environment() {
        said.push(brokers(value, Origin::Variable(name)));
    }
    if let Some(value) = &global.brokers {
        if value.trim().is_empty() {
            return Err(Usage("-b needs HOST:PORT".to_owned()).into());
        }
        said.push(brokers(value.clone(), Origin::Option("-b")));
    }
    for pair in &global.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| Usage(no_pair(pair)))?;
        let (key, value) = (key.trim().to_owned(), value.to_owned());
        said.push(Given { key, value, origin: Origin::Option("-X") });
    }
    Ok(said)
}

/// What comes after the key may be a password.
fn no_pair(typed: &str) -> String {
    let start = typed.split([' ', ':']).next().unwrap_or_default();
    format!("-X {start}…: write KEY=VALUE, or `kaw -X list`")
}

/// Puts what is Java's into librdkafka's words; the last of several under one name counts.
fn translated(said: Vec<Given>) -> anyhow::Result<Settings> {
    let mut settings = Settings { given: Vec::new(), ignored: Vec::new() };
    let last = |key: &str| said.iter().rev().find(|given| given.key == key);
    let brokers = said.iter().rev().find(|it| is_brokers(&it.key));
    let built_in = brokers.is_none_or(|given| given.value.is_empty());
    for given in &said {
        if built_in && is_security(&given.key) {
            settings.ignored.push(given.clone());
            continue;
        }
        let is_last = last(&given.key).is_some_and(|last| std::ptr::eq(last, given));
        if java::is_javas_alone(&given.key) && !is_last {
            continue;
        }
        let other = |key: &str| last(key).map(|given| given.value.as_str());
        match java::translate(&given.key, &given.value, &other) {
            Err(why) => {
                let error = Error::Property { key: given.key.clone(), why };
                return Err(error).with_context(|| given.origin.to_string());
            }
            Ok(Some(properties)) => {
                if properties.is_empty() && java::is_of_no_use(&given.key) {
                    of_no_use(given, &mut settings)?;
                }
                settings.given.extend(properties.into_iter().map(|(key, value)| Given {
                    key: key.to_owned(),
                    value,
                    origin: given.origin.clone(),
                }));
            }
            Ok(None) if is_for_others(given) => settings.ignored.push(given.clone()),
            Ok(None) => settings.given.push(given.clone()),
        }
    }
    let brokers = settings.given.iter().filter(|it| is_brokers(&it.key));
    for given in brokers {
        check_ports(&given.origin, &given.value)?;
    }
    Ok(settings)
}

fn is_brokers(key: &str) -> bool {
    canonical(key) == "bootstrap.servers"
}

/// A file may be meant for several programs; an option is meant for kaw.
fn of_no_use(given: &Given, settings: &mut Settings) -> Result<(), Usage> {
    if let Origin::Option(name) = given.origin {
        let why = format!("{name}: {} is for Java's clients; kaw has no use for it", given.key);
        return Err(Usage(why));
    }
    settings.ignored.push(given.clone());
    Ok(())
}

/// Java's clients hand what they do not know to serializers and interceptors. A name that nearly
/// is a known one is a slip, though.
fn is_for_others(given: &Given) -> bool {
    let is_javas = matches!(given.origin, Origin::File { kind: Kind::Java, .. });
    is_javas && !known(canonical(&given.key)) && nearest(&given.key).is_none()
}
