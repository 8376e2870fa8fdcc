//! kcat's format language: a text with tokens, printed once a record.

use super::{escape, number};
use crate::record::{Delivered, Header};

/// A parsed format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    null: Null,
}

/// What a null key or value prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    Nothing,
    Word,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Key,
    KeyLength,
    Value,
    ValueLength,
    ValueLengthBinary,
    Headers,
    Timestamp,
    Topic,
    Partition,
    Offset,
}

impl Template {
    /// Parses a format; the error says which token is unknown.
    pub fn parse(format: &str, null: Null) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            push_literal(&escape::unescape(&rest[..at]), &mut pieces);
            let token = rest[at + 1..].chars().next();
            match piece(token) {
                Some(piece) => pieces.push(piece),
                None if token == Some('%') => push_literal(b"%", &mut pieces),
                None => return Err(unknown(token)),
            }
            rest = &rest[at + 1 + token.map_or(0, char::len_utf8)..];
        }
        push_literal(&escape::unescape(rest), &mut pieces);
        Ok(Template { pieces, null })
    }

    /// The key (if `key_end` is given, followed by it) and the value followed by `value_end`.
    pub fn delimited(key_end: Option<Vec<u8>>, value_end: Vec<u8>, null: Null) -> Template {
        let mut pieces = Vec::new();
        if let Some(end) = key_end {
            pieces.push(Piece::Key);
            push_literal(&end, &mut pieces);
        }
        pieces.push(Piece::Value);
        push_literal(&value_end, &mut pieces);
        Template { pieces, null }
    }

    pub fn needs_headers(&self) -> bool {
        self.pieces.contains(&Piece::Headers)
    }

    /// Appends one record to `out`.
    pub fn print(&self, delivered: &Delivered<'_>, out: &mut Vec<u8>) {
        let record = &delivered.record;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::Key => self.push_bytes(record.key, out),
                Piece::KeyLength => number::push(length(record.key), out),
                Piece::Value => self.push_bytes(record.value, out),
                Piece::ValueLength => number::push(length(record.value), out),
                Piece::ValueLengthBinary => {
                    // No record is longer than an i32: its size on the wire is one.
                    out.extend_from_slice(&(length(record.value) as i32).to_be_bytes());
                }
                Piece::Headers => push_headers(record.headers, out),
                Piece::Timestamp => {
                    number::push(delivered.timestamp.map_or(-1, |(_, time)| time.get()), out);
                }
                Piece::Topic => out.extend_from_slice(delivered.topic.as_bytes()),
                Piece::Partition => number::push(delivered.partition.get().into(), out),
                Piece::Offset => number::push(delivered.offset.get(), out),
            }
        }
    }

    fn push_bytes(&self, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
        match (bytes, self.null) {
            (Some(bytes), _) => out.extend_from_slice(bytes),
            (None, Null::Word) => out.extend_from_slice(b"NULL"),
            (None, Null::Nothing) => {}
        }
    }
}

fn piece(token: Option<char>) -> Option<Piece> {
    Some(match token? {
        's' => Piece::Value,
        'S' => Piece::ValueLength,
        'R' => Piece::ValueLengthBinary,
        'k' => Piece::Key,
        'K' => Piece::KeyLength,
        'T' => Piece::Timestamp,
        'h' => Piece::Headers,
        't' => Piece::Topic,
        'p' => Piece::Partition,
        'o' => Piece::Offset,
        _ => return None,
    })
}

fn unknown(token: Option<char>) -> String {
    const KNOWN: &str = "use %s %S %R %k %K %T %h %t %p %o or %%";
    match token {
        Some(token) => format!("'%{token}' is not a token; {KNOWN}"),
        None => format!("the format ends in a single %; {KNOWN}"),
    }
}

/// Appends bytes that print as they are, to the literal before them if there is one.
fn push_literal(bytes: &[u8], pieces: &mut Vec<Piece>) {
    match pieces.last_mut() {
        _ if bytes.is_empty() => {}
        Some(Piece::Literal(before)) => before.extend_from_slice(bytes),
        _ => pieces.push(Piece::Literal(bytes.to_vec())),
    }
}

/// The length as kcat prints it: -1 is null.
fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| bytes.len() as i64)
}

