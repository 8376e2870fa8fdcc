//! `kaw backup` and `kaw restore`: what comes back is what was there, or nothing does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Kaw, found, until};

/// What a topic holds: by partition, in their order, the records without their places.
pub fn records(kaw: &Kaw, topic: &str, options: &str) -> BTreeMap<u64, Vec<String>> {
    let text = kaw.ok(&format!("consume -e -J {topic} {options}"));
    let mut partitions: BTreeMap<u64, Vec<(i64, String)>> = BTreeMap::new();
    for line in text.lines() {
        let mut json: Value = serde_json::from_str(line).unwrap();
        let fields = json.as_object_mut().unwrap();
        for of_place in ["topic", "leader_epoch", "timestamp_type"] {
            fields.remove(of_place);
        }
        let offset = fields.remove("offset").and_then(|it| it.as_i64()).unwrap();
        let partition = json["partition"].as_u64().unwrap();
        partitions.entry(partition).or_default().push((offset, json.to_string()));
    }
    let sorted = |mut lines: Vec<(i64, String)>| {
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    };
    partitions.into_iter().map(|(partition, lines)| (partition, sorted(lines))).collect()
}

/// A bit of everything that a topic can hold.
fn fill(kaw: &Kaw) {
    kaw.ok("topic create mixed -p 3 -c retention.ms=-1 -c max.message.bytes=300000");
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = format!("produce mixed -z {codec} -H codec={codec} -H null -K :");
        kaw.cmd(&line).stdin("a:1\nb:\n:\u{fffd}\nno key\n").run().ok();
        kaw.sh(&format!("seq 1 5000 | kaw produce mixed -z {codec}")).run().ok();
    }
    kaw.cmd("produce mixed -Z -K : -p 2 --timestamp 1700000000000").stdin("k:\n:v\n").run().ok();
    kaw.ok("topic create stamped -c message.timestamp.type=LogAppendTime");
    kaw.cmd("produce stamped").stdin("x\ny\n").run().ok();
    kaw.ok("topic create kept -c cleanup.policy=compact");
    kaw.cmd("produce kept -Z -K :").stdin("a:1\na:2\nb:1\nb:\n").run().ok();
    kaw.ok("topic create empty -p 2");
}

/// One bit or byte less of a backup is found, whichever file it is of.
fn verify_finds_what_is_wrong(kaw: &Kaw) {
    let found = kaw.sh("find b -type f").run().ok().out();
    for name in found.lines() {
        let path = kaw.path(name);
        let good = std::fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        for bad in [&flipped, &good[..good.len() - 1]] {
            std::fs::write(&path, bad).unwrap();
            let found = kaw.cmd("log verify b").run().code(3).out();
            assert!(found.starts_with(&format!("{name}: byte ")), "{name}: {found}");
        }
        std::fs::remove_file(&path).unwrap();
        if !name.ends_with("manifest.json") {
            let found = kaw.cmd("log verify b").run().code(3).out();
            assert_eq!(found, format!("{name}: it is missing\n"));
        }
        std::fs::write(&path, good).unwrap();
    }
    kaw.cmd("log verify b").run().ok();
}

const TOPICS: [&str; 4] = ["empty", "kept", "mixed", "stamped"];

it!(what_was_backed_up_comes_back_with_settings_and_groups, |kaw| {
    fill(kaw);
    kaw.ok("consume mixed -g readers -c 700");
    kaw.ok("consume -e kept -g others");
    let said = kaw.cmd("backup b -J").run().ok();
    let said: Value = serde_json::from_str(&said.out()).unwrap();
    assert_eq!(said["topics"], 4);
    assert_eq!(said["partitions"], 7);
    assert_eq!(said["groups"], 2);
    kaw.sh("for dir in b/*-*; do kaw log verify $dir || exit 1; done").run().ok();
    kaw.cmd("log verify b --records").run().ok().says("read 7 partitions").says("no damage");
    verify_finds_what_is_wrong(kaw);
    kaw.cmd("restore b --as new-{}").run().ok().says("restored 4 topics, 7 partitions, 2 groups");
    for topic in TOPICS {
        let (was, is) = (records(kaw, topic, ""), records(kaw, &format!("new-{topic}"), ""));
        assert!(was == is, "{topic} differs");
        let settings = |name: &str| {
            let text = kaw.ok(&format!("topic describe {name} -J"));
            let json: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            json["configs"].to_string()
        };
        assert_eq!(settings(topic), settings(&format!("new-{topic}")));
    }
    let lags = kaw.ok("group describe readers others -J");
    let mut by_topic: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in lags.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        for offset in group["partitions"].as_array().into_iter().flatten() {
            let topic = offset["topic"].as_str().unwrap().trim_start_matches("new-").to_owned();
            let place = format!("{} {} {}", group["group"], offset["partition"], offset["lag"]);
            by_topic.entry(topic).or_default().push(place);
        }
    }
    assert_eq!(by_topic.len(), 2, "{lags}");
    for mut places in by_topic.into_values() {
        places.sort();
        assert!(1 < places.len() && places.chunks(2).all(|pair| pair[0] == pair[1]), "{lags}");
    }
});

