//! kaw: a command-line toolkit for Kafka with a light broker inside.
//!
//! The map of the code; arrows point one way and `tidy.rs` holds them:
//!
//! ```text
//! command → {input, output, client, embedded, bench, broker, backup, log}
//!         → {wire} → {protocol, log} → record
//! ```
//!
//! - `command` turns words into values, one file a subcommand; it alone knows clap and tables.
//! - `input` and `output` are pure: bytes to records and back; `layout` has the words of formats.
//! - `client` alone knows librdkafka. `wire` is a small Kafka client of our own, for control and
//!   for what librdkafka lacks.
//! - `embedded` finds, leases or starts the built-in broker, always another process.
//! - `broker` serves Kafka's protocol over `log`, the durable log of one partition.
//! - `backup` knows the files of a backup, and nothing of clusters.
//! - `protocol` and `record` do no I/O.
//!
//! stdout carries data only; errors are one line on stderr that starts with `kaw: `.

mod backup;
mod bench;
mod broker;
mod client;
mod command;
mod embedded;
mod input;
mod layout;
mod log;
mod output;
mod protocol;
mod quantity;
mod record;
#[cfg(test)]
mod tidy;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
