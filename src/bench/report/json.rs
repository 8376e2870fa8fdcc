//! A result for programs: one JSON object, whose key names stay.

use serde_json::{Value, json};

use super::super::gate::Verdict;
use super::super::measure::Latency;
use super::super::plan::{Extent, Pace, Workload};
use super::super::verify::Account;
use super::Report;

/// The fields, for who reads the object.
pub const FIELDS: &str = "\
Fields of --json, one object whose names stay:
  workload    produce or consume
  parameters  the load as asked for; rate null: as fast as it goes
  seed        of values and keys; the same seed sends the same bytes
  command     as typed, without secrets
  started     when the run began (RFC 3339)
  topic       made for the run and deleted after it
  brokers     as -b names them; null: an ephemeral built-in broker, with --durability os
  host        os, cpu, cores, memory_bytes
  versions    kaw, librdkafka
  window      what was measured: records, bytes (keys and values, uncompressed), seconds;
              and warmup_records, which are in no figure
  throughput  records_per_s, bytes_per_s, of the window
  latency_us  microseconds, of the window: min, mean, p50 to p99_99, max (HDR, three digits);
              null where the workload has none
  client      cpu_seconds of this process in the window; memory_peak_bytes since it began
  records     of the whole run, warm-up included: sent, verified (read back as they were sent),
              failed, lost, duplicated, reordered, corrupted
  gates       each --fail-if: metric, value (seconds, bytes or a number), failed
  notes       what the figures stand for, in words";

/// The result as one object.
pub fn json(report: &Report) -> Value {
    let Report { plan, measured, setting, .. } = report;
    let window = &measured.window;
    json!({
        "workload": plan.workload.name(),
        "parameters": parameters(report),
        "seed": plan.seed,
        "command": setting.command,
        "started": setting.started,
        "topic": setting.topic,
        "brokers": setting.brokers,
        "host": {
            "os": setting.host.os,
            "cpu": setting.host.cpu,
            "cores": setting.host.cores,
            "memory_bytes": setting.host.memory_bytes,
        },
        "versions": { "kaw": setting.kaw, "librdkafka": setting.librdkafka },
        "window": {
            "records": window.records,
            "bytes": window.bytes,
            "seconds": window.time.as_secs_f64(),
            "warmup_records": measured.warmup_records,
        },
        "throughput": {
            "records_per_s": window.records_per_s(),
            "bytes_per_s": window.bytes_per_s(),
        },
        "latency_us": measured.latency.as_ref().map(latency),
        "client": {
            "cpu_seconds": window.cpu.as_secs_f64(),
            "memory_peak_bytes": measured.memory_peak_bytes,
        },
        "records": account(&report.account),
        "gates": report.verdicts.iter().map(gate).collect::<Vec<_>>(),
        "notes": report.meanings(),
    })
}

fn parameters(report: &Report) -> Value {
    let (plan, load) = (&report.plan, &report.plan.load);
    let rate = match plan.workload {
        Workload::Produce { pace: Pace::Rate(rate) } => Some(rate),
        Workload::Produce { pace: Pace::Unbounded } | Workload::Consume => None,
    };
    json!({
        "measured": extent(plan.measured),
        "warmup": extent(plan.warmup),
        "record_size": load.record_size,
        "partitions": load.partitions,
        "producers": load.producers,
        "acks": load.acks.name(),
        "compression": load.compression.name(),
        "payload": load.payload.name(),
        "keys": load.keys,
        "rate": rate,
    })
}

fn extent(extent: Extent) -> Value {
    json!({
        "records": extent.records,
        "seconds": extent.time.map(|time| time.as_secs_f64()),
    })
}

fn latency(latency: &Latency) -> Value {
    let us = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    json!({
        "min": us(latency.min),
        "mean": us(latency.mean),
        "p50": us(latency.p50),
        "p90": us(latency.p90),
        "p95": us(latency.p95),
        "p99": us(latency.p99),
        "p99_9": us(latency.p99_9),
        "p99_99": us(latency.p99_99),
        "max": us(latency.max),
    })
}

fn account(account: &Account) -> Value {
    json!({
        "sent": account.sent,
        "verified": account.verified,
        "failed": account.faults.failed,
        "lost": account.faults.lost,
        "duplicated": account.faults.duplicated,
        "reordered": account.faults.reordered,
        "corrupted": account.faults.corrupted,
    })
}

fn gate(verdict: &Verdict) -> Value {
    json!({
        "fail_if": verdict.gate,
        "metric": verdict.metric,
        "value": verdict.value,
        "failed": verdict.failed,
    })
}
