use super::*;
use crate::record::{LeaderEpoch, Offset, PartitionId, Record, Timestamp};

const HEADERS: &[Header<'_>] = &[
    Header { name: b"trace", value: Some(b"7") },
    Header { name: b"\xff", value: None },
    Header { name: b"bin", value: Some(b"\xff") },
];

fn delivered<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Delivered<'a> {
    Delivered {
        topic: "orders",
        partition: PartitionId(3),
        offset: Offset(42),
        timestamp: Some((TimestampType::CreateTime, Timestamp(1_700_000_000_123))),
        leader_epoch: Some(LeaderEpoch(5)),
        watermarks: None,
        record: Record { key, value, headers: HEADERS },
    }
}

const VALUE: &str =
    r#"{"amount": 12.50, "name": "a\n\"b", "tags": ["x", null], "id": 9007199254740993}"#;

fn printed(query: &str, strings: Strings, value: &[u8]) -> String {
    let query = Query::compile(query).unwrap();
    let mut out = Vec::new();
    match query.print(&delivered(Some(b"42"), Some(value)), strings, b"\n", &mut out) {
        Ok(_) => String::from_utf8(out).unwrap(),
        Err(error) => {
            assert_eq!(out, b"", "half a record");
            error
        }
    }
}

#[track_caller]
fn check(query: &str, want: &str) {
    assert_eq!(printed(query, Strings::Json, VALUE.as_bytes()), want, "{query}");
}

#[test]
fn a_record_is_what_json_shows_of_it() {
    check(
        ".",
        "{\"topic\":\"orders\",\"partition\":3,\"offset\":42,\"timestamp\":1700000000123,\
         \"timestamp_type\":\"create\",\"leader_epoch\":5,\"headers\":[{\"key\":\"trace\",\
         \"value\":\"7\"},{\"key_base64\":\"/w==\",\"value\":null},{\"key\":\"bin\",\
         \"value_base64\":\"/w==\"}],\"key\":\"42\",\"value\":{\"amount\":12.50,\
         \"name\":\"a\\n\\\"b\",\"tags\":[\"x\",null],\"id\":9007199254740993}}\n",
    );
    check(".value.amount, .value.id", "12.50\n9007199254740993\n");
    check(".value.name", "\"a\\n\\\"b\"\n");
    check("{k: .key, n: (.headers | length)}", "{\"k\":\"42\",\"n\":3}\n");
    check(".value.tags[]", "\"x\"\nnull\n");
    check("empty", "");
    check("nan, infinite, {(1 | tojson): 2}", "null\n1.7976931348623157e308\n{\"1\":2}\n");
}

#[test]
fn strings_may_go_without_quotes() {
    assert_eq!(printed(".value.name", Strings::Raw, VALUE.as_bytes()), "a\n\"b\n");
    assert_eq!(printed(".value.tags", Strings::Raw, VALUE.as_bytes()), "[\"x\",null]\n");
}

#[test]
fn a_value_is_parsed_where_it_is_json() {
    let of = |value: &[u8]| printed(".value // .value_base64", Strings::Json, value);
    for json in ["1", "-0.5e3", "true", "\"text\"", "[]", "{\"a\":{}}", " [1] "] {
        assert_eq!(of(json.as_bytes()), format!("{}\n", json.trim()));
    }
    let not_json = [
        "",
        "text",
        "01",
        "+1",
        "NaN",
        "Infinity",
        "[1,]",
        "{a:1}",
        "{1:2}",
        "b\"x\"",
        "1 2",
        "# 1\n2",
        "\"\\ud800\"",
        "tru",
        "[",
        "1.",
        "\"a\nb\"",
    ];
    for text in not_json {
        assert_eq!(of(text.as_bytes()), format!("{}\n", serde_json::json!(text)));
    }
    assert_eq!(of(b"\xff"), "\"/w==\"\n");
    // Deeper than anybody's stack.
    let deep = "[".repeat(1 << 20);
    assert_eq!(of(deep.as_bytes()), format!("\"{deep}\"\n"));
    let deep = "[".repeat(1 << 18) + &"]".repeat(1 << 18);
    assert_eq!(of(deep.as_bytes()), format!("\"{deep}\"\n"));
}

#[test]
fn a_field_alone_is_what_it_is_in_the_whole() {
    let of = |query: &str, value: &str| printed(query, Strings::Json, value.as_bytes());
    let (whole, field) = (".value | .a?", ".value.a?");
    let deep = |depth| format!("{{\"b\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for value in [
        r#"{"a":1,"b":2}"#,
        r#"{"b":[{"c":"\u00fc"},-1e5,null],"a":{"x":[1]}}"#,
        r#"{"\u0061":"escaped"}"#,
        r#" {"a":1,"a":2} "#,
        r#"{"b":01,"a":1}"#,
        r#"{"b":"\ud800","a":1}"#,
        r#"{"b":tru,"a":1}"#,
        r#"{"a":1} 2"#,
        r#"{"a":1"#,
        "[1]",
        "text",
        "",
        &deep(127),
        &deep(128),
        &deep(100_000),
    ] {
        assert_eq!(of(field, value), of(whole, value), "{value}");
    }
}

#[test]
fn a_key_is_parsed_where_it_can_be_nothing_else() {
    let query = Query::compile(".key").unwrap();
    for (key, want) in [("42", "\"42\""), ("[1, 2]", "[1,2]"), ("{\"a\":1}", "{\"a\":1}")] {
        let mut out = Vec::new();
        let record = delivered(Some(key.as_bytes()), None);
        query.print(&record, Strings::Json, b"", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}

#[test]
fn records_are_kept_for_what_is_true_in_jq() {
    let keeps = |text| Query::compile(text).unwrap().keeps(&delivered(None, Some(b"{\"a\":0}")));
    for text in [".value.a", "true", "0", "\"\"", ".key == null", "false, 1", "select(.value)"] {
        assert_eq!(keeps(text), Ok(true), "{text}");
    }
    for text in ["null", "false", "empty", ".value.b", "select(.key)", ".value.a > 0"] {
        assert_eq!(keeps(text), Ok(false), "{text}");
    }
    assert_eq!(keeps(".value.a.b").unwrap_err(), "cannot index 0 with \"b\"");
    assert_eq!(keeps("halt").unwrap_err(), "halt ends a program, and here is none");
    assert_eq!(keeps("error(\"mine\")").unwrap_err(), "\"mine\"");
    let long = keeps("error(\"x\" * 1000)").unwrap_err();
    assert_eq!(long.chars().count(), SHOWN_CHARS_MAX + 1);
}

#[test]
fn wrong_expressions_say_where() {
    let check = |text: &str, want: &str| {
        assert_eq!(Query::compile(text).err().as_deref(), Some(want), "{text}");
    };
    check(".a |", "expected term at column 5 of '.a |'");
    check("", "expected term at column 1 of ''");
    check(".a == foo(1)", "there is no filter foo at column 7 of '.a == foo(1)'");
    check("$x", "there is no variable $x at column 1 of '$x'");
    check("(.a", "expected closing parenthesis at column 4 of '(.a'");
    check("\"ü\" | nope", "there is no filter nope at column 7 of '\"ü\" | nope'");
    assert!(Query::compile("import \"a\" as a; .").is_err());
}
