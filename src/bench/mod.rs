//! `kaw bench`: plan, schedule, workloads, verification, measurement, reports.
//! Never knows: clap, the broker, the log.

mod batches;
pub mod gate;
pub mod host;
mod measure;
mod metric;
pub mod payload;
pub mod plan;
mod process;
pub mod report;
mod run;
mod schedule;
mod statistics;
mod topic;
mod verify;
pub mod workload;

pub use run::{Bench, Findings};
pub use topic::Topic;

use std::path::PathBuf;
use std::{fmt, io};

use crate::{client, wire};

/// Why there is no result.
#[derive(Debug)]
pub enum Error {
    /// Kafka or librdkafka said no.
    Client(client::Error),
    /// The same, to our own client.
    Wire(wire::Error),
    /// The file that payloads are cut from.
    Payload {
        path: PathBuf,
        error: io::Error,
    },
    PayloadEmpty {
        path: PathBuf,
    },
    System(io::Error),
    /// It was ended from outside.
    Stopped,
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Error {
        Error::Client(error)
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Error {
        Error::Wire(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Client(error) => error.fmt(f),
            Error::Wire(error) => error.fmt(f),
            Error::Payload { path, error } => {
                write!(f, "cannot read {} for --payload ({error})", path.display())
            }
            Error::PayloadEmpty { path } => {
                write!(f, "{} is empty; --payload needs a byte at least", path.display())
            }
            Error::System(error) => write!(f, "cannot measure ({error})"),
            Error::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Error {}
