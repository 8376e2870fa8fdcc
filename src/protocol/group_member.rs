//! The records of `__consumer_offsets` of groups whose members the broker shares partitions out to:
//! consumers (KIP-848) and share groups (KIP-932), as of Kafka 4.3.
//! Never knows: what they add up to.
//!
//! ```text
//! key     i16 kind | body, never flexible
//! value   i16 version, 0 | body, always flexible; null takes away what the key names
//! ```
//! Left out: the protocols of a consumer that speaks the older protocol in such a group (tag 0 of
//! its record). Of streams groups (KIP-1071), and of what a newer Kafka has, bytes are shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::codec::{DecodeError, Field, Reader, Version};
use super::field::Text;
use super::message::{Message, message};
use super::show::{Show, shown};
use crate::record::{PartitionId, Timestamp, Uuid};

shown! {
    struct GroupKey {
        group: Text,
    }
}

shown! {
    struct MemberKey {
        group: Text,
        member: Text,
    }
}

shown! {
    struct RegularExpressionKey {
        group: Text,
        regular_expression: Text,
    }
}

shown! {
    struct ConsumerGroup {
        epoch: i32,
    }
    tagged {
        /// Of the topics that are subscribed to (KIP-1101).
        0 => metadata_hash: i64 [0..],
    }
}

shown! {
    struct ConsumerMember {
        instance_id: Option<Text>,
        rack: Option<Text>,
        client_id: Text,
        client_host: Text,
        topics: Vec<Text>,
        regular_expression: Option<Text>,
        rebalance_timeout_ms: i32 = -1,
        assignor: Option<Text>,
    }
}

shown! {
    struct TargetAssignment {
        epoch: i32,
    }
    tagged {
        /// When it was made (KIP-1263).
        0 => assigned_at: Timestamp [0..],
    }
}

shown! {
    struct MemberTarget {
        partitions: Vec<TopicPartitions>,
    }
}

shown! {
    struct TopicPartitions {
        topic_id: Uuid,
        partitions: Vec<PartitionId>,
    }
    tagged {
        /// Since which epoch the member has each of them (KIP-1251).
        0 => assignment_epochs: Option<Vec<i32>> [0..],
    }
}

shown! {
    struct ConsumerAssignment {
        epoch: i32,
        previous_epoch: i32,
        state: i8,
        assigned: Vec<TopicPartitions>,
        to_be_revoked: Vec<TopicPartitions>,
    }
}

shown! {
    struct RegularExpression {
        topics: Vec<Text>,
        version: i64,
        resolved_at: Timestamp,
    }
}

shown! {
    struct ShareMember {
        rack: Option<Text>,
        client_id: Text,
        client_host: Text,
        topics: Vec<Text>,
    }
}

shown! {
    struct ShareGroup {
        epoch: i32,
        metadata_hash: i64,
    }
}

shown! {
    struct ShareAssignment {
        epoch: i32,
        previous_epoch: i32,
        state: i8,
        assigned: Vec<TopicPartitions>,
    }
}

shown! {
    struct ShareState {
        initializing: Vec<ShareTopic>,
        initialized: Vec<ShareTopic>,
        deleting: Vec<DeletedTopic>,
    }
}

shown! {
    struct ShareTopic {
        topic_id: Uuid,
        topic: Text,
        partitions: Vec<PartitionId>,
    }
}

shown! {
    struct DeletedTopic {
        topic_id: Uuid,
        topic: Text,
    }
}

