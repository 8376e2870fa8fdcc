//! Consumer groups: what they committed, and who is in them.
//! Never knows: sockets.

#![allow(dead_code, reason = "the requests that use it come next")]

mod replay;
pub mod store;
