//! The built-in broker: Kafka's protocol over the log engine.
//! Never knows: librdkafka, clap, the wire client.
//!
//! Lock order: groups → group → catalogue → topics → unended → books → checkpointing → partition →
//! group commit or waiters; and `written`, of what the files at the top of the data directory say,
//! before topics. No lock is held across `.await`, and none across a sync but those that order
//! syncs: `checkpointing`, so that the checkpoints of a log end as they began, `written`, and
//! `unended`, under which a log's transactions are ended, whose verdict must be durable before.
//! A partition that is just being opened is not ready before it is: it may sync what it mends.
//! `books` is held while the partitions of `__transaction_state` are read, which ask no others.

mod api;
mod auth;
mod cluster;
mod config;
mod connection;
pub mod detach;
mod fetch_session;
mod group;
pub mod home;
mod journal;
pub mod life;
mod node;
mod options;
mod server;
mod session;
mod topic;

use std::path::Path;

pub use config::{broker_configs, topic_configs};
pub use journal::{Journal, Troubles};
pub use options::{
    Door, Durability, Guise, Identity, Listener, Options, Ready, StartError, TopicSpec,
};
pub use server::{Census, ServerHandle};
pub use topic::catalogue::mend::Plan;

/// Whether a broker can serve this directory, which may be another's, as far as can be told before
/// anything is written to it; a new one can be served.
pub fn check(data_dir: &Path) -> Result<(), StartError> {
    let broken = |error: String| StartError::Catalogue(error);
    match Identity::load(data_dir).map_err(|error| broken(error.to_string()))? {
        Some(identity) => {
            topic::check(data_dir, &identity).map_err(|error| broken(error.to_string()))
        }
        None => Ok(()),
    }
}

/// Serves until it is told to leave: by a signal, by the private Leave request on the door, or by
/// the rules of `life`. `on_ready` is called once, when every listener accepts connections.
pub fn run(options: Options, on_ready: impl FnOnce(&Ready)) -> Result<(), StartError> {
    server::run(options, on_ready)
}