/// Shows a record (CoordinatorRecordType.java has the kinds). One of a kind or version that is not
/// known here is shown by those and its bytes.
pub fn show(key: &Bytes, value: Option<&Bytes>) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(key.clone(), KEY);
    let kind = i16::read(&mut reader)?;
    let version = value.map(|value| i16::read(&mut Reader::new(value.clone(), KEY))).transpose()?;
    if version.is_some_and(|version| version != 0) {
        return Ok(bytes_of(kind, version, key, value));
    }
    match kind {
        3 => both::<GroupKey, ConsumerGroup>("ConsumerGroupMetadata", reader, value),
        5 => both::<MemberKey, ConsumerMember>("ConsumerGroupMemberMetadata", reader, value),
        6 => both::<GroupKey, TargetAssignment>(
            "ConsumerGroupTargetAssignmentMetadata",
            reader,
            value,
        ),
        7 => both::<MemberKey, MemberTarget>("ConsumerGroupTargetAssignmentMember", reader, value),
        8 => both::<MemberKey, ConsumerAssignment>(
            "ConsumerGroupCurrentMemberAssignment",
            reader,
            value,
        ),
        10 => both::<MemberKey, ShareMember>("ShareGroupMemberMetadata", reader, value),
        11 => both::<GroupKey, ShareGroup>("ShareGroupMetadata", reader, value),
        12 => {
            both::<GroupKey, TargetAssignment>("ShareGroupTargetAssignmentMetadata", reader, value)
        }
        13 => both::<MemberKey, MemberTarget>("ShareGroupTargetAssignmentMember", reader, value),
        14 => {
            both::<MemberKey, ShareAssignment>("ShareGroupCurrentMemberAssignment", reader, value)
        }
        15 => both::<GroupKey, ShareState>("ShareGroupStatePartitionMetadata", reader, value),
        16 => both::<RegularExpressionKey, RegularExpression>(
            "ConsumerGroupRegularExpression",
            reader,
            value,
        ),
        _ => Ok(bytes_of(kind, version, key, value)),
    }
}

const KEY: Version = Version { number: 0, flexible: false };
const VALUE: Version = Version { number: 0, flexible: true };

fn both<K: Message + Show, V: Message + Show>(
    name: &str,
    mut key: Reader,
    value: Option<&Bytes>,
) -> Result<Value, DecodeError> {
    let shown_key = K::read(&mut key)?.show();
    key.finish()?;
    let value = value.map(|value| {
        let mut reader = Reader::new(value.slice(2..), VALUE);
        let body = V::read(&mut reader)?;
        reader.finish()?;
        Ok::<_, DecodeError>(body.show())
    });
    let value = value.transpose()?.unwrap_or(Value::Null);
    Ok(json!({"type": name, "key": shown_key, "value": value}))
}

