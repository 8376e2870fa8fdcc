//! What each option says, or how it fails, where it stands on the command line.

use std::num::NonZeroU16;

use super::args::Item;
use super::properties::Properties;
use super::{Mode, NO_AVRO, text};
use crate::client::Code;
use crate::client::bare::Place;
use crate::command::kcat::say::{Ended, Say, fatal, raw};
use crate::command::kcat::usage;
use crate::layout::c_number;
use crate::output::kcat::{Field, Unpack};

/// What the options say, each for itself, in kcat's own numbers.
pub struct Said {
    pub argv0: String,
    pub properties: Properties,
    pub say: Say,
    pub mode: Option<Mode>,
    pub brokers: Option<String>,
    pub topic: Option<String>,
    pub queries: Vec<Place>,
    pub partition: i32,
    pub group: String,
    pub offset: Option<i64>,
    pub start_ms: i64,
    pub stop_ms: i64,
    pub exit_at_end: bool,
    pub count: i64,
    pub timeout_s: i64,
    pub delimiter: Vec<u8>,
    pub key_delimiter: Option<Vec<u8>>,
    pub fixed_key: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub lines: bool,
    pub null: bool,
    pub tee: bool,
    pub unbuffered: bool,
    pub format: Option<Vec<u8>>,
    pub json: bool,
    pub unpack: [Option<Vec<u8>>; 2],
    pub debug: bool,
    pub modern: bool,
}

impl Said {
    pub fn new(argv0: &str) -> Said {
        Said {
            argv0: argv0.to_owned(),
            properties: Properties::new(),
            say: Say { verbosity: 1, exit_on_error: true },
            mode: None,
            brokers: None,
            topic: None,
            queries: Vec::new(),
            partition: -1,
            group: String::new(),
            offset: None,
            start_ms: 0,
            stop_ms: 0,
            exit_at_end: false,
            count: 0,
            timeout_s: 5,
            delimiter: b"\n".to_vec(),
            key_delimiter: None,
            fixed_key: None,
            headers: Vec::new(),
            lines: false,
            null: false,
            tee: false,
            unbuffered: false,
            format: None,
            json: false,
            unpack: [None, None],
            debug: false,
            modern: false,
        }
    }

    /// A mistake, with all of the usage.
    pub fn wrong(&self, why: &str) -> Ended {
        raw(&usage::wrong(&self.argv0, why));
        Ended::With(1)
    }

    /// A flat table of kcat's letters.
    pub fn take(&mut self, item: Item) -> Result<(), Ended> {
        let Item::Option(letter, word) = item else { return Err(self.wrong("unknown argument")) };
        let number = || c_number::signed(&word, 10).0;
        match letter {
            b'P' => self.choose(Mode::Produce)?,
            b'C' => self.choose(Mode::Consume)?,
            b'L' => self.choose(Mode::List)?,
            b'Q' => self.choose(Mode::Query)?,
            b'M' => self.choose(Mode::Mock(nodes(number() as i32).map_err(Ended::Fatal)?))?,
            b'G' => {
                self.choose(Mode::Group)?;
                self.group = text(&word);
                self.properties.set("group.id", &word)?;
            }
            b't' if self.mode == Some(Mode::Query) => {
                self.queries.push(query(&word).map_err(Ended::Fatal)?);
                self.modern = true;
            }
            b't' => self.topic = Some(text(&word)),
            b'p' => self.partition = number() as i32,
            b'b' => {
                self.brokers = Some(text(&word));
                self.properties.names_brokers = true;
            }
            b'z' => self.properties.set("compression.codec", &word)?,
            b'o' => self.start_or_stop(&word),
            b'e' => self.exit_at_end = true,
            b'E' => self.say.exit_on_error = false,
            b'f' => self.format = Some(word),
            b'J' => self.json = true,
            b's' => self.unpack(&word)?,
            b'r' => return fatal(NO_AVRO),
            b'D' => self.delimiter = word,
            b'K' => self.key_delimiter = Some(word),
            b'k' => self.fixed_key = Some(word),
            b'H' => self.headers.push(header(&word).map_err(Ended::Fatal)?),
            b'l' => self.lines = true,
            b'O' => {}
            b'c' => self.count = number(),
            b'm' => self.timeout_s = number(),
            b'Z' => self.null = true,
            b'd' => {
                self.debug = true;
                self.properties.set("debug", &word)?;
            }
            b'q' => self.say.verbosity = 0,
            b'v' => self.say.verbosity += 1,
            b'T' => self.tee = true,
            b'u' => self.unbuffered = true,
            b'F' => self.properties.file(&word, &self.say)?,
            b'X' => self.properties.property(&word, &self.say)?,
            b'U' => return Err(Ended::With(0)),
            b'V' => return Err(usage::print(&usage::version())),
            b'h' => return Err(usage::print(&usage::help(&self.argv0))),
            _ => return Err(self.wrong("unknown argument")),
        }
        Ok(())
    }

