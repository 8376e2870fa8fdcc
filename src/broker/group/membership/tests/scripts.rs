//! What Apache's coordinator does, step by step (GroupMetadataManagerTest.java).

use super::*;

#[test]
fn a_member_alone_gets_a_generation_at_once() {
    check(
        "",
        "
        new a range=subscription
            new a: generation 1 range led by a [a=subscription]
            → CompletingRebalance
        beat a 1
            NONE
        sync a 1 a=all
            wrote 1[a=all]
            sync a: 'all'
            → Stable
        beat a 1
            NONE
        sync a 1
            sync a: 'all'
        commit a 1
            NONE
        leave a
            NONE
            wrote 2[]
            → Empty
        ",
    );
}

#[test]
fn an_id_is_given_out_first() {
    check(
        "",
        "
        ask a
            ask a: MEMBER_ID_REQUIRED 'a'
        join b
            join b: UNKNOWN_MEMBER_ID 'b'
        join a
            join a: generation 1 range led by a [a]
            → CompletingRebalance
        ask b
            ask b: MEMBER_ID_REQUIRED 'b'
        leave b
            NONE
            → PreparingRebalance
        ",
    );
}

#[test]
fn everybody_joins_again_when_one_comes() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        sync a 1 a=0,1
            wrote 1[a=0,1]
            sync a: '0,1'
            → Stable
        new b
            → PreparingRebalance
        beat a 1
            REBALANCE_IN_PROGRESS
        sync a 1
            sync a: REBALANCE_IN_PROGRESS
        join a
            join a: generation 2 range led by a [a b]
            new b: generation 2 range led by a []
            → CompletingRebalance
        sync b 2
        sync a 2 a=0 b=1
            wrote 2[a=0 b=1]
            sync a: '0'
            sync b: '1'
            → Stable
        ",
    );
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        sync a 1
            wrote 1[a=]
            sync a: ''
            → Stable
        new b
            → PreparingRebalance
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 11
            new b: generation 2 range led by b [b]
            → CompletingRebalance
        beat a 2
            UNKNOWN_MEMBER_ID
        ",
    );
}

#[test]
fn a_rebalance_waits_no_longer_than_the_slowest_member_asks_for() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        sync a 1
            wrote 1[a=]
            sync a: ''
            → Stable
        new b
            → PreparingRebalance
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 9
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 6
            new b: generation 2 range led by b [b]
            → CompletingRebalance
        ",
    );
}

#[test]
fn a_silent_member_is_out_when_its_session_ends() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        sync a 1
            wrote 1[a=]
            sync a: ''
            → Stable
        wait 9
        commit a 1
            NONE
        wait 9
        beat a 1
            NONE
        wait 10
            wrote 2[]
            → Empty
        beat a 1
            UNKNOWN_MEMBER_ID
        ",
    );
    // An id that is not used is forgotten likewise, and nobody waits for it any longer.
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        sync a 1
            wrote 1[a=]
            sync a: ''
            → Stable
        ask b
            ask b: MEMBER_ID_REQUIRED 'b'
        join a
            → PreparingRebalance
        wait 9
        wait 1
            join a: generation 2 range led by a [a]
            → CompletingRebalance
        join b
            join b: UNKNOWN_MEMBER_ID 'b'
        ",
    );
}

#[test]
fn a_leader_that_brings_no_assignment_is_out() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b
            → PreparingRebalance
        join a
            join a: generation 2 range led by a [a b]
            new b: generation 2 range led by a []
            → CompletingRebalance
        sync b 2
        wait 10
            sync b: REBALANCE_IN_PROGRESS
            → PreparingRebalance
        join b
            join b: generation 3 range led by b [b]
            → CompletingRebalance
        ",
    );
    // Heartbeats keep it in, but not for longer than a rebalance may take.
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        wait 9
        beat a 1
            NONE
        wait 9
        beat a 1
            NONE
        wait 9
        beat a 1
            NONE
        wait 9
        beat a 1
            NONE
        wait 9
        beat a 1
            NONE
        wait 9
        beat a 1
            NONE
        wait 6
            wrote 2[]
            → Empty
        ",
    );
}

