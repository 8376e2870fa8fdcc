//! What the one did in a data directory, as the other finds it: kaw and Apache Kafka.

use std::fs;

use crate::apache::strays;
use crate::harness::{Kaw, found, until};
use crate::walls::{apache, properties};

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

// It was killed while it put the new segment in the place of the first three: of the second, the
// log is gone by its name, and the index is not.
it!(a_compaction_that_apache_kafka_did_not_finish_is_finished, |kaw| {
    if found("strace").is_none() {
        return;
    }
    let ours = kaw.broker("-c log.cleaner.enable=false");
    kaw.ok("topic create squeezed -c cleanup.policy=compact -c segment.ms=3600000 \
            -c min.cleanable.dirty.ratio=0.01");
    for hours in [8, 6, 4, 2] {
        let lines = (0..50).map(|key| format!("k{key}:{hours}\n")).collect::<String>();
        kaw.cmd(&format!("produce squeezed -K : --timestamp=-{hours}h")).stdin(lines).run().ok();
    }
    let whole = kaw.ok("consume -e squeezed -K :");
    ours.stop();
    let dir = kaw.data().join("squeezed-0");
    let names = || fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = || names().map(|name| name.into_string().unwrap()).collect::<Vec<_>>();
    let mut renamed = String::new();
    for name in names().into_iter().filter(|name| name.starts_with("000")) {
        for end in ["", ".cleaned", ".swap"] {
            renamed += &format!(" -P {}/{name}{end}", dir.display());
        }
    }
    let kill = "-e trace=rename -e inject=rename:signal=SIGKILL:when=8";
    let strace = format!("strace -f -qq -o /dev/null{renamed} {kill}");
    if kaw.apache_under(&strace, &properties(kaw)).is_none() {
        return;
    }
    let staged = names();
    let has = |name: &str| staged.iter().any(|staged| staged == name);
    assert!(has("00000000000000000000.log.swap"), "{staged:?}");
    assert!(has("00000000000000000050.log.deleted"), "{staged:?}");
    assert!(has("00000000000000000050.index"), "{staged:?}");

    let ours = kaw.broker("-c log.cleaner.enable=false");
    let left: Vec<&str> = whole.lines().skip(100).collect();
    assert_eq!(kaw.ok("consume -e squeezed -K :").lines().collect::<Vec<_>>(), left);
    ours.stop();
    let gone = |name: &String| name.ends_with(".swap") || name.starts_with("00000000000000000050");
    assert_eq!(names().into_iter().find(gone), None);
    kaw.ok(&format!("log verify {}", kaw.data().display()));
});

// Apache Kafka recovers first what has no offset index, and lets the epoch begin there.
it!(an_epoch_begins_for_apache_kafka_where_a_killed_broker_began_it, |kaw| {
    let Some(theirs) = kaw.apache_on(&kaw.data()) else { return };
    let to = format!("-b {}", theirs.address);
    kaw.ok(&format!("topic create led -c segment.bytes=1048576 {to}"));
    kaw.sh(&format!("seq -f %01000g 1000 | kaw produce led {to}")).run().ok();
    theirs.stop();
    // What is durable only for acks is not in the checkpoints yet.
    let ours = kaw.broker("--durability os");
    kaw.sh("seq -f %01000g 5000 | kaw produce led").run().ok();
    ours.kill();
    kaw.apache_on(&kaw.data()).expect("it was there before").stop();
    let told = fs::read_to_string(kaw.data().join("led-0/leader-epoch-checkpoint")).unwrap();
    assert!(told.ends_with("\n0 0\n1 1000\n2 6000\n"), "{told}");
    kaw.ok(&format!("log verify {}", kaw.data().display()));
});
