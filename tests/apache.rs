//! Side by side with a real Apache Kafka: its tools read our files, it serves our directory and we
//! serve its, and the same commands print the same against both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Kaw, until};
use crate::session;

pub const DUMP_LOG: &str = "org.apache.kafka.tools.DumpLogSegments";

/// Leaves a bit of everything in the data directory that this house can write.
fn workload(kaw: &Kaw) {
    kaw.ok("topic create small -c segment.bytes=1048576 -c retention.ms=-1 -p 3");
    kaw.ok("topic create empty");
    kaw.sh("seq 1 100000 | kaw produce many").run().ok();
    kaw.sh("seq -f %0100g 1 40000 | kaw produce small -K 99").run().ok();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = format!("produce codecs -z {codec} -H codec={codec} -H null -k key");
        kaw.cmd(&line).stdin("a\n\0\n\n\u{fffd}\n").run().ok();
    }
    kaw.cmd("produce codecs -Z -K :").stdin("tombstone:\n:no key\n").run().ok();
    kaw.sh("seq 1 1000 | kaw produce plain --acks 1").run().ok();
    kaw.ok("topic create gone");
    kaw.ok("topic delete gone");
}

/// What every topic holds, by offset, as a user sees it.
pub fn contents(kaw: &Kaw, brokers: Option<&str>) -> String {
    let brokers = brokers.map(|brokers| format!("-b {brokers}")).unwrap_or_default();
    let topics = kaw.ok(&format!("topic list {brokers}"));
    let mut all = String::new();
    for topic in topics.lines() {
        let text = kaw.ok(&format!("consume -e -J {topic} {brokers}"));
        let mut lines: Vec<&str> = text.lines().collect();
        // Partitions arrive in any order; within one, a record's place is its offset.
        lines.sort_by_key(|line| place(line));
        all.push_str(&format!("{topic}: {}\n{}\n", lines.len(), lines.join("\n")));
    }
    all
}

fn place(line: &str) -> (u64, u64) {
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    (json["partition"].as_u64().unwrap(), json["offset"].as_u64().unwrap())
}

it!(apaches_dump_log_reads_every_file_without_a_complaint, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    broker.kill();
    // What recovery writes is read too, and a clean stop's files.
    let broker = kaw.broker("");
    kaw.sh("seq 1 1000 | kaw produce many").run().ok();
    broker.stop();
    let catalogue = kaw.data().join("__cluster_metadata-0");
    let (records, logs): (Vec<_>, Vec<_>) =
        kafka_files(&kaw.data()).into_iter().partition(|file| file.starts_with(&catalogue));
    assert!(logs.len() > 20, "too little to tell: {logs:?}");
    dump(kaw, &["--deep-iteration", "--print-data-log"], &logs);
    dump(kaw, &["--cluster-metadata-decoder"], &records);
});

fn dump(kaw: &Kaw, options: &[&str], files: &[PathBuf]) {
    let Some(tool) = kaw.apache_tool(DUMP_LOG) else { return };
    let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let tool = tool.args(options).args(["--files", &names.join(",")]);
    let done = tool.within(Duration::from_secs(120)).run().ok();
    let text = done.out() + &done.err();
    assert_eq!(text.lines().find(|line| complains(line)), None, "{} lines", text.lines().count());
    for name in names {
        assert!(text.contains(&format!("Dumping {name}")), "not read: {name}");
    }
}

pub fn complains(line: &str) -> bool {
    let words = [
        "Exception",
        "ERROR",
        "isvalid: false",
        "invalid bytes",
        "ismatch",
        "timestamps",
        "are not found in",
        "Snapshot contained",
        "Snapshot is corrupt",
        "Snapshot failed",
    ];
    // The tool counts from -1 in every file (DumpLogSegments.java), so that a log's second file
    // begins with a gap that is none.
    let gap = line.contains(" is followed by ") && !line.trim_start().starts_with("-1 ");
    gap || words.iter().any(|word| line.contains(word))
}

