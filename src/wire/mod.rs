//! A small blocking Kafka client: connect, TLS, authenticate, call.
//! Never knows: librdkafka, the broker, tokio.

mod access;
mod batches;
mod chart;
mod connection;
mod error;
mod log_dirs;
mod pipeline;
mod scram;
mod stream;
mod tls;
mod versions;

pub use access::{Access, Account, Mechanism};
pub use batches::Fetched;
pub use chart::Chart;
pub use connection::Connection;
pub use error::Error;
pub use log_dirs::Sizes;
pub use pipeline::{Acks, Answer, Pipeline};
pub use scram::Login;
pub use tls::{Names, Tls};
