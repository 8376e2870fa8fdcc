//! The format languages of kcat and franz-go: a text with tokens, printed once a record.

mod parse;
mod text;

use super::number;
use super::time::TimeFormat;
use crate::layout::Number;
use crate::record::{Delivered, Header, Offset, Record, TimestampType, Watermarks};
use text::Form;

/// A parsed format.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
    null: Null,
    /// How many records it has printed.
    printed: i64,
}

/// What a null key or value prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    Nothing,
    Word,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(Vec<u8>),
    Text(Field, Form),
    Number(Quantity, Number),
    Time(TimeFormat),
    /// `name=value,name=value`.
    Headers,
    /// A format for each header, whose key is its name.
    EachHeader(Vec<Piece>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Topic,
    Key,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    TopicLength,
    KeyLength(Length),
    ValueLength(Length),
    HeaderCount,
    Partition,
    Offset,
    LeaderEpoch,
    Timestamp,
    TimestampType,
    ControlBit,
    Iteration,
    LogStart,
    LastStable,
    High,
}

/// kcat tells null from empty by its length, franz-go does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    NullIsMinusOne,
    NullIsZero,
}

impl Template {
    /// Parses a format; the error says which token is wrong.
    pub fn parse(format: &str, null: Null) -> Result<Template, String> {
        Ok(Template { pieces: parse::parse(format)?, null, printed: 0 })
    }

    /// The key (if `key_end` is given, followed by it) and the value followed by `value_end`.
    pub fn delimited(key_end: Option<Vec<u8>>, value_end: Vec<u8>, null: Null) -> Template {
        let mut pieces = Vec::new();
        if let Some(end) = key_end {
            pieces.extend([Piece::Text(Field::Key, Form::Plain), Piece::Literal(end)]);
        }
        pieces.extend([Piece::Text(Field::Value, Form::Plain), Piece::Literal(value_end)]);
        Template { pieces, null, printed: 0 }
    }

    pub fn needs_headers(&self) -> bool {
        let is_about_headers = |piece: &Piece| {
            matches!(
                piece,
                Piece::Headers | Piece::EachHeader(_) | Piece::Number(Quantity::HeaderCount, _)
            )
        };
        self.pieces.iter().any(is_about_headers)
    }

    pub fn needs_watermarks(&self) -> bool {
        use Quantity::{High, LastStable, LogStart};
        let is_one =
            |piece: &Piece| matches!(piece, Piece::Number(LogStart | LastStable | High, _));
        self.pieces.iter().any(is_one)
    }

    /// Appends one record to `out`.
    pub fn print(&mut self, delivered: &Delivered<'_>, out: &mut Vec<u8>) {
        self.printed += 1;
        for piece in &self.pieces {
            self.push(piece, delivered, out);
        }
    }

    fn push(&self, piece: &Piece, delivered: &Delivered<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Literal(bytes) => out.extend_from_slice(bytes),
            Piece::Text(field, form) => match (field.of(delivered), self.null) {
                (Some(bytes), _) => form.push(bytes, out),
                (None, Null::Word) => out.extend_from_slice(b"NULL"),
                (None, Null::Nothing) => {}
            },
            Piece::Number(Quantity::Iteration, form) => push_number(self.printed, *form, out),
            Piece::Number(quantity, form) => push_number(quantity.of(delivered), *form, out),
            Piece::Time(format) => match delivered.timestamp {
                Some((_, time)) => format.push(time, out),
                None => out.extend_from_slice(b"-1"),
            },
            Piece::Headers => push_headers(delivered.record.headers, out),
            Piece::EachHeader(pieces) => {
                for header in delivered.record.headers {
                    let record =
                        Record { key: Some(header.name), value: header.value, headers: &[] };
                    for piece in pieces {
                        self.push(piece, &Delivered { record, ..*delivered }, out);
                    }
                }
            }
        }
    }
}

impl Field {
    fn of<'a>(self, delivered: &Delivered<'a>) -> Option<&'a [u8]> {
        match self {
            Field::Topic => Some(delivered.topic.as_bytes()),
            Field::Key => delivered.record.key,
            Field::Value => delivered.record.value,
        }
    }
}