fn kafka_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let kinds = ["log", "index", "timeindex", "snapshot"];
        if path.is_dir() {
            files.extend(kafka_files(&path));
        } else if path.extension().is_some_and(|end| kinds.iter().any(|kind| end == *kind)) {
            files.push(path);
        }
    }
    files.sort();
    files
}

it!(an_apache_kafka_takes_the_directory_over_and_gives_it_back, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    let before = contents(kaw, None);
    let configs = kaw.ok("topic describe small -J");
    broker.stop();

    let Some(apache) = kaw.apache_on(&kaw.data()) else { return };
    let address = apache.address.clone();
    assert_eq!(strays(kaw), Vec::<PathBuf>::new());
    same(&contents(kaw, Some(&address)), &before);
    let theirs = kaw.ok(&format!("topic describe small -J -b {address}"));
    for config in ["segment.bytes", "1048576", "retention.ms"] {
        assert!(configs.contains(config) && theirs.contains(config), "{configs}{theirs}");
    }
    kaw.ok(&format!("topic create theirs -p 2 -c retention.bytes=123456 -b {address}"));
    kaw.sh(&format!("seq 1 5000 | kaw produce theirs -b {address}")).run().ok();
    kaw.sh(&format!("seq 1 5000 | kaw produce many -b {address}")).run().ok();
    let after = contents(kaw, Some(&address));
    apache.stop();

    let broker = kaw.broker("");
    same(&contents(kaw, None), &after);
    assert!(kaw.ok("topic describe theirs -J").contains("123456"));
    kaw.cmd("produce theirs").stdin("ours again\n").run().ok();
    broker.stop();
    assert_eq!(strays(kaw), Vec::<PathBuf>::new());
});

#[track_caller]
pub fn same(is: &str, want: &str) {
    let differs = is.lines().zip(want.lines()).find(|(is, want)| is != want);
    assert!(is == want, "first difference: {differs:?}");
}

pub fn strays(kaw: &Kaw) -> Vec<PathBuf> {
    let entries = fs::read_dir(kaw.data()).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().contains("-stray")).collect()
}

it!(the_same_commands_print_the_same_against_apache_kafka, |kaw| {
    let Some(apache) = kaw.apache() else { return };
    same(&session::played(kaw, "anywhere", &apache.address), &session::text("anywhere"));
    all_or_nothing(kaw, &apache.address);
    apache.stop();
});

/// What is sent in a transaction is there in the end, or nothing of it.
fn all_or_nothing(kaw: &Kaw, address: &str) {
    let run =
        |line: &str, input: String| kaw.cmd(&format!("{line} -b {address}")).stdin(input).run();
    let lines = |range: std::ops::RangeInclusive<u32>| -> String {
        range.map(|n| format!("{n}\n")).collect()
    };
    // The coordinator answers before the markers, which make records seen, are in the log.
    let holds = |count: usize| {
        let lines = || run("consume -e tx", String::new()).out().lines().count();
        until(&format!("{count} records"), || (lines() == count).then_some(()));
    };
    run("produce tx --transactional", lines(1..=1000)).ok();
    holds(1000);
    let bad = "{\"value\":\"a\"}\nbad\n{\"value\":\"c\"}\n";
    let failed = run("produce tx -J --transactional", bad.to_owned()).code(1);
    let failed = failed.says("read 3 = delivered 0 + failed 3");
    failed.says("kaw: the transaction was aborted; nothing of it is there");
    holds(1000);
    // Every four at a time: what is committed stays.
    let input = "{\"value\":\"a\"}\n".repeat(9) + "bad\n";
    let failed = run("produce tx -J --transactional --transaction-records 4", input).code(1);
    failed.says("read 10 = delivered 8 + failed 2");
    holds(1008);
    let mut slow =
        kaw.cmd(&format!("produce tx --transactional -b {address}")).stdin_open().start();
    slow.write(lines(1..=1000));
    let all = || run("consume -e tx --isolation uncommitted", String::new());
    until("records on their way", || (2000 < all().out().lines().count()).then_some(()));
    slow.signal(rustix::process::Signal::INT);
    slow.done().code(130).says("the transaction was aborted");
    holds(1008);
}
