//! A result for people: a word at the start of each line, then what it says.

use std::fmt::Write;

use serde_json::Value;

use super::super::metric;
use super::document::{Brokers, Case, Document, Figure, Host, Records, Run};
use crate::quantity::{counted, show_bytes};

/// The percentiles that people look at; other formats have them all.
const PERCENTILES: [&str; 7] = ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];

type Row = (String, String);

/// What a line of many shows.
const COLUMNS: [&str; 7] = ["records/s", "bytes/s", "p50", "p99", "p99.9", "cpu", "broker-cpu"];

/// The result: a dozen lines for a single case, a line each for several.
pub fn table(document: &Document) -> String {
    let cases = &document.results;
    let (head, mut rows) = match cases.as_slice() {
        [case] => (String::new(), rows(case)),
        _ => (columns(cases), rows_of_all(cases)),
    };
    let versions = &document.versions;
    rows.push(row("host", host(&document.host)));
    rows.push(row("versions", format!("kaw {}, librdkafka {}", versions.kaw, versions.librdkafka)));
    let width = rows.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let mut text = head;
    for (word, says) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word:<width$}  {says}");
    }
    text
}

/// A line for each case, its medians below the names of the metrics.
fn columns(cases: &[Case]) -> String {
    let is_shown = |name: &&str| cases.iter().any(|case| case.summary.contains_key(*name));
    let names: Vec<_> = COLUMNS.into_iter().filter(is_shown).collect();
    let cell = |case: &Case, name| case.summary.get(name).map(|figure| show(name, figure.median));
    let line = |case: &Case| {
        let figures = names.iter().map(|name| cell(case, name).unwrap_or_else(|| "-".into()));
        std::iter::once(case.name.clone()).chain(figures).collect()
    };
    let head = std::iter::once("case").chain(names.iter().copied()).map(str::to_owned).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cases.iter().map(line)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..=names.len()).filter_map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    lines.iter().map(padded).collect()
}

/// What is to be said below the columns.
fn rows_of_all(cases: &[Case]) -> Vec<Row> {
    let runs = cases.iter().flat_map(|case| &case.runs);
    let mut rows = vec![row("records", records(runs))];
    if let Some(case) = cases.first() {
        rows.push(row("brokers", brokers(&case.brokers, &[])));
    }
    for case in cases {
        rows.extend(gates(case).map(|(word, says)| (word, format!("{}: {says}", case.name))));
    }
    let mut notes: Vec<_> = cases.iter().flat_map(|case| &case.notes).collect();
    notes.sort();
    notes.dedup();
    rows.extend(notes.into_iter().map(|note| row("note", note.clone())));
    rows
}

fn gates(case: &Case) -> impl Iterator<Item = Row> {
    let word = |failed| if failed { "failed" } else { "passed" };
    case.gates.iter().map(move |gate| row(word(gate.failed), gate.reason.clone()))
}

fn row(word: &str, says: String) -> Row {
    (word.to_owned(), says)
}

fn rows(case: &Case) -> Vec<Row> {
    let mut rows = vec![
        row(&case.workload, extent(case)),
        row("load", load(case)),
        row("brokers", brokers(&case.brokers, &case.runs)),
    ];
    match case.runs.len() {
        1 => rows.extend(figures_of_one(case)),
        _ => rows.extend(figures_of_several(case)),
    }
    rows.extend(case.runs.first().and_then(batches));
    rows.push(row("records", records(&case.runs)));
    rows.extend(gates(case));
    rows.extend(case.notes.iter().map(|note| row("note", note.clone())));
    rows
}

fn extent(case: &Case) -> String {
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
fn load(case: &Case) -> String {
    let shown = case.parameters.iter().filter(|(_, value)| !value.is_null());
    let parts: Vec<_> = shown.map(|(name, value)| format!("{name}={}", plain(value))).collect();
    parts.join(", ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(String::new, |it| it.to_string()),
        other => other.to_string(),
    }
}

fn brokers(brokers: &Brokers, runs: &[Run]) -> String {
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

/// A line each for what belongs together.
fn figures_of_one(case: &Case) -> Vec<Row> {
    let lines: [(&str, &[&str]); 4] = [
        ("rate", &["records/s", "bytes/s"]),
        ("latency", &PERCENTILES),
        ("client", &["cpu", "memory"]),
        ("broker", &["broker-cpu", "broker-memory"]),
    ];
    let line = |names: &[&str]| {
        let figure =
            |name: &&str| Some(format!("{name} {}", show(name, case.summary.get(*name)?.median)));
        names.iter().filter_map(figure).collect::<Vec<_>>().join(", ")
    };
    let lines = lines.iter().map(|(word, names)| row(word, line(names)));
    lines.filter(|(_, says)| !says.is_empty()).collect()
}

/// A line for each metric: its median and how far the runs lie apart.
fn figures_of_several(case: &Case) -> Vec<Row> {
    let shown =
        metric::all().filter_map(|metric| Some((metric.name, case.summary.get(metric.name)?)));
    shown.map(|(name, figure)| row(name, spread(name, figure))).collect()
}

fn spread(name: &str, figure: &Figure) -> String {
    let show = |value| show(name, value);
    let Figure { median, min, max, interval, .. } = *figure;
    let known = interval.map(|(low, high)| format!(", 95 % sure: {} to {}", show(low), show(high)));
    format!("median {}, {} to {}{}", show(median), show(min), show(max), known.unwrap_or_default())
}

fn show(name: &str, value: f64) -> String {
    metric::named(name).map_or_else(|| value.to_string(), |metric| metric.show(value))
}

fn batches(run: &Run) -> Option<Row> {
    let batches = run.batches?;
    let bytes = show_bytes(batches.bytes as u64);
    let says =
        format!("{:.1} records and {bytes} each, {:.2}:1", batches.records, batches.compression);
    Some(row("batches", says))
}

fn records<'a>(runs: impl IntoIterator<Item = &'a Run>) -> String {
    let all = runs.into_iter().map(|run| run.records).fold(Records::default(), Records::and);
    let faults = all.faults();
    let faults = faults.unwrap_or_else(|| "none lost, duplicated, reordered or corrupted".into());
    format!("{} sent, {} verified, {faults}", all.sent, all.verified)
}

fn host(host: &Host) -> String {
    let cores = counted(u32::try_from(host.cores).unwrap_or(u32::MAX), "core");
    let memory = host.memory_bytes.map(|bytes| format!(", {}", show_bytes(bytes)));
    format!("{}, {cores}{}, {}", host.cpu, memory.unwrap_or_default(), host.os)
}
