//! The running program under strace, which kills it at the N-th call of a kind, or lets that call
//! fail as on a full or a broken disk.
//! Never knows: what the client was told.

use std::fs;
use std::io::Write;

use super::traced::Traced;
use super::workload::{self, Loss};
use super::{check, number};
use crate::harness::raw::{Raw, produce, records};
use crate::harness::{Kaw, found};

const KILL: &str = "signal=SIGKILL";
const FULL: &str = "error=ENOSPC";
const BROKEN: &str = "error=EIO";

/// What changes files, or makes changes durable, and what becomes of it.
const CALLS: [(&str, &[&str]); 8] = [
    ("pwritev", &[KILL, FULL, BROKEN]),
    // Threads wake each other with it, too: that never fails.
    ("write", &[KILL]),
    ("ftruncate", &[KILL, FULL, BROKEN]),
    ("fdatasync", &[KILL, FULL, BROKEN]),
    ("fsync", &[KILL, FULL, BROKEN]),
    ("rename", &[KILL, FULL, BROKEN]),
    ("unlink", &[KILL, BROKEN]),
    ("mkdir", &[KILL, FULL, BROKEN]),
];

/// More calls of a kind than a thread makes.
const CALLS_MAX: usize = 500;

/// Of how many points every run of the tests looks at one.
const EACH: u64 = 12;

/// Kafka's number for KAFKA_STORAGE_ERROR.
const STORAGE_ERROR: i16 = 56;

it!(a_kill_or_a_failure_at_any_call_takes_nothing_that_was_acknowledged, |kaw| {
    if found("strace").is_none() {
        return;
    }
    // All of them: KAW_CRASH_EACH=1. strace counts calls by threads; the first to come so far is
    // the one that is hit.
    let each = number("KAW_CRASH_EACH", EACH) as usize;
    let (mut points, mut checked) = (0, 0);
    let kinds = CALLS.iter().flat_map(|(call, faults)| faults.iter().map(move |f| (call, f)));
    for (nth, (call, fault)) in kinds.enumerate() {
        for at in (1 + nth % each..CALLS_MAX).step_by(each) {
            let Some(found) = inject(kaw, call, fault, at) else { break };
            points += 1;
            checked += found;
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "calls that kill or fail: {points} points, {checked} acknowledged records found again"
    );
    assert!(20 < points, "too few points: {points}");
});

/// How many acknowledged records were found again; nothing if there is no such call.
fn inject(kaw: &Kaw, call: &str, fault: &str, at: usize) -> Option<u64> {
    let data = kaw.path("injected");
    let _ = fs::remove_dir_all(&data);
    fs::create_dir(&data).unwrap();
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{fault}:when={at}"));
    let broker = Traced::start(kaw, &data, &["-e", &trace, "-e", &inject]);
    let told = workload::run(&broker);
    let (trace, done) = broker.stop();
    if !(trace.contains("(INJECTED)") || fault == KILL && trace.contains("killed by SIGKILL")) {
        return None;
    }
    let context = format!("{call} {at}: {fault}, {done}");
    assert!(!done.err().contains("panicked"), "{context}");
    Some(check(kaw, &data, &told, usize::MAX - 1, Loss::None, &context))
}

it!(a_partition_whose_sync_failed_is_closed_for_writing_until_it_is_reopened, |kaw| {
    if found("strace").is_none() {
        return;
    }
    let data = kaw.data();
    let broker = kaw.broker_on(&data);
    let mut raw = Raw::open(&broker.address).unwrap();
    for topic in ["broken", "sound"] {
        kaw.ok(&format!("topic create -b {} {topic}", broker.address));
        assert_eq!(send(&mut raw, topic, -1, "durable"), 0);
    }
    broker.stop();
    let log = data.join("broken-0/00000000000000000000.log").display().to_string();
    let inject = ["-P", &log, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1"];
    let broker = Traced::start(kaw, &data, &inject);
    let mut raw = Raw::open(broker.address.as_ref().unwrap()).unwrap();
    let mut answer = |topic, acks, value| send(&mut raw, topic, acks, value);
    assert_eq!(answer("broken", -1, "fails"), STORAGE_ERROR);
    // What waits for no disk, too: what was written before may be gone any time.
    assert_eq!(answer("broken", 1, "refused"), STORAGE_ERROR);
    assert_eq!(answer("broken", -1, "refused"), STORAGE_ERROR);
    assert_eq!(answer("sound", -1, "taken"), 0);
    assert_eq!(records(&mut raw, "sound").unwrap()[1], (1, "taken".to_owned()));
    assert_eq!(records(&mut raw, "broken").unwrap()[0], (0, "durable".to_owned()));
    let (trace, done) = broker.stop();
    assert_eq!(trace.matches("(INJECTED)").count(), 1, "{trace}");
    done.code(1).says("cannot sync; not acknowledged topic=broken").says("broken-0 was not closed");

    let broker = kaw.broker_on(&data);
    let mut raw = Raw::open(&broker.address).unwrap();
    assert_eq!(send(&mut raw, "broken", -1, "again"), 0);
    let held = records(&mut raw, "broken").unwrap();
    let values: Vec<&str> = held.iter().map(|(_, value)| value.as_str()).collect();
    assert!(matches!(values[..], ["durable", "again"] | ["durable", "fails", "again"]), "{held:?}");
    broker.stop();
});

/// The error code that a record gets.
fn send(raw: &mut Raw, topic: &str, acks: i16, value: &str) -> i16 {
    let answer = raw.call(&produce(topic, acks, &[value.to_owned()]), 9).unwrap();
    answer.responses[0].partition_responses[0].error_code
}
