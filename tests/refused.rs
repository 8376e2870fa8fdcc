//! What bad input gets: one line that says what, where and what to do, the right exit code, in
//! time, nothing half done.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use crate::harness::{Kaw, SmallDisk, free_port, until};

/// Beyond `--connect-timeout`, what a command may take to say that it is over.
const SLACK: Duration = Duration::from_secs(5);

/// The command fails with this code within `limit`, and its one line has all of `parts`.
#[track_caller]
fn refused(kaw: &Kaw, line: &str, code: i32, limit: Duration, parts: &[&str]) {
    let done = kaw.cmd(line).stdin("a line\n").run().within(limit + SLACK);
    let said = done.fails(code);
    for part in parts {
        assert!(said.contains(part), "kaw {line}: no '{part}' in: {said}");
    }
}

const EVERY_KIND: [&str; 4] =
    ["produce -q t", "consume -e t", "topic list", "topic create another"];

#[track_caller]
fn all_refused(kaw: &Kaw, brokers: &str, parts: &[&str]) {
    for line in EVERY_KIND {
        let line = format!("{line} -b {brokers} --connect-timeout 2s");
        refused(kaw, &line, 1, Duration::from_secs(2), parts);
    }
}

it!(a_dead_broker_is_named_in_time, |kaw| {
    let address = format!("127.0.0.1:{}", free_port());
    all_refused(kaw, &address, &[&address]);
});

it!(what_is_no_port_is_said_before_anything_is_tried, |kaw| {
    let at_once = Duration::from_secs(1);
    for port in ["abc", "99999", "0", "-1", ""] {
        let line = format!("topic list -b fine:9092,localhost:{port}");
        refused(kaw, &line, 2, at_once, &[&format!("localhost:{port}"), "HOST:PORT"]);
    }
    for brokers in [",", " , ", "a:b:c"] {
        let line = format!("topic list -b '{brokers}'");
        refused(kaw, &line, 2, at_once, &["write HOST:PORT"]);
    }
    refused(
        kaw,
        "topic list -b kafka://h:9092/",
        2,
        at_once,
        &["-b: write h:9092, without kafka://"],
    );
    // No port at all is 9092; a bare address of IPv6 has none.
    for fine in ["no-such-host.invalid", "::1:2:3", "[::1]:1", "PLAINTEXT://127.0.0.1:1"] {
        let line = format!("topic list -b {fine} --connect-timeout 1s");
        refused(kaw, &line, 1, at_once, &[fine]);
    }
});

it!(a_file_of_no_settings_is_wrong_usage, |kaw| {
    fs::write(kaw.path("settings"), "bootstrap.servers\n").unwrap();
    let line = format!("topic list -F {}", kaw.path("settings").display());
    refused(kaw, &line, 2, Duration::from_secs(1), &["settings:1", "KEY=VALUE"]);
});

it!(a_broker_is_told_of_no_brokers, |kaw| {
    for line in ["broker -b localhost:1", "broker run -b localhost:1 -- true"] {
        refused(kaw, line, 2, Duration::from_secs(1), &["-b", "--listen"]);
    }
});

it!(a_name_that_is_no_host_is_named_in_time, |kaw| {
    all_refused(kaw, "no-such-host.invalid:9092", &["no-such-host.invalid"]);
});

it!(a_black_hole_is_named_in_time, |kaw| {
    // It accepts connections, in the kernel, and never says a word.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hole.local_addr().unwrap().to_string();
    all_refused(kaw, &address, &[&address]);
    let line = format!("topic list -b {address} --connect-timeout 1s");
    let why = "(no answer); check that a Kafka broker is at that address";
    refused(kaw, &line, 1, Duration::from_secs(1), &[why]);
});

it!(what_is_no_kafka_is_named_in_time, |kaw| {
    let web = answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    all_refused(kaw, &web, &[&web]);
    let tls = answering(b"\x15\x03\x01\x00\x02\x02\x16");
    all_refused(kaw, &tls, &[&tls]);
});

/// A server that answers whatever comes with these bytes and hangs up.
fn answering(bytes: &'static [u8]) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut client in server.incoming().flatten() {
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(bytes);
        }
    });
    address
}

it!(only_the_record_that_is_too_large_fails, |kaw| {
    let mut lines = b"before\n".to_vec();
    lines.extend(std::iter::repeat_n(b'x', 3 << 20));
    lines.extend_from_slice(b"\nafter\n");
    let done = kaw.cmd("produce t").stdin(lines).run().code(1);
    assert!(done.err().lines().any(|line| line.starts_with("kaw: ")), "{done}");
    assert_eq!(kaw.ok("consume -e t"), "before\nafter\n");
});

