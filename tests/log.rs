//! `kaw log`: what lies in a data directory is shown, checked and mended, ours and Apache Kafka's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apache::{DUMP_LOG, complains};
use crate::harness::{Kaw, found, until};

/// Small batches, so that indexes have entries and segments are rolled.
fn workload(kaw: &Kaw) {
    kaw.ok("topic create t -c segment.bytes=1048576");
    kaw.sh("seq -f %0300g 1 5000 | kaw produce t -X batch.num.messages=20").run().ok();
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        kaw.cmd(&format!("produce u -z {codec} -k key -H a=b -H null")).stdin("x\n\0\n").run().ok();
    }
    kaw.cmd("produce u -Z -K :").stdin("tombstone:\n:no key\n").run().ok();
    kaw.ok("consume u -g readers -c 3");
}

pub fn dir(kaw: &Kaw) -> String {
    kaw.data().display().to_string()
}

/// The first segment of a topic.
fn segment(kaw: &Kaw, suffix: &str) -> PathBuf {
    kaw.data().join("t-0").join(format!("00000000000000000000{suffix}"))
}

/// Where the segments of a log begin.
fn bases(dir: &Path) -> Vec<i64> {
    let names = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.file_name());
    let base = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".log")?.parse().ok();
    let mut bases: Vec<_> = names.filter_map(base).collect();
    bases.sort();
    bases
}

pub fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1;
    fs::write(path, bytes).unwrap();
}

it!(what_is_dumped_is_what_is_consumed, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    let consumed = kaw.ok("consume -e -J u");
    let dumped = kaw.ok(&format!("log dump --records -J {}/u-0", dir(kaw)));
    assert_eq!(dumped, consumed);
    broker.stop();
    // A record that is dumped can be produced again.
    kaw.sh(&format!("kaw log dump --records -J {}/u-0 | kaw produce again -J", dir(kaw)))
        .run()
        .ok();
    assert_eq!(kaw.ok("consume -e -J again").replace("\"again\"", "\"u\""), consumed);

    let batches = kaw.ok(&format!("log dump -J {}/t-0", dir(kaw)));
    let mut next = 0;
    for line in batches.lines() {
        let batch: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(batch["base_offset"], next, "{line}");
        next = batch["last_offset"].as_i64().unwrap() + 1;
    }
    assert_eq!(next, 5000);
    let plain = kaw.ok(&format!("log dump {}", segment(kaw, ".index").display()));
    assert_eq!(plain.lines().next().map(str::trim), Some("OFFSET    POSITION"));
    kaw.sh(&format!("kaw log dump {} | head -n 2", dir(kaw))).run().ok();
});

