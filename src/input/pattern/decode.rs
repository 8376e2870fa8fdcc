//! The parts of a record as bytes.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::scan::{Raw, Text};
use super::{Flaw, Form};
use crate::input::parsed::{Parsed, Part};
use crate::record::{PartitionId, Timestamp};

/// With its padding or without, as forgiving as Go's.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A value that no token reads is empty, as in franz-go; such a key is null.
pub fn decode<'a>(raw: &Raw<'a>, empty_is_null: bool) -> Result<Parsed<'a>, Flaw> {
    let is_there = |part: &Cow<'_, [u8]>| !(empty_is_null && part.is_empty());
    let headers = raw.headers.iter().map(|(name, value)| {
        let name = name.as_ref().map_or(Ok(None), text)?.unwrap_or_default();
        Ok((name, value.as_ref().map_or(Ok(Some(Cow::default())), text)?))
    });
    Ok(Parsed {
        key: raw.key.as_ref().map_or(Ok(None), text)?.filter(is_there),
        value: raw.value.as_ref().map_or(Ok(Some(Cow::default())), text)?.filter(is_there),
        headers: headers.collect::<Result<_, Flaw>>()?,
        partition: partition(raw.partition)?,
        timestamp: raw.timestamp.map(Timestamp),
    })
}

/// -1 leaves it to the key.
fn partition(number: Option<(usize, i64)>) -> Result<Option<PartitionId>, Flaw> {
    match number {
        None | Some((_, -1)) => Ok(None),
        Some((at, number)) => match i32::try_from(number) {
            Ok(number) if 0 <= number => Ok(Some(PartitionId(number))),
            _ => Err(Flaw { at, why: format!("%p is {number}, which is no partition") }),
        },
    }
}

fn text<'a>(text: &Text<'a>) -> Result<Part<'a>, Flaw> {
    let Some(bytes) = text.bytes else { return Ok(None) };
    let not = |what: &str| Flaw { at: text.at, why: format!("%{} is not {what}", text.letter) };
    Ok(Some(match text.form {
        Form::Plain => Cow::Borrowed(bytes),
        Form::Hex => Cow::Owned(hexadecimal(bytes).ok_or_else(|| not("hexadecimal"))?),
        Form::Base64 => Cow::Owned(BASE64.decode(bytes).map_err(|_| not("base64"))?),
        Form::Json => compact(bytes),
    }))
}

fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.chunks(2).map(pair).collect()
}

/// JSON without the blanks between its tokens.
fn compact(json: &[u8]) -> Cow<'_, [u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    if !json.iter().any(is_blank) {
        return Cow::Borrowed(json);
    }
    let (mut in_string, mut escaped) = (false, false);
    let keep = |byte: &&u8| {
        let was_in_string = in_string;
        match **byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ => {}
        }
        was_in_string || !is_blank(byte)
    };
    Cow::Owned(json.iter().filter(keep).copied().collect())
}
