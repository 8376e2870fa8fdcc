//! One result, rendered by each exporter.

use std::time::Duration;

use super::super::gate::Gate;
use super::super::measure::{Latencies, Window};
use super::super::plan::{Acks, Compression, Extent, Load, Pace, Payload, Workload};
use super::super::verify::Faults;
use super::json::{FIELDS, json};
use super::table::table;
use super::*;

fn report(workload: Workload, faults: Faults) -> Report {
    let mut latencies = Latencies::new();
    (1..=1000).for_each(|micros| latencies.record(Duration::from_micros(micros)));
    let latency = match workload {
        Workload::Produce { .. } => latencies.summary(),
        Workload::Consume => None,
    };
    let measured = Measured {
        warmup_records: 100,
        window: Window {
            records: 1000,
            bytes: 104_857_600,
            time: Duration::from_millis(500),
            cpu: Duration::from_millis(250),
        },
        latency,
        memory_peak_bytes: Some(3 << 20),
    };
    let gates = ["records/s<1000", "records/s<1M"].map(|text| Gate::parse(text, workload).unwrap());
    Report {
        plan: plan(workload),
        measured,
        account: Account { sent: 1100, verified: 1100 - faults.lost, faults },
        verdicts: gates.iter().map(|gate| gate.check(&measured)).collect(),
        setting: setting(),
    }
}

fn plan(workload: Workload) -> Plan {
    let load = Load {
        record_size: 104_857,
        partitions: 6,
        producers: 1,
        acks: Acks::All,
        compression: Compression::Lz4,
        payload: Payload::Text,
        keys: Some(50),
    };
    let measured = Extent { records: Some(1000), time: None };
    Plan { workload, load, warmup: measured.tenth(), measured, seed: 7 }
}

fn setting() -> Setting {
    Setting {
        started: "2026-01-31T08:00:00Z".into(),
        command: vec!["kaw".into(), "bench".into(), "produce".into()],
        brokers: None,
        topic: "kaw-bench-1".into(),
        kaw: "0.1.0".into(),
        librdkafka: "2.12.1".into(),
        host: Host {
            os: "Linux 6.1 x86_64".into(),
            cpu: "Fast CPU".into(),
            cores: 2,
            memory_bytes: Some(4 << 30),
        },
    }
}

const PRODUCE: Workload = Workload::Produce { pace: Pace::Rate(2000.0) };

#[test]
fn the_table_says_what_was_measured() {
    let want = "\
produce   1000 records of 104857 bytes in 0.500 s, after 100 as warm-up
load      text payload (seed 7), 50 keys, 6 partitions, 1 producer, acks=all, 2000 records/s, \
compression=lz4
brokers   an ephemeral built-in broker (durability os), topic kaw-bench-1
rate      2000 records/s, 200.0 MiB/s
latency   p50 0.500 ms, p90 0.900 ms, p95 0.950 ms, p99 0.990 ms, p99.9 0.999 ms, \
p99.99 1.000 ms, max 1.000 ms
client    0.25 s CPU in the window, 3.0 MiB peak memory
records   1100 sent, 1100 verified, none lost, duplicated, reordered or corrupted
passed    records/s<1000: records/s is 2k
failed    records/s<1M: records/s is 2k
note      latency is from when a send was due to the delivery report
note      records/s and bytes/s (keys and values, uncompressed) count from the first send to \
the last delivery report
host      Fast CPU, 2 cores, 4.0 GiB, Linux 6.1 x86_64
versions  kaw 0.1.0, librdkafka 2.12.1
";
    assert_eq!(table(&report(PRODUCE, Faults::default())), want);
}

#[test]
fn the_table_names_only_the_faults_there_are() {
    let faults = Faults { lost: 3, reordered: 2, ..Faults::default() };
    let text = table(&report(PRODUCE, faults));
    assert!(text.contains("records   1100 sent, 1097 verified, 3 lost, 2 reordered\n"), "{text}");
}

#[test]
fn a_rate_that_was_not_reached_is_said() {
    let slow = Workload::Produce { pace: Pace::Rate(50_000.0) };
    let text = table(&report(slow, Faults::default()));
    assert!(text.contains("note      of 50000 records/s asked for, 2000 were reached\n"), "{text}");
}

#[test]
fn a_consumer_has_no_latency() {
    let report = report(Workload::Consume, Faults::default());
    let text = table(&report);
    assert!(!text.contains("latency"), "{text}");
    assert!(text.contains("count from the first fetch to the last record\n"), "{text}");
    assert_eq!(json(&report)["latency_us"], serde_json::Value::Null);
}

#[test]
fn the_json_has_every_field_under_its_name() {
    let faults = Faults { corrupted: 1, ..Faults::default() };
    let want = serde_json::json!({
        "workload": "produce",
        "parameters": {
            "measured": { "records": 1000, "seconds": null },
            "warmup": { "records": 100, "seconds": null },
            "record_size": 104857,
            "partitions": 6,
            "producers": 1,
            "acks": "all",
            "compression": "lz4",
            "payload": "text",
            "keys": 50,
            "rate": 2000.0,
        },
        "seed": 7,
        "command": ["kaw", "bench", "produce"],
        "started": "2026-01-31T08:00:00Z",
        "topic": "kaw-bench-1",
        "brokers": null,
        "host": {
            "os": "Linux 6.1 x86_64",
            "cpu": "Fast CPU",
            "cores": 2,
            "memory_bytes": 4294967296_u64,
        },
        "versions": { "kaw": "0.1.0", "librdkafka": "2.12.1" },
        "window": {
            "records": 1000, "bytes": 104857600, "seconds": 0.5, "warmup_records": 100,
        },
        "throughput": { "records_per_s": 2000.0, "bytes_per_s": 209715200.0 },
        "latency_us": {
            "min": 1, "mean": 500, "p50": 500, "p90": 900, "p95": 950, "p99": 990,
            "p99_9": 999, "p99_99": 1000, "max": 1000,
        },
        "client": { "cpu_seconds": 0.25, "memory_peak_bytes": 3145728 },
        "records": {
            "sent": 1100, "verified": 1100, "failed": 0, "lost": 0, "duplicated": 0,
            "reordered": 0, "corrupted": 1,
        },
        "gates": [
            { "fail_if": "records/s<1000", "metric": "records/s", "value": 2000.0,
              "failed": false },
            { "fail_if": "records/s<1M", "metric": "records/s", "value": 2000.0,
              "failed": true },
        ],
        "notes": [
            "latency is from when a send was due to the delivery report",
            "records/s and bytes/s (keys and values, uncompressed) count from the first send to \
             the last delivery report",
        ],
    });
    assert_eq!(json(&report(PRODUCE, faults)), want);
}

#[test]
fn every_field_is_explained() {
    let json = json(&report(PRODUCE, Faults::default()));
    let names = json.as_object().unwrap().keys();
    let explained =
        FIELDS.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let explained = explained.filter_map(|line| line.split_whitespace().next());
    assert_eq!(names.collect::<Vec<_>>(), explained.collect::<Vec<_>>());
}
