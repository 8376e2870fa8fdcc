//! Where the brokers come from: options, environment, configuration file, or the built-in broker.

mod file;

use std::env;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::stdio::tell;
use super::{Global, Usage};
use crate::client::Config;
use crate::embedded::{self, Lease, Place};

/// The variables that name brokers, the first that is set wins.
const VARIABLES: [&str; 3] = ["KAW_BROKERS", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS"];
/// What belongs to a way to some other broker, and is of no use on the way to the built-in one.
const SECURITY: [&str; 3] = ["security.", "sasl.", "ssl."];
/// What librdkafka takes for a connection's set-up.
const CONNECT_MS: RangeInclusive<u128> = 1000..=i32::MAX as u128;

/// The brokers that a command talks to.
pub struct Cluster {
    pub config: Config,
    /// Keeps the built-in broker, where it is that one, for as long as the command runs.
    pub lease: Option<Lease>,
    pub connect_timeout: Duration,
}

/// Finds the brokers, and starts the built-in one where nobody named any.
pub fn connect(global: &Global) -> anyhow::Result<Cluster> {
    let mut config = settings(global)?;
    let lease = match config.brokers() {
        "" => Some(lease(global, &mut config)?),
        _ => None,
    };
    Ok(Cluster { config, lease, connect_timeout: global.connect_timeout })
}

/// What the file, the environment and the options say together.
fn settings(global: &Global) -> anyhow::Result<Config> {
    let mut config = Config::new();
    if global.verbose >= 2 {
        config.log_to_stderr();
    }
    let setup_ms = global.connect_timeout.as_millis().clamp(*CONNECT_MS.start(), *CONNECT_MS.end());
    config.set("socket.connection.setup.timeout.ms", &setup_ms.to_string())?;
    if let Some(path) = config_file(global)? {
        file::read(&path, &mut config)?;
    }
    if let Some(brokers) = variable(&VARIABLES) {
        config.set("bootstrap.servers", &brokers)?;
    }
    if let Some(brokers) = &global.brokers {
        if brokers.trim().is_empty() {
            return Err(Usage("-b needs HOST:PORT".to_owned()).into());
        }
        check_ports(brokers)?;
        config.set("bootstrap.servers", brokers)?;
    }
    for pair in &global.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| Usage(no_pair(pair)))?;
        config.set_typed(key.trim(), value).with_context(|| format!("-X {}", key.trim()))?;
    }
    Ok(config)
}

/// librdkafka takes what is no port for one, and connects in vain for as long as it may.
fn check_ports(brokers: &str) -> Result<(), Usage> {
    for broker in brokers.split(',').map(str::trim) {
        let address = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
        let Some((host, port)) = address.rsplit_once(':') else { continue };
        // The colons of a bare IPv6 address come before no port.
        let is_address = host.contains(':') && !host.ends_with(']');
        if !is_address && !port.parse::<u16>().is_ok_and(|port| port != 0) {
            return Err(Usage(format!("-b {broker}: '{port}' is no port; write HOST:PORT")));
        }
    }
    Ok(())
}

/// What comes after the key may be a password.
fn no_pair(typed: &str) -> String {
    let start = typed.split([' ', ':']).next().unwrap_or_default();
    format!("-X {start}…: write KEY=VALUE, or `kaw -X list`")
}

fn lease(global: &Global, config: &mut Config) -> anyhow::Result<Lease> {
    let place = Place::new(global.data_dir.as_deref(), global.connect_timeout, tell)?;
    let lease = embedded::lease(&place)?;
    config.remove(|key| SECURITY.iter().any(|prefix| key.starts_with(prefix)));
    for (key, value) in lease.client_settings() {
        config.set(key, &value)?;
    }
    Ok(lease)
}

/// The file that was named, or the first that is there of those that kaw and kcat look for.
fn config_file(global: &Global) -> anyhow::Result<Option<PathBuf>> {
    match global.config.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        // As in kcat: no file at all.
        Some(path) if path.as_os_str() == "-" || path.as_os_str() == "none" => Ok(None),
        Some(path) => Ok(Some(path.clone())),
        None => Ok(default_files().into_iter().find(|path| path.is_file())),
    }
}

fn default_files() -> Vec<PathBuf> {
    let folder = folder("XDG_CONFIG_HOME", ".config");
    let named = ["KCAT_CONFIG", "KAFKACAT_CONFIG"].into_iter().filter_map(set).map(PathBuf::from);
    let of = |name: &str| folder.iter().map(|folder| folder.join(name)).collect::<Vec<_>>();
    let mut files = of("kaw.conf");
    files.extend(named);
    files.extend(of("kcat.conf"));
    files.extend(of("kafkacat.conf"));
    files
}

/// The folder in a variable of the XDG kind, or the like below the user's home.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    // The specification wants relative paths ignored.
    let named = set(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(PathBuf::from(set("HOME")?).join(below_home)))
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| set(name)).map(|value| value.to_string_lossy().into_owned())
}

/// A variable that is empty counts as not set.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
