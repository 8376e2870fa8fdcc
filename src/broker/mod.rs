//! The built-in broker: Kafka's protocol over the log engine.
//! Never knows: librdkafka, clap, the wire client.
//!
//! Lock order: groups → group → catalogue → topics → partition → group commit or waiters. No lock
//! is held across `.await` or a sync.

mod api;
mod auth;
mod cluster;
mod config;
mod connection;
pub mod detach;
mod fetch_session;
mod group;
pub mod home;
pub mod life;
mod node;
mod options;
mod server;
mod session;
mod topic;

pub use config::{broker_configs, topic_configs};
pub use options::{
    Door, Durability, Guise, Identity, Listener, Options, Ready, StartError, TopicSpec,
};
pub use server::{Census, ServerHandle};

/// Serves until it is told to leave: by a signal, by the private Leave request on the door, or by
/// the rules of `life`. `on_ready` is called once, when every listener accepts connections.
pub fn run(options: Options, on_ready: impl FnOnce(&Ready)) -> Result<(), StartError> {
    server::run(options, on_ready)
}
