//! When each record is due: pure arithmetic over elapsed time, no clock.

use std::time::Duration;

use super::plan::{Extent, Pace};

/// What a producer does next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Send now; latency counts from this moment of the run, which may lie in the past.
    Send {
        counted_from: Duration,
    },
    /// Nothing is due for this long.
    Wait(Duration),
    Over,
}

/// The sends of one producer of several that share a pace.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    first: Duration,
    /// Records a second of this producer; none: as fast as the client takes them.
    rate: Option<f64>,
    extent: Extent,
}

impl Schedule {
    /// Producers take turns, so that together they send at even intervals.
    pub fn new(pace: Pace, producer: u32, producers: u32, extent: Extent) -> Schedule {
        let extent = extent.share(producer, producers);
        match pace {
            Pace::Unbounded => Schedule { first: Duration::ZERO, rate: None, extent },
            Pace::Rate(rate) => Schedule {
                first: Duration::from_secs_f64(f64::from(producer) / rate),
                rate: Some(rate / f64::from(producers)),
                extent,
            },
        }
    }

    /// When the record `index` of this phase is due, after the phase's start; `None`: whenever.
    pub fn due(&self, index: u64) -> Option<Duration> {
        Some(self.first + Duration::from_secs_f64(index as f64 / self.rate?))
    }

    /// So many records are due at most.
    pub fn records_max(&self) -> u64 {
        let paced = |rate: f64| match self.extent.time {
            // One for the record at zero, and one for what is lost in rounding.
            Some(time) => (time.as_secs_f64() * rate) as u64 + 2,
            None => u64::MAX,
        };
        let in_time = self.rate.map_or(u64::MAX, paced);
        in_time.min(self.extent.records.unwrap_or(u64::MAX))
    }

    /// What to do about the record `index` of this phase, `elapsed` after its start.
    ///
    /// At a fixed rate a send that comes late still counts from when it was due: a stall of the
    /// broker then shows in every record that it held up, not only in those already on their
    /// way (Gil Tene's "coordinated omission").
    pub fn step(&self, index: u64, elapsed: Duration) -> Step {
        let due = self.due(index).unwrap_or(elapsed);
        let over = |records| records <= index;
        if self.extent.records.is_some_and(over) || self.extent.time.is_some_and(|end| end <= due) {
            Step::Over
        } else if due <= elapsed {
            Step::Send { counted_from: due }
        } else {
            Step::Wait(due - elapsed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::Latencies;
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at_1000_per_s(producer: u32, producers: u32) -> Schedule {
        let extent = Extent { records: Some(10), time: None };
        Schedule::new(Pace::Rate(1000.0), producer, producers, extent)
    }

    #[track_caller]
    fn check(schedule: Schedule, index: u64, elapsed_ms: u64, want: Step) {
        assert_eq!(schedule.step(index, ms(elapsed_ms)), want, "record {index} at {elapsed_ms} ms");
    }

    #[test]
    fn a_paced_send_waits_until_due_and_counts_from_then() {
        let schedule = at_1000_per_s(0, 1);
        check(schedule, 0, 0, Step::Send { counted_from: ms(0) });
        check(schedule, 3, 1, Step::Wait(ms(2)));
        check(schedule, 3, 3, Step::Send { counted_from: ms(3) });
        check(schedule, 3, 250, Step::Send { counted_from: ms(3) });
        check(schedule, 10, 10, Step::Over);
    }

    #[test]
    fn producers_take_turns() {
        check(at_1000_per_s(0, 2), 1, 2, Step::Send { counted_from: ms(2) });
        check(at_1000_per_s(1, 2), 0, 0, Step::Wait(ms(1)));
        check(at_1000_per_s(1, 2), 1, 9, Step::Send { counted_from: ms(3) });
        check(at_1000_per_s(1, 2), 5, 99, Step::Over);
    }

    #[test]
    fn what_is_due_is_bounded_before_it_is_sent() {
        let check = |rate, records, time_ms: Option<u64>, want| {
            let extent = Extent { records, time: time_ms.map(ms) };
            let schedule = Schedule::new(Pace::Rate(rate), 1, 3, extent);
            let most = schedule.records_max();
            let sent = (0..).take_while(|&n| schedule.step(n, Duration::MAX) != Step::Over);
            assert!(sent.count() as u64 <= most && most <= want, "{rate} {extent:?}: {most}");
        };
        check(1000.0, Some(10), None, 3);
        check(1000.0, None, Some(99), 35);
        check(0.5, None, Some(10_000), 3);
        check(333.3, Some(1000), Some(2000), 224);
    }

    #[test]
    fn an_unbounded_send_is_always_due() {
        let extent = Extent { records: Some(2), time: Some(ms(50)) };
        let schedule = Schedule::new(Pace::Unbounded, 0, 1, extent);
        check(schedule, 0, 7, Step::Send { counted_from: ms(7) });
        check(schedule, 1, 49, Step::Send { counted_from: ms(49) });
        check(schedule, 1, 50, Step::Over);
        check(schedule, 2, 7, Step::Over);
    }

    /// Goal: a stall shows as large as arithmetic says, although the sender itself was held up.
    /// Method: a simulated sender at 1,000/s whose every send takes 1 ms, but for a stall from
    /// 3.0 s to 3.2 s that blocks it. 200 of 10,000 records were due in the stall and wait
    /// from 200 ms down to 0, plus the backlog: the sender has no slack to catch up, so that every
    /// later record is 200 ms late as well.
    #[test]
    fn a_stall_without_slack_delays_all_that_follows() {
        let latencies = stalled(ms(1));
        assert_near(latencies.at(0.29), ms(1));
        assert_near(latencies.at(0.5), ms(201));
        assert_near(latencies.at(1.0), ms(201));
    }

    /// As above with sends of 100 µs: the sender catches up 0.9 ms a record, 222 records after
    /// the stall's start. Those 222 of 10,000 (2.2 %) wait from 200 ms down to 0 evenly, so the
    /// 99th percentile is the one that waited (2.22 - 1) / 2.22 of 200 ms = 110 ms.
    #[test]
    fn a_stall_raises_the_percentiles_as_arithmetic_says() {
        let latencies = stalled(Duration::from_micros(100));
        assert_near(latencies.at(0.5), Duration::from_micros(100));
        assert_near(latencies.at(0.97), Duration::from_micros(100));
        assert_near(latencies.at(0.99), ms(110));
        assert_near(latencies.at(0.999), ms(191));
        assert_near(latencies.at(1.0), ms(200));
    }

    fn stalled(service: Duration) -> Latencies {
        let extent = Extent { records: Some(10_000), time: None };
        let schedule = Schedule::new(Pace::Rate(1000.0), 0, 1, extent);
        let (mut now, mut index, mut latencies) = (Duration::ZERO, 0, Latencies::default());
        loop {
            match schedule.step(index, now) {
                Step::Over => return latencies,
                Step::Wait(time) => now += time,
                Step::Send { counted_from } => {
                    if (ms(3000)..ms(3200)).contains(&now) {
                        now = ms(3200);
                    }
                    now += service;
                    latencies.record(now - counted_from);
                    index += 1;
                }
            }
        }
    }

    #[track_caller]
    fn assert_near(got: Duration, want: Duration) {
        let slack = ms(1).max(want / 100);
        assert!(got.abs_diff(want) <= slack, "{got:?} is not near {want:?}");
    }
}
