//! `kaw bench`: plan, schedule, workloads, verification, measurement, reports.
//! Never knows: clap, the broker. The log engine is known to one workload alone.

mod batches;
pub mod compare;
mod disk;
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
pub mod search;
mod statistics;
mod topic;
mod verify;
pub mod workload;

pub use run::{Bench, Findings, measure_log};
pub use topic::Topic;

use std::path::PathBuf;
use std::process::ExitStatus;
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
    /// The log engine said no.
    Log(Box<dyn std::error::Error + Send + Sync>),
    /// A process of the run's own ended when it should not have, or badly.
    Ended {
        command: &'static str,
        status: ExitStatus,
    },
    /// It was ended from outside.
    Stopped,
}

impl Error {
    fn log(error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Log(Box::new(error))
    }
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
            Error::Log(error) => write!(f, "the log: {error}"),
            Error::Ended { command, status } => write!(f, "kaw {command} ended ({status})"),
            Error::System(error) => write!(f, "cannot measure ({error})"),
            Error::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Error {}
