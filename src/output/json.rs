//! The JSON record: the contract of what `consume -J` prints and `produce -J` reads.
//!
//! Every field is always there, in one order. Null is `null`, empty is `""`, and bytes that are
//! not UTF-8 come as base64 under a name of their own. Written by hand into one buffer: a
//! serializer's per-field calls cost more than all the rest of a record's way to stdout.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::number;
use crate::record::{Delivered, Header, TimestampType};

/// Appends one record as a JSON object.
pub fn print(delivered: &Delivered<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"topic\":");
    push_string(delivered.topic, out);
    out.extend_from_slice(b",\"partition\":");
    number::push(delivered.partition.get().into(), out);
    out.extend_from_slice(b",\"offset\":");
    number::push(delivered.offset.get(), out);
    push_timestamp(delivered, out);
    out.extend_from_slice(b",\"leader_epoch\":");
    match delivered.leader_epoch {
        Some(epoch) => number::push(epoch.get().into(), out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"headers\":[");
    push_headers(delivered.record.headers, out);
    out.extend_from_slice(b"],");
    push_field("key", delivered.record.key, out);
    out.push(b',');
    push_field("value", delivered.record.value, out);
    out.push(b'}');
}

/// The type has kcat's words.
fn push_timestamp(delivered: &Delivered<'_>, out: &mut Vec<u8>) {
    let Some((kind, time)) = delivered.timestamp else {
        return out.extend_from_slice(b",\"timestamp\":null,\"timestamp_type\":null");
    };
    out.extend_from_slice(b",\"timestamp\":");
    number::push(time.get(), out);
    out.extend_from_slice(match kind {
        TimestampType::CreateTime => b",\"timestamp_type\":\"create\"" as &[u8],
        TimestampType::LogAppendTime => b",\"timestamp_type\":\"logappend\"",
    });
}

fn push_headers(headers: &[Header<'_>], out: &mut Vec<u8>) {
    for (index, header) in headers.iter().enumerate() {
        if 0 < index {
            out.push(b',');
        }
        out.push(b'{');
        push_field("key", Some(header.name), out);
        out.push(b',');
        push_field("value", header.value, out);
        out.push(b'}');
    }
}

/// `"name":null`, `"name":"text"` or `"name_base64":"…"`.
fn push_field(name: &str, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    let Some(bytes) = bytes else {
        return out.extend_from_slice(b"\":null");
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            out.extend_from_slice(b"\":");
            push_string(text, out);
        }
        Err(_) => {
            out.extend_from_slice(b"_base64\":\"");
            push_base64(bytes, out);
            out.push(b'"');
        }
    }
}

fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("room for four a three");
    assert_eq!(start + written, out.len(), "padded base64 is four characters for three bytes");
}

