//! What was measured: latencies as an HDR histogram, the course of a window, what processes used.

mod meter;
mod timeline;

use std::time::Duration;

use hdrhistogram::Histogram;

use super::disk::Syncs;

pub use meter::{Meter, Spent, Used, forget_memory_peak};
pub use timeline::Timeline;

/// Three digits: a value is off by 0.1 % at most.
const DIGITS: u8 = 3;

/// An hour is the longest latency told apart; no delivery takes as long.
const MICROS_MAX: u64 = 3_600_000_000;

/// Points of the curve for each halving of what is left above: a few dozen in all.
const POINTS_PER_HALF: u32 = 4;

/// Durations in monotonic microseconds.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Latencies {
        let empty = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS);
        Latencies(empty.expect("these bounds and digits are in range"))
    }
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(micros(latency));
    }

    /// The latency that this part of the records, 0 to 1, did not exceed.
    pub fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    /// What 99 % did not exceed so far; none: there are none.
    pub fn p99(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| self.at(0.99))
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

    /// The whole distribution as a curve: which part of the records took this long at most. Points
    /// lie closer the nearer they are to 1.
    pub fn curve(&self) -> impl Iterator<Item = (f64, Duration)> {
        let points = self.0.iter_quantiles(POINTS_PER_HALF);
        points.map(|point| (point.quantile(), Duration::from_micros(point.value_iterated_to())))
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
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
#[derive(Clone, Debug)]
pub struct Measured {
    /// Sent or read before the window, and in no figure.
    pub warmup_records: u64,
    pub window: Window,
    pub recorded: Recorded,
    /// This process.
    pub client: Used,
    /// The processes that lead the run's partitions, where all are known to be on this machine.
    pub broker: Option<Used>,
    /// Where they are known.
    pub batches: Option<Batches>,
    /// What the broker's disk does for one who waits, by size; none where the broker does not wait
    /// or its disk is not known.
    pub fdatasync: Vec<Syncs>,
}

/// What was noted of each record while the window was open.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Empty where the workload has none.
    pub latencies: Latencies,
    pub timeline: Timeline,
}

impl Recorded {
    /// A record arrived, this long after the window opened.
    pub fn note(&mut self, at: Duration, bytes: u64, latency: Duration) {
        self.note_batch(at, (1, bytes), latency);
    }

    /// So many records and bytes arrived at once; their latency is one.
    pub fn note_batch(&mut self, at: Duration, (records, bytes): (u64, u64), latency: Duration) {
        self.latencies.record(latency);
        let tick = self.timeline.tick(at);
        tick.count(records, bytes);
        tick.record(latency);
    }
}

/// The measured stretch of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    pub records: u64,
    /// Of keys and values, before compression.
    pub bytes: u64,
    pub time: Duration,
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

/// The batches that went to the broker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batches {
    /// Means.
    pub records: f64,
    pub bytes: f64,
    /// Bytes before compression for each byte after it.
    pub compression: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl Iterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        micros.for_each(|micros| latencies.record(Duration::from_micros(micros)));
        latencies
    }

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let got = of((1..=1000).chain((1..=1000).map(|ms| ms * 1000))).summary().unwrap();
        assert_eq!(got.min, Duration::from_micros(1));
        assert_eq!(got.p50, Duration::from_micros(1000));
        for (latency, want_ms) in [(got.p90, 800), (got.p99, 980), (got.max, 1000)] {
            let want = Duration::from_millis(want_ms);
            assert!(latency.abs_diff(want) <= want / 1000 * 2, "{latency:?} for {want:?}");
        }
    }

    #[test]
    fn the_curve_rises_to_the_longest_and_stays_short() {
        let curve: Vec<_> = of(1..=1_000_000).curve().collect();
        assert!(curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{curve:?}");
        let (last, longest) = *curve.last().unwrap();
        assert_eq!(last, 1.0);
        assert!(Duration::from_secs(1) <= longest);
        assert!((20..200).contains(&curve.len()), "{} points", curve.len());
    }

    #[test]
    fn nothing_measured_has_no_percentiles() {
        assert_eq!(Latencies::default().summary(), None);
        assert_eq!(Latencies::default().curve().count(), 0);
        let empty = Window { records: 0, bytes: 0, time: Duration::ZERO };
        assert_eq!(empty.records_per_s(), 0.0);
    }
}