#[test]
fn a_follower_that_joins_unchanged_disturbs_nobody_but_a_leader_does() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b
            → PreparingRebalance
        join a
            join a: generation 2 range led by a [a b]
            new b: generation 2 range led by a []
            → CompletingRebalance
        join a
            join a: generation 2 range led by a [a b]
        sync a 2 a=0 b=1
            wrote 2[a=0 b=1]
            sync a: '0'
            → Stable
        join b
            join b: generation 2 range led by a []
        sync b 2
            sync b: '1'
        join b range=new
            → PreparingRebalance
        join a
            join a: generation 3 range led by a [a b=new]
            join b: generation 3 range led by a []
            → CompletingRebalance
        sync b 3
        sync a 3 a=0
            wrote 3[a=0 b=]
            sync a: '0'
            sync b: ''
            → Stable
        join a
            → PreparingRebalance
        ",
    );
}

#[test]
fn a_protocol_is_one_that_all_support_and_most_prefer() {
    check(
        "",
        "
        new a x,y
            new a: generation 1 x led by a [a]
            → CompletingRebalance
        new b z
            new b: INCONSISTENT_GROUP_PROTOCOL ''
        connector c x
            connector c: INCONSISTENT_GROUP_PROTOCOL ''
        new c ,
            new c: INCONSISTENT_GROUP_PROTOCOL ''
        new d y,x
            → PreparingRebalance
        new e y,x,y
        join a x,y
            join a: generation 2 y led by a [a d e]
            new d: generation 2 y led by a []
            new e: generation 2 y led by a []
            → CompletingRebalance
        leave d
            NONE
            → PreparingRebalance
        leave e
            NONE
        join a x,y
            join a: generation 3 x led by a [a]
            → CompletingRebalance
        ",
    );
    check(
        "",
        "
        new a ,
            new a: INCONSISTENT_GROUP_PROTOCOL ''
        connector a x
            connector a: generation 1 x led by a [a]
            → CompletingRebalance
        ",
    );
}

#[test]
fn a_group_takes_so_many_and_no_more() {
    check(
        "max=1",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b
            new b: GROUP_MAX_SIZE_REACHED ''
        ask b
            ask b: GROUP_MAX_SIZE_REACHED ''
        join a range=new
            join a: generation 2 range led by a [a=new]
        ",
    );
}

#[test]
fn a_group_that_was_empty_waits_for_more_members() {
    check(
        "delay=3",
        "
        new a
            → PreparingRebalance
        wait 2
        new b
        wait 1
        wait 2
        wait 1
            new a: generation 1 range led by a [a b]
            new b: generation 1 range led by a []
            → CompletingRebalance
        ",
    );
    check(
        "delay=3",
        "
        new a
            → PreparingRebalance
        leave a
            NONE
            new a: UNKNOWN_MEMBER_ID ''
        wait 3
            wrote 1[]
            → Empty
        ",
    );
}

#[test]
fn a_new_member_waits_five_minutes_at_most() {
    check(
        "delay=600",
        "
        new a
            → PreparingRebalance
        wait 299
        wait 1
            new a: UNKNOWN_MEMBER_ID ''
            wrote 1[]
            → Empty
        ",
    );
}

/// Two static members, each with its part.
const GROUP: &str = "
        new a/1
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b/2
            → PreparingRebalance
        join a/1
            join a: generation 2 range led by a [a b]
            new b: generation 2 range led by a []
            → CompletingRebalance
        sync b/2 2
        sync a/1 2 a=0 b=1
            wrote 2[a=0 b=1]
            sync a: '0'
            sync b: '1'
            → Stable
        ";

#[test]
fn a_static_member_comes_back_unnoticed() {
    check(
        "",
        &format!(
            "{GROUP}
        new c/2
            wrote 2[a=0 c=1]
            new c: generation 2 range led by a []
        sync c/2 2
            sync c: '1'
        beat b/2 2
            FENCED_INSTANCE_ID
        sync b/2 2
            sync b: FENCED_INSTANCE_ID
        commit b/2 2
            FENCED_INSTANCE_ID
        join b/2
            join b: FENCED_INSTANCE_ID 'b'
        leave b/2
            FENCED_INSTANCE_ID
        beat b 2
            UNKNOWN_MEMBER_ID
        beat c/3 2
            UNKNOWN_MEMBER_ID
        new d/1
            wrote 2[c=1 d=0]
            new d: generation 2 range led by a []
        new9 e/1
            wrote 2[c=1 e=0]
            new9 e: generation 2 range led by e [c e] skip
        !new9 f/1
            lost
            new9 f: COORDINATOR_NOT_AVAILABLE ''
        beat e/1 2
            NONE
        "
        ),
    );
}

