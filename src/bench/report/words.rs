//! What people read of the parts of a result, whatever the format.

use serde_json::Value;

use super::super::metric;
use super::document::{Brokers, Case, Figure, Figures, Host, Records, Run, Syncs};
use crate::quantity::{counted, show_bytes};

/// What a line of many shows.
pub const COLUMNS: [&str; 7] = ["records/s", "bytes/s", "p50", "p99", "p99.9", "cpu", "broker-cpu"];

/// A head, and a line for each case: its name, then its medians below the names of the metrics.
pub fn medians(cases: &[Case]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let is_shown = |name: &&str| cases.iter().any(|case| case.summary.contains_key(*name));
    let names: Vec<_> = COLUMNS.into_iter().filter(is_shown).collect();
    let head = ["case"].into_iter().chain(names.iter().copied()).collect();
    let row = |case: &Case| {
        let median = |name: &&str| Some(show(name, case.summary.get(*name)?.median));
        let figures = names.iter().map(|name| median(name).unwrap_or_else(|| "-".to_owned()));
        [case.name.clone()].into_iter().chain(figures).collect()
    };
    (head, cases.iter().map(row).collect())
}

pub fn extent(case: &Case) -> String {
    let runs = case.runs.len();
    let Some(run) = case.runs.first() else { return "no run".to_owned() };
    let window = &run.window;
    let (records, seconds, bytes) = (window.records, window.seconds, show_bytes(window.bytes));
    let one = format!("{records} records, {bytes} in {seconds:.3} s");
    let warmup = format!("after {} as warm-up", window.warmup_records);
    match runs {
        1 => format!("{one}, {warmup}"),
        _ => format!("{runs} runs; the first: {one}, {warmup}"),
    }
}

/// The parameters as they were asked for; what is null was not.
pub fn load(case: &Case) -> String {
    let shown = case.parameters.iter().filter(|(_, value)| !value.is_null());
    let parts: Vec<_> = shown.map(|(name, value)| format!("{name}={}", plain(value))).collect();
    parts.join(", ")
}

/// Nothing for what was not asked for.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(String::new, |it| it.to_string())
        }
        other => other.to_string(),
    }
}

pub fn brokers(brokers: &Brokers, runs: &[Run]) -> String {
    let durability =
        brokers.durability.as_ref().map(|durability| format!(" (durability {durability})"));
    let ephemeral = || match durability {
        Some(durability) => format!("an ephemeral built-in broker{durability}"),
        None => "none".to_owned(),
    };
    let named = brokers.addresses.clone().unwrap_or_else(ephemeral);
    match runs {
        [Run { topic: Some(topic), .. }] => format!("{named}, topic {topic}"),
        _ => named,
    }
}

pub fn spread(name: &str, figure: &Figure) -> String {
    let show = |value| show(name, value);
    let Figure { median, min, max, interval, .. } = *figure;
    let known = interval.map(|(low, high)| format!(", 95 % sure: {} to {}", show(low), show(high)));
    format!("median {}, {} to {}{}", show(median), show(min), show(max), known.unwrap_or_default())
}

pub fn show(name: &str, value: f64) -> String {
    metric::named(name).map_or_else(|| value.to_string(), |metric| metric.show(value))
}

/// The same disk without group commit: a sync for each batch, and as much as one sync covers.
pub fn disk(run: &Run) -> Vec<String> {
    let ratio = |one: f64, other: f64| if other == 0.0 { 0.0 } else { one / other };
    let of = |figures: &Figures, name: &str| figures.get(name).copied().unwrap_or(0.0);
    let batch = run.batches.map_or(0.0, |batches| batches.records);
    let rate = ratio(of(&run.metrics, "records/s"), batch);
    let line = |syncs: &Syncs| {
        let [mean, p50, p99] = ["mean", "p50", "p99"].map(|name| of(&syncs.metrics, name));
        let times = ratio(rate * mean, syncs.batches as f64);
        let slower = ratio(of(&run.metrics, "p99"), p99);
        let what = match syncs.batches {
            1 => "one batch".to_owned(),
            many => format!("{many} batches"),
        };
        let (bytes, p50, p99) = (show_bytes(syncs.bytes), show("p50", p50), show("p99", p99));
        format!(
            "write and fdatasync of {what} ({bytes}): p50 {p50}, p99 {p99}; the run has \
             {times:.1} times as many at {slower:.1} times the p99"
        )
    };
    run.fdatasync.iter().map(line).collect()
}

pub fn batches(run: &Run) -> Option<String> {
    let batches = run.batches?;
    let bytes = show_bytes(batches.bytes as u64);
    Some(format!("{:.1} records and {bytes} each, {:.2}:1", batches.records, batches.compression))
}

pub fn records<'a>(runs: impl IntoIterator<Item = &'a Run>) -> String {
    let all = runs.into_iter().map(|run| run.records).fold(Records::default(), Records::and);
    let faults = all.faults();
    let faults = faults.unwrap_or_else(|| "none lost, duplicated, reordered or corrupted".into());
    format!("{} sent, {} verified, {faults}", all.sent, all.verified)
}

pub fn host(host: &Host) -> String {
    let cores = counted(u32::try_from(host.cores).unwrap_or(u32::MAX), "core");
    let memory = host.memory_bytes.map(|bytes| format!(", {}", show_bytes(bytes)));
    format!("{}, {cores}{}, {}", host.cpu, memory.unwrap_or_default(), host.os)
}
