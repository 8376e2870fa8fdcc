//! Backups of a cluster that loses things, or cannot give them: what was saved stays, what can be
//! saved is, and what cannot is named.

use std::fs;

use serde_json::Value;

use crate::backup::records;
use crate::compact::{bytes, logs};
use crate::harness::{Done, Kaw};

/// A topic whose segments hold a hundred records each.
fn create(kaw: &Kaw, topic: &str) {
    kaw.ok(&format!("topic create {topic} -p 1 -c segment.ms=60000 -c retention.ms=-1"));
}

/// Its segment of this number.
fn fill(kaw: &Kaw, topic: &str, number: u64) {
    let (first, time) = (100 * number, 1_700_000_000_000 + 3_600_000 * number);
    let lines = format!("seq {first} {}", first + 99);
    kaw.sh(&format!("{lines} | kaw produce {topic} --timestamp {time}")).run().ok();
}

/// A segment is gone, with all that belongs to it.
fn lose(kaw: &Kaw, topic: &str, base: u64) {
    for entry in fs::read_dir(kaw.data().join(format!("{topic}-0"))).unwrap().flatten() {
        if entry.file_name().to_str().unwrap().starts_with(&format!("{base:020}.")) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn numbers(ranges: &[(u64, u64)]) -> String {
    let lines = |&(from, until): &(u64, u64)| (from..until).map(|n| format!("{n}\n"));
    ranges.iter().flat_map(lines).collect()
}

#[track_caller]
fn said(done: &Done, words: &[&str], not: &[&str]) {
    let said = done.err();
    assert!(words.iter().all(|words| said.contains(words)), "{words:?}: {done}");
    assert!(!not.iter().any(|words| said.contains(words)), "{not:?}: {done}");
}

it!(what_the_cluster_no_longer_has_stays_in_a_backup_until_it_is_pruned, |kaw| {
    create(kaw, "t");
    (0..4).for_each(|number| fill(kaw, "t", number));
    kaw.ok("backup b");
    kaw.ok("topic trim t --to 250");
    fill(kaw, "t", 4);
    let done = kaw.cmd("backup b").run().ok();
    said(&done, &["no longer has offsets 0 to 249 of t-0", "b keeps it all"], &[]);
    kaw.cmd("restore b --as all").run().ok();
    assert_eq!(kaw.ok("consume -e all"), numbers(&[(0, 500)]));
    said(&kaw.cmd("backup b t").run().ok(), &[], &["no longer has"]);

    // Gone before a run came to it.
    kaw.ok("topic trim t --to end");
    fill(kaw, "t", 5);
    kaw.ok("topic trim t --to 550");
    let done = kaw.cmd("backup b t").run().ok();
    let words =
        ["no longer has offsets 250 to 499 of t-0", "gone before this run: offsets 500 to 5"];
    said(&done, &words, &[]);
    said(&kaw.cmd("backup b t").run().ok(), &[], &["no longer has", "gone before"]);
    let lacks = "b lacks offsets 500 to 549 of t-0: gone from the cluster before";
    said(&kaw.cmd("restore b t --as more").run().ok(), &[lacks], &[]);
    assert_eq!(kaw.ok("consume -e more"), numbers(&[(0, 500), (550, 600)]));
    kaw.cmd("log verify b").run().ok().says("b/t-0: lacks offsets 500 to 549: gone from");

    fill(kaw, "t", 6);
    let dropped = "b drops what the cluster no longer has: offsets 0 to 549 of t-0";
    said(&kaw.cmd("backup b t --prune").run().ok(), &[dropped], &["keeps", "lacks"]);
    said(&kaw.cmd("backup b t --prune").run().ok(), &[], &["drops", "keeps"]);
    said(&kaw.cmd("restore b t --as rest").run().ok(), &[], &["lacks"]);
    assert_eq!(kaw.ok("consume -e rest"), numbers(&[(550, 700)]));
    assert_eq!(kaw.ok("consume -e t"), kaw.ok("consume -e rest"));
});

it!(a_lost_first_segment_costs_a_backup_nothing, |kaw| {
    create(kaw, "t");
    (0..3).for_each(|number| fill(kaw, "t", number));
    kaw.ok("backup b");
    kaw.ok("broker stop");
    lose(kaw, "t", 0);
    let done = kaw.cmd("backup b").run().ok();
    said(&done, &["no longer has offsets 0 to 99 of t-0"], &[]);
    kaw.cmd("restore b --as all").run().ok();
    assert_eq!(kaw.ok("consume -e all"), numbers(&[(0, 300)]));
});

it!(offsets_that_are_missing_in_the_middle_are_named_by_a_backup, |kaw| {
    create(kaw, "t");
    (0..4).for_each(|number| fill(kaw, "t", number));
    kaw.ok("broker stop");
    lose(kaw, "t", 100);
    let done = kaw.cmd("backup b -J").run().code(1);
    said(&done, &["t-0: the cluster's log lacks offsets 100 to 199 in its middle"], &[]);
    let json: Value = serde_json::from_str(&done.out()).unwrap();
    assert_eq!((&json["missing_offsets"], &json["new_records"]), (&100.into(), &300.into()));
    // It is told again, but a later run has saved all that there is.
    fill(kaw, "t", 4);
    let again = "t-0: b lacks offsets 100 to 199: an earlier run found";
    said(&kaw.cmd("backup b").run().ok(), &[again], &["in its middle"]);
    kaw.cmd("log verify b").run().ok().says("b/t-0: lacks offsets 100 to 199: missing in the log");
    let lacks = "b lacks offsets 100 to 199 of t-0: missing in the log that was saved";
    said(&kaw.cmd("restore b --as all").run().code(1), &[lacks], &[]);
    assert_eq!(kaw.ok("consume -e all"), numbers(&[(0, 100), (200, 500)]));

    // In what a further run adds as well.
    kaw.ok("backup c all");
    (5..8).for_each(|number| fill(kaw, "t", number));
    kaw.ok("broker stop");
    lose(kaw, "t", 600);
    let done = kaw.cmd("backup b t").run().code(1);
    said(&done, &["t-0: the cluster's log lacks offsets 100 to 199 and 600 to 699"], &[]);
});

it!(a_topic_that_was_compacted_once_misses_nothing, |kaw| {
    let broker = kaw.broker("-c log.cleaner.backoff.ms=50");
    let compact = "-c cleanup.policy=compact -c min.cleanable.dirty.ratio=0.01";
    kaw.ok(&format!("topic create t -p 1 -c segment.bytes=1048576 {compact}"));
    let lines = r#"seq 1 30000 | awk '{printf "k%d:%d %090d\n", $1%500, $1, 0}'"#;
    kaw.sh(&format!("{lines} | kaw produce t -K : -X batch.size=20000")).run().ok();
    crate::harness::until("few bytes", || (bytes(kaw, "t-0") < 400_000).then_some(()));
    kaw.ok("topic alter t -c cleanup.policy=delete");
    assert!(!logs(kaw, "t-0").is_empty());
    said(&kaw.cmd("backup b").run().ok(), &[], &["lacks"]);
    kaw.ok("restore b --as copy");
    assert!(records(kaw, "t", "") == records(kaw, "copy", ""));
    broker.stop();
});

it!(a_partition_that_no_broker_serves_costs_a_backup_no_other, |kaw| {
    kaw.ok("topic create t -p 2");
    kaw.sh("seq 50 | kaw produce t -p 0; seq 100 149 | kaw produce t -p 1").run().ok();
    kaw.ok("broker stop");
    let segment = kaw.data().join("t-1/00000000000000000000.log");
    let break_it = || {
        fs::rename(&segment, kaw.path("kept")).unwrap();
        fs::create_dir(&segment).unwrap();
    };
    let mend_it = || {
        kaw.ok("broker stop");
        fs::remove_dir(&segment).unwrap();
        fs::rename(kaw.path("kept"), &segment).unwrap();
    };
    break_it();
    let why = ["t-1 is not in b (the broker cannot use the files of it; ", "broker.log says why)"];
    said(&kaw.cmd("backup b").run().code(1), &why, &["t-0"]);
    kaw.cmd("log verify b").run().ok().says("b/t-1: ends at offset 0; the rest could not be saved");
    let has = "b has t-1 only up to offset 0: the rest could not be saved (the broker cannot";
    said(&kaw.cmd("restore b --as first").run().code(1), &[has], &[]);
    assert_eq!(records(kaw, "first", "").keys().copied().collect::<Vec<_>>(), [0]);
    // Where nothing can be saved there is no backup.
    let alone = kaw.cmd("backup c t").run().code(1);
    said(&alone, &["t-1 is not in c"], &[]);
    mend_it();
    kaw.ok("backup b");
    kaw.sh("seq 51 60 | kaw produce t -p 0").run().ok();
    kaw.ok("broker stop");
    break_it();
    // What was saved of it stays.
    let why = "t-1 is in b only up to offset 50 (the broker cannot use the files of it; ";
    said(&kaw.cmd("backup b t").run().code(1), &[why], &[]);
    kaw.cmd("restore b t --as second").run().code(1);
    let lengths = |topic: &str| records(kaw, topic, "").into_values().map(|it| it.len());
    assert_eq!(lengths("second").collect::<Vec<_>>(), [60, 50]);
    mend_it();
    kaw.ok("backup b t");
    kaw.cmd("restore b t --as third").run().ok();
    assert!(records(kaw, "t", "") == records(kaw, "third", ""));
});

it!(a_backup_of_nothing_that_is_served_is_none, |kaw| {
    kaw.sh("seq 50 | kaw produce t").run().ok();
    kaw.ok("broker stop");
    let segment = kaw.data().join("t-0/00000000000000000000.log");
    fs::remove_file(&segment).unwrap();
    fs::create_dir(&segment).unwrap();
    let why = "nothing was saved: t-0: the broker cannot use the files of it; ";
    said(&kaw.cmd("backup b").run().code(1), &[why], &[]);
    assert!(!kaw.path("b").exists());
});

it!(a_restore_over_a_topic_that_lacks_something_names_it, |kaw| {
    create(kaw, "t");
    (0..4).for_each(|number| fill(kaw, "t", number));
    kaw.ok("backup b");
    kaw.ok("restore b --as copy");
    kaw.cmd("restore b --as copy").run().ok().says("was there already: 1 topic");
    let lose = |topic: &str, base: u64| {
        kaw.ok("broker stop");
        lose(kaw, topic, base);
    };
    lose("t", 200);
    let lacks = [
        "kaw: t-0 lacks offsets 200 to 299, which b has; nothing was restored",
        "`kaw restore b t --as NAME` brings all of it under another name",
    ];
    said(&kaw.cmd("restore b t").run().code(1), &lacks, &["was there", "restored 1"]);
    // What came later changes nothing.
    fill(kaw, "t", 4);
    said(&kaw.cmd("restore b").run().code(1), &lacks, &[]);
    lose("t", 0);
    let both = "t-0 lacks offsets 0 to 99 and 200 to 299, which b has";
    said(&kaw.cmd("restore b").run().code(1), &[both], &[]);
    kaw.ok("restore b t --as whole");
    assert_eq!(kaw.ok("consume -e whole"), numbers(&[(0, 400)]));
    kaw.ok("topic delete t");
    kaw.cmd("restore b").run().ok().says("restored 1 topic");
    assert_eq!(kaw.ok("consume -e t"), numbers(&[(0, 400)]));
});

it!(a_restore_over_a_topic_that_was_compacted_does_not_ask_for_its_end, |kaw| {
    let line = |n: u64| format!("k:{n}\n");
    kaw.ok("topic create t -c cleanup.policy=compact");
    kaw.cmd("produce t -K :").stdin((0..50).map(line).collect::<String>()).run().ok();
    kaw.ok("backup b");
    kaw.cmd("restore b").run().ok().says("was there already");
    kaw.cmd("produce t -K :").stdin("k:50\n").run().ok();
    let words =
        ["topic 't' is compacted and has not each record of the backup", "it stays as it is"];
    said(&kaw.cmd("restore b").run().code(1), &words, &["topic delete"]);
});

it!(what_groups_have_committed_stays_in_a_backup_until_it_is_pruned, |kaw| {
    kaw.sh("seq 9 | kaw produce t").run().ok();
    kaw.ok("consume t -g readers -c 5");
    kaw.ok("consume t -g others -c 3");
    kaw.ok("backup b");
    kaw.ok("group delete readers");
    kaw.ok("consume t -g others -c 1");
    let words = ["no longer has what group 'readers' committed", "b keeps it until", "2 groups"];
    said(&kaw.cmd("backup b").run().ok(), &words, &[]);
    said(&kaw.cmd("backup b --no-groups").run().ok(), &["2 groups"], &["no longer"]);
    kaw.ok("restore b --as new");
    let next = |group: &str| kaw.ok(&format!("consume new -g {group} -c 1"));
    assert_eq!([next("readers"), next("others")], ["6\n", "5\n"]);
    kaw.ok("group delete readers");
    said(&kaw.cmd("backup b t --prune").run().ok(), &["1 group and"], &["no longer"]);
});
