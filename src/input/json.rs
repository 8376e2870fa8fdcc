//! The JSON record, read: kaw's own, which loses nothing, and those of kcat and kcl.
//!
//! Unknown names are errors: a record that is read only in part would be another record.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::parsed::{Parsed, Part};
use crate::record::{PartitionId, Timestamp};

/// Why a line is not a record.
#[derive(Debug)]
pub enum JsonError {
    NotJson(serde_json::Error),
    NotUtf8,
    NotObject,
    Base64(&'static str),
    Twice(&'static str),
    Headers,
    Number(&'static str),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The line is one of many; its place among them is named by who reads them.
            JsonError::NotJson(error) => {
                let text = error.to_string();
                let what = text.split(" at line ").next().unwrap_or(&text);
                let what = what.split(", expected one of ").next().unwrap_or(what);
                write!(f, "not a JSON record: {what} at column {}", error.column())
            }
            JsonError::NotUtf8 => f.write_str("not a JSON record: it is not UTF-8"),
            JsonError::NotObject => f.write_str("not a JSON record: it does not start with '{'"),
            JsonError::Base64(name) => write!(f, "{name} is not base64"),
            JsonError::Twice(name) => write!(f, "{name} is given twice"),
            JsonError::Headers => {
                f.write_str("headers are neither [{\"key\",\"value\"}] nor kcat's [name, value, …]")
            }
            JsonError::Number(name) => write!(f, "{name} is out of its range"),
        }
    }
}

impl std::error::Error for JsonError {}

/// Every name that kaw, kcat or kcl write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    key_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    value_base64: Option<Cow<'a, str>>,
    /// kcat's word for the value.
    #[serde(borrow, default, deserialize_with = "given")]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    partition: Option<i64>,
    timestamp: Option<i64>,
    /// kcat's word for the timestamp.
    ts: Option<i64>,
    // What a topic decides anew.
    #[serde(rename = "topic")]
    _topic: Option<IgnoredAny>,
    #[serde(rename = "offset")]
    _offset: Option<IgnoredAny>,
    #[serde(rename = "timestamp_type")]
    _timestamp_type: Option<IgnoredAny>,
    #[serde(rename = "tstype")]
    _tstype: Option<IgnoredAny>,
    #[serde(rename = "leader_epoch")]
    _leader_epoch: Option<IgnoredAny>,
    #[serde(rename = "broker")]
    _broker: Option<IgnoredAny>,
    #[serde(rename = "delivery_count")]
    _delivery_count: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderObject<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    value_base64: Option<Cow<'a, str>>,
}

/// What is null was given too, and by one name only.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one record.
pub fn parse(line: &[u8]) -> Result<Parsed<'_>, JsonError> {
    let line = std::str::from_utf8(line).map_err(|_| JsonError::NotUtf8)?;
    // The derived reader takes an array for an object too.
    if !line.trim_start().starts_with('{') {
        return Err(JsonError::NotObject);
    }
    let object: Object<'_> = serde_json::from_str(line).map_err(JsonError::NotJson)?;
    let value = match (object.value, object.payload) {
        (Some(_), Some(_)) => return Err(JsonError::Twice("value")),
        (value, payload) => value.or(payload),
    };
    let timestamp = match (object.timestamp, object.ts) {
        (Some(_), Some(_)) => return Err(JsonError::Twice("timestamp")),
        (timestamp, ts) => timestamp.or(ts),
    };
    Ok(Parsed {
        key: part("key", object.key, "key_base64", object.key_base64)?,
        value: part("value", value, "value_base64", object.value_base64)?,
        headers: object.headers.map_or(Ok(Vec::new()), headers)?,
        partition: partition(object.partition)?,
        timestamp: timestamp.map(Timestamp),
    })
}

/// `-1` is the protocol's word for no partition at all.
fn partition(number: Option<i64>) -> Result<Option<PartitionId>, JsonError> {
    let Some(number) = number.filter(|&number| number != -1) else { return Ok(None) };
    match i32::try_from(number) {
        Ok(number) if 0 <= number => Ok(Some(PartitionId(number))),
        _ => Err(JsonError::Number("partition")),
    }
}

fn part<'a>(
    name: &'static str,
    text: Option<&'a RawValue>,
    name_base64: &'static str,
    base64: Option<Cow<'a, str>>,
) -> Result<Part<'a>, JsonError> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(JsonError::Twice(name)),
        (None, None) => Ok(None),
        (Some(raw), None) => bytes(raw),
        (None, Some(text)) => decoded(name_base64, &text).map(|bytes| Some(Cow::Owned(bytes))),
    }
}

/// A string's own bytes; anything else is JSON inside of JSON (kcl, kcat's Avro) and stays text.
fn bytes(raw: &RawValue) -> Result<Part<'_>, JsonError> {
    let text = raw.get();
    match text.as_bytes()[0] {
        b'n' => Ok(None),
        b'"' => {
            let text: Text<'_> = serde_json::from_str(text).map_err(JsonError::NotJson)?;
            Ok(Some(match text.0 {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }))
        }
        _ => Ok(Some(Cow::Borrowed(text.as_bytes()))),
    }
}

/// A string that is borrowed where it has no escapes, which `Cow` alone never is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn decoded(name: &'static str, text: &str) -> Result<Vec<u8>, JsonError> {
    STANDARD.decode(text).map_err(|_| JsonError::Base64(name))
}

type Headers<'a> = Vec<(Cow<'a, [u8]>, Part<'a>)>;

