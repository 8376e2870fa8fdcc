//! `kaw produce`: what it reads, what it makes of it, and the account that it gives.

use std::fmt::Write;

use rustix::process::Signal;

it!(the_account_adds_up, |kaw| {
    kaw.sh("seq 1 1000 | kaw produce t").run().ok().says("read 1000 = delivered 1000 + failed 0");
    kaw.sh("kaw produce t </dev/null").run().ok().says("read 0 = delivered 0 + failed 0");
    let quiet = kaw.sh("echo one | kaw produce -q t").run().ok();
    assert_eq!(quiet.err(), "");
});

it!(keys_nulls_and_headers_are_what_was_typed, |kaw| {
    let said = |options: &str, input: &str| {
        kaw.cmd(&format!("produce t {options}")).stdin(input).run().ok();
        let format = r"%k|%K|%s|%S|%h\n";
        kaw.ok(&format!("consume -e t -o -1 -f '{format}'"))
    };
    assert_eq!(said("-K ::", "k::v::w\n"), "k|1|v::w|4|\n");
    assert_eq!(said("-K ::", "no key\n"), "|-1|no key|6|\n");
    assert_eq!(said("-K :", ":\n"), "|0||0|\n");
    assert_eq!(said("-K : -Z", ":\n"), "|-1||-1|\n");
    assert_eq!(said("-k fixed -Z", "\n"), "fixed|5||-1|\n");
    assert_eq!(said("-H a=1 -H a -H b=", "v\n"), "|-1|v|1|a=1,a=NULL,b=\n");
    assert_eq!(said(r"-D \0 -K \x01\x02", "k\u{1}\u{2}a\nb\0"), "k|1|a\nb|3|\n");
    assert_eq!(said("--whole", "a\nb\n"), "|-1|a\nb\n|4|\n");
    assert_eq!(said("--timestamp 1700000000123", "v\n"), "|-1|v|1|\n");
    assert_eq!(kaw.ok(r"consume -e t -o -1 -f %T\n"), "1700000000123\n");
});

it!(what_is_typed_joins_what_a_record_brings, |kaw| {
    kaw.cmd("produce t -K : -k none").stdin("a:1\n2\n").run().ok();
    let record = r#"{"key":null,"value":"3","headers":[{"key":"own","value":"o"}]}"#;
    kaw.cmd("produce t -J -k none -H by=me").stdin(record).run().ok();
    let want = "a 1 \nnone 2 \nnone 3 own=o,by=me\n";
    assert_eq!(kaw.ok(r"consume -e t -f '%k %s %h\n'"), want);
});

it!(only_the_record_that_is_too_large_for_the_topic_fails, |kaw| {
    kaw.ok("topic create small -c max.message.bytes=5000");
    let mut lines = String::new();
    for number in 1..=2000 {
        let record = if number == 1234 { "x".repeat(6000) } else { number.to_string() };
        writeln!(lines, "{record}").unwrap();
    }
    let done = kaw.cmd("produce small").stdin(lines.clone()).run().code(1);
    let done = done.says("read 2000 = delivered 1999 + failed 1").says("kaw: record 1234: ");
    drop(done.says("max.message.bytes"));
    let back = kaw.ok("consume -e small");
    let back: Vec<u32> = back.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(back, (1..=2000).filter(|&number| number != 1234).collect::<Vec<_>>());
});

it!(what_is_sent_again_for_anothers_sake_stays_the_same, |kaw| {
    kaw.ok("topic create t -c message.timestamp.after.max.ms=3600000");
    let line = |number: i64| {
        // The year 2100 for one of them, which that topic refuses.
        let time = if number == 77 { 4_102_444_800_000 } else { 1_700_000_000_000 + number };
        format!(
            "\"timestamp\":{time},\"timestamp_type\":\"create\",\"leader_epoch\":0,\
             \"headers\":[{{\"key\":\"h\",\"value\":null}},{{\"key\":\"h\",\"value\":\"\"}}],\
             \"key\":\"k{number}\",\"value\":null}}\n"
        )
    };
    let lines: String = (0..300).map(|number| format!("{{{}", line(number))).collect();
    let done = kaw.cmd("produce t -J").stdin(lines).run().code(1);
    done.says("kaw: record 78: its timestamp is farther in the future").says("failed 1");
    let back = kaw.ok("consume -eJ t");
    let fields = |line: &str| line[line.find("\"timestamp\"").unwrap()..].to_owned() + "\n";
    let back: Vec<String> = back.lines().map(fields).collect();
    assert_eq!(back, (0..300).filter(|&number| number != 77).map(line).collect::<Vec<_>>());
});

it!(what_a_json_record_cannot_keep_is_an_error_and_counted, |kaw| {
    let lines = concat!(
        "{\"value\":\"good\"}\n",
        "not json\n",
        "{\"value\":\"a\",\"unknown\":1}\n",
        "{\"value\":\"a\",\"timestamp\":0}\n",
        "{\"value\":\"a\",\"headers\":[{\"key\":\"a\\u0000b\",\"value\":null}]}\n",
        "{\"value\":\"far\",\"partition\":6}\n",
    );
    let done = kaw.cmd("produce t -J").stdin(lines).run().code(1);
    let done = done.says("read 6 = delivered 1 + failed 5").says("kaw topic alter t -p 7");
    for number in 2..=6 {
        assert!(done.err().contains(&format!("kaw: record {number}: ")), "{done}");
    }
    let repartitioned = kaw.cmd("produce t -J -p -1").stdin(lines).run().code(1);
    repartitioned.says("read 6 = delivered 2 + failed 4");
    assert_eq!(kaw.ok("consume -e t"), "good\ngood\nfar\n");
});

it!(a_line_arrives_while_more_input_is_awaited, |kaw| {
    let mut writer = kaw.cmd("produce t").stdin_open().start();
    writer.write("first\n");
    kaw.cmd("produce other").stdin("x\n").run().ok();
    crate::harness::until("the first line in the topic", || {
        let seen = kaw.cmd("consume -e t").run();
        (seen.out() == "first\n").then_some(())
    });
    writer.write("second\n");
    writer.close_stdin();
    writer.done().ok().says("read 2 = delivered 2 + failed 0");
});

it!(a_signal_ends_it_with_what_was_read_delivered, |kaw| {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let topic = format!("t{code}");
        let mut writer = kaw.cmd(&format!("produce {topic} -T")).stdin_open().start();
        writer.write("one\ntwo\n");
        writer.until_out("two\n");
        writer.signal(signal);
        writer.done().code(code).says("read 2 = delivered 2 + failed 0");
        assert_eq!(kaw.ok(&format!("consume -e {topic}")), "one\ntwo\n");
    }
});

it!(what_was_read_before_an_input_failed_is_delivered, |kaw| {
    let file = kaw.file("lines", "a\nb\n");
    // Nothing is mapped at the start of a process's memory.
    let done = kaw.cmd(&format!("produce t {} /proc/self/mem", file.display())).run().code(1);
    done.says("read 2 = delivered 2 + failed 0").says("kaw: cannot read /proc/self/mem: ");
    assert_eq!(kaw.ok("consume -e t"), "a\nb\n");
});

it!(inputs_are_read_one_after_the_other, |kaw| {
    let file = kaw.file("lines", "a\nb\n");
    let file = file.to_str().unwrap();
    kaw.cmd(&format!("produce t {file} - {file}")).stdin("in between").run().ok();
    assert_eq!(kaw.ok("consume -e t"), "a\nb\nin between\na\nb\n");
});
