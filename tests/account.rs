//! `read = delivered + failed`, however it ends: at a signal, with nobody behind stdout, with a
//! broker that is gone for good. What was not delivered is in `--rejects`, and can be sent again.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::files::account;
use crate::harness::{Broker, Kaw, free_port, until};

/// Lines that tell where they were, as many as no test waits for.
const ENDLESS: &str = "seq 1 100000000";

fn count(kaw: &Kaw, topic: &str) -> u64 {
    kaw.sh(&format!("kaw consume -e {topic} | wc -l")).run().out().trim().parse().unwrap_or(0)
}

it!(a_signal_in_the_middle_of_the_stream_loses_nothing, |kaw| {
    kaw.sh("mkfifo pipe").run().ok();
    for (signal, code, options) in [
        (Signal::INT, 130, ""),
        (Signal::TERM, 143, "-f '%v\\n' --report report"),
        (Signal::INT, 130, "-K 5 --rejects rejects --resume mark"),
    ] {
        let topic = format!("t{code}{}", options.len());
        let _feeding = kaw.sh(&format!("exec {ENDLESS} >pipe")).start();
        let running = kaw.cmd(&format!("produce {topic} {options} pipe")).start();
        until("records in the topic", || (0 < count(kaw, &topic)).then_some(()));
        running.signal(signal);
        let done = running.done().code(code);
        let (read, delivered, failed) = account(&done.err());
        assert!(0 < read && read == delivered && failed == 0, "{done}");
        assert_eq!(count(kaw, &topic), delivered, "{options}");
        if options.contains("--report") {
            let lines = fs::read_to_string(kaw.path("report")).unwrap().lines().count();
            assert_eq!(lines as u64, read, "each has its line");
        }
    }
});

it!(what_a_signal_cut_off_is_gone_on_with_once, |kaw| {
    kaw.sh("seq 1 300000 >numbers").run().ok();
    let running = kaw.cmd("produce t numbers --resume mark --rate 100000/s").start();
    until("records in the topic", || (0 < count(kaw, "t")).then_some(()));
    running.signal(Signal::INT);
    let done = running.done().code(130);
    let (read, ..) = account(&done.err());
    assert!(0 < read && read < 300_000, "{done}");
    let done = kaw.cmd("produce t numbers --resume mark").run().ok();
    assert_eq!(account(&done.err()), (300_000 - read, 300_000 - read, 0));
    let numbers = fs::read_to_string(kaw.path("numbers")).unwrap();
    kaw.cmd("consume -e t").run().ok().prints(&numbers);
});

it!(who_reads_a_copy_may_leave_and_the_records_are_sent, |kaw| {
    let done = kaw.sh("seq 1 100000 | kaw produce t -T | head -2").run().ok().prints("1\n2\n");
    assert_eq!(account(&done.err()), (100_000, 100_000, 0));
});

/// A producer in the middle of its input, and its broker.
fn broken_off(kaw: &Kaw, options: &str) -> (String, crate::harness::Running, Broker) {
    let address = format!("127.0.0.1:{}", free_port());
    let broker = kaw.broker_at(&address, "--topic t");
    let line = format!("produce t -b {address} --delivery-timeout 2s {options}");
    let mut running = kaw.cmd(&line).stdin_open().start();
    running.write((1..=5000).map(|n| format!("{n}\n")).collect::<String>());
    let log = kaw.data().join("t-0/00000000000000000000.log");
    until("records on the disk", || (0 < fs::metadata(&log).ok()?.len()).then_some(()));
    (address, running, broker)
}

it!(a_broker_that_does_not_come_back_leaves_an_account, |kaw| {
    let (address, mut running, broker) = broken_off(kaw, "--rejects rejects");
    broker.kill();
    running.write((5001..=9000).map(|n| format!("{n}\n")).collect::<String>());
    running.close_stdin();
    let done = running.done().code(1).says("not delivered within 2.00 s");
    let (read, delivered, failed) = account(&done.err());
    assert!(read == 9000 && read == delivered + failed && 4000 <= failed, "{done}");
    let rejects = fs::read_to_string(kaw.path("rejects")).unwrap();
    assert_eq!(rejects.lines().count() as u64, failed, "each that failed is there");
    // What was delivered and what was rejected are all of it.
    let broker = kaw.broker_at(&address, "");
    let again = format!(
        "sed 's/.*\"input\":\"\\([0-9]*\\)\".*/\\1/' rejects | kaw produce t -q -b {address}; \
         kaw consume -e t -b {address} | sort -nu | tail -n 1; \
         kaw consume -e t -b {address} | sort -nu | wc -l"
    );
    kaw.sh(&again).run().ok().prints("9000\n9000\n");
    broker.stop();
});

it!(a_signal_while_the_broker_is_gone_leaves_an_account, |kaw| {
    let (_, mut running, broker) = broken_off(kaw, "--report report");
    broker.kill();
    running.write("one more\n");
    running.until_err("waiting for 127.0.0.1");
    running.signal(Signal::INT);
    let done = running.done().code(130);
    let (read, delivered, failed) = account(&done.err());
    assert!(0 < failed && read == delivered + failed, "{done}");
    let report = fs::read_to_string(kaw.path("report")).unwrap();
    let told = |part: &str| report.lines().filter(|line| line.contains(part)).count() as u64;
    assert_eq!((told("\"error\":null"), told("\"error\":\"")), (delivered, failed));
});

it!(a_topic_that_is_made_anew_with_fewer_partitions_soon_takes_records_again, |kaw| {
    let broker = kaw.broker("");
    let to = |line: &str| format!("{line} -b {}", broker.address);
    kaw.ok(&to("topic create t -p 8"));
    let mut writer = kaw.cmd(&to("produce t")).stdin_open().within(Duration::from_secs(60)).start();
    let lines = |count: usize| "a line\n".repeat(count);
    let mut written = 0;
    until("partitions were chosen", || {
        writer.write(lines(1000));
        written += 1000;
        (20_000 <= kaw.ok(&to("consume t -e")).lines().count()).then_some(())
    });
    kaw.ok(&to("topic delete t"));
    kaw.ok(&to("topic create t -p 1"));
    writer.write(lines(300_000));
    writer.close_stdin();
    let said = writer.done().err();
    let failed = said.rsplit(' ').next().and_then(|count| count.trim().parse().ok());
    // What was under way when it became known, and the lot that showed it.
    assert!(failed.is_some_and(|failed: usize| failed < 100_000), "{said}");
    broker.stop();
});
