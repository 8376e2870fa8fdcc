//! Bytes to records: split at delimiters, or read as JSON.
//! Never knows: where the bytes come from, where the records go, librdkafka.

mod blocks;
mod delimited;
mod json;

pub use blocks::Splitter;
pub use delimited::Layout;
pub use json::parse;
