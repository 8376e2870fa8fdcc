//! Reads a topic to its end, entering every record, and times a window of it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Stage, Watch};
use crate::bench::Error;
use crate::bench::measure::{Window, cpu};
use crate::bench::plan::Extent;
use crate::bench::verify::Ledger;
use crate::client::Config;
use crate::client::admin::Patience;
use crate::client::consume::{Consumer, Wanted};
use crate::client::span::Span;

/// How long a poll may last before the watch is looked at again.
const GLANCE: Duration = Duration::from_millis(100);

/// A topic that has nothing to say for this long below its end has lost the rest.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The clock is looked at once in so many records: it costs as much as a checksum.
const RECORDS_PER_LOOK: u64 = 64;

/// Finds the edges of the topic and begins to fetch it, to its end as it is now.
pub fn open(config: &Config, topic: &str, patience: Patience) -> Result<Consumer, Error> {
    let mut consumer = Consumer::open(config, patience)?;
    let topics = [topic.to_owned()];
    let span = Span::ALL.stopping_at_end();
    consumer.begin(&Wanted { topics: &topics, partitions: &[], span })?;
    Ok(consumer)
}

/// Reads until all was read, or nothing comes any more.
pub fn read(
    consumer: &mut Consumer,
    ledger: &mut Ledger<'_>,
    gauge: &mut Gauge,
    watch: &Watch,
) -> Result<(), Error> {
    let partitions: Vec<_> = consumer.parts().iter().map(|part| part.partition).collect();
    let mut heard = Instant::now();
    watch.show(gauge.stage(), gauge.so_far.records);
    while !consumer.is_done() && heard.elapsed() < SILENCE_MAX {
        if watch.is_stopped() {
            return Err(Error::Stopped);
        }
        let before = gauge.so_far.records;
        consumer.poll(GLANCE, |record| {
            let (key, value) = (record.key(), record.value());
            ledger.see(partitions[record.part()], key, value);
            gauge.count(key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len));
            ControlFlow::Continue(())
        })?;
        if before < gauge.so_far.records {
            heard = Instant::now();
            watch.show(gauge.stage(), gauge.so_far.records);
        }
    }
    Ok(())
}

/// Counts records, and times those between the warm-up and the end of the window.
pub struct Gauge {
    /// None: nothing is timed.
    wanted: Option<Wished>,
    so_far: Counts,
    opened: Option<Moment>,
    closed: Option<Moment>,
}

/// The stretch that is timed.
#[derive(Clone, Copy)]
struct Wished {
    after: u64,
    until: u64,
    time_max: Option<Duration>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    records: u64,
    /// Of keys and values.
    bytes: u64,
}

/// Where the counts stood, and when.
#[derive(Clone, Copy)]
struct Moment {
    counts: Counts,
    at: Instant,
    cpu: Duration,
}

impl Gauge {
    /// Times what comes after `warmup` records.
    pub fn new(warmup: u64, measured: Extent) -> Gauge {
        let until = warmup.saturating_add(measured.records.unwrap_or(u64::MAX));
        let wanted = Some(Wished { after: warmup, until, time_max: measured.time });
        let mut gauge = Gauge { wanted, ..Gauge::off() };
        if warmup == 0 {
            gauge.opened = Some(gauge.moment());
        }
        gauge
    }

    /// Times nothing.
    pub fn off() -> Gauge {
        Gauge { wanted: None, so_far: Counts::default(), opened: None, closed: None }
    }

    pub fn stage(&self) -> Stage {
        match (self.wanted, self.opened, self.closed) {
            (Some(_), None, _) => Stage::WarmingUp,
            (Some(_), Some(_), None) => Stage::Measuring,
            (None, _, _) | (_, _, Some(_)) => Stage::Verifying,
        }
    }

    fn count(&mut self, bytes: usize) {
        self.so_far.records += 1;
        self.so_far.bytes += bytes as u64;
        let Some(wanted) = self.wanted else { return };
        let records = self.so_far.records;
        match (self.opened, self.closed) {
            (None, _) if wanted.after <= records => self.opened = Some(self.moment()),
            (Some(opened), None)
                if wanted.until <= records || self.is_over(wanted.time_max, opened) =>
            {
                self.closed = Some(self.moment());
            }
            _ => {}
        }
    }

    fn is_over(&self, time_max: Option<Duration>, opened: Moment) -> bool {
        let is_look = self.so_far.records.is_multiple_of(RECORDS_PER_LOOK);
        is_look && time_max.is_some_and(|time_max| time_max <= opened.at.elapsed())
    }

    fn moment(&self) -> Moment {
        Moment { counts: self.so_far, at: Instant::now(), cpu: cpu() }
    }

    /// What was timed; empty where the records ended too early, which the account then says.
    pub fn window(&self) -> Window {
        let (Some(from), Some(to)) = (self.opened, self.closed) else {
            return Window { records: 0, bytes: 0, time: Duration::ZERO, cpu: Duration::ZERO };
        };
        Window {
            records: to.counts.records - from.counts.records,
            bytes: to.counts.bytes - from.counts.bytes,
            time: to.at.saturating_duration_since(from.at),
            cpu: to.cpu.saturating_sub(from.cpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts records of 10 bytes; `RECORDS/BYTES` of the window, and what the gauge is at then.
    #[track_caller]
    fn check(mut gauge: Gauge, records: u64, want: &str, stage: Stage) {
        (0..records).for_each(|_| gauge.count(10));
        let window = gauge.window();
        assert_eq!(format!("{}/{}", window.records, window.bytes), want);
        assert_eq!(gauge.stage(), stage);
    }

    #[test]
    fn the_window_is_what_comes_after_the_warm_up() {
        let of = |records| Extent { records: Some(records), time: None };
        check(Gauge::new(5, of(20)), 4, "0/0", Stage::WarmingUp);
        check(Gauge::new(5, of(20)), 5, "0/0", Stage::Measuring);
        check(Gauge::new(5, of(20)), 25, "20/200", Stage::Verifying);
        check(Gauge::new(5, of(20)), 99, "20/200", Stage::Verifying);
        check(Gauge::new(0, of(20)), 20, "20/200", Stage::Verifying);
        check(Gauge::off(), 99, "0/0", Stage::Verifying);
    }

    #[test]
    fn a_time_limit_ends_the_window_at_the_next_look() {
        let at_once = Extent { records: Some(1000), time: Some(Duration::ZERO) };
        check(Gauge::new(0, at_once), 1000, "64/640", Stage::Verifying);
        let later = Extent { records: Some(1000), time: Some(Duration::MAX) };
        check(Gauge::new(0, later), 999, "0/0", Stage::Measuring);
    }
}
