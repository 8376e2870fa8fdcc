//! One side against the other: a result against a baseline, or two clusters in turn.
//! Never knows: where the figures come from.
//!
//! Groups that were measured at different times are compared by ranks (Mann and Whitney), those of
//! the same minutes pair by pair (Wilcoxon): `statistics` says why. Where several metrics are
//! judged at once, each gets its part of the doubt (Bonferroni), so that of twenty comparisons of
//! the same with the same one at most calls anything a change.

use std::collections::BTreeMap;

use super::metric::{self, Better, Metric};
use super::report::document::{Case, Change, Document, Judgement, PairRatio, Run};
use super::statistics::{Ratio, TAIL, median, pairs_needed, ratio, ratio_of_pairs, runs_needed};

/// What a change is judged by. The others follow from these, or tell too little in a few runs.
const JUDGED: [&str; 4] = ["records/s", "p50", "p99", "p99.9"];

/// Why two results cannot be compared.
#[derive(Debug, PartialEq)]
pub struct Unlike(pub String);

/// The case of the baseline that was measured as this one is to be.
pub fn like<'a>(baseline: &'a Document, name: &str, now: &Like<'_>) -> Result<&'a Case, Unlike> {
    let only = match baseline.results.as_slice() {
        [only] if now.is_only => Some(only),
        all => all.iter().find(|case| case.name == name),
    };
    let Some(case) = only else {
        let names: Vec<_> = baseline.results.iter().map(|case| case.name.as_str()).collect();
        return Err(Unlike(format!("it has no '{name}'; it has {}", names.join(", "))));
    };
    if case.workload != now.workload {
        return Err(Unlike(format!("it is of {}, not of {}", case.workload, now.workload)));
    }
    let names = case.parameters.keys().chain(now.parameters.keys());
    let differs = |name: &&String| case.parameters.get(*name) != now.parameters.get(*name);
    match names.filter(differs).min() {
        None => Ok(case),
        Some(name) => {
            let of = |all: &serde_json::Map<_, _>| all.get(name).map_or("nothing".into(), plain);
            let (before, after) = (of(&case.parameters), of(now.parameters));
            Err(Unlike(format!("it was measured with {name} {before}, not {after}")))
        }
    }
}

/// What a baseline must be like.
pub struct Like<'a> {
    pub workload: &'a str,
    pub parameters: &'a serde_json::Map<String, serde_json::Value>,
    /// There is no other case that could be meant.
    pub is_only: bool,
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How this case differs from the one before. A part of the tolerance is no change.
pub fn compare(before: &Case, after: &Case, tolerance: f64) -> BTreeMap<String, Change> {
    let judged = JUDGED.iter().filter(|name| after.summary.contains_key(**name)).count();
    let tail = TAIL / judged.max(1) as f64;
    let change = |metric: &Metric| {
        let (old, new) = (values(&before.runs, metric)?, values(&after.runs, metric)?);
        let found = ratio(&old, &new, tail);
        let judgement = judge(metric.better, &found, tolerance);
        let is_judged = JUDGED.contains(&metric.name);
        let needed = found.interval.is_none().then(|| runs_needed(tail));
        let (before, after) = (median(&old), median(&new));
        let Ratio { estimate: ratio, interval } = found;
        let runs_needed = needed.and_then(|runs| u32::try_from(runs).ok());
        let judgement = is_judged.then_some(judgement);
        Some((
            metric.name.to_owned(),
            Change { before, after, ratio, interval, judgement, runs_needed },
        ))
    };
    metric::all().filter_map(change).collect()
}

fn judge(better: Better, found: &Ratio, tolerance: f64) -> Judgement {
    let Some((low, high)) = found.interval else { return Judgement::Unclear };
    let (less, more) = match better {
        Better::Higher => (Judgement::Worse, Judgement::Better),
        Better::Lower => (Judgement::Better, Judgement::Worse),
    };
    let (floor, ceiling) = (1.0 - tolerance, 1.0 + tolerance);
    if high < floor {
        less
    } else if ceiling < low {
        more
    } else if floor <= low && high <= ceiling {
        Judgement::Same
    } else {
        Judgement::Unclear
    }
}

