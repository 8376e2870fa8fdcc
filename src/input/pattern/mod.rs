//! The reading language of `produce -f`: franz-go's, with kcat's names for the same things.
//!
//! A pattern is a row of steps. `scan` finds where a record ends and what its parts are; from then
//! on a part that cannot be decoded costs its record alone. Where that cannot be found, nothing
//! after it can be read.

mod decode;
mod parse;
mod scan;

use regex::bytes::Regex;

use super::parsed::Parsed;
use crate::layout::Number;

/// A parsed format.
#[derive(Clone, Debug)]
pub struct Pattern {
    steps: Vec<Step>,
    pub empty_is_null: bool,
}

#[derive(Clone, Debug)]
enum Step {
    /// These bytes and no others.
    Exact(Vec<u8>),
    Number {
        letter: char,
        quantity: Quantity,
        form: Number,
    },
    /// A size that is the same in every record.
    Fixed(Quantity, i64),
    Text {
        letter: char,
        field: Field,
        until: Until,
        form: Form,
    },
    /// As many times as `%H` said.
    Headers(Vec<Step>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Size(Field),
    HeaderCount,
    Partition,
    Timestamp,
    /// It belongs to where the record was.
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Topic,
    Key,
    Value,
}

/// How far a text goes.
#[derive(Clone, Debug)]
enum Until {
    /// As far as the size says that was read before it.
    Size,
    Delimiter(Vec<u8>),
    /// The end of the input.
    End,
    /// The end of one JSON value.
    Json,
    Regex(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Hex,
    Base64,
    Json,
}

/// What is wrong with a record, and at which of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub at: usize,
    pub why: String,
}

/// Why no record was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// It needs so many bytes, or more.
    More(usize),
    Flaw(Flaw),
}

/// Where the bytes at hand end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// More may come.
    Open,
    /// Nothing comes after them.
    Closed,
}

impl Pattern {
    /// Parses a format; the error says which token is wrong.
    pub fn parse(format: &str, empty_is_null: bool) -> Result<Pattern, String> {
        Ok(Pattern { steps: parse::parse(format)?, empty_is_null })
    }

    /// Whether a record says when it was.
    pub fn has_timestamps(&self) -> bool {
        let is_time =
            |step: &Step| matches!(step, Step::Number { quantity: Quantity::Timestamp, .. });
        self.steps.iter().any(is_time)
    }

    /// How many bytes the first record has.
    pub fn length(&self, bytes: &[u8], edge: Edge) -> Result<usize, Stop> {
        scan::scan(&self.steps, bytes, edge).map(|(_, length)| length)
    }

    /// The one record that these bytes are.
    pub fn read<'a>(&self, bytes: &'a [u8]) -> Result<Parsed<'a>, Flaw> {
        match scan::scan(&self.steps, bytes, Edge::Closed) {
            Ok((raw, _)) => decode::decode(&raw, self.empty_is_null),
            Err(Stop::Flaw(flaw)) => Err(flaw),
            Err(Stop::More(_)) => unreachable!("nothing comes after a closed edge"),
        }
    }
}

impl Field {
    fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests;
