//! librdkafka, wrapped once: options to config, admin, produce, consume.
//! Never knows: clap, the broker, the log.

pub mod admin;
pub mod bare;
pub mod config;
pub mod consume;
mod error;
pub mod nearest;
pub mod produce;
pub mod raw;
pub mod span;
mod sys;

pub use config::Config;
pub use error::cause;
pub use error::{Code, Error, is_topic_name};
pub use sys::{Complaint, features, properties, version};