/// What makes two results hard to compare, though they are of the same work.
pub fn warnings(before: &Document, after: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut check = |what: &str, old: &str, new: &str| {
        if old != new {
            warnings.push(format!("the baseline is of {what} {old}, this of {new}"));
        }
    };
    check("a machine with", &before.host.cpu, &after.host.cpu);
    check("the system", &before.host.os, &after.host.os);
    let cores = |document: &Document| format!("{} cores", document.host.cores);
    check("a machine with", &cores(before), &cores(after));
    check("kaw", &before.versions.kaw, &after.versions.kaw);
    check("librdkafka", &before.versions.librdkafka, &after.versions.librdkafka);
    let brokers = |document: &Document| {
        let brokers = document.results.first().map(|case| case.brokers.clone())?;
        brokers.addresses.or_else(|| Some(format!("an own one ({})", brokers.durability?)))
    };
    let named = |document| brokers(document).unwrap_or_default();
    check("brokers:", &named(before), &named(after));
    warnings
}

/// This side's figures for each of the other's, in each pair of runs.
pub fn pairs(runs: &[Run], other: &[Run]) -> BTreeMap<String, PairRatio> {
    let of = |metric: &Metric| {
        let (one, two) = (values(runs, metric)?, values(other, metric)?);
        let each: Vec<_> = one.iter().zip(&two).map(|(one, two)| one / two).collect();
        if each.is_empty() || each.iter().any(|ratio| !ratio.is_finite() || *ratio <= 0.0) {
            return None;
        }
        let Ratio { estimate: ratio, interval } = ratio_of_pairs(&each, TAIL);
        let needed = interval.is_none().then(|| pairs_needed(TAIL));
        let pairs_needed = needed.and_then(|pairs| u32::try_from(pairs).ok());
        Some((metric.name.to_owned(), PairRatio { each, ratio, interval, pairs_needed }))
    };
    metric::all().filter_map(of).collect()
}

