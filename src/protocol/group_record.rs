//! The records of `__consumer_offsets`: what groups committed and who was in them.
//! Never knows: what they add up to.
//!
//! ```text
//! key     i16 kind | body of version 0, never flexible
//! value   i16 version | body; null takes away what the key names
//! ```
//! Versions written are those of Kafka 4.1 and later (GroupCoordinatorRecordHelpers.java).

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Version, Writer};
use super::field::Text;
use super::message::{Message, message};
use super::show::shown;
use crate::record::{LeaderEpoch, Offset, PartitionId, Timestamp, Uuid};

/// The same as kind 1, from before 0.9.
const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// Of both values; the keys have only version 0.
const VALUE_VERSIONS: RangeInclusive<i16> = 0..=4;
const FLEXIBLE_FROM: i16 = 4;

const OFFSET_WRITES: i16 = 4;
/// The only version with an end of its own for the offset.
const EXPIRING_OFFSET_WRITES: i16 = 1;
const GENERATION_WRITES: i16 = 3;

/// A change of a group.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRecord {
    Offset(OffsetCommitKey, OffsetCommitValue),
    OffsetGone(OffsetCommitKey),
    /// The group's members as of a generation, by the group's id.
    Generation(Text, GroupMetadataValue),
    GroupGone(Text),
}

/// A record's key and value as they lie in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedGroupRecord {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

shown! {
    #[derive(Eq, PartialOrd, Ord, Hash)]
    pub struct OffsetCommitKey {
        group: Text,
        topic: Text,
        partition: PartitionId,
    }
}

shown! {
    pub struct OffsetCommitValue {
        offset: Offset,
        leader_epoch: Option<LeaderEpoch> [3..],
        metadata: Text,
        committed_at: Timestamp,
        expires_at: Option<Timestamp> [1..=1],
    }
    tagged {
        0 => topic_id: Uuid [4..],
    }
}

shown! {
    struct GroupMetadataKey {
        group: Text,
    }
}

shown! {
    pub struct GroupMetadataValue {
        /// `consumer`, `connect` and the like; empty where nobody joined yet.
        protocol_type: Text,
        generation: i32,
        /// The assignor that all agreed on.
        protocol: Option<Text>,
        leader: Option<Text>,
        /// Since when the group is in its state.
        state_since: Option<Timestamp> [2..],
        members: Vec<GroupMember>,
    }
}

shown! {
    pub struct GroupMember {
        member_id: Text,
        group_instance_id: Option<Text> [3..],
        client_id: Text,
        client_host: Text,
        rebalance_timeout_ms: i32 [1..] = -1,
        session_timeout_ms: i32,
        subscription: Bytes,
        assignment: Bytes,
    }
}

impl GroupRecord {
    /// Reads a record. `None`: it is of a group of another protocol (KIP-848, KIP-932, KIP-1071),
    /// or of a kind that a newer Kafka has, which older ones pass over as well.
    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Option<Self>, DecodeError> {
        let mut reader = Reader::new(key, version(0));
        let kind = i16::read(&mut reader)?;
        Ok(Some(match kind {
            LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
                let key = whole(reader)?;
                match value {
                    Some(value) => GroupRecord::Offset(key, read_value(value)?),
                    None => GroupRecord::OffsetGone(key),
                }
            }
            GROUP_METADATA => {
                let GroupMetadataKey { group } = whole(reader)?;
                match value {
                    Some(value) => GroupRecord::Generation(group, read_value(value)?),
                    None => GroupRecord::GroupGone(group),
                }
            }
            _ => return Ok(None),
        }))
    }

    pub fn encode(&self) -> Result<EncodedGroupRecord, EncodeError> {
        let group_key = |group: &Text| {
            prefixed(GROUP_METADATA, version(0), &GroupMetadataKey { group: group.clone() })
        };
        let (key, value) = match self {
            GroupRecord::Offset(key, value) => {
                let number = value.expires_at.map_or(OFFSET_WRITES, |_| EXPIRING_OFFSET_WRITES);
                let value = prefixed(number, version(number), value)?;
                (prefixed(OFFSET_COMMIT, version(0), key)?, Some(value))
            }
            GroupRecord::OffsetGone(key) => (prefixed(OFFSET_COMMIT, version(0), key)?, None),
            GroupRecord::Generation(group, value) => {
                let value = prefixed(GENERATION_WRITES, version(GENERATION_WRITES), value)?;
                (group_key(group)?, Some(value))
            }
            GroupRecord::GroupGone(group) => (group_key(group)?, None),
        };
        Ok(EncodedGroupRecord { key, value })
    }
}

fn version(number: i16) -> Version {
    Version { number, flexible: FLEXIBLE_FROM <= number }
}

fn whole<T: Field>(mut reader: Reader) -> Result<T, DecodeError> {
    let body = T::read(&mut reader)?;
    reader.finish()?;
    Ok(body)
}

fn read_value<T: Message>(value: Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(value, version(0));
    let number = i16::read(&mut reader)?;
    if !VALUE_VERSIONS.contains(&number) {
        return Err(Fault::Version(number).into());
    }
    reader.set_version(version(number));
    whole(reader)
}

