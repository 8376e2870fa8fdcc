//! A result as data: what `--output json` prints, `--save` writes and every exporter reads.
//! `schema.json` describes it for others.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Findings;
use super::super::compare;
use super::super::disk;
use super::super::gate::{Gate, Verdict};
pub use super::super::host::Host;
use super::super::measure::{Latencies, Measured};
use super::super::metric::{self, Better, Metric};
use super::super::plan::Plan;
use super::super::statistics::{TAIL, interval_of_median, median};
use super::super::verify::Account;
use super::{meaning, verdict};

/// Grows with every change that a reader of the last one would stumble over.
pub const SCHEMA: &str = "kaw-bench-1";

/// All that was found out by one command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub schema: String,
    /// As typed, without secrets.
    pub command: Vec<String>,
    /// RFC 3339.
    pub started: String,
    pub host: Host,
    pub versions: Versions,
    pub results: Vec<Case>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub kaw: String,
    pub librdkafka: String,
}

/// A workload with its parameters, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What was typed after `kaw bench`, in short: different in each case of a result.
    pub name: String,
    pub workload: String,
    /// Under the names of the options.
    pub parameters: Map<String, Value>,
    pub brokers: Brokers,
    pub runs: Vec<Run>,
    /// Over the runs, by metric.
    pub summary: BTreeMap<String, Figure>,
    pub gates: Vec<Verdict>,
    /// Against a baseline.
    pub comparison: Option<Comparison>,
    /// Other brokers, measured in turn.
    pub versus: Option<Versus>,
    /// How the rate was found.
    pub search: Option<Search>,
    /// What the figures stand for, in words.
    pub notes: Vec<String>,
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brokers {
    /// As `-b` names them. None: an ephemeral built-in broker.
    pub addresses: Option<String>,
    /// Of the ephemeral broker: `fsync` or `os`.
    pub durability: Option<String>,
}

/// What changed since a baseline was saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// When the baseline was measured.
    pub started: String,
    /// Those of the baseline.
    pub runs: Vec<Run>,
    /// A change of less than this part is none.
    pub tolerance: f64,
    /// By metric.
    pub changes: BTreeMap<String, Change>,
    /// What else is different.
    pub warnings: Vec<String>,
}

/// A metric before and after, medians of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub before: f64,
    pub after: f64,
    /// What the runs after are to the runs before.
    pub ratio: f64,
    /// Where it lies, 95 % sure of all that is judged together; none: too few runs to say.
    pub interval: Option<(f64, f64)>,
    /// None: it is shown, and nothing is decided by it.
    pub judgement: Option<Judgement>,
    /// How many runs of each it takes, where there are too few.
    pub runs_needed: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// By more than the tolerance, surely.
    Worse,
    Better,
    /// Surely within the tolerance.
    Same,
    /// No significant change: it cannot be told.
    Unclear,
}

/// The same work on other brokers, run by run in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Versus {
    pub brokers: Brokers,
    pub runs: Vec<Run>,
    pub summary: BTreeMap<String, Figure>,
    /// By metric.
    pub ratios: BTreeMap<String, PairRatio>,
}

/// What this side's figure is to the other's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRatio {
    /// Of each pair of runs.
    pub each: Vec<f64>,
    pub ratio: f64,
    /// Where it lies, 95 % sure; none: too few pairs to say.
    pub interval: Option<(f64, f64)>,
    /// How many it takes, where there are too few.
    pub pairs_needed: Option<u32>,
}

/// The highest rate that keeps objectives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    pub slo: Vec<String>,
    pub steps: Vec<Attempt>,
    /// Records a second; none: no rate keeps them.
    pub rate: Option<f64>,
}

/// A rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub rate: f64,
    pub kept: bool,
    /// One line that says why, for people.
    pub reason: String,
}

/// By metric, in base units: seconds, bytes, plain numbers.
pub type Figures = BTreeMap<String, f64>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// RFC 3339.
    pub started: String,
    /// Made for the run and deleted after it; none where the workload has none.
    pub topic: Option<String>,
    pub window: Window,
    pub metrics: Figures,
    pub records: Records,
    /// Why the first record that failed did so.
    pub why: Option<String>,
    pub batches: Option<Batches>,
    pub fdatasync: Vec<Syncs>,
    /// How latencies are distributed; empty where the workload has none.
    pub latency_curve: Vec<Point>,
    pub timeline: Timeline,
}

/// What was measured, and the warm-up before, which is in no figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub records: u64,
    /// Of keys and values, before compression.
    pub bytes: u64,
    pub seconds: f64,
    pub warmup_records: u64,
}

/// Every record of the run accounted for, warm-up included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    pub sent: u64,
    /// Read back as they were sent.
    pub verified: u64,
    pub failed: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub corrupted: u64,
}

/// Means over the batches that went to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    pub records: f64,
    pub bytes: f64,
    pub compression: f64,
}

/// Appends of one size on the broker's disk, each followed by an fdatasync: their latencies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Syncs {
    pub batches: u64,
    pub bytes: u64,
    pub metrics: Figures,
}

/// This part of the records, 0 to 1, took this long at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub part: f64,
    pub seconds: f64,
}

/// The course of the window, in ticks of even length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    pub tick_seconds: f64,
    pub ticks: Vec<Tick>,
}

/// What arrived in a tick; latencies in seconds, to a digit or so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    pub records: u64,
    pub bytes: u64,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

/// A metric over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub better: Better,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Where the median lies with 95 % confidence; none: too few runs to say.
    pub interval: Option<(f64, f64)>,
}

