//! Where partitions begin and end, and where groups have read to.

use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as rd;

use super::{
    Call, Event, Native, PartitionAnswer, Partitions, Refusal, array, milliseconds,
    partition_answers, pointers, text_of,
};
use crate::client::Code;
use crate::record::{LeaderEpoch, Offset, PartitionId, Timestamp};

/// As in the parent: error codes as plain integers.
mod plain {
    use super::{c_int, rd};

    unsafe extern "C" {
        pub fn rd_kafka_committed(
            client: *mut rd::rd_kafka_t,
            partitions: *mut rd::rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
    }
}

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Start,
    End,
    /// The first record at or after this time.
    Since(Timestamp),
}

/// Whether the records of open transactions are within the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

/// What the leader of a partition says of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeInfo {
    /// `None` where no record is that young.
    pub offset: Option<Offset>,
    pub leader_epoch: Option<LeaderEpoch>,
}

/// One partition's answer.
pub type EdgeAnswer = (String, PartitionId, Result<EdgeInfo, Code>);

/// Asks where partitions begin or end, or which of their records is the first of a time.
pub fn ask_edges(
    native: &Arc<Native>,
    isolation: Isolation,
    wanted: &[(&str, PartitionId, Edge)],
    wait: Duration,
) -> Call {
    let list = Partitions::new(wanted.len());
    for (topic, partition, edge) in wanted {
        use rd::rd_kafka_OffsetSpec_t as spec;
        list.add(
            topic,
            *partition,
            match edge {
                Edge::Start => spec::RD_KAFKA_OFFSET_SPEC_EARLIEST as i64,
                Edge::End => spec::RD_KAFKA_OFFSET_SPEC_LATEST as i64,
                Edge::Since(time) => time.get().max(0),
            },
        );
    }
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, wait);
    call.isolation(isolation);
    // SAFETY: client, list, options and queue are alive; the call copies the list.
    call.send(|options, queue| unsafe {
        rd::rd_kafka_ListOffsets(native.as_ptr(), list.0, options, queue);
    });
    call
}

/// The answer to `ask_edges`.
pub fn edges(call: &Call) -> Result<Vec<EdgeAnswer>, Refusal> {
    Ok(edges_in(&call.answer()?))
}

/// Whether every leader has answered `ask_edges`, once that is known.
pub fn edges_answered(call: &Call) -> Option<bool> {
    let event = call.answer_within(Duration::ZERO)?;
    let is_silent = |(_, _, answer): &EdgeAnswer| matches!(answer, Err(Code::TIMED_OUT));
    Some(event.is_ok_and(|event| !edges_in(&event).iter().any(is_silent)))
}

fn edges_in(event: &Event) -> Vec<EdgeAnswer> {
    assert_eq!(event.kind(), rd::RD_KAFKA_EVENT_LISTOFFSETS_RESULT, "a call for edges");
    // SAFETY: the event is alive and of this kind; the array is as long as its count, and lives as
    // long as the event.
    unsafe {
        let result = rd::rd_kafka_event_ListOffsets_result(event.as_ptr());
        let mut count = 0;
        let infos = rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let infos = pointers(infos.cast_const().cast(), count);
        infos.iter().map(|&info| edge_answer(info)).collect()
    }
}

/// # Safety
/// The info must be one of a live answer.
unsafe fn edge_answer(info: *const rd::rd_kafka_ListOffsetsResultInfo_t) -> EdgeAnswer {
    // SAFETY: it is the caller's promise. The code is read as a plain integer.
    unsafe {
        let place = rd::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
        let code = Code((&raw const (*place).err).cast::<i32>().read());
        let epoch = rd::rd_kafka_topic_partition_get_leader_epoch(place);
        let answer = EdgeInfo {
            offset: (0 <= (*place).offset).then_some(Offset((*place).offset)),
            leader_epoch: (0 <= epoch).then_some(LeaderEpoch(epoch)),
        };
        // A leader that did not answer leaves no code, only this
        // (rd_kafka_ListOffsets_response_merge); a broker has -1 where there is no such record.
        let is_unanswered = (*place).offset == i64::from(rd::RD_KAFKA_OFFSET_INVALID);
        let answer = match code {
            Code::NONE if is_unanswered => Err(Code::TIMED_OUT),
            Code::NONE => Ok(answer),
            code => Err(code),
        };
        (text_of((*place).topic), PartitionId((*place).partition), answer)
    }
}

/// Where the group of the configuration has read to; nothing where it never said.
pub fn committed(
    native: &Native,
    wanted: &[(&str, PartitionId)],
    wait: Duration,
) -> Result<Vec<(String, PartitionId, Option<Offset>)>, Code> {
    let list = Partitions::new(wanted.len());
    for (topic, partition) in wanted {
        list.add(topic, *partition, 0);
    }
    // SAFETY: client and list are alive; the answer is written into the list.
    let code =
        Code(unsafe { plain::rd_kafka_committed(native.as_ptr(), list.0, milliseconds(wait)) });
    if code != Code::NONE {
        return Err(code);
    }
    // SAFETY: the list is alive, and its array is as long as its count.
    let places = unsafe { array((*list.0).elems, (*list.0).cnt) };
    let found = places.iter().map(|place| {
        let offset = (0 <= place.offset).then_some(Offset(place.offset));
        (text_of(place.topic), PartitionId(place.partition), offset)
    });
    Ok(found.collect())
}

/// Deletes what is before these offsets; `None` is the end. Answers with where each partition now
/// starts.
pub fn trim(
    native: &Arc<Native>,
    wanted: &[(&str, PartitionId, Option<Offset>)],
    wait: Duration,
) -> Result<Vec<PartitionAnswer<Offset>>, Refusal> {
    let list = Partitions::new(wanted.len());
    for (topic, partition, before) in wanted {
        // RD_KAFKA_OFFSET_END stands for the high watermark.
        list.add(topic, *partition, before.map_or(-1, Offset::get));
    }
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS, wait);
    // SAFETY: client, list, options and queue are alive; the call copies the list, and both copies
    // of it that are ours are freed.
    call.send(|options, queue| unsafe {
        let mut doomed = rd::rd_kafka_DeleteRecords_new(list.0);
        rd::rd_kafka_DeleteRecords(native.as_ptr(), &raw mut doomed, 1, options, queue);
        rd::rd_kafka_DeleteRecords_destroy(doomed);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; the list is one of it.
    unsafe {
        let result = rd::rd_kafka_event_DeleteRecords_result(event.as_ptr());
        Ok(partition_answers(rd::rd_kafka_DeleteRecords_result_offsets(result)))
    }
}
