//! A small blocking Kafka client: connect, authenticate, call.
//! Never knows: librdkafka, the broker, tokio.

mod connection;
mod error;
mod scram;
mod versions;

pub use connection::Connection;
pub use error::Error;
pub use scram::Login;
