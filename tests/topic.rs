//! `kaw topic`: made, listed, described and deleted.

use std::fs;

it!(a_topic_is_made_once_and_deleted_once, |kaw| {
    assert_eq!(kaw.ok("topic create b a -p 2"), "b created\na created\n");
    assert_eq!(kaw.ok("topic list"), "a\nb\n");
    let line = kaw.cmd("topic create a").run().fails(1);
    assert_eq!(line, "kaw: topic 'a' exists already; --if-not-exists allows that");
    assert_eq!(kaw.ok("topic create a c --if-not-exists"), "a exists\nc created\n");
    assert_eq!(kaw.ok("topic delete a b"), "a deleted\nb deleted\n");
    let line = kaw.cmd("topic delete a").run().fails(1);
    assert_eq!(line, "kaw: topic 'a' does not exist; --if-exists allows that");
    assert_eq!(kaw.ok("topic delete a c --if-exists"), "a does not exist\nc deleted\n");
    assert_eq!(kaw.ok("topic list"), "");
});

it!(one_bad_topic_does_not_stop_the_others, |kaw| {
    kaw.ok("topic create there");
    let done = kaw.cmd("topic create a there 'not a name' b").run().code(1);
    assert_eq!(done.out(), "a created\nb created\n");
    let said = done.err();
    assert!(said.contains("'there' exists already") && said.contains("'not a name'"), "{said}");
    // Where nothing else was wrong, it is what was typed.
    let done = kaw.cmd("topic create c 'not a name'").run().code(2);
    assert_eq!(done.out(), "c created\n");
    let line = kaw.cmd("topic create 'not a name'").run().fails(2);
    assert!(line.starts_with("kaw: 'not a name' cannot be a topic's name"), "{line}");
    kaw.cmd("topic describe 'not a name'").run().fails(2);
    kaw.cmd("topic describe 'not a name' nothing").run().code(1);
    kaw.cmd("topic describe nothing 'not a name'").run().code(1);
});

it!(a_dry_run_makes_nothing, |kaw| {
    assert_eq!(kaw.ok("topic create t --dry-run"), "t can be created\n");
    let line = kaw.cmd("topic create t --dry-run -c no.such=1").run().fails(1);
    assert!(line.contains("no.such"), "{line}");
    assert_eq!(kaw.ok("topic list"), "");
});

it!(a_list_is_names_or_columns_or_json, |kaw| {
    kaw.ok("topic create orders -p 2");
    kaw.ok("topic create order-lines other");
    kaw.cmd("produce orders -p 1").stdin("a\n").run().ok();
    kaw.cmd("produce orders -p 1").stdin("b\n").run().ok();
    assert_eq!(kaw.ok("topic list"), "order-lines\norders\nother\n");
    assert_eq!(kaw.ok("topic list '^orders$'"), "orders\n");
    assert_eq!(kaw.ok("topic list order"), "order-lines\norders\n");
    assert_eq!(
        kaw.ok("topic list order --detailed"),
        "TOPIC        PARTITIONS  REPLICAS  RECORDS  BYTES\n\
         order-lines           1         1        0      0\n\
         orders                2         1        2    138\n"
    );
    assert_eq!(kaw.ok("topic list orders --detailed --no-headers"), "orders  2  1  2  138\n");
    assert_eq!(
        kaw.ok("topic list orders -J"),
        "{\"topic\":\"orders\",\"partitions\":2,\"replicas\":1,\"records\":2,\"bytes\":138,\
         \"internal\":false}\n"
    );
    kaw.cmd("topic list '['").run().fails(2);
});