it!(another_cluster_gets_what_the_first_one_had, |kaw| {
    fill(kaw);
    let before = TOPICS.map(|topic| records(kaw, topic, ""));
    kaw.ok("backup b");
    let other = kaw.path("other");
    let there = format!("--data-dir {}", other.display());
    kaw.ok(&format!("restore b {there}"));
    assert!(TOPICS.map(|topic| records(kaw, topic, &there)) == before);
    // The same command again has nothing to do, and does no harm.
    let again = kaw.cmd(&format!("restore b {there}")).run().ok();
    again.says("was there already: 4 topics, 7 partitions");
    assert!(TOPICS.map(|topic| records(kaw, topic, &there)) == before);
});

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

it!(a_second_backup_copies_what_grew_and_touches_nothing_else, |kaw| {
    kaw.sh("seq 1 50000 | kaw produce grows; seq 1 50000 | kaw produce stays").run().ok();
    kaw.ok("backup b");
    let [grows, stays] = ["grows", "stays"].map(|it| kaw.path(format!("b/{it}-0/{:020}.log", 0)));
    let (inode, bytes) = (fs::metadata(&grows).unwrap().ino(), fs::read(&grows).unwrap());
    let untouched = fs::metadata(&stays).unwrap().modified().unwrap();
    kaw.sh("seq 1 10 | kaw produce grows").run().ok();
    let said = kaw.cmd("backup b -J").run().ok();
    let said: Value = serde_json::from_str(&said.out()).unwrap();
    let now = fs::read(&grows).unwrap();
    assert!(now.starts_with(&bytes) && bytes.len() < now.len());
    assert_eq!(fs::metadata(&grows).unwrap().ino(), inode);
    assert_eq!(fs::metadata(&stays).unwrap().modified().unwrap(), untouched);
    assert_eq!(said["new_bytes"], now.len() - bytes.len());
    assert_eq!(said["new_records"], 10);
    // A copy whose files are second names of the same ones stays as it is.
    kaw.sh("cp -al b copy && seq 1 10 | kaw produce grows && kaw backup b").run().ok();
    assert_eq!(fs::read(&grows).unwrap(), now);
    kaw.ok("restore b grows --as new");
    kaw.ok("restore copy grows --as old");
    assert_eq!(records(kaw, "new", "")[&0].len(), 50_020);
    assert_eq!(records(kaw, "old", "")[&0].len(), 50_010);
    assert!(records(kaw, "grows", "") == records(kaw, "new", ""));
});

it!(a_backup_is_one_moment_of_topics_that_are_being_written, |kaw| {
    kaw.ok("topic create live -p 3");
    let mut produce = kaw.cmd("produce live -K :").stdin_open().start();
    let mut next = 0;
    let mut write = |count: u64| {
        let lines = (next..next + count).map(|n| format!("{}:{n}\n", n % 17));
        produce.write(lines.collect::<String>());
        next += count;
    };
    write(30_000);
    kaw.ok("consume live -g readers -c 20000");
    for round in 0..3 {
        write(60_000);
        let said = kaw.cmd("backup b live -J").run().ok();
        let said: Value = serde_json::from_str(&said.out()).unwrap();
        assert!(0 < said["new_records"].as_u64().unwrap(), "nothing was being written");
        kaw.ok(&format!("restore b --as then-{round} --no-groups"));
    }
    produce.close_stdin();
    produce.done().ok();
    let last = records(kaw, "live", "");
    for round in 0..3 {
        for (partition, then) in records(kaw, &format!("then-{round}"), "") {
            assert!(last[&partition].starts_with(&then), "round {round}, partition {partition}");
        }
    }
});

