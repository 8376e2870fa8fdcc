//! A record that was read out of text. What had to be decoded is owned, the rest borrowed.

use std::borrow::Cow;

use crate::record::{Header, Outgoing, PartitionId, Record, Timestamp};

/// Null and empty differ.
pub type Part<'a> = Option<Cow<'a, [u8]>>;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    pub key: Part<'a>,
    pub value: Part<'a>,
    pub headers: Vec<(Cow<'a, [u8]>, Part<'a>)>,
    pub partition: Option<PartitionId>,
    pub timestamp: Option<Timestamp>,
}

impl Parsed<'_> {
    /// The record, its headers put into `headers`.
    pub fn outgoing<'s>(&'s self, headers: &'s mut Vec<Header<'s>>) -> Outgoing<'s> {
        let of =
            |(name, value): &'s (Cow<'_, [u8]>, Part<'_>)| Header { name, value: value.as_deref() };
        headers.extend(self.headers.iter().map(of));
        Outgoing {
            record: Record { key: self.key.as_deref(), value: self.value.as_deref(), headers },
            partition: self.partition,
            timestamp: self.timestamp,
        }
    }
}

#[cfg(test)]
pub fn shown(parsed: &Parsed<'_>) -> String {
    let part = |part: Option<&[u8]>| {
        part.map_or("null".to_owned(), |bytes| format!("'{}'", bytes.escape_ascii()))
    };
    let mut headers = Vec::new();
    let outgoing = parsed.outgoing(&mut headers);
    let mut text = format!("{} = {}", part(outgoing.record.key), part(outgoing.record.value));
    for header in outgoing.record.headers {
        text += &format!("; {}: {}", header.name.escape_ascii(), part(header.value));
    }
    if let Some(partition) = outgoing.partition {
        text += &format!("; in {partition}");
    }
    if let Some(timestamp) = outgoing.timestamp {
        text += &format!("; at {timestamp}");
    }
    text
}