/// A JSON string: only what RFC 8259 says must be escaped is.
pub fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = first_to_escape(rest) {
        out.extend_from_slice(&rest[..at]);
        push_escape(rest[at], out);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Looks at a whole chunk without a branch, which the compiler makes vector instructions of.
fn first_to_escape(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 16;
    let is_clean = |chunk: &[u8]| !chunk.iter().fold(false, |any, &byte| any | must_escape(byte));
    let clean = CHUNK * bytes.chunks_exact(CHUNK).take_while(|chunk| is_clean(chunk)).count();
    let after = bytes[clean..].iter().position(|&byte| must_escape(byte));
    after.map(|at| clean + at)
}

fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let [high, low] = [byte >> 4, byte & 0xf].map(|half| HEX[usize::from(half)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{LeaderEpoch, Offset, PartitionId, Record, Timestamp};

    fn printed(delivered: &Delivered<'_>) -> String {
        let mut out = Vec::new();
        print(delivered, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn delivered(record: Record<'_>) -> Delivered<'_> {
        Delivered {
            topic: "t",
            partition: PartitionId(0),
            offset: Offset(7),
            timestamp: Some((TimestampType::CreateTime, Timestamp(1_700_000_000_000))),
            leader_epoch: Some(LeaderEpoch(2)),
            watermarks: None,
            record,
        }
    }

    /// Checks the part of the record that its contents make.
    #[track_caller]
    fn check(record: Record<'_>, want: &str) {
        let line = printed(&delivered(record));
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
        let (_, contents) = line.split_once("\"leader_epoch\":2,").unwrap();
        assert_eq!(contents.strip_suffix('}').unwrap(), want);
    }

    fn value(value: &[u8]) -> Record<'_> {
        Record { value: Some(value), ..Record::default() }
    }

    #[test]
    fn keys_come_in_one_order() {
        let headers = [Header { name: b"n", value: Some(b"v") }];
        let record = Record { key: Some(b"k"), value: Some(b"v"), headers: &headers };
        assert_eq!(
            printed(&delivered(record)),
            r#"{"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"#.to_owned()
                + r#""timestamp_type":"create","leader_epoch":2,"#
                + r#""headers":[{"key":"n","value":"v"}],"key":"k","value":"v"}"#
        );
    }

    #[test]
    fn what_the_broker_did_not_say_is_null() {
        let bare =
            Delivered { timestamp: None, leader_epoch: None, ..delivered(Record::default()) };
        assert_eq!(
            printed(&bare),
            r#"{"topic":"t","partition":0,"offset":7,"timestamp":null,"timestamp_type":null,"#
                .to_owned()
                + r#""leader_epoch":null,"headers":[],"key":null,"value":null}"#
        );
        let appended = Some((TimestampType::LogAppendTime, Timestamp(-1)));
        let line = printed(&Delivered { timestamp: appended, ..bare });
        assert!(line.contains(r#""timestamp":-1,"timestamp_type":"logappend","#), "{line}");
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        check(value(b""), r#""headers":[],"key":null,"value":"""#);
        check(value(b"a\"b\\c/"), r#""headers":[],"key":null,"value":"a\"b\\c/""#);
        check(
            value(b"\n\r\t\0\x1f\x7f"),
            "\"headers\":[],\"key\":null,\"value\":\"\\n\\r\\t\\u0000\\u001f\x7f\"",
        );
        check(
            value("ü\u{1F980}\u{2028}".as_bytes()),
            "\"headers\":[],\"key\":null,\"value\":\"ü\u{1F980}\u{2028}\"",
        );
        check(value(b"\xff"), r#""headers":[],"key":null,"value_base64":"/w==""#);
        for at in 0..40 {
            let mut text = vec![b'x'; 40];
            text[at] = b'"';
            let (before, after) = ("x".repeat(at), "x".repeat(39 - at));
            check(value(&text), &format!(r#""headers":[],"key":null,"value":"{before}\"{after}""#));
        }
        check(value(b"\xff\xfe\xfd"), r#""headers":[],"key":null,"value_base64":"//79""#);
        // A surrogate is no UTF-8, whatever Java's modified UTF-8 says.
        check(value(b"\xed\xa0\x80"), r#""headers":[],"key":null,"value_base64":"7aCA""#);
        let key = Record { key: Some(b"\x80"), ..Record::default() };
        check(key, r#""headers":[],"key_base64":"gA==","value":null"#);
    }

    #[test]
    fn headers_keep_order_duplicates_nulls_and_bytes() {
        let headers = [
            Header { name: b"b", value: None },
            Header { name: b"a", value: Some(b"") },
            Header { name: b"b", value: Some(b"\xff") },
            Header { name: b"\xff", value: Some(b"x") },
        ];
        check(
            Record { headers: &headers, ..Record::default() },
            &(r#""headers":[{"key":"b","value":null},{"key":"a","value":""},"#.to_owned()
                + r#"{"key":"b","value_base64":"/w=="},{"key_base64":"/w==","value":"x"}],"#
                + r#""key":null,"value":null"#),
        );
    }
}