/// `name=value,name=value`; a null value is the word NULL whatever `-Z` says, as in kcat.
fn push_headers(headers: &[Header<'_>], out: &mut Vec<u8>) {
    for (index, header) in headers.iter().enumerate() {
        if 0 < index {
            out.push(b',');
        }
        out.extend_from_slice(header.name);
        out.push(b'=');
        out.extend_from_slice(header.value.unwrap_or(b"NULL"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Offset, PartitionId, Record, Timestamp, TimestampType};

    const HEADERS: &[Header<'_>] = &[
        Header { name: b"a", value: Some(b"1") },
        Header { name: b"a", value: None },
        Header { name: b"\xff", value: Some(b"") },
    ];

    fn delivered<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Delivered<'a> {
        Delivered {
            topic: "orders",
            partition: PartitionId(3),
            offset: Offset(42),
            timestamp: Some((TimestampType::CreateTime, Timestamp(1_700_000_000_123))),
            leader_epoch: None,
            record: Record { key, value, headers: HEADERS },
        }
    }

    #[track_caller]
    fn check(format: &str, want: &[u8]) {
        let template = Template::parse(format, Null::Nothing).unwrap();
        let mut out = Vec::new();
        template.print(&delivered(Some(b"k\0"), Some(b"v\xfe\n")), &mut out);
        assert_eq!(out, want, "{format}");
    }

    #[track_caller]
    fn check_null(format: &str, null: Null, want: &[u8]) {
        let template = Template::parse(format, null).unwrap();
        let mut out = Vec::new();
        template.print(&delivered(None, None), &mut out);
        assert_eq!(out, want, "{format}");
    }

    #[test]
    fn tokens_are_those_of_kcat() {
        check("", b"");
        check("%s", b"v\xfe\n");
        check("%k=%s;", b"k\0=v\xfe\n;");
        check("%K %S", b"2 3");
        check("%R%s", b"\0\0\0\x03v\xfe\n");
        check("%t [%p] %o@%T\\n", b"orders [3] 42@1700000000123\n");
        check("%h", b"a=1,a=NULL,\xff=");
        check("100%%s", b"100%s");
        check("%%%%", b"%%");
        check("ü%p\\x00", b"\xc3\xbc3\0");
    }

    #[test]
    fn null_prints_nothing_or_a_word() {
        check_null("<%k|%s>", Null::Nothing, b"<|>");
        check_null("<%k|%s>", Null::Word, b"<NULL|NULL>");
        check_null("%K %S %R", Null::Word, b"-1 -1 \xff\xff\xff\xff");
    }

    #[test]
    fn empty_is_not_null() {
        let template = Template::parse("%k|%K|%s|%S", Null::Word).unwrap();
        let mut out = Vec::new();
        template.print(&delivered(Some(b""), Some(b"")), &mut out);
        assert_eq!(out, b"|0||0");
    }

    #[test]
    fn a_record_without_a_timestamp_prints_minus_one() {
        let template = Template::parse("%T", Null::Nothing).unwrap();
        let mut out = Vec::new();
        template.print(&Delivered { timestamp: None, ..delivered(None, None) }, &mut out);
        assert_eq!(out, b"-1");
    }

    #[test]
    fn delimiters_make_a_template() {
        let same = |key_end: Option<&[u8]>, end: &[u8], format: &str| {
            let made =
                Template::delimited(key_end.map(<[u8]>::to_vec), end.to_vec(), Null::Nothing);
            assert_eq!(Ok(made), Template::parse(format, Null::Nothing), "{format}");
        };
        same(None, b"\n", "%s\\n");
        same(None, b"", "%s");
        same(Some(b":"), b"\0", "%k:%s\\0");
        same(Some(b""), b"%", "%k%s%%");
    }

    #[test]
    fn unknown_tokens_are_named() {
        let error = |format| Template::parse(format, Null::Nothing).unwrap_err();
        let known = "use %s %S %R %k %K %T %h %t %p %o or %%";
        assert_eq!(error("%x"), format!("'%x' is not a token; {known}"));
        assert_eq!(error("%ü"), format!("'%ü' is not a token; {known}"));
        assert_eq!(error("a%"), format!("the format ends in a single %; {known}"));
    }
}
