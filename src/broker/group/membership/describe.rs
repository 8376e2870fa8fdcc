//! What others are told of a group, and the topics its members subscribed to.
//! Never knows: who asks.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};

use super::{Membership, State};
use crate::protocol::Text;
use crate::protocol::describe_groups::{DescribedGroup, DescribedMember};

impl Membership {
    pub fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// Members' subscriptions and assignments are shown of stable groups only.
    pub fn describe(&self, id: Text) -> DescribedGroup {
        let is_stable = self.state == State::Stable;
        let protocol = self.protocol.clone().filter(|_| is_stable);
        let members = self.members.iter().map(|(id, member)| DescribedMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: match is_stable {
                true => member.metadata(protocol.as_deref()),
                false => Bytes::new(),
            },
            assignment: if is_stable { member.assignment.clone() } else { Bytes::new() },
        });
        DescribedGroup {
            group_id: id,
            state: self.state.to_string().into(),
            protocol_type: self.protocol_type().into(),
            members: members.collect(),
            protocol: protocol.unwrap_or_default(),
            ..DescribedGroup::default()
        }
    }

    /// Whether a member reads this topic. Where consumers do not say it in a way that is known, it
    /// is taken for granted.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match self.subscribed_topics() {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// The topics of all members, where they are consumers and say it.
    pub(super) fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.is_of_consumers() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(topics_of(member.metadata(Some(protocol)))?);
        }
        Some(topics)
    }
}

/// The topics of a subscription (ConsumerProtocolSubscription.json): i16 version, i32 count, then
/// names of i16 length each. What follows differs by version and does not matter here.
fn topics_of(mut subscription: Bytes) -> Option<Vec<String>> {
    let _version = subscription.try_get_i16().ok()?;
    let count = subscription.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(subscription.try_get_i16().ok()?).ok()?;
        if subscription.len() < length {
            return None;
        }
        topics.push(String::from_utf8(subscription.split_to(length).to_vec()).ok()?);
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_from_a_subscription_of_any_version() {
        let check = |bytes: &[u8], want: Option<&[&str]>| {
            let want = want.map(|names| names.iter().map(|name| name.to_string()).collect());
            assert_eq!(topics_of(Bytes::copy_from_slice(bytes)), want, "{bytes:?}");
        };
        check(&[0, 0, 0, 0, 0, 0], Some(&[]));
        check(&[0, 1, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', 9, 9], Some(&["a", "bc"]));
        check(&[0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 1, b'a'], None);
        check(&[0, 1, 0, 0, 0, 1, 0, 5, b'a'], None);
        check(&[0, 1, 0, 0, 0, 1, 0, 1, 0xff], None);
        check(&[], None);
    }
}