#[test]
fn a_static_member_comes_back_into_a_rebalance() {
    check(
        "",
        &format!(
            "{GROUP}
        new c/2 other,range
            wrote 2[a=0 c=1]
            new c: generation 2 range led by a []
        join a/1
            → PreparingRebalance
        new d/2
            join a: generation 3 range led by a [a d]
            new d: generation 3 range led by a []
            → CompletingRebalance
        sync d/2 3
        new e/2
            sync d: FENCED_INSTANCE_ID
            → PreparingRebalance
        beat a/1 3
            REBALANCE_IN_PROGRESS
        new f/2
            new e: FENCED_INSTANCE_ID 'e'
        join a/1
            join a: generation 4 range led by a [a f]
            new f: generation 4 range led by a []
            → CompletingRebalance
        "
        ),
    );
}

#[test]
fn a_static_member_leaves_when_it_says_so_or_an_administrator_does() {
    check(
        "",
        &format!(
            "{GROUP}
        leave b/2
            NONE
            → PreparingRebalance
        join a/1
            join a: generation 3 range led by a [a]
            → CompletingRebalance
        sync a 3
            wrote 3[a=]
            sync a: ''
            → Stable
        leave /2
            UNKNOWN_MEMBER_ID
        leave /1
            NONE
            wrote 4[]
            → Empty
        "
        ),
    );
}

#[test]
fn a_static_member_keeps_its_place_through_a_rebalance_that_it_misses() {
    check(
        "",
        "
        new a/1
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        sync a 1 a=0
            wrote 1[a=0]
            sync a: '0'
            → Stable
        new b
            → PreparingRebalance
        wait 8
        beat a 1
            REBALANCE_IN_PROGRESS
        wait 10
            new b: generation 2 range led by b [b]
            → CompletingRebalance
        ",
    );
}

#[test]
fn every_mistake_has_its_error() {
    check(
        "",
        "
        join a
            join a: UNKNOWN_MEMBER_ID 'a'
        sync a 1
            sync a: UNKNOWN_MEMBER_ID
        beat a 0
            UNKNOWN_MEMBER_ID
        leave a b
            UNKNOWN_MEMBER_ID
            UNKNOWN_MEMBER_ID
        commit a 0
            UNKNOWN_MEMBER_ID
        commit - -1
            NONE
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        commit - -1
            UNKNOWN_MEMBER_ID
        commit a 0
            ILLEGAL_GENERATION
        commit a 1
            REBALANCE_IN_PROGRESS
        beat a 2
            ILLEGAL_GENERATION
        beat a/1 1
            UNKNOWN_MEMBER_ID
        sync a 0
            sync a: ILLEGAL_GENERATION
        sync b 1
            sync b: UNKNOWN_MEMBER_ID
        ask b
            ask b: MEMBER_ID_REQUIRED 'b'
        beat b 1
            UNKNOWN_MEMBER_ID
        join b/1
            join b: UNKNOWN_SERVER_ERROR 'b'
        leave a a
            NONE
            UNKNOWN_MEMBER_ID
            → PreparingRebalance
        die
            → Dead
        new c
            new c: COORDINATOR_NOT_AVAILABLE ''
        join b
            join b: COORDINATOR_NOT_AVAILABLE 'b'
        sync a 1
            sync a: COORDINATOR_NOT_AVAILABLE
        beat a 1
            COORDINATOR_NOT_AVAILABLE
        commit a 1
            COORDINATOR_NOT_AVAILABLE
        ",
    );
}

#[test]
fn a_generation_that_cannot_be_written_is_none() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        !sync a 1 a=0
            lost
            sync a: COORDINATOR_NOT_AVAILABLE
            → PreparingRebalance
        join a
            join a: generation 2 range led by a [a]
            → CompletingRebalance
        sync a 2 a=0
            wrote 2[a=0]
            sync a: '0'
            → Stable
        !leave a
            NONE
            lost
            → Empty
        new b
            new b: generation 4 range led by b [b]
            → CompletingRebalance
        ",
    );
}

