//! No walls around the data: kaw and Apache Kafka live on one directory day after day, and neither
//! misses what the other did.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::apache::{contents, same, strays};
use crate::harness::{Apache, Kaw, raw, until};

const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// What a day leaves: topics come, go and come again under the same name, one grows, settings
/// change, records come, are read by groups and are compacted.
fn day(kaw: &Kaw, number: usize, brokers: &str) {
    let ok = |line: &str| kaw.ok(&format!("{line} -b {brokers}"));
    let produce = |line: &str, lines: String| {
        kaw.cmd(&format!("produce {line} -b {brokers}")).stdin(lines).run().ok();
    };
    let numbers = |count: usize| (0..count).map(|n| format!("{n}\n")).collect::<String>();
    if number == 0 {
        ok("topic create grows read again");
        ok("topic create squeezed -c cleanup.policy=compact -c segment.ms=100 \
            -c min.cleanable.dirty.ratio=0.01");
    }
    ok("topic delete again");
    until("the name is free", || {
        let line = format!("topic create again -c retention.ms=9000{number} -b {brokers}");
        (kaw.cmd(&line).run().code == 0).then_some(())
    });
    produce("again", numbers(10 + number));
    ok(&format!("topic alter grows -p {} -c max.message.bytes=100000{number}", number + 2));
    produce("grows", numbers(100));
    produce("read", numbers(30));
    let own = ok("consume read -g ours -c 20");
    assert_eq!(own.lines().count(), 20);
    java(kaw, number, brokers);
    let keyed = |round| (0..50).map(move |n| format!("k{n}:{number} {round}\n")).collect();
    produce("squeezed -K :", keyed(1));
    until("a compaction", || {
        // It ends a segment, without which nothing is compacted.
        produce("squeezed -K :", keyed(2));
        let left = ok("consume -e squeezed");
        (!left.contains(&format!("{number} 1\n"))).then_some(())
    });
}

/// A Java consumer, which alone notices a leader epoch that goes back, reads on from its commit:
/// what was sent of 30 records a day, 20 a day.
fn java(kaw: &Kaw, number: usize, brokers: &str) {
    let Some(tool) = kaw.apache_tool(CONSOLE_CONSUMER) else { return };
    let line = ["--bootstrap-server", brokers, "--topic", "read", "--group", "theirs"];
    let tool = tool.args(line).args(["--from-beginning", "--max-messages", "20"]);
    let done = tool.args(["--timeout-ms", "20000"]).within(Duration::from_secs(60)).run().ok();
    let out = done.out();
    let read: Vec<usize> = out.lines().filter_map(|line| line.parse().ok()).collect();
    let next: Vec<usize> = (number * 20..).take(20).map(|n| n % 30).collect();
    assert_eq!(read, next, "{}", done.err());
}

/// What must be the same whoever serves it.
fn seen(kaw: &Kaw, brokers: &str) -> String {
    let squeezed = |text: &str| text.starts_with("squeezed: ");
    let all = contents(kaw, Some(brokers));
    let groups = kaw.ok(&format!("group describe ours theirs -J -b {brokers}"));
    let groups: Vec<_> = groups.lines().map(committed).collect();
    let latest = kaw.ok(&format!("consume -e squeezed -K : --tail 50 -b {brokers}"));
    // How much of it is left depends on when it is compacted.
    let rest = all.lines().filter(|line| !squeezed(line) && !line.contains("\"squeezed\""));
    format!("{}\n{}\n{latest}", rest.collect::<Vec<_>>().join("\n"), groups.join("\n"))
}

fn committed(group: &str) -> String {
    let group: serde_json::Value = serde_json::from_str(group).unwrap();
    format!("{} {}", group["group"], group["partitions"])
}

/// A broker as `kaw broker properties` has it, on ports of its own.
pub fn apache(kaw: &Kaw) -> Option<Apache> {
    kaw.apache_with(&properties(kaw), "")
}

/// What `kaw broker properties` has, and no patience.
pub fn properties(kaw: &Kaw) -> Vec<String> {
    let text = kaw.ok("broker properties").replace(":9092", ":{port}");
    let text = text.replace(":9093", ":{controller}");
    let eager = ["log.cleaner.backoff.ms=100", "log.retention.check.interval.ms=50"];
    let eager = eager.into_iter().chain(["log.initial.task.delay.ms=100"]);
    text.lines().chain(eager).map(str::to_owned).collect()
}

/// Every file of the directory is whole, and nothing was set aside.
fn whole(kaw: &Kaw, dir: &Path) {
    assert_eq!(strays(kaw), Vec::<PathBuf>::new());
    kaw.ok(&format!("log verify {}", dir.display()));
}

