//! Consumer groups: who is in them, and what they have read.

use std::ffi::{CString, c_char, c_int};
use std::sync::Arc;
use std::time::Duration;

use rd::rd_kafka_admin_op_t as op;
use rdkafka_sys as rd;

use super::{
    Answer, Call, Native, PartitionAnswer, Partitions, Refusal, array, optional, partition_answers,
    pointers, text_of,
};
use crate::client::Code;
use crate::record::{LeaderEpoch, Offset, PartitionId};

/// As in the parent: codes and kinds as plain integers.
mod plain {
    use super::{c_char, c_int, rd};

    unsafe extern "C" {
        pub fn rd_kafka_error_code(error: *const rd::rd_kafka_error_t) -> c_int;
        pub fn rd_kafka_ConsumerGroupListing_state(
            group: *const rd::rd_kafka_ConsumerGroupListing_t,
        ) -> c_int;
        pub fn rd_kafka_ConsumerGroupListing_type(
            group: *const rd::rd_kafka_ConsumerGroupListing_t,
        ) -> c_int;
        pub fn rd_kafka_ConsumerGroupDescription_state(
            group: *const rd::rd_kafka_ConsumerGroupDescription_t,
        ) -> c_int;
        pub fn rd_kafka_ConsumerGroupDescription_type(
            group: *const rd::rd_kafka_ConsumerGroupDescription_t,
        ) -> c_int;
        pub fn rd_kafka_consumer_group_state_name(state: c_int) -> *const c_char;
        pub fn rd_kafka_consumer_group_type_name(kind: c_int) -> *const c_char;
    }
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    /// Kafka's name, such as `Stable`.
    pub state: String,
    /// `Classic` or `Consumer` (KIP-848).
    pub kind: String,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub state: String,
    pub kind: String,
    /// How partitions are shared out, while there are members.
    pub assignor: String,
    pub coordinator: Option<Coordinator>,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    /// Of a static member (KIP-345).
    pub instance: Option<String>,
    pub client: String,
    pub host: String,
    /// Sorted.
    pub partitions: Vec<(String, PartitionId)>,
}

/// Where a group has read to: what comes next, in which epoch it was read.
pub type GroupOffsets = Vec<(String, PartitionId, Offset, Option<LeaderEpoch>)>;

