//! Finds, leases or starts the built-in broker of a data directory.
//! Never knows: clap, librdkafka, the broker's insides.

use std::path::{Path, PathBuf};
use std::time::Instant;

mod error;

pub use error::Error;

/// The user name of the directory's own listener; the password is the lease's secret.
pub const USER: &str = crate::broker::home::USER;

/// The data directory whose broker is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub data_dir: PathBuf,
}

/// A stay at the built-in broker: it does not leave before this value is gone. Should it die, it
/// is started again at the same port, by a thread of the lease's own.
pub struct Lease {
    port: u16,
    secret: String,
}

impl Place {
    /// The directory that was typed, or the user's own (`XDG_DATA_HOME`, home).
    pub fn new(typed: Option<&Path>) -> Place {
        let _ = typed;
        unimplemented!()
    }
}

impl Lease {
    /// Of the listener on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The settings with which librdkafka reaches the broker.
    pub fn client_settings(&self) -> [(&'static str, String); 5] {
        [
            ("bootstrap.servers", format!("127.0.0.1:{}", self.port)),
            ("security.protocol", "SASL_PLAINTEXT".to_owned()),
            ("sasl.mechanism", "PLAIN".to_owned()),
            ("sasl.username", USER.to_owned()),
            ("sasl.password", self.secret.clone()),
        ]
    }

    /// Why the broker is gone for good, should it be so: the command then ends with this error.
    /// Cheap enough to be asked every time a command waits for something.
    pub fn broken(&self) -> Option<Error> {
        None
    }
}

/// Finds the broker of a place, or starts it. By the deadline it is there, or this is an error.
pub fn lease(place: &Place, deadline: Instant) -> Result<Lease, Error> {
    let _ = (place, deadline);
    unimplemented!()
}