// On one of its days neither has time to say goodbye.
it!(kaw_and_apache_kafka_take_turns_on_one_directory, |kaw| {
    let mut last: Option<String> = None;
    for number in 0..4 {
        let is_ours = number % 2 == 0;
        let seen_at_start = |brokers: &str| {
            let Some(last) = &last else { return };
            same(&seen(kaw, brokers), last);
            let settings = kaw.ok(&format!("topic describe again grows -J -b {brokers}"));
            let day = number - 1;
            for set in [format!("\"9000{day}\""), format!("\"100000{day}\"")] {
                assert!(settings.contains(&set), "no {set}: {settings}");
            }
        };
        if is_ours {
            let broker = kaw.broker("-c log.cleaner.backoff.ms=100");
            seen_at_start(&broker.address);
            day(kaw, number, &broker.address);
            last = Some(seen(kaw, &broker.address));
            if number == 0 { drop(broker.stop()) } else { broker.kill() }
        } else {
            let Some(apache) = apache(kaw) else { return };
            seen_at_start(&apache.address);
            day(kaw, number, &apache.address);
            last = Some(seen(kaw, &apache.address));
            if number == 1 { apache.kill(kaw) } else { apache.stop() }
        }
        whole(kaw, &kaw.data());
    }
    // Of our files, the killed broker's among them, Apache Kafka finds nothing to say.
    let said = fs::read_to_string(kaw.path("apache/server.log")).unwrap();
    let trouble = |line: &&str| {
        let grave = line.contains(" ERROR ") || line.contains(" WARN ");
        grave && line.contains("org.apache.kafka.storage")
    };
    assert!(said.contains("org.apache.kafka.storage"), "it is the log of a broker");
    assert_eq!(said.lines().find(trouble), None);
    // Nor is it kept waiting for the session of the one that was killed.
    assert!(!said.contains("DuplicateBrokerRegistrationException"));
});

it!(a_directory_that_cannot_be_taken_over_stays_as_it_was, |kaw| {
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("a\n").run().ok();
    broker.stop();
    let own = ["door.json", ".lock", "broker.log", "broker.json"].map(|name| kaw.data().join(name));
    own.iter().for_each(|path| drop(fs::remove_file(path)));
    let refused = |parts: &[&str]| {
        let before = files(&kaw.data());
        for line in ["broker --listen 127.0.0.1:0", "topic list"] {
            let said = kaw.cmd(line).run().fails(1);
            parts.iter().for_each(|part| assert!(said.contains(part), "{said}"));
            assert_eq!(files(&kaw.data()), before);
        }
    };
    let meta = kaw.data().join("meta.properties");
    let text = fs::read_to_string(&meta).unwrap();
    assert!(text.contains("node.id=1\n"), "{text}");
    fs::write(&meta, text.replace("node.id=1\n", "node.id=2\n")).unwrap();
    refused(&["cannot take over", "topic t", "on [1], not on [2]"]);
    fs::write(&meta, text.replace("version=1\n", "version=0\n")).unwrap();
    refused(&["meta.properties", "ZooKeeper"]);
    fs::write(&meta, text).unwrap();
    let catalogue = kaw.data().join("__cluster_metadata-0/00000000000000000000.log");
    let mut log = fs::read(&catalogue).unwrap();
    log.extend(unknown_record(end_of(&log)));
    fs::write(&catalogue, log).unwrap();
    refused(&["cannot read the catalogue", "99"]);
    fs::remove_file(&meta).unwrap();
    refused(&["meta.properties"]);
});

/// A batch with one record of the catalogue: frame version 1, key 99, version 0, no tags.
fn unknown_record(offset: u64) -> Vec<u8> {
    let mut batch = raw::batch(&["\u{1}\u{63}\0\0".to_owned()]).to_vec();
    batch[..8].copy_from_slice(&offset.to_be_bytes());
    batch
}

/// The offset behind the last batch.
fn end_of(log: &[u8]) -> u64 {
    let number = |at: usize, bytes: usize| {
        log[at..at + bytes].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (mut at, mut end) = (0, 0);
    while at < log.len() {
        end = number(at, 8) + number(at + 23, 4) + 1;
        at += 12 + number(at + 8, 4) as usize;
    }
    end
}

/// Every name with what it holds and when it was written last, the directories' own too.
fn files(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let mut found = BTreeMap::from([(dir.to_owned(), (modified(dir), Vec::new()))]);
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => {
                let holds = (modified(&path), fs::read(&path).unwrap());
                found.insert(path, holds);
            }
        }
    }
    found
}
