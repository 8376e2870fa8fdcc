//! The main job in an empty home, with no broker anywhere: lines in, the same lines out.

use std::fmt::Write;
use std::time::Duration;

it!(a_million_lines_come_back_in_order_with_nothing_running, |kaw| {
    let mut lines = String::new();
    (1..=1_000_000).for_each(|n| writeln!(lines, "{n}").unwrap());
    let pipeline = "seq 1 1000000 | kaw produce numbers && kaw consume -e numbers";
    kaw.sh(pipeline).within(Duration::from_secs(120)).run().ok().prints(&lines);
});

it!(any_bytes_come_back_the_same, |kaw| {
    let mut bytes =
        b"\n \n\t\n\0\na\0b\n\xff\xfe\xc3\x28\n\r\n\\n\\x00\n%s%%\n{\"a\":1}\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'L', 900 << 10));
    bytes.extend_from_slice(b"\nlast, without its end");
    kaw.cmd("produce bytes").stdin(bytes.clone()).run().ok();
    bytes.push(b'\n');
    let back = kaw.cmd("consume -e bytes").run().ok();
    assert!(back.stdout == bytes, "not the same bytes: {back}");
});

it!(any_bytes_come_back_the_same_over_every_codec_and_as_json, |kaw| {
    let mut lines: Vec<u8> = (0..=255u8).filter(|&byte| byte != b'\n').collect();
    lines.push(b'\n');
    let lines = lines.repeat(50);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        kaw.cmd(&format!("produce {codec} -z {codec}")).stdin(lines.clone()).run().ok();
        let json = kaw.ok(&format!("consume -e -J {codec}"));
        kaw.cmd(&format!("produce {codec}-again -J")).stdin(json.clone()).run().ok();
        let again = kaw.ok(&format!("consume -e -J {codec}-again"));
        assert_eq!(json, again.replace("-again", ""), "{codec}");
        let back = kaw.cmd(&format!("consume -e {codec}-again")).run().ok();
        assert!(back.stdout == lines, "{codec}: not the same bytes: {back}");
    }
});

it!(a_reader_that_leaves_early_ends_it_quietly, |kaw| {
    kaw.sh("seq 1 100000 | kaw produce t").run().ok();
    let done = kaw.sh("kaw consume t | head -3").run().ok().prints("1\n2\n3\n");
    assert_eq!(done.err(), "");
});

it!(two_first_commands_share_one_broker, |kaw| {
    let script = "echo a | kaw produce a & echo b | kaw produce b & wait";
    kaw.sh(script).run().ok();
    assert_eq!(kaw.ok("consume -e a"), "a\n");
    assert_eq!(kaw.ok("consume -e b"), "b\n");
    assert_eq!(kaw.processes().len(), 1, "one broker for all");
});
