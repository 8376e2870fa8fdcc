//! kcat's `-f`: tokens and text, with all that kcat makes of them.

use super::{Fetched, Field, Unpack};
use crate::layout::c_number;
use crate::output::number;
use crate::record::Record;

/// `KC_FMT_MAX_SIZE` of kcat.
const PIECES_MAX: usize = 128;

/// A parsed format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Offset,
    Key,
    KeyLength,
    Value,
    ValueLength,
    ValueLengthBinary,
    Topic,
    Partition,
    Timestamp,
    Headers,
}

/// How keys and values are printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    pub unpack_key: Option<Unpack>,
    pub unpack_value: Option<Unpack>,
    /// Stands for what is null, and for what is empty.
    pub null: Option<&'static [u8]>,
}

/// Why a record was not printed to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Unpack(String),
    /// kcat takes the write of no byte for one that failed.
    NothingWritten,
}

impl Format {
    pub fn parse(format: &[u8]) -> Result<Format, String> {
        let mut pieces = Vec::new();
        let mut rest = format;
        while !rest.is_empty() {
            let at = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            if 0 < at {
                add(&mut pieces, Piece::Text(unescaped(&rest[..at])))?;
            }
            let Some(after) = rest.get(at + 1..) else { break };
            let (&token, after) = after.split_first().ok_or("Empty formatter")?;
            add(&mut pieces, Piece::of(token)?)?;
            rest = after;
        }
        Ok(Format(pieces))
    }