it!(whatever_is_damaged_is_named_and_nothing_is_restored, |kaw| {
    kaw.cmd("produce small -K :").stdin("a:1\nb:2\n").run().ok();
    kaw.ok("backup good");
    let log = format!("small-0/{:020}.log", 0);
    let damage = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        kaw.sh("rm -rf bad && cp -r good bad").run().ok();
        let path = kaw.path("bad").join(name);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let said = kaw.cmd("restore bad --as gone").run().fails(1);
        assert!(said.contains(&format!("bad/{name}")) && said.contains(" byte "), "{said}");
    };
    for name in [log.as_str(), "manifest.json"] {
        let bytes = size(&kaw.path("good").join(name)) as usize;
        for at in (0..bytes).step_by(13) {
            damage(name, &|bytes| bytes[at] ^= 1 << (at % 8));
            damage(name, &|bytes| bytes.truncate(at));
        }
    }
    kaw.sh(&format!("rm -rf bad && cp -r good bad && rm bad/{log}")).run().ok();
    let said = kaw.cmd("restore bad --as gone").run().fails(1);
    assert!(said.contains(&format!("bad/{log} is missing")), "{said}");
    // Nothing is built on it either.
    let said = kaw.cmd("backup bad").run().fails(1);
    assert!(said.contains(&format!("bad/{log} is missing")), "{said}");
    kaw.sh(&format!("mkdir bad/{log}")).run().ok();
    let said = kaw.cmd("restore bad --as gone").run().fails(1);
    assert!(said.contains(&format!("bad/{log}")), "{said}");
    assert_eq!(kaw.ok("topic list"), "small\n");
    kaw.cmd("restore good --dry-run").run().ok().prints("small: 1 partition, 79 B\n");
});

it!(a_backup_that_lost_its_manifest_is_not_written_over, |kaw| {
    kaw.sh("seq 1000 | kaw produce t").run().ok();
    kaw.ok("backup b");
    fs::remove_file(kaw.path("b/manifest.json")).unwrap();
    let log = kaw.path(format!("b/t-0/{:020}.log", 0));
    let before = fs::read(&log).unwrap();
    kaw.sh("kaw topic delete t && seq 9 | kaw produce t").run().ok();
    let said = kaw.cmd("backup b").run().fails(1);
    let want = "kaw: b/t-0 may be of a backup that lost its manifest.json, and is not written \
                over; name another directory";
    assert_eq!(said, want);
    assert_eq!(fs::read(&log).unwrap(), before);
    let said = kaw.cmd("restore b").run().fails(1);
    assert!(said.ends_with("; take another copy of it, or name another directory"), "{said}");
    let found = kaw.cmd("log verify b").run().code(3).out();
    assert!(found.starts_with("b/manifest.json: is missing, "), "{found}");
});

it!(a_first_backup_that_came_to_no_end_is_begun_again, |kaw| {
    let Some(strace) = found("strace") else { return };
    let broker = kaw.broker("");
    let address = format!("-b {}", broker.address);
    kaw.sh(&format!("seq 1000 | kaw produce t {address}")).run().ok();
    let killed = kaw.tool(strace.to_str().unwrap()).args(["-f", "-o", "/dev/null", "-e"]);
    let killed = killed.args(["inject=fdatasync:signal=SIGKILL", crate::harness::PROGRAM]);
    killed.args(["backup", "b", "-b", &broker.address]).run().code(137);
    assert!(kaw.path("b/t-0").exists() && !kaw.path("b/manifest.json").exists());
    let said = kaw.cmd("restore b").run().fails(1);
    assert!(said.ends_with("; `kaw backup b` makes one"), "{said}");
    kaw.ok(&format!("backup b {address}"));
    kaw.ok("log verify b");
    broker.stop();
});

