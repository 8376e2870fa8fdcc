//! Finds, leases or starts the built-in broker of a data directory.
//! Never knows: clap, librdkafka, the broker's insides (of `broker` it uses `home` alone, the
//! files that both sides of a data directory read).

mod control;
mod ephemeral;
mod error;
mod keeper;
mod place;
mod report;
mod seek;
mod start;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

pub use control::Control;
pub use ephemeral::Ephemeral;
pub use error::Error;
pub use place::Place;
pub use report::Report;
pub use start::{BEAT, Kind, WORDS};

pub use crate::protocol::private::StatusResponse as Status;

use crate::broker::home::{self, Mode};
use crate::record::Timestamp;
use keeper::Keeper;

/// A broker on this machine that takes longer to say how it is has other worries.
const ASKING: Duration = Duration::from_secs(1);

/// A stay at the built-in broker: it does not leave before this value is gone. Should it die, it
/// is started again at the same port, by a thread of the lease's own.
pub struct Lease {
    log: Option<PathBuf>,
    port: u16,
    secret: String,
    keeper: Keeper,
    /// Where this command started the broker.
    started: Option<Started>,
}

/// When the broker was ready, and who hears of its troubles since then.
#[derive(Clone, Copy)]
struct Started {
    at: Timestamp,
    tell: fn(&str),
}

impl Lease {
    /// The settings with which librdkafka reaches the broker. Its SCRAM checks the server too
    /// (rd_kafka_sasl_scram_handle_server_final_message).
    pub fn client_settings(&self) -> [(&'static str, String); 5] {
        [
            ("bootstrap.servers", format!("127.0.0.1:{}", self.port)),
            ("security.protocol", "SASL_PLAINTEXT".to_owned()),
            ("sasl.mechanism", "SCRAM-SHA-256".to_owned()),
            ("sasl.username", home::user(self.port)),
            ("sasl.password", self.secret.clone()),
        ]
    }

    /// The file in which the broker logs, if that is one.
    pub fn log(&self) -> Option<PathBuf> {
        self.log.clone()
    }

    /// Why the broker is gone for good, should it be so: the command then ends with this error.
    /// Cheap enough to be asked every time a command waits for something.
    pub fn broken(&self) -> Option<Error> {
        self.keeper.broken()
    }

    /// The last error that the broker logged, if that was after `since`: it is asked now.
    pub fn trouble(&self, since: Timestamp) -> Option<String> {
        let deadline = Instant::now() + ASKING;
        let status = Control::at(self.port, &self.secret, deadline).ok()?.status().ok()?;
        let is_new = since <= status.trouble_at;
        status.trouble.filter(|_| is_new).map(|trouble| trouble.to_string())
    }
}

/// Logs are opened when they are needed: whoever started the broker hears also of what it found
/// then.
impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(Started { at, tell }), Some(log)) = (self.started, &self.log) else { return };
        if let Some(trouble) = self.trouble(at) {
            tell(&format!("the broker had trouble: {trouble} (see {})", log.display()));
        }
    }
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// Finds the broker of a place, or starts it: within the place's patience, or this is an error.
pub fn lease(place: &Place) -> Result<Lease, Error> {
    let stay = seek::seek(place, Instant::now() + place.patience)?;
    let (port, secret) = (stay.port, stay.secret.clone());
    // A user's own broker logs wherever the user wants.
    let log = (stay.mode == Mode::Automatic).then(|| place.data_dir.join(home::LOG));
    let started = stay.child.is_some().then(|| Started { at: now(), tell: place.tell });
    let keeper = Keeper::start(place.clone(), stay)?;
    Ok(Lease { log, port, secret, keeper, started })
}