impl Case {
    pub fn new(name: &str, plan: &Plan, brokers: Brokers, runs: Vec<Run>, gates: &[Gate]) -> Case {
        let summary = summary(&runs);
        let value = |gate: &Gate| summary.get(gate.metric().name).map(|figure| figure.median);
        let gates = gates.iter().map(|gate| gate.check(value(gate))).collect();
        Case {
            name: name.to_owned(),
            workload: plan.workload.name().to_owned(),
            parameters: plan.parameters(),
            brokers,
            notes: meaning::notes(plan, summary.get("records/s")),
            runs,
            summary,
            gates,
            comparison: None,
            versus: None,
            search: None,
        }
    }

    /// What was expected and is not so, a line each.
    pub fn unmet(&self) -> Vec<String> {
        let gates = self.gates.iter().filter(|gate| gate.failed).map(|gate| gate.reason.clone());
        let worse = self.comparison.iter().flat_map(Comparison::worse);
        let unfound = self.search.iter().filter(|search| search.rate.is_none());
        let unfound = unfound.map(verdict::found);
        gates.chain(worse).chain(unfound).collect()
    }

    /// Every run of it, those on other brokers too.
    pub fn all_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().chain(self.versus.iter().flat_map(|versus| &versus.runs))
    }
}

impl Comparison {
    /// What became significantly worse, a line each.
    fn worse(&self) -> impl Iterator<Item = String> {
        let all = self.changes.iter();
        let worse = all.filter(|(_, change)| change.judgement == Some(Judgement::Worse));
        worse.map(|(name, change)| verdict::change(name, change, self.tolerance))
    }
}

impl Versus {
    /// Pair by pair against these.
    pub fn new(brokers: Brokers, runs: Vec<Run>, ours: &[Run]) -> Versus {
        Versus { brokers, summary: summary(&runs), ratios: compare::pairs(ours, &runs), runs }
    }
}

/// The metrics that every run has.
fn summary(runs: &[Run]) -> BTreeMap<String, Figure> {
    let figure = |metric: &Metric| {
        let of_all = runs.iter().map(|run| run.metrics.get(metric.name).copied());
        let values = of_all.collect::<Option<Vec<_>>>().filter(|values| !values.is_empty())?;
        Some((metric.name.to_owned(), Figure::of(metric.better, &values)))
    };
    metric::all().filter_map(figure).collect()
}

impl Figure {
    /// Of these, which must not be empty.
    pub fn of(better: Better, values: &[f64]) -> Figure {
        Figure {
            better,
            median: median(values),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            interval: interval_of_median(values, TAIL),
        }
    }
}

impl Run {
    pub fn new(started: String, topic: Option<String>, findings: &Findings) -> Run {
        let measured = &findings.measured;
        Run {
            started,
            topic,
            window: Window::of(measured),
            metrics: figures(metric::of_run(measured)),
            records: Records::of(&findings.account),
            why: findings.why.clone(),
            batches: measured.batches.map(|batches| Batches {
                records: batches.records,
                bytes: batches.bytes,
                compression: batches.compression,
            }),
            fdatasync: measured.fdatasync.iter().map(Syncs::new).collect(),
            latency_curve: curve(&measured.recorded.latencies),
            timeline: Timeline::of(measured),
        }
    }
}

impl Syncs {
    fn new(syncs: &disk::Syncs) -> Syncs {
        let latency = syncs.latencies.summary();
        let metrics = latency.map(|latency| figures(metric::of_latency(&latency)));
        Syncs {
            batches: syncs.batches,
            bytes: syncs.bytes as u64,
            metrics: metrics.unwrap_or_default(),
        }
    }
}

fn figures(all: impl Iterator<Item = (&'static str, f64)>) -> Figures {
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn curve(latencies: &Latencies) -> Vec<Point> {
    let point = |(part, time): (f64, Duration)| Point { part, seconds: time.as_secs_f64() };
    latencies.curve().map(point).collect()
}

impl Window {
    fn of(measured: &Measured) -> Window {
        let window = &measured.window;
        Window {
            records: window.records,
            bytes: window.bytes,
            seconds: window.time.as_secs_f64(),
            warmup_records: measured.warmup_records,
        }
    }
}

impl Records {
    fn of(account: &Account) -> Records {
        let faults = &account.faults;
        Records {
            sent: account.sent,
            verified: account.verified,
            failed: faults.failed,
            lost: faults.lost,
            duplicated: faults.duplicated,
            reordered: faults.reordered,
            corrupted: faults.corrupted,
        }
    }

    pub fn and(self, other: Records) -> Records {
        Records {
            sent: self.sent + other.sent,
            verified: self.verified + other.verified,
            failed: self.failed + other.failed,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
            corrupted: self.corrupted + other.corrupted,
        }
    }

    /// The faults that there are, counted; none: the run is sound.
    pub fn faults(&self) -> Option<String> {
        let counts = [
            ("failed", self.failed),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("corrupted", self.corrupted),
        ];
        let some = counts.iter().filter(|(_, count)| *count != 0);
        let parts: Vec<_> = some.map(|(word, count)| format!("{count} {word}")).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl Timeline {
    fn of(measured: &Measured) -> Timeline {
        let timeline = &measured.recorded.timeline;
        let ticks = timeline.ticks().iter().map(|tick| {
            let at = |quantile| tick.at(quantile).map(|time| time.as_secs_f64());
            Tick { records: tick.records, bytes: tick.bytes, p50: at(0.5), p99: at(0.99) }
        });
        Timeline { tick_seconds: timeline.length().as_secs_f64(), ticks: ticks.collect() }
    }
}