it!(a_manifest_that_did_not_get_its_name_counts_and_half_a_one_is_not_written_over, |kaw| {
    kaw.sh("seq 1000 | kaw produce t").run().ok();
    kaw.ok("backup b");
    let (manifest, draft) = (kaw.path("b/manifest.json"), kaw.path("b/manifest.json.new"));
    fs::rename(&manifest, &draft).unwrap();
    kaw.ok("log verify b");
    kaw.cmd("restore b --as x").run().ok();
    kaw.sh("seq 9 | kaw produce t").run().ok();
    kaw.cmd("backup b t").run().ok().says("new: 9 records");
    assert!(manifest.exists() && !draft.exists());

    // A second backup was killed while it wrote it, and the first one's was lost later.
    fs::remove_file(&manifest).unwrap();
    for half in ["", "{\"kaw_backup\":1,"] {
        fs::write(&draft, half).unwrap();
        let said = kaw.cmd("backup b").run().fails(1);
        assert!(said.contains("may be of a backup that lost its manifest.json"), "{said}");
        assert!(kaw.path(format!("b/t-0/{:020}.log", 0)).exists());
        kaw.cmd("log verify b").run().code(3);
        let said = kaw.cmd("restore b").run().fails(1);
        assert!(said.ends_with("; take another copy of it, or name another directory"), "{said}");
    }
});

it!(one_damaged_batch_costs_a_backup_what_is_behind_it_and_no_other_partition, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t -p 2");
    for part in ["1 100", "101 200", "201 300"] {
        kaw.sh(&format!("seq {part} | kaw produce t -p 1")).run().ok();
    }
    kaw.sh("seq 50 | kaw produce t -p 0; seq 1000 | kaw produce u").run().ok();
    kaw.ok("consume t -c 350 -g readers");
    broker.stop();
    let log = kaw.data().join("t-1").join(format!("{:020}.log", 0));
    let mut bytes = fs::read(&log).unwrap();
    let second = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    bytes[second + 100] ^= 1;
    fs::write(&log, bytes).unwrap();

    let broker = kaw.broker("");
    let said = kaw.cmd("backup b -J").run().code(1);
    let want = "kaw: t-1 is in b only up to offset 100, where the cluster's log is damaged (CRC";
    let said = said.says(want).says("`kaw log repair` takes the damage out of it");
    assert!(said.out().contains(r#""damaged_partitions":1"#), "{said}");
    kaw.cmd("log verify b").run().ok().says("b/t-1: ends at offset 100, where the log was damaged");
    let want = "kaw: b has t-1 only up to offset 100, where the log that was saved was damaged";
    kaw.cmd("restore b --as x-{} --no-groups").run().code(1).says(want);
    kaw.cmd("restore b --as y-{} --dry-run").run().code(1).says(want);
    kaw.cmd("restore b u --as z --no-groups").run().ok();
    assert_eq!(kaw.ok("consume -e x-t").lines().count(), 150);
    assert_eq!(kaw.ok("consume -e x-u"), kaw.ok("consume -e u"));
    kaw.cmd("backup b t u").run().code(1).says("new: 0 records");
    broker.stop();

    kaw.ok(&format!("log repair --yes {}", kaw.data().display()));
    let broker = kaw.broker("");
    kaw.cmd("backup b t u").run().ok().says("new: 100 records");
    kaw.ok("log verify b");
    kaw.ok("restore b --as w-{} --no-groups");
    assert_eq!(records(kaw, "w-t", ""), records(kaw, "t", ""));
    broker.stop();
});

it!(a_first_backup_that_fails_leaves_nothing, |kaw| {
    let Some(strace) = found("strace") else { return };
    let broker = kaw.broker("");
    kaw.sh("seq 1000 | kaw produce t; seq 9 | kaw produce u").run().ok();
    for (dir, made) in [("new", false), ("made", true)] {
        if made {
            fs::create_dir(kaw.path(dir)).unwrap();
        }
        let path = format!("{dir}/u-0/{:020}.log", 0);
        let traced = kaw.tool(strace.to_str().unwrap()).args(["-f", "-o", "/dev/null", "-P"]);
        let traced = traced.arg(kaw.path(path));
        let traced = traced.args(["-e", "inject=write:error=ENOSPC", crate::harness::PROGRAM]);
        let done = traced.args(["backup", dir, "-b", &broker.address]).run().code(1);
        done.says("No space left on device");
        let left = fs::read_dir(kaw.path(dir)).map(|left| left.count());
        assert_eq!(left.ok(), made.then_some(0), "{dir}");
    }
    broker.stop();
});

it!(a_backup_does_not_grow_on_damage, |kaw| {
    kaw.sh("seq 1000 | kaw produce t").run().ok();
    kaw.ok("backup b");
    let log = kaw.path(format!("b/t-0/{:020}.log", 0));
    let good = fs::read(&log).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&log, &bad).unwrap();
    kaw.sh("seq 9 | kaw produce t").run().ok();
    let said = kaw.cmd("backup b").run().fails(1);
    assert!(said.contains(".log is damaged between byte 0 and"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), bad);
    fs::write(&log, good).unwrap();
    kaw.ok("backup b");
    kaw.ok("log verify b");
});

