//! How records become text and text becomes records: `-f`, `-J`, `--where` and `--select`.

use crate::harness::Kaw;

/// Orders with a key that is a number, a key that is JSON, and a value that is neither.
fn orders(kaw: &Kaw) {
    let lines = concat!(
        r#"{"partition":0,"timestamp":1700000000123,"key":"1","value":"{\"amount\":50}"}"#,
        "\n",
        r#"{"partition":0,"timestamp":1700000001000,"key":"{\"id\":2}","value":"{\"amount\":150,"#,
        r#"\"who\":\"Ann\"}","headers":[{"key":"trace","value":"t1"},{"key":"n","value":null}]}"#,
        "\n",
        r#"{"partition":0,"timestamp":1700000002000,"key":null,"value":"plain \"text\""}"#,
        "\n",
    );
    kaw.cmd("produce orders -J").stdin(lines).run().ok();
}

it!(records_print_in_franz_gos_tokens, |kaw| {
    orders(kaw);
    let print = |format: &str| kaw.ok(&format!("consume -e orders -o 1..2 -f '{format}'"));
    assert_eq!(print(r"%i %e %H %h{%k=%v;}\n"), "1 0 2 trace=t1;n=;\n");
    assert_eq!(print(r"%d{strftime[%F %T.%3N]} %d{go##Jan _2 15:04##;+01:00}"), {
        "2023-11-14 22:13:21.000 Nov 14 23:13"
    });
    assert_eq!(print(r"%k{hex} %t{base64} %K{hex8} %a{timestamp-type}"), {
        "7b226964223a327d b3JkZXJz 08 0"
    });
});

it!(a_partitions_watermarks_print_beside_its_records, |kaw| {
    kaw.cmd("produce t").stdin("a\nb\nc\n").run().ok();
    kaw.ok("topic trim t --to 1");
    assert_eq!(kaw.ok(r"consume -e t -f '%[ %| %] %o\n'"), "1 3 3 1\n1 3 3 2\n");
    assert_eq!(kaw.ok(r"consume -e t -g g -f '%[{hex4}%]\n'"), "13\n13\n");
    // A record that comes later lies before the high watermark that is printed with it.
    let reader = kaw.cmd(r"consume t -c 3 -f '%] %o\n'").start();
    reader.until_out("3 2\n");
    kaw.cmd("produce t").stdin("d\n").run().ok();
    reader.done().ok().prints("3 1\n3 2\n4 3\n");
});

it!(a_format_is_wrong_before_anything_is_read, |kaw| {
    for (options, want) in [
        ("-f %x", "-f: %x: librdkafka does not tell the producer's id"),
        ("-f %v{nope}", "-f: %v{nope…: use hex, "),
        (r"-D '\q'", r"-D: '\q' is not an escape; use \n \t \r \0 \xNN or \\"),
        (r"-K '\q'", r"-K: '\q' is not an escape"),
        ("--where '.a |'", "--where: expected term at column 5 of '.a |'"),
        ("--select nope", "--select: there is no filter nope at column 1 of 'nope'"),
    ] {
        let line = kaw.cmd(&format!("consume -e orders {options}")).run().fails(2);
        assert!(line.starts_with(&format!("kaw: {want}")), "{line}");
    }
    let line = kaw.cmd(r"produce t -D '\q'").run().fails(2);
    assert!(line.starts_with(r"kaw: -D: '\q' is not an escape"), "{line}");
    orders(kaw);
    assert_eq!(kaw.ok(r"consume -e orders -c 1 -f '\z%o\q'"), "z0q");
});

it!(records_are_kept_by_an_expression, |kaw| {
    orders(kaw);
    let kept = |filter: &str, options: &str| {
        kaw.ok(&format!("consume -e orders --where '{filter}' {options}"))
    };
    assert_eq!(kept(".value.amount? > 100", "-f %o"), "1");
    assert_eq!(kept(".key == \"1\"", "-f %o"), "0");
    assert_eq!(kept(".key.id? == 2", "-f %o"), "1");
    assert_eq!(kept(".headers[].key == \"trace\"", "-f %o"), "1");
    assert_eq!(kept(".value | strings | contains(\"text\")", ""), "plain \"text\"\n");
    assert_eq!(kept(".offset > 0", "-c 1 -f %o"), "1");
    assert_eq!(kept("empty", "-J"), "");
});

