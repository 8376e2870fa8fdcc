//! What a topic keeps: `retention.*` and `segment.*`, changed while the broker runs.

use crate::compact::{bytes, logs};
use crate::harness::{Kaw, until};

const EAGER: &str = "-c log.retention.check.interval.ms=50";

/// The numbers `from..=to`, a hundred bytes each, in many batches.
fn produce(kaw: &Kaw, from: u32, to: u32) {
    let produce = "kaw produce t -X batch.size=20000";
    kaw.sh(&format!("seq -f %0100g {from} {to} | {produce}")).run().ok();
}

/// The first number that is there, and how many.
fn kept(kaw: &Kaw) -> (i64, usize) {
    let text = kaw.ok("consume -e t");
    let first = text.lines().next().map_or(0, |line| line.parse().unwrap());
    (first, text.lines().count())
}

it!(the_oldest_goes_when_there_is_too_much_or_it_is_too_old, |kaw| {
    let broker = kaw.broker(EAGER);
    kaw.ok("topic create t -p 1 -c segment.bytes=1048576");
    produce(kaw, 1, 50_000);
    assert_eq!(kept(kaw), (1, 50_000));
    kaw.ok("topic alter t -c retention.bytes=2000000");
    until("less", || (bytes(kaw, "t-0") < 3_100_000).then_some(()));
    let (first, count) = kept(kaw);
    assert!(10_000 < first && first + count as i64 == 50_001, "{first} {count}");
    kaw.ok("topic alter t --delete-config retention.bytes -c retention.ms=1");
    until("nothing", || (bytes(kaw, "t-0") == 0).then_some(()));
    kaw.ok("topic alter t -c retention.ms=-1");
    kaw.cmd("produce t --timestamp 1000000000000").stdin("7\n").run().ok();
    // As many looks as took all the others.
    produce(kaw, 1, 10_000);
    assert_eq!(kept(kaw), (7, 10_001));
    broker.stop();
    let broker = kaw.broker("");
    assert_eq!(kept(kaw), (7, 10_001));
    broker.stop();
});

it!(segments_end_by_the_settings_of_the_moment, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t -p 1");
    let at = |seconds: i64| {
        let line = format!("produce t --timestamp {}", 1_700_000_000_000 + seconds * 1000);
        kaw.cmd(&line).stdin("x\n").run().ok();
        logs(kaw, "t-0").len()
    };
    assert_eq!((at(0), at(50), at(3600)), (1, 1, 1));
    kaw.ok("topic alter t -c segment.ms=60000");
    assert_eq!((at(3601), at(3650), at(3662)), (2, 2, 3));
    kaw.ok("topic alter t -c segment.bytes=1048576 --delete-config segment.ms");
    produce(kaw, 1, 30_000);
    let count = logs(kaw, "t-0").len();
    assert!(3 + 2 < count, "{count}");
    kaw.ok("topic alter t --delete-config segment.bytes");
    produce(kaw, 1, 30_000);
    assert_eq!(logs(kaw, "t-0").len(), count);
    broker.stop();
});
