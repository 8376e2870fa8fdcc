//! The built-in broker: Kafka's protocol over the log engine.
//! Never knows: librdkafka, clap, the wire client.
//!
//! Lock order: topics → partition → waiters. No lock is held across `.await` or a sync.

pub mod detach;
pub mod home;
pub mod life;
mod options;
mod server;

pub use options::{Door, Durability, Identity, Listener, Options, Ready, StartError, TopicSpec};
pub use server::{Census, ServerHandle};

/// Serves until it is told to leave: by a signal, by the private Leave request on the door, or by
/// the rules of `life`. `on_ready` is called once, when every listener accepts connections.
pub fn run(options: Options, on_ready: impl FnOnce(&Ready)) -> Result<(), StartError> {
    server::run(options, on_ready)
}
