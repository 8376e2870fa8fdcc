//! The figures that expectations, comparisons and reports are about, by name: one table.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::measure::{Latency, Measured};
use super::plan::Workload;

#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub quantity: Quantity,
    pub units: &'static [Unit],
    pub better: Better,
    read: Read,
}

/// What a figure is a number of, a second or in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Records,
    Bytes,
    Seconds,
}

impl Quantity {
    const fn units(self) -> &'static [Unit] {
        match self {
            Quantity::Records => COUNT,
            Quantity::Bytes => BYTES,
            Quantity::Seconds => SECONDS,
        }
    }
}

/// Where a figure is, in the base unit: seconds, bytes, or a plain number. None: not measured.
#[derive(Debug)]
enum Read {
    Run(fn(&Measured) -> Option<f64>),
    Latency(fn(&Latency) -> Duration),
}

/// Which way a figure should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Higher,
    Lower,
}

/// A suffix and how many of the base unit it is.
pub type Unit = (&'static str, f64);

const SECONDS: &[Unit] = &[("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
const COUNT: &[Unit] = &[("", 1.0), ("k", 1e3), ("M", 1e6)];
const BYTES: &[Unit] = &[
    ("", 1.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1048576.0),
    ("GiB", 1073741824.0),
];

static ALL: [Metric; 15] = [
    rate("records/s", Quantity::Records, |m| Some(m.window.records_per_s())),
    rate("bytes/s", Quantity::Bytes, |m| Some(m.window.bytes_per_s())),
    latency("min", |l| l.min),
    latency("mean", |l| l.mean),
    latency("p50", |l| l.p50),
    latency("p90", |l| l.p90),
    latency("p95", |l| l.p95),
    latency("p99", |l| l.p99),
    latency("p99.9", |l| l.p99_9),
    latency("p99.99", |l| l.p99_99),
    latency("max", |l| l.max),
    cost("cpu", Quantity::Seconds, |m| Some(m.client.cpu.as_secs_f64())),
    cost("memory", Quantity::Bytes, |m| Some(m.client.memory_peak_bytes? as f64)),
    cost("broker-cpu", Quantity::Seconds, |m| Some(m.broker?.cpu.as_secs_f64())),
    cost("broker-memory", Quantity::Bytes, |m| Some(m.broker?.memory_peak_bytes? as f64)),
];

type OfRun = fn(&Measured) -> Option<f64>;

const fn rate(name: &'static str, quantity: Quantity, read: OfRun) -> Metric {
    let units = quantity.units();
    Metric { name, quantity, units, better: Better::Higher, read: Read::Run(read) }
}

const fn cost(name: &'static str, quantity: Quantity, read: OfRun) -> Metric {
    let units = quantity.units();
    Metric { name, quantity, units, better: Better::Lower, read: Read::Run(read) }
}

const fn latency(name: &'static str, read: fn(&Latency) -> Duration) -> Metric {
    let (quantity, read) = (Quantity::Seconds, Read::Latency(read));
    Metric { name, quantity, units: SECONDS, better: Better::Lower, read }
}

/// Every metric there is, in the order that reports show them.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    ALL.iter()
}

/// The metric of this name.
pub fn named(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

/// Those of one distribution of latencies, in seconds.
pub fn of_latency(latency: &Latency) -> impl Iterator<Item = (&'static str, f64)> {
    all().filter_map(|metric| match metric.read {
        Read::Latency(read) => Some((metric.name, read(latency).as_secs_f64())),
        Read::Run(_) => None,
    })
}

/// All that were measured.
pub fn of_run(measured: &Measured) -> impl Iterator<Item = (&'static str, f64)> {
    let latency = measured.recorded.latencies.summary();
    all().filter_map(move |metric| {
        let value = match metric.read {
            Read::Run(read) => read(measured)?,
            Read::Latency(read) => read(latency.as_ref()?).as_secs_f64(),
        };
        Some((metric.name, value))
    })
}

impl Metric {
    /// Whether such a run can have it. The broker's share is known of a run's own broker.
    pub fn is_of(&self, workload: Workload) -> bool {
        workload.has_latency() || matches!(self.read, Read::Run(_))
    }

    /// For people: three digits at least, in the largest unit that leaves a number of one or more.
    pub fn show(&self, value: f64) -> String {
        let fits = self.units.iter().filter(|(_, factor)| *factor <= value);
        let largest = fits.max_by(|a, b| a.1.total_cmp(&b.1));
        let (suffix, factor) = largest.unwrap_or(&self.units[0]);
        let number = value / factor;
        let decimals = if number < 10.0 {
            2
        } else if number < 100.0 {
            1
        } else {
            0
        };
        let number = format!("{number:.decimals$}");
        let short = match number.contains('.') {
            true => number.trim_end_matches('0').trim_end_matches('.'),
            false => &number,
        };
        short.to_owned() + suffix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: f64, want: &str) {
        assert_eq!(named(name).unwrap().show(value), want);
    }

    #[test]
    fn figures_are_shown_in_the_unit_that_fits() {
        check("p99", 0.0, "0us");
        check("p99", 0.000_25, "250µs");
        check("p99", 0.012_345, "12.3ms");
        check("p99", 61.0, "61s");
        check("records/s", 999.0, "999");
        check("records/s", 1000.0, "1k");
        check("records/s", 1_234_567.0, "1.23M");
        check("records/s", 100_000.0, "100k");
        check("memory", 3.0 * 1048576.0, "3MiB");
    }

    #[test]
    fn every_metric_is_found_by_its_name() {
        for metric in all() {
            assert_eq!(named(metric.name).unwrap().name, metric.name);
        }
        assert!(named("p98").is_none());
    }
}
