//! A result for spreadsheets: a header, and a row for each run (RFC 4180). Figures are in base
//! units; what a run does not have is empty.

use super::super::metric;
use super::document::{Case, Document, Run};
use super::words::plain;

/// A name, and what stands below it.
type Column = (&'static str, fn(&Run) -> String);

/// What a run has besides its metrics; "records" is the name of a parameter.
const OF_RUN: [Column; 13] = [
    ("measured-records", |run| run.window.records.to_string()),
    ("measured-bytes", |run| run.window.bytes.to_string()),
    ("measured-seconds", |run| run.window.seconds.to_string()),
    ("sent", |run| run.records.sent.to_string()),
    ("verified", |run| run.records.verified.to_string()),
    ("failed", |run| run.records.failed.to_string()),
    ("lost", |run| run.records.lost.to_string()),
    ("duplicated", |run| run.records.duplicated.to_string()),
    ("reordered", |run| run.records.reordered.to_string()),
    ("corrupted", |run| run.records.corrupted.to_string()),
    ("batch-mean-records", |run| figure(run.batches.map(|batches| batches.records))),
    ("batch-mean-bytes", |run| figure(run.batches.map(|batches| batches.bytes))),
    ("compression-reached", |run| figure(run.batches.map(|batches| batches.compression))),
];

pub fn csv(document: &Document) -> String {
    let parameters = parameters(document);
    let head = ["case", "run", "started"].into_iter().chain(metric::all().map(|it| it.name));
    let head = head.chain(OF_RUN.map(|(name, _)| name));
    let head = head.chain(parameters.iter().copied()).chain(["workload", "brokers"]);
    let mut text = line(head.map(str::to_owned));
    for case in &document.results {
        for (turn, run) in case.runs.iter().enumerate() {
            text += &row(case, turn + 1, run, &parameters);
        }
    }
    text
}

fn row(case: &Case, turn: usize, run: &Run, parameters: &[&str]) -> String {
    let start = [case.name.clone(), turn.to_string(), run.started.clone()];
    let metrics = metric::all().map(|metric| figure(run.metrics.get(metric.name).copied()));
    let of_run = OF_RUN.iter().map(|(_, value)| value(run));
    let parameter = |name: &&str| case.parameters.get(*name).map_or_else(String::new, plain);
    let brokers = case.brokers.addresses.clone().unwrap_or_default();
    let end = parameters.iter().map(parameter).chain([case.workload.clone(), brokers]);
    line(start.into_iter().chain(metrics).chain(of_run).chain(end))
}

/// Of all cases, each once, in the order of their first.
fn parameters(document: &Document) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in document.results.iter().flat_map(|case| case.parameters.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<_> = cells.map(|cell| quoted(&cell)).collect();
    cells.join(",") + "\r\n"
}

fn quoted(cell: &str) -> String {
    match cell.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}
