//! `kaw consume`: what is read, how it is printed, and how it ends.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::Kaw;

/// Five records in one partition, a second apart.
const FIVE: [&str; 5] = [
    r#"{"partition":0,"timestamp":1700000000000,"key":"k0","value":"v0"}"#,
    r#"{"partition":0,"timestamp":1700000001000,"key":null,"value":"v1",
        "headers":[{"key":"h","value":"x"},{"key":"h","value":null}]}"#,
    r#"{"partition":0,"timestamp":1700000002000,"key":"","value":""}"#,
    r#"{"partition":0,"timestamp":1700000003000,"key":"k3","value":null}"#,
    r#"{"partition":0,"timestamp":1700000004000,"key_base64":"/w==","value_base64":"AP8="}"#,
];

fn five(kaw: &Kaw) {
    let lines = FIVE.map(|record| record.replace('\n', " ") + "\n").concat();
    kaw.cmd("produce five -J").stdin(lines).run().ok();
}

it!(a_signal_ends_what_has_not_yet_reached_a_broker, |kaw| {
    for options in ["", "-e", "-g g", "--merge"] {
        let line = format!("consume x -b 127.0.0.1:1 --connect-timeout 60s {options}");
        let running = kaw.cmd(&line).start();
        running.until_err("still trying");
        running.signal(Signal::INT);
        let done = running.done().code(130);
        assert!(done.took < Duration::from_secs(20), "{done}");
    }
});

it!(every_form_of_an_offset_reads_its_part, |kaw| {
    five(kaw);
    for (spec, want) in [
        ("start", "01234"),
        ("beginning", "01234"),
        ("end", ""),
        ("3", "34"),
        ("+3", "34"),
        ("-2", "34"),
        ("-9", "01234"),
        ("1..3", "12"),
        ("1:3", "12"),
        ("1..9", "1234"),
        ("..end", "01234"),
        (":2", "01"),
        ("-3..-1", "23"),
        ("5", ""),
        ("@1700000002", "234"),
        ("@1700000001500", "234"),
        ("@2023-11-14T22:13:23Z", "34"),
        ("@2023-11-14", "01234"),
        ("@1700000001..1700000003", "12"),
        ("@1700000001:1700000003", "12"),
        ("@1700000001..2s", "12"),
        ("@-1h", ""),
        ("s@1700000003000", "34"),
        ("e@1700000003000", "012"),
    ] {
        let line = format!("consume -e five -f %o -o {spec}");
        assert_eq!(kaw.ok(&line), want, "{spec}");
    }
    let both = kaw.ok("consume -e five -f %o -o s@1700000001000 -o e@1700000003000");
    assert_eq!(both, "12");
});

it!(a_range_ends_without_being_told_to_stop, |kaw| {
    five(kaw);
    assert_eq!(kaw.ok("consume five -f %o -o 1..3"), "12");
    assert_eq!(kaw.ok("consume five -f %o -o ..end"), "01234");
    assert_eq!(kaw.ok("consume five -f %o -c 2"), "01");
    assert_eq!(kaw.ok("consume five -c 0"), "");
});

it!(records_are_printed_as_they_are_asked_for, |kaw| {
    five(kaw);
    let print = |options: &str| kaw.ok(&format!("consume -e five {options}"));
    assert_eq!(print(r"-f '%o:%K:%S\n'"), "0:2:2\n1:-1:2\n2:0:0\n3:2:-1\n4:1:2\n");
    assert_eq!(print(r"-c 1 -f '%t[%p]@%o %T %k=%s%%\n'"), "five[0]@0 1700000000000 k0=v0%\n");
    assert_eq!(print(r"-o 1..2 -f '%h\n'"), "h=x,h=NULL\n");
    assert_eq!(print(r"-o 0..4 -K :"), "k0:v0\n:v1\n:\nk3:\n");
    assert_eq!(print(r"-o 0..4 -K : -Z"), "k0:v0\nNULL:v1\n:\nk3:NULL\n");
    assert_eq!(print(r"-o 0..2 -D '\0'"), "v0\0v1\0");
    let raw = kaw.cmd(r"consume -e five -o 4 -f '%R%s'").run().ok();
    assert_eq!(raw.stdout, b"\0\0\0\x02\0\xff");
});

it!(a_json_record_says_all_that_a_record_has, |kaw| {
    five(kaw);
    let json = kaw.ok("consume -e five -J");
    let wanted = [
        r#""offset":0,"timestamp":1700000000000,"timestamp_type":"create","leader_epoch":0,"#,
        r#""headers":[{"key":"h","value":"x"},{"key":"h","value":null}],"key":null,"value":"v1""#,
        r#""headers":[],"key":"","value":"""#,
        r#""headers":[],"key":"k3","value":null"#,
        r#""headers":[],"key_base64":"/w==","value_base64":"AP8=""#,
    ];
    for (line, part) in json.lines().zip(wanted) {
        assert!(line.contains(part), "{line}\nhas no {part}");
    }
});

