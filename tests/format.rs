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
