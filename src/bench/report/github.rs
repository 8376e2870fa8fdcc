//! A result for the action benchmark-action/github-action-benchmark, which draws and watches
//! figures over commits. It takes a file in which more is better (tool `customBiggerIsBetter`) and
//! one in which less is (`customSmallerIsBetter`), and tells entries apart by their names.

use serde_json::{Value, json};

use super::super::metric::{self, Better, Metric, Quantity};
use super::document::{Case, Document, Figure};

pub fn bigger(document: &Document) -> String {
    entries(document, Better::Higher)
}

pub fn smaller(document: &Document) -> String {
    entries(document, Better::Lower)
}

fn entries(document: &Document, better: Better) -> String {
    let of_case = |case: &Case| {
        let metrics = metric::all().filter(|metric| metric.better == better);
        let entry = |metric: &Metric| Some(entry(case, metric, case.summary.get(metric.name)?));
        metrics.filter_map(entry).collect::<Vec<_>>()
    };
    let entries: Vec<_> = document.results.iter().flat_map(of_case).collect();
    Value::from(entries).to_string() + "\n"
}

/// The unit is always the same: the action compares figures of different days as they are.
fn entry(case: &Case, metric: &Metric, figure: &Figure) -> Value {
    let (unit, factor) = match (metric.quantity, metric.better) {
        (Quantity::Records, _) => ("records/s", 1.0),
        (Quantity::Bytes, Better::Higher) => ("MiB/s", 1048576.0),
        (Quantity::Bytes, Better::Lower) => ("MiB", 1048576.0),
        (Quantity::Seconds, _) => ("us", 1e-6),
    };
    let mut entry = json!({
        "name": format!("{}: {}", case.name, metric.name),
        "value": figure.median / factor,
        "unit": unit,
        "extra": format!("median of {} runs", case.runs.len()),
    });
    let (low, high) = figure.interval.unwrap_or((figure.min, figure.max));
    let away = (high - figure.median).max(figure.median - low) / factor;
    if 0.0 < away {
        entry["range"] = format!("± {away}").into();
    }
    entry
}
