//! Records as kcat 1.7.1 prints them, byte for byte: its format strings and its JSON.
//! Never knows: where records come from, or kcat's options.

mod format;
pub mod json;
mod unpack;

pub use format::{Failure, Fields, Format};
pub use unpack::{Field, Unpack};

use crate::record::Delivered;

/// A record with the node id of the broker that it was fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched<'a> {
    pub record: Delivered<'a>,
    pub broker: i32,
}
