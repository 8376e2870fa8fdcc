//! Finds the parts of a record in bytes that may end before it.

use memchr::{memchr, memmem};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Edge, Field, Flaw, Form, Quantity, Step, Stop, Until};
use crate::layout::Number;

/// What a record may take of memory while its end is not found. One of this size is refused by
/// its sender; sizes beyond are those of input that is something else.
const RECORD_BYTES_MAX: usize = 64 << 20;
/// A text that matches nothing until here is taken not to match.
const REGEX_BYTES_MAX: usize = 1 << 20;
const HEADERS_MAX: i64 = 1 << 20;

/// The parts of a record as they were read.
#[derive(Debug, Default)]
pub struct Raw<'a> {
    pub key: Option<Text<'a>>,
    pub value: Option<Text<'a>>,
    pub headers: Vec<(Option<Text<'a>>, Option<Text<'a>>)>,
    pub partition: Option<(usize, i64)>,
    pub timestamp: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    pub letter: char,
    /// Where in the record it is.
    pub at: usize,
    /// `None` is null.
    pub bytes: Option<&'a [u8]>,
    pub form: Form,
}

/// The parts of the first record, and how many bytes it has.
pub fn scan<'a>(steps: &[Step], bytes: &'a [u8], edge: Edge) -> Result<(Raw<'a>, usize), Stop> {
    let mut scanner = Scanner { bytes, at: 0, edge, sizes: [0; 3], headers: 0 };
    let mut raw = Raw::default();
    let result = scanner.steps(steps, &mut raw, Last::MayBeCutShort);
    match result {
        Ok(()) if scanner.at == 0 => Err(flaw(0, "the format matches nothing here".to_owned())),
        Ok(()) => Ok((raw, scanner.at)),
        Err(Stop::More(_)) if RECORD_BYTES_MAX < bytes.len() => {
            let max = RECORD_BYTES_MAX >> 20;
            Err(flaw(0, format!("no end of the record within {max} MiB")))
        }
        Err(stop) => Err(stop),
    }
}

fn flaw(at: usize, why: String) -> Stop {
    Stop::Flaw(Flaw { at, why })
}