it!(records_are_reshaped_by_an_expression, |kaw| {
    orders(kaw);
    let print = |options: &str| kaw.ok(&format!("consume -e orders {options}"));
    assert_eq!(print("--select '.value.who?' -J"), "null\n\"Ann\"\n");
    assert_eq!(print("--select '.value.who? // empty'"), "Ann\n");
    assert_eq!(print("--select '{offset, key}' -o 1..2"), "{\"offset\":1,\"key\":{\"id\":2}}\n");
    assert_eq!(print("--where '.offset == 2' --select '.value, .key' -D ,"), {
        "plain \"text\",null,"
    });
    // A whole record may be changed and produced again.
    kaw.sh("kaw consume -e orders -o 1..2 -J --select '.value.amount += 1' | kaw produce b -J")
        .run()
        .ok();
    assert_eq!(kaw.ok("consume -e b"), "{\"amount\":151,\"who\":\"Ann\"}\n");
});

it!(an_expression_that_fails_at_records_is_said_once_and_counted, |kaw| {
    orders(kaw);
    kaw.cmd("produce orders -p 0").stdin("a\nb\n").run().ok();
    let done = kaw.cmd("consume -e orders -f %o --where '.value.amount > 100'").run().code(1);
    assert_eq!(done.out(), "1");
    let said = "kaw: orders-0: offset 2: --where: cannot index \"plain \\\"text\\\"\" with \
                \"amount\"\nkaw: the expression failed at 3 records, which were left out; ? after \
                a path is silent\n";
    assert_eq!(done.err(), said);
});

it!(records_are_read_in_franz_gos_tokens, |kaw| {
    let shown = r"%p|%k|%K|%s|%S|%h|%T\n";
    let read = |format: &str, options: &str, input: &[u8]| {
        let topic = "read -p 3";
        kaw.ok(&format!("topic create {topic}"));
        let done = kaw.cmd(&format!("produce read -f '{format}' {options}")).stdin(input).run();
        done.ok();
        let back = kaw.ok(&format!("consume -e read -f '{shown}'"));
        kaw.ok("topic delete read");
        back
    };
    let timed = r"%d %p %k:%v\n";
    assert_eq!(read(timed, "", b"17 2 k:v\n18 2 :"), "2|k|1|v|1||17\n2||0||0||18\n");
    assert_eq!(read(timed, "-Z -p 1", b"17 2 :\n"), "1||-1||-1||17\n");
    let framed = b"\0\0\0\x01k\0\0\0\x02v\n\x02a=1;b=;";
    let format = "%K{big32}%k%V{big32}%v%H{byte}%h{%k=%v;}";
    assert_eq!(read(format, "-p 0 --timestamp 5000", framed), "0|k|1|v\n|2|a=1,b=|5000000\n");
    assert_eq!(read("%v{hex},", "-k key -H n -p 0 --timestamp 5000", b"6162"), {
        "0|key|3|ab|2|n=NULL|5000000\n"
    });
    let line = kaw.cmd("produce t -f %k%v").run().fails(2);
    assert!(line.starts_with("kaw: -f: nothing says where %k ends before %v"), "{line}");
});

it!(input_that_is_no_record_says_where, |kaw| {
    let file = kaw.file("bad", "1 a\n2 b");
    let file = file.to_str().unwrap();
    let said = |options: &str, input: &[u8], want: &[&str]| {
        let done = kaw.cmd(&format!("produce t -p 0 {options}")).stdin(input).run().code(1);
        let said = done.err().lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(said, want, "{options}");
    };
    said(
        "-f %V%v",
        b"1a1bx",
        &[
            "kaw: record 3: stdin, byte 4: 'x' where %V has to be a number; the rest of it is not \
             read",
            "read 3 = delivered 2 + failed 1",
        ],
    );
    said(
        r"-f '%k %v{base64}\n'",
        b"a YQ==\nb !\nc YQ==\n",
        &["kaw: record 2: stdin, byte 9: %v is not base64", "read 3 = delivered 2 + failed 1"],
    );
    said(
        &format!(r"-f '%V %v\n' {file} -"),
        b"1 c\n",
        &[
            &format!(
                "kaw: record 2: {file}, byte 7: the input ends inside of the record, where %v has \
                 1 of 2 bytes; the rest of it is not read"
            ),
            "read 3 = delivered 2 + failed 1",
        ],
    );
    said(
        "-J",
        b"{\"value\":\"x\"}\n{\"value\":1\n[]\n",
        &[
            "kaw: record 2: stdin, byte 14: not a JSON record: EOF while parsing an object at \
             column 10",
            "kaw: record 3: stdin, byte 25: not a JSON record: it does not start with '{'",
            "read 3 = delivered 1 + failed 2",
        ],
    );
    assert_eq!(kaw.ok("consume -e t -p 0"), "a\nb\na\na\na\nc\nx\n");
});