    /// The last one holds, in kcat 1.7.1; its successor, which has `-M`, takes but one.
    fn choose(&mut self, mode: Mode) -> Result<(), Ended> {
        let is_mock = |mode| matches!(mode, Mode::Mock(_));
        match self.mode {
            Some(other) if is_mock(mode) != is_mock(other) => {
                let (new, old) = (mode.letter(), other.letter());
                fatal(format!("Do not mix modes: -{new} seen when -{old} already set"))
            }
            _ => {
                self.mode = Some(mode);
                Ok(())
            }
        }
    }

    fn start_or_stop(&mut self, word: &[u8]) {
        const END: i64 = -1;
        const BEGINNING: i64 = -2;
        const STORED: i64 = -1000;
        const TAIL: i64 = -2000;
        let number = |word| c_number::signed(word, 10).0;
        match word {
            b"end" => self.offset = Some(END),
            b"beginning" => self.offset = Some(BEGINNING),
            b"stored" => self.offset = Some(STORED),
            [b's', b'@', time @ ..] => {
                self.start_ms = number(time);
                self.modern = true;
            }
            [b'e', b'@', time @ ..] => {
                self.stop_ms = number(time);
                self.modern = true;
            }
            word => {
                let offset = number(word);
                self.offset = Some(if offset < 0 { TAIL.wrapping_add(offset) } else { offset });
            }
        }
    }

    fn unpack(&mut self, word: &[u8]) -> Result<(), Ended> {
        let (fields, letters): (&[Field], _) = match word {
            [b'k', b'e', b'y', b'=', letters @ ..] => (&[Field::Key], letters),
            [b'v', b'a', b'l', b'u', b'e', b'=', letters @ ..] => (&[Field::Value], letters),
            letters => (&[Field::Key, Field::Value], letters),
        };
        for &field in fields {
            if letters != b"avro" {
                Unpack::parse(field, letters).map_err(Ended::Fatal)?;
            }
            self.unpack[field as usize] = Some(letters.to_vec());
        }
        Ok(())
    }
}

/// How many brokers `-M` is to show.
fn nodes(count: i32) -> Result<NonZeroU16, String> {
    if count <= 0 {
        return Err("-M <broker_cnt> expected".to_owned());
    }
    let nodes = u16::try_from(count).ok().and_then(NonZeroU16::new);
    nodes.ok_or_else(|| {
        format!("Failed to create mock cluster: there are no {count} ports for its brokers")
    })
}

/// `NAME=VALUE`, or `NAME` alone for one without a value.
fn header(word: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), String> {
    let at = word.iter().position(|byte| *byte == b'=');
    match at {
        Some(0) => {}
        None if word.is_empty() => {}
        None => return Ok((word.to_vec(), None)),
        Some(at) => return Ok((word[..at].to_vec(), Some(word[at + 1..].to_vec()))),
    }
    Err("Expected -H \"name=value..\" or -H \"name\"".to_owned())
}

/// `TOPIC:PARTITION:TIME`, with numbers in C's notation.
fn query(word: &[u8]) -> Result<Place, String> {
    let wrong = || "-t: expected \"topic:partition:offset_or_timestamp\"".to_owned();
    let mut parts = word.splitn(3, |byte| *byte == b':');
    let (Some(topic), Some(partition), Some(time)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let (partition, partition_bytes) = c_number::unsigned(partition, 0);
    let (offset, offset_bytes) = c_number::signed(time, 0);
    if partition_bytes == 0 || offset_bytes == 0 {
        return Err(wrong());
    }
    Ok(Place { topic: text(topic), partition: partition as i32, offset, code: Code::NONE })
}