/// The figures of each run; none where one has none, or nothing to divide by.
fn values(runs: &[Run], metric: &Metric) -> Option<Vec<f64>> {
    let figures = runs.iter().map(|run| run.metrics.get(metric.name).copied());
    let figures: Vec<_> = figures.collect::<Option<_>>()?;
    (!figures.is_empty() && figures.iter().all(|figure| 0.0 < *figure)).then_some(figures)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::plan::{Pace, Workload};
    use super::super::report::tests::{PRODUCE, document};
    use super::super::verify::Faults;
    use super::*;

    /// A result of so many runs, each metric of each run times a factor.
    fn of(runs: u32, factor: f64) -> Document {
        let mut document = document(PRODUCE, Faults::default(), runs);
        let all = document.results[0].runs.iter_mut();
        all.flat_map(|run| run.metrics.values_mut()).for_each(|figure| *figure *= factor);
        document
    }

    fn judged(before: &Document, after: &Document, name: &str) -> Option<Judgement> {
        compare(&before.results[0], &after.results[0], 0.1)[name].judgement
    }

    #[test]
    fn which_way_is_worse_depends_on_the_metric() {
        let (before, third) = (of(6, 1.0), of(6, 0.3));
        assert_eq!(judged(&before, &third, "records/s"), Some(Judgement::Worse));
        assert_eq!(judged(&before, &third, "p99"), Some(Judgement::Better));
        assert_eq!(judged(&third, &before, "records/s"), Some(Judgement::Better));
        assert_eq!(judged(&third, &before, "p99"), Some(Judgement::Worse));
        assert_eq!(judged(&before, &third, "cpu"), None);
    }

    /// The rates of the runs lie far apart, their latencies are all the same.
    #[test]
    fn what_cannot_be_told_is_no_change() {
        let before = of(6, 1.0);
        assert_eq!(judged(&before, &of(6, 0.9), "records/s"), Some(Judgement::Unclear));
        assert_eq!(judged(&before, &of(6, 1.05), "p99"), Some(Judgement::Same));
        assert_eq!(judged(&before, &of(6, 1.12), "p99"), Some(Judgement::Worse));
    }

    #[test]
    fn too_few_runs_judge_nothing_and_say_how_many_it_takes() {
        let change = |before, after| {
            compare(&of(before, 1.0).results[0], &of(after, 0.1).results[0], 0.1)["records/s"]
        };
        let few = change(4, 4);
        assert_eq!((few.judgement, few.runs_needed), (Some(Judgement::Unclear), Some(5)));
        assert_eq!((few.interval, change(1, 1).runs_needed), (None, Some(5)));
        assert_eq!(change(5, 5).judgement, Some(Judgement::Worse));
    }

    #[test]
    fn pairs_are_compared_one_by_one() {
        let ratios = pairs(&of(6, 2.0).results[0].runs, &of(6, 1.0).results[0].runs);
        assert_eq!(ratios["records/s"].each, [2.0; 6]);
        assert_eq!(ratios["records/s"].interval, Some((2.0, 2.0)));
        let few = &pairs(&of(5, 2.0).results[0].runs, &of(5, 1.0).results[0].runs)["p50"];
        assert_eq!((few.interval, few.pairs_needed), (None, Some(6)));
        // A process may need less than the kernel counts.
        let mut idle = of(6, 1.0);
        idle.results[0].runs[3].metrics.insert("broker-cpu".into(), 0.0);
        assert!(
            !pairs(&of(6, 1.0).results[0].runs, &idle.results[0].runs).contains_key("broker-cpu")
        );
    }

    #[track_caller]
    fn check_like(name: &str, workload: Workload, change: (&str, Value), want: &str) {
        let baseline = of(1, 1.0);
        let mut parameters: Map<_, _> = baseline.results[0].parameters.clone();
        parameters.insert(change.0.to_owned(), change.1);
        let now = Like { workload: workload.name(), parameters: &parameters, is_only: false };
        let said = like(&baseline, name, &now).map(|case| case.name.clone());
        assert_eq!(said.unwrap_or_else(|unlike| unlike.0), want);
    }

    #[test]
    fn only_the_same_work_is_compared() {
        check_like("produce", PRODUCE, ("acks", json!("all")), "produce");
        let what = "it was measured with acks \"all\", not \"1\"";
        check_like("produce", PRODUCE, ("acks", json!("1")), &what.replace('"', ""));
        check_like(
            "produce",
            PRODUCE,
            ("new", json!(1)),
            "it was measured with new nothing, not 1",
        );
        check_like(
            "produce",
            Workload::Consume,
            ("acks", json!("all")),
            "it is of produce, not of consume",
        );
        let other = Workload::Produce { pace: Pace::Unbounded };
        let want = "it has no 'produce --acks 1'; it has produce";
        check_like("produce --acks 1", other, ("acks", json!("all")), want);
    }

    #[test]
    fn another_machine_is_worth_a_warning() {
        let (before, mut after) = (of(1, 1.0), of(1, 1.0));
        assert_eq!(warnings(&before, &after), [""; 0]);
        after.host.cores = 64;
        after.versions.librdkafka = "9.9".into();
        after.results[0].brokers.durability = Some("fsync".into());
        let want = [
            "the baseline is of a machine with 2 cores, this of 64 cores",
            "the baseline is of librdkafka 2.12.1, this of 9.9",
            "the baseline is of brokers: an own one (os), this of an own one (fsync)",
        ];
        assert_eq!(warnings(&before, &after), want);
    }
}