/// Whether the last step may miss what ends it, at the end of the input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    MayBeCutShort,
    IsWhole,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    edge: Edge,
    /// By field; -1 is null.
    sizes: [i64; 3],
    headers: i64,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn steps(&mut self, steps: &[Step], raw: &mut Raw<'a>, last: Last) -> Result<(), Stop> {
        for (index, step) in steps.iter().enumerate() {
            let ends_input = last == Last::MayBeCutShort && index + 1 == steps.len();
            match step {
                Step::Exact(literal) => self.exact(literal, ends_input)?,
                Step::Fixed(quantity, size) => self.keep(*quantity, *size, raw),
                Step::Number { letter, quantity, form } => {
                    let start = self.at;
                    let number = self.number(*letter, *form)?;
                    self.check(*letter, *quantity, number, start)?;
                    self.keep(*quantity, number, raw);
                    if *quantity == Quantity::Partition {
                        raw.partition = Some((start, number));
                    }
                }
                Step::Text { letter, field, until, form } => {
                    let at = self.at;
                    let bytes = self.text(*letter, *field, until, ends_input)?;
                    let text = Text { letter: *letter, at, bytes, form: *form };
                    match field {
                        Field::Topic => {}
                        Field::Key => raw.key = Some(text),
                        Field::Value => raw.value = Some(text),
                    }
                }
                Step::Headers(inner) => {
                    let sizes = self.sizes;
                    for _ in 0..self.headers {
                        let mut header = Raw::default();
                        self.steps(inner, &mut header, Last::IsWhole)?;
                        raw.headers.push((header.key, header.value));
                    }
                    self.sizes = sizes;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, quantity: Quantity, number: i64, raw: &mut Raw<'a>) {
        match quantity {
            Quantity::Size(field) => self.sizes[field.index()] = number,
            Quantity::HeaderCount => self.headers = number,
            Quantity::Timestamp => raw.timestamp = Some(number),
            Quantity::Partition | Quantity::Ignored => {}
        }
    }

    /// A size or a count that no record has.
    fn check(&self, letter: char, quantity: Quantity, number: i64, at: usize) -> Result<(), Stop> {
        let max = match quantity {
            Quantity::Size(_) => RECORD_BYTES_MAX as i64,
            Quantity::HeaderCount => HEADERS_MAX,
            _ => return Ok(()),
        };
        match (-1..=max).contains(&number) {
            true => Ok(()),
            false => Err(flaw(at, format!("%{letter} is {number}, more than any record has"))),
        }
    }

    /// There are not enough bytes: more may come, or the record is incomplete.
    fn short<T>(&self, need: usize, what: impl FnOnce() -> String) -> Result<T, Stop> {
        Err(match self.edge {
            Edge::Open => Stop::More(need),
            Edge::Closed => {
                flaw(self.bytes.len(), format!("the input ends inside of the record, {}", what()))
            }
        })
    }

    fn exact(&mut self, literal: &[u8], ends_input: bool) -> Result<(), Stop> {
        let rest = self.rest();
        if rest.starts_with(literal) {
            self.at += literal.len();
            return Ok(());
        }
        if literal.starts_with(rest) {
            let is_end = self.edge == Edge::Closed && rest.is_empty() && 0 < self.at;
            if is_end && ends_input {
                return Ok(());
            }
            let need = self.at + literal.len();
            return self.short(need, || format!("before '{}'", literal.escape_ascii()));
        }
        let found = &rest[..rest.len().min(literal.len())];
        let (found, literal) = (found.escape_ascii(), literal.escape_ascii());
        Err(flaw(self.at, format!("'{found}' where '{literal}' has to be")))
    }

    fn number(&mut self, letter: char, form: Number) -> Result<i64, Stop> {
        let width = match form {
            Number::Ascii => return self.decimal(letter),
            Number::Bool => return self.boolean(letter),
            Number::Hex(digits) => digits.into(),
            Number::Big(bytes) | Number::Little(bytes) => usize::from(bytes),
            Number::HexShort => unreachable!("it is only written"),
        };
        let Some(found) = self.rest().get(..width) else {
            return self.short(self.at + width, || format!("within %{letter}"));
        };
        let join = |value: u64, byte: u64| value << 8 | byte;
        let bytes = found.iter().map(|&byte| u64::from(byte));
        let (value, bits) = match form {
            Number::Hex(_) => (hexadecimal(found), 4 * width),
            Number::Big(_) => (Some(bytes.fold(0, join)), 8 * width),
            _ => (Some(bytes.rev().fold(0, join)), 8 * width),
        };
        let Some(value) = value else { return Err(self.no_number(letter, found)) };
        self.at += width;
        // -1 is Kafka's null, in every width that a size has there.
        Ok(if bits == 32 { i64::from(value as u32 as i32) } else { value as i64 })
    }

    fn decimal(&mut self, letter: char) -> Result<i64, Stop> {
        let rest = self.rest();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = sign + digits;
        if length == rest.len() && (self.edge == Edge::Open || digits == 0) {
            return self.short(self.bytes.len() + 1, || format!("before %{letter}"));
        }
        let text = std::str::from_utf8(&rest[..length]).expect("digits are UTF-8");
        let Ok(number) = text.parse() else {
            return Err(self.no_number(letter, &rest[..rest.len().min(length.max(1))]));
        };
        self.at += length;
        Ok(number)
    }

    fn boolean(&mut self, letter: char) -> Result<i64, Stop> {
        let rest = self.rest();
        for (word, number) in [(b"true" as &[u8], 1), (b"false", 0)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(number);
            }
            if word.starts_with(rest) {
                return self.short(self.at + word.len(), || format!("within %{letter}"));
            }
        }
        Err(self.no_number(letter, &rest[..1]))
    }

    fn no_number(&self, letter: char, found: &[u8]) -> Stop {
        flaw(self.at, format!("'{}' where %{letter} has to be a number", found.escape_ascii()))
    }

    fn text(
        &mut self,
        letter: char,
        field: Field,
        until: &Until,
        ends_input: bool,
    ) -> Result<Option<&'a [u8]>, Stop> {
        match until {
            Until::Size => self.sized(letter, self.sizes[field.index()]),
            Until::Delimiter(delimiter) => self.delimited(letter, delimiter, ends_input).map(Some),
            Until::End if self.edge == Edge::Open => Err(Stop::More(self.bytes.len() + 1)),
            Until::End => Ok(Some(self.take(self.rest().len()))),
            Until::Json => self.json(letter).map(Some),
            Until::Regex(regex) => match regex.find(self.rest()) {
                // More of it may match when more comes.
                Some(found) if self.edge == Edge::Closed || found.end() < self.rest().len() => {
                    Ok(Some(self.take(found.end())))
                }
                None if self.edge == Edge::Closed || REGEX_BYTES_MAX < self.rest().len() => {
                    Err(flaw(self.at, format!("%{letter} does not match its expression")))
                }
                _ => Err(Stop::More(self.bytes.len() + 1)),
            },
        }
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = &self.rest()[..length];
        self.at += length;
        taken
    }

    fn sized(&mut self, letter: char, size: i64) -> Result<Option<&'a [u8]>, Stop> {
        let Ok(size) = usize::try_from(size) else { return Ok(None) };
        let have = self.rest().len();
        match size <= have {
            true => Ok(Some(self.take(size))),
            false => {
                self.short(self.at + size, || format!("where %{letter} has {have} of {size} bytes"))
            }
        }
    }

    fn delimited(
        &mut self,
        letter: char,
        delimiter: &[u8],
        ends_input: bool,
    ) -> Result<&'a [u8], Stop> {
        let rest = self.rest();
        let found = match delimiter {
            [byte] => memchr(*byte, rest),
            bytes => memmem::find(rest, bytes),
        };
        match found {
            Some(length) => {
                self.at += length + delimiter.len();
                Ok(&rest[..length])
            }
            None if ends_input && self.edge == Edge::Closed => Ok(self.take(rest.len())),
            None => self.short(self.bytes.len() + 1, || {
                format!("before '{}' ends %{letter}", delimiter.escape_ascii())
            }),
        }
    }

    fn json(&mut self, letter: char) -> Result<&'a [u8], Stop> {
        let rest = self.rest();
        let mut reader = serde_json::Deserializer::from_slice(rest);
        match <&RawValue>::deserialize(&mut reader) {
            Ok(raw) => {
                let text = raw.get().as_bytes();
                let end = text.as_ptr().addr() - rest.as_ptr().addr() + text.len();
                // A number goes on as long as digits come.
                let is_number = matches!(text[0], b'-' | b'0'..=b'9');
                if is_number && end == rest.len() && self.edge == Edge::Open {
                    return Err(Stop::More(self.bytes.len() + 1));
                }
                self.at += end;
                Ok(text)
            }
            Err(error)
                if error.is_eof()
                    || (is_cut(rest) || ends_in_number(rest)) && self.edge == Edge::Open =>
            {
                self.short(self.bytes.len() + 1, || format!("within the JSON of %{letter}"))
            }
            Err(error) => {
                let text = error.to_string();
                let why = text.split(" at line ").next().unwrap_or(&text);
                Err(flaw(self.at, format!("%{letter} is not JSON ({why})")))
            }
        }
    }
}

/// Whether these bytes end inside of a character.
fn is_cut(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(3)..];
    std::str::from_utf8(end).is_err_and(|error| error.error_len().is_none())
        || (0..end.len()).any(|at| {
            std::str::from_utf8(&end[at..]).is_err_and(|error| error.error_len().is_none())
        })
}

/// Whether more may make a number of these bytes' end, such as a single minus, which serde_json
/// takes for an error and not for an end that came too early.
fn ends_in_number(bytes: &[u8]) -> bool {
    matches!(bytes.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    digits.iter().try_fold(0, |value, byte| Some(value << 4 | u64::from(digit(byte)?)))
}