it!(a_backup_leaves_data_directories_alone_and_nothing_empty, |kaw| {
    let broker = kaw.broker("");
    kaw.sh("seq 9 | kaw produce t").run().ok();
    std::os::unix::fs::symlink(kaw.data(), kaw.path("link")).unwrap();
    for dir in ["link/bk", "link/t-0/bk/deep", "link/t-0"] {
        let said = kaw.cmd(&format!("backup {dir}")).run().fails(1);
        let want = format!("kaw: {dir} is inside a broker's data directory, ");
        assert!(said.starts_with(&want), "{said}");
    }
    assert!(!kaw.data().join("bk").exists());
    kaw.cmd("backup empty no-such-topic").run().fails(1);
    kaw.cmd("backup empty -b 127.0.0.1:1").run().code(1);
    assert!(!kaw.path("empty").exists());
    assert_eq!(kaw.cmd("broker properties").run().ok().err(), "");
    fs::create_dir(kaw.data().join("lost+found")).unwrap();
    let said = kaw.cmd("broker properties").run().ok();
    said.says("lost+found is no partition's directory, and Apache Kafka does not start with it");
    broker.stop();
});

it!(what_is_no_file_in_a_backup_is_named, |kaw| {
    kaw.sh("seq 9 | kaw produce t; seq 9 | kaw produce u").run().ok();
    kaw.ok("backup b");
    let logs = ["t", "u"].map(|topic| format!("b/{topic}-0/{:020}.log", 0));
    let [pipe, circle] = [&logs[0], &logs[1]].map(|name| kaw.path(name));
    fs::remove_file(&pipe).unwrap();
    fs::remove_file(&circle).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let want = logs.map(|name| format!("{name}: is no regular file\n")).concat();
    kaw.cmd("log verify b").run().code(3).prints(&want);
});

it!(a_backup_that_is_killed_anywhere_leaves_the_old_one_or_the_new, |kaw| {
    let Some(strace) = found("strace") else { return };
    let broker = kaw.broker("");
    let address = format!("-b {}", broker.address);
    kaw.sh(&format!("seq 1 1000 | kaw produce t {address}")).run().ok();
    kaw.ok(&format!("backup old {address}"));
    kaw.sh(&format!("seq 1 1000 | kaw produce t {address}; seq 9 | kaw produce u {address}"))
        .run()
        .ok();
    let count = |dir: &str| kaw.ok(&format!("restore {dir} --as x-{{}} --dry-run {address}"));
    let old = count("old");
    kaw.sh(&format!("cp -r old new && kaw backup new {address}")).run().ok();
    let new = count("new");
    assert!(old != new);
    let (mut deaths, mut olds) = (0, 0);
    for call in ["fdatasync", "fsync", "ftruncate", "mkdir", "rename"] {
        for number in 1.. {
            kaw.sh("rm -rf b && cp -r old b").run().ok();
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let program = crate::harness::PROGRAM;
            let killed = kaw.tool(strace.to_str().unwrap());
            let killed = killed.args(["-f", "-o", "/dev/null", "-e", &inject, program, "backup"]);
            let done = killed.args(["b", "-b", &broker.address]).run();
            if done.code == 0 {
                break;
            }
            assert_eq!(done.code, 137, "{done}");
            let left = count("b");
            assert!(left == old || left == new, "{call} {number}: {left}");
            (deaths, olds) = (deaths + 1, olds + u32::from(left == old));
            kaw.ok(&format!("backup b {address}"));
            assert_eq!(count("b"), new, "{call} {number}");
        }
    }
    assert!(5 < deaths && 0 < olds && olds < deaths, "{deaths} deaths, {olds} old");
    broker.stop();
});

