//! What the one did in a data directory, as the other finds it: kaw and Apache Kafka.

use std::fs;

use crate::apache::strays;
use crate::harness::{Kaw, until};
use crate::walls::apache;

const EAGER: &str = "-c log.retention.check.interval.ms=50";

/// The log of `aged` has four segments of ten records, the first three, two and one days old.
fn age(kaw: &Kaw, brokers: &str) {
    kaw.ok(&format!("topic create aged -c retention.ms=-1 -c segment.ms=3600000 -b {brokers}"));
    for time in ["-3d", "-2d", "-1d", "-0s"] {
        let lines = (0..10).map(|n| format!("{time} {n}\n")).collect::<String>();
        let line = format!("produce aged --timestamp={time} -b {brokers}");
        kaw.cmd(&line).stdin(lines).run().ok();
    }
}

fn start(kaw: &Kaw, brokers: &str) -> usize {
    let line = kaw.ok(&format!("topic offsets aged --no-headers -b {brokers}"));
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// The records from there on are there, and no others.
fn begins_at(kaw: &Kaw, want: usize, brokers: &str) {
    assert_eq!(start(kaw, brokers), want);
    let text = kaw.ok(&format!("consume -e aged -f %o\\n -b {brokers}"));
    let offsets: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(offsets, (want..40).collect::<Vec<_>>());
}

/// Lets go of what is older, which is all before `want`.
fn keep(kaw: &Kaw, hours: u32, want: usize, brokers: &str) {
    let ms = hours * 3_600_000;
    kaw.ok(&format!("topic alter aged -c retention.ms={ms} -b {brokers}"));
    until("retention", || (start(kaw, brokers) == want).then_some(()));
    begins_at(kaw, want, brokers);
}

it!(what_retention_removed_stays_removed_and_a_static_quorum_stays_one, |kaw| {
    let settings = ["controller.quorum.voters=1@127.0.0.1:{controller}", "log.dirs={data}"];
    let data = kaw.data();
    let mut settings = settings.map(|text| text.replace("{data}", data.to_str().unwrap())).to_vec();
    for eager in ["log.retention.check.interval.ms=50", "log.initial.task.delay.ms=50"] {
        settings.push(eager.to_owned());
    }
    let Some(theirs) = kaw.apache_with(&settings, "") else { return };
    age(kaw, &theirs.address);
    keep(kaw, 60, 10, &theirs.address);
    theirs.stop();
    let quorum_state = || fs::read_to_string(data.join("__cluster_metadata-0/quorum-state"));
    let before = quorum_state().unwrap();
    assert!(before.contains("\"data_version\":0"), "{before}");

    let ours = kaw.broker(EAGER);
    begins_at(kaw, 10, &ours.address);
    keep(kaw, 36, 20, &ours.address);
    kaw.ok(&format!("topic trim aged --to 25 -b {}", ours.address));
    begins_at(kaw, 25, &ours.address);
    ours.stop();
    assert_eq!(quorum_state().unwrap(), before);

    let Some(theirs) = apache(kaw) else { return };
    until("a leader", || {
        let line = format!("consume -e aged -b {}", theirs.address);
        (kaw.cmd(&line).run().code == 0).then_some(())
    });
    begins_at(kaw, 25, &theirs.address);
    keep(kaw, 12, 30, &theirs.address);
    theirs.kill(kaw);

    let ours = kaw.broker(EAGER);
    begins_at(kaw, 30, &ours.address);
    ours.stop();
    assert_eq!(strays(kaw), Vec::<std::path::PathBuf>::new());
});
