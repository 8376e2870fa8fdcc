//! The order of the input: whatever a topic refuses, the rest lies in it as it came.

use std::fmt::Write;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::{Broker, Kaw, until};

const WAYS: [&str; 4] = ["", "--acks 1", "-z gzip", "-z gzip --acks 1"];
const LIMIT: Duration = Duration::from_secs(60);

/// What is sent to a topic of this setting, and what it takes of that.
struct Case {
    setting: &'static str,
    options: &'static str,
    lines: String,
    good: String,
    /// What is said of those that it does not take.
    reason: &'static str,
}

// The first few thousand are librdkafka's to place, the rest go to it by the batch.
it!(a_key_stays_in_its_partition_and_each_partition_in_order_however_many_come, |kaw| {
    let keyed: String = (0..40_000).fold(String::new(), |mut lines, n| {
        let _ = writeln!(lines, "{}:{n}", n * 7 % 101);
        lines
    });
    kaw.ok("topic create t -p 3");
    for (options, input) in [
        ("-K :", keyed.as_str()),
        ("-K : --partitioner consistent_random", &keyed),
        ("", &keyed.replace(':', "x")),
    ] {
        kaw.ok("topic trim t --to end");
        kaw.cmd(&format!("produce t {options}")).stdin(input).run().ok();
        let out = kaw.ok(r"consume -e t -f '%p %k %s\n'");
        let mut partitions = std::collections::BTreeMap::<&str, &str>::new();
        let mut last = std::collections::BTreeMap::<&str, i64>::new();
        for line in out.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let [partition, key, value] = words[..] else { panic!("{line}") };
            let number = value.rsplit('x').next().expect("one at least").parse().expect(line);
            let before = last.insert(partition, number);
            assert!(
                before.is_none_or(|before| before < number),
                "{options}: {line} after {before:?}"
            );
            if !key.is_empty() {
                assert_eq!(
                    *partitions.entry(key).or_insert(partition),
                    partition,
                    "{options}: {line}"
                );
            }
        }
        let keys = if options.is_empty() { 0 } else { 101 };
        assert_eq!((out.lines().count(), partitions.len()), (40_000, keys), "{options}");
    }
});

it!(what_a_topic_refuses_leaves_the_rest_in_order, |kaw| {
    let broker = kaw.broker("");
    for case in [too_large(100_000), without_key(), untimely()] {
        check(kaw, &broker.address, &case);
    }
    broker.stop();
});

it!(what_an_apache_kafka_refuses_leaves_the_rest_in_order, |kaw| {
    let Some(apache) = kaw.apache() else { return };
    for case in [too_large(100_000), without_key(), untimely()] {
        check(kaw, &apache.address, &case);
    }
    apache.stop();
});

#[track_caller]
fn check(kaw: &Kaw, broker: &str, case: &Case) {
    let (read, delivered) = (case.lines.lines().count(), case.good.lines().count());
    // A broker does not say what it refused with acks=0, so only what is sure is left out.
    let is_sure = !case.setting.contains("timestamp");
    for way in WAYS.into_iter().chain(is_sure.then_some("--acks 0")) {
        let what = format!("{} {} {way}", case.setting, case.options);
        kaw.ok(&format!("topic create t -b {broker} -c {}", case.setting));
        let line = format!("produce t -b {broker} {} {way}", case.options);
        let done = kaw.cmd(&line).stdin(case.lines.clone()).within(LIMIT).run().code(1);
        let account = format!("read {read} = delivered {delivered} + failed {}", read - delivered);
        done.says(&account).says(case.reason);
        // With acks=0 nobody waited for the broker to have written it.
        let back = until(&what, || {
            let back = kaw.ok(&format!("consume -e t -b {broker}"));
            (way != "--acks 0" || back.len() == case.good.len()).then_some(back)
        });
        let differs = back.lines().zip(case.good.lines()).find(|(back, good)| back != good);
        assert!(back == case.good, "{what}: first difference: {differs:?}");
        kaw.ok(&format!("topic delete t -b {broker}"));
    }
}

/// Every 500th record is too large, compressed too.
fn too_large(count: u32) -> Case {
    let (mut lines, mut good, mut seed) = (String::new(), String::new(), 1_u32);
    for number in 0..count {
        if number % 500 == 77 {
            let noise = (0..40_000).map(|_| noise(&mut seed));
            writeln!(lines, "{}", noise.collect::<String>()).unwrap();
            continue;
        }
        writeln!(lines, "{number}").unwrap();
        writeln!(good, "{number}").unwrap();
    }
    let reason = "larger than topic t takes, 19.5 KiB a batch; `kaw topic alter t -c max";
    Case { setting: "max.message.bytes=20000", options: "", lines, good, reason }
}

/// One of 64 letters, which no codec makes less than three quarters of.
fn noise(seed: &mut u32) -> char {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    char::from(b'0' + (*seed >> 26) as u8)
}

