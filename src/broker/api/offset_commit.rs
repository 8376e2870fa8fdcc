//! OffsetCommit (8) v2-9. v5: no retention of its own; v6: leader epochs (KIP-320); v7: static
//! members (KIP-345); v9: GROUP_ID_NOT_FOUND (KIP-848). Left out: authorization. Answered after
//! the write to the page cache: what is lost with the power is read again.

use super::{Call, Outcome};
use crate::broker::group::membership::{Committer, Moment};
use crate::broker::group::{Group, Store};
use crate::protocol::group_record::{GroupRecord, OffsetCommitKey, OffsetCommitValue};
use crate::protocol::offset_commit::{
    CommittedPartition, CommittedTopic, OffsetCommitPartition, OffsetCommitRequest,
    OffsetCommitResponse, OffsetCommitTopic,
};
use crate::protocol::{ErrorCode, Text};
use crate::record::{Timestamp, Uuid};

pub fn handle(call: &mut Call<'_>, request: OffsetCommitRequest) -> Outcome<OffsetCommitResponse> {
    let mut commits = Vec::new();
    let topics = request.topics.iter().map(|wanted| check(call, &request, wanted, &mut commits));
    let mut topics: Vec<_> = topics.collect();
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    // What is no partition does not come before the group at all (KafkaApis.scala).
    if partitions().any(is_partition)
        && let Err(error_code) = commit(call, &request, &commits)
    {
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|partition| is_partition(partition)) {
            partition.error_code = error_code;
        }
    }
    OffsetCommitResponse { topics, ..OffsetCommitResponse::default() }.into()
}

fn is_partition(partition: &CommittedPartition) -> bool {
    partition.error_code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
}

type Commit = (OffsetCommitKey, OffsetCommitValue);

/// What is wrong with each by itself; what is not wrong is added to `commits`.
fn check(
    call: &Call<'_>,
    request: &OffsetCommitRequest,
    wanted: &OffsetCommitTopic,
    commits: &mut Vec<Commit>,
) -> CommittedTopic {
    let topic = call.node.topics.get(&wanted.name);
    let metadata_max = call.node.limits.offset_metadata_max;
    let partitions = wanted.partitions.iter().map(|wanted_one| {
        let partition = wanted_one.partition;
        let there = topic.as_ref().filter(|topic| topic.partition(partition).is_some());
        let error_code = match there {
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Some(_) if metadata_max < length(wanted_one.metadata.as_ref()) => {
                ErrorCode::OFFSET_METADATA_TOO_LARGE
            }
            Some(topic) => {
                let key = OffsetCommitKey {
                    group: request.group_id.clone(),
                    topic: wanted.name.clone(),
                    partition,
                };
                commits.push((key, value(request, wanted_one, topic.id(), call.now)));
                ErrorCode::NONE
            }
        };
        CommittedPartition { partition, error_code }
    });
    CommittedTopic { partitions: partitions.collect(), name: wanted.name.clone() }
}

/// As Java counts.
fn length(text: Option<&Text>) -> usize {
    text.map_or(0, |text| text.encode_utf16().count())
}

fn value(
    request: &OffsetCommitRequest,
    wanted: &OffsetCommitPartition,
    topic_id: Uuid,
    now: Timestamp,
) -> OffsetCommitValue {
    let own_retention = (request.retention_ms != -1).then_some(request.retention_ms);
    OffsetCommitValue {
        offset: wanted.offset,
        leader_epoch: wanted.leader_epoch,
        metadata: wanted.metadata.clone().unwrap_or_default(),
        committed_at: now,
        expires_at: own_retention.map(|ms| Timestamp(now.get().saturating_add(ms))),
        topic_id,
    }
}

fn commit(
    call: &Call<'_>,
    request: &OffsetCommitRequest,
    commits: &[Commit],
) -> Result<(), ErrorCode> {
    let groups = &call.node.groups;
    let by = Committer {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation,
    };
    let act = |group: &mut Group, store: &Store| {
        group.membership.commit(Moment::now(), by)?;
        write(group, store, request, commits, call.now)
    };
    if request.generation < 0 {
        return groups.with_or_new(&request.group_id, act)?;
    }
    let unknown = match call.version {
        ..9 => ErrorCode::ILLEGAL_GENERATION,
        _ => ErrorCode::GROUP_ID_NOT_FOUND,
    };
    groups.with(&request.group_id, act).unwrap_or(Err(unknown))
}

fn write(
    group: &mut Group,
    store: &Store,
    request: &OffsetCommitRequest,
    commits: &[Commit],
    now: Timestamp,
) -> Result<(), ErrorCode> {
    let records = commits.iter().cloned().map(|(key, value)| GroupRecord::Offset(key, value));
    let records: Vec<_> = records.collect();
    store.append(&request.group_id, &records, now).map_err(|error| error.code())?;
    for (key, value) in commits {
        group.offsets.set(key.topic.clone(), key.partition, value.clone());
    }
    Ok(())
}
