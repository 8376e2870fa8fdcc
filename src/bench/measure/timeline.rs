//! The course of a window in ticks of even length, however long it gets.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{MICROS_MAX, micros};

const TICK: Duration = Duration::from_millis(100);

/// Where there would be more, two become one: enough for a plot, and a bound for what is kept.
const TICKS_MAX: usize = 600;

/// A point of a plot needs no more digits.
const DIGITS: u8 = 1;

#[derive(Clone, Debug)]
pub struct Timeline {
    tick: Duration,
    ticks: Vec<Tick>,
}

/// What arrived in a stretch of the window.
#[derive(Clone, Debug, Default)]
pub struct Tick {
    pub records: u64,
    pub bytes: u64,
    latencies: Option<Histogram<u32>>,
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline { tick: TICK, ticks: Vec::new() }
    }
}

impl Timeline {
    /// The tick of this moment of the window.
    pub fn tick(&mut self, at: Duration) -> &mut Tick {
        while self.index(at) >= TICKS_MAX {
            self.halve();
        }
        let index = self.index(at);
        if self.ticks.len() <= index {
            self.ticks.resize_with(index + 1, Tick::default);
        }
        &mut self.ticks[index]
    }

    /// How long a tick is.
    pub fn length(&self) -> Duration {
        self.tick
    }

    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    fn index(&self, at: Duration) -> usize {
        usize::try_from(micros(at) / micros(self.tick)).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        self.tick *= 2;
        let mut ticks = std::mem::take(&mut self.ticks).into_iter();
        while let Some(first) = ticks.next() {
            self.ticks.push(first.and(ticks.next().unwrap_or_default()));
        }
    }
}

impl Tick {
    pub fn count(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }

    pub fn record(&mut self, latency: Duration) {
        let latencies = self.latencies.get_or_insert_with(|| {
            let empty = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS);
            empty.expect("these bounds and digits are in range")
        });
        latencies.saturating_record(micros(latency));
    }

    /// The latency that this part of the tick's records did not exceed, to a digit or so.
    pub fn at(&self, quantile: f64) -> Option<Duration> {
        let latencies = self.latencies.as_ref()?;
        Some(Duration::from_micros(latencies.value_at_quantile(quantile).min(latencies.max())))
    }

    fn and(mut self, other: Tick) -> Tick {
        self.count(other.records, other.bytes);
        self.latencies = match (self.latencies, other.latencies) {
            (Some(mut one), Some(other)) => {
                one.add(&other).expect("histograms of the same bounds add up");
                Some(one)
            }
            (one, other) => one.or(other),
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_has_what_arrived_in_it() {
        let mut timeline = Timeline::default();
        for ms in [0, 99, 100, 350] {
            let tick = timeline.tick(Duration::from_millis(ms));
            tick.count(1, 10);
            tick.record(Duration::from_millis(ms));
        }
        let records: Vec<_> = timeline.ticks().iter().map(|tick| tick.records).collect();
        assert_eq!(records, [2, 1, 0, 1]);
        assert_eq!(timeline.ticks()[2].at(0.5), None);
        let late = timeline.ticks()[3].at(0.99).unwrap();
        assert!(late.abs_diff(Duration::from_millis(350)) < Duration::from_millis(25), "{late:?}");
    }

    #[test]
    fn a_long_window_has_longer_ticks_and_loses_nothing() {
        let mut timeline = Timeline::default();
        let all = 7200;
        (0..all).for_each(|second| {
            let tick = timeline.tick(Duration::from_secs(second));
            tick.count(1, 5);
            tick.record(Duration::from_millis(1));
        });
        assert_eq!(timeline.length(), TICK * 128);
        assert!(TICKS_MAX / 2 <= timeline.ticks().len() && timeline.ticks().len() <= TICKS_MAX);
        assert_eq!(timeline.ticks().iter().map(|tick| tick.records).sum::<u64>(), all);
        assert_eq!(timeline.ticks().iter().map(|tick| tick.bytes).sum::<u64>(), all * 5);
        assert_eq!(timeline.ticks()[0].records, 13);
    }
}
