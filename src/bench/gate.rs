//! `--fail-if`: a figure that a run must not reach, as `p99>20ms` or `records/s<50000`.

use std::fmt;

use super::measure::{Latency, Measured};
use super::plan::Workload;

/// One expectation. The run fails where the comparison holds.
#[derive(Clone, Debug)]
pub struct Gate {
    text: String,
    metric: &'static Metric,
    comparison: Comparison,
    limit: f64,
}

/// What became of a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// As the user wrote it.
    pub gate: String,
    pub metric: &'static str,
    /// In the base unit: seconds, bytes, or a plain number. None: not measured on this system.
    pub value: Option<f64>,
    pub failed: bool,
    /// One line that says why, for people.
    pub reason: String,
}

/// Why an expression is none.
#[derive(Debug, PartialEq)]
pub enum GateError {
    NoComparison { text: String },
    UnknownMetric { metric: String, workload: Workload },
    BadLimit { metric: &'static str, limit: String, units: &'static [Unit] },
}

#[derive(Debug)]
struct Metric {
    name: &'static str,
    units: &'static [Unit],
    read: fn(&Measured) -> Option<f64>,
}

/// A suffix and how many of the base unit it is.
pub type Unit = (&'static str, f64);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

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

const LATENCIES: &[Metric] = &[
    Metric { name: "min", units: SECONDS, read: |m| latency(m, |l| l.min.as_secs_f64()) },
    Metric { name: "mean", units: SECONDS, read: |m| latency(m, |l| l.mean.as_secs_f64()) },
    Metric { name: "p50", units: SECONDS, read: |m| latency(m, |l| l.p50.as_secs_f64()) },
    Metric { name: "p90", units: SECONDS, read: |m| latency(m, |l| l.p90.as_secs_f64()) },
    Metric { name: "p95", units: SECONDS, read: |m| latency(m, |l| l.p95.as_secs_f64()) },
    Metric { name: "p99", units: SECONDS, read: |m| latency(m, |l| l.p99.as_secs_f64()) },
    Metric { name: "p99.9", units: SECONDS, read: |m| latency(m, |l| l.p99_9.as_secs_f64()) },
    Metric { name: "p99.99", units: SECONDS, read: |m| latency(m, |l| l.p99_99.as_secs_f64()) },
    Metric { name: "max", units: SECONDS, read: |m| latency(m, |l| l.max.as_secs_f64()) },
];

const TOTALS: &[Metric] = &[
    Metric { name: "records/s", units: COUNT, read: |m| Some(m.window.records_per_s()) },
    Metric { name: "bytes/s", units: BYTES, read: |m| Some(m.window.bytes_per_s()) },
    Metric { name: "cpu", units: SECONDS, read: |m| Some(m.window.cpu.as_secs_f64()) },
    Metric { name: "memory", units: BYTES, read: |m| Some(m.memory_peak_bytes? as f64) },
];

fn latency(measured: &Measured, read: fn(&Latency) -> f64) -> Option<f64> {
    measured.latency.as_ref().map(read)
}

fn known(workload: Workload) -> impl Iterator<Item = &'static Metric> {
    let latencies = match workload {
        Workload::Produce { .. } => LATENCIES,
        Workload::Consume => &[],
    };
    latencies.iter().chain(TOTALS)
}

impl Gate {
    pub fn parse(text: &str, workload: Workload) -> Result<Gate, GateError> {
        let at = text.find(['<', '>']);
        let Some(at) = at else { return Err(GateError::NoComparison { text: text.to_owned() }) };
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let (comparison, limit) = Comparison::split(rest);
        let metric = known(workload)
            .find(|metric| metric.name == name)
            .ok_or_else(|| GateError::UnknownMetric { metric: name.to_owned(), workload })?;
        let limit = value(limit.trim(), metric.units).ok_or_else(|| GateError::BadLimit {
            metric: metric.name,
            limit: limit.trim().to_owned(),
            units: metric.units,
        })?;
        Ok(Gate { text: text.to_owned(), metric, comparison, limit })
    }

    pub fn check(&self, measured: &Measured) -> Verdict {
        let value = (self.metric.read)(measured);
        let failed = value.is_none_or(|value| self.comparison.holds(value, self.limit));
        let reason = match value {
            None => format!("{}: {} was not measured", self.text, self.metric.name),
            Some(value) => {
                format!(
                    "{}: {} is {}",
                    self.text,
                    self.metric.name,
                    shown(value, self.metric.units)
                )
            }
        };
        Verdict { gate: self.text.clone(), metric: self.metric.name, value, failed, reason }
    }
}