it!(nobody_writes_to_the_catalogue_and_nobody_waits_to_hear_it, |kaw| {
    let at_once = Duration::from_secs(2);
    for line in ["produce -q __cluster_metadata", "produce -q __cluster_metadata -p 0"] {
        refused(kaw, line, 1, at_once, &["__cluster_metadata", "let nobody write"]);
    }
});

it!(a_partition_that_cannot_be_opened_is_named_in_time_logged_once_and_comes_back, |kaw| {
    kaw.cmd("produce -q t").stdin("one\ntwo\n").run().ok();
    kaw.ok("broker stop");
    let segment = kaw.data().join("t-0/00000000000000000000.log");
    fs::rename(&segment, kaw.path("kept")).unwrap();
    fs::create_dir(&segment).unwrap();
    let log = kaw.data().join("broker.log");
    let named = ["t-0", log.to_str().unwrap()];
    // Whoever starts the broker hears why as well.
    kaw.ok("topic list");
    // librdkafka asks again in vain for as long as a command lets it.
    for line in ["topic offsets t", "consume -q -e t", "consume -q -e t -g g"] {
        let done = kaw.cmd(line).run().within(Duration::from_secs(5));
        let said = done.fails(1);
        assert!(named.iter().all(|name| said.contains(name)), "kaw {line}: {said}");
    }
    refused(kaw, "produce -q t", 1, Duration::from_secs(2), &["cannot write it"]);
    let lines = fs::read_to_string(&log).unwrap();
    assert_eq!(lines.matches("cannot open log").count(), 1, "{lines}");
    fs::remove_dir(&segment).unwrap();
    fs::rename(kaw.path("kept"), &segment).unwrap();
    let read = until("the partition is tried again", || {
        let done = kaw.cmd("consume -q -e t").run();
        (done.code == 0).then(|| done.out())
    });
    assert_eq!(read, "one\ntwo\n");
});

it!(the_end_of_a_log_that_was_lost_is_no_end, |kaw| {
    kaw.ok("topic create t compacted");
    kaw.ok("topic alter compacted -c cleanup.policy=compact");
    for topic in ["t", "compacted"] {
        kaw.cmd(&format!("produce -q {topic} -K :")).stdin("a:1\n").run().ok();
        kaw.cmd(&format!("produce -q {topic} -K :")).stdin("b:2\n").run().ok();
    }
    kaw.ok("broker stop");
    for topic in ["t", "compacted"] {
        let segment = kaw.data().join(format!("{topic}-0/00000000000000000000.log"));
        let file = fs::File::options().write(true).open(segment).unwrap();
        let bytes = file.metadata().unwrap().len();
        file.set_len(bytes / 2).unwrap();
    }
    for line in ["consume -e t", "consume -e t -g g"] {
        let done = kaw.cmd(line).run().within(Duration::from_secs(20));
        assert_eq!((done.code, done.out().as_str()), (1, "1\n"), "kaw {line}: {done:?}");
        assert!(done.err().contains("t-0: nothing comes of what it has up to its end"), "{done:?}");
    }
    // There it is what compaction does.
    let done = kaw.cmd("consume -e compacted").run();
    assert_eq!((done.code, done.out().as_str()), (0, "1\n"), "{done:?}");
});

it!(what_a_broker_cannot_read_is_no_silence, |kaw| {
    kaw.ok("topic create t -c segment.ms=60000 -c retention.ms=-1");
    for time in [1_700_000_000_000u64, 1_700_003_600_000] {
        kaw.cmd(&format!("produce -q t --timestamp {time}")).stdin("1\n").run().ok();
    }
    kaw.cmd("produce -q u").stdin("2\n").run().ok();
    kaw.ok("broker stop");
    let broker = kaw.broker("");
    // It opens the log, and the segment only for who reads it.
    kaw.ok("topic offsets t");
    let segment = kaw.data().join("t-0/00000000000000000000.log");
    fs::rename(&segment, kaw.path("kept")).unwrap();
    let (nothing, why) = ("t-0: nothing comes from offset 0 on, though", "cannot read topic=t");
    let check = |line: &str, code: i32, out: &str, words: &[&str]| {
        let done = kaw.cmd(line).run().within(Duration::from_secs(30)).code(code);
        let said = done.err();
        assert!(words.iter().all(|words| said.matches(words).count() == 1), "{done}");
        assert_eq!(done.out(), out, "{done}");
    };
    check("consume -g g --idle 1s t", 1, "", &[nothing, why]);
    check("consume --idle 1s t", 1, "", &[nothing, why]);
    check("consume -g h --idle 1s u", 0, "2\n", &[]);
    check("consume -g h --within 15s t u", 124, "", &[nothing, why]);
    check(
        "kcat -C -e -t t",
        1,
        "",
        &["Topic t [0] error: nothing comes of what is before its end"],
    );
    fs::rename(kaw.path("kept"), &segment).unwrap();
    check("consume -g g --idle 1s t", 0, "1\n1\n", &[]);
    broker.stop();
});