// What one or the other of kcat, kcl, rpk, kaf, kafkactl and Apache's tools loses or changes.
it!(no_input_is_lost_to_any_peers_pitfall, |kaw| {
    let (long, longer) = ("x".repeat(200_000), "y".repeat(3 << 20));
    type Case<'a> = (&'a str, &'a [u8], &'a [&'a [u8]]);
    let cases: [Case<'_>; 9] = [
        ("blank lines", b"a\n\n\nb\n", &[b"a", b"", b"", b"b"]),
        ("only blank lines", b"\n\n", &[b"", b""]),
        ("an unterminated last line", b"a\nb", &[b"a", b"b"]),
        ("lines of blanks", b" \n\t\n  \t \n", &[b" ", b"\t", b"  \t "]),
        ("NUL", b"a\0b\n\0\n", &[b"a\0b", b"\0"]),
        ("carriage returns", b"a\r\n\r\nb\r", &[b"a\r", b"\r", b"b\r"]),
        ("no UTF-8", b"\xff\xfe\n\xc3\n", &[b"\xff\xfe", b"\xc3"]),
        ("the word null", b"null\nNULL\n", &[b"null", b"NULL"]),
        ("nothing", b"", &[]),
    ];
    let long_line = format!("{long}\nshort\n{longer}\n\n{long}");
    let long_want = [long.as_bytes(), b"short", longer.as_bytes(), b"", long.as_bytes()];
    let long_case = ("lines past 64 KiB and 1 MiB", long_line.as_bytes(), &long_want as &[&[u8]]);
    for (number, (name, input, want)) in cases.into_iter().chain([long_case]).enumerate() {
        for (way, options) in ["-p 0", r"-p 0 -f '%v\n'", r"-p 0 -f '%v{re#[^\n]*#}\n'"]
            .into_iter()
            .enumerate()
            // The dot and its kin read UTF-8.
            .filter(|(way, _)| *way < 2 || name != "no UTF-8")
        {
            let topic = format!("pitfall-{number}-{way}");
            kaw.ok(&format!("topic create {topic} -c max.message.bytes=8000000"));
            let command = format!("produce {topic} {options}");
            let count = want.len();
            let account = format!("read {count} = delivered {count} + failed 0");
            kaw.cmd(&command).stdin(input).run().ok().says(&account);
            let back = kaw.cmd(&format!("consume -e {topic} -f '%R%s'")).run().ok();
            let framed = |record: &&[u8]| [&(record.len() as u32).to_be_bytes(), *record].concat();
            let want: Vec<u8> = want.iter().flat_map(framed).collect();
            assert!(back.stdout == want, "{name}: {command}");
        }
    }
});

it!(what_is_printed_is_read_back_as_it_was, |kaw| {
    let bare = concat!(
        r#"{"partition":1,"timestamp":1700000000123,"key":null,"value":null}"#,
        "\n",
        r#"{"partition":1,"timestamp":1700000000124,"key":"","value":""}"#,
        "\n",
        r#"{"partition":0,"timestamp":1,"key_base64":"/wA=","value":"{\"a\": 1}\n\u0000"}"#,
        "\n",
    );
    let headers = concat!(
        r#"{"partition":0,"timestamp":2,"value":"v","headers":[{"key":"h","value":null},"#,
        r#"{"key":"h","value":""},{"key_base64":"/w==","value":"x"}]}"#,
        "\n",
    );
    let fields = |topic: &str| {
        let json = kaw.ok(&format!("consume -e {topic} -J"));
        let mut lines: Vec<_> = json.lines().map(|line| line.replace(topic, "t")).collect();
        lines.sort_unstable();
        lines
    };
    for (name, lines, options) in [
        ("json", [bare, headers].concat(), "-J"),
        ("sized", bare.to_owned(), "-f '%p %d %R%s%K,%k;'"),
    ] {
        let (from, to) = (format!("{name}-1"), format!("{name}-2"));
        kaw.ok(&format!("topic create {from} {to} -p 2"));
        kaw.cmd(&format!("produce {from} -J")).stdin(lines).run().ok();
        kaw.sh(&format!("kaw consume -e {from} {options} | kaw produce {to} {options}")).run().ok();
        assert_eq!(fields(&to), fields(&from), "{options}");
    }
});