fn without_key() -> Case {
    let (mut lines, mut good) = (String::new(), String::new());
    for number in 0..20_000 {
        if number % 7 == 3 || (500..600).contains(&(number % 5000)) {
            writeln!(lines, "{number}").unwrap();
        } else {
            writeln!(lines, "k{number}:{number}").unwrap();
            writeln!(good, "{number}").unwrap();
        }
    }
    let reason = "kaw: record 4: topic t is compacted and takes no record without a key";
    Case { setting: "cleanup.policy=compact", options: "-K :", lines, good, reason }
}

/// Some are hours too old, some too old by a little, some near enough to the limit to be suspects.
fn untimely() -> Case {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let (mut lines, mut good) = (String::new(), String::new());
    for number in 0..20_000_u64 {
        let age_s = match number % 100 {
            13 | 14 | 59 => 20_000,
            77 => 7_210,
            78 => 7_000,
            _ => number % 3000,
        };
        let time = now - age_s * 1000;
        writeln!(lines, "{{\"value\":\"{number}\",\"timestamp\":{time}}}").unwrap();
        if age_s < 7_200 {
            writeln!(good, "{number}").unwrap();
        }
    }
    let reason = "its timestamp is farther in the past than topic t takes";
    Case { setting: "message.timestamp.before.max.ms=7200000", options: "-J", lines, good, reason }
}

it!(a_topic_of_an_apache_kafka_that_changes_meanwhile_costs_no_record, |kaw| {
    let Some(apache) = kaw.apache() else { return };
    for way in ["", "--acks 1"] {
        changed_meanwhile(kaw, &apache.address, way);
    }
    apache.stop();
});

it!(a_transaction_of_an_apache_kafka_keeps_what_came_before_the_settings_were_known, |kaw| {
    let Some(apache) = kaw.apache() else { return };
    let broker = &apache.address;
    kaw.ok(&format!("topic create t -b {broker} -c max.message.bytes=20000"));
    let lines: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    let line = format!("produce t -b {broker} --transactional");
    kaw.cmd(&line).stdin(lines.clone()).within(LIMIT).run().code(0).says("delivered 50000");
    let back = kaw.ok(&format!("consume -e t -b {broker}"));
    assert!(back == lines, "{} of 50000", back.lines().count());
    apache.stop();
});

/// What is known of the topic's settings is wrong from the second line on.
fn changed_meanwhile(kaw: &Kaw, broker: &str, way: &str) {
    kaw.ok(&format!("topic create t -b {broker}"));
    let line = format!("produce t -b {broker} {way}");
    let mut writer = kaw.cmd(&line).within(LIMIT).stdin_open().start();
    writer.write("first\n");
    until("the first line", || {
        (kaw.ok(&format!("consume -e t -b {broker}")) == "first\n").then_some(())
    });
    kaw.ok(&format!("topic alter t -c max.message.bytes=20000 -b {broker}"));
    let Case { lines, good, .. } = too_large(20_000);
    writer.write(&lines);
    writer.close_stdin();
    writer.done().code(1).says("read 20001 = delivered 19961 + failed 40").says("19.5 KiB a batch");
    let back = kaw.ok(&format!("consume -e t -b {broker}"));
    // A batch that was under way at that moment may come before what is sent again.
    let mut back: Vec<&str> = back.lines().collect();
    let mut want: Vec<&str> = ["first"].into_iter().chain(good.lines()).collect();
    back.sort_unstable();
    want.sort_unstable();
    assert!(back == want, "{} of {}", back.len(), want.len());
    kaw.ok(&format!("topic delete t -b {broker}"));
}

/// What becomes of a request for settings (DescribeConfigs) on its way.
#[derive(Clone, Copy, PartialEq)]
enum Question {
    Lost,
    Denied,
    Late,
    /// Not settings but ends are asked for (ListOffsets), and nobody answers.
    OfEnds,
}

const LATE: Duration = Duration::from_millis(1500);

it!(what_is_refused_by_rules_that_nobody_tells_leaves_the_rest_in_order, |kaw| {
    for (question, way) in [
        (Question::Lost, ""),
        (Question::Denied, ""),
        (Question::Denied, "--acks 1"),
        // Nothing is sent behind the question as long as it is open.
        (Question::Lost, "-X max.in.flight.requests.per.connection=1 -X socket.timeout.ms=2000"),
    ] {
        let (broker, address) = broker_behind_a_proxy(kaw, question);
        kaw.ok(&format!("topic create t -b {address} -c max.message.bytes=20000"));
        let Case { lines, good, .. } = too_large(100_000);
        let line = format!("produce t -b {address} {way}");
        let done = kaw.cmd(&line).stdin(lines).within(LIMIT).run().code(1);
        done.says("read 100000 = delivered 99800 + failed 200");
        let back = kaw.ok(&format!("consume -e t -b {address}"));
        let differs = back.lines().zip(good.lines()).find(|(back, good)| back != good);
        assert!(back == good, "{way}: first difference: {differs:?}");
        kaw.ok(&format!("topic delete t -b {address}"));
        broker.stop();
    }
});

