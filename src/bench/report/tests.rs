//! One result, rendered by each exporter.

use std::time::Duration;

use super::super::Findings;
use super::super::disk::Syncs;
use super::super::gate::Gate;
use super::super::measure::{Batches, Measured, Recorded, Used, Window};
use super::super::metric;
use super::super::plan::{Acks, Compression, Extent, Load, Pace, Payload, Plan, Workload};
use super::super::verify::{Account, Faults};
use super::document::{Brokers, Case, Document, Host, Run, Versions};
use super::table::table;
use super::*;

pub const PRODUCE: Workload = Workload::Produce { pace: Pace::Rate(2000.0) };

/// A result of so many runs, each a tenth faster than the one before.
pub fn document(workload: Workload, faults: Faults, runs: u32) -> Document {
    let gates = ["records/s<1000", "records/s<1M"].map(|text| Gate::parse(text, workload).unwrap());
    let runs = (0..runs).map(|turn| run(workload, faults, 500 - 50 * u64::from(turn))).collect();
    let brokers = Brokers { addresses: None, durability: Some("os".into()) };
    let memory_bytes = Some(4 << 30);
    let host =
        Host { os: "Linux 6.1 x86_64".into(), cpu: "Fast CPU".into(), cores: 2, memory_bytes };
    Document {
        schema: document::SCHEMA.into(),
        started: "2026-01-31T08:00:00Z".into(),
        command: vec!["kaw".into(), "bench".into(), "produce".into()],
        host,
        versions: Versions { kaw: "0.1.0".into(), librdkafka: "2.12.1".into() },
        results: vec![Case::new(workload.name(), &plan(workload), brokers, runs, &gates)],
    }
}

fn run(workload: Workload, faults: Faults, ms: u64) -> Run {
    let mut recorded = Recorded::default();
    if workload.has_latency() {
        for micros in 1..=1000 {
            let at = Duration::from_micros(micros * ms);
            recorded.note(at, 104_857, Duration::from_micros(micros));
        }
    }
    let (client, broker) = (250, 100);
    let used =
        |ms, mib: u64| Used { cpu: Duration::from_millis(ms), memory_peak_bytes: Some(mib << 20) };
    let mut syncs = Syncs::of(20, 1000);
    (1..=100).for_each(|_| syncs.latencies.record(Duration::from_millis(1)));
    let measured = Measured {
        warmup_records: 100,
        window: Window { records: 1000, bytes: 104_857_600, time: Duration::from_millis(ms) },
        recorded,
        client: used(client, 3),
        broker: Some(used(broker, 5)),
        batches: Some(Batches { records: 9.5, bytes: 500_000.0, compression: 2.0 }),
        fdatasync: vec![syncs],
    };
    let account = Account { sent: 1100, verified: 1100 - faults.lost, faults };
    let findings = Findings { measured, account, why: None };
    Run::new("2026-01-31T08:00:01Z".into(), Some("kaw-bench-1".into()), &findings)
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
    Plan { workload, load, warmup: measured.tenth(), measured, seed: 7, settings: vec![] }
}

#[test]
fn the_table_says_what_was_measured() {
    let want = "\
produce   1000 records, 100.0 MiB in 0.500 s, after 100 as warm-up
load      records=1000, warmup=100, record-size=104857, partitions=6, compression=lz4, \
payload=text, keys=50, seed=7, producers=1, acks=all, rate=2000
brokers   an ephemeral built-in broker (durability os), topic kaw-bench-1
rate      records/s 2k, bytes/s 200MiB
latency   p50 500µs, p90 900µs, p95 950µs, p99 990µs, p99.9 999µs, p99.99 1ms, max 1ms
client    cpu 250ms, memory 3MiB
broker    broker-cpu 100ms, broker-memory 5MiB
batches   9.5 records and 488.3 KiB each, 2.00:1
disk      write and fdatasync of 20 batches (19.5 KiB): p50 1ms, p99 1ms; the run has \
0.0 times as many at 1.0 times the p99
records   1100 sent, 1100 verified, none lost, duplicated, reordered or corrupted
passed    records/s<1000: records/s is 2k
failed    records/s<1M: records/s is 2k
note      latency is from when a send was due to the delivery report
note      records/s and bytes/s (keys and values, uncompressed) count from the first send to \
the last delivery report
host      Fast CPU, 2 cores, 4.0 GiB, Linux 6.1 x86_64
versions  kaw 0.1.0, librdkafka 2.12.1
";
    assert_eq!(table(&document(PRODUCE, Faults::default(), 1)), want);
}

