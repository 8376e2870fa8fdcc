//! How input becomes records: what was typed about it, and a record out of its bytes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use super::super::Usage;
use super::super::admin::now;
use super::Args;
use crate::client::span;
use crate::input::{self, Flaw, Layout, Parsed, Pattern, Splitter};
use crate::layout;
use crate::record::{Header, Outgoing, PartitionId, Record, Timestamp};

/// How input becomes records.
pub struct Shape {
    kind: Kind,
    /// The key of a record that brings none.
    key: Option<Vec<u8>>,
    /// They come after a record's own.
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// `None` leaves it to the record; `Some(None)` to the partitioner, whatever the record says.
    partition: Option<Option<PartitionId>>,
    timestamp: Option<Timestamp>,
}

enum Kind {
    Delimited(Cut, Layout),
    Matching(Rc<Pattern>),
    Json(Cut),
}

/// Where one record ends and the next begins.
enum Cut {
    After(Vec<u8>),
    /// Each input is one.
    Whole,
}

/// Where bytes were read.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    pub input: &'a str,
    pub at: u64,
}

impl Shape {
    pub fn of(args: &Args) -> Result<Shape, Usage> {
        let timestamp = args.timestamp.as_deref().map(timestamp).transpose()?;
        let key = args.key.as_ref().map(|key| key.as_bytes().to_vec());
        Ok(Shape {
            kind: kind(args)?,
            key: key.filter(|key| !(key.is_empty() && args.empty_is_null)),
            headers: args.headers.iter().map(header).collect(),
            partition: args.partition.map(partition).transpose()?,
            timestamp,
        })
    }

    /// Whether the input says when records were.
    pub fn has_timestamps(&self) -> bool {
        match &self.kind {
            Kind::Json(_) => true,
            Kind::Matching(pattern) => pattern.has_timestamps(),
            Kind::Delimited(..) => false,
        }
    }

    /// Whether an input is one record, to which nothing can be added later.
    pub fn is_whole(&self) -> bool {
        matches!(self.kind, Kind::Delimited(Cut::Whole, _))
    }

    pub fn splitter(&self, record_bytes_max: usize) -> Splitter {
        match &self.kind {
            Kind::Matching(pattern) => Splitter::matching(pattern.clone(), record_bytes_max),
            Kind::Delimited(Cut::After(bytes), _) | Kind::Json(Cut::After(bytes)) => {
                Splitter::new(bytes, record_bytes_max)
            }
            Kind::Delimited(Cut::Whole, _) | Kind::Json(Cut::Whole) => {
                Splitter::whole(record_bytes_max)
            }
        }
    }

    /// Hands on the record that these bytes are, or tells why they are none.
    pub fn read<T>(
        &self,
        bytes: &[u8],
        hand_on: impl FnOnce(&Outgoing<'_>) -> T,
    ) -> Result<T, Flaw> {
        match &self.kind {
            Kind::Delimited(_, layout) => {
                let (key, value) = layout.parse(bytes);
                let record = Record { key, value, headers: &[] };
                let mut headers = Vec::new();
                let outgoing = Outgoing { record, ..Outgoing::default() };
                Ok(hand_on(&self.completed(outgoing, &mut headers)))
            }
            Kind::Matching(pattern) => {
                pattern.read(bytes).map(|parsed| self.hand_on_parsed(&parsed, hand_on))
            }
            Kind::Json(_) => match input::parse(bytes) {
                Ok(parsed) => Ok(self.hand_on_parsed(&parsed, hand_on)),
                // The column, where there is one, counts from here too.
                Err(error) => Err(Flaw { at: 0, why: error.to_string() }),
            },
        }
    }

    fn hand_on_parsed<T>(
        &self,
        parsed: &Parsed<'_>,
        hand_on: impl FnOnce(&Outgoing<'_>) -> T,
    ) -> T {
        let (mut own, mut headers) = (Vec::new(), Vec::new());
        hand_on(&self.completed(parsed.outgoing(&mut own), &mut headers))
    }

    /// With what was typed: partition and timestamp win over what the record says.
    fn completed<'r>(
        &'r self,
        mut outgoing: Outgoing<'r>,
        headers: &'r mut Vec<Header<'r>>,
    ) -> Outgoing<'r> {
        if let Some(partition) = self.partition {
            outgoing.partition = partition;
        }
        outgoing.timestamp = self.timestamp.or(outgoing.timestamp);
        outgoing.record.key = outgoing.record.key.or(self.key.as_deref());
        if !self.headers.is_empty() {
            let typed = self.headers.iter();
            let typed = typed.map(|(name, value)| Header { name, value: value.as_deref() });
            headers.extend(outgoing.record.headers.iter().copied().chain(typed));
            outgoing.record.headers = headers;
        }
        outgoing
    }
}

fn kind(args: &Args) -> Result<Kind, Usage> {
    if let Some(format) = &args.format {
        let pattern = Pattern::parse(format, args.empty_is_null);
        return Ok(Kind::Matching(pattern.map_err(|why| Usage(format!("-f: {why}")))?.into()));
    }
    let cut = match args.whole {
        true => Cut::Whole,
        false => Cut::After(delimiter("-D", &args.delimiter)?),
    };
    if args.json {
        return Ok(Kind::Json(cut));
    }
    let key_delimiter =
        args.key_delimiter.as_deref().map(|key| delimiter("-K", key)).transpose()?;
    Ok(Kind::Delimited(cut, Layout { key_delimiter, empty_is_null: args.empty_is_null }))
}

fn delimiter(option: &str, text: &str) -> Result<Vec<u8>, Usage> {
    match layout::delimiter(text).map_err(|why| Usage(format!("{option}: {why}")))? {
        bytes if bytes.is_empty() => Err(Usage(format!("{option} needs at least one byte"))),
        bytes => Ok(bytes),
    }
}

fn header(text: &OsString) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut parts = text.as_bytes().splitn(2, |&byte| byte == b'=').map(<[u8]>::to_vec);
    (parts.next().unwrap_or_default(), parts.next())
}

fn timestamp(text: &str) -> Result<Timestamp, Usage> {
    match span::time(text, now()).map_err(|why| Usage(format!("--timestamp: {why}")))? {
        Timestamp(..=0) => {
            let why = "--timestamp: librdkafka sends only times after 1970-01-01T00:00Z";
            Err(Usage(why.to_owned()))
        }
        time => Ok(time),
    }
}

fn partition(number: i32) -> Result<Option<PartitionId>, Usage> {
    match number {
        -1 => Ok(None),
        0.. => Ok(Some(PartitionId(number))),
        _ => Err(Usage(format!("-p {number}: partitions count from 0; -1 lets the key decide"))),
    }
}