impl Comparison {
    fn split(text: &str) -> (Comparison, &str) {
        for (sign, comparison) in [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Above),
            ("<", Comparison::Below),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return (comparison, rest);
            }
        }
        unreachable!("the caller found a sign at the start")
    }

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Above => limit < value,
            Comparison::AtLeast => limit <= value,
            Comparison::Below => value < limit,
            Comparison::AtMost => value <= limit,
        }
    }
}

fn value(text: &str, units: &[Unit]) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let (_, factor) = units.iter().find(|(suffix, _)| *suffix == text[digits..].trim())?;
    Some(number * factor)
}

/// In the largest of these units that leaves a number of at least one.
fn shown(value: f64, units: &[Unit]) -> String {
    let fits = units.iter().filter(|(_, factor)| *factor <= value);
    let (suffix, factor) = fits.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(&units[0]);
    format!("{:.6}", value / factor).trim_end_matches('0').trim_end_matches('.').to_owned() + suffix
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GateError::NoComparison { text } => {
                write!(f, "'{text}' compares nothing; write it as 'p99>20ms' or 'records/s<50000'")
            }
            GateError::UnknownMetric { metric, workload } => {
                let names: Vec<_> = known(*workload).map(|metric| metric.name).collect();
                let workload = workload.name();
                write!(f, "bench {workload} has no metric '{metric}'; it has {}", names.join(", "))
            }
            GateError::BadLimit { metric, limit, units } => {
                let named = units.iter().map(|(suffix, _)| *suffix);
                let names: Vec<_> = named.filter(|suffix| !suffix.is_empty()).collect();
                write!(f, "'{limit}' is no limit for {metric}; write a number")?;
                let needed = units.iter().all(|(suffix, _)| !suffix.is_empty());
                let word = if needed { "with one of" } else { "alone or with one of" };
                write!(f, " {word} {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for GateError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::measure::{Latencies, Window};
    use super::super::plan::Pace;
    use super::*;

    const PRODUCE: Workload = Workload::Produce { pace: Pace::Unbounded };

    /// 1,000 latencies from 1 to 1,000 ms; 50,000 records and 5,000,000 bytes in 2 s.
    fn measured() -> Measured {
        let mut latencies = Latencies::new();
        (1..=1000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let (time, cpu) = (Duration::from_secs(2), Duration::from_millis(1500));
        Measured {
            warmup_records: 10,
            window: Window { records: 50_000, bytes: 5_000_000, time, cpu },
            latency: latencies.summary(),
            memory_peak_bytes: None,
        }
    }

    #[track_caller]
    fn check(text: &str, failed: bool, want: &str) {
        let verdict = Gate::parse(text, PRODUCE).unwrap().check(&measured());
        assert_eq!((verdict.failed, verdict.reason.as_str()), (failed, want));
    }

    #[track_caller]
    fn check_bad(text: &str, workload: Workload, want: &str) {
        assert_eq!(Gate::parse(text, workload).unwrap_err().to_string(), want);
    }

    #[test]
    fn a_run_fails_where_the_comparison_holds() {
        check("p99>20ms", true, "p99>20ms: p99 is 990.207ms");
        check("p99>2s", false, "p99>2s: p99 is 990.207ms");
        check("p99.9 > 1000000 us", false, "p99.9 > 1000000 us: p99.9 is 999.423ms");
        check("records/s<50000", true, "records/s<50000: records/s is 25k");
        check("records/s<25k", false, "records/s<25k: records/s is 25k");
        check("records/s<=25k", true, "records/s<=25k: records/s is 25k");
        check("bytes/s>=2.5MB", true, "bytes/s>=2.5MB: bytes/s is 2.384186MiB");
        check("cpu>1.6s", false, "cpu>1.6s: cpu is 1.5s");
    }

    #[test]
    fn what_was_not_measured_is_not_passed() {
        check("memory>1GiB", true, "memory>1GiB: memory was not measured");
    }

    #[test]
    fn a_wrong_expression_says_what_is_known() {
        check_bad(
            "p99",
            PRODUCE,
            "'p99' compares nothing; write it as 'p99>20ms' or 'records/s<50000'",
        );
        check_bad(
            "p98>1ms",
            PRODUCE,
            "bench produce has no metric 'p98'; it has min, mean, p50, p90, p95, p99, p99.9, \
             p99.99, max, records/s, bytes/s, cpu, memory",
        );
        check_bad(
            "p99>1ms",
            Workload::Consume,
            "bench consume has no metric 'p99'; it has records/s, bytes/s, cpu, memory",
        );
        check_bad(
            "p99>20",
            PRODUCE,
            "'20' is no limit for p99; write a number with one of us, µs, ms, s",
        );
        check_bad(
            "records/s<50x",
            PRODUCE,
            "'50x' is no limit for records/s; write a number alone or with one of k, M",
        );
        check_bad(
            "p99>",
            PRODUCE,
            "'' is no limit for p99; write a number with one of us, µs, ms, s",
        );
    }
}
