//! Topics of `cleanup.policy=compact`: in the end there is one record a key, for our readers and
//! Apache Kafka's, whoever compacted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{Kaw, until};

const COMPACT: &str = "-c cleanup.policy=compact -c min.cleanable.dirty.ratio=0.01 \
                       -c segment.bytes=1048576";

/// A broker that looks again at once.
const EAGER: &str = "-c log.cleaner.backoff.ms=50";

/// Each of 500 keys again and again, the numbers `from..=to` as values, in many batches.
fn produce(kaw: &Kaw, topic: &str, from: u32, to: u32, options: &str) {
    let lines = format!(r#"seq {from} {to} | awk '{{printf "k%d:%d %090d\n", $1%500, $1, 0}}'"#);
    let produce = format!("kaw produce {topic} -K : -X batch.size=20000 {options}");
    kaw.sh(&format!("{lines} | {produce}")).run().ok();
}

/// By offset: key and value.
fn records(kaw: &Kaw, topic: &str, options: &str) -> Vec<(i64, String, String)> {
    let text = kaw.ok(&format!("consume -e {topic} -f '%o %k %s\\n' {options}"));
    let record = |line: &str| {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap();
        (word().parse().unwrap(), word(), word())
    };
    text.lines().map(record).collect()
}

fn last_of_each(records: &[(i64, String, String)]) -> BTreeMap<String, (i64, String)> {
    let placed = records.iter().map(|(offset, key, value)| (key.clone(), (*offset, value.clone())));
    placed.collect()
}

/// What the segments of a partition take.
pub fn bytes(kaw: &Kaw, partition: &str) -> u64 {
    logs(kaw, partition).iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum()
}

pub fn logs(kaw: &Kaw, partition: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(kaw.data().join(partition)).unwrap();
    let paths = entries.flatten().map(|entry| entry.path());
    let mut logs: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    logs.sort();
    logs
}

it!(of_each_key_the_last_record_stays, |kaw| {
    let broker = kaw.broker(EAGER);
    kaw.ok(&format!("topic create t {COMPACT} -p 1"));
    for codec in ["none", "zstd", "lz4", "snappy", "gzip"] {
        produce(kaw, "t", 1, 30_000, &format!("-z {codec}"));
    }
    produce(kaw, "t", 30_001, 60_000, "");
    until("few bytes", || (bytes(kaw, "t-0") < 2_500_000).then_some(()));
    let all = records(kaw, "t", "");
    assert!(all.len() < 25_000, "{}", all.len());
    assert!(all.is_sorted_by(|a, b| a.0 < b.0), "in order");
    let last = last_of_each(&all);
    assert_eq!(last.len(), 500);
    for (n, (key, (offset, value))) in last.iter().enumerate() {
        let number: i64 = value.split(' ').next().unwrap().parse().unwrap();
        assert!(59_500 < number && format!("k{}", number % 500) == *key, "{n}: {key} {value}");
        assert_eq!(*offset, 120_000 + number - 1, "offsets stay");
    }
    // In the middle of what is gone, reading goes on with what is there.
    let from = kaw.ok("consume -e t -o 1000 -c 1 -f '%o\\n'").trim().parse::<i64>().unwrap();
    // Compaction goes on meanwhile.
    let later = records(kaw, "t", "")[0].0;
    assert!((all[0].0..=later).contains(&from), "{from}, not in {}..={later}", all[0].0);
    // A key is what a compacted topic goes by.
    let refused = kaw.cmd("produce t").stdin("no key\n").run().code(1);
    assert!(refused.err().contains("key"), "{}", refused.err());
    let before = records(kaw, "t", "");
    broker.kill();
    let broker = kaw.broker("");
    let after = records(kaw, "t", "");
    let known: BTreeSet<_> = before.iter().collect();
    assert!(after.iter().all(|record| known.contains(record)), "nothing comes back");
    assert_eq!(last_of_each(&after), last_of_each(&before));
    broker.stop();
    let checkpoint = fs::read_to_string(kaw.data().join("cleaner-offset-checkpoint")).unwrap();
    assert!(checkpoint.starts_with("0\n1\nt 0 "), "{checkpoint}");
});

it!(a_broker_that_stays_shortly_compacts_when_it_leaves, |kaw| {
    let broker = kaw.broker("-c log.cleaner.backoff.ms=3600000");
    kaw.ok(&format!("topic create t {COMPACT} -p 1"));
    produce(kaw, "t", 1, 60_000, "");
    let before = records(kaw, "t", "");
    assert_eq!(before.len(), 60_000);
    broker.stop();
    let (after, broker) = (bytes(kaw, "t-0"), kaw.broker(""));
    assert!(after < 2_500_000, "{after}");
    assert_eq!(last_of_each(&records(kaw, "t", "")), last_of_each(&before));
    broker.stop();
});

it!(compaction_begins_and_ends_with_its_config, |kaw| {
    let broker = kaw.broker(EAGER);
    kaw.ok("topic create t -p 1 -c segment.bytes=1048576");
    produce(kaw, "t", 1, 40_000, "");
    let all = records(kaw, "t", "");
    kaw.ok(&format!("topic alter t {COMPACT}"));
    until("few bytes", || (bytes(kaw, "t-0") < 2_500_000).then_some(()));
    assert_eq!(last_of_each(&records(kaw, "t", "")), last_of_each(&all));
    kaw.ok("topic alter t -c cleanup.policy=delete");
    let left = records(kaw, "t", "").len();
    produce(kaw, "t", 1, 40_000, "");
    assert_eq!(records(kaw, "t", "").len(), left + 40_000);
    // Both: what is too much goes, whatever its key.
    kaw.ok("topic alter t -c cleanup.policy=compact,delete -c retention.bytes=1");
    broker.stop();
    let broker = kaw.broker("");
    assert!(records(kaw, "t", "").len() < 20_000);
    broker.stop();
});

it!(apache_and_kaw_read_what_the_other_compacted, |kaw| {
    let broker = kaw.broker(EAGER);
    for topic in ["ours", "theirs"] {
        kaw.ok(&format!("topic create {topic} {COMPACT} -p 1"));
    }
    for codec in ["none", "zstd", "lz4", "snappy", "gzip"] {
        produce(kaw, "ours", 1, 20_000, &format!("-z {codec}"));
    }
    kaw.cmd("produce ours -K : -Z").stdin("gone:\nk8:\n").run().ok();
    produce(kaw, "ours", 10, 20_000, "");
    kaw.cmd("produce ours -K : -Z").stdin("k7:\nk9:\n").run().ok();
    until("few bytes", || (bytes(kaw, "ours-0") < 2_500_000).then_some(()));
    let before = last_of_each(&records(kaw, "ours", ""));
    assert_eq!(before.len(), 501);
    broker.stop();
    dump(kaw, "ours-0");

    let settings =
        [format!("log.dirs={}", kaw.data().display()), "log.cleaner.backoff.ms=50".to_owned()];
    let Some(apache) = kaw.apache_with(&settings, "") else { return };
    let there = format!("-b {}", apache.address);
    assert_eq!(last_of_each(&records(kaw, "ours", &there)), before);
    produce(kaw, "theirs", 1, 60_000, &there);
    produce(kaw, "ours", 1, 30_000, &there);
    let all = ["ours", "theirs"].map(|topic| last_of_each(&records(kaw, topic, &there)));
    until("few bytes", || (bytes(kaw, "theirs-0") < 2_500_000).then_some(()));
    until("few bytes", || (bytes(kaw, "ours-0") < 2_500_000).then_some(()));
    apache.stop();

    let broker = kaw.broker(EAGER);
    for (topic, all) in ["ours", "theirs"].into_iter().zip(&all) {
        assert_eq!(&last_of_each(&records(kaw, topic, "")), all);
    }
    // And again, over what Apache left.
    produce(kaw, "theirs", 1, 30_000, "");
    let all = last_of_each(&records(kaw, "theirs", ""));
    until("few bytes", || (bytes(kaw, "theirs-0") < 2_500_000).then_some(()));
    assert_eq!(last_of_each(&records(kaw, "theirs", "")), all);
    broker.stop();
});

/// Apache's dump-log finds nothing wrong but the gaps that compaction makes.
fn dump(kaw: &Kaw, partition: &str) {
    let tool = "org.apache.kafka.tools.DumpLogSegments";
    let files: Vec<String> = logs(kaw, partition)
        .iter()
        .flat_map(|log| ["log", "index", "timeindex"].map(|kind| log.with_extension(kind)))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    let Some(tool) = kaw.apache_tool(tool) else { return };
    let tool = tool.args(["--deep-iteration", "--print-data-log", "--files", &files.join(",")]);
    let done = tool.within(Duration::from_secs(120)).run().ok();
    let text = done.out() + &done.err();
    let words = ["Exception", "ERROR", "isvalid: false", "invalid bytes", "ismatch", "timestamps"];
    let complaint = text.lines().find(|line| words.iter().any(|word| line.contains(word)));
    assert_eq!(complaint, None, "{} lines", text.lines().count());
    assert!(text.contains("deleteHorizonMs: OptionalLong["), "tombstones have a horizon");
}
