//! What whoever starts the built-in broker hears of what that finds.

use std::fs;

use base64::Engine;

use crate::harness::{DEADLINE, Kaw};

/// What a command says on stderr, which succeeds, with a broker that outlives it by far.
fn said(kaw: &Kaw, line: &str) -> String {
    kaw.cmd(line).env("KAW_LINGER", format!("{}s", DEADLINE.as_secs())).run().ok().err()
}

it!(who_starts_the_broker_hears_of_damage_and_nobody_else, |kaw| {
    let numbers: String = (0..30_000).map(|n| format!("{n}\n")).collect();
    kaw.cmd("produce -q t").stdin(numbers).run().ok();
    let broker = kaw.serving(|_| true);
    rustix::process::kill_process(broker, rustix::process::Signal::KILL).unwrap();
    let segment = kaw.data().join("t-0/00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    // The log is opened when it is read, and then no more.
    let err = said(kaw, "consume -q -e t");
    let log = kaw.data().join("broker.log");
    for part in ["kaw: the broker had trouble: damaged; ", "t-0", log.to_str().unwrap()] {
        assert!(err.contains(part), "no '{part}' in: {err}");
    }
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(said(kaw, "consume -q -e t"), "", "it was said");
});

it!(who_starts_the_broker_hears_what_was_wrong_at_its_start, |kaw| {
    kaw.cmd("produce -q t").stdin("one\n").run().ok();
    kaw.ok("consume -q -e t -g g");
    kaw.ok("broker stop");
    let is_of_offsets = |name: &str| name.starts_with("__consumer_offsets-");
    for entry in fs::read_dir(kaw.data()).unwrap() {
        let entry = entry.unwrap();
        if is_of_offsets(entry.file_name().to_str().unwrap()) {
            let segment = entry.path().join("00000000000000000000.log");
            fs::remove_file(&segment).unwrap();
            fs::create_dir(&segment).unwrap();
        }
    }
    let err = said(kaw, "topic list");
    for part in ["kaw: the broker has trouble at its start: ", "__consumer_offsets", "more; see "] {
        assert!(err.contains(part), "no '{part}' in: {err}");
    }
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(said(kaw, "topic list"), "", "it was said");
});

it!(a_partition_with_another_topic_id_is_refused_and_named_and_a_repair_brings_it_back, |kaw| {
    kaw.cmd("produce -q t").stdin("one\ntwo\n").run().ok();
    kaw.ok("broker stop");
    let metadata = kaw.data().join("t-0/partition.metadata");
    let before = fs::read_to_string(&metadata).unwrap();
    let at = before.find("topic_id: ").unwrap() + 10;
    let letter = if &before[at..=at] == "A" { "B" } else { "A" };
    fs::write(&metadata, format!("{}{letter}{}", &before[..at], &before[at + 1..])).unwrap();
    let repair = format!("kaw log repair --yes {}", kaw.data().display());
    let stay = format!("{}s", DEADLINE.as_secs());
    let asked = kaw.cmd("consume -e t").env("KAW_LINGER", &stay).run();
    asked.code(1).says("t-0").says(&repair).prints("");
    let status = kaw.ok("broker status");
    assert!(status.contains("partition.metadata"), "{status}");
    kaw.ok("broker stop");
    kaw.cmd(&format!("log verify {}", kaw.data().display())).run().code(3);
    kaw.cmd(&repair["kaw ".len()..]).run().ok();
    assert_eq!(kaw.ok("consume -e t"), "one\ntwo\n");
});

it!(groups_whose_directory_is_gone_are_told_of_at_the_start, |kaw| {
    kaw.cmd("produce -q t").stdin("one\n").run().ok();
    kaw.ok("consume -q -e t -g g");
    kaw.ok("broker stop");
    let mut gone = 0;
    for entry in fs::read_dir(kaw.data()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("__consumer_offsets-") {
            fs::remove_dir_all(entry.path()).unwrap();
            gone += 1;
        }
    }
    assert_eq!(gone, 1);
    let err = said(kaw, "topic list");
    for part in ["trouble at its start: ", "durable are gone", "__consumer_offsets-"] {
        assert!(err.contains(part), "no '{part}' in: {err}");
    }
    assert!(kaw.ok("broker status").contains("durable are gone"));
});

it!(a_directory_without_its_meta_properties_is_told_what_to_write_into_it, |kaw| {
    kaw.cmd("produce -q t").stdin("one\n").run().ok();
    kaw.ok("broker stop");
    let path = kaw.data().join("meta.properties");
    let before = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let err = kaw.cmd("topic list").run().code(1).err();
    let told = err.split("with the lines ").nth(1).expect(&err);
    let told = told.split(" (").next().unwrap().replace(" and ", ", ").replace(", ", "\n");
    for line in before.lines().filter(|line| !line.starts_with("cluster.id=")) {
        assert!(told.lines().any(|told| told == line), "{line} is not in: {err}");
    }
    fs::write(&path, told).unwrap();
    assert_eq!(kaw.ok("consume -e t"), "one\n");
});

it!(a_stray_of_a_topic_is_damage_where_no_topic_had_its_id, |kaw| {
    kaw.cmd("produce -q t").stdin("one\n").run().ok();
    kaw.cmd("produce -q was").stdin("old\n").run().ok();
    kaw.ok("broker stop");
    let keep = kaw.data().join("kept");
    let copy = |from: &str, to: &std::path::Path| {
        kaw.sh(&format!("cp -a {} {}", kaw.data().join(from).display(), to.display())).run().ok();
    };
    copy("was-0", &keep);
    let hex = |id: &str| {
        let text = fs::read_to_string(kaw.data().join(id).join("partition.metadata")).unwrap();
        let id = text.split("topic_id: ").nth(1).unwrap().trim().to_owned();
        let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(id).unwrap();
        id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let of_deleted = kaw.data().join(format!("was-0.{}-stray", hex("was-0")));
    kaw.ok("topic delete was");
    kaw.cmd("produce -q was").stdin("new\n").run().ok();
    kaw.ok("broker stop");
    fs::rename(&keep, &of_deleted).unwrap();
    let verify = format!("log verify {}", kaw.data().display());
    kaw.cmd(&verify).run().ok();
    let never = kaw.data().join(format!("t-0.{:032x}-stray", 7));
    copy("t-0", &never);
    let found = kaw.cmd(&verify).run().code(3).out();
    assert!(found.contains("set aside from topic t") && !found.contains("topic was"), "{found}");
});
