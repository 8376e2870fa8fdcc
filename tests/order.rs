//! The order of the input: whatever a topic refuses, the rest lies in it as it came.

use std::fmt::Write;
use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::harness::{Kaw, until};

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

it!(a_broker_that_never_tells_its_settings_costs_no_record, |kaw| {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let broker = kaw.broker(&format!("--advertise {address}"));
    let real = broker.address.clone();
    std::thread::spawn(move || {
        for client in proxy.incoming().flatten() {
            let Ok(broker) = TcpStream::connect(&real) else { return };
            let (mut back, mut out) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || io::copy(&mut back, &mut out));
            std::thread::spawn(move || {
                let _ = pass_on(&client, &broker);
                let _ = (client.shutdown(Shutdown::Both), broker.shutdown(Shutdown::Both));
            });
        }
    });
    kaw.ok(&format!("topic create t -b {address} -c max.message.bytes=20000"));
    // Every refusal is a reason to ask for the settings.
    let Case { lines, good, .. } = too_large(200_000);
    let line = format!("produce t -b {address}");
    let done = kaw.cmd(&line).stdin(lines).within(LIMIT).run().code(1);
    done.says("read 200000 = delivered 199600 + failed 400");
    let back = kaw.ok(&format!("consume -e t -b {address}"));
    // Which batches were behind a refused one nobody knew.
    let (mut back, mut good): (Vec<_>, Vec<_>) = (back.lines().collect(), good.lines().collect());
    back.sort_unstable();
    good.sort_unstable();
    assert!(back == good, "{} of {}", back.len(), good.len());
    broker.stop();
});

/// Passes requests on, but for those for settings (DescribeConfigs).
fn pass_on(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut frame)?;
        if !frame.starts_with(&[0, 32]) {
            to.write_all(&[&length[..], &frame].concat())?;
        }
    }
}
