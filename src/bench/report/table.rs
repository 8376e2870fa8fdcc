//! A result for people: a word at the start of each line, then what it says.

use std::fmt::Write;
use std::time::Duration;

use super::super::measure::Latency;
use super::super::plan::{Pace, Workload};
use super::super::verify::Faults;
use super::Report;
use crate::quantity::counted;

const EPHEMERAL: &str = "an ephemeral built-in broker (durability os)";

/// The result in a dozen lines.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    for (word, says) in rows(report) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word:<9} {says}");
    }
    text
}

fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let (measured, setting) = (&report.measured, &report.setting);
    let window = &measured.window;
    let rate = format!("{:.0} records/s, {}/s", window.records_per_s(), mib(window.bytes_per_s()));
    let memory = measured.memory_peak_bytes.map_or("unknown".into(), |peak| mib(peak as f64));
    let cpu = window.cpu.as_secs_f64();
    let brokers = setting.brokers.as_deref().unwrap_or(EPHEMERAL);
    let mut rows = vec![
        (report.plan.workload.name(), extent(report)),
        ("load", load(report)),
        ("brokers", format!("{brokers}, topic {}", setting.topic)),
        ("rate", rate),
    ];
    rows.extend(measured.latency.map(|latency| ("latency", percentiles(&latency))));
    rows.push(("client", format!("{cpu:.2} s CPU in the window, {memory} peak memory")));
    rows.push(("records", account(report)));
    for verdict in &report.verdicts {
        let word = if verdict.failed { "failed" } else { "passed" };
        rows.push((word, verdict.reason.clone()));
    }
    rows.extend(report.meanings().into_iter().map(|meaning| ("note", meaning)));
    rows.push(("host", host(report)));
    let (kaw, librdkafka) = (&setting.kaw, &setting.librdkafka);
    rows.push(("versions", format!("kaw {kaw}, librdkafka {librdkafka}")));
    rows
}

fn extent(report: &Report) -> String {
    let Report { plan, measured, .. } = report;
    let (records, time) = (measured.window.records, measured.window.time.as_secs_f64());
    let (size, warmup) = (plan.load.record_size, measured.warmup_records);
    format!("{records} records of {size} bytes in {time:.3} s, after {warmup} as warm-up")
}

fn load(report: &Report) -> String {
    let load = &report.plan.load;
    let keys = load.keys.map_or("no keys".into(), |keys| counted(keys, "key"));
    let mut parts = vec![
        format!("{} payload (seed {})", load.payload.name(), report.plan.seed),
        keys,
        counted(load.partitions, "partition"),
    ];
    if let Workload::Produce { pace } = report.plan.workload {
        parts.push(counted(load.producers, "producer"));
        parts.push(format!("acks={}", load.acks.name()));
        parts.push(match pace {
            Pace::Unbounded => "as fast as it goes".into(),
            Pace::Rate(rate) => format!("{rate} records/s"),
        });
    }
    parts.push(format!("compression={}", load.compression.name()));
    parts.join(", ")
}

fn percentiles(latency: &Latency) -> String {
    let named = [
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p95", latency.p95),
        ("p99", latency.p99),
        ("p99.9", latency.p99_9),
        ("p99.99", latency.p99_99),
        ("max", latency.max),
    ];
    let parts: Vec<_> = named.iter().map(|(name, time)| format!("{name} {}", ms(*time))).collect();
    parts.join(", ")
}

fn account(report: &Report) -> String {
    let account = &report.account;
    let found = format!("{} sent, {} verified", account.sent, account.verified);
    if account.faults.is_none() {
        return format!("{found}, none lost, duplicated, reordered or corrupted");
    }
    format!("{found}, {}", faults(&account.faults))
}

/// The faults that there are, counted.
pub fn faults(faults: &Faults) -> String {
    let counts = [
        ("failed", faults.failed),
        ("lost", faults.lost),
        ("duplicated", faults.duplicated),
        ("reordered", faults.reordered),
        ("corrupted", faults.corrupted),
    ];
    let some = counts.iter().filter(|(_, count)| *count != 0);
    let parts: Vec<_> = some.map(|(word, count)| format!("{count} {word}")).collect();
    parts.join(", ")
}

fn host(report: &Report) -> String {
    let host = &report.setting.host;
    let cores = counted(u32::try_from(host.cores).unwrap_or(u32::MAX), "core");
    let memory = host.memory_bytes.map(|bytes| format!(", {:.1} GiB", bytes as f64 / 1073741824.0));
    format!("{}, {cores}{}, {}", host.cpu, memory.unwrap_or_default(), host.os)
}

fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1048576.0)
}

fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}
