//! Reads a topic to its end, entering every record, and times a window of it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Stage, Watch};
use crate::bench::Error;
use crate::bench::measure::{Meter, Spent, Timeline, Window};
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

/// Reads some records and looks at none: connections, caches and code are then warm.
pub fn warm_up(consumer: &mut Consumer, records: u64, watch: &Watch) -> Result<(), Error> {
    let mut count = 0;
    let mut heard = Instant::now();
    while count < records && !consumer.is_done() && heard.elapsed() < SILENCE_MAX {
        if watch.is_stopped() {
            return Err(Error::Stopped);
        }
        consumer.poll(GLANCE, |_| {
            count += 1;
            heard = Instant::now();
            if count < records { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        watch.show(Stage::WarmingUp, count);
    }
    Ok(())
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
    watch.show(gauge.stage(), 0);
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

/// Counts records, and times a window of them.
pub struct Gauge {
    /// None: nothing is timed, or no more.
    open: Option<Open>,
    so_far: Counts,
    /// What of it is in the timeline.
    noted: Counts,
    timed: Timed,
}

/// A window and what ends it.
struct Open {
    extent: Extent,
    since: Instant,
    meter: Meter,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    records: u64,
    /// Of keys and values.
    bytes: u64,
}

/// What was timed; empty where the records ended too early, which the account then says.
#[derive(Default)]
pub struct Timed {
    pub window: Window,
    pub timeline: Timeline,
    pub spent: Spent,
}

impl Gauge {
    /// The window opens now.
    pub fn open(extent: Extent, meter: Meter) -> Gauge {
        let open = Open { extent, since: Instant::now(), meter };
        Gauge { open: Some(open), ..Gauge::off() }
    }

    /// Times nothing.
    pub fn off() -> Gauge {
        let (so_far, noted) = (Counts::default(), Counts::default());
        Gauge { open: None, so_far, noted, timed: Timed::default() }
    }

    pub fn timed(self) -> Timed {
        self.timed
    }

    fn stage(&self) -> Stage {
        match &self.open {
            Some(_) => Stage::Measuring,
            None => Stage::Verifying,
        }
    }

    fn count(&mut self, bytes: usize) {
        self.so_far.records += 1;
        self.so_far.bytes += bytes as u64;
        let Some(Open { extent, since, meter }) = &self.open else { return };
        let Counts { records, bytes } = self.so_far;
        let is_last = extent.records.is_some_and(|max| max <= records);
        if !is_last && !records.is_multiple_of(RECORDS_PER_LOOK) {
            return;
        }
        let time = since.elapsed();
        let tick = self.timed.timeline.tick(time);
        tick.count(records - self.noted.records, bytes - self.noted.bytes);
        self.noted = self.so_far;
        if is_last || extent.time.is_some_and(|max| max <= time) {
            self.timed.window = Window { records, bytes, time };
            self.timed.spent = meter.spent();
            self.open = None;
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
        assert_eq!(gauge.stage(), stage);
        let window = gauge.timed().window;
        assert_eq!(format!("{}/{}", window.records, window.bytes), want);
    }

    fn open(extent: Extent) -> Gauge {
        Gauge::open(extent, Meter::start(vec![]))
    }

    #[test]
    fn the_window_ends_with_its_last_record() {
        let of_20 = Extent { records: Some(20), time: None };
        check(open(of_20), 19, "0/0", Stage::Measuring);
        check(open(of_20), 20, "20/200", Stage::Verifying);
        check(open(of_20), 99, "20/200", Stage::Verifying);
        check(Gauge::off(), 99, "0/0", Stage::Verifying);
    }

    #[test]
    fn a_time_limit_ends_the_window_at_the_next_look() {
        let at_once = Extent { records: Some(1000), time: Some(Duration::ZERO) };
        check(open(at_once), 1000, "64/640", Stage::Verifying);
        let later = Extent { records: Some(1000), time: Some(Duration::MAX) };
        check(open(later), 999, "0/0", Stage::Measuring);
    }
}