/// All groups; beside them why a broker could not say.
pub fn list_groups(
    native: &Arc<Native>,
    wait: Duration,
) -> Result<(Vec<Listed>, Vec<Refusal>), Refusal> {
    let call = Call::new(native, op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, wait);
    // SAFETY: client, options and queue are alive.
    call.send(|options, queue| unsafe {
        rd::rd_kafka_ListConsumerGroups(native.as_ptr(), options, queue);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; arrays are as long as their counts.
    unsafe {
        let result = rd::rd_kafka_event_ListConsumerGroups_result(event.as_ptr());
        let mut count = 0;
        let groups = rd::rd_kafka_ListConsumerGroups_result_valid(result, &raw mut count);
        let groups = pointers(groups, count).iter().map(|&group| Listed {
            id: text_of(rd::rd_kafka_ConsumerGroupListing_group_id(group)),
            state: state_name(plain::rd_kafka_ConsumerGroupListing_state(group)),
            kind: kind_name(plain::rd_kafka_ConsumerGroupListing_type(group)),
        });
        let groups = groups.collect();
        let errors = rd::rd_kafka_ListConsumerGroups_result_errors(result, &raw mut count);
        let errors = pointers(errors, count).iter().filter_map(|&error| refusal(error));
        Ok((groups, errors.collect()))
    }
}

/// Groups and their members; each has an answer of its own.
pub fn describe_groups(
    native: &Arc<Native>,
    groups: &[CString],
    wait: Duration,
) -> Result<Vec<Answer<Group>>, Refusal> {
    let mut names: Vec<*const c_char> = groups.iter().map(|name| name.as_ptr()).collect();
    let call = Call::new(native, op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, wait);
    // SAFETY: client, names, options and queue are alive; the call copies the names.
    call.send(|options, queue| unsafe {
        let (names, count) = (names.as_mut_ptr(), names.len());
        rd::rd_kafka_DescribeConsumerGroups(native.as_ptr(), names, count, options, queue);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; the array is as long as its count.
    unsafe {
        let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event.as_ptr());
        let mut count = 0;
        let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        Ok(pointers(groups, count).iter().map(|&group| described(group)).collect())
    }
}

/// # Safety
/// The group must be one of a live answer.
unsafe fn described(group: *const rd::rd_kafka_ConsumerGroupDescription_t) -> Answer<Group> {
    // SAFETY: it is the caller's promise.
    unsafe {
        let id = text_of(rd::rd_kafka_ConsumerGroupDescription_group_id(group));
        if let Some(refusal) = refusal(rd::rd_kafka_ConsumerGroupDescription_error(group)) {
            return (id, Err(refusal));
        }
        let count = rd::rd_kafka_ConsumerGroupDescription_member_count(group);
        let one = |index| member(rd::rd_kafka_ConsumerGroupDescription_member(group, index));
        let node = rd::rd_kafka_ConsumerGroupDescription_coordinator(group);
        let coordinator = (!node.is_null()).then(|| Coordinator {
            id: rd::rd_kafka_Node_id(node),
            host: text_of(rd::rd_kafka_Node_host(node)),
            port: rd::rd_kafka_Node_port(node),
        });
        let described = Group {
            state: state_name(plain::rd_kafka_ConsumerGroupDescription_state(group)),
            kind: kind_name(plain::rd_kafka_ConsumerGroupDescription_type(group)),
            assignor: optional(rd::rd_kafka_ConsumerGroupDescription_partition_assignor(group))
                .unwrap_or_default(),
            coordinator,
            members: (0..count).map(one).collect(),
        };
        (id, Ok(described))
    }
}

/// # Safety
/// The member must be one of a live answer.
unsafe fn member(member: *const rd::rd_kafka_MemberDescription_t) -> Member {
    // SAFETY: it is the caller's promise; the array is as long as its count.
    unsafe {
        let text = |text| optional(text).unwrap_or_default();
        let assignment = rd::rd_kafka_MemberDescription_assignment(member);
        let list = match assignment.is_null() {
            true => std::ptr::null(),
            false => rd::rd_kafka_MemberAssignment_partitions(assignment),
        };
        let places = if list.is_null() { &[] } else { array((*list).elems, (*list).cnt) };
        let partition = |place: &rd::rd_kafka_topic_partition_t| {
            (text_of(place.topic), PartitionId(place.partition))
        };
        let mut partitions: Vec<_> = places.iter().map(partition).collect();
        partitions.sort();
        Member {
            id: text(rd::rd_kafka_MemberDescription_consumer_id(member)),
            instance: optional(rd::rd_kafka_MemberDescription_group_instance_id(member)),
            client: text(rd::rd_kafka_MemberDescription_client_id(member)),
            host: text(rd::rd_kafka_MemberDescription_host(member)),
            partitions,
        }
    }
}

/// Asks for all that a group has committed. The calls of several groups may be under way at once.
pub fn ask_group_offsets(native: &Arc<Native>, group: &CString, wait: Duration) -> Call {
    let call = Call::new(native, op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, wait);
    // SAFETY: client, options and queue are alive; the name ends with NUL; the call copies the
    // request, so that ours can go. No list stands for all partitions.
    call.send(|options, queue| unsafe {
        let mut wanted =
            rd::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), std::ptr::null());
        let (client, wanted_one) = (native.as_ptr(), &raw mut wanted);
        rd::rd_kafka_ListConsumerGroupOffsets(client, wanted_one, 1, options, queue);
        rd::rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
    });
    call
}

/// The answer to `ask_group_offsets`.
pub fn group_offsets(call: &Call) -> Result<GroupOffsets, Refusal> {
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; arrays are as long as their counts.
    unsafe {
        let result = rd::rd_kafka_event_ListConsumerGroupOffsets_result(event.as_ptr());
        let mut count = 0;
        let groups = rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        let list = one_group(pointers(groups, count))?;
        let places = array((*list).elems, (*list).cnt);
        let read = places.iter().filter(|place| 0 <= place.offset);
        Ok(read
            .map(|place| {
                let epoch = rd::rd_kafka_topic_partition_get_leader_epoch(place);
                let epoch = (0 <= epoch).then_some(LeaderEpoch(epoch));
                let (topic, partition) = (text_of(place.topic), PartitionId(place.partition));
                (topic, partition, Offset(place.offset), epoch)
            })
            .collect())
    }
}

/// Sets where a group without members goes on reading; each partition has an answer of its own.
pub fn set_group_offsets(
    native: &Arc<Native>,
    group: &CString,
    wanted: &[(&str, PartitionId, Offset)],
    wait: Duration,
) -> Result<Vec<PartitionAnswer<Offset>>, Refusal> {
    let list = Partitions::new(wanted.len());
    for (topic, partition, offset) in wanted {
        list.add(topic, *partition, offset.get());
    }
    let call = Call::new(native, op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, wait);
    // SAFETY: client, list, options and queue are alive; the name ends with NUL; the call copies
    // the request, so that ours can go.
    call.send(|options, queue| unsafe {
        let mut order = rd::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), list.0);
        let (client, order_one) = (native.as_ptr(), &raw mut order);
        rd::rd_kafka_AlterConsumerGroupOffsets(client, order_one, 1, options, queue);
        rd::rd_kafka_AlterConsumerGroupOffsets_destroy(order);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; the array is as long as its count.
    unsafe {
        let result = rd::rd_kafka_event_AlterConsumerGroupOffsets_result(event.as_ptr());
        let mut count = 0;
        let groups = rd::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &raw mut count);
        Ok(partition_answers(one_group(pointers(groups, count))?))
    }
}

