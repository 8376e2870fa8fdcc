//! OffsetForLeaderEpoch (23) v2-4. v2: the client's own epoch (KIP-320); v3: who asks; v4:
//! flexible. Left out: nothing.

use super::fetch::check_epoch;
use super::{Call, Outcome, unusable};
use crate::broker::topic::Topic;
use crate::protocol::ErrorCode;
use crate::protocol::offset_for_leader_epoch::{
    EpochEnd, EpochEndTopic, EpochPartition, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

pub fn handle(
    call: &mut Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Outcome<OffsetForLeaderEpochResponse> {
    let topics = request.topics.into_iter().map(|wanted| {
        let topic = call.node.topics.get(&wanted.name);
        let partitions = wanted.partitions.iter().map(|wanted| {
            let end = end(topic.as_deref(), wanted);
            let end =
                end.unwrap_or_else(|error_code| EpochEnd { error_code, ..EpochEnd::default() });
            EpochEnd { partition: wanted.partition, ..end }
        });
        EpochEndTopic { partitions: partitions.collect(), name: wanted.name }
    });
    let topics = topics.collect();
    OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() }.into()
}

fn end(topic: Option<&Topic>, wanted: &EpochPartition) -> Result<EpochEnd, ErrorCode> {
    let partition = topic.and_then(|topic| topic.partition(wanted.partition));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let ours = partition.leader_epoch();
    check_epoch(wanted.current_leader_epoch, ours)?;
    let end = partition.ask(|log| match wanted.leader_epoch == ours {
        // The epoch in force ends where the log does, also before its first record.
        true => Some((ours, log.end())),
        false => log.end_of_epoch(wanted.leader_epoch),
    });
    let end = end.map_err(unusable)?;
    Ok(EpochEnd {
        leader_epoch: end.map(|(epoch, _)| epoch),
        end_offset: end.map(|(_, offset)| offset),
        ..EpochEnd::default()
    })
}