    /// Whether it needs brokers that know times and headers.
    pub fn is_modern(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Timestamp | Piece::Headers))
    }

    pub fn needs_headers(&self) -> bool {
        self.0.contains(&Piece::Headers)
    }

    /// What ends an object of JSON: a text that the format begins with.
    pub fn first_text(&self) -> &[u8] {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => b"",
        }
    }

    /// Appends a record; what came before a failure stays.
    pub fn print(
        &self,
        fetched: &Fetched<'_>,
        fields: &Fields,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let of = &fetched.record;
        let Record { key, value, headers } = of.record;
        for piece in &self.0 {
            match piece {
                Piece::Text(text) if text.is_empty() => return Err(Failure::NothingWritten),
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Key => print_field(Field::Key, key, fields, out)?,
                Piece::Value => print_field(Field::Value, value, fields, out)?,
                Piece::Topic => out.extend_from_slice(of.topic.as_bytes()),
                Piece::Offset => number::push(of.offset.get(), out),
                Piece::Partition => number::push(of.partition.get().into(), out),
                Piece::KeyLength => number::push(length(key), out),
                Piece::ValueLength => number::push(length(value), out),
                Piece::ValueLengthBinary => {
                    out.extend_from_slice(&(length(value) as i32).to_be_bytes());
                }
                Piece::Timestamp => {
                    number::push(of.timestamp.map_or(-1, |(_, time)| time.get()), out)
                }
                Piece::Headers => {
                    for (index, header) in headers.iter().enumerate() {
                        if 0 < index {
                            out.push(b',');
                        }
                        out.extend_from_slice(header.name);
                        out.push(b'=');
                        // As text of C, which ends at a NUL.
                        let value = header.value.unwrap_or(b"NULL");
                        out.extend(value.iter().take_while(|byte| **byte != 0));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Piece {
    fn of(token: u8) -> Result<Piece, String> {
        Ok(match token {
            b'o' => Piece::Offset,
            b'k' => Piece::Key,
            b'K' => Piece::KeyLength,
            b's' => Piece::Value,
            b'S' => Piece::ValueLength,
            b'R' => Piece::ValueLengthBinary,
            b't' => Piece::Topic,
            b'p' => Piece::Partition,
            b'T' => Piece::Timestamp,
            b'h' => Piece::Headers,
            b'%' => Piece::Text(b"%".to_vec()),
            _ => return Err(format!("Unsupported formatter: %{}", char::from(token))),
        })
    }
}

fn add(pieces: &mut Vec<Piece>, piece: Piece) -> Result<(), String> {
    if pieces.len() == PIECES_MAX {
        return Err(format!("Too many formatters & strings (KC_FMT_MAX_SIZE={PIECES_MAX})"));
    }
    pieces.push(piece);
    Ok(())
}

/// Text with its escapes read as kcat does: digits are a number in C's notation, `\x` takes a
/// number only where a decimal digit begins it, and a NUL ends the text.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        let Some(&next) = text.get(at).filter(|_| byte == b'\\') else {
            out.push(byte);
            continue;
        };
        at += 1;
        match next {
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            _ => {
                let base = if next == b'x' { 16 } else { 0 };
                let start = if next == b'x' { at } else { at - 1 };
                match text.get(start) {
                    Some(digit) if digit.is_ascii_digit() => {
                        let (number, length) = c_number::unsigned(&text[start..], base);
                        out.push(number as u8);
                        at = start + length;
                    }
                    // After `\x` at the end there is only the NUL that ends the text.
                    Some(&other) => {
                        out.push(other);
                        at = start + 1;
                    }
                    None => break,
                }
            }
        }
    }
    let end = memchr::memchr(0, &out).unwrap_or(out.len());
    out.truncate(end);
    out
}

fn print_field(
    field: Field,
    bytes: Option<&[u8]>,
    fields: &Fields,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let unpack = match field {
        Field::Key => &fields.unpack_key,
        Field::Value => &fields.unpack_value,
    };
    match (bytes.unwrap_or_default(), unpack) {
        ([], _) => out.extend_from_slice(fields.null.unwrap_or_default()),
        (bytes, None) => out.extend_from_slice(bytes),
        (bytes, Some(unpack)) => {
            unpack.print(field, bytes, out).map_err(Failure::Unpack)?;
        }
    }
    Ok(())
}

fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| bytes.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Delivered, Header, Offset, PartitionId, Timestamp, TimestampType};

    const HEADERS: [Header<'static>; 3] = [
        Header { name: b"a", value: Some(b"1\x002") },
        Header { name: b"b", value: None },
        Header { name: b"c", value: Some(b"") },
    ];

    fn shown(format: &str, record: Record<'_>, fields: &Fields) -> String {
        let record = Delivered {
            topic: "t",
            partition: PartitionId(3),
            offset: Offset(7),
            timestamp: Some((TimestampType::CreateTime, Timestamp(99))),
            leader_epoch: None,
            watermarks: None,
            record,
        };
        let format = match Format::parse(format.as_bytes()) {
            Ok(format) => format,
            Err(why) => return why,
        };
        let mut out = Vec::new();
        let end = format.print(&Fetched { record, broker: 1 }, fields, &mut out);
        let end = end.err().map(|failure| format!("{failure:?}")).unwrap_or_default();
        out.escape_ascii().to_string() + &end
    }

    #[track_caller]
    fn check(format: &str, want: &str) {
        let record = Record { key: Some(b"k"), value: Some(b"val"), headers: &HEADERS };
        assert_eq!(shown(format, record, &Fields::default()), want, "{format}");
    }

    #[test]
    fn every_token_is_printed() {
        check("%t-%p-%o %k/%K %s/%S %T %%%h", "t-3-7 k/1 val/3 99 %a=1,b=NULL,c=");
        check("%R", r"\x00\x00\x00\x03");
        check("", "");
    }

    #[test]
    fn null_and_empty_are_alike_but_for_their_lengths() {
        let null = Record::default();
        let empty = Record { key: Some(b""), value: Some(b""), headers: &[] };
        let with_null = Fields { null: Some(b"NULL"), ..Fields::default() };
        for fields in [Fields::default(), with_null] {
            let word = fields.null.map_or("", |_| "NULL");
            let want = |length: &str| format!("[{word}][{word}]{length},{length}");
            assert_eq!(shown("[%k][%s]%K,%S", null, &fields), want("-1"));
            assert_eq!(shown("[%k][%s]%K,%S", empty, &fields), want("0"));
        }
        assert_eq!(shown("%R", null, &Fields::default()), r"\xff\xff\xff\xff");
    }

    #[test]
    fn escapes_are_kcats() {
        check(r"\t\n\r\\\q", r"\t\n\r\\q");
        check(r"\x41\x4a\xAB", "AJAB");
        check(r"\65\0101\0x41", "AAA");
        check(r"a\", r"a\\");
        check(r"a\x", "a");
        check(r"a\0b", "a");
        check(r"\0b", "NothingWritten");
    }

    #[test]
    fn wrong_formats_are_named() {
        check("%", "Empty formatter");
        check("a%x", "Unsupported formatter: %x");
        let many = "%s".repeat(PIECES_MAX + 1);
        check(&many, "Too many formatters & strings (KC_FMT_MAX_SIZE=128)");
    }

    #[test]
    fn fields_are_unpacked() {
        let unpack = |field, letters: &str| Unpack::parse(field, letters.as_bytes()).ok();
        let fields = Fields {
            unpack_key: unpack(Field::Key, "c"),
            unpack_value: unpack(Field::Value, "cB$"),
            null: None,
        };
        let record = Record { key: Some(b"kk"), value: Some(b"val"), headers: &[] };
        let want = "k v97Unpack(\"expected value end-of-input, but 1 bytes remaining\")";
        assert_eq!(shown("%k %s", record, &fields), want);
    }
}