it!(a_full_disk_leaves_the_backup_that_was_there, |kaw| {
    let Some(strace) = found("strace") else { return };
    let broker = kaw.broker("");
    let address = format!("-b {}", broker.address);
    kaw.sh(&format!("seq 1 1000 | kaw produce t {address}")).run().ok();
    kaw.ok(&format!("backup b {address}"));
    let there = || kaw.ok(&format!("restore b --as x --dry-run {address}"));
    let before = there();
    kaw.sh(&format!("seq 1 1000 | kaw produce t {address}")).run().ok();
    let log = format!("b/t-0/{:020}.log", 0);
    for path in [log.as_str(), "b/manifest.json.new"] {
        let strace = kaw.tool(strace.to_str().unwrap()).args(["-f", "-o", "/dev/null", "-P"]);
        let strace = strace.arg(kaw.path(path));
        let strace = strace.args(["-e", "inject=write:error=ENOSPC", crate::harness::PROGRAM]);
        let done = strace.args(["backup", "b", "-b", &broker.address]).run().code(1);
        // Before it, strace says which file it watches.
        let want = format!("kaw: cannot write {path}: No space left on device\n");
        assert!(done.err().ends_with(&want), "{done}");
        assert_eq!(there(), before);
    }
    kaw.ok(&format!("backup b {address}"));
    assert!(there() != before);
    broker.stop();
});

it!(a_restore_that_is_killed_goes_on_with_the_same_command, |kaw| {
    kaw.ok("topic create big -p 2 -c retention.ms=86400000");
    kaw.sh("seq -f %0500g 1 200000 | kaw produce big").run().ok();
    kaw.ok("consume big -g readers -c 70000");
    kaw.ok("backup b");
    let log = kaw.data().join(format!("new-0/{:020}.log", 0));
    for (signal, code) in [(Signal::INT, 130), (Signal::KILL, 137)] {
        let before = size(&log);
        let mut restore = kaw.cmd("restore b --as new").start();
        restore.runs_until("more of it", || (before < size(&log)).then_some(()));
        restore.signal(signal);
        let done = restore.done().code(code);
        assert!(code == 137 || done.err().contains("the same command again goes on"), "{done}");
    }
    let then = records(kaw, "new", "");
    assert!(then.values().map(Vec::len).sum::<usize>() < 200_000, "it was done already");
    // Another backup is not taken for this one.
    kaw.sh("seq -f %0400g 1 100000 | kaw produce other -K 9").run().ok();
    kaw.sh("kaw topic alter other -p 2 && kaw backup c other").run().ok();
    let said = kaw.cmd("restore c --as new").run().fails(1);
    assert!(said.contains("holds other records already; restore --as another name"), "{said}");
    kaw.ok("restore b --as new");
    assert!(records(kaw, "big", "") == records(kaw, "new", ""));
    let settings = kaw.ok("topic describe new");
    assert!(settings.contains("86400000") && !settings.contains("compression"), "{settings}");
    let lags = kaw.ok("group describe readers --no-headers");
    let lags: Vec<&str> = lags.lines().filter(|line| line.contains(" big ")).collect();
    assert_eq!(lags.len(), 2);
});

it!(records_of_others_are_never_mixed_with_those_of_a_backup, |kaw| {
    kaw.cmd("produce t").stdin("a\nb\n").run().ok();
    kaw.cmd("produce u").stdin("a\n").run().ok();
    kaw.ok("topic alter u -c cleanup.policy=compact");
    kaw.ok("backup b");
    kaw.cmd("produce t").stdin("c\n").run().ok();
    let said = kaw.cmd("restore b").run().fails(1);
    let want = "kaw: topic 't' holds other records already; restore --as another name, or make \
                room with `kaw topic delete t`";
    assert_eq!(said, want);
    // Not even the settings of the others were touched.
    assert!(kaw.ok("topic describe u").contains("compact"));
    assert_eq!(kaw.ok("consume -e t"), "a\nb\nc\n");
    kaw.ok("topic delete t");
    kaw.ok("restore b t");
    assert_eq!(kaw.ok("consume -e t"), "a\nb\n");
    // What was made anew is another topic.
    let said = kaw.cmd("backup b").run().fails(1);
    assert!(said.contains("topic 't' was deleted and made anew since the last backup"), "{said}");
});

