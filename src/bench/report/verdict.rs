//! What comparing and taking turns have shown, in words that several formats share.

use super::document::{Change, Judgement, PairRatio, Search};
use super::words::show;

/// What has changed since a baseline, and whether that is sure.
pub fn change(name: &str, change: &Change, tolerance: f64) -> String {
    let (before, after) = (show(name, change.before), show(name, change.after));
    let ratio = ratio(change.ratio, change.interval);
    let part = format!("{:.0} %", tolerance * 100.0);
    let verdict = match (change.judgement, change.runs_needed) {
        (None, _) => String::new(),
        (Some(Judgement::Worse), _) => format!(": worse by more than {part}"),
        (Some(Judgement::Better), _) => format!(": better by more than {part}"),
        (Some(Judgement::Same), _) => format!(": the same within {part}"),
        (Some(Judgement::Unclear), None) => ": no significant change".to_owned(),
        (Some(Judgement::Unclear), Some(runs)) => {
            format!(": no significant change; to see one it takes {runs} runs of each")
        }
    };
    format!("{name} is {after} after {before}, {ratio}{verdict}")
}

/// What a search has found.
pub fn found(search: &Search) -> String {
    match search.rate {
        Some(rate) => format!("{rate} records/s keep {}", search.slo.join(", ")),
        None => format!("no rate keeps {}", search.slo.join(", ")),
    }
}

/// What this side's figure is to the other's.
pub fn pair(name: &str, pair: &PairRatio) -> String {
    let said = format!("{name} is {} of the other's", ratio(pair.ratio, pair.interval));
    match pair.pairs_needed {
        None => said,
        Some(pairs) => format!("{said}; for an interval it takes --repeat {pairs}"),
    }
}

fn ratio(ratio: f64, interval: Option<(f64, f64)>) -> String {
    let known = interval.map(|(low, high)| format!(" ({low:.2} to {high:.2})"));
    format!("{ratio:.2}×{}", known.unwrap_or_default())
}