it!(a_description_has_partitions_and_what_was_set, |kaw| {
    kaw.ok("topic create t -p 2 -c retention.ms=60000 -c cleanup.policy=compact");
    kaw.cmd("produce t -p 1 -k key").stdin("a\nb\n").run().ok();
    let text = kaw.ok("topic describe t");
    let (partitions, configs) = text.split_once("\n\n").expect("two tables");
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<_> = partitions.lines().map(cells).collect();
    assert_eq!(rows[0], cells("TOPIC PARTITION LEADER EPOCH REPLICAS ISR START END RECORDS BYTES"));
    let bytes = fs::metadata(kaw.data().join("t-1/00000000000000000000.log")).unwrap().len();
    assert_eq!(
        (rows.len(), &rows[1][6..], &rows[2][6..]),
        (3, &cells("0 0 0 0")[..], &cells(&format!("0 2 2 {bytes}"))[..])
    );
    let rows: Vec<_> = configs.lines().map(cells).collect();
    assert_eq!(
        rows[1..],
        [cells("t cleanup.policy topic compact"), cells("t retention.ms topic 60000")]
    );
    let all = kaw.ok("topic describe t -a");
    assert!(all.contains("segment.bytes") && all.contains("default"), "{all}");
    let json = kaw.ok("topic describe t -J");
    assert!(json.contains(&format!(r#""records":2,"bytes":{bytes}}}"#)), "{json}");
    assert!(json.contains(r#"{"name":"retention.ms","value":"60000","source":"topic"}"#), "{json}");
});

it!(a_topic_that_is_not_there_does_not_hide_the_others, |kaw| {
    kaw.ok("topic create there");
    let done = kaw.cmd("topic describe there nothing").run().code(1);
    assert!(done.out().contains("there"), "{done}");
    done.says("topic 'nothing' does not exist; create it with `kaw topic create nothing`");
    let done = kaw.cmd("topic describe nothing").run().code(1);
    assert_eq!(done.out(), "");
});

it!(offsets_are_edges_or_the_place_of_a_time, |kaw| {
    kaw.ok("topic create a b -p 2");
    let lines = r#"{"value":"x","timestamp":1700000000000}
{"value":"y","timestamp":1700000001000}
{"value":"z","timestamp":1700000002000}
"#;
    kaw.cmd("produce a -J -p 0").stdin(lines).run().ok();
    assert_eq!(
        kaw.ok("topic offsets a b:1"),
        "TOPIC  PARTITION  START  END  RECORDS\n\
         a              0      0    3        3\n\
         a              1      0    0        0\n\
         b              1      0    0        0\n"
    );
    assert_eq!(
        kaw.ok("topic offsets a:0 -J"),
        "{\"topic\":\"a\",\"partition\":0,\"start\":0,\"end\":3,\"records\":3}\n"
    );
    let at = |spec: &str| kaw.ok(&format!("topic offsets a:0 --no-headers --at {spec}"));
    assert_eq!(at("@2023-11-14T22:13:21Z"), "a  0  1\n");
    assert_eq!(at("@1700000001001"), "a  0  2\n");
    assert_eq!(at("@2100-01-01"), "a  0  3\n");
    assert_eq!(at("-1"), "a  0  2\n");
    assert_eq!(at("+1"), "a  0  1\n");
    assert_eq!(at("end"), "a  0  3\n");
    assert_eq!(at("3"), "a  0  3\n");
    let line = kaw.cmd("topic offsets a:0 --at 4").run().fails(1);
    assert!(line.starts_with("kaw: a-0 has no offset 4; its log ends at 3"), "{line}");
    let line = kaw.cmd("topic offsets a:2").run().fails(1);
    assert!(line.contains("there is no partition 2"), "{line}");
    kaw.cmd("topic offsets a:x").run().fails(2);
    kaw.cmd("topic offsets a --at soon").run().fails(2);
    kaw.cmd("topic offsets a --at stored").run().fails(2);
});

it!(a_topic_is_altered_while_it_is_used, |kaw| {
    kaw.ok("topic create t -p 2 -c retention.ms=60000");
    assert_eq!(
        kaw.ok("topic alter t -p 3 -c max.message.bytes=1000 --dry-run"),
        "t can be altered\n"
    );
    assert_eq!(kaw.ok("topic alter t -p 3 -c max.message.bytes=1000"), "t altered\n");
    let text = kaw.ok("topic describe t");
    assert!(text.contains("max.message.bytes") && text.contains("retention.ms"), "{text}");
    assert!(kaw.ok("topic list t --detailed --no-headers").starts_with("t  3  1  0"));
    assert_eq!(kaw.ok("topic alter t --delete-config retention.ms"), "t altered\n");
    let text = kaw.ok("topic describe t");
    assert!(!text.contains("retention.ms"), "{text}");
    let line = kaw.cmd("topic alter t -p 3").run().fails(1);
    assert!(line.starts_with("kaw: cannot alter 't': "), "{line}");
    let line = kaw.cmd("topic alter t -c no.such=1").run().fails(1);
    assert!(line.contains("no.such"), "{line}");
    let line = kaw.cmd("topic alter nothing -p 3").run().fails(1);
    assert_eq!(line, "kaw: topic 'nothing' does not exist");
    kaw.cmd("topic alter t").run().fails(2);
    kaw.cmd("topic alter t -c x").run().fails(2);
});

it!(a_topic_is_altered_in_all_parts_or_in_none, |kaw| {
    kaw.ok("topic create t -p 2 -c retention.ms=60000");
    let line = kaw.cmd("topic alter t -p 1 -c retention.ms=99").run().fails(1);
    assert!(line.starts_with("kaw: cannot alter 't': "), "{line}");
    assert!(!line.contains("changed already"), "{line}");
    kaw.cmd("topic alter t -p 3 -c retention.ms=soon").run().fails(1);
    assert_eq!(kaw.ok("topic list t --detailed --no-headers"), "t  2  1  0  0\n");
    let text = kaw.ok("topic describe t");
    assert!(text.contains("60000"), "{text}");
});

it!(a_setting_that_topics_do_not_have_is_not_given_back, |kaw| {
    kaw.ok("topic create t");
    let line = kaw.cmd("topic alter t --delete-config nosuch").run().fails(1);
    assert_eq!(line, "kaw: cannot alter 't': topics have no setting 'nosuch'");
    for change in ["--delete-config retention-ms", "-c retentoin.ms=1"] {
        let line = kaw.cmd(&format!("topic alter t {change}")).run().fails(1);
        assert!(line.ends_with("'; a similar one is 'retention.ms'"), "{line}");
    }
    let line = kaw.cmd("topic alter nothing --delete-config nosuch").run().fails(1);
    assert_eq!(line, "kaw: topic 'nothing' does not exist");
});

it!(records_are_trimmed_up_to_an_offset, |kaw| {
    kaw.ok("topic create t -p 2");
    kaw.cmd("produce t -p 0").stdin("1\n2\n3\n4\n").run().ok();
    let two = "TOPIC  PARTITION  START  DELETED\nt              0      2        2\n";
    assert_eq!(kaw.ok("topic trim t:0 --to 2 --dry-run"), two);
    assert_eq!(kaw.ok("consume -e t"), "1\n2\n3\n4\n");
    assert_eq!(kaw.ok("topic trim t:0 --to 2"), two);
    assert_eq!(kaw.ok("consume -e t"), "3\n4\n");
    let line = kaw.cmd("topic trim t:0 --to 1").run().fails(1);
    assert!(line.starts_with("kaw: offset 1 of t-0 is gone; its log starts at 2"), "{line}");
    assert_eq!(kaw.ok("topic trim t --to end --no-headers"), "t  0  4  2\nt  1  0  0\n");
    assert_eq!(kaw.ok("consume -e t"), "");
    kaw.cmd("topic trim t").run().fails(2);
});