fn bytes_of(kind: i16, version: Option<i16>, key: &Bytes, value: Option<&Bytes>) -> Value {
    let name = match kind {
        4 => "ConsumerGroupPartitionMetadata",
        17 => "StreamsGroupMetadata",
        18 => "StreamsGroupPartitionMetadata",
        19 => "StreamsGroupMemberMetadata",
        20 => "StreamsGroupTargetAssignmentMetadata",
        21 => "StreamsGroupTargetAssignmentMember",
        22 => "StreamsGroupCurrentMemberAssignment",
        23 => "StreamsGroupTopology",
        _ => "unknown",
    };
    let value = value.map(|value| STANDARD.encode(value));
    let key = STANDARD.encode(key);
    json!({"type": name, "kind": kind, "version": version, "key_bytes": key, "value_bytes": value})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<char> = hex.chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// What Apache Kafka 4.3.1 wrote is shown as this, and nothing less than all of it.
    #[track_caller]
    fn check(key: &str, value: &str, name: &str, want: Value) {
        let (key, value) = (bytes(key), bytes(value));
        let shown = show(&key, Some(&value)).unwrap();
        assert_eq!((&shown["type"], &shown["value"]), (&Value::from(name), &want));
        for cut in 0..value.len() {
            assert!(show(&key, Some(&value.slice(..cut))).is_err(), "{name} cut at {cut}");
        }
        let gone = show(&key, None).unwrap();
        assert_eq!((&gone["key"], &gone["value"]), (&shown["key"], &Value::Null));
    }

    const GROUP: &str = "00066d6f6465726e";
    const SHARING: &str = "000773686172696e67";
    const MEMBER: &str = "001654763557383670325245363345744568786b59376551";
    const TOPIC: &str = "644f4fe23cbf4cd7ba3d672465f0a64d";

    fn topic() -> Value {
        Value::from(Uuid(bytes(TOPIC)[..].try_into().unwrap()).to_string())
    }

    #[test]
    fn consumer_groups_of_apache_kafka_are_shown() {
        let group = |kind: &str| format!("{kind}{GROUP}");
        let member = |kind: &str| format!("{kind}{GROUP}{MEMBER}");
        let hash = 0xe13b_68ba_216a_f52a_u64.cast_signed();
        check(
            &group("0003"),
            "000000000002010008e13b68ba216af52a",
            "ConsumerGroupMetadata",
            json!({"epoch": 2, "metadata_hash": hash}),
        );
        check(
            &member("0005"),
            "0000000011636f6e736f6c652d636f6e73756d65720b2f3132372e302e302e3102076f726465727301\
             000493e00001000100",
            "ConsumerGroupMemberMetadata",
            json!({
                "instance_id": null, "rack": null, "client_id": "console-consumer",
                "client_host": "/127.0.0.1", "topics": ["orders"], "regular_expression": "",
                "rebalance_timeout_ms": 300_000, "assignor": null,
            }),
        );
        check(
            &group("0006"),
            "000000000002010008000001a2033022ff",
            "ConsumerGroupTargetAssignmentMetadata",
            json!({"epoch": 2, "assigned_at": 0x1a2_0330_22ff_i64}),
        );
        let held = json!({"topic_id": topic(), "partitions": [0, 1], "assignment_epochs": null});
        check(
            &member("0007"),
            &format!("000002{TOPIC}0300000000000000010000"),
            "ConsumerGroupTargetAssignmentMember",
            json!({"partitions": [held]}),
        );
        let held = json!({"topic_id": topic(), "partitions": [0, 1], "assignment_epochs": [2, 2]});
        check(
            &member("0008"),
            &format!(
                "000000000002000000000002{TOPIC}0300000000000000010100090300000002000000020100"
            ),
            "ConsumerGroupCurrentMemberAssignment",
            json!({
                "epoch": 2, "previous_epoch": 0, "state": 0, "assigned": [held],
                "to_be_revoked": [],
            }),
        );
    }

    #[test]
    fn share_groups_of_apache_kafka_are_shown() {
        let group = |kind: &str| format!("{kind}{SHARING}");
        let member = |kind: &str| format!("{kind}{SHARING}{MEMBER}");
        let hash = 0xe13b_68ba_216a_f52a_u64.cast_signed();
        check(
            &member("000a"),
            "00000017636f6e736f6c652d73686172652d636f6e73756d65720b2f3132372e302e302e3102076f72646\
             5727300",
            "ShareGroupMemberMetadata",
            json!({
                "rack": null, "client_id": "console-share-consumer", "client_host": "/127.0.0.1",
                "topics": ["orders"],
            }),
        );
        check(
            &group("000b"),
            "000000000002e13b68ba216af52a00",
            "ShareGroupMetadata",
            json!({"epoch": 2, "metadata_hash": hash}),
        );
        check(
            &group("000c"),
            "000000000003010008000001a20330b9c8",
            "ShareGroupTargetAssignmentMetadata",
            json!({"epoch": 3, "assigned_at": 0x1a2_0330_b9c8_i64}),
        );
        let held = json!({"topic_id": topic(), "partitions": [0, 1], "assignment_epochs": null});
        check(
            &member("000d"),
            &format!("000002{TOPIC}0300000000000000010000"),
            "ShareGroupTargetAssignmentMember",
            json!({"partitions": [held]}),
        );
        check(
            &member("000e"),
            &format!("000000000003000000020002{TOPIC}0300000000000000010000"),
            "ShareGroupCurrentMemberAssignment",
            json!({"epoch": 3, "previous_epoch": 2, "state": 0, "assigned": [held]}),
        );
        let known = json!({"topic_id": topic(), "topic": "orders", "partitions": [0, 1]});
        check(
            &group("000f"),
            &format!("000002{TOPIC}076f726465727303000000000000000100010100"),
            "ShareGroupStatePartitionMetadata",
            json!({"initializing": [known], "initialized": [], "deleting": []}),
        );
    }

    #[test]
    fn what_is_not_known_is_shown_as_bytes_under_its_name() {
        let shown = show(&bytes("0011000167"), Some(&bytes("0003aa"))).unwrap();
        let want = json!({
            "type": "StreamsGroupMetadata", "kind": 17, "version": 3, "key_bytes": "ABEAAWc=",
            "value_bytes": "AAOq",
        });
        assert_eq!(shown, want);
        assert_eq!(show(&bytes("0063"), None).unwrap()["type"], "unknown");
        assert_eq!(show(&bytes("0003000167"), Some(&bytes("0001"))).unwrap()["version"], 1);
    }
}