it!(a_damaged_batch_is_told_with_what_finds_and_mends_it, |kaw| {
    kaw.cmd("produce -q t").stdin("one\ntwo\n").run().ok();
    kaw.ok("broker stop");
    let segment = kaw.data().join("t-0/00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(segment, bytes).unwrap();
    let at_once = Duration::from_secs(10);
    let data = kaw.data();
    let finds = format!("; `kaw log verify` {} names the file, and after", data.display());
    for line in ["consume -q -e t", "consume -q -g g t"] {
        refused(
            kaw,
            line,
            1,
            at_once,
            &["cannot read t-0: ", "CRC32C", &finds, "`kaw log repair`"],
        );
    }
    kaw.ok("broker stop");
    let broker = kaw.broker("");
    let line = format!("consume -q -e t -b {}", broker.address);
    refused(kaw, &line, 1, at_once, &["`kaw log verify` of the broker's data directory names"]);
    broker.stop();
});

it!(who_reads_the_catalogue_as_a_topic_hears_what_reads_it, |kaw| {
    for line in ["consume -e __cluster_metadata", "consume -g g __cluster_metadata"] {
        let words = ["`kaw log dump --records` reads __cluster_metadata-0"];
        refused(kaw, line, 1, Duration::from_secs(5), &words);
    }
});

it!(a_data_directory_that_cannot_be_is_named, |kaw| {
    let file = kaw.file("a-file", "not a directory");
    for line in ["produce -q t", "consume -e t", "topic list", "broker --listen 127.0.0.1:0"] {
        let limit = Duration::from_secs(1);
        refused(kaw, &format!("{line} --data-dir a-file"), 1, limit, &["a-file"]);
        refused(kaw, &format!("{line} --data-dir a-file/below"), 1, limit, &["a-file"]);
        refused(kaw, &format!("{line} --data-dir /proc/kaw"), 1, limit, &["/proc/kaw"]);
    }
    assert_eq!(fs::read(file).unwrap(), b"not a directory");
});

it!(a_data_directory_without_rights_is_named, |kaw| {
    let closed = kaw.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        // Root writes where it likes; without rights means another user.
        return without_rights_as_nobody(kaw);
    }
    refused(kaw, "produce -q t --data-dir closed/data", 1, Duration::from_secs(1), &["permission"]);
});

fn without_rights_as_nobody(kaw: &Kaw) {
    for dir in [kaw.path(""), kaw.path("home")] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = kaw.path("kaw");
    fs::copy(crate::harness::PROGRAM, &program).unwrap();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let produce = kaw.tool("setpriv").args(nobody).arg(program);
    let done = produce.args(["produce", "t", "--data-dir", "closed/data"]).stdin("a\n").run();
    let said = done.within(SLACK).fails(1);
    assert!(said.contains("closed") && said.contains("ermission denied"), "{said}");
}

it!(a_topic_that_is_not_there_is_said_at_once, |kaw| {
    let now = Duration::from_secs(2);
    refused(kaw, "consume -e nothing", 1, now, &["nothing"]);
    refused(kaw, "topic describe nothing", 1, now, &["nothing"]);
    refused(kaw, "topic delete nothing", 1, now, &["nothing"]);
});

it!(an_offset_outside_the_log_is_said_with_what_there_is, |kaw| {
    kaw.cmd("produce t").stdin("a\nb\n").run().ok();
    refused(kaw, "consume -e t -o 7", 1, Duration::from_secs(2), &["7", "2"]);
});

it!(a_full_disk_is_said_at_once_and_nothing_is_lost, |kaw| {
    let Some(disk) = SmallDisk::mount(kaw, 16) else { return };
    let data = disk.0.join("data");
    let data = data.to_str().unwrap();
    kaw.cmd("produce t").env("KAW_DATA_DIR", data).stdin("first\n").run().ok();
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let lines = format!("{}\n", "x".repeat(1000)).repeat(40_000);
    let done = kaw.cmd("produce t").env("KAW_DATA_DIR", data).stdin(lines).run();
    let done = done.within(Duration::from_secs(20)).code(1);
    assert!(done.err().contains("its disk is full"), "{done}");
    let back = kaw.cmd("consume -e t").env("KAW_DATA_DIR", data).run().ok();
    assert!(back.stdout.starts_with(b"first\nxxx"), "{back}");
    fs::remove_file(ballast).unwrap();
    kaw.cmd("produce t").env("KAW_DATA_DIR", data).stdin("last\n").run().ok();
    let back = kaw.cmd("consume -e t -o -1").env("KAW_DATA_DIR", data).run().ok();
    assert_eq!(back.out(), "last\n");
});
