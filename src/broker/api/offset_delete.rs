//! OffsetDelete (47) v0 (KIP-496). Left out: authorization.

use super::{Call, Outcome};
use crate::broker::group::{Group, Store};
use crate::protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteTopic, OffsetDeletedPartition,
    OffsetDeletedTopic,
};
use crate::protocol::{ErrorCode, Text};
use crate::record::PartitionId;

pub fn handle(call: &mut Call<'_>, request: OffsetDeleteRequest) -> Outcome<OffsetDeleteResponse> {
    let OffsetDeleteRequest { group_id, topics } = request;
    let (known, unknown) = sort_out(call, topics);
    let mut answered: Vec<_> = unknown
        .into_iter()
        .map(|(name, partitions)| answer(name, &partitions, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
        .collect();
    // What is no partition does not come before the group at all (KafkaApis.scala).
    if !known.is_empty() {
        match delete(call, &group_id, known) {
            Ok(deleted) => answered.extend(deleted),
            // An error of the group takes the place of all else (OffsetDeleteResponse.Builder).
            Err(error_code) => {
                return OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() }
                    .into();
            }
        }
    }
    OffsetDeleteResponse { topics: answered, ..OffsetDeleteResponse::default() }.into()
}

type Wanted = Vec<(Text, Vec<PartitionId>)>;

/// Partitions that are there, and those that are not.
fn sort_out(call: &Call<'_>, topics: Vec<OffsetDeleteTopic>) -> (Wanted, Wanted) {
    let (mut known, mut unknown) = (Wanted::new(), Wanted::new());
    for OffsetDeleteTopic { name, partitions } in topics {
        let topic = call.node.topics.get(&name);
        let is_there =
            |id: &PartitionId| topic.as_ref().is_some_and(|topic| topic.partition(*id).is_some());
        let (there, not_there): (Vec<_>, Vec<_>) = partitions.into_iter().partition(is_there);
        for (ids, into) in [(there, &mut known), (not_there, &mut unknown)] {
            if !ids.is_empty() {
                into.push((name.clone(), ids));
            }
        }
    }
    (known, unknown)
}

fn answer(name: Text, ids: &[PartitionId], error_code: ErrorCode) -> OffsetDeletedTopic {
    let partitions = ids.iter().map(|&partition| OffsetDeletedPartition { partition, error_code });
    OffsetDeletedTopic { name, partitions: partitions.collect() }
}

fn delete(
    call: &Call<'_>,
    group_id: &Text,
    wanted: Wanted,
) -> Result<Vec<OffsetDeletedTopic>, ErrorCode> {
    if group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let act = |group: &mut Group, store: &Store| {
        group.membership.check_offset_delete()?;
        let is_free = |(topic, _): &(Text, _)| !group.membership.is_subscribed_to(topic);
        let (free, in_use): (Wanted, Wanted) = wanted.into_iter().partition(is_free);
        let places = free.iter().flat_map(|(topic, ids)| ids.iter().map(|id| (topic.clone(), *id)));
        let committed = places.filter(|(topic, id)| group.offsets.get(topic, *id).is_some());
        let committed: Vec<_> = committed.collect();
        group.forget(store, group_id, &committed, call.now).map_err(|error| error.code())?;
        let in_use = in_use
            .into_iter()
            .map(|(name, ids)| answer(name, &ids, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC));
        let free = free.into_iter().map(|(name, ids)| answer(name, &ids, ErrorCode::NONE));
        Ok(in_use.chain(free).collect())
    };
    call.node.groups.with(group_id, act).unwrap_or(Err(ErrorCode::GROUP_ID_NOT_FOUND))
}
