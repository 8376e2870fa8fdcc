//! How soon a record is on the screen of who waits for it. `--nocapture` shows the times.

use std::time::{Duration, Instant};

use crate::harness::Kaw;
use crate::harness::raw::{Raw, produce};

/// Every way of reading on.
const WAYS: &[&str] = &[
    "consume t",
    "consume t -u",
    "consume t -f '%p %o %s\\n'",
    "consume t -J",
    "consume t --where '.offset >= 0'",
    "consume t --select .value",
    "consume t --merge",
    "consume t --tail 1",
    "consume t -g readers",
    "consume -r '^t$'",
    "kcat -C -t t",
];

/// 50 ms are promised; a machine that is busy with other tests gets this.
const LATE: Duration = Duration::from_secs(1);
const RECORDS: usize = 20;

it!(a_record_is_shown_as_soon_as_it_is_there, |kaw| {
    let broker = kaw.broker("");
    let mut raw = Raw::open(&broker.address).unwrap();
    let mut send = |value: &str| {
        let answer = raw.call(&produce("t", -1, &[value.to_owned()]), 9).unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    };
    kaw.ok(&format!("-b {} topic create t", broker.address));
    for way in WAYS {
        let (program, rest) = way.split_once(' ').unwrap();
        check(kaw, &format!("{program} -b {} {rest}", broker.address), &mut send);
    }
});

it!(a_line_is_shown_as_soon_as_it_is_typed, |kaw| {
    kaw.ok("topic create t");
    let mut producer = kaw.cmd("produce t").stdin_open().start();
    check(kaw, "consume t", &mut |line| producer.write(format!("{line}\n")));
    producer.close_stdin();
    producer.done().ok();
});

/// Sends one record after the other has been shown, and looks how long each takes from when it
/// was sent.
#[track_caller]
fn check(kaw: &Kaw, reader: &str, send: &mut dyn FnMut(&str)) {
    let running = kaw.cmd(reader).start();
    let mut took = Vec::new();
    for number in 0..=RECORDS {
        let value = format!("{number} of {}", reader.replace(['\'', '\\'], ""));
        let sent = Instant::now();
        send(&value);
        running.until_out(&value);
        // The first waits for the reader to find its place.
        if 0 < number {
            took.push(sent.elapsed());
        }
    }
    took.sort();
    let (median, worst) = (took[RECORDS / 2], took[RECORDS - 1]);
    eprintln!("{reader}: median {median:.1?}, worst {worst:.1?}");
    assert!(worst < LATE, "{reader}: shown {worst:?} after it was sent");
}
