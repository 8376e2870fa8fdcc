//! What was measured: latencies as an HDR histogram, and what the process used.

use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

/// Three digits: a value is off by 0.1 % at most.
const DIGITS: u8 = 3;

/// An hour is the longest latency told apart; no delivery takes as long.
const MICROS_MAX: u64 = 3_600_000_000;

/// Durations in monotonic microseconds.
#[derive(Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> Latencies {
        let empty = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS);
        Latencies(empty.expect("these bounds and digits are in range"))
    }

    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    pub fn merge(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("histograms of the same bounds add up");
    }

    /// The latency that this part of the records, 0 to 1, did not exceed.
    pub fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    pub fn summary(&self) -> Option<Latency> {
        (!self.0.is_empty()).then(|| Latency {
            min: Duration::from_micros(self.0.min()),
            mean: Duration::from_secs_f64(self.0.mean() / 1e6),
            p50: self.at(0.5),
            p90: self.at(0.9),
            p95: self.at(0.95),
            p99: self.at(0.99),
            p99_9: self.at(0.999),
            p99_99: self.at(0.9999),
            max: Duration::from_micros(self.0.max()),
        })
    }
}

/// The figures of a latency distribution that a report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    pub min: Duration,
    pub mean: Duration,
    pub p50: Duration,
    pub p90: Duration,
    pub p95: Duration,
    pub p99: Duration,
    pub p99_9: Duration,
    pub p99_99: Duration,
    pub max: Duration,
}

/// All figures of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Sent or read before the window, and in no figure.
    pub warmup_records: u64,
    pub window: Window,
    /// Where the workload has one.
    pub latency: Option<Latency>,
    /// Of this process, from its start.
    pub memory_peak_bytes: Option<u64>,
}

/// The measured stretch of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub records: u64,
    /// Of keys and values, before compression.
    pub bytes: u64,
    pub time: Duration,
    /// Processor time of this process, all threads, kernel included.
    pub cpu: Duration,
}

impl Window {
    pub fn records_per_s(&self) -> f64 {
        per_s(self.records, self.time)
    }

    pub fn bytes_per_s(&self) -> f64 {
        per_s(self.bytes, self.time)
    }
}

fn per_s(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// Processor time that this process has used so far.
pub fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).expect("processor time is not negative");
    let nanos = u32::try_from(used.tv_nsec).expect("nanoseconds are below a second");
    Duration::new(seconds, nanos)
}

/// The most memory that this process ever had resident, where the system says it.
pub fn memory_peak_bytes() -> Option<u64> {
    peak_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut low = Latencies::new();
        let mut high = Latencies::new();
        for micros in 1..=1000 {
            low.record(Duration::from_micros(micros));
            high.record(Duration::from_millis(micros));
        }
        low.merge(&high);
        let got = low.summary().unwrap();
        assert_eq!(got.min, Duration::from_micros(1));
        assert_eq!(got.p50, Duration::from_micros(1000));
        for (latency, want_ms) in [(got.p90, 800), (got.p99, 980), (got.max, 1000)] {
            let want = Duration::from_millis(want_ms);
            assert!(latency.abs_diff(want) <= want / 1000 * 2, "{latency:?} for {want:?}");
        }
    }

    #[test]
    fn nothing_measured_has_no_percentiles() {
        assert_eq!(Latencies::new().summary(), None);
        let empty = Window { records: 0, bytes: 0, time: Duration::ZERO, cpu: Duration::ZERO };
        assert_eq!(empty.records_per_s(), 0.0);
    }

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_in("VmPeak:\t  9 kB\nVmHWM:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(peak_in("VmPeak:\t  9 kB\n"), None);
    }
}
