//! What one group has committed, and when that has become too old.
//! Never knows: members, where records go, what time it is.

use std::collections::BTreeMap;

use super::membership::OffsetRetention;
use crate::protocol::Text;
use crate::protocol::group_record::OffsetCommitValue;
use crate::record::{PartitionId, Timestamp, Uuid};

type Partitions = BTreeMap<PartitionId, OffsetCommitValue>;

/// The committed offsets of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offsets {
    by_topic: BTreeMap<Text, Partitions>,
}

/// A partition of which something is committed.
pub type Place = (Text, PartitionId);

impl Offsets {
    pub fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    pub fn get(&self, topic: &str, partition: PartitionId) -> Option<&OffsetCommitValue> {
        self.by_topic.get(topic)?.get(&partition)
    }

    /// All of them, by topic and partition.
    pub fn topics(&self) -> impl Iterator<Item = (&Text, &Partitions)> {
        self.by_topic.iter()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Text, PartitionId, &OffsetCommitValue)> {
        let topics = self.by_topic.iter();
        topics.flat_map(|(topic, partitions)| partitions.iter().map(move |(id, c)| (topic, *id, c)))
    }

    pub fn set(&mut self, topic: Text, partition: PartitionId, committed: OffsetCommitValue) {
        self.by_topic.entry(topic).or_default().insert(partition, committed);
    }

    pub fn remove(&mut self, topic: &str, partition: PartitionId) {
        let Some(partitions) = self.by_topic.get_mut(topic) else { return };
        partitions.remove(&partition);
        if partitions.is_empty() {
            self.by_topic.remove(topic);
        }
    }

    /// What was committed of this topic: not of another that had its name.
    pub fn of_topic(&self, name: &str, id: Uuid) -> Vec<Place> {
        let Some((topic, partitions)) = self.by_topic.get_key_value(name) else {
            return Vec::new();
        };
        // Records of Kafka before 4.1 do not say which topic they meant.
        let same = |committed: &OffsetCommitValue| [id, Uuid::ZERO].contains(&committed.topic_id);
        let same = partitions.iter().filter(|(_, committed)| same(committed));
        same.map(|(partition, _)| (topic.clone(), *partition)).collect()
    }

    /// What has become too old. Topics in use stay.
    pub fn expired(
        &self,
        age: OffsetRetention,
        keep_ms: i64,
        now: Timestamp,
        in_use: impl Fn(&str) -> bool,
    ) -> Vec<Place> {
        let is_old = |committed: &OffsetCommitValue| {
            let since = match age {
                OffsetRetention::Never => return false,
                OffsetRetention::SinceEmpty(since) => since,
                OffsetRetention::SinceCommit => committed.committed_at,
            };
            // A commit that named its own end is kept until then (OffsetCommit v2-4).
            let end = committed.expires_at;
            end.unwrap_or(Timestamp(since.get().saturating_add(keep_ms))) <= now
        };
        let topics = self.by_topic.iter().filter(|(topic, _)| !in_use(topic));
        let places = topics.flat_map(|(topic, partitions)| {
            let old = partitions.iter().filter(|(_, committed)| is_old(committed));
            old.map(|(partition, _)| (topic.clone(), *partition))
        });
        places.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(at: i64) -> OffsetCommitValue {
        OffsetCommitValue { committed_at: Timestamp(at), ..OffsetCommitValue::default() }
    }

    fn shown(places: &[Place]) -> String {
        let shown: Vec<_> = places.iter().map(|(topic, id)| format!("{topic}-{id}")).collect();
        shown.join(" ")
    }

    #[test]
    fn what_was_set_last_is_there_until_it_is_removed() {
        let mut offsets = Offsets::default();
        assert!(offsets.is_empty());
        offsets.set("t".into(), PartitionId(1), committed(1));
        offsets.set("t".into(), PartitionId(1), committed(2));
        assert_eq!(offsets.get("t", PartitionId(1)), Some(&committed(2)));
        assert_eq!(offsets.get("t", PartitionId(0)), None);
        offsets.remove("t", PartitionId(0));
        offsets.remove("other", PartitionId(1));
        assert!(!offsets.is_empty());
        offsets.remove("t", PartitionId(1));
        assert_eq!(offsets, Offsets::default());
    }

    #[test]
    fn a_deleted_topic_takes_its_own_offsets_along() {
        let (one, other) = (Uuid([1; 16]), Uuid([2; 16]));
        let mut offsets = Offsets::default();
        for (partition, topic_id) in [(0, one), (1, other), (2, Uuid::ZERO)] {
            let committed = OffsetCommitValue { topic_id, ..committed(0) };
            offsets.set("t".into(), PartitionId(partition), committed);
        }
        assert_eq!(shown(&offsets.of_topic("t", one)), "t-0 t-2");
        assert_eq!(shown(&offsets.of_topic("u", one)), "");
    }

    #[test]
    fn offsets_grow_old_as_kafkas_do() {
        let mut offsets = Offsets::default();
        offsets.set("a".into(), PartitionId(0), committed(100));
        offsets.set("a".into(), PartitionId(1), committed(200));
        let own_end = OffsetCommitValue { expires_at: Some(Timestamp(150)), ..committed(100) };
        offsets.set("b".into(), PartitionId(0), own_end);
        let check = |age, now, in_use: &str, want: &str| {
            let old = offsets.expired(age, 1000, Timestamp(now), |topic| topic == in_use);
            assert_eq!(shown(&old), want, "{age:?} at {now}");
        };
        check(OffsetRetention::SinceCommit, 149, "", "");
        check(OffsetRetention::SinceCommit, 150, "", "b-0");
        check(OffsetRetention::SinceCommit, 1100, "", "a-0 b-0");
        check(OffsetRetention::SinceCommit, 1200, "", "a-0 a-1 b-0");
        check(OffsetRetention::SinceCommit, 1200, "a", "b-0");
        check(OffsetRetention::SinceEmpty(Timestamp(5000)), 5999, "", "b-0");
        check(OffsetRetention::SinceEmpty(Timestamp(5000)), 6000, "", "a-0 a-1 b-0");
        check(OffsetRetention::Never, i64::MAX, "", "");
    }
}
