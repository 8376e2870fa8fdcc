//! Bytes to records: split at delimiters, matched by a pattern, or read as JSON.
//! Never knows: where the bytes come from, where the records go, librdkafka.

mod blocks;
mod delimited;
mod json;
mod parsed;
mod pattern;

pub use blocks::{LeftOut, Splitter};
pub use delimited::Layout;
pub use json::parse;
pub use parsed::Parsed;
pub use pattern::{Flaw, Pattern};
