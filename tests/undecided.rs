//! Transactions that nobody ended, and what lies behind them.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, prlimit};

use crate::apache::strays;
use crate::harness::{Apache, Kaw, SmallDisk, until};
use crate::walls::apache;

const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// 300 records of a transaction whose producer dies, and one record behind them.
fn leave_open(kaw: &Kaw, apache: &Apache) {
    let brokers = &apache.address;
    kaw.ok(&format!("topic create otx -b {brokers}"));
    let line = format!("produce otx --transactional --transactional-id left -b {brokers}");
    let mut producer = kaw.cmd(&line).stdin_open().start();
    producer.write((0..300).map(|n| format!("{n}\n")).collect::<String>());
    let line = format!("consume -e otx --isolation uncommitted -b {brokers}");
    until("they are there", || (kaw.ok(&line).lines().count() == 300).then_some(()));
    producer.signal(Signal::KILL);
    producer.over();
    kaw.cmd(&format!("produce otx -b {brokers}")).stdin("behind\n").run().ok();
}

/// Whoever does not get to what lies behind it is told so, whichever way they read.
fn told_of_it(kaw: &Kaw, brokers: &str) {
    let held_back = "otx-0: an open transaction holds back offsets 0 to 300; ";
    let once = |line: &str, word: &str| {
        let done = kaw.cmd(&format!("{line} -b {brokers}")).run().ok();
        assert_eq!(done.err().matches(held_back).count(), 1, "{done}");
        done.says(&format!("{held_back}{word}"))
    };
    for how in ["", "-g readers", "--merge", "--tail 5", "-o 0"] {
        once(&format!("consume -e otx {how}"), "--isolation uncommitted reads them").prints("");
    }
    for how in ["-q", "--isolation uncommitted", "-o ..0"] {
        let done = kaw.cmd(&format!("consume -e otx {how} -b {brokers}")).run().ok();
        assert!(!done.err().contains("transaction"), "{how}: {done}");
    }
    let backup = once("backup copy otx -J", "they are not in the backup");
    assert!(backup.out().contains("\"held_back_offsets\":301"), "{backup}");
    kaw.cmd("log verify copy").run().ok().says("ends at offset 0 of 301");
    kaw.cmd(&format!("restore copy --dry-run --as again -b {brokers}"))
        .run()
        .ok()
        .says("otx-0 only up to offset 0 of 301");
}

/// What a Java consumer reads of what was committed.
fn java(kaw: &Kaw, brokers: &str, count: usize) -> String {
    let tool = kaw.apache_tool(CONSOLE_CONSUMER).expect("there is an Apache Kafka");
    let line = ["--bootstrap-server", brokers, "--topic", "otx", "--from-beginning"];
    let more = ["--isolation-level", "read_committed", "--timeout-ms", "20000"];
    let tool = tool.args(line).args(more).args(["--max-messages", &count.to_string()]);
    tool.within(Duration::from_secs(60)).run().ok().out()
}

it!(a_transaction_that_apache_kafka_left_open_holds_nothing_back_here, |kaw| {
    kaw.broker("").stop();
    let Some(theirs) = apache(kaw) else { return };
    leave_open(kaw, &theirs);
    told_of_it(kaw, &theirs.address);
    theirs.stop();
    let verify = format!("log verify {}", kaw.data().display());
    kaw.cmd(&verify).run().ok().says("has not ended its transaction from offset 0 on");

    let ours = kaw.broker("");
    kaw.cmd("produce otx").stdin("ours\n").run().ok();
    for _ in 0..2 {
        let done = kaw.cmd("consume -e otx").run().ok().prints("behind\nours\n");
        assert!(!done.err().contains("transaction"), "{done}");
    }
    let backup = kaw.cmd("backup copy otx -J").run().ok();
    assert!(backup.out().contains("\"held_back_offsets\":0"), "{backup}");
    assert_eq!(kaw.ok("consume -e otx --isolation uncommitted").lines().count(), 302);
    let told = ours.stop().err();
    let word = told.lines().find(|line| line.contains("aborted a transaction")).expect(&told);
    for part in ["otx-0", "transactional_id=\"left\"", "from=0", "marker=301"] {
        assert!(word.contains(part), "{word}");
    }
    let dir = kaw.data();
    let whole = kaw.cmd(&verify).run().ok();
    assert!(!whole.err().contains("ended"), "{whole}");
    let state = format!("log dump --records {}", dir.join("otx-0").display());
    assert_eq!(kaw.ok(&state).matches("\"type\":\"Abort\"").count(), 1, "{}", kaw.ok(&state));
    let ours = kaw.broker("");
    kaw.cmd("consume -e otx").run().ok().prints("behind\nours\n");
    let told = ours.stop().err();
    assert!(!told.contains("left open"), "{told}");

    // Its coordinator comes to an end with it, and has the id again for whoever wants it.
    let Some(theirs) = apache(kaw) else { return };
    let again =
        format!("produce otx --transactional --transactional-id left -b {}", theirs.address);
    kaw.cmd(&again).stdin("again\n").run().ok();
    assert_eq!(java(kaw, &theirs.address, 3), "behind\nours\nagain\n");
    theirs.stop();
    let ours = kaw.broker("");
    kaw.cmd("consume -e otx").run().ok().prints("behind\nours\nagain\n");
    ours.stop();
    kaw.ok(&verify);
    assert_eq!(strays(kaw), Vec::<std::path::PathBuf>::new());
});

