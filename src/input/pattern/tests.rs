use proptest::prelude::*;

use super::*;
use crate::input::parsed::shown;
use crate::input::{LeftOut, Splitter};

/// Reads all records, in drips of so many bytes; the last one may say what is wrong.
fn read(format: &str, input: &[u8], drip: usize) -> Vec<String> {
    let pattern = std::rc::Rc::new(Pattern::parse(format, false).unwrap());
    let mut splitter = Splitter::matching(pattern.clone(), 1 << 20);
    let mut found = Vec::new();
    let mut rest = input;
    loop {
        let now = &rest[..drip.min(rest.len())];
        let mut unread = now;
        let read = splitter.read(&mut unread).unwrap();
        rest = &rest[now.len() - unread.len()..];
        for block in read.block.iter() {
            for record in splitter.records(block) {
                let at = read.at + (record.as_ptr().addr() - block.as_ptr().addr()) as u64;
                assert_eq!(&input[at as usize..][..record.len()], record);
                found.push(match pattern.read(record) {
                    Ok(parsed) => shown(&parsed),
                    Err(flaw) => format!("{}: {}", at + flaw.at as u64, flaw.why),
                });
            }
        }
        if let Some(LeftOut::Broken { at, why }) = &read.left_out {
            found.push(format!("{at}: {why}"));
        }
        if read.is_end {
            return found;
        }
    }
}

#[track_caller]
fn check(format: &str, input: &str, want: &[&str]) {
    check_bytes(format, input.as_bytes(), want);
}

#[track_caller]
fn check_bytes(format: &str, input: &[u8], want: &[&str]) {
    for drip in [1, 2, 7, 1 << 20].into_iter().filter(|drip| input.len() < drip * 1000) {
        assert_eq!(read(format, input, drip), want, "{format} in drips of {drip}");
    }
}

#[test]
fn delimited_fields() {
    check(r"%v\n", "", &[]);
    check(r"%v\n", "a\n\n b", &["null = 'a'", "null = ''", "null = ' b'"]);
    check(r"%k\t%v\n", "k\tv\n\t\n", &["'k' = 'v'", "'' = ''"]);
    check(r"%k:%v--", "a:b-c--d:--e:-", &["'a' = 'b-c'", "'d' = ''", "'e' = '-'"]);
    check(r"%s;%k\r\n", "v;k\r\nw;l", &["'k' = 'v'", "'l' = 'w'"]);
    check("<%v>", "<a><b>", &["null = 'a'", "null = 'b'"]);
    check("%v", "all\nof\0it", &["null = 'all\\nof\\x00it'"]);
    check(r"%k\n", "a\nb", &["'a' = ''", "'b' = ''"]);
    check(r"%t %p %o %k %v\n", "t 3 17 k v\n", &["'k' = 'v'; in 3"]);
    check(r"%p:%v\n", "-1:a\n2:b\n", &["null = 'a'", "null = 'b'; in 2"]);
    check(r"%d %v\n%%%{\n", "17 a\n%{\n", &["null = 'a'; at 17"]);
    check(r"%T %v\n", "-17 a\n", &["null = 'a'; at -17"]);
    check(r"%i %e %x %y %v\n", "1 2 3 4 a\n", &["null = 'a'"]);
}

#[test]
fn sized_fields() {
    check("%V %v", "3 a b1 c", &["null = 'a b'", "null = 'c'"]);
    check("%K{hex8}%k%V{hex4}%v", "02ab1c000", &["'ab' = 'c'", "'' = ''"]);
    check("%V{3}%v", "abcdef", &["null = 'abc'", "null = 'def'"]);
    check(r"%V{3}%v\n", "a\nc\ndef", &["null = 'a\\nc'", "null = 'def'"]);
    check_bytes(
        "%V{big32}%v",
        b"\0\0\0\x02a\n\0\0\0\0\0\0\0\x01\xff",
        &["null = 'a\\n'", "null = ''", "null = '\\xff'"],
    );
    check_bytes("%R%s", b"\0\0\0\x01a\xff\xff\xff\xff", &["null = 'a'", "null = null"]);
    check(r"%K %S %k%s\n", "-1 2 ab\n0 -1 \n", &["null = 'ab'", "'' = null"]);
    check_bytes("%K{little16}%V{big64}%k%v", b"\x01\0\0\0\0\0\0\0\0\x02kvw", &["'k' = 'vw'"]);
    check_bytes("%K{byte}%k%V{little32}%v", b"\x02kk\x01\0\0\0v", &["'kk' = 'v'"]);
    check("%V{bool}%v", "truexfalsetruey", &["null = 'x'", "null = ''", "null = 'y'"]);
    check("%T%t{hex}%v\n".trim_end(), "4abcdrest", &["null = 'rest'"]);
    check("%T{ascii} %t%p,%v;", "2 ab7,v;", &["null = 'v'; in 7"]);
}

