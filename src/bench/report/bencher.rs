//! A result for Bencher (bencher.dev): its Metric Format, a benchmark for each case.
//!
//! Records a second and the median latency go by the names of the two measures that every project
//! there has, in their units (operations a second and nanoseconds), so that its thresholds and
//! plots know them. All other times are in nanoseconds too; sizes are bytes.

use serde_json::{Map, Value, json};

use super::super::metric::{self, Metric, Quantity};
use super::document::{Case, Document, Figure};

pub fn bencher(document: &Document) -> String {
    let benchmarks = document.results.iter().map(|case| (case.name.clone(), measures(case)));
    Value::from(benchmarks.collect::<Map<_, _>>()).to_string() + "\n"
}

fn measures(case: &Case) -> Value {
    let known = metric::all().filter_map(|metric| Some((metric, case.summary.get(metric.name)?)));
    known.map(|(metric, figure)| (name(metric).to_owned(), measured(metric, figure))).collect()
}

fn name(metric: &Metric) -> &'static str {
    match metric.name {
        "records/s" => "throughput",
        "p50" => "latency",
        name => name,
    }
}

/// Of one run the limits are unknown. Of several they are those that are 95 % sure, or else those
/// of what was seen.
fn measured(metric: &Metric, figure: &Figure) -> Value {
    let factor = if metric.quantity == Quantity::Seconds { 1e9 } else { 1.0 };
    let value = figure.median * factor;
    match (figure.interval, figure.min < figure.max) {
        (None, false) => json!({ "value": value }),
        (limits, _) => {
            let (low, high) = limits.unwrap_or((figure.min, figure.max));
            json!({ "value": value, "lower_value": low * factor, "upper_value": high * factor })
        }
    }
}
