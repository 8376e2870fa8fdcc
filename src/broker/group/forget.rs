//! What groups let go of: offsets of deleted topics, old ones, those beyond a log that lost its
//! end; and groups with nothing left.
//! Never knows: requests, when it is time for it.

use std::sync::Arc;

use super::offsets::Place;
use super::store::{Store, StoreError};
use super::{Group, Groups, State};
use crate::broker::topic::{Topic, Topics, now};
use crate::protocol::Text;
use crate::protocol::group_record::{GroupRecord, OffsetCommitKey, OffsetCommitValue};
use crate::record::{Offset, PartitionId, Timestamp, Uuid};

impl Group {
    /// Takes back what was committed of these.
    pub fn forget(
        &mut self,
        store: &Store,
        id: &Text,
        places: &[Place],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let gone = places.iter().map(|place| GroupRecord::OffsetGone(key(id, place)));
        store.append_in_parts(id, &gone.collect::<Vec<_>>(), now)?;
        for (topic, partition) in places {
            self.offsets.remove(topic, *partition);
        }
        Ok(())
    }

    /// Writes that there is no such group any more.
    pub fn gone(&self, store: &Store, id: &Text, now: Timestamp) -> Result<(), StoreError> {
        store.append(id, &[GroupRecord::GroupGone(id.clone())], now)
    }

    fn has_nothing(&self) -> bool {
        self.membership.state() == State::Empty && self.offsets.is_empty()
    }
}

fn key(group: &Text, (topic, partition): &Place) -> OffsetCommitKey {
    OffsetCommitKey { group: group.clone(), topic: topic.clone(), partition: *partition }
}

impl Groups {
    /// A topic was deleted: what was committed of it means nothing any more.
    pub fn forget_topic(&self, name: &str, id: Uuid, now: Timestamp) {
        for group in self.ids() {
            self.with(&group, |known, store| {
                let places = known.offsets.of_topic(name, id);
                said(&group, known.forget(store, &group, &places, now));
            });
        }
    }

    /// Lets go of offsets that grew old (`offsets.retention.minutes`), and of groups that have
    /// neither members nor offsets (GroupCoordinatorShard.cleanupGroupMetadata).
    pub fn expire(&self, now: Timestamp) {
        for id in self.ids() {
            let has_nothing = self.with(&id, |group, store| {
                let membership = &group.membership;
                let in_use = |topic: &str| membership.is_subscribed_to(topic);
                let age = membership.retention();
                let old = group.offsets.expired(age, self.offsets_retention_ms, now, in_use);
                if !old.is_empty() {
                    tracing::info!(group = %id, offsets = old.len(), "offsets expired");
                }
                said(&id, group.forget(store, &id, &old, now));
                group.has_nothing()
            });
            if has_nothing == Some(true) {
                self.remove_if_it_has_nothing(&id, now);
            }
        }
    }

    /// Does so now and then, until the broker leaves.
    pub async fn expire_on(self: Arc<Groups>) {
        let mut due = tokio::time::interval(self.expiry_interval);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first comes at once, and an instant start has better things to do.
        due.tick().await;
        loop {
            due.tick().await;
            let groups = self.clone();
            // A panic in it has been logged; the next round begins anew.
            let _ = tokio::task::spawn_blocking(move || groups.expire(now())).await;
        }
    }

    fn remove_if_it_has_nothing(&self, id: &Text, now: Timestamp) {
        let removed = self.remove(id, |group, store| match group.has_nothing() {
            // Somebody came meanwhile.
            false => Err(()),
            true => said(id, group.gone(store, id, now)).ok_or(()),
        });
        if removed == Some(Ok(())) {
            tracing::info!(group = %id, "empty group removed");
        }
    }

    /// Brings what was committed in line with what is there: a topic may have been deleted without
    /// its groups hearing of it, and a log may have lost its end with the power.
    pub fn mend(&self, topics: &Topics, now: Timestamp) {
        for id in self.ids() {
            self.with(&id, |group, store| {
                let all = group.offsets.iter();
                let of_none = all.filter(|(topic, partition, committed)| {
                    find(topics, topic, committed).is_none_or(|t| t.partition(*partition).is_none())
                });
                let of_none: Vec<_> = of_none.map(|(topic, id, _)| (topic.clone(), id)).collect();
                said(&id, group.forget(store, &id, &of_none, now));
                if !topics.was_stopped_cleanly() {
                    said(&id, group.set_back(store, &id, topics, now));
                }
            });
        }
    }
}

/// The topic that a commit was of.
fn find(topics: &Topics, name: &str, committed: &OffsetCommitValue) -> Option<Arc<Topic>> {
    let same = |id| [id, Uuid::ZERO].contains(&committed.topic_id);
    topics.get(name).filter(|topic| same(topic.id()))
}

impl Group {
    /// An offset beyond its log would skip what is appended until the log is that long again.
    fn set_back(
        &mut self,
        store: &Store,
        id: &Text,
        topics: &Topics,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let beyond = self.offsets.iter().filter_map(|(name, partition, committed)| {
            let end = end_before(topics, name, partition, committed)?;
            let offset = committed.offset;
            tracing::warn!(group = %id, topic = %name, %partition, %offset, %end,
                "the log ends before the committed offset, which is set back");
            let value = OffsetCommitValue { offset: end, ..committed.clone() };
            Some((key(id, &(name.clone(), partition)), value))
        });
        let beyond: Vec<_> = beyond.collect();
        let records = beyond.iter().cloned().map(|(key, value)| GroupRecord::Offset(key, value));
        store.append_in_parts(id, &records.collect::<Vec<_>>(), now)?;
        for (key, value) in beyond {
            self.offsets.set(key.topic, key.partition, value);
        }
        Ok(())
    }
}

fn end_before(
    topics: &Topics,
    topic: &str,
    partition: PartitionId,
    committed: &OffsetCommitValue,
) -> Option<Offset> {
    let topic = find(topics, topic, committed)?;
    // Of a log that cannot be opened nothing is known.
    topic.partition(partition)?.end_before(committed.offset).ok()?
}

/// What could not be written stays as it was, and is tried again.
fn said(id: &Text, done: Result<(), StoreError>) -> Option<()> {
    done.map_err(|error| error.log(id)).ok()
}
