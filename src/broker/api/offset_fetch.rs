//! OffsetFetch (9) v1-9. v2: all topics, an error for the whole; v5: leader epochs (KIP-320); v7:
//! stable offsets (KIP-447), which all are that are not of a transaction; v8: many groups
//! (KIP-709); v9: members of KIP-848, of whom there are none. Left out: authorization.

use super::{Call, Outcome};
use crate::broker::group::Offsets;
use crate::protocol::ErrorCode;
use crate::protocol::group_record::OffsetCommitValue;
use crate::protocol::offset_fetch::{
    FetchedGroup, FetchedOffset, FetchedTopic, OffsetFetchGroup, OffsetFetchRequest,
    OffsetFetchResponse, OffsetFetchTopic,
};
use crate::record::PartitionId;

pub fn handle(call: &mut Call<'_>, request: OffsetFetchRequest) -> Outcome<OffsetFetchResponse> {
    let OffsetFetchRequest { group_id, topics, groups, .. } = request;
    if 8 <= call.version {
        let groups = groups.into_iter().map(|wanted| fetch(call, wanted)).collect();
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }.into();
    }
    let only = OffsetFetchGroup { group_id, topics, ..OffsetFetchGroup::default() };
    let FetchedGroup { topics, error_code, .. } = fetch(call, only);
    OffsetFetchResponse { topics, error_code, ..OffsetFetchResponse::default() }.into()
}

fn fetch(call: &Call<'_>, wanted: OffsetFetchGroup) -> FetchedGroup {
    let OffsetFetchGroup { group_id, topics, .. } = wanted;
    let groups = &call.node.groups;
    if !groups.store().is_readable(&group_id) {
        let error_code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
        // Version 1 has no other place for it.
        let topics = topics.filter(|_| call.version == 1).unwrap_or_default();
        let topics = topics.into_iter().map(|topic| failed(topic, error_code)).collect();
        return FetchedGroup { group_id, topics, error_code };
    }
    let found = groups.with(&group_id, |group, _| match &topics {
        None => all(&group.offsets),
        Some(topics) => some(&group.offsets, topics),
    });
    // A group that nobody heard of has committed nothing.
    let topics = found.unwrap_or_else(|| some(&Offsets::default(), &topics.unwrap_or_default()));
    FetchedGroup { group_id, topics, error_code: ErrorCode::NONE }
}

fn failed(topic: OffsetFetchTopic, error_code: ErrorCode) -> FetchedTopic {
    let partitions = topic.partitions.into_iter();
    let partitions =
        partitions.map(|partition| FetchedOffset { error_code, ..fetched(partition, None) });
    FetchedTopic { name: topic.name, partitions: partitions.collect() }
}

fn all(offsets: &Offsets) -> Vec<FetchedTopic> {
    let topics = offsets.topics().map(|(name, partitions)| {
        let partitions = partitions.iter().map(|(id, committed)| fetched(*id, Some(committed)));
        FetchedTopic { name: name.clone(), partitions: partitions.collect() }
    });
    topics.collect()
}

fn some(offsets: &Offsets, topics: &[OffsetFetchTopic]) -> Vec<FetchedTopic> {
    let topics = topics.iter().map(|topic| {
        let ids = topic.partitions.iter();
        let partitions = ids.map(|id| fetched(*id, offsets.get(&topic.name, *id)));
        FetchedTopic { name: topic.name.clone(), partitions: partitions.collect() }
    });
    topics.collect()
}

fn fetched(partition: PartitionId, committed: Option<&OffsetCommitValue>) -> FetchedOffset {
    let Some(committed) = committed else {
        return FetchedOffset { partition, ..FetchedOffset::default() };
    };
    FetchedOffset {
        partition,
        offset: Some(committed.offset),
        leader_epoch: committed.leader_epoch,
        metadata: Some(committed.metadata.clone()),
        error_code: ErrorCode::NONE,
    }
}
