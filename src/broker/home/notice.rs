//! broker.json: who serves a data directory, true only while its lock is held.
//! Never knows: the lock.

use std::path::Path;

use serde_json::{Value, json};

use super::{Error, NOTICE, Secret, files};

/// Why a broker runs, and so who may end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A command started it; it leaves by itself.
    Automatic,
    /// A user started it.
    Foreground,
}

/// Where a process lives: only from there can its port be reached and its pid be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locality {
    pub host: String,
    /// New with every start of a machine; empty where the system has none.
    pub boot_id: String,
    /// The network namespace; empty where the system has none.
    pub network: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub port: u16,
    pub secret: Secret,
    pub pid: u32,
    pub version: String,
    pub mode: Mode,
    pub place: Locality,
    /// The listeners without the door, `NAME://HOST:PORT`.
    pub listeners: Vec<String>,
}

impl Locality {
    pub fn here() -> Locality {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
        Locality {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            network: network.to_string_lossy().into_owned(),
        }
    }

    pub fn is_here(&self) -> bool {
        self.same_as(&Locality::here())
    }

    /// A host may change its name while it runs, and containers of one host have several: where
    /// the system has a boot id, that decides.
    fn same_as(&self, here: &Locality) -> bool {
        let machine = match here.boot_id.is_empty() {
            true => self.host == here.host,
            false => self.boot_id == here.boot_id,
        };
        machine && self.network == here.network
    }

    pub fn describe(&self) -> String {
        match self.boot_id == Locality::here().boot_id {
            true => format!("{} (another container or network namespace)", self.host),
            false => format!("host {}", self.host),
        }
    }
}

impl Notice {
    /// The notice as it stands, or `None` where there is none that can be read.
    pub fn load(dir: &Path) -> Option<Notice> {
        let text = files::read(&dir.join(NOTICE)).ok()??;
        let value: Value = serde_json::from_str(&text).ok()?;
        let word = |key: &str| value[key].as_str().map(str::to_owned);
        let listeners = value["listeners"].as_array().into_iter().flatten();
        Some(Notice {
            port: u16::try_from(value["port"].as_u64()?).ok()?,
            secret: Secret::new(word("secret")?),
            pid: u32::try_from(value["pid"].as_u64()?).ok()?,
            version: word("version")?,
            mode: match value["mode"].as_str() {
                Some("automatic") => Mode::Automatic,
                _ => Mode::Foreground,
            },
            place: Locality {
                host: word("host")?,
                boot_id: word("boot_id")?,
                network: word("network").unwrap_or_default(),
            },
            listeners: listeners.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        })
    }

    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let value = json!({
            "port": self.port,
            "secret": self.secret.reveal(),
            "pid": self.pid,
            "version": self.version,
            "mode": match self.mode {
                Mode::Automatic => "automatic",
                Mode::Foreground => "foreground",
            },
            "host": self.place.host,
            "boot_id": self.place.boot_id,
            "network": self.place.network,
            "listeners": self.listeners,
        });
        files::replace(&dir.join(NOTICE), &format!("{value}\n"))
    }
}