it!(records_of_kafkas_own_topics_are_decoded, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    broker.stop();
    let script = format!("kaw log dump --records -J {}/__consumer_offsets-*", dir(kaw));
    let groups = kaw.sh(&script).run().ok().out();
    let committed = r#""decoded":{"type":"OffsetCommit","key":{"group":"readers","topic":"u","#;
    assert!(groups.contains(committed), "{groups}");
    let catalogue = kaw.ok(&format!("log dump --records {}/__cluster_metadata-0", dir(kaw)));
    assert!(catalogue.contains(r#"{"type":"TopicRecord","value":{"name":"u","#), "{catalogue}");
    assert!(catalogue.contains(r#"{"type":"LeaderChange","value":{"leader":1,"#), "{catalogue}");
    assert!(!catalogue.contains("\"error\""), "{catalogue}");
});

it!(damage_is_found_mended_and_kept, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    let whole = kaw.ok("consume -e t");
    broker.stop();
    let verify = format!("log verify {}", dir(kaw));
    kaw.cmd(&verify).run().ok().prints("").says("no damage");

    let log = segment(kaw, ".log");
    let before = fs::metadata(&log).unwrap().len();
    flip(&log, 1000);
    flip(&segment(kaw, ".timeindex"), 3);
    let found = kaw.cmd(&verify).run().code(3).out();
    let lines: Vec<&str> = found.lines().collect();
    let [first, second, ..] = lines[..] else { panic!("{found}") };
    assert!(first.contains(".log: byte 0: offset 0: CRC mismatch: "), "{found}");
    assert!(second.contains(".timeindex: byte 0: offset "), "{found}");
    let json = kaw.cmd(&format!("{verify} -J")).run().code(3).out();
    assert!(json.lines().next().unwrap().contains(r#""byte":0,"offset":0,"damage":true,"#));

    let repair = format!("log repair {}", dir(kaw));
    let said = kaw.cmd(&repair).run().code(3).says("--yes does it");
    assert!(said.out().contains(".log: byte 0: cut "), "{said}");
    assert_eq!(kaw.cmd(&verify).run().code(3).out(), found);
    let done = kaw.cmd(&format!("{repair} --yes")).run().ok().says("no damage is left");
    assert_eq!(done.out(), said.out());
    kaw.cmd(&verify).run().ok();
    let kept = segment(kaw, ".log.damaged-0");
    assert_eq!(fs::metadata(kept).unwrap().len(), before);
    kaw.cmd(&repair).run().ok().prints("").says("nothing to mend");

    // What was in the damaged batch is gone, and nothing else.
    let left = kaw.ok("consume -e t");
    let lost = whole.lines().count() - left.lines().count();
    assert!((1..=20).contains(&lost), "{lost} lost");
    assert!(whole.ends_with(&left));
    kaw.cmd("produce t").stdin("new\n").run().ok();
    assert_eq!(kaw.ok("consume -e t --tail 1 -f '%o %s'"), "5000 new");
});

it!(what_a_log_lost_at_its_end_is_not_given_out_again_after_a_repair, |kaw| {
    let broker = kaw.broker("");
    for (topic, policy) in
        [("delete", "delete"), ("compact", "compact"), ("both", "compact,delete")]
    {
        kaw.ok(&format!("topic create {topic} -c cleanup.policy={policy}"));
        for n in 0..5 {
            kaw.cmd(&format!("produce {topic} -k {n}")).stdin("v\n").run().ok();
        }
    }
    broker.stop();
    let log = |topic: &str| kaw.data().join(format!("{topic}-0/00000000000000000000.log"));
    for topic in ["delete", "compact", "both"] {
        let bytes = fs::metadata(log(topic)).unwrap().len();
        let file = fs::OpenOptions::new().write(true).open(log(topic)).unwrap();
        file.set_len(bytes / 5 * 3 - 1).unwrap();
    }
    kaw.cmd(&format!("log repair --yes {}", dir(kaw))).run().ok().says("no damage is left");
    for topic in ["delete", "compact", "both"] {
        kaw.cmd(&format!("produce {topic} -k new")).stdin("new\n").run().ok();
        assert_eq!(kaw.ok(&format!("consume -e {topic} -f '%o '")), "0 1 5 ", "{topic}");
    }
});

it!(a_log_that_grows_is_never_called_damaged, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t -p 2 -c segment.bytes=1048576 -c retention.bytes=3000000");
    let script = "seq -f %0200g 1 400000 | kaw produce t -X batch.num.messages=50";
    let writer = kaw.sh(script).start();
    let log = segment(kaw, ".log");
    until("records", || fs::metadata(&log).ok().filter(|log| log.len() > 100_000));
    let verify = format!("log verify {}", dir(kaw));
    for _ in 0..15 {
        kaw.cmd(&verify).run().ok().prints("");
        kaw.cmd(&format!("log dump {}/t-0", dir(kaw))).run().ok();
    }
    writer.done().ok();
    broker.kill();
    kaw.cmd(&verify).run().ok();
});

it!(a_compacted_log_has_no_findings, |kaw| {
    let broker = kaw.broker("-c log.cleaner.backoff.ms=50");
    let settings = "-c cleanup.policy=compact -c min.cleanable.dirty.ratio=0.01";
    kaw.ok(&format!("topic create t {settings} -c segment.bytes=1048576"));
    let lines = "seq 1 60000 | awk '{ printf \"k%d:%060d\\n\", $1 % 500, $1 }'";
    kaw.sh(&format!("{lines} | kaw produce t -K : -X batch.size=20000")).run().ok();
    let log = segment(kaw, ".log");
    until("compaction", || fs::metadata(&log).ok().filter(|log| log.len() < 500_000));
    let verify = format!("log verify --records {}", dir(kaw));
    kaw.cmd(&verify).run().ok().prints("");
    broker.stop();
    kaw.cmd(&verify).run().ok().prints("");
});

it!(what_a_kill_left_half_written_is_no_damage, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    let before = kaw.ok("consume -e u");
    broker.kill();
    let log = kaw.data().join("u-0/00000000000000000000.log");
    let whole = fs::read(&log).unwrap();
    let batch = usize::try_from(u32::from_be_bytes(whole[8..12].try_into().unwrap())).unwrap() + 12;
    let verify = format!("log verify {}", dir(kaw));
    for (torn, is_damage) in [
        (&whole[..20], false),
        (&whole[..batch - 1], false),
        (&[0; 100][..], false),
        (b"what no broker writes, and no kill leaves, which is more than a header", true),
    ] {
        fs::write(&log, [&whole[..], torn].concat()).unwrap();
        let done = kaw.cmd(&verify).run().code(if is_damage { 3 } else { 0 });
        let told = format!(".log: byte {}: ", whole.len());
        assert!(done.out().contains(&told) == is_damage, "{done}");
        if !is_damage {
            let count = torn.len();
            let what = "bytes at the end were not complete when the broker was killed";
            done.says(&told).says(&format!("{count} {what}; the next start cuts them"));
            let repair = format!("log repair {}", dir(kaw));
            kaw.cmd(&repair).run().ok().prints("").says("nothing to mend");
        }
    }
    // A batch that was whole once.
    let harm: [fn(&mut Vec<u8>); 2] =
        [|bytes| *bytes.last_mut().unwrap() ^= 1, |bytes| bytes[8] ^= 1];
    let first = &whole[..batch];
    for harm in harm {
        let mut bytes = first.to_vec();
        harm(&mut bytes);
        fs::write(&log, bytes).unwrap();
        kaw.cmd(&verify).run().code(3);
    }
    fs::write(&log, [&whole[..], &whole[..20]].concat()).unwrap();
    assert_eq!(kaw.ok("consume -e u"), before);
    kaw.ok("broker stop");
    assert_eq!(fs::read(&log).unwrap(), whole);
    // What was durable is not cut without a word.
    fs::write(&log, &whole[..whole.len() - 1]).unwrap();
    kaw.cmd(&verify).run().code(3);
});

it!(a_file_that_cannot_be_read_is_no_damage_and_the_others_are_checked, |kaw| {
    let Some(strace) = found("strace") else { return };
    let broker = kaw.broker("");
    workload(kaw);
    broker.stop();
    let log = segment(kaw, ".log");
    for (fault, why) in
        [("openat:error=EACCES", "Permission denied"), ("pread64:error=EIO", "Input/output error")]
    {
        let run = |json: &str| {
            let traced = kaw.tool(strace.to_str().unwrap()).args(["-f", "-o", "/dev/null", "-P"]);
            let traced = traced.arg(&log).args(["-e", &format!("inject={fault}")]);
            let kaw_itself = [crate::harness::PROGRAM, "log", "verify", &dir(kaw)];
            traced.args(kaw_itself).args(json.split_whitespace()).run()
        };
        let told = format!("kaw: {}: cannot be read: {why}\n", log.display());
        let done = run("").code(1).prints("").says("no damage; 1 file could not be read");
        assert!(done.err().contains(&told), "{done}");
        assert!(run("-J").code(1).out().contains(r#""damage":null,"#));
        let other = kaw.data().join("u-0/00000000000000000000.log");
        flip(&other, 200);
        let done = run("").code(3);
        assert!(done.out().contains("u-0/") && !done.out().contains("t-0/"), "{done}");
        flip(&other, 200);
    }
});

it!(what_only_looks_writes_nothing, |kaw| {
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("a\n").run().ok();
    broker.stop();
    let names = || {
        let names = fs::read_dir(kaw.data()).unwrap().flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    fs::remove_file(kaw.data().join(".lock")).unwrap();
    let before = names();
    kaw.cmd(&format!("log verify {}", dir(kaw))).run().ok();
    kaw.cmd(&format!("log repair {}", dir(kaw))).run().ok().says("nothing to mend");
    assert_eq!(names(), before);
    let broker = kaw.broker("");
    let line = kaw.cmd(&format!("log repair {}", dir(kaw))).run().fails(1);
    assert!(line.contains(" is in use by kaw (pid "), "{line}");
    broker.stop();
});

it!(a_partition_that_is_gone_is_told_by_repair_which_cannot_mend_it, |kaw| {
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("a\n").run().ok();
    broker.stop();
    fs::remove_dir_all(kaw.data().join("t-0")).unwrap();
    for yes in ["", " --yes"] {
        let done = kaw.cmd(&format!("log repair {}{yes}", dir(kaw))).run().code(3);
        let gone = "t-0 reached offset 1, and has no directory any more\n";
        assert!(done.out().contains(gone), "{done}");
        done.says("has to be restored by hand");
    }
});

it!(segments_that_are_gone_are_named_until_that_is_accepted, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t -c segment.bytes=1048576");
    kaw.sh("seq -f %0300g 1 9000 | kaw produce t -X batch.num.messages=20").run().ok();
    broker.stop();
    let bases = bases(&kaw.data().join("t-0"));
    assert!(2 < bases.len(), "{bases:?}");
    let whole = kaw.path("whole");
    copy(&kaw.data(), &whole);
    for (from, to) in [(0, bases[1]), (bases[1], bases[2])] {
        fs::remove_dir_all(kaw.data()).unwrap();
        copy(&whole, &kaw.data());
        for kind in ["log", "index", "timeindex"] {
            fs::remove_file(kaw.data().join(format!("t-0/{from:020}.{kind}"))).unwrap();
        }
        let verify = format!("log verify {}", dir(kaw));
        let gone = format!("offsets {from} to {} ", to - 1);
        let found = kaw.cmd(&verify).run().code(3).out();
        assert!(found.contains(&gone), "{found}");
        for _ in 0..2 {
            let broker = kaw.broker("");
            assert_eq!(kaw.ok("consume t -e").lines().count() as i64, 9000 - (to - from));
            let status = kaw.ok("broker status");
            let said = format!("from={from} to={to}");
            assert!(status.contains("errors      1,") && status.contains(&said), "{status}");
            broker.stop();
            let found = kaw.cmd(&verify).run().code(3).out();
            assert!(found.contains(&gone), "{found}");
        }
        let mended = kaw.ok(&format!("log repair --yes {}", dir(kaw)));
        assert!(mended.contains(&gone), "{mended}");
        kaw.cmd(&verify).run().ok().prints("");
        let broker = kaw.broker("");
        assert_eq!(kaw.ok("consume t -e").lines().count() as i64, 9000 - (to - from));
        assert!(kaw.ok("broker status").contains("errors      -"));
        broker.stop();
    }
});

it!(nothing_is_mended_under_a_broker_or_of_a_newer_format, |kaw| {
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let repair = format!("log repair --yes {}", dir(kaw));
    let line = kaw.cmd(&repair).run().fails(1);
    assert!(line.contains(" is in use by kaw (pid "), "{line}");
    broker.stop();
    let door = kaw.data().join("door.json");
    let text = fs::read_to_string(&door).unwrap().replace("\"format\":1", "\"format\":2");
    fs::write(&door, text).unwrap();
    for command in ["repair", "verify"] {
        let line = kaw.cmd(&format!("log {command} {}", dir(kaw))).run().fails(1);
        assert!(line.contains("in format 2"), "{line}");
    }
    let line = kaw.cmd("log verify nowhere").run().fails(1);
    assert_eq!(line, "kaw: cannot read nowhere: No such file or directory");
    let line = kaw.cmd(&format!("log verify {}", segment(kaw, ".log").display())).run().fails(2);
    assert!(line.ends_with("is a file; name its directory"), "{line}");
});

it!(what_is_no_log_is_not_called_whole, |kaw| {
    kaw.sh("mkdir -p empty && mkdir -p other/dir && echo x > other/notes").run().ok();
    for dir in ["empty", "other", "/proc"] {
        for command in ["verify", "repair", "dump"] {
            let line = kaw.cmd(&format!("log {command} {dir}")).run().fails(1);
            let want = "is neither a data directory, nor a backup, nor a partition's directory";
            assert_eq!(line, format!("kaw: {dir} {want}"));
        }
    }
});

it!(a_broker_opens_what_was_mended, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    broker.stop();
    let whole = kaw.path("whole");
    copy(&kaw.data(), &whole);
    let outside = kaw.file("outside", "not ours");
    for (name, told) in [
        ("t-0/00000000000000000000.log", "cut"),
        ("t-0/00000000000000000000.log", "link"),
        ("t-0/00000000000000000000.index", "directory"),
        ("t-0/leader-epoch-checkpoint", "pipe"),
        ("t-0/partition.metadata", "empty"),
        ("u-0/kaw-checkpoint", "link"),
        ("recovery-point-offset-checkpoint", "cut"),
        ("replication-offset-checkpoint", "link"),
        (".kafka_cleanshutdown", "cut"),
        ("__cluster_metadata-0/00000000000000000000.index", "pipe"),
    ] {
        fs::remove_dir_all(kaw.data()).unwrap();
        copy(&whole, &kaw.data());
        damage(&kaw.data().join(name), told, &outside);
        let done = kaw.cmd(&format!("log verify {}", dir(kaw))).run().code(3);
        assert!(done.out().contains(name), "{name} {told}: {done}");
        kaw.cmd(&format!("log repair --yes {}", dir(kaw))).run().ok();
        kaw.cmd(&format!("log verify {}", dir(kaw))).run().ok();
        let broker = kaw.broker("");
        kaw.cmd("produce t").stdin("new\n").run().ok();
        assert_eq!(kaw.ok("consume -e t --tail 1 -f '%o %s'"), "5000 new", "{name} {told}");
        assert_eq!(kaw.ok("consume -e u").lines().count(), 10, "{name} {told}");
        broker.stop();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "not ours", "{name} {told}");
    }
});

fn damage(path: &Path, how: &str, outside: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    match how {
        "cut" => fs::write(path, &bytes[..bytes.len() - 3]).unwrap(),
        "empty" => fs::write(path, "").unwrap(),
        "directory" => fs::create_dir(path).unwrap(),
        "link" => std::os::unix::fs::symlink(outside, path).unwrap(),
        _ => rustix::fs::mkfifoat(rustix::fs::CWD, path, 0o600.into()).unwrap(),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}

/// Who sees it: Apache's tool and kaw, or kaw alone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Both,
    /// dump-log does not look there.
    ByKaw,
}

/// A file's suffix, what is done to its bytes, and who sees it.
type Harm = (&'static str, &'static str, fn(&mut Vec<u8>), Seen);

/// One of each kind of damage. Batches begin with: offset 8 bytes, length 4, leader epoch 4,
/// format 1, CRC 4.
const HARMS: &[Harm] = &[
    (".log", "a record's bit", |b| b[200] ^= 1, Seen::Both),
    (".log", "a bit of the CRC", |b| b[18] ^= 1, Seen::Both),
    (".log", "a bit of the length", |b| b[11] ^= 1, Seen::Both),
    (".log", "a high bit of the length", |b| b[8] ^= 0x80, Seen::Both),
    (".log", "a bit of the format", |b| b[16] ^= 4, Seen::ByKaw),
    (".log", "a bit of the base offset", |b| b[7] ^= 1, Seen::Both),
    (".log", "a bit of the leader epoch", |b| b[15] ^= 1, Seen::ByKaw),
    (".log", "the last byte", |b| _ = b.pop(), Seen::Both),
    (".log", "zeros at the end", |b| b.extend([0; 100]), Seen::Both),
    (".log", "all", |b| b.clear(), Seen::Both),
    (".index", "an offset", |b| b[3] ^= 1, Seen::Both),
    (".index", "a position", |b| b[7] ^= 1, Seen::Both),
    (".index", "half an entry", |b| b.truncate(b.len() - 4), Seen::ByKaw),
    (".timeindex", "a timestamp", |b| b[7] ^= 1, Seen::Both),
    (".timeindex", "an offset", |b| b[8] ^= 1, Seen::Both),
    (".timeindex", "its end", |b| b.truncate(b.len() - 12), Seen::ByKaw),
    (".snapshot", "a producer's bit", |b| b[30] ^= 1, Seen::Both),
    (".snapshot", "the version", |b| b[1] ^= 2, Seen::Both),
    (".snapshot", "all but the version", |b| b.truncate(2), Seen::Both),
];

it!(apaches_dump_log_and_verify_agree_on_every_kind_of_damage, |kaw| {
    let broker = kaw.broker("");
    workload(kaw);
    broker.stop();
    let whole = kaw.data().join("t-0");
    let Some(complaint) = dump_log(kaw, &whole) else { return };
    assert_eq!(complaint, None);
    kaw.cmd(&format!("log verify --records {}", whole.display())).run().ok();
    for (suffix, what, harm, seen) in HARMS {
        let copied = kaw.path("copy/t-0");
        let _ = fs::remove_dir_all(&copied);
        copy(&whole, &copied);
        let path = first(&copied, suffix);
        let mut bytes = fs::read(&path).unwrap();
        harm(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let done = kaw.cmd(&format!("log verify --records {}", copied.display())).run();
        assert_eq!(done.code, 3, "{what} of {suffix} is not seen: {done}");
        let theirs = dump_log(kaw, &copied).unwrap();
        let want = if theirs.is_some() { Seen::Both } else { Seen::ByKaw };
        assert_eq!(*seen, want, "{what} of {suffix}: dump-log says {theirs:?}, we {}", done.out());
    }
});

/// The first file of a kind.
fn first(dir: &Path, suffix: &str) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    files.sort();
    files.remove(0)
}

/// The first line in which Apache's dump-log complains of a partition's files.
fn dump_log(kaw: &Kaw, dir: &Path) -> Option<Option<String>> {
    let kinds = ["log", "index", "timeindex", "snapshot", "txnindex"];
    let files = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| kinds.iter().any(|kind| end == *kind)))
        .collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let tool = kaw.apache_tool(DUMP_LOG)?.args(["--deep-iteration", "--files", &names.join(",")]);
    let done = tool.within(Duration::from_secs(120)).run();
    let text = done.out() + &done.err();
    Some(text.lines().find(|line| complains(line)).map(str::to_owned))
}