#[test]
fn encoded_fields() {
    check(r"%k{hex} %v{base64}\n", "6bFF dg==\n dg\n", &["'k\\xff' = 'v'", "'' = 'v'"]);
    check("%V%v{base64}", "2z9", &["null = '\\xcf'"]);
    check(
        r"%v{json}%k\n",
        " {\"a\" : [1, \"b c\\\" \"]}k\n1 \n",
        &["'k' = '{\\\"a\\\":[1,\\\"b c\\\\\\\" \\\"]}'", "' ' = '1'"],
    );
    check(
        "%v{json}",
        "1 2\n[3] {} \"x\"",
        &["null = '1'", "null = '2'", "null = '[3]'", "null = '{}'", "null = '\\\"x\\\"'"],
    );
    check(r"%k{re[\d+]}%v{re#[a-z]*#}\n", "12ab\n3\n", &["'12' = 'ab'", "'3' = ''"]);
    check(
        r"%v{json}\n",
        "\"ü€😀\"\n",
        &["null = '\\\"\\xc3\\xbc\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\\"'"],
    );
}

#[test]
fn headers_are_counted() {
    check(r"%H %h{%k=%v,}%v\n", "2 a=1,b=,x\n0 y\n", &["null = 'x'; a: '1'; b: ''", "null = 'y'"]);
    check(
        "%K%V%H{1}%h{%K{hex4}%k%V{hex4}%v}%k%v;".replace("%K%V%H", "%K %V %H").as_str(),
        "1 2 1a1bkvw;",
        &["'k' = 'vw'; a: 'b'"],
    );
    check(r"%H %h{%K %S %k%v;}%v\n", "1 1 -1 n;v\n", &["null = 'v'; n: null"]);
}

#[test]
fn what_cannot_be_a_record_ends_the_input() {
    check(r"%V %v\n", "1 a\nx b\n", &["null = 'a'", "4: 'x' where %V has to be a number"]);
    check(
        r"%V %v\n",
        "1 a\n3 ab",
        &["null = 'a'", "8: the input ends inside of the record, where %v has 2 of 3 bytes"],
    );
    check(
        r"%V %v\n",
        "1 a\n1",
        &["null = 'a'", "5: the input ends inside of the record, before ' '"],
    );
    check(r"%V %v\n", "1 abc\n", &["3: 'b' where '\\n' has to be"]);
    check(
        r"%k\t%v\n",
        "k\tv\nk",
        &["'k' = 'v'", "5: the input ends inside of the record, before '\\t' ends %k"],
    );
    check(r"%V{3}%v\r\n", "abc\r", &["4: the input ends inside of the record, before '\\r\\n'"]);
    check_bytes(
        "%V{big32}%v",
        b"\0\0\0\x01a\0\0",
        &["null = 'a'", "7: the input ends inside of the record, within %V"],
    );
    check_bytes(
        "%V{big32}%v",
        b"GET / HTTP/1.1\r\n",
        &["0: %V is 1195725856, more than any record has"],
    );
    check(
        r"%p %v\n",
        "99999999999999999999 a\n",
        &["0: '99999999999999999999' where %p has to be a number"],
    );
    check("%V %v", "-2 a", &["0: %V is -2, more than any record has"]);
    check("%V{hex8}%v", "0g", &["0: '0g' where %V has to be a number"]);
    check("%V{bool}%v", "trap", &["0: 't' where %V has to be a number"]);
    check("%H%h{%k;}%v", "9999999999x", &["0: %H is 9999999999, more than any record has"]);
    check(r"%v{json}\n", "1\n{]\n", &["null = '1'", "2: %v is not JSON (key must be a string)"]);
    check(
        r"%v{json}\n",
        "{\"a\"",
        &["4: the input ends inside of the record, within the JSON of %v"],
    );
    check(r"%v{re[\d+]}\n", "1\nx\n", &["null = '1'", "2: %v does not match its expression"]);
    check(r"%v{re[\d*]}", "1x", &["null = '1'", "1: the format matches nothing here"]);
    let deep = "[".repeat(100_000);
    check_bytes(
        "%v{json}",
        deep.as_bytes(),
        &["100000: the input ends inside of the record, within the JSON of %v"],
    );
}

#[test]
fn what_cannot_be_decoded_costs_one_record() {
    check(
        r"%v{hex}\n",
        "61\n6\nzz\n62\n",
        &["null = 'a'", "3: %v is not hexadecimal", "5: %v is not hexadecimal", "null = 'b'"],
    );
    check(r"%k:%v{base64}\n", "k:!\n:Yg==", &["2: %v is not base64", "'' = 'b'"]);
    check(
        r"%p %v\n",
        "-2 a\n4294967296 b\n",
        &["0: %p is -2, which is no partition", "5: %p is 4294967296, which is no partition"],
    );
}

#[test]
fn empty_is_null_where_it_is_asked_for() {
    let pattern = Pattern::parse(r"%k:%v\n", true).unwrap();
    assert_eq!(shown(&pattern.read(b":\n").unwrap()), "null = null");
}

#[test]
fn formats_that_cannot_be_read_say_why() {
    let check = |format: &str, want: &str| {
        let error = Pattern::parse(format, false).unwrap_err();
        assert!(error.starts_with(want), "{format}: {error}");
    };
    check("", "the format reads nothing from the input; -f '%v\\n' reads lines");
    check("%V{3}", "the format reads nothing");
    check("%q", "'%q' cannot be read; use %v value");
    check("%a{compression}", "'%a' cannot be read");
    check("%k%v", "nothing says where %k ends before %v; put text");
    check("%v%V", "nothing says where %v ends before %V");
    check("%v %V", "the length %V comes after what it measures");
    check("%V%S%v", "%S is a length that was given before");
    check("%v{nope}", "%v{nope…: use hex, base64, json or re[…]");
    check("%V{nope}%v", "%V{nope}: use ascii, ");
    check("%V{hex}%v", "%V{hex} has no end; read hex64");
    check("%p{3}%v", "%p{3}: use ascii, ");
    check("%d{strftime[%F]} %v", "%d{strftime…} cannot be read; a time is read in milliseconds");
    check("%V%v{json}", "%v{json} has a length before it already");
    check("%v{re[(]}", "{re[(]}: unclosed group");
    check("%h", "%h needs a format for each header");
    check("%h{%k;}", "%h{…} needs the number of headers before it");
    check("%H%h{%k}", "nothing says where %k ends inside %h{%k}");
    check("%H%h{%p;}", "'%p' is no part of a header");
    check("%H%h{%t;}", "inside %h{%t;} there are %k %K %v and %V");
}

#[test]
fn a_number_that_comes_byte_by_byte_is_the_same() {
    for text in ["-0", "-1.5e+3 2", "1e", "-", "-x", "[-1]", "1.", "{\"a\":-2}7"] {
        let (slow, at_once) =
            ([1, 2].map(|d| read("%v{json}", text.as_bytes(), d)), text.as_bytes());
        let want = read("%v{json}", at_once, 1 << 20);
        assert_eq!(slow, [want.clone(), want], "{text}");
    }
}

proptest! {
    #[test]
    fn no_input_is_read_out_of_bounds(
        format in prop::sample::select(vec![
            r"%v\n", r"%k:%v--", "%V{big32}%v", "%V %v", "%v{json}", "%H%h{%k=%v;}%v;",
            "%K{hex4}%k%R%s", "%v{re[a*b]};", "%V{bool}%v{hex}", "%p%d;%v{base64},",
        ]),
        input in prop::collection::vec(
            prop::sample::select(b"\n:-ab012;=,\0{}[]\"tf".to_vec()), 0..60,
        ),
        drip in 1..20usize,
    ) {
        prop_assert_eq!(read(format, &input, drip), read(format, &input, 1 << 20));
    }
}
