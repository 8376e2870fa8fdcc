//! kcat's help and version; what they say of this build is true.

use std::io::{ErrorKind, Write};

use super::say::Ended;
use crate::client::{bare, features, version as librdkafka_version};
use crate::command::stdio::Stdout;

/// kcat's own text after its head, byte for byte.
const OPTIONS: &str = include_str!("usage.txt");

pub fn help(argv0: &str) -> String {
    let options = OPTIONS.replace("{contexts}", bare::debug_contexts());
    format!("Usage: {argv0} <options> [file1 file2 .. | topic1 topic2 ..]]\n{}{options}", version())
}

/// As `help`, after what is wrong.
pub fn wrong(argv0: &str, why: &str) -> String {
    format!("Error: {why}\n\n{}", help(argv0))
}

pub fn version() -> String {
    format!(
        "kcat - Apache Kafka producer and consumer tool\n\
         https://github.com/edenhill/kcat\n\
         Copyright (c) 2014-2021, Magnus Edenhill\n\
         Version 1.7.1 (JSON, Transactions, IncrementalAssign, librdkafka {} builtin.features={})\n\
         \n",
        librdkafka_version(),
        features().join(",")
    )
}

/// As a shell shows SIGPIPE, which kcat takes in its own hands only when it starts a client.
const PIPE_BROKEN: u8 = 141;

/// Prints a text, and ends well: what cannot be printed is nobody's loss.
pub fn print(text: &str) -> Ended {
    let written = Stdout::open().map(|mut stdout| stdout.write_all(text.as_bytes()));
    match written {
        Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ended::With(PIPE_BROKEN),
        _ => Ended::With(0),
    }
}
