//! The benchmark measured by what is known beforehand: a relay delays, stalls, loses, doubles,
//! swaps and damages, and the report shows exactly that.

use std::time::Duration;

use serde_json::Value;

use crate::harness::relay::{Fault, Relayed};
use crate::harness::{Done, Kaw};

const WORKLOADS: [&str; 2] = ["produce -X linger.ms=0", "end-to-end"];

/// Runs a benchmark through a relay with this fault; what became of it.
fn through(kaw: &Kaw, workload: &str, load: &str, (fault, after): (Fault, u32)) -> (Done, u32) {
    let relayed = Relayed::start(kaw, fault, after);
    let line = format!("bench {workload} -b {} {load} --json", relayed.address);
    let done = kaw.cmd(&line).run();
    (done, relayed.hit())
}

fn result(done: &Done) -> Value {
    let document: Value =
        serde_json::from_str(&done.out()).unwrap_or_else(|error| panic!("{error}: {done}"));
    document["results"][0]["runs"][0].clone()
}

/// Each fault, under a load in which requests follow each other closely, is in the account with as
/// many records as the request had, and nothing else is.
#[track_caller]
fn check_account(kaw: &Kaw, fault: Fault, want: impl Fn(u32) -> [(&'static str, u32); 4]) {
    let paced = WORKLOADS.map(|workload| (workload, "--rate 1k/s --duration 1s --acks 1"));
    let pipe = ("pipe -X batch.num.messages=5", "--records 1000 --acks 1");
    for (workload, load) in paced.into_iter().chain([pipe]) {
        let (done, hit) = through(kaw, workload, load, (fault, 100));
        let result = result(&done);
        let said = done.fails(1);
        for (name, count) in want(hit) {
            assert_eq!(account(&result, name), count, "{workload}, {fault:?}: {result}");
            let is_said = said.contains(&format!("{count} {name}"));
            assert_eq!(is_said, 0 < count, "{said}");
        }
        assert_eq!(account(&result, "failed"), 0);
        assert_eq!(account(&result, "sent"), 1100);
    }
}

fn account(result: &Value, name: &str) -> u32 {
    let count = result["records"][name].as_u64().unwrap_or_else(|| panic!("{name} in {result}"));
    u32::try_from(count).unwrap()
}

fn counts(lost: u32, duplicated: u32, reordered: u32, corrupted: u32) -> [(&'static str, u32); 4] {
    [("lost", lost), ("duplicated", duplicated), ("reordered", reordered), ("corrupted", corrupted)]
}

it!(records_that_are_acknowledged_and_lost_are_counted, |kaw| {
    check_account(kaw, Fault::Lost, |hit| counts(hit, 0, 0, 0));
});

it!(records_that_come_twice_are_counted, |kaw| {
    check_account(kaw, Fault::Doubled, |hit| counts(0, hit, 0, 0));
});

it!(records_that_are_overtaken_are_counted, |kaw| {
    check_account(kaw, Fault::Swapped, |hit| counts(0, 0, hit, 0));
});

it!(a_record_that_changes_on_its_way_is_another_and_is_missing, |kaw| {
    check_account(kaw, Fault::Damaged, |_| counts(1, 0, 0, 1));
});

it!(answers_that_are_late_make_every_record_late, |kaw| {
    for workload in WORKLOADS {
        let late = Fault::Delayed(Duration::from_millis(30));
        let (done, _) = through(kaw, workload, "--rate 200/s --duration 1s", (late, 0));
        let result = result(&done.ok());
        let min = latency(&result, "min");
        assert!(Duration::from_millis(30) <= min, "{workload}: {result}");
        assert!(latency(&result, "p50") < Duration::from_millis(500), "{workload}: {result}");
    }
});

// Goal: a stall shows in every record that was due in it, not only in those under way.
// Method: 4,000 records at 1,000/s go through a relay that lets nothing pass for 200 ms. 200 of
// them are due in the stall, one after the other, and wait from 200 ms down to nothing. Above p99
// lie 40 records, above p99.9 four: those that waited 160 ms and 196 ms at least, and one waited
// all of it. Upper bounds are wide, since the machine may be busy, but half of all records know
// nothing of a stall.
it!(a_stall_is_in_the_percentiles_as_arithmetic_has_it, |kaw| {
    let (rate, records, stall) = (1000.0, 4000.0, 0.2);
    for workload in WORKLOADS {
        let fault = Fault::Stalled(Duration::from_secs_f64(stall));
        let load = format!("--rate {rate}/s --records {records}");
        let (done, _) = through(kaw, workload, &load, (fault, 1000));
        let result = result(&done.ok());
        for (name, part) in [("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
            let waited_longer: f64 = records * (1.0 - part);
            // One record for the first of the row, and what three digits of a histogram leave.
            let least = (stall - (waited_longer + 1.0) / rate) * 0.998;
            let got = latency(&result, name);
            assert!(Duration::from_secs_f64(least) <= got, "{workload} {name}: {result}");
            assert!(got < Duration::from_secs_f64(stall * 8.0), "{workload} {name}: {result}");
        }
        let half = latency(&result, "p50");
        assert!(half < Duration::from_secs_f64(stall / 2.0), "{workload}: {result}");
    }
});

fn latency(result: &Value, name: &str) -> Duration {
    let seconds = result["metrics"][name].as_f64();
    Duration::from_secs_f64(seconds.unwrap_or_else(|| panic!("{name} in {result}")))
}