it!(what_apache_kafka_wrote_has_no_findings, |kaw| {
    let Some(apache) = kaw.apache() else { return };
    let data = kaw.path("apache/data");
    let verify = format!("log verify --records {}", data.display());
    let b = format!("-b {}", apache.address);
    kaw.ok(&format!("topic create t -p 2 -c segment.bytes=1048576 {b}"));
    kaw.sh(&format!("seq -f %0300g 1 9000 | kaw produce t {b} -X batch.num.messages=20"))
        .run()
        .ok();
    kaw.cmd(&format!("produce tx --transactional {b}")).stdin("a\nb\n").run().ok();
    let bad = "{\"value\":\"a\"}\nbad\n";
    kaw.cmd(&format!("produce tx -J --transactional --transaction-records 1 {b}")).stdin(bad).run();
    let mut open = kaw.cmd(&format!("produce tx --transactional {b}")).stdin_open().start();
    open.write("1\n".repeat(1000));
    let all = || kaw.ok(&format!("consume -e tx --isolation uncommitted {b}"));
    until("records on their way", || (1000 < all().lines().count()).then_some(()));
    open.signal(rustix::process::Signal::INT);
    open.done().code(130);
    kaw.cmd(&format!("consume t -g readers -c 3 {b}")).run().ok();
    kaw.cmd(&verify).run().ok().prints("");
    apache.stop();
    kaw.cmd(&verify).run().ok().prints("");

    let dumped = |topic: &str| {
        let script = format!("kaw log dump --records -J {}/{topic}-*", data.display());
        let text = kaw.sh(&script).run().ok().out();
        assert!(!text.contains(r#""decoded":{"error""#), "{text}");
        text
    };
    let states = dumped("__transaction_state");
    assert!(states.contains(r#""decoded":{"type":"Transaction","#), "{states}");
    assert!(dumped("__consumer_offsets").contains(r#""type":"OffsetCommit""#));
    assert!(dumped("__cluster_metadata").contains(r#""type":"RegisterBrokerRecord""#));
    let markers = dumped("tx");
    for kind in ["Commit", "Abort"] {
        let marker = format!(r#""decoded":{{"type":"{kind}","value":{{"coordinator_epoch":"#);
        assert!(markers.contains(&marker), "{markers}");
    }
    // Without its index, aborted records would pass for committed ones.
    let index = first(&data.join("tx-0"), ".txnindex");
    let told = fs::read(&index).unwrap();
    flip(&index, 17);
    let found = kaw.cmd(&verify).run().code(3).out();
    assert!(found.contains(".txnindex: byte 0: offset "), "{found}");
    kaw.cmd(&format!("log repair --yes {}", data.display())).run().ok();
    assert_eq!(fs::read(&index).unwrap(), told, "made anew from the markers");
    kaw.cmd(&verify).run().ok();
});