it!(only_the_partitions_and_topics_that_are_named_are_read, |kaw| {
    kaw.ok("topic create a b -p 3");
    for partition in 0..3 {
        let line = format!("produce a -p {partition}");
        kaw.cmd(&line).stdin(format!("a{partition}\n")).run().ok();
    }
    kaw.cmd("produce b -p 1").stdin("b1\n").run().ok();
    let sorted = |line: &str| {
        let out = kaw.ok(line);
        let mut lines: Vec<_> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join(" ")
    };
    assert_eq!(sorted("consume -e a"), "a0 a1 a2");
    assert_eq!(sorted("consume -e a -p 0,2"), "a0 a2");
    assert_eq!(sorted("consume -e a -p 1-2"), "a1 a2");
    assert_eq!(sorted("consume -e a b -p 1"), "a1 b1");
    assert_eq!(sorted("consume -e a -o -1"), "a0 a1 a2");
    let line = kaw.cmd("consume -e a -p 3").run().fails(1);
    assert_eq!(line, "kaw: a has 3 partitions, numbered from 0; there is no partition 3");
});

it!(what_comes_later_is_followed_and_shown_at_once, |kaw| {
    kaw.cmd("produce t").stdin("before\n").run().ok();
    for options in ["", "-u"] {
        let reader = kaw.cmd(&format!("consume t {options}")).start();
        reader.until_out("before\n");
        let line = format!("after{options}\n");
        kaw.cmd("produce t").stdin(line.clone()).run().ok();
        reader.until_out(&line);
        reader.signal(Signal::INT);
        reader.done().code(130);
    }
    let reader = kaw.cmd("consume t -o end").start();
    reader.signal(Signal::TERM);
    let ended = reader.done();
    assert_eq!(ended.out(), "");
});

it!(a_reader_that_leaves_a_quiet_topic_ends_it, |kaw| {
    kaw.cmd("produce t").stdin("only\n").run().ok();
    let done = kaw.sh("kaw consume t | head -1").run().ok().prints("only\n");
    assert_eq!(done.err(), "");
});

it!(a_broker_that_is_killed_and_comes_back_is_read_on, |kaw| {
    let broker = kaw.broker("");
    let address = broker.address.clone();
    kaw.cmd(&format!("produce t -b {address}")).stdin("one\n").run().ok();
    let reader = kaw.cmd(&format!("consume t -b {address}")).start();
    reader.until_out("one\n");
    broker.kill();
    reader.until_err("waiting for it to come back");
    let again = kaw.cmd(&format!("broker --listen {address}")).start();
    again.until_out(&address);
    kaw.cmd(&format!("produce t -b {address}")).stdin("two\n").run().ok();
    reader.until_out("one\ntwo\n");
    reader.signal(Signal::INT);
    reader.done().code(130);
});

it!(what_does_not_go_together_is_a_usage_error, |kaw| {
    for line in [
        "consume",
        "consume t -J -f %s",
        "consume t -K : -f %s",
        "consume t -f %q",
        "consume t -o 1 -o 2",
        "consume t -c -1",
        "consume t -p x",
    ] {
        kaw.cmd(line).run().fails(2);
    }
    assert_eq!(kaw.processes().len(), 0, "no broker is started for wrong words");
    kaw.cmd("consume t -o stored").run().fails(2);
});

/// Ten records over three partitions, a second apart, in another order than that of their times.
fn ten(kaw: &Kaw) {
    kaw.ok("topic create ten -p 3");
    let record = |n: i64| {
        let time = 1_700_000_000_000 + n * 1000;
        format!("{{\"value\":\"{n}\",\"partition\":{},\"timestamp\":{time}}}\n", n % 3)
    };
    let lines: String = [0, 3, 1, 2, 4, 9, 7, 5, 8, 6].map(record).concat();
    kaw.cmd("produce ten -J").stdin(lines).run().ok();
}

it!(partitions_are_merged_by_time, |kaw| {
    ten(kaw);
    assert_eq!(kaw.ok("consume -e --merge ten -f '%s '"), "0 1 2 3 4 5 7 8 9 6 ");
    let both = kaw.ok("consume -e --merge ten -o -2 -f '%s '");
    assert_eq!(both, "4 5 7 8 9 6 ");
    let running = kaw.cmd("consume --merge ten -f '%s ' -o end").start();
    running.until("a reader that waits", |_, _| Some(()));
    running.signal(Signal::INT);
    running.done().code(130);
});

