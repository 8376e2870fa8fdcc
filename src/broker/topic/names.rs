//! What a topic may be called, and what its directory is called (Topic.java, LogManager).
//! Never knows: which topics there are.

use std::fmt;

use crate::record::{PartitionId, Uuid};

const NAME_BYTES_MAX: usize = 249;
/// NAME_MAX of limits.h: what Linux's file systems take.
const FILE_NAME_BYTES_MAX: usize = 255;

/// Why a name will not do, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub fn check(name: &str) -> Result<(), BadName> {
    let bad = |why: String| Err(BadName(format!("Topic name is invalid: {why}")));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match name {
        "" => bad("the empty string is not allowed".into()),
        "." | ".." => bad("'.' or '..' is not allowed".into()),
        name if NAME_BYTES_MAX < name.len() => {
            bad(format!("the length of '{name}' is longer than the max allowed length 249"))
        }
        name if !name.bytes().all(legal) => bad(format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        )),
        _ => Ok(()),
    }
}

/// Names that differ only in `.` and `_` are one in Kafka's metrics, and so may not both exist.
pub fn folded(name: &str) -> String {
    name.replace('.', "_")
}

/// Kafka's own topics.
pub fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// What a directory in the data directory is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directory<'a> {
    Partition {
        topic: &'a str,
        partition: PartitionId,
    },
    /// Of a topic that was deleted; what is in it may go.
    Deleted,
    /// Set aside by this program or Apache's, or nothing of Kafka's.
    Other,
}

impl Directory<'_> {
    pub fn parse(name: &str) -> Directory<'_> {
        if let Some(id) = name.strip_suffix("-delete").and_then(|name| name.rsplit_once('.')) {
            let is_hex = id.1.len() == 32 && id.1.bytes().all(|byte| byte.is_ascii_hexdigit());
            return if is_hex { Directory::Deleted } else { Directory::Other };
        }
        if name.ends_with("-stray") || name.ends_with("-future") {
            return Directory::Other;
        }
        match name.rsplit_once('-').map(|(topic, number)| (topic, number.parse())) {
            Some((topic, Ok(number))) if 0 <= number && check(topic).is_ok() => {
                Directory::Partition { topic, partition: PartitionId(number) }
            }
            _ => Directory::Other,
        }
    }
}

/// `<topic>-<partition>.<32 hex digits>-<suffix>`, the topic cut so that a file system takes it
/// (LocalLog.logDirNameWithSuffixCappedLength).
pub fn set_aside(topic: &str, partition: PartitionId, id: Uuid, suffix: &str) -> String {
    let id: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let tail = format!("-{partition}.{id}-{suffix}");
    let kept = topic.len().min(FILE_NAME_BYTES_MAX - tail.len());
    format!("{}{tail}", &topic[..kept])
}

/// The partition in a name that `set_aside` made.
pub fn partition_set_aside(name: &str) -> Option<PartitionId> {
    let (head, _) = name.rsplit_once('.')?;
    head.rsplit_once('-')?.1.parse().ok().map(PartitionId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_in_kafkas_words() {
        let check = |name: &str, want: &str| {
            let got = super::check(name).err().map_or(String::new(), |bad| bad.to_string());
            assert_eq!(got, want, "{name}");
        };
        check("orders.v1_x-2", "");
        check("", "Topic name is invalid: the empty string is not allowed");
        check("..", "Topic name is invalid: '.' or '..' is not allowed");
        check(
            "a b",
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII \
             alphanumerics, '.', '_' and '-'",
        );
        let long = "x".repeat(250);
        check(
            &long,
            &format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed \
                 length 249"
            ),
        );
    }

    #[test]
    fn directories_are_told_by_their_names() {
        let id = Uuid([0xab; 16]);
        let aside = |suffix| set_aside("t", PartitionId(3), id, suffix);
        let (deleted, stray) = (aside("delete"), aside("stray"));
        let partition =
            |topic, number| Directory::Partition { topic, partition: PartitionId(number) };
        let check = |name: &str, want: Directory<'_>| {
            assert_eq!(Directory::parse(name), want, "{name}");
        };
        check("t-0", partition("t", 0));
        check("a-b-12", partition("a-b", 12));
        check("t", Directory::Other);
        check("t--1", partition("t-", 1));
        check("t-x", Directory::Other);
        check(&deleted, Directory::Deleted);
        check(&stray, Directory::Other);
    }

    #[test]
    fn partitions_of_a_long_name_are_set_aside_apart() {
        let long = "x".repeat(249);
        for partition in [PartitionId(3), PartitionId(i32::MAX)] {
            let aside = set_aside(&long, partition, Uuid([0xab; 16]), "delete");
            assert_eq!((aside.len(), partition_set_aside(&aside)), (255, Some(partition)));
            assert_eq!(Directory::parse(&aside), Directory::Deleted);
        }
    }
}