fn prefixed(number: i16, version: Version, body: &impl Field) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(version);
    number.write(&mut writer)?;
    body.write(&mut writer)?;
    Ok(writer.into_parts().0)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, Sampler};
    use super::*;

    fn sampled<T: Message + Sample>(number: i16) -> (T, Bytes) {
        let body: T = Sampler::full(version(number)).field(true);
        let bytes = prefixed(number, version(number), &body).unwrap();
        (body, bytes.into())
    }

    fn key() -> OffsetCommitKey {
        OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: PartitionId(7) }
    }

    fn decode(encoded: EncodedGroupRecord) -> Result<Option<GroupRecord>, DecodeError> {
        GroupRecord::decode(encoded.key.into(), encoded.value.map(Bytes::from))
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// What Apache Kafka 4.3.1 wrote is read as this, and this is written as that.
    #[track_caller]
    fn check_apache(key: &str, value: &str, want: &GroupRecord) {
        let apache = EncodedGroupRecord { key: bytes(key), value: Some(bytes(value)) };
        assert_eq!(want.encode(), Ok(apache.clone()));
        assert_eq!(decode(apache).as_ref(), Ok(&Some(want.clone())));
    }

    #[test]
    fn records_are_the_bytes_that_apache_writes() {
        let key = OffsetCommitKey { group: "rdk".into(), ..key() };
        let key = OffsetCommitKey { partition: PartitionId(0), ..key };
        let value = OffsetCommitValue {
            offset: Offset(10),
            committed_at: Timestamp(0x1a2_01a9_f0ba),
            topic_id: Uuid::parse("wwIFr_USQ7-xbcWVGVRX0Q").unwrap(),
            ..OffsetCommitValue::default()
        };
        check_apache(
            "0001 0003 72646b 0001 74 00000000",
            "0004 000000000000000a ffffffff 01 000001a201a9f0ba 01 00 10 \
             c30205aff51243bfb16dc595195457d1",
            &GroupRecord::Offset(key, value),
        );
        let empty = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 2,
            state_since: Some(Timestamp(0x1a2_01a9_f0bd)),
            ..GroupMetadataValue::default()
        };
        check_apache(
            "0002 0003 72646b",
            "0003 0008 636f6e73756d6572 00000002 ffff ffff 000001a201a9f0bd 00000000",
            &GroupRecord::Generation("rdk".into(), empty),
        );
    }

    #[test]
    fn members_are_the_bytes_that_apache_writes() {
        let member = GroupMember {
            member_id: "rdkafka-1".into(),
            group_instance_id: None,
            client_id: "rdkafka".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            subscription: bytes("0001 00000001 0001 74 00000000 00000000").into(),
            assignment: bytes("0000 00000001 0001 74 00000002 00000000 00000001 00000000").into(),
        };
        let generation = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 1,
            protocol: Some("range".into()),
            leader: Some("rdkafka-1".into()),
            state_since: Some(Timestamp(0x1a2_01a9_ec56)),
            members: vec![member],
        };
        check_apache(
            "0002 0003 72646b",
            "0003 0008 636f6e73756d6572 00000001 0005 72616e6765 0009 72646b61666b612d31 \
             000001a201a9ec56 00000001 0009 72646b61666b612d31 ffff 0007 72646b61666b61 \
             000a 2f3132372e302e302e31 000493e0 0000afc8 \
             00000011 0001 00000001 0001 74 00000000 00000000 \
             00000019 0000 00000001 0001 74 00000002 00000000 00000001 00000000",
            &GroupRecord::Generation("rdk".into(), generation),
        );
    }

    #[test]
    fn every_version_is_read_and_no_truncation_is() {
        let offset_key = GroupRecord::OffsetGone(key()).encode().unwrap().key;
        let group_key = GroupRecord::GroupGone("g".into()).encode().unwrap().key;
        #[track_caller]
        fn check(key: &[u8], value: Bytes, want: GroupRecord) {
            let read = |value| GroupRecord::decode(Bytes::copy_from_slice(key), Some(value));
            assert_eq!(read(value.clone()), Ok(Some(want)));
            for length in 0..value.len() {
                assert!(read(value.slice(..length)).is_err(), "{length} of {}", value.len());
            }
        }
        for number in VALUE_VERSIONS {
            let (body, bytes) = sampled(number);
            check(&offset_key, bytes, GroupRecord::Offset(key(), body));
            let (body, bytes) = sampled(number);
            check(&group_key, bytes, GroupRecord::Generation("g".into(), body));
        }
        for key in [offset_key, group_key] {
            for length in 0..key.len() {
                let cut = Bytes::copy_from_slice(&key[..length]);
                assert!(GroupRecord::decode(cut, None).is_err(), "{length} of {}", key.len());
            }
        }
    }

    #[test]
    fn what_we_write_we_can_read() {
        let (offset, _) = sampled::<OffsetCommitValue>(OFFSET_WRITES);
        let (expiring, _) = sampled::<OffsetCommitValue>(EXPIRING_OFFSET_WRITES);
        let (generation, _) = sampled::<GroupMetadataValue>(GENERATION_WRITES);
        let records = [
            GroupRecord::Offset(key(), offset),
            GroupRecord::Offset(key(), expiring),
            GroupRecord::OffsetGone(key()),
            GroupRecord::Generation("g".into(), generation),
            GroupRecord::GroupGone("g".into()),
        ];
        for record in records {
            assert_eq!(decode(record.encode().unwrap()), Ok(Some(record)));
        }
    }

    #[test]
    fn records_of_other_kinds_of_groups_are_passed_over() {
        for kind in 3..30i16 {
            let key = Bytes::from([&kind.to_be_bytes()[..], &[0, 1, b'g']].concat());
            assert_eq!(GroupRecord::decode(key, Some(Bytes::from_static(&[0, 9]))), Ok(None));
        }
    }

    #[test]
    fn what_a_newer_kafka_wrote_is_refused() {
        let key = Bytes::from(GroupRecord::OffsetGone(key()).encode().unwrap().key);
        let newer = GroupRecord::decode(key, Some(Bytes::from_static(&[0, 5, 0])));
        assert_eq!(newer.unwrap_err().to_string(), "version 5 is not known");
    }
}