#[test]
fn members_go_on_after_a_restart() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b/2
            → PreparingRebalance
        join a
            join a: generation 2 range led by a [a b]
            new b: generation 2 range led by a []
            → CompletingRebalance
        sync a 2 a=0 b=1
            wrote 2[a=0 b=1]
            sync a: '0'
            → Stable
        sync b/2 2
            sync b: '1'
        restart
        beat a 2
            NONE
        sync b/2 2
            sync b: '1'
        new c/2
            wrote 2[a=0 c=1]
            new c: generation 2 range led by a []
        wait 9
        beat a 2
            NONE
        wait 1
            → PreparingRebalance
        ",
    );
}

#[test]
fn the_last_request_counts_and_the_one_before_is_answered() {
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b
            → PreparingRebalance
        join b
            new b: REBALANCE_IN_PROGRESS 'b'
        ",
    );
    check(
        "",
        "
        new a
            new a: generation 1 range led by a [a]
            → CompletingRebalance
        new b
            → PreparingRebalance
        join a
            join a: generation 2 range led by a [a b]
            new b: generation 2 range led by a []
            → CompletingRebalance
        sync b 2
        sync b 2
            sync b: REBALANCE_IN_PROGRESS
        leave b
            NONE
            sync b: UNKNOWN_MEMBER_ID
            → PreparingRebalance
        ",
    );
}

#[test]
fn a_generation_is_never_negative() {
    let mut stage = Stage::new("");
    stage.play("new a");
    stage.group.generation = i32::MAX;
    let came = stage.play("join a range=new");
    assert!(came.starts_with("join a: generation 1 range"), "{came}");
}

#[test]
fn hostile_sizes_are_bounded() {
    let mut stage = Stage::new("");
    let mut wish = stage.wish("join", "a", "");
    let protocol = |size| JoinProtocol { name: "p".into(), metadata: vec![0; size].into() };
    wish.protocols = vec![protocol(3 << 20), protocol(3 << 20)];
    assert_eq!(stage.join(wish), ["join a: INVALID_REQUEST 'a'"]);
    let many: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let came = stage.play(&format!("new a {}", many.join(",")));
    assert_eq!(came, "new a: INVALID_REQUEST ''");
    for n in 0..10_000 {
        assert!(stage.play(&format!("ask {n}")).contains("MEMBER_ID_REQUIRED"));
    }
    assert_eq!(stage.play("ask z"), "ask z: GROUP_MAX_SIZE_REACHED ''");
    stage.play("wait 10");
    assert!(stage.group.is_vacant());
}

#[test]
fn a_group_tells_what_may_be_done_to_its_offsets() {
    let mut stage = Stage::new("");
    let subscription = |topic: &str| {
        let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
        bytes.extend_from_slice(topic.as_bytes());
        Bytes::from(bytes)
    };
    assert_eq!(stage.group.retention(), OffsetRetention::SinceCommit);
    assert_eq!(stage.group.check_delete(), Ok(()));
    let mut wish = stage.wish("join", "a", "range");
    wish.protocols[0].metadata = subscription("read");
    stage.join(Join { member_id: Text::default(), ..wish });
    assert_eq!(stage.group.retention(), OffsetRetention::Never);
    assert_eq!(stage.group.check_delete(), Err(ErrorCode::NON_EMPTY_GROUP));
    assert_eq!(stage.group.check_offset_delete(), Ok(()));
    stage.play("sync a 1");
    assert_eq!(stage.group.retention(), OffsetRetention::SinceCommit);
    assert!(stage.group.is_subscribed_to("read") && !stage.group.is_subscribed_to("other"));
    stage.now.wall = Timestamp(77);
    stage.play("leave a");
    assert_eq!(stage.group.retention(), OffsetRetention::SinceEmpty(Timestamp(77)));
    assert!(!stage.group.is_subscribed_to("read"));

    let mut stage = Stage::new("");
    stage.play("connector a x");
    assert_eq!(stage.group.check_offset_delete(), Err(ErrorCode::NON_EMPTY_GROUP));
    assert!(!stage.group.is_subscribed_to("read"));
    let mut stage = Stage::new("");
    stage.play("new a");
    // Consumers that say nothing that could be read may be reading anything.
    assert!(stage.group.is_subscribed_to("read"));
}
