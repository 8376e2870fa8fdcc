//! kcat's options, in three steps: `args` cuts the command line as getopt does, `said` lets each
//! take effect or fail where it stands, with the `properties` of files and `-X`, and `meaning` is
//! what all of them say together.

mod args;
mod config_file;
mod delimiter;
mod meaning;
mod properties;
mod said;

use std::env;
use std::num::NonZeroU16;

use super::say::{Ended, Say};
use crate::client::bare::{Kind, Milliseconds, Place, Settings};
use crate::embedded::Lease;
use crate::output::kcat::{Fields, Format};
use said::Said;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Consume,
    Group,
    List,
    /// A cluster of so many nodes.
    Mock(NonZeroU16),
    Produce,
    Query,
}

/// Where a consumer begins; kcat takes a time over an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// librdkafka's own number of it.
    pub offset: Option<i64>,
    pub time_ms: Option<i64>,
}

/// Lines of the input, or whole files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Stdin,
    Lines(String),
    Files(Vec<String>),
}

/// What a command line says, but for the properties.
pub struct Options {
    /// Keeps the built-in broker, where it is that one, for as long as the run lasts.
    _lease: Option<Lease>,
    pub mode: Mode,
    pub say: Say,
    pub debug: bool,
    pub topic: String,
    pub has_topic: bool,
    pub queries: Vec<Place>,
    /// `None` for all, or for the partitioner's choice.
    pub partition: Option<i32>,
    pub group: String,
    /// Words that are no options.
    pub others: Vec<String>,
    pub input: Input,
    pub start: Start,
    pub stop_ms: Option<i64>,
    pub exit_at_end: bool,
    /// None for 0 and below.
    pub count: Option<u64>,
    pub patience: Milliseconds,
    pub delimiter: Vec<u8>,
    pub key_delimiter: Option<Vec<u8>>,
    pub fixed_key: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub empty_is_null: bool,
    pub tee: bool,
    pub unbuffered: bool,
    pub format: Format,
    pub json: bool,
    pub fields: Fields,
}

/// Reads a command line. What it asks to be printed alone has been printed when it ends.
pub fn parse(argv0: &str, words: &[Vec<u8>]) -> Result<(Options, Settings), Ended> {
    // Images whose entry point is kcat get its name as a first word from old examples.
    let words = match words.first().map(Vec::as_slice) {
        Some(b"kcat" | b"kafkacat") => &words[1..],
        _ => words,
    };
    let strict = env::var_os("POSIXLY_CORRECT").is_some();
    let found = args::parse(words, strict);
    let mut said = Said::new(argv0);
    for item in found.options {
        said.take(item)?;
    }
    said.properties.search(&said.say)?;
    if said.properties.is_dump_wanted {
        return Err(said.properties.dump());
    }
    meaning::of(said, &found.others)
}

impl Mode {
    /// Whether it prints records.
    pub fn reads(self) -> bool {
        matches!(self, Mode::Consume | Mode::Group)
    }

    fn letter(self) -> char {
        match self {
            Mode::Consume => 'C',
            Mode::Group => 'G',
            Mode::List => 'L',
            Mode::Mock(_) => 'M',
            Mode::Produce => 'P',
            Mode::Query => 'Q',
        }
    }

    /// Which half of librdkafka it runs on.
    pub fn kind(self) -> Kind {
        if self.reads() { Kind::Consumer } else { Kind::Producer }
    }
}

const NO_AVRO: &str = "This build of kcat lacks Avro/Schema-Registry support";

/// Bytes as librdkafka's C takes them.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
