//! The JSON record: the contract of what `consume -J` prints and `produce -J` reads.
//!
//! Every field is always there, in one order. Null is `null`, empty is `""`, and bytes that are
//! not UTF-8 come as base64 under a name of their own. Written by hand into one buffer: a
//! serializer's per-field calls cost more than all the rest of a record's way to stdout.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::number;
use crate::record::{Delivered, Header, LeaderEpoch, PartitionId, Timestamp, TimestampType};

/// Prints records as JSON objects, each ended by the same bytes.
///
/// Neighbours are of one partition, and many of one millisecond: what is the same is made once.
pub struct Json {
    end: Vec<u8>,
    /// Up to the offset, for this topic and partition.
    head: Vec<u8>,
    topic: String,
    partition: PartitionId,
    /// From the offset to the headers, for this time and epoch.
    middle: Vec<u8>,
    stamp: Stamp,
}

type Stamp = (Option<(TimestampType, Timestamp)>, Option<LeaderEpoch>);

impl Json {
    pub fn ended_by(end: Vec<u8>) -> Json {
        let (topic, partition, stamp) = (String::new(), PartitionId(0), (None, None));
        let (head, middle) = (head(&topic, partition), middle(stamp));
        Json { end, head, topic, partition, middle, stamp }
    }

    /// Appends one record.
    pub fn print(&mut self, delivered: &Delivered<'_>, out: &mut Vec<u8>) {
        if self.topic != delivered.topic || self.partition != delivered.partition {
            (self.topic, self.partition) = (delivered.topic.to_owned(), delivered.partition);
            self.head = head(&self.topic, self.partition);
        }
        let stamp = (delivered.timestamp, delivered.leader_epoch);
        if self.stamp != stamp {
            (self.stamp, self.middle) = (stamp, middle(stamp));
        }
        out.extend_from_slice(&self.head);
        number::push(delivered.offset.get(), out);
        out.extend_from_slice(&self.middle);
        push_headers(delivered.record.headers, out);
        out.extend_from_slice(b"],");
        push_field("key", delivered.record.key, out);
        out.push(b',');
        push_field("value", delivered.record.value, out);
        out.push(b'}');
        out.extend_from_slice(&self.end);
    }
}

fn head(topic: &str, partition: PartitionId) -> Vec<u8> {
    let mut out = b"{\"topic\":".to_vec();
    push_string(topic, &mut out);
    out.extend_from_slice(b",\"partition\":");
    number::push(partition.get().into(), &mut out);
    out.extend_from_slice(b",\"offset\":");
    out
}

/// The type has kcat's words.
fn middle((time, epoch): Stamp) -> Vec<u8> {
    let mut out = b",\"timestamp\":".to_vec();
    match time {
        Some((_, time)) => number::push(time.get(), &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(match time {
        None => b",\"timestamp_type\":null,\"leader_epoch\":" as &[u8],
        Some((TimestampType::CreateTime, _)) => b",\"timestamp_type\":\"create\",\"leader_epoch\":",
        Some((TimestampType::LogAppendTime, _)) => {
            b",\"timestamp_type\":\"logappend\",\"leader_epoch\":"
        }
    });
    match epoch {
        Some(epoch) => number::push(epoch.get().into(), &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"headers\":[");
    out
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
    if is_plain(bytes) {
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(bytes);
        return out.push(b'"');
    }
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

/// Whether it is ASCII of which nothing must be escaped. No branch a byte: the compiler makes
/// vector instructions of it.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |any, &byte| any | must_escape(byte) | !byte.is_ascii())
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
    use crate::record::{Offset, Record};

    fn printed(delivered: &Delivered<'_>) -> String {
        let mut out = Vec::new();
        Json::ended_by(Vec::new()).print(delivered, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_neighbours_share_is_told_of_each() {
        let first = delivered(value(b"a"));
        let time = Some((TimestampType::CreateTime, Timestamp(5)));
        let all = [
            first,
            Delivered { offset: Offset(8), ..first },
            Delivered { partition: PartitionId(1), ..first },
            Delivered { topic: "u", ..first },
            Delivered { timestamp: time, ..first },
            Delivered { leader_epoch: None, ..first },
            first,
        ];
        let mut json = Json::ended_by(b"\n".to_vec());
        let mut out = Vec::new();
        all.iter().for_each(|delivered| json.print(delivered, &mut out));
        let alone: String = all.iter().map(|delivered| printed(delivered) + "\n").collect();
        assert_eq!(String::from_utf8(out).unwrap(), alone);
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
