//! What a broker is started with, and what it says when it is ready or cannot start.
//! Never knows: sockets, files.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{home, life};
use crate::record::Uuid;

/// When acks=all answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After fdatasync of each log it touched.
    Fsync,
    /// After the write: safe from kill -9, not from power loss.
    Os,
}

/// An address to listen on without a password, as `--listen` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub host: String,
    pub port: u16,
    /// What Metadata tells clients to connect to; `None` is the host as they would write it.
    pub advertise: Option<(String, u16)>,
}

/// The automatic listener: loopback only, asks who comes for a proof that they know this secret
/// (`auth`), and alone offers the private APIs.
#[derive(Clone)]
pub struct Door {
    /// Wanted again after a restart; 0 or taken: another is picked and reported in `Ready`.
    pub port: u16,
    pub secret: home::Secret,
}

/// Who this directory is, from its meta.properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub node_id: i32,
    /// Usually 22 characters of base64, but Kafka takes any text.
    pub cluster_id: String,
    pub directory_id: Uuid,
}

/// What clients take the broker for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guise {
    OneNode,
    /// A cluster: a node for each of the listeners, with the ids that follow on the identity's.
    NodePerListener,
}

/// A topic to create at start where it is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: Option<i32>,
}

/// Everything a broker needs to know to start. The directory is locked by the caller.
pub struct Options {
    pub data_dir: PathBuf,
    pub identity: Identity,
    /// Empty for the automatic broker, which has only its door.
    pub listeners: Vec<Listener>,
    pub guise: Guise,
    /// On 127.0.0.1. `None` leaves private APIs closed.
    pub door: Option<Door>,
    /// Kafka's broker configs, as `-c K=V` and broker.conf give them; later wins.
    pub settings: Vec<(String, String)>,
    pub durability: Durability,
    pub topics: Vec<TopicSpec>,
    /// How long to stay when nobody is connected; `None`: until told to leave.
    pub linger: Option<Duration>,
    /// The caller removes the directory afterwards.
    pub is_ephemeral: bool,
    /// Takes down the notice of who serves the directory, or puts it up again, as `life::watch`
    /// decides.
    pub plate: Box<dyn FnMut(life::Action) + Send>,
}

/// What listens where, once everything does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// In the order of `Options::listeners`, with real ports where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// Of the automatic listener.
    pub door_port: Option<u16>,
}

/// Why a broker did not start: what, where, what to do.
#[derive(Debug)]
pub enum StartError {
    /// A listener's address could not be bound.
    Listen { address: String, error: std::io::Error },
    /// A broker config that Kafka does not have, or a value that it would not take.
    Setting(String),
    /// The data directory could not be read or written.
    Directory { path: PathBuf, error: std::io::Error },
    /// The data directory holds what this version cannot serve.
    Catalogue(String),
    /// A topic of `--topic` could not be created.
    Topic { name: String, why: String },
    /// The machine refused threads or an event queue.
    System(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen { address, error } => {
                write!(f, "cannot listen on {address} ({error})")
            }
            StartError::Setting(what) => f.write_str(what),
            StartError::Directory { path, error } => {
                write!(f, "cannot use {} ({error})", path.display())
            }
            StartError::Catalogue(what) => f.write_str(what),
            StartError::Topic { name, why } => write!(f, "cannot create topic {name} ({why})"),
            StartError::System(error) => write!(f, "cannot start the broker ({error})"),
        }
    }
}

impl std::error::Error for StartError {}