impl Quantity {
    /// What the broker did not say is -1.
    fn of(self, delivered: &Delivered<'_>) -> i64 {
        let mark = |of: fn(Watermarks) -> Offset| delivered.watermarks.map_or(-1, |w| of(w).get());
        match self {
            Quantity::TopicLength => delivered.topic.len() as i64,
            Quantity::KeyLength(length) => length.of(delivered.record.key),
            Quantity::ValueLength(length) => length.of(delivered.record.value),
            Quantity::HeaderCount => delivered.record.headers.len() as i64,
            Quantity::Partition => delivered.partition.get().into(),
            Quantity::Offset => delivered.offset.get(),
            Quantity::LeaderEpoch => delivered.leader_epoch.map_or(-1, |epoch| epoch.get().into()),
            Quantity::Timestamp => delivered.timestamp.map_or(-1, |(_, time)| time.get()),
            Quantity::TimestampType => match delivered.timestamp {
                None => -1,
                Some((TimestampType::CreateTime, _)) => 0,
                Some((TimestampType::LogAppendTime, _)) => 1,
            },
            Quantity::ControlBit => 0,
            Quantity::LogStart => mark(|marks| marks.log_start),
            Quantity::LastStable => mark(|marks| marks.last_stable),
            Quantity::High => mark(|marks| marks.high),
            Quantity::Iteration => unreachable!("the template counts what it printed"),
        }
    }
}

impl Length {
    fn of(self, bytes: Option<&[u8]>) -> i64 {
        match (bytes, self) {
            (Some(bytes), _) => bytes.len() as i64,
            (None, Length::NullIsMinusOne) => -1,
            (None, Length::NullIsZero) => 0,
        }
    }
}

/// What does not fit is cut, as in franz-go.
fn push_number(value: i64, form: Number, out: &mut Vec<u8>) {
    match form {
        Number::Ascii => number::push(value, out),
        Number::Hex(digits) => push_hex(value, digits.into(), out),
        Number::HexShort => push_hex(value, (64 - value.leading_zeros()).div_ceil(4).max(1), out),
        Number::Big(bytes) => out.extend_from_slice(&value.to_be_bytes()[8 - usize::from(bytes)..]),
        Number::Little(bytes) => out.extend_from_slice(&value.to_le_bytes()[..usize::from(bytes)]),
        Number::Bool if value == 0 => out.extend_from_slice(b"false"),
        Number::Bool => out.extend_from_slice(b"true"),
    }
}