/// What a file system gives a file at once.
const PAGE_BYTES: u64 = 4096;

/// One record more, after which the file that it is in takes nothing without a page more.
fn fill_page(kaw: &Kaw, brokers: &str) {
    let log = kaw.data().join("otx-0/00000000000000000000.log");
    // Of a batch and of its one record, whose length takes two bytes.
    let value =
        || (2 * PAGE_BYTES - (fs::metadata(&log).unwrap().len() + 61 + 9) % PAGE_BYTES) as usize;
    kaw.cmd(&format!("produce otx -b {brokers}")).stdin("x".repeat(value()) + "\n").run().ok();
    assert_eq!(fs::metadata(&log).unwrap().len() % PAGE_BYTES, 0);
}

// First no file may grow, so that not even the coordinator's books take that it is aborted; then
// they do, but the log itself has no room for the marker.
it!(a_transaction_that_the_disk_has_no_room_to_end_is_ended_when_it_has, |kaw| {
    kaw.broker("").stop();
    let Some(theirs) = apache(kaw) else { return };
    leave_open(kaw, &theirs);
    fill_page(kaw, &theirs.address);
    theirs.stop();
    let Some(disk) = SmallDisk::mount(kaw, 64) else { return };
    let data = disk.0.join("data");
    kaw.tool("cp").args(["-a", "--sparse=always"]).arg(kaw.data()).arg(&data).run().ok();

    let ours = kaw.broker_on(&data);
    let limit = |bytes| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(ours.pid()), Resource::Fsize, limit).unwrap();
    };
    limit(Some(0));
    let read = format!("consume -e otx -b {}", ours.address);
    let held_back = "otx-0: an open transaction holds back offsets 0 to 301";
    kaw.cmd(&read).run().ok().says(held_back).prints("");
    ours.running.until_err("cannot be ended yet");
    ours.running.until_err("File too large");
    let ballast = disk.0.join("ballast");
    let _ = fs::write(&ballast, vec![0; 64 << 20]);
    limit(None);
    ours.running.until_err("No space left on device");
    kaw.cmd(&read).run().ok().says(held_back).prints("");
    fs::remove_file(&ballast).unwrap();
    until("it is ended", || kaw.ok(&read).starts_with("behind\n").then_some(()));
    let told = ours.stop().err();
    assert_eq!(told.matches("aborted a transaction").count(), 1, "{told}");
    assert_eq!(told.matches("cannot be ended yet").count(), 2, "{told}");
    kaw.ok(&format!("log verify {}", data.display()));
    let dump = kaw.ok(&format!("log dump --records {}", data.join("otx-0").display()));
    assert_eq!(dump.matches("\"type\":\"Abort\"").count(), 1, "{dump}");
    let ours = kaw.broker_on(&data);
    assert!(kaw.ok(&format!("consume -e otx -b {}", ours.address)).starts_with("behind\n"));
    assert!(!ours.stop().err().contains("left open"));
});

it!(what_a_killed_apache_kafka_left_open_is_ended_as_well, |kaw| {
    kaw.broker("").stop();
    let Some(theirs) = apache(kaw) else { return };
    leave_open(kaw, &theirs);
    theirs.kill(kaw);
    let ours = kaw.broker("");
    kaw.cmd("consume -e otx").run().ok().prints("behind\n");
    ours.kill();
    let ours = kaw.broker("");
    kaw.cmd("consume -e otx").run().ok().prints("behind\n");
    let told = ours.stop().err();
    assert!(!told.contains("left open") && !told.contains("cannot be ended"), "{told}");
});
