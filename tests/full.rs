//! A data directory whose disk fills up under a running broker, and is given room again.

use std::fs;

use crate::harness::raw::{Raw, produce, records};
use crate::harness::{SmallDisk, until};

/// Kafka's number for KAFKA_STORAGE_ERROR.
const STORAGE_ERROR: i16 = 56;

/// 64 KiB that no other record has.
fn value(number: usize) -> String {
    format!("{number:08}{}", "x".repeat(64 << 10))
}

fn send(raw: &mut Raw, acks: i16, number: usize) -> i16 {
    let answer = raw.call(&produce("t", acks, &[value(number)]), 9).unwrap();
    answer.responses[0].partition_responses[0].error_code
}

it!(a_full_disk_refuses_writes_serves_reads_and_goes_on_when_there_is_room, |kaw| {
    let Some(disk) = SmallDisk::mount(kaw, 64) else { return };
    let data = disk.0.join("data");
    fs::create_dir(&data).unwrap();
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![0; 32 << 20]).unwrap();
    let broker = kaw.broker_on(&data);
    kaw.ok(&format!("topic create -b {} t", broker.address));
    let mut raw = Raw::open(&broker.address).unwrap();
    let mut taken = Vec::new();
    let mut number = 0;
    // Full, given room, full again: what is refused is refused whole, and nothing taken is lost.
    for turn in 0..3 {
        let before = taken.len();
        let until_full = (0..2000).find_map(|_| {
            number += 1;
            match send(&mut raw, if number % 2 == 0 { -1 } else { 1 }, number) {
                0 => {
                    taken.push(number);
                    None
                }
                code => Some(code),
            }
        });
        assert_eq!(until_full, Some(STORAGE_ERROR), "turn {turn}");
        assert!(before + 50 < taken.len(), "turn {turn}: there was room for {taken:?}");
        assert_eq!(send(&mut raw, -1, 0), STORAGE_ERROR);
        assert_eq!(send(&mut raw, 1, 0), STORAGE_ERROR);
        let there = records(&mut raw, "t").unwrap().into_iter().enumerate();
        let there = there.map(|(at, (offset, value))| {
            assert_eq!(at as i64, offset);
            value[..8].parse::<usize>().unwrap()
        });
        assert_eq!(there.collect::<Vec<_>>(), taken, "turn {turn}");
        let left = fs::metadata(&ballast).unwrap().len() - (8 << 20);
        fs::OpenOptions::new().write(true).open(&ballast).unwrap().set_len(left).unwrap();
    }
    assert_eq!(send(&mut raw, -1, number + 1), 0);
    taken.push(number + 1);
    broker.stop();
    let broker = kaw.broker_on(&data);
    let all = records(&mut Raw::open(&broker.address).unwrap(), "t").unwrap();
    assert_eq!(all.len(), taken.len());
    broker.stop();
});

it!(a_group_on_a_full_disk_is_told_why_it_waits_and_goes_on_when_there_is_room, |kaw| {
    let Some(disk) = SmallDisk::mount(kaw, 12) else { return };
    let data = disk.0.join("data");
    fs::create_dir(&data).unwrap();
    let broker = kaw.broker_on(&data);
    let here = |line: &str| kaw.cmd(line).env("KAW_DATA_DIR", &data);
    here("produce -q t").stdin("one\ntwo\n").run().ok();
    // The topic of offsets is there; a partition of it that nobody used takes no record any more.
    here("consume -e t -g before").run().ok();
    let ballast = disk.0.join("ballast");
    let _ = fs::write(&ballast, vec![0; 12 << 20]);
    let member = here("consume -e t -g g").start();
    member.until_err("group 'g' has given it no partitions yet, and its broker says: ");
    member.until_err("__consumer_offsets");
    // It tried again and again, as once did librdkafka some thousand times a second.
    let status = here("broker status -J").run().ok().out();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let client = |client: &&serde_json::Value| client["client_id"] == "kaw";
    let requests = status["clients"].as_array().unwrap().iter().filter(client);
    let requests: u64 = requests.map(|client| client["requests"].as_u64().unwrap()).sum();
    assert!(0 < requests && requests < 100, "{status}");
    fs::remove_file(&ballast).unwrap();
    let done = member.done().ok();
    assert_eq!(done.out(), "one\ntwo\n");
    let log = broker.stop().err();
    let said = log.lines().filter(|line| line.contains("cannot append")).count();
    assert!(0 < said && said < 10, "{log}");
});

it!(what_is_deleted_makes_room_on_a_full_disk, |kaw| {
    let Some(disk) = SmallDisk::mount(kaw, 12) else { return };
    let data = disk.0.join("data");
    fs::create_dir(&data).unwrap();
    let broker = kaw.broker_on(&data);
    kaw.ok(&format!("topic create -b {} t -c segment.bytes=1048576", broker.address));
    let mut raw = Raw::open(&broker.address).unwrap();
    let taken = (0..2000).take_while(|number| send(&mut raw, 1, *number) == 0).count();
    assert!(60 < taken, "there was room for {taken}");
    // What goes first is in a checkpoint: it is made some seconds after the first record.
    let checkpoint = data.join("t-0/kaw-checkpoint");
    until("a checkpoint", || fs::metadata(&checkpoint).ok());
    // Not a byte is left, also not for small files.
    let _ = fs::write(disk.0.join("ballast"), vec![0; 12 << 20]);
    assert_eq!(send(&mut raw, 1, 0), STORAGE_ERROR);
    kaw.ok(&format!("topic trim -b {} t --to {taken}", broker.address));
    assert_eq!(send(&mut raw, -1, taken), 0);
    assert_eq!(records(&mut raw, "t").unwrap().len(), 1);
    broker.stop();
    kaw.ok(&format!("log verify {}", data.display()));
});