fn headers(raw: &RawValue) -> Result<Headers<'_>, JsonError> {
    let is_flat = |text: &str| text.get(1..).is_some_and(|t| t.trim_start().starts_with('"'));
    if raw.get() == "null" {
        return Ok(Vec::new());
    }
    if is_flat(raw.get()) {
        return flat(raw);
    }
    let objects: Vec<HeaderObject<'_>> = from_raw(raw)?;
    objects.into_iter().map(header).collect()
}

fn header(object: HeaderObject<'_>) -> Result<(Cow<'_, [u8]>, Part<'_>), JsonError> {
    let name = match (object.key, object.key_base64) {
        (Some(Cow::Borrowed(text)), None) => Cow::Borrowed(text.as_bytes()),
        (Some(Cow::Owned(text)), None) => Cow::Owned(text.into_bytes()),
        (None, Some(text)) => Cow::Owned(decoded("a header's key_base64", &text)?),
        (Some(_), Some(_)) => return Err(JsonError::Twice("a header's key")),
        (None, None) => return Err(JsonError::Headers),
    };
    let value =
        part("a header's value", object.value, "a header's value_base64", object.value_base64);
    Ok((name, value?))
}

/// kcat's: names and values in turn.
fn flat<'a>(raw: &'a RawValue) -> Result<Headers<'a>, JsonError> {
    let parts: Vec<&'a RawValue> = from_raw(raw)?;
    if !parts.len().is_multiple_of(2) {
        return Err(JsonError::Headers);
    }
    let pair = |pair: &[&'a RawValue]| {
        let name = bytes(pair[0])?.ok_or(JsonError::Headers)?;
        Ok((name, bytes(pair[1])?))
    };
    parts.chunks_exact(2).map(pair).collect()
}

fn from_raw<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, JsonError> {
    serde_json::from_str(raw.get()).map_err(|_| JsonError::Headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[u8]) -> String {
        match parse(line) {
            Ok(parsed) => crate::input::parsed::shown(&parsed),
            Err(error) => error.to_string(),
        }
    }

    #[track_caller]
    fn check(line: &str, want: &str) {
        assert_eq!(shown(line.as_bytes()), want, "{line}");
    }

    #[test]
    fn kaws_own() {
        check(
            r#"{"topic":"t","partition":3,"offset":7,"timestamp":17,"timestamp_type":"create","leader_epoch":2,"headers":[{"key":"h","value":"1"},{"key":"h","value":null},{"key_base64":"/w==","value_base64":"AA=="}],"key":null,"value":"a\u0000\n\"ü"}"#,
            r#"null = 'a\x00\n\"\xc3\xbc'; h: '1'; h: null; \xff: '\x00'; in 3; at 17"#,
        );
        check(r#"{"key":"","value":""}"#, "'' = ''");
        check(r#"{"key_base64":"","value_base64":"/wA="}"#, r"'' = '\xff\x00'");
        check(r#"{"headers":[]}"#, "null = null");
        check(r#"{"partition":-1,"timestamp":null,"headers":null}"#, "null = null");
        check(r#"{"value":"\ud83d\ude00"}"#, r"null = '\xf0\x9f\x98\x80'");
    }

    #[test]
    fn kcats_and_kcls() {
        check(
            r#"{"topic":"t","partition":0,"offset":1,"tstype":"create","ts":5,"broker":1,"headers":["a","1","a",null],"key":"k","payload":"p"}"#,
            "'k' = 'p'; a: '1'; a: null; in 0; at 5",
        );
        check(
            r#"{"topic":"t","partition":0,"offset":1,"timestamp":5,"leader_epoch":0,"key":"k","value":{"a": 1.50},"headers":[{"key":"h","value_base64":"AQ=="}],"delivery_count":1}"#,
            r#"'k' = '{\"a\": 1.50}'; h: '\x01'; in 0; at 5"#,
        );
        check(r#"{"key":12345678901234567890,"value":true}"#, "'12345678901234567890' = 'true'");
    }

    #[test]
    fn what_would_lose_something_is_an_error() {
        check("{", "not a JSON record: EOF while parsing an object at column 1");
        check("", "not a JSON record: it does not start with '{'");
        check("[]", "not a JSON record: it does not start with '{'");
        check(
            r#"{"value":"a","valeu":"b"}"#,
            "not a JSON record: unknown field `valeu` at column 20",
        );
        check(r#"{"value":"a","payload":"b"}"#, "value is given twice");
        check(r#"{"value":"a","value_base64":"AA=="}"#, "value is given twice");
        check(r#"{"value":null,"value_base64":"AA=="}"#, "value is given twice");
        check(r#"{"value":null,"payload":"a"}"#, "value is given twice");
        check(
            r#"{"key":null,"payload":null,"payload_error":"no schema"}"#,
            "not a JSON record: unknown field `payload_error` at column 42",
        );
        check(
            r#"{"value":"a","value":"b"}"#,
            "not a JSON record: duplicate field `value` at column 20",
        );
        check(r#"{"value_base64":"A"}"#, "value_base64 is not base64");
        check(r#"{"partition":2147483648}"#, "partition is out of its range");
        check(r#"{"partition":-2}"#, "partition is out of its range");
        check(
            r#"{"headers":{"a":"b"}}"#,
            "headers are neither [{\"key\",\"value\"}] nor kcat's [name, value, …]",
        );
        check(
            r#"{"headers":["a"]}"#,
            "headers are neither [{\"key\",\"value\"}] nor kcat's [name, value, …]",
        );
        assert_eq!(shown(b"{\"value\":\"\xff\"}"), "not a JSON record: it is not UTF-8");
    }
}
