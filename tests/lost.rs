//! A catalogue that has lost records: what it is refused for, and what a repair finds again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness::Kaw;
use crate::log::{dir, flip};

/// Flips a letter of a topic's name in the catalogue, where the topic begins.
fn flip_topic(kaw: &Kaw, name: &str) -> String {
    let log = format!("{}/__cluster_metadata-0/00000000000000000000.log", dir(kaw));
    let bytes = fs::read(&log).unwrap();
    // The frame's version, a topic's record, its version, and the name.
    let record = [&[1, 2, 0, name.len() as u8 + 1], name.as_bytes()].concat();
    let at = bytes.windows(record.len()).position(|found| found == record);
    flip(Path::new(&log), at.expect("the topic is in it") + 4);
    log
}

it!(a_damaged_catalogue_is_refused_and_a_repair_finds_the_topics_again, |kaw| {
    let broker = kaw.broker("");
    for topic in ["a", "b", "c"] {
        kaw.cmd(&format!("produce {topic}")).stdin(format!("of {topic}\n")).run().ok();
    }
    // What is said of a topic that nobody knows is of no use either.
    kaw.ok("topic alter b -p 2");
    kaw.ok("topic alter c -c retention.ms=86400000");
    broker.stop();
    let log = flip_topic(kaw, "b");
    let repair = format!("`kaw log repair {}`", dir(kaw));
    kaw.cmd("topic list").run().code(1).says("CRC mismatch").says(&repair).says(&log);
    let lost = "topic b: the catalogue has lost it, and b-0 is here";
    let found = kaw.cmd(&format!("log verify {}", dir(kaw))).run().code(3).out();
    assert!(found.contains(lost) && found.contains("settings, users and topics"), "{found}");
    let dry = kaw.cmd(&format!("log repair {}", dir(kaw))).run().code(3).out();
    assert!(dry.contains(&format!("{lost}; it is there again")), "{dry}");
    // How long this one was to keep its records may have been lost as well.
    assert!(dry.contains("topic a: what was set for it may be lost"), "{dry}");
    assert!(!dry.contains("topic c: "), "{dry}");
    let done = kaw.cmd(&format!("log repair {} --yes", dir(kaw))).run().ok();
    assert_eq!(done.says("no damage is left").out(), dry);
    kaw.cmd(&format!("log verify {}", dir(kaw))).run().ok().prints("");
    for topic in ["a", "b", "c"] {
        assert_eq!(kaw.ok(&format!("consume -e {topic}")), format!("of {topic}\n"));
    }
    kaw.cmd("topic list").run().ok().prints("a\nb\nc\n");
    for topic in ["a", "b"] {
        assert_eq!(set(kaw, topic, "retention.ms"), Some("-1".into()), "{topic}");
    }
    assert_eq!(set(kaw, "c", "retention.ms"), Some("86400000".into()));
});

/// What is set for a topic.
fn set(kaw: &Kaw, topic: &str, config: &str) -> Option<String> {
    let text = kaw.ok(&format!("topic describe {topic}"));
    let line = text.lines().find(|line| line.split_whitespace().any(|word| word == config))?;
    line.split_whitespace().nth_back(0).map(str::to_owned)
}

it!(an_emptied_catalogue_is_made_anew_from_the_directories, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t -p 3 -c retention.ms=-1");
    kaw.sh("seq 1 100 | kaw produce t -k key").run().ok();
    kaw.ok("consume t -e -g readers");
    kaw.ok("topic create gone");
    kaw.cmd("produce gone").stdin("x\n").run().ok();
    kaw.ok("topic delete gone");
    broker.stop();
    let ids = producers(kaw);
    let log = kaw.data().join("__cluster_metadata-0/00000000000000000000.log");
    fs::write(&log, "").unwrap();
    let repair = format!("`kaw log repair {}`", dir(kaw));
    kaw.cmd("topic list").run().code(1).says("it ends at offset 0").says(&repair);
    let dry = kaw.cmd(&format!("log repair {}", dir(kaw))).run().code(3).out();
    for topic in ["t", "__consumer_offsets"] {
        assert!(dry.contains(&format!("topic {topic}: the catalogue has lost it")), "{dry}");
    }
    kaw.cmd(&format!("log repair {} --yes", dir(kaw))).run().ok().prints(&dry);
    assert_eq!(kaw.ok("consume -e t").lines().count(), 100);
    kaw.cmd("produce t -k key").stdin("new\n").run().ok();
    // The group goes on where it was.
    assert_eq!(kaw.ok("consume t -e -g readers"), "new\n");
    kaw.cmd("topic list").run().ok().prints("t\n");
    kaw.ok("broker stop");
    // No id of a producer comes again: its records would pass for those of the first.
    assert!(producers(kaw).difference(&ids).all(|id| ids.iter().all(|before| before < id)));
    assert!(ids.len() < producers(kaw).len());
    kaw.cmd(&format!("log verify {}", dir(kaw))).run().ok().prints("");
});

/// The ids of those who produced to the topic t.
fn producers(kaw: &Kaw) -> BTreeSet<i64> {
    let partitions = (0..3).map(|number| format!("{}/t-{number}", dir(kaw)));
    let there = partitions.filter(|dir| Path::new(dir).exists());
    let text: String = there.map(|dir| kaw.ok(&format!("log dump -J {dir}"))).collect();
    let batches = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    batches.filter_map(|batch| batch["producer_id"].as_i64()).collect()
}

it!(a_start_takes_up_what_the_catalogue_has_lost_and_says_so, |kaw| {
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("a\n").run().ok();
    kaw.ok("consume t -e -g readers");
    broker.kill();
    fs::remove_dir_all(kaw.data().join("__cluster_metadata-0")).unwrap();
    kaw.cmd(&format!("log verify {}", dir(kaw))).run().code(3);
    let broker = kaw.broker("");
    assert_eq!(kaw.ok("consume -e t"), "a\n");
    assert_eq!(set(kaw, "t", "retention.ms"), Some("-1".into()));
    kaw.cmd("produce t").stdin("b\n").run().ok();
    assert_eq!(kaw.ok("consume t -e -g readers"), "b\n");
    let status = kaw.ok("broker status");
    assert!(status.contains("topic t: the catalogue has lost it, and t-0 is here"), "{status}");
    broker.stop();
    kaw.cmd(&format!("log verify {}", dir(kaw))).run().ok().prints("");
});

it!(a_directory_without_an_id_is_set_aside_and_the_way_to_its_records_is_said, |kaw| {
    let broker = kaw.broker("");
    for topic in ["a", "b"] {
        kaw.cmd(&format!("produce {topic}")).stdin(format!("of {topic}\n")).run().ok();
    }
    broker.stop();
    flip_topic(kaw, "b");
    fs::remove_file(kaw.data().join("b-0/partition.metadata")).unwrap();
    let said = kaw.cmd(&format!("log repair {} --yes", dir(kaw))).run().code(3).out();
    assert!(said.contains("b-0: the catalogue does not know it"), "{said}");
    kaw.cmd("topic list").run().ok().prints("a\n");
    kaw.ok("broker stop");
    let said = kaw.cmd(&format!("log verify {}", dir(kaw))).run().ok().err();
    let way = said.lines().find(|line| line.contains("-stray: ")).expect("it is named");
    let way = way.split('`').nth(1).expect("a command").replace("NAME", "saved");
    kaw.sh(&way).run().ok();
    assert_eq!(kaw.ok("consume -e saved"), "of b\n");
});
