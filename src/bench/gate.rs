//! `--fail-if`: a figure that a run must not reach, as `p99>20ms` or `records/s<50000`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::metric::{self, Metric, Unit};
use super::plan::Workload;

/// One expectation. The run fails where the comparison holds.
#[derive(Clone, Debug)]
pub struct Gate {
    text: String,
    metric: &'static Metric,
    comparison: Comparison,
    limit: f64,
}

/// Why an expression is none.
#[derive(Debug, PartialEq)]
pub enum GateError {
    NoComparison { text: String },
    UnknownMetric { metric: String, workload: Workload },
    BadLimit { metric: &'static str, limit: String, units: &'static [Unit] },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// What became of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// As the user wrote it.
    pub fail_if: String,
    pub metric: String,
    /// In the base unit: seconds, bytes, or a plain number. None: not measured on this system.
    pub value: Option<f64>,
    pub failed: bool,
    /// One line that says why, for people.
    pub reason: String,
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

    pub fn metric(&self) -> &'static Metric {
        self.metric
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether what it says is so. An objective wants that, and an expectation fears it.
    pub fn holds(&self, value: f64) -> bool {
        self.comparison.holds(value, self.limit)
    }

    /// The expression and the figure, for people.
    pub fn with(&self, value: Option<f64>) -> String {
        let (text, name) = (&self.text, self.metric.name);
        match value {
            None => format!("{text}: {name} was not measured"),
            Some(value) => format!("{text}: {name} is {}", self.metric.show(value)),
        }
    }

    /// What was not measured is not passed.
    pub fn check(&self, value: Option<f64>) -> Verdict {
        let Gate { text, metric, .. } = self;
        let name = metric.name;
        let failed = value.is_none_or(|value| self.holds(value));
        let reason = self.with(value);
        Verdict { fail_if: text.clone(), metric: name.to_owned(), value, failed, reason }
    }
}

fn known(workload: Workload) -> impl Iterator<Item = &'static Metric> {
    metric::all().filter(move |metric| metric.is_of(workload))
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

impl GateError {
    /// Whether another workload has the metric.
    pub fn is_of_another(&self) -> bool {
        matches!(self, GateError::UnknownMetric { metric, .. } if metric::named(metric).is_some())
    }
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
    use super::super::plan::Pace;
    use super::*;

    const PRODUCE: Workload = Workload::Produce { pace: Pace::Unbounded };

    #[track_caller]
    fn check(text: &str, value: f64, failed: bool, want: &str) {
        let verdict = Gate::parse(text, PRODUCE).unwrap().check(Some(value));
        assert_eq!((verdict.failed, verdict.reason.as_str()), (failed, want));
    }

    #[track_caller]
    fn check_bad(text: &str, workload: Workload, want: &str) {
        assert_eq!(Gate::parse(text, workload).unwrap_err().to_string(), want);
    }

    #[test]
    fn a_run_fails_where_the_comparison_holds() {
        check("p99>20ms", 0.990207, true, "p99>20ms: p99 is 990ms");
        check("p99>2s", 0.990207, false, "p99>2s: p99 is 990ms");
        check("p99.9 > 1000000 us", 0.999423, false, "p99.9 > 1000000 us: p99.9 is 999ms");
        check("records/s<50000", 25e3, true, "records/s<50000: records/s is 25k");
        check("records/s<25k", 25e3, false, "records/s<25k: records/s is 25k");
        check("records/s<=25k", 25e3, true, "records/s<=25k: records/s is 25k");
        check("bytes/s>=2.5MB", 2.5e6, true, "bytes/s>=2.5MB: bytes/s is 2.38MiB");
        check("broker-cpu>1.6s", 1.5, false, "broker-cpu>1.6s: broker-cpu is 1.5s");
    }

    #[test]
    fn what_was_not_measured_is_not_passed() {
        let verdict = Gate::parse("memory>1GiB", PRODUCE).unwrap().check(None);
        assert!(verdict.failed);
        assert_eq!(verdict.reason, "memory>1GiB: memory was not measured");
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
            "bench produce has no metric 'p98'; it has records/s, bytes/s, min, mean, p50, p90, \
             p95, p99, p99.9, p99.99, max, cpu, memory, broker-cpu, broker-memory",
        );
        check_bad(
            "p99>1ms",
            Workload::Consume,
            "bench consume has no metric 'p99'; it has records/s, bytes/s, cpu, memory, \
             broker-cpu, broker-memory",
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
