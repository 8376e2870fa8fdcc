//! What the records of Kafka's own topics, and control records, say, as JSON.
//! Never knows: files, batches.

use bytes::Bytes;
use serde_json::{Value, json};

use super::catalogue::CatalogueRecord;
use super::codec::DecodeError;
use super::control::ControlRecord;
use super::group_member;
use super::group_record::GroupRecord;
use super::show::Show;
use super::transaction_record::TransactionRecord;

/// Whose records are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `__consumer_offsets`
    Groups,
    /// `__transaction_state`
    Transactions,
    /// `__cluster_metadata`
    Catalogue,
    /// Of a control batch, in any topic.
    Control,
}

impl Kind {
    pub fn of_topic(topic: &str) -> Option<Kind> {
        match topic {
            "__consumer_offsets" => Some(Kind::Groups),
            "__transaction_state" => Some(Kind::Transactions),
            "__cluster_metadata" => Some(Kind::Catalogue),
            _ => None,
        }
    }
}

/// What a record says. `None`: something that is passed over here, such as a share group's.
pub fn decode(
    kind: Kind,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<Option<Value>, DecodeError> {
    let key = Bytes::copy_from_slice(key.unwrap_or_default());
    let value = value.map(Bytes::copy_from_slice);
    match kind {
        Kind::Groups => Ok(Some(match GroupRecord::decode(key.clone(), value.clone())? {
            Some(record) => group(&record),
            None => group_member::show(&key, value.as_ref())?,
        })),
        Kind::Transactions => {
            let TransactionRecord { key, value, .. } = TransactionRecord::decode(key, value)?;
            Ok(Some(json!({"type": "Transaction", "key": key.show(), "value": value.show()})))
        }
        Kind::Catalogue => {
            let record = CatalogueRecord::decode(value.unwrap_or_default())?;
            Ok(Some(json!({"type": record.name(), "value": record.show()})))
        }
        Kind::Control => {
            let record = ControlRecord::decode(key, value.unwrap_or_default())?;
            Ok(Some(json!({"type": record.name(), "value": record.show()})))
        }
    }
}

fn group(record: &GroupRecord) -> Value {
    let (name, key, value) = match record {
        GroupRecord::Offset(key, value) => ("OffsetCommit", key.show(), value.show()),
        GroupRecord::OffsetGone(key) => ("OffsetCommit", key.show(), Value::Null),
        GroupRecord::Generation(group, value) => {
            ("GroupMetadata", json!({"group": &**group}), value.show())
        }
        GroupRecord::GroupGone(group) => ("GroupMetadata", json!({"group": &**group}), Value::Null),
    };
    json!({"type": name, "key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{TopicRecord, UserScramCredentialRecord};
    use super::*;

    #[track_caller]
    fn check(kind: Kind, key: Option<&[u8]>, value: Option<&[u8]>, want: Value) {
        assert_eq!(decode(kind, key, value), Ok(Some(want)));
    }

    #[test]
    fn records_are_shown_by_name_and_field() {
        let topic = TopicRecord { name: "a".into(), ..TopicRecord::default() };
        let value = CatalogueRecord::from(topic).encode().unwrap();
        let want = json!({"name": "a", "topic_id": "AAAAAAAAAAAAAAAAAAAAAA"});
        let want = json!({"type": "TopicRecord", "value": want});
        check(Kind::Catalogue, None, Some(&value), want);
        let key = b"\0\x01\0\x01g\0\x01t\0\0\0\x07";
        let want = json!({"group": "g", "topic": "t", "partition": 7});
        let want = json!({"type": "OffsetCommit", "key": want, "value": null});
        check(Kind::Groups, Some(key), None, want);
        let want = json!({"type": "Abort", "value": {"coordinator_epoch": 3}});
        check(Kind::Control, Some(&[0; 4]), Some(b"\0\0\0\0\0\x03"), want);
        let want = json!({"type": "ConsumerGroupMetadata", "key": {"group": "g"}, "value": null});
        check(Kind::Groups, Some(b"\0\x03\0\x01g"), None, want);
        assert!(decode(Kind::Groups, None, None).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = UserScramCredentialRecord { name: "bob".into(), ..Default::default() };
        let value = CatalogueRecord::from(secret).encode().unwrap();
        let shown = decode(Kind::Catalogue, None, Some(&value)).unwrap().unwrap();
        assert_eq!(shown["value"]["stored_key"], "(hidden)");
    }
}
