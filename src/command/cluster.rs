//! Where the brokers come from: options, environment, configuration file, or the built-in broker.

pub mod file;
pub mod settings;

use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fmt};

use super::stdio::tell;
use super::{Global, Usage};
use crate::client::Config;
use crate::embedded::{self, Lease, Place};

pub use settings::Settings;

/// What belongs to a way to some other broker, and is of no use on the way to the built-in one.
const SECURITY: [&str; 3] = ["security.", "sasl.", "ssl."];

/// The brokers that a command talks to.
pub struct Cluster {
    pub config: Config,
    /// Keeps the built-in broker, where it is that one, for as long as the command runs.
    pub lease: Option<Lease>,
    pub connect_timeout: Duration,
}

/// Finds the brokers, and starts the built-in one where nobody named any.
pub fn connect(global: &Global) -> anyhow::Result<Cluster> {
    let settings = Settings::gather(global)?;
    settings.tell_ignored(global);
    settings.tell_overruled(global);
    let mut config = settings.config()?;
    if global.verbose >= 2 {
        config.log_to_stderr();
    }
    let lease = match config.brokers() {
        "" => Some(lease(global, &mut config)?),
        _ => {
            config.check_login()?;
            None
        }
    };
    Ok(Cluster { config, lease, connect_timeout: global.connect_timeout })
}

fn lease(global: &Global, config: &mut Config) -> anyhow::Result<Lease> {
    let lease = embedded::lease(&place(global)?)?;
    config.remove(is_security);
    config.set_brokers_log(lease.log());
    for (key, value) in lease.client_settings() {
        config.set(key, &value)?;
    }
    Ok(lease)
}

/// The data directory of the built-in broker.
pub fn place(global: &Global) -> anyhow::Result<Place> {
    Ok(Place::new(global.data_dir.as_deref(), global.connect_timeout, tell)?)
}

/// Whether the built-in broker does without it.
pub fn is_security(key: &str) -> bool {
    SECURITY.iter().any(|prefix| key.starts_with(prefix))
}

/// librdkafka takes what is no port for one, and connects in vain for as long as it may.
fn check_ports(origin: impl fmt::Display, brokers: &str) -> Result<(), Usage> {
    let all = || brokers.split(',').map(str::trim);
    if !brokers.is_empty() && all().all(str::is_empty) {
        return Err(Usage(format!("{origin}: '{brokers}' names no broker; write HOST:PORT")));
    }
    for broker in all().filter(|broker| !broker.is_empty()) {
        let address = match broker.rsplit_once("://") {
            Some((scheme, address)) if is_listener(scheme) => address,
            Some((scheme, address)) => {
                let address = address.trim_end_matches('/');
                let why = format!("{origin}: write {address}, without {scheme}://");
                return Err(Usage(why));
            }
            None => broker,
        };
        if address.contains(char::is_whitespace) {
            let why = format!("{origin}: '{broker}' has blanks; write HOST:PORT,HOST:PORT");
            return Err(Usage(why));
        }
        let Some((host, port)) = address.rsplit_once(':') else { continue };
        // The colons of a bare IPv6 address come before no port.
        let is_address = host.contains(':') && !host.ends_with(']');
        if is_address && address.parse::<Ipv6Addr>().is_err() {
            let why =
                format!("{origin}: {broker} is no address; write HOST:PORT or [ADDRESS]:PORT");
            return Err(Usage(why));
        }
        if !is_address && !port.parse::<u16>().is_ok_and(|port| port != 0) {
            let why = format!("{origin}: {broker}: '{port}' is no port; write HOST:PORT");
            return Err(Usage(why));
        }
    }
    Ok(())
}

/// Kafka's protocols of listeners, which librdkafka takes as schemes.
fn is_listener(scheme: &str) -> bool {
    let all = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    all.iter().any(|name| scheme.eq_ignore_ascii_case(name))
}

/// The folder in a variable of the XDG kind, or the like below the user's home.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    // The specification wants relative paths ignored.
    let named = set(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(PathBuf::from(set("HOME")?).join(below_home)))
}

/// A variable that is empty counts as not set.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
