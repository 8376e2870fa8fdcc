//! Groups without a client in between: many members, many groups, and what no client would do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::harness::raw::Raw;
use crate::harness::until;

const NONE: i16 = 0;
const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;

/// The newest versions; older ones are the clients' matter in `group.rs`.
const JOIN: i16 = 9;
const SYNC: i16 = 5;

fn text(from: &str) -> StrBytes {
    StrBytes::from_string(from.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

fn join(id: &str, member: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\0"));
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(member.clone())
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn sync(id: &str, joined: &JoinGroupResponse) -> SyncGroupRequest {
    let assignments = joined.members.iter().map(|member| {
        SyncGroupRequestAssignment::default()
            .with_member_id(member.member_id.clone())
            .with_assignment(Bytes::from(format!("for {}", member.member_id.as_str())))
    });
    SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(assignments.collect())
}

/// The id that a new member is given.
fn fresh(client: &mut Raw, id: &str) -> StrBytes {
    let answer = client.call(&join(id, &StrBytes::default()), JOIN).unwrap();
    assert_eq!(answer.error_code, MEMBER_ID_REQUIRED);
    answer.member_id
}

fn beat(client: &mut Raw, id: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    client.call(&request, 4).unwrap().error_code
}

/// A member alone in its group, with its assignment.
fn settle(client: &mut Raw, id: &str) -> JoinGroupResponse {
    let member = fresh(client, id);
    let joined = client.call(&join(id, &member), JOIN).unwrap();
    assert_eq!((joined.error_code, &joined.leader), (NONE, &member));
    let synced = client.call(&sync(id, &joined), SYNC).unwrap();
    assert_eq!(synced.assignment, format!("for {}", member.as_str()));
    joined
}

it!(a_thousand_members_make_one_generation, |kaw| {
    const MEMBERS: usize = 1000;
    let broker = kaw.broker("-c group.initial.rebalance.delay.ms=2000");
    let mut clients: Vec<Raw> = (0..MEMBERS).map(|_| Raw::open(&broker.address).unwrap()).collect();
    let ids: Vec<_> = clients.iter_mut().map(|client| fresh(client, "crowd")).collect();
    for (client, id) in clients.iter_mut().zip(&ids) {
        client.send(&join("crowd", id), JOIN).unwrap();
    }
    let joined: Vec<JoinGroupResponse> =
        clients.iter_mut().map(|client| client.answer::<JoinGroupRequest>(JOIN).unwrap()).collect();
    let leaders: Vec<_> = joined.iter().filter(|joined| !joined.members.is_empty()).collect();
    assert_eq!((leaders.len(), leaders[0].members.len()), (1, MEMBERS));
    assert!(joined.iter().all(|joined| joined.generation_id == leaders[0].generation_id));
    for (client, joined) in clients.iter_mut().zip(&joined) {
        client.send(&sync("crowd", joined), SYNC).unwrap();
    }
    for (client, id) in clients.iter_mut().zip(&ids) {
        let synced = client.answer::<SyncGroupRequest>(SYNC).unwrap();
        assert_eq!(synced.assignment, format!("for {}", id.as_str()));
    }
    for (client, joined) in clients.iter_mut().zip(&joined) {
        assert_eq!(beat(client, "crowd", joined), NONE);
    }
    broker.stop();
});

it!(ten_thousand_groups_live_side_by_side_and_through_a_restart, |kaw| {
    const GROUPS: usize = 10_000;
    let broker = kaw.broker("");
    let mut client = Raw::open(&broker.address).unwrap();
    let joined: Vec<_> = (0..GROUPS).map(|n| settle(&mut client, &format!("g{n}"))).collect();
    broker.stop();
    let broker = kaw.broker("");
    let mut client = Raw::open(&broker.address).unwrap();
    let listed = client.call(&ListGroupsRequest::default(), 5).unwrap().groups;
    assert_eq!(listed.len(), GROUPS);
    assert!(listed.iter().all(|group| group.group_state.as_str() == "Stable"));
    for (n, joined) in joined.iter().enumerate() {
        assert_eq!(beat(&mut client, &format!("g{n}"), joined), NONE, "g{n}");
    }
    broker.stop();
});

it!(members_go_on_where_the_broker_was_killed, |kaw| {
    let broker = kaw.broker("");
    let mut client = Raw::open(&broker.address).unwrap();
    let joined = settle(&mut client, "g");
    broker.kill();
    let broker = kaw.broker("");
    let mut client = Raw::open(&broker.address).unwrap();
    assert_eq!(beat(&mut client, "g", &joined), NONE);
    let again = sync("g", &joined).with_assignments(Vec::new());
    let synced = client.call(&again, SYNC).unwrap();
    assert_eq!(synced.assignment, format!("for {}", joined.member_id.as_str()));
    broker.stop();
});

it!(a_join_that_waits_stops_nothing_else_on_its_connection_but_answers, |kaw| {
    let broker = kaw.broker("");
    let mut first = Raw::open(&broker.address).unwrap();
    let settled = settle(&mut first, "g");
    let mut second = Raw::open(&broker.address).unwrap();
    let id = fresh(&mut second, "g");
    second.send(&join("g", &id), JOIN).unwrap();
    // Its leave, behind its join, is executed; both are answered, in their order.
    let leave = LeaveGroupRequest::default()
        .with_group_id(group("g"))
        .with_members(vec![MemberIdentity::default().with_member_id(id)]);
    second.send(&leave, 5).unwrap();
    let refused = second.answer::<JoinGroupRequest>(JOIN).unwrap();
    assert_eq!(refused.error_code, UNKNOWN_MEMBER_ID);
    let left = second.answer::<LeaveGroupRequest>(5).unwrap();
    assert_eq!((left.error_code, left.members[0].error_code), (NONE, NONE));
    // One that is gone while it waits keeps nobody from the next generation.
    let mut third = Raw::open(&broker.address).unwrap();
    let id = fresh(&mut third, "g");
    third.send(&join("g", &id), JOIN).unwrap();
    until("the rebalance that the third began", || {
        (beat(&mut first, "g", &settled) == REBALANCE_IN_PROGRESS).then_some(())
    });
    drop(third);
    let rejoined = first.call(&join("g", &settled.member_id), JOIN).unwrap();
    assert_eq!((rejoined.error_code, rejoined.members.len()), (NONE, 2));
    broker.stop();
});

it!(a_broker_that_stops_answers_whoever_waits, |kaw| {
    let broker = kaw.broker("");
    let mut first = Raw::open(&broker.address).unwrap();
    settle(&mut first, "g");
    let mut second = Raw::open(&broker.address).unwrap();
    let id = fresh(&mut second, "g");
    second.send(&join("g", &id), JOIN).unwrap();
    let stopping = Instant::now();
    broker.stop();
    let answer = second.answer::<JoinGroupRequest>(JOIN).unwrap();
    const NOT_COORDINATOR: i16 = 16;
    assert_eq!(answer.error_code, NOT_COORDINATOR);
    assert!(stopping.elapsed() < Duration::from_secs(20), "it waited for the rebalance");
});

it!(what_asks_wrongly_is_told_what_apache_says, |kaw| {
    let broker = kaw.broker("");
    let ours = answers(&broker.address);
    assert_eq!(ours.lines().count(), 32, "{ours}");
    broker.stop();
    let Some(apache) = kaw.apache() else { return };
    let theirs = answers(&apache.address);
    apache.stop();
    // Kinds of coordinators that only one of them has are left out.
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
});

/// What comes of one mistake after the other, and of what is there in the end.
fn answers(address: &str) -> String {
    let mut client = Raw::open(address).unwrap();
    let find = |kind| {
        let keys = vec![text("g")];
        FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(keys)
    };
    // Apache makes its topic first, and loads what is in it.
    until("a coordinator", || {
        let found = client.call(&find(0), 6).unwrap().coordinators.remove(0);
        let known = client.call(&join("g", &text("nobody")), JOIN).unwrap().error_code;
        (found.error_code == NONE && known == UNKNOWN_MEMBER_ID).then_some(())
    });
    let none = StrBytes::default();
    let mut all = String::new();
    let mut say = |what: &str, is: String| all.push_str(&format!("{what}: {is}\n"));
    let found = client.call(&find(3), 6).unwrap().coordinators.remove(0);
    say("no such coordinator", format!("{} {} {}", found.error_code, found.node_id.0, found.port));
    let wishes = [
        ("no group", join("", &none)),
        ("too short", join("g", &none).with_session_timeout_ms(5_999)),
        ("too long", join("g", &none).with_session_timeout_ms(1_800_001)),
        ("nobody", join("g", &text("nobody"))),
        ("no protocols", join("g", &none).with_protocols(Vec::new())),
        ("no type", join("g", &none).with_protocol_type(none.clone())),
        ("nobody in a group that is there", join("g", &text("nobody"))),
    ];
    for (what, wish) in wishes {
        for version in [2, 5, 9] {
            let answer = client.call(&wish, version).unwrap();
            let JoinGroupResponse { error_code, generation_id, member_id, .. } = answer;
            say(
                &format!("{what} v{version}"),
                format!("{error_code} {generation_id} {member_id:?}"),
            );
        }
    }
    let nameless = sync("g", &JoinGroupResponse::default()).with_protocol_name(None);
    say("nameless", format!("{:?}", client.call(&nameless, SYNC).unwrap()));
    let joined = settle(&mut client, "g");
    // One by one: Apache answers in the order of the partitions that groups lie in.
    for (id, version) in ["g", "gone", ""].into_iter().flat_map(|id| [4, 5, 6].map(|v| (id, v))) {
        let describe = DescribeGroupsRequest::default()
            .with_groups(vec![group(id)])
            .with_include_authorized_operations(true);
        let described = client.call(&describe, version).unwrap();
        let shown = format!("{described:?}").replace(joined.member_id.as_str(), "MEMBER");
        say(&format!("described v{version}"), shown);
    }
    all
}

it!(who_only_errs_leaves_no_group_behind_and_nobody_waits_for_transactions, |kaw| {
    let broker = kaw.broker("");
    let mut client = Raw::open(&broker.address).unwrap();
    for n in 0..100 {
        let id = format!("g{n}");
        let wish = join(&id, &StrBytes::default()).with_protocols(Vec::new());
        client.call(&wish, JOIN).unwrap();
    }
    let member = fresh(&mut client, "left");
    let leave = LeaveGroupRequest::default()
        .with_group_id(group("left"))
        .with_members(vec![MemberIdentity::default().with_member_id(member)]);
    client.call(&leave, 5).unwrap();
    assert!(client.call(&ListGroupsRequest::default(), 5).unwrap().groups.is_empty());
    for (kind, error) in [(0, NONE), (1, 53), (2, 42)] {
        let find = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![text("k")]);
        let found = client.call(&find, 6).unwrap().coordinators.remove(0);
        assert_eq!((found.error_code, found.key.as_str()), (error, "k"));
    }
    broker.stop();
});
