//! How kcat ends before its time: by a signal, because nobody reads any more, or because a
//! transaction cannot be.

use rustix::process::Signal;

use super::fill;
use crate::harness::{Apache, Cmd, Done, Kaw, Running, found};

fn both(kaw: &Kaw, words: &[&str]) -> [Cmd; 2] {
    [kaw.tool("kcat").args(words), kaw.cmd("kcat").args(words)]
}

/// Both sides have what is compared, a signal apart: exit code and stdout.
#[track_caller]
fn alike(what: &str, sides: [Done; 2]) -> [Done; 2] {
    let [kcats, kaws] = &sides;
    assert_eq!(kaws.code, kcats.code, "{what}\n{kcats}\n{kaws}");
    assert_eq!(kaws.out(), kcats.out(), "{what}\n{kcats}\n{kaws}");
    sides
}

/// Signals a producer once a record of its own is in the log, its input still open.
fn signalled(kaw: &Kaw, cmd: Cmd, topic: &str, signal: Signal, options: &str) -> Done {
    let everything = format!("consume -e -q --isolation uncommitted {topic} {options}");
    let before = kaw.ok(&everything);
    let mut running: Running = cmd.stdin_open().start();
    // kcat reads 1024 bytes at a time and waits for them; these leave it nothing half read.
    running.write("three\n".repeat(512));
    running.runs_until("its records in the log", || (kaw.ok(&everything) != before).then_some(()));
    running.signal(signal);
    running.done()
}

it!(a_signal_ends_kcat_as_it_does_kcat, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    let broker = kaw.broker("");
    fill(kaw);
    let end = "Reached end of topic r1 [0]";
    for signal in [Signal::INT, Signal::TERM] {
        for (words, seen) in
            [("-C -t r1", end), ("-C -J -t r1", end), ("-X auto.offset.reset=earliest r1 -G", end)]
        {
            let words: Vec<&str> =
                ["-b", &broker.address].into_iter().chain(words.split(' ')).collect();
            let mut groups = [format!("kcats{signal:?}"), format!("kaws{signal:?}")].into_iter();
            let sides = both(kaw, &words).map(|cmd| {
                let group = groups.next().filter(|_| words.contains(&"-G"));
                let running = cmd.args(group).stdin_open().start();
                running.until_err(seen);
                running.signal(signal);
                running.done()
            });
            alike(&words.join(" "), sides);
        }
        let words = ["-P", "-t", "one", "-b", &broker.address];
        alike("-P", both(kaw, &words).map(|cmd| signalled(kaw, cmd, "one", signal, "")));
    }
});

it!(a_reader_that_has_gone_is_to_kcat_what_it_is_to_kcat, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    let broker = kaw.broker("");
    kaw.sh("seq 200000 | kaw produce -q many").run().ok();
    let gone = |program: &str, words: &str| {
        let script =
            format!("{program} -b {} {words} | true; exit ${{PIPESTATUS[0]}}", broker.address);
        kaw.sh(&script).run()
    };
    for words in ["-C -e -q -t many", "-C -q -u -t many", "-L", "-L -J", "-Q -t many:0:0"] {
        alike(
            words,
            [gone("kcat", words), gone(&format!("{} kcat", crate::harness::PROGRAM), words)],
        );
    }
});

/// What the topic holds to who reads only what was committed.
fn committed(kaw: &Kaw, address: &str) -> Vec<String> {
    let text = kaw.ok(&format!("consume -e -q t -b {address}"));
    text.lines().map(str::to_owned).collect()
}

it!(kcats_transactions_are_kcats, |kaw| {
    let (Some(apache), Some(_)) = (kaw.apache(), found("kcat")) else { return };
    let Apache { address, .. } = &apache;
    kaw.ok(&format!("topic create t -b {address}"));
    let words = |id: &'static str| ["-P", "-t", "t", "-b", address, "-X", id];
    let run = |cmd: Cmd| cmd.stdin("one\ntwo\n").run();
    let sides = both(kaw, &words("transactional.id=whole")).map(run);
    let [kcats, kaws] = alike("committed", sides);
    let own = |done: &Done| done.err().lines().filter(|l| l.starts_with("% ")).count();
    assert_eq!(own(&kaws), own(&kcats), "{kcats}\n{kaws}");
    assert_eq!(committed(kaw, address), ["one", "two", "one", "two"]);
    // Nothing of what a signal cut short.
    let at = format!("-b {address}");
    let cut_short = |cmd: Cmd| {
        let done = signalled(kaw, cmd, "t", Signal::INT, &at);
        done.says("Aborting transaction due to termination signal")
    };
    alike("aborted", both(kaw, &words("transactional.id=cut")).map(cut_short));
    assert_eq!(committed(kaw, address).len(), 4);
    // A record that cannot be sent takes the others along.
    let wrong = |cmd: Cmd| cmd.args(["-p", "9"]).stdin("four\n").run();
    alike("failed", both(kaw, &words("transactional.id=wrong")).map(wrong));
    // Whole files, none of which is there.
    let files = |cmd: Cmd| cmd.args(["nosuch"]).run();
    alike("no file", both(kaw, &words("transactional.id=files")).map(files));
    let empty = |cmd: Cmd| cmd.run();
    alike("nothing", both(kaw, &words("transactional.id=none")).map(empty));
    assert_eq!(committed(kaw, address).len(), 4);
    apache.stop();
});

it!(without_transactions_kcat_fails_as_kcat_does, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    let broker = kaw.broker("--topic t");
    let words = ["-P", "-t", "t", "-b", &broker.address, "-X", "transactional.id=x"];
    for cmd in both(kaw, &words) {
        let done = cmd.stdin("one\n").run().code(1);
        done.says("% ERROR: init_transactions(): Failed to find transaction coordinator")
            .says("this broker has no transactions");
    }
    assert_eq!(kaw.ok("consume t -e -q"), "");
});