it!(a_backup_is_not_gone_on_with_where_the_cluster_lost_what_it_has, |kaw| {
    let broker = kaw.broker("");
    for _ in 0..3 {
        kaw.cmd("produce t").stdin("a\nb\n").run().ok();
    }
    kaw.ok("backup b");
    broker.kill();
    let log = kaw.data().join(format!("t-0/{:020}.log", 0));
    let bytes = size(&log);
    fs::File::options().write(true).open(&log).unwrap().set_len(bytes - 1).unwrap();
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("other\nrecords\nthere\n").run().ok();
    kaw.cmd("produce u").stdin("a\n").run().ok();
    let want = "kaw: the cluster lost records of t-0 that b has (up to 6, there up to 4): they \
                stay there, and nothing new of it is saved; name another directory for that\n";
    for _ in 0..2 {
        // All others are saved.
        let done = kaw.cmd("backup b").run().code(1);
        assert!(done.err().starts_with(want), "{done}");
        kaw.ok("restore b u --as other --dry-run");
    }
    let want = "b has t-0 only up to offset 6, as it was saved before the cluster lost it from";
    kaw.cmd("restore b t --as kept").run().code(1).says(want);
    assert_eq!(kaw.ok("consume -e kept"), "a\nb\n".repeat(3));
    broker.stop();
});

it!(a_topic_that_is_made_anew_meanwhile_is_not_mixed_with_the_old_one, |kaw| {
    let Some(strace) = found("strace") else { return };
    let broker = kaw.broker("");
    kaw.ok("topic create t");
    kaw.cmd("produce t").stdin("some\nold\nrecords\n").run().ok();
    // A disk that takes its time to sync what was copied.
    let slow = kaw.tool(strace.to_str().unwrap()).args(["-f", "-o", "/dev/null"]);
    let slow = slow.args(["-e", "inject=fsync,fdatasync:delay_enter=1500000"]);
    let slow = slow.args([crate::harness::PROGRAM, "backup", "b", "-b", &broker.address]);
    let mut backup = slow.start();
    let copied = kaw.path("b/t-0/00000000000000000000.log");
    backup.runs_until("it has copied", || (0 < copied.metadata().ok()?.len()).then_some(()));
    kaw.ok("topic delete t");
    kaw.ok("topic create t");
    kaw.cmd("produce t").stdin("others\n").run().ok();
    let said = backup.done().fails(1);
    assert!(said.contains("topic 't' was deleted or made anew"), "{said}");
    kaw.ok("backup b");
    kaw.ok("restore b --as kept");
    assert_eq!(kaw.ok("consume -e kept"), "others\n");
    broker.stop();
});

it!(the_log_before_a_time_is_restored, |kaw| {
    kaw.ok("topic create t -c retention.ms=-1");
    let line = |n: u64| format!("{{\"value\":\"{n}\",\"timestamp\":17000000{n:02}000}}\n");
    kaw.cmd("produce t -J").stdin((10..20).map(line).collect::<String>()).run().ok();
    kaw.ok("consume t -g readers -c 8");
    kaw.ok("backup b");
    kaw.ok("restore b --until 1700000015 --as then");
    assert_eq!(kaw.ok("consume -e then"), "10\n11\n12\n13\n14\n");
    let warned = kaw.cmd("restore b --as old -c retention.ms=3600000 --no-groups").run().ok();
    warned.says("'old' has records that are older than its retention.ms=3600000, which will");
    let lags = kaw.ok("group describe readers --no-headers");
    let then: Vec<&str> = lags.lines().filter(|line| line.contains(" then ")).collect();
    assert!(then.len() == 1 && then[0].split_whitespace().nth(3) == Some("5"), "{lags}");
});

it!(what_cannot_be_meant_is_said_before_anything_is_done, |kaw| {
    kaw.sh("seq 3 | kaw produce t && seq 3 | kaw produce u").run().ok();
    kaw.ok("backup b");
    let check = |line: &str, code: i32, want: &str| {
        let said = kaw.cmd(line).run().fails(code);
        assert!(said.contains(want), "{line}: {said}");
    };
    check("restore b --as new", 2, "--as new is one name for several topics; write {}");
    check("restore b t --as a/b", 2, "a/b");
    check("restore b --until soon", 2, "--until: 'soon' is not a time");
    check("restore b tt", 1, "b has no topic 'tt'");
    check("restore b -r ^x", 1, "^x");
    check("restore nothing", 1, "nothing");
    check("restore b -c no.such.config=1 --as {}-2 --dry-run", 1, "no.such.config");
    check("backup c no-such-topic", 1, "no-such-topic");
    check("backup c __consumer_offsets", 2, "is the brokers' own");
    kaw.sh("mkdir -p mine && echo precious > mine/notes").run().ok();
    check("backup mine", 1, "mine/notes is no part of a backup");
    check("restore mine", 1, "mine holds no whole backup");
    kaw.ok("broker stop");
    check(&format!("backup {}", kaw.data().display()), 1, "is no part of a backup");
});

fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    let dirs = entries.filter(|path| path.is_dir());
    dirs.flat_map(|dir| fs::read_dir(dir).unwrap().flatten().map(|it| it.path())).collect()
}

it!(an_apache_kafka_is_backed_up_and_restored_to, |kaw| {
    let settings = ["log.cleaner.backoff.ms=50", "log.initial.task.delay.ms=100"];
    let data = format!("log.dirs={}", kaw.path("apache/data").display());
    let settings: Vec<_> = settings.into_iter().map(str::to_owned).chain([data]).collect();
    let Some(apache) = kaw.apache_with(&settings, "") else { return };
    let address = format!("-b {}", apache.address);
    let ok = |line: &str| kaw.ok(&format!("{line} {address}"));
    let put = |line: &str, input: &str| kaw.cmd(&format!("{line} {address}")).stdin(input).run();
    // Committed, aborted, committed; and one that is open.
    let lines = |n: std::ops::Range<u32>| n.map(|n| format!("{n}\n")).collect::<String>();
    put("produce tx --transactional", &lines(0..1000)).ok();
    let aborted = "{\"value\":\"no\"}\n".repeat(500) + "bad\n";
    put("produce tx -J --transactional", &aborted).code(1);
    put("produce tx --transactional", &lines(1000..2000)).ok();
    let mut open = kaw.cmd(&format!("produce tx --transactional {address}")).stdin_open().start();
    open.write(lines(2000..2100));
    let all = || ok("consume -e tx --isolation uncommitted").lines().count();
    until("an open transaction", || (2500 < all()).then_some(()));
    // Compacted, with gaps.
    ok("topic create kept -c cleanup.policy=compact -c min.cleanable.dirty.ratio=0 \
        -c segment.bytes=1048576 -c segment.ms=100 -c delete.retention.ms=0");
    let keyed: String = (0..2000).map(|n| format!("{}:{n}\n", n % 100)).collect();
    put("produce kept -K :", &keyed).ok();
    put("produce kept -K :", "last:1\n").ok();
    until("compaction", || {
        put("produce kept -K :", "last:1\n").ok();
        (ok("consume -e kept").lines().count() < 1000).then_some(())
    });
    ok("consume kept -g readers -c 40");
    ok("consume tx -g readers -c 1500");
    let said = kaw.cmd(&format!("backup b {address}")).run().ok();
    let files: Vec<_> = logs(&kaw.path("b")).iter().map(|it| it.display().to_string()).collect();
    open.signal(Signal::KILL);
    open.done();

    // Into the built-in broker, and into Apache Kafka itself.
    kaw.ok("restore b");
    ok("restore b --as again-{}");
    for topic in ["tx", "kept"] {
        let was = records(kaw, topic, &address);
        assert!(was == records(kaw, topic, ""), "{topic}: {said}");
        assert!(was == records(kaw, &format!("again-{topic}"), &address), "{topic}");
        let next = |topic: &str, options: &str| {
            kaw.ok(&format!("consume {topic} -g readers -c 1 -f '%s %k' --no-commit {options}"))
        };
        assert_eq!(next(topic, &address), next(topic, ""), "{topic}");
        assert_eq!(next(topic, &address), next(&format!("again-{topic}"), &address), "{topic}");
    }
    // From the built-in broker to Apache.
    kaw.ok("topic delete tx kept");
    fill(kaw);
    kaw.ok("backup ours mixed stamped kept");
    ok("restore ours --as ours-{}");
    for topic in ["mixed", "stamped"] {
        assert!(records(kaw, topic, "") == records(kaw, &format!("ours-{topic}"), &address));
    }
    // Apache's own tool reads the files.
    let tool = kaw.apache_tool("org.apache.kafka.tools.DumpLogSegments").unwrap();
    let tool = tool.args(["--deep-iteration", "--files", &files.join(",")]);
    let done = tool.within(Duration::from_secs(120)).run().ok();
    let text = done.out() + &done.err();
    assert!(text.contains("baseOffset: 0") && !text.contains("isvalid: false"), "{text}");
    apache.stop();
});
