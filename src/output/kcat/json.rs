//! JSON as yajl writes it for kcat: bytes that are not UTF-8 stay as they are.

use std::io::Write;

use super::Fetched;
use crate::record::TimestampType;

/// Appends the one object of a record.
pub fn record(fetched: &Fetched<'_>, out: &mut Vec<u8>) {
    let of = &fetched.record;
    out.extend_from_slice(b"{\"topic\":");
    string(of.topic.as_bytes(), out);
    write!(out, ",\"partition\":{},\"offset\":{}", of.partition, of.offset).expect(MEMORY);
    if let Some((kind, time)) = of.timestamp {
        let kind = match kind {
            TimestampType::CreateTime => "create",
            TimestampType::LogAppendTime => "logappend",
        };
        write!(out, ",\"tstype\":\"{kind}\",\"ts\":{}", time.get()).expect(MEMORY);
    }
    write!(out, ",\"broker\":{}", fetched.broker).expect(MEMORY);
    if !of.record.headers.is_empty() {
        out.extend_from_slice(b",\"headers\":[");
        for (index, header) in of.record.headers.iter().enumerate() {
            if 0 < index {
                out.push(b',');
            }
            string(header.name, out);
            out.push(b',');
            nullable(header.value, out);
        }
        out.push(b']');
    }
    out.extend_from_slice(b",\"key\":");
    nullable(of.record.key, out);
    out.extend_from_slice(b",\"payload\":");
    nullable(of.record.value, out);
    out.push(b'}');
}

const MEMORY: &str = "memory takes every write";

fn nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => string(bytes, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends bytes as a string: only what JSON's grammar forbids is escaped (yajl_string_encode).
pub fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if 0x20 <= byte && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => write!(out, "\\u{byte:04X}").expect(MEMORY),
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Delivered, Header, Offset, PartitionId, Record, Timestamp};

    #[track_caller]
    fn check(bytes: &[u8], want: &[u8]) {
        let mut out = Vec::new();
        string(bytes, &mut out);
        assert_eq!(out.escape_ascii().to_string(), want.escape_ascii().to_string());
    }

    #[test]
    fn strings_keep_their_bytes() {
        check(b"", b"\"\"");
        check(b"a/b\x7f\xff\xc3\xa4", b"\"a/b\x7f\xff\xc3\xa4\"");
        check(b"\"\\\r\n\t\x0c\x08", br#""\"\\\r\n\t\f\b""#);
        check(b"a\0b\x1f", br#""a\u0000b\u001F""#);
    }

    #[test]
    fn a_record_is_one_object() {
        let headers = [
            Header { name: b"a", value: Some(b"1") },
            Header { name: b"a", value: None },
            Header { name: b"", value: Some(b"") },
        ];
        let mut fetched = Fetched {
            record: Delivered {
                topic: "t",
                partition: PartitionId(3),
                offset: Offset(7),
                timestamp: Some((TimestampType::CreateTime, Timestamp(1))),
                leader_epoch: None,
                watermarks: None,
                record: Record { key: None, value: Some(b""), headers: &headers },
            },
            broker: 2,
        };
        let shown = |fetched: &Fetched<'_>| {
            let mut out = Vec::new();
            record(fetched, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            shown(&fetched),
            r#"{"topic":"t","partition":3,"offset":7,"tstype":"create","ts":1,"broker":2,"headers":["a","1","a",null,"",""],"key":null,"payload":""}"#
        );
        fetched.record.timestamp = None;
        fetched.record.record = Record { key: Some(b"k"), value: None, headers: &[] };
        assert_eq!(
            shown(&fetched),
            r#"{"topic":"t","partition":3,"offset":7,"broker":2,"key":"k","payload":null}"#
        );
    }
}