fn push_hex(value: i64, digits: u32, out: &mut Vec<u8>) {
    out.extend((0..digits).rev().map(|at| text::digit((value >> (4 * at) & 0xf) as u8)));
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
    use crate::record::{LeaderEpoch, PartitionId, Timestamp};

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
            leader_epoch: Some(LeaderEpoch(5)),
            watermarks: Some(Watermarks {
                log_start: Offset(7),
                last_stable: Offset(50),
                high: Offset(260),
            }),
            record: Record { key, value, headers: HEADERS },
        }
    }

    #[track_caller]
    fn check(format: &str, want: &[u8]) {
        let mut template = Template::parse(format, Null::Nothing).unwrap();
        let mut out = Vec::new();
        template.print(&delivered(Some(b"k\0"), Some(b"v\xfe\n")), &mut out);
        assert_eq!(out, want, "{format}");
    }

    #[track_caller]
    fn check_null(format: &str, null: Null, want: &[u8]) {
        let mut template = Template::parse(format, null).unwrap();
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
        let mut template = Template::parse("%k|%K|%s|%S", Null::Word).unwrap();
        let mut out = Vec::new();
        template.print(&delivered(Some(b""), Some(b"")), &mut out);
        assert_eq!(out, b"|0||0");
    }

    #[test]
    fn a_record_without_a_timestamp_prints_minus_one() {
        let mut template = Template::parse("%T", Null::Nothing).unwrap();
        let mut out = Vec::new();
        template.print(&Delivered { timestamp: None, ..delivered(None, None) }, &mut out);
        assert_eq!(out, b"-1");
    }

    #[test]
    fn delimiters_make_a_template() {
        let same = |key_end: Option<&[u8]>, end: &[u8], format: &str| {
            let made =
                Template::delimited(key_end.map(<[u8]>::to_vec), end.to_vec(), Null::Nothing);
            let parsed = Template::parse(format, Null::Nothing).unwrap();
            assert_eq!(made.pieces, parsed.pieces, "{format}");
        };
        same(None, b"\n", "%s\\n");
        same(Some(b":"), b"\0", "%k:%s\\0");
        same(Some(b"a"), b"%", "%ka%v%%");
    }

    #[test]
    fn tokens_are_those_of_franz_go_too() {
        check("%v|%V|%K{ascii}|%T{number}|%H", b"v\xfe\n|3|2|6|3");
        check("%e %d %i %a{timestamp-type} %a{control-bit;bool}", b"5 1700000000123 1 0 false");
        check("%h{%K:%k=%v;}", b"1:a=1;1:a=;1:\xff=;");
        check("%h{%v{hex}%{%}}", b"31{}{}{}");
        check("%{%p%}", b"{3}");
        check("%[ %| %] %[{big8}%]{little16}", b"7 50 260 \x07\x04\x01");
    }

    #[test]
    fn numbers_have_every_form_of_franz_go() {
        check("%o{hex64} %o{hex32} %o{hex16}", b"000000000000002a 0000002a 002a");
        check("%o{hex8} %o{hex4} %o{hex} %p{hex}", b"2a a 2a 3");
        check("%o{big64}%o{big32}%o{big16}", b"\0\0\0\0\0\0\0*\0\0\0*\0*");
        check("%o{little64}%o{little32}%o{little16}", b"*\0\0\0\0\0\0\0*\0\0\0*\0");
        check("%o{byte}%o{big8}%o{little8}%d{big8}", b"***\x7b");
        check("%o{bool} %d{hex}", b"true 18bcfe5687b");
        let mut out = Vec::new();
        for value in [0, -1, i64::MIN] {
            push_number(value, Number::HexShort, &mut out);
            out.push(b' ');
        }
        assert_eq!(out, b"0 ffffffffffffffff 8000000000000000 ");
    }

    #[test]
    fn text_has_every_form_of_franz_go() {
        check("%k{hex} %v{base64} %v{base64raw} %k{base64}", b"6b00 dv4K dv4K awA=");
        check("%k{base64raw} %t{hex}", b"awA 6f7264657273");
        check("%v{unpack[bBc]} %t{unpack{>Hs}}", b"118254\n 28530ders");
    }

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        check("%d{strftime[%F %T.%L]}", b"2023-11-14 22:13:20.123");
        check("%d{go##2006-01-02T15:04:05.000Z07:00##}", b"2023-11-14T22:13:20.123Z");
        check("%d{strftime(%H:%M %z);+05:30}", b"03:43 +0530");
    }

    #[test]
    fn null_is_nothing_and_its_length_a_language_of_its_own() {
        check_null("%v|%V|%V{big16}|%K{big16}", Null::Nothing, b"|0|\0\0|\0\0");
        check_null("%S{big16} %s{hex}", Null::Word, b"\xff\xff NULL");
    }

    #[test]
    fn what_cannot_be_printed_is_named() {
        let error = |format| Template::parse(format, Null::Nothing).unwrap_err();
        let starts = |format, want: &str| {
            let error = error(format);
            assert!(error.starts_with(want), "{format}: {error}");
        };
        starts("%q", "'%q' is not a token; use %v or %s value,");
        starts("%ü", "'%ü' is not a token; use ");
        starts("a%", "the format ends in a single %");
        starts("%x", "%x: librdkafka does not tell the producer's id");
        starts("%a{compression}", "%a{compression}: librdkafka does not tell it");
        starts("%a", "%a needs a name; ");
        starts("%v{hexx}", "%v{hexx…: use hex, base64, ");
        starts("%p{hexx}", "%p{hexx}: use ascii, ");
        starts("%d{strftime[%q]}", "strftime has no %q");
        starts("%d{strftime[%F];Nowhere/Land}", "'Nowhere/Land' is not a time zone");
        starts("%h{%p}", "'%p' is no part of a header; inside ");
        starts("%R{big32}", "%R takes no braces");
        starts("%v{unpack[z]}", "unpack[z]: 'z' is not a code");
    }

    #[test]
    fn no_record_allocates() {
        let format = "%t %p %o %k %s %h %h{%k%v{hex}}%d{strftime[%F %T %Z]}%d{go[Jan 2]}%V{hex}\\n";
        let mut template = Template::parse(format, Null::Nothing).unwrap();
        let mut out = Vec::with_capacity(4096);
        let record = delivered(Some(b"k"), Some(b"v"));
        let allocated = allocation_counter::measure(|| {
            for _ in 0..10 {
                template.print(&record, &mut out);
            }
        });
        assert_eq!(allocated.count_total, 0);
        assert!(!out.is_empty());
    }
}
