//! How often the disk is waited for, counted with strace.

use std::fs;
use std::path::Path;

use crate::harness::found;
use crate::harness::raw::{Raw, produce};

it!(a_warm_append_is_one_sync_and_the_first_at_most_five, |kaw| {
    if found("strace").is_none() {
        return;
    }
    let broker = kaw.broker("");
    let trace = kaw.path("trace");
    let attached = kaw
        .tool("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs,msync", "-o"])
        .arg(&trace)
        .args(["-p", &broker.pid().as_raw_nonzero().to_string()])
        .start();
    attached.until_err("attached");

    kaw.cmd(&format!("produce t -b {}", broker.address)).stdin("first\n").run().ok();
    let first = syncs(&trace);
    assert!((1..=5).contains(&first), "the first produce to a new topic: {first} syncs");

    let mut raw = Raw::open(&broker.address).unwrap();
    for append in 1..=10 {
        let answer = raw.call(&produce("t", -1, &["warm".to_owned()]), 9).unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        assert_eq!(syncs(&trace) - first, append, "syncs after {append} warm appends");
    }
    raw.call(&produce("t", 1, &["not awaited".to_owned()]), 9).unwrap();
    assert_eq!(syncs(&trace) - first, 10, "acks=1 waits for no disk");
});

/// strace writes a call's line before the call returns to the program.
fn syncs(trace: &Path) -> usize {
    let text = fs::read_to_string(trace).unwrap_or_default();
    text.lines().filter(|line| line.contains("sync") && !line.contains("resumed>")).count()
}
