//! ListOffsets (2) v1-10. v2: isolation; v4: leader epochs; v7: the newest timestamp (KIP-734); v8,
//! v9: local and tiered offsets (KIP-405, KIP-1005); v10: a timeout for tiers. Left out: nothing; a
//! log without tiers has no tiered offset, and says so with -1.

use tokio::task::block_in_place;

use super::fetch::check_epoch;
use super::{Call, Outcome, unusable};
use crate::broker::topic::{Partition, Topic};
use crate::log::{Found, Log, Newest, ReadError, RealDisk};
use crate::protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListedPartition, ListedTopic,
    OffsetSpec,
};
use crate::protocol::{ErrorCode, Isolation};
use crate::record::{LeaderEpoch, Offset, Timestamp};

pub fn handle(call: &mut Call<'_>, request: ListOffsetsRequest) -> Outcome<ListOffsetsResponse> {
    let version = call.version;
    let topics = request.topics.into_iter().map(|wanted| {
        let topic = call.node.topics.get(&wanted.name);
        let partitions = wanted.partitions.iter().map(|wanted| {
            let listed = list(topic.as_deref(), wanted, version, request.isolation);
            let listed = listed.unwrap_or_else(|error_code| ListedPartition {
                error_code,
                ..ListedPartition::default()
            });
            ListedPartition { partition: wanted.partition, ..listed }
        });
        ListedTopic { partitions: partitions.collect(), name: wanted.name }
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }.into()
}

fn list(
    topic: Option<&Topic>,
    wanted: &ListOffsetsPartition,
    version: i16,
    isolation: Isolation,
) -> Result<ListedPartition, ErrorCode> {
    if version < first_version(wanted.spec) {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    let partition = topic.and_then(|topic| topic.partition(wanted.partition));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    check_epoch(wanted.current_leader_epoch, partition.leader_epoch())?;
    let found = find(partition, wanted.spec, isolation)?;
    Ok(match found {
        None => ListedPartition::default(),
        Some(Place { offset, timestamp, leader_epoch }) => ListedPartition {
            offset: Some(offset),
            timestamp,
            leader_epoch,
            ..ListedPartition::default()
        },
    })
}

/// The first version in which an offset may be asked for (ListOffsetsRequest.json).
fn first_version(spec: OffsetSpec) -> i16 {
    match spec {
        OffsetSpec::At(_) | OffsetSpec::Latest | OffsetSpec::Earliest => 0,
        OffsetSpec::MaxTimestamp => 7,
        OffsetSpec::EarliestLocal => 8,
        OffsetSpec::LatestTiered => 9,
        OffsetSpec::Unknown(_) => i16::MAX,
    }
}

struct Place {
    offset: Offset,
    timestamp: Option<Timestamp>,
    leader_epoch: Option<LeaderEpoch>,
}

impl From<Found> for Place {
    fn from(found: Found) -> Place {
        Place {
            offset: found.offset,
            timestamp: Some(found.timestamp),
            leader_epoch: Some(found.leader_epoch),
        }
    }
}

fn find(
    partition: &Partition,
    spec: OffsetSpec,
    isolation: Isolation,
) -> Result<Option<Place>, ErrorCode> {
    let epoch = partition.leader_epoch();
    let end = |log: &Log<RealDisk>| match isolation {
        Isolation::ReadUncommitted => log.end(),
        Isolation::ReadCommitted => log.stable_end(),
    };
    let place = |offset, leader_epoch| Some(Place { offset, timestamp: None, leader_epoch });
    let find = match spec {
        OffsetSpec::Latest => {
            let end = partition.ask(|log| end(log)).map_err(unusable)?;
            return Ok(place(end, Some(epoch)));
        }
        OffsetSpec::Earliest | OffsetSpec::EarliestLocal => {
            let start = partition.ask(|log| (log.start(), log.epoch_at(log.start())));
            let (start, epoch) = start.map_err(unusable)?;
            return Ok(place(start, epoch));
        }
        OffsetSpec::LatestTiered | OffsetSpec::Unknown(_) => return Ok(None),
        OffsetSpec::MaxTimestamp => find_newest(partition),
        OffsetSpec::At(time) => find_at(partition, time, Offset::ZERO),
    };
    // What this client cannot fetch yet is not there for it (Partition.fetchOffsetForTimestamp).
    let end = partition.ask(|log| end(log)).map_err(unusable)?;
    Ok(find?.filter(|found| found.offset < end).map(Place::from))
}

/// The first record from `from` on that is at `time` or later.
fn find_at(
    partition: &Partition,
    time: Timestamp,
    mut from: Offset,
) -> Result<Option<Found>, ErrorCode> {
    // A search may read the index of every segment. The batch itself is read without the lock.
    while let Some(sought) = asked(partition, |log| block_in_place(|| log.seek(time, from)))? {
        let found = block_in_place(|| sought.first_at(time));
        if let Some(found) = found.map_err(|error| unreadable(partition, &error))? {
            return Ok(Some(found));
        }
        from = sought.next();
    }
    Ok(None)
}

/// The first record that has the largest timestamp of all (KIP-734).
fn find_newest(partition: &Partition) -> Result<Option<Found>, ErrorCode> {
    let Newest { first, time } = asked(partition, |log| block_in_place(|| log.newest()))?;
    let first = first.map(|first| block_in_place(|| first.newest())).transpose();
    let first = first.map_err(|error| unreadable(partition, &error))?.flatten();
    match (first, time) {
        (Some(first), time) if time <= Some(first.timestamp) => Ok(Some(first)),
        (_, Some(time)) => find_at(partition, time, Offset::ZERO),
        (_, None) => Ok(None),
    }
}

fn asked<R>(
    partition: &Partition,
    ask: impl FnOnce(&mut Log<RealDisk>) -> Result<R, ReadError>,
) -> Result<R, ErrorCode> {
    let answer = partition.ask(ask).map_err(unusable)?;
    answer.map_err(|error| unreadable(partition, &error))
}

fn unreadable(partition: &Partition, error: &ReadError) -> ErrorCode {
    let topic = &partition.core.name;
    tracing::error!(%topic, partition = %partition.id, %error, "cannot read");
    ErrorCode::KAFKA_STORAGE_ERROR
}