#[test]
fn several_runs_show_how_far_they_lie_apart() {
    let text = table(&document(PRODUCE, Faults::default(), 6));
    let has = |line: &str| assert!(text.lines().any(|is| is.starts_with(line)), "{line}\n{text}");
    has("produce        6 runs; the first: 1000 records, ");
    has("records/s      median 2.68k, 2k to 4k, 95 % sure: 2k to 4k");
    has("p99            median 990µs, 990µs to 990µs, 95 % sure: ");
    has("failed         records/s<1M: records/s is 2.68k");
    let text = table(&document(PRODUCE, Faults::default(), 3));
    assert!(!text.contains("sure"), "{text}");
}

#[test]
fn several_cases_are_a_line_each() {
    let mut document = document(PRODUCE, Faults::default(), 1);
    let consume = super::tests::document(Workload::Consume, Faults::default(), 1);
    document.results.extend(consume.results);
    document.results.iter_mut().for_each(|case| case.gates.truncate(1));
    let want = "\
case     records/s  bytes/s    p50    p99  p99.9    cpu  broker-cpu
produce         2k   200MiB  500µs  990µs  999µs  250ms       100ms
consume         2k   200MiB      -      -      -  250ms       100ms
records   2200 sent, 2200 verified, none lost, duplicated, reordered or corrupted
brokers   an ephemeral built-in broker (durability os)
passed    produce: records/s<1000: records/s is 2k
passed    consume: records/s<1000: records/s is 2k
note      latency is from ";
    let text = table(&document);
    assert!(text.starts_with(want), "{text}");
}

#[test]
fn the_table_names_only_the_faults_there_are() {
    let faults = Faults { lost: 3, reordered: 2, ..Faults::default() };
    let text = table(&document(PRODUCE, faults, 1));
    assert!(text.contains("records   1100 sent, 1097 verified, 3 lost, 2 reordered\n"), "{text}");
}

#[test]
fn records_that_went_wrong_fail_in_every_format() {
    let document = document(PRODUCE, Faults { lost: 3, ..Faults::default() }, 1);
    assert!(!checks::passed(&document));
    let failure = "<failure message=\"of 1100 records 3 lost\">of 1100 records 3 lost</failure>";
    assert!(junit::junit(&document).contains(failure));
    assert!(html::html(&document).contains("<title>kaw bench: failed</title>"));
    let row = "| **failed** | every record is whole | of 1100 records 3 lost |\n";
    assert!(markdown(&document).contains(row));
}

#[test]
fn a_rate_that_was_not_reached_is_said() {
    let slow = Workload::Produce { pace: Pace::Rate(50_000.0) };
    let text = table(&document(slow, Faults::default(), 1));
    assert!(text.contains("note      of 50000 records/s asked for, 2000 were reached\n"), "{text}");
}

#[test]
fn a_consumer_has_no_latency() {
    let document = document(Workload::Consume, Faults::default(), 1);
    let text = table(&document);
    assert!(!text.contains("latency"), "{text}");
    assert!(text.contains("count from the first fetch to the last record\n"), "{text}");
    assert!(!document.results[0].summary.contains_key("p99"));
    assert!(document.results[0].runs[0].latency_curve.is_empty());
}

#[test]
fn what_is_written_as_json_is_read_back_whole() {
    let faults = Faults { corrupted: 1, ..Faults::default() };
    for document in [document(PRODUCE, faults, 1), document(Workload::Consume, faults, 7)] {
        let text = json::json(&document);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document);
    }
}

#[test]
fn the_schema_names_every_metric() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let names: Vec<_> = metric::all().map(|metric| metric.name).collect();
    assert_eq!(schema["$defs"]["metric"]["enum"], serde_json::json!(names));
    assert_eq!(schema["properties"]["schema"]["const"], document::SCHEMA);
}
