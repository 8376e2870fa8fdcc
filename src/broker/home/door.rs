//! The door of a data directory: port and secret of its own listener, kept over restarts.
//! Never knows: how a listener is bound or a client checked.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{DOOR, Error, FORMAT, files};

/// The user name that goes with the secret at this port. SCRAM's proofs cover it: whoever has taken
/// the port of a broker that died cannot pass a client's proof on to the broker that came back at
/// another, to be let in there.
pub fn user(port: u16) -> String {
    format!("kaw@{port}")
}

/// The password of the door. It has no way into a log or an error: its debug form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// None until a listener got one.
    pub port: Option<u16>,
    pub secret: Secret,
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Door {
    /// The directory's door, or `None` where it has none that can be used.
    pub fn load(dir: &Path) -> Result<Option<Door>, Error> {
        let Some(text) = files::read(&dir.join(DOOR))? else {
            return Ok(None);
        };
        // It is written without a sync: after a power loss it may be empty. Nobody who knew the
        // old secret has survived that.
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else {
            return Ok(None);
        };
        if let Some(format) = value["format"].as_u64().filter(|&format| format > u64::from(FORMAT))
        {
            let by = format!("kaw {}", value["version"].as_str().unwrap_or("of a later time"));
            let format = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(Error::Newer { dir: dir.to_owned(), by, format });
        }
        let port = value["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let secret = value["secret"].as_str().filter(|secret| !secret.is_empty());
        Ok(secret.map(|secret| Door { port, secret: Secret::new(secret) }))
    }

    /// A new secret, kept; the port comes with the first listener.
    pub fn make(dir: &Path) -> Result<Door, Error> {
        let door = Door { port: None, secret: Secret(random_word(32)) };
        door.save(dir)?;
        Ok(door)
    }

    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let value = json!({
            "format": FORMAT,
            "version": env!("CARGO_PKG_VERSION"),
            "port": self.port,
            "secret": self.secret.reveal(),
        });
        files::replace(&dir.join(DOOR), &format!("{value}\n"))
    }
}

/// A word of this many random bytes, in letters that need no quoting anywhere.
pub fn random_word(bytes: usize) -> String {
    let mut filled = vec![0; bytes];
    fill(&mut filled);
    URL_SAFE_NO_PAD.encode(filled)
}

pub fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes
}

/// The lowest port that a door takes.
const PORT_MIN: u16 = 16_384;

/// A port below the range out of which the kernel serves outgoing connections, by chance.
pub fn random_port() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let low = range.ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
    let mut bytes = [0; 2];
    fill(&mut bytes);
    port_below(low.unwrap_or(32_768), u16::from_le_bytes(bytes))
}

fn port_below(end: u16, chance: u16) -> u16 {
    // A range that starts as low as this leaves no room.
    let end = if PORT_MIN < end { end } else { u16::MAX };
    PORT_MIN + chance % (end - PORT_MIN)
}

fn fill(bytes: &mut [u8]) {
    let filled = File::open("/dev/urandom").and_then(|mut source| source.read_exact(bytes));
    filled.expect("every Unix has random bytes to give");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_stay_below_the_kernels_own() {
        for chance in [0, 1, 16_383, 16_384, u16::MAX] {
            assert!((PORT_MIN..32_768).contains(&port_below(32_768, chance)), "{chance}");
        }
        assert!(PORT_MIN <= port_below(1_024, 5));
    }
}
