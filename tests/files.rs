//! The files that `kaw produce` is given: missing, unreadable, directories, endless, pipes, and two
//! names of one file.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::Kaw;

/// A run that has not ended by then never will.
const SOON: Duration = Duration::from_secs(20);

/// Runs it over a few lines; its one line.
#[track_caller]
fn fails(kaw: &Kaw, line: &str, code: i32) -> String {
    kaw.cmd(line).stdin("a\nb\n").within(SOON).run().fails(code)
}

it!(a_file_that_cannot_serve_is_said_before_anything_is_sent, |kaw| {
    kaw.sh("mkfifo pipe; mkdir dir; echo a > text").run().ok();
    for (line, code, part) in [
        ("no/such/file", 1, "cannot read no/such/file: No such file"),
        ("dir", 1, "cannot read dir: it is a directory"),
        ("text/below", 1, "cannot read text/below: Not a directory"),
        ("''", 2, "a value is required for '[FILES]...'"),
        ("--report no/such/file", 1, "cannot write no/such/file: No such file"),
        ("--report dir", 1, "cannot write dir: Is a directory"),
        ("--report ''", 2, "a value is required for '--report"),
        ("--rejects no/such/file", 1, "cannot write no/such/file: No such file"),
        ("--rejects dir", 1, "cannot write dir: Is a directory"),
        ("--rejects ''", 2, "a value is required for '--rejects"),
        ("--resume no/such/file", 1, "cannot write no/such/file: No such file"),
        ("--resume dir", 1, "dir is no checkpoint of kaw's"),
        ("--resume text", 1, "text is no checkpoint of kaw's; --resume would overwrite it"),
        ("--resume pipe", 1, "pipe is no checkpoint of kaw's"),
        ("--resume /dev/zero", 1, "/dev/zero is no checkpoint of kaw's"),
        ("--resume /dev/full", 1, "/dev/full is no checkpoint of kaw's"),
        ("--resume ''", 2, "a value is required for '--resume"),
    ] {
        let said = fails(kaw, &format!("produce t {line}"), code);
        assert!(said.contains(part), "{line}: {said}");
    }
    assert_eq!(fs::read_to_string(kaw.path("text")).unwrap(), "a\n");
    assert_eq!(kaw.processes().len(), 0, "no broker is started");
});

it!(what_is_read_is_never_written_over, |kaw| {
    kaw.sh("echo a > in; ln in hard; ln -s in soft").run().ok();
    for (line, part) in [
        ("produce t in --report in", "--report in and in are one file; name another"),
        ("produce t in --report ./hard", "--report ./hard and in are one file"),
        ("produce t hard soft --rejects in", "--rejects in and hard are one file"),
        ("produce t in --resume soft", "--resume soft and in are one file"),
        ("produce t --report in < soft", "--report in and stdin are one file"),
        ("produce t in -T >> hard", "stdout, for -T, and in are one file"),
        ("produce t --report new --rejects ./new", "--rejects ./new and --report new are one"),
        ("produce t --report new --resume new", "--resume new and --report new are one file"),
    ] {
        let said = kaw.sh(&format!("kaw {line}")).run().fails(2);
        assert!(said.contains(part), "{line}: {said}");
        assert_eq!(fs::read_to_string(kaw.path("in")).unwrap(), "a\n", "{line}");
    }
    // Each of these may have several purposes.
    kaw.sh("kaw produce t in -T --report /dev/stdout --rejects /dev/null | wc -l")
        .run()
        .ok()
        .prints("2\n");
});

it!(a_pipe_is_read_when_its_turn_comes, |kaw| {
    kaw.sh("mkfifo one two").run().ok();
    let script = "kaw produce t one in two & echo in > in; echo two > two & echo one > one; wait";
    kaw.file("in", "");
    kaw.sh(script).run().ok().says("read 3 = delivered 3 + failed 0");
    assert_eq!(kaw.ok("consume -e t"), "one\nin\ntwo\n");
    kaw.sh("kaw produce t <(seq 3) <(seq 2)").run().ok().says("read 5 = delivered 5");
    // Nobody writes to it: a signal is seen all the same.
    let waiting = kaw.cmd("produce t one --progress").start();
    waiting.until_err("0 records");
    waiting.signal(Signal::INT);
    waiting.done().code(130).says("read 0 = delivered 0 + failed 0");
});

it!(an_endless_input_that_is_no_record_ends_it, |kaw| {
    for (line, said) in [
        ("--whole /dev/zero", "record 1: larger than"),
        ("--whole /dev/zero in", "read 2 = delivered 1 + failed 1"),
        ("-f '%v;' /dev/zero", "record 1: /dev/zero, byte 0: no end of the record within"),
        ("-f 'a%v;' /dev/zero", "record 1: /dev/zero, byte 0: "),
        ("-f '%V{big32}%v' /dev/urandom", "the rest of it is not read"),
    ] {
        kaw.file("in", "a\n");
        kaw.cmd(&format!("produce t {line}")).within(SOON).run().code(1).says(said);
    }
    // Where a delimiter may yet come it goes on, and eats nothing.
    let endless = kaw.cmd("produce t /dev/zero").start();
    endless.until_err("record 1: larger than");
    let status = fs::read_to_string(format!("/proc/{}/status", endless.pid().as_raw_pid()));
    let status = status.unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 400 << 10, "{kib} KiB");
    endless.signal(Signal::TERM);
    endless.done().code(143).says("read 1 = delivered 0 + failed 1");
});

it!(a_whole_input_that_was_delivered_is_not_gone_on_with, |kaw| {
    kaw.sh("echo a > a; echo b > b").run().ok();
    for said in ["read 2 = delivered 2", "read 0 = delivered 0"] {
        kaw.cmd("produce t --whole --resume mark a b").run().ok().says(said);
    }
    assert_eq!(kaw.ok("consume -e t -D ''"), "a\nb\n");
});

it!(a_full_disk_under_what_is_written_ends_it_with_the_account, |kaw| {
    let lines = "x\n".repeat(100_000);
    for line in ["--report /dev/full", "--rejects /dev/full -J"] {
        let done = kaw.cmd(&format!("produce t {line}")).stdin(lines.clone()).run().code(1);
        let done = done.says("kaw: cannot write /dev/full: No space left on device");
        let (read, delivered, failed) = account(&done.err());
        assert!(read < 100_000 && read == delivered + failed, "{done}");
        // What was on its way may be there as well.
        let there = kaw.sh("kaw consume -e t | wc -l").run().out();
        assert!(delivered <= there.trim().parse().unwrap_or(0), "{done}");
    }
    let done = kaw.sh("echo a | kaw produce t -T >/dev/full").run().code(1);
    done.says("kaw: cannot write to stdout: No space left on device");
});

/// What was read, delivered and failed.
pub fn account(said: &str) -> (u64, u64, u64) {
    let line =
        said.lines().find(|line| line.starts_with("read ")).unwrap_or_else(|| panic!("{said}"));
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[read, delivered, failed] = numbers.as_slice() else { panic!("{line}") };
    (read, delivered, failed)
}
