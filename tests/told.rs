//! What whoever starts the built-in broker hears of what that finds.

use std::fs;

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