/// Deletes groups without members; each has an answer of its own.
pub fn delete_groups(
    native: &Arc<Native>,
    groups: &[CString],
    wait: Duration,
) -> Result<Vec<Answer<()>>, Refusal> {
    // SAFETY: names end with NUL and are copied by the call.
    let mut doomed: Vec<_> =
        groups.iter().map(|name| unsafe { rd::rd_kafka_DeleteGroup_new(name.as_ptr()) }).collect();
    let call = Call::new(native, op::RD_KAFKA_ADMIN_OP_DELETEGROUPS, wait);
    // SAFETY: client, groups, options and queue are alive; the call copies the groups, so that
    // ours can go.
    call.send(|options, queue| unsafe {
        let (groups, count) = (doomed.as_mut_ptr(), doomed.len());
        rd::rd_kafka_DeleteGroups(native.as_ptr(), groups, count, options, queue);
        rd::rd_kafka_DeleteGroup_destroy_array(groups, count);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; the array is as long as its count.
    unsafe {
        let result = rd::rd_kafka_event_DeleteGroups_result(event.as_ptr());
        let mut count = 0;
        let groups = rd::rd_kafka_DeleteGroups_result_groups(result, &raw mut count);
        let answer = |&group: &*const rd::rd_kafka_group_result_t| {
            let id = text_of(rd::rd_kafka_group_result_name(group));
            (id, refusal(rd::rd_kafka_group_result_error(group)).map_or(Ok(()), Err))
        };
        Ok(pointers(groups, count).iter().map(answer).collect())
    }
}

/// The partitions in the answer of a call that was about one group.
///
/// # Safety
/// The groups must be those of a live answer.
unsafe fn one_group(
    groups: &[*const rd::rd_kafka_group_result_t],
) -> Result<*const rd::rd_kafka_topic_partition_list_t, Refusal> {
    let group = *groups.first().ok_or(Refusal::from(Code::INVALID_ARGUMENT))?;
    // SAFETY: it is the caller's promise.
    unsafe {
        if let Some(refusal) = refusal(rd::rd_kafka_group_result_error(group)) {
            return Err(refusal);
        }
        Ok(rd::rd_kafka_group_result_partitions(group))
    }
}

/// # Safety
/// The error must be null or one of a live answer.
unsafe fn refusal(error: *const rd::rd_kafka_error_t) -> Option<Refusal> {
    // SAFETY: it is the caller's promise; null is no error and has the code 0.
    unsafe {
        let code = Code(plain::rd_kafka_error_code(error));
        let text = || text_of(rd::rd_kafka_error_string(error));
        (code != Code::NONE).then(|| Refusal { code, text: text() })
    }
}

fn state_name(state: c_int) -> String {
    // SAFETY: the name is a constant for every number.
    unsafe { text_of(plain::rd_kafka_consumer_group_state_name(state)) }
}

fn kind_name(kind: c_int) -> String {
    // SAFETY: the name is a constant for every number.
    unsafe { text_of(plain::rd_kafka_consumer_group_type_name(kind)) }
}
