//! `kaw produce`: what it tells of each record, and how a run that was cut off is gone on with.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

it!(a_report_has_every_record_in_the_order_of_the_input, |kaw| {
    kaw.ok("topic create t -p 3");
    let lines = "a\nb\nnot json\n"
        .replace("a\n", "{\"value\":\"a\",\"partition\":2,\"timestamp\":1700000000000}\n")
        .replace("b\n", "{\"value\":\"b\",\"partition\":0,\"timestamp\":1700000001000}\n");
    let done = kaw.cmd("produce t -J --report out").stdin(lines).run().code(1);
    done.says("read 3 = delivered 2 + failed 1");
    let report = fs::read_to_string(kaw.path("out")).unwrap();
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(
        lines[..2],
        [
            r#"{"record":1,"topic":"t","partition":2,"offset":0,"timestamp":1700000000000,"error":null}"#,
            r#"{"record":2,"topic":"t","partition":0,"offset":0,"timestamp":1700000001000,"error":null}"#,
        ]
    );
    assert!(lines[2].starts_with(r#"{"record":3,"topic":"t","partition":null"#), "{report}");
    assert_eq!(lines.len(), 3);
});

it!(what_was_rejected_is_kept_as_it_was_read, |kaw| {
    kaw.ok("topic create t -c max.message.bytes=1000");
    let large = "x".repeat(3000);
    let input = [b"one\n".as_slice(), large.as_bytes(), b"\n\xff\0", large.as_bytes(), b"\nend\n"];
    let done = kaw.cmd("produce t --rejects bad").stdin(input.concat()).run().code(1);
    done.says("read 4 = delivered 2 + failed 2");
    assert_eq!(kaw.ok("consume -e t"), "one\nend\n");
    let rejects = fs::read_to_string(kaw.path("bad")).unwrap();
    let lines: Vec<_> = rejects.lines().collect();
    assert_eq!(lines.len(), 2, "{rejects}");
    assert!(lines[0].starts_with(r#"{"record":2,"byte":4,"error":"larger than topic t"#));
    assert!(lines[0].ends_with(&format!(r#","input":"{large}"}}"#)), "{rejects}");
    assert!(lines[1].contains(r#""record":3,"byte":3005,"#) && lines[1].contains("input_base64"));
});

it!(a_run_that_was_cut_off_is_gone_on_with, |kaw| {
    let all: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    fs::write(kaw.path("in"), &all).unwrap();
    let line = "produce t in --resume mark --rate 50000/s";
    let running = kaw.cmd(line).start();
    let saved = || fs::read_to_string(kaw.path("mark")).unwrap_or_default();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !saved().contains(r#""records":1"#) && Instant::now() < deadline {
        std::thread::yield_now();
    }
    running.signal(Signal::KILL);
    running.done();
    let done = kaw.cmd("produce t in --resume mark").run().ok();
    assert!(!done.err().contains("read 200000"), "it began where it was: {done}");
    let out = kaw.ok("consume -e t");
    let mut numbers: Vec<u32> = out.lines().map(|line| line.parse().unwrap()).collect();
    // What was in flight may be there twice.
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 200_000);
    let done = kaw.cmd("produce t in --resume mark").run().ok();
    done.says("read 0 = delivered 0 + failed 0");
    let line = kaw.cmd("produce other in --resume mark").run().fails(1);
    assert!(line.contains("is of another run (topic t, in); remove it to begin anew"), "{line}");
    kaw.cmd("produce t --resume in").run().fails(1);
});

it!(a_failed_record_is_tried_again_unless_it_was_rejected, |kaw| {
    kaw.cmd("produce t --resume mark -J")
        .stdin("{\"value\":\"a\"}\nbad\n{\"value\":\"c\"}\n")
        .run()
        .code(1);
    let fixed = "{\"value\":\"a\"}\n{\"value\":\"b\"}\n{\"value\":\"c\"}\n";
    kaw.cmd("produce t --resume mark -J").stdin(fixed).run().ok().says("read 2 = delivered 2");
    assert_eq!(kaw.ok("consume -e t"), "a\nc\nb\nc\n");
    let with = "produce u --resume mark2 --rejects bad -J";
    kaw.cmd(with).stdin("bad\n{\"value\":\"c\"}\n").run().code(1);
    kaw.cmd(with).stdin("bad\n{\"value\":\"c\"}\n{\"value\":\"d\"}\n").run().ok();
    assert_eq!(kaw.ok("consume -e u"), "c\nd\n");
    let rejects = fs::read_to_string(kaw.path("bad")).unwrap();
    assert!(rejects.lines().count() == 1 && rejects.contains(r#""input":"bad""#), "{rejects}");
});

it!(records_are_paced, |kaw| {
    let began = Instant::now();
    kaw.cmd("produce t --rate 20/s").stdin("1\n2\n3\n4\n5\n6\n7\n").run().ok();
    assert!(Duration::from_millis(300) <= began.elapsed());
    let record =
        |ms: i64| format!("{{\"value\":\"x\",\"timestamp\":{}}}\n", 1_700_000_000_000 + ms);
    let began = Instant::now();
    kaw.cmd("produce t -J --replay 2x").stdin([0, 400, 800].map(record).concat()).run().ok();
    assert!(Duration::from_millis(400) <= began.elapsed());
    assert_eq!(kaw.ok("consume -e t -o -3 -f '%T '"), "1700000000000 1700000000400 1700000000800 ");
    kaw.cmd("produce t --replay 1").run().fails(2);
    kaw.cmd("produce t --replay 0 -J").run().fails(2);
    kaw.cmd("produce t --rate 0").run().fails(2);
});

it!(keys_go_where_the_named_partitioner_sends_them, |kaw| {
    kaw.ok("topic create java c -p 10");
    let keys: String = (0..20).map(|n| format!("key{n}:x\n")).collect();
    kaw.cmd("produce java -K : --partitioner murmur2").stdin(keys.clone()).run().ok();
    kaw.cmd("produce c -K : --partitioner consistent").stdin(keys).run().ok();
    // Java's murmur2 of "key0" … "key19" modulo 10 differs from CRC32's.
    let places = |topic: &str| kaw.ok(&format!("consume -e {topic} --merge -f '%k=%p\\n'"));
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_ne!(sorted(places("java")), sorted(places("c")));
    kaw.cmd("produce c --partitioner none").run().fails(2);
});

it!(transactions_need_a_cluster_that_has_them, |kaw| {
    let line = kaw.cmd("produce t --transactional").stdin("a\n").run().fails(2);
    assert!(line.contains("the built-in broker has no transactions"), "{line}");
    kaw.cmd("produce t --transactional --rejects x").run().fails(2);
    kaw.cmd("produce t --transaction-records 5").run().fails(2);
});