it!(a_question_without_an_answer_costs_no_connection, |kaw| {
    let (broker, address) = broker_behind_a_proxy(kaw, Question::Lost);
    kaw.ok(&format!("topic create t -b {address}"));
    let line = format!("produce t -vv -b {address} --acks 1 -X socket.timeout.ms=2000");
    let mut writer = kaw.cmd(&line).within(LIMIT).stdin_open().start();
    let start = Instant::now();
    let mut count = 0;
    until("the question's time is over", || {
        writer.write("line\n");
        count += 1;
        (Duration::from_secs(4) < start.elapsed()).then_some(())
    });
    writer.close_stdin();
    let done = writer.done().code(0).says(&format!("delivered {count} + failed 0"));
    assert!(!done.err().contains("imed out"), "{}", done.err());
    broker.stop();
});

it!(an_end_that_nobody_tells_is_not_the_end, |kaw| {
    let (broker, address) = broker_behind_a_proxy(kaw, Question::OfEnds);
    kaw.cmd(&format!("produce t -b {address}")).stdin("one\n").run().ok();
    for line in ["consume t -e", "topic offsets t", "consume t -o 0..1"] {
        let line = format!("{line} -b {address} --connect-timeout 1s");
        let said = kaw.cmd(&line).within(LIMIT).run().fails(1);
        assert!(said.contains(&address), "{said}");
    }
    broker.stop();
});

it!(without_acks_nothing_is_sent_before_the_settings_are_there, |kaw| {
    let (broker, address) = broker_behind_a_proxy(kaw, Question::Late);
    kaw.ok(&format!("topic create t -b {address} -c max.message.bytes=20000"));
    let Case { lines, good, .. } = too_large(2000);
    let line = format!("produce t -b {address} --acks 0");
    kaw.cmd(&line).stdin(lines).within(LIMIT).run().code(1).says("failed 4");
    until("all that is good", || {
        (kaw.ok(&format!("consume -e t -b {address}")) == good).then_some(())
    });
    broker.stop();
});

it!(without_acks_and_settings_it_is_said_that_nobody_tells_what_is_refused, |kaw| {
    for (question, way, why) in [
        (Question::Denied, "", "Cluster authorization failed"),
        (Question::Lost, "-X delivery.timeout.ms=1000", "does not answer DescribeConfigs"),
    ] {
        let (broker, address) = broker_behind_a_proxy(kaw, question);
        kaw.ok(&format!("topic create t -b {address}"));
        let line = format!("produce t -b {address} --acks 0 {way}");
        let done = kaw.cmd(&line).stdin("one\ntwo\n").within(LIMIT).run().code(0);
        let said = "with --acks 0 nobody tells what is refused";
        assert_eq!(done.err().matches(said).count(), 1, "{}", done.err());
        done.says("kaw: the limits of topic t are not known (").says(why);
        until("both", || {
            (kaw.ok(&format!("consume -e t -b {address}")) == "one\ntwo\n").then_some(())
        });
        kaw.ok(&format!("topic delete t -b {address}"));
        broker.stop();
    }
});

fn broker_behind_a_proxy(kaw: &Kaw, question: Question) -> (Broker, String) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let broker = kaw.broker(&format!("--advertise {address}"));
    let real = broker.address.clone();
    std::thread::spawn(move || {
        for client in proxy.incoming().flatten() {
            let Ok(broker) = TcpStream::connect(&real) else { return };
            std::thread::spawn(move || {
                let back = Mutex::new(&client);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        let _ = frames(&broker, |frame| send(&back, frame));
                        let _ = client.shutdown(Shutdown::Both);
                    });
                    let _ = frames(&client, |frame| match (&frame[..2], question) {
                        ([0, 32], Question::Lost) | ([0, 2], Question::OfEnds) => Ok(()),
                        ([0, 32], Question::Denied) => send(&back, &denied(frame)),
                        ([0, 32], Question::Late) => {
                            let start = Instant::now();
                            until("time", || (LATE < start.elapsed()).then_some(()));
                            send(&Mutex::new(&broker), frame)
                        }
                        _ => send(&Mutex::new(&broker), frame),
                    });
                    let _ = broker.shutdown(Shutdown::Both);
                });
            });
        }
    });
    (broker, address)
}

fn frames(mut from: &TcpStream, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut frame)?;
        each(&frame)?;
    }
}

fn send(to: &Mutex<&TcpStream>, frame: &[u8]) -> io::Result<()> {
    let length = (frame.len() as u32).to_be_bytes();
    to.lock().unwrap().write_all(&[&length[..], frame].concat())
}

/// The answer to DescribeConfigs v1 for topic t: CLUSTER_AUTHORIZATION_FAILED.
fn denied(request: &[u8]) -> Vec<u8> {
    assert_eq!(request[2..4], [0, 1], "the version");
    let result = [0, 0, 0, 0, 0, 0, 0, 1, 0, 31, 0xff, 0xff, 2, 0, 1, b't', 0, 0, 0, 0];
    [&request[4..8], &result].concat()
}