it!(the_tail_is_of_all_partitions_and_is_followed, |kaw| {
    ten(kaw);
    assert_eq!(kaw.ok("consume -e --tail 3 ten -f '%s '"), "7 8 9 ");
    assert_eq!(kaw.ok("consume -e --tail 99 ten -f '%s '"), "0 1 2 3 4 5 6 7 8 9 ");
    assert_eq!(kaw.ok("consume -e --tail 0 ten -f '%s '"), "");
    let running = kaw.cmd("consume --tail 2 ten -f '%s '").start();
    running.until("the tail", |out, _| out.starts_with("8 9 ").then_some(()));
    kaw.cmd("produce ten -p 1").stdin("new\n").run().ok();
    running.until("what follows", |out, _| (out == "8 9 new ").then_some(()));
});

it!(topics_are_found_by_pattern_as_they_come_up, |kaw| {
    kaw.cmd("produce orders-1").stdin("a\n").run().ok();
    kaw.cmd("produce other").stdin("x\n").run().ok();
    assert_eq!(kaw.ok("consume -e -r '^orders'"), "a\n");
    let running = kaw.cmd("consume -r '^orders' -f '%t:%s '").start();
    running.until("the first", |out, _| (out == "orders-1:a ").then_some(()));
    kaw.cmd("produce orders-2").stdin("b\n").run().ok();
    running.until("the new one", |out, _| (out == "orders-1:a orders-2:b ").then_some(()));
    let line = kaw.cmd("consume -e -r nothing").run().fails(1);
    let remedy = "--wait waits for one, and `kaw topic list` shows all";
    assert_eq!(line, format!("kaw: no topic matches 'nothing' yet; {remedy}"));
    kaw.cmd("consume -e -r '['").run().fails(2);
    kaw.cmd("consume -e -r x topic").run().fails(2);
});

it!(a_topic_can_be_waited_for, |kaw| {
    let running = kaw.cmd("consume late --wait -c 1").start();
    kaw.cmd("produce late").stdin("here\n").run().ok();
    assert_eq!(running.done().code(0).out(), "here\n");
    let line = kaw.cmd("consume never --wait --within 300ms").run().fails(124);
    assert_eq!(line, "kaw: --within 0.3s ran out; 0 records came");
});

it!(what_is_expected_decides_the_exit_code, |kaw| {
    ten(kaw);
    let check = |options: &str, code: i32, said: &str| {
        let done = kaw.cmd(&format!("consume ten {options} -f ''")).run().code(code);
        let err = done.err();
        assert_eq!(err.trim_end(), said, "{options}");
    };
    check("-e --expect 10", 0, "");
    check("-e --expect 9", 3, "kaw: expected 9 records, more came");
    check("-e --expect 11", 3, "kaw: expected 11 records, 10 came");
    check("-o 1..2 --expect 3", 0, "");
    check("--expect 4", 0, "");
    check("--expect 11 --within 300ms", 124, "kaw: --within 0.3s ran out; 10 of 11 records came");
    check("--expect 10 --idle 400ms", 0, "");
    check("--expect 9 --idle 400ms", 3, "kaw: expected 9 records, more came");
    check("--idle 400ms", 0, "");
    check("-o end --expect 0 --idle 200ms", 0, "");
    let line = kaw.cmd("consume ten --expect 0").run().fails(2);
    assert_eq!(line, "kaw: --expect 0 needs an end: pass -e or --idle TIME");
    kaw.cmd("consume ten --expect 1 -c 1").run().fails(2);
});

it!(an_offset_that_is_gone_is_an_error_or_the_nearest, |kaw| {
    five(kaw);
    kaw.cmd("consume -e five -o 9").run().fails(1);
    assert_eq!(kaw.ok("consume -e five -o 9 --clamp -f %o"), "");
    assert_eq!(kaw.ok("consume -e five -o 3 --clamp -f %o"), "34");
});

it!(a_topic_that_is_deleted_while_it_is_read_is_said, |kaw| {
    for again in [false, true] {
        kaw.cmd("produce t").stdin("1\n2\n3\n").run().ok();
        let reader = kaw.cmd("consume t").start();
        reader.until_out("1\n2\n3\n");
        kaw.ok("topic delete t");
        if again {
            kaw.cmd("produce t").stdin("new\n").run().ok();
        }
        let line = reader.done().fails(1);
        let gone = "topic 't' was deleted while it was read";
        // A broker may say it first, in its own way.
        assert!(line.contains(gone) || line.contains("t-0 has no offset 3"), "{line}");
    }
});
