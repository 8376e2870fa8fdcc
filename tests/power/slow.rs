//! A disk that is slow for one partition: strace delays every write and sync of its file.
//! Never knows: how the broker keeps others from waiting.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::messages::{HeartbeatRequest, MetadataRequest};

use super::traced::Traced;
use crate::harness::found;
use crate::harness::raw::{Raw, poll, produce};

/// What waits for the disk waits longer than this. The answers of a busy machine may take a while,
/// too; their medians are printed, and are to be far below 50 ms.
const LATE: Duration = Duration::from_millis(200);

const CALLS: usize = 25;

/// How many calls are delayed meanwhile.
const DELAYS: usize = 16;

it!(a_slow_disk_of_one_partition_keeps_no_other_waiting, |kaw| {
    if found("strace").is_none() {
        return;
    }
    let data = kaw.data();
    let broker = kaw.broker_on(&data);
    for topic in ["slow", "quick"] {
        kaw.ok(&format!("topic create -b {} {topic}", broker.address));
        let mut raw = Raw::open(&broker.address).unwrap();
        raw.call(&produce(topic, -1, &["first".to_owned()]), 9).unwrap();
    }
    broker.stop();
    let log = data.join("slow-0/00000000000000000000.log").display().to_string();
    let delay = "inject=fdatasync,pwritev:delay_enter=400000";
    let options = ["--seccomp-bpf", "-P", &log, "-e", "trace=fdatasync,pwritev", "-e", delay];
    let broker = Traced::start(kaw, &data, &options);
    let address = broker.address.clone().unwrap();
    let over = AtomicBool::new(false);
    let took = std::thread::scope(|threads| {
        for acks in [1, -1, 1, -1] {
            threads.spawn({
                let (address, over) = (&address, &over);
                move || {
                    let mut raw = Raw::open(address).unwrap();
                    while !over.load(Ordering::Relaxed) {
                        raw.call(&produce("slow", acks, &["more".to_owned()]), 9).unwrap();
                    }
                }
            });
        }
        // As long as the disk delays so many calls, each of them while all four wait for it.
        let delayed = || broker.trace().matches("(DELAYED)").count();
        let mut took: [(&str, Vec<Duration>); 4] = Default::default();
        while delayed() < DELAYS {
            for (all, (what, more)) in took.iter_mut().zip(others(&address)) {
                all.0 = what;
                all.1.extend(more);
            }
        }
        over.store(true, Ordering::Relaxed);
        took
    });
    broker.stop().1.ok();
    let mut late = 0;
    for (what, mut each) in took {
        each.sort();
        let count = each.len();
        let (median, most) = (each[count / 2], each[count - 1]);
        let _ = writeln!(
            std::io::stderr(),
            "slow disk: {count} answers to {what}, median {median:?}, at most {most:?}"
        );
        assert!(median < LATE / 4, "{what}: {median:?}");
        late += each.iter().filter(|took| LATE < **took).count();
    }
    assert!(late <= DELAYS / 4, "{late} answers waited for the disk of others");
});

/// How long a client that has nothing to do with the slow partition waits for answers.
fn others(address: &str) -> [(&'static str, Vec<Duration>); 4] {
    let mut raw = Raw::open(address).unwrap();
    let mut times = |what, call: &mut dyn FnMut(&mut Raw)| {
        let timed = |_| {
            let begun = Instant::now();
            call(&mut raw);
            begun.elapsed()
        };
        (what, (0..CALLS).map(timed).collect::<Vec<_>>())
    };
    [
        times("metadata", &mut |raw| drop(raw.call(&MetadataRequest::default(), 1).unwrap())),
        times("fetch", &mut |raw| drop(poll(raw, "quick", 0).unwrap())),
        times("heartbeat", &mut |raw| drop(raw.call(&HeartbeatRequest::default(), 3).unwrap())),
        times("produce", &mut |raw| {
            drop(raw.call(&produce("quick", 1, &["more".to_owned()]), 9).unwrap());
        }),
    ]
}
