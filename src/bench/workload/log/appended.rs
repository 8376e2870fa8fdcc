//! What came of a phase: its laps put together, as if nothing had been between them.

use std::time::{Duration, Instant};

use crate::bench::measure::{Batches, Recorded, Used, Window};
use crate::bench::plan::Extent;

/// What came of a phase.
#[derive(Default)]
pub(super) struct Appended {
    pub window: Window,
    pub used: Used,
    pub recorded: Recorded,
    pub batches: u64,
    /// Of whole batches: before compression, and as they lie in the log.
    pub plain_bytes: u64,
    pub log_bytes: u64,
}

/// A batch that is in the log.
#[derive(Clone, Copy)]
pub(super) struct Timed {
    pub at: Instant,
    pub latency: Duration,
    pub records: u64,
    pub payload_bytes: u64,
}

impl Appended {
    /// What the batches were like.
    pub(super) fn batches(&self) -> Option<Batches> {
        let per_batch = |count: u64| count as f64 / self.batches as f64;
        (0 < self.batches).then(|| Batches {
            records: per_batch(self.window.records),
            bytes: per_batch(self.log_bytes),
            compression: self.plain_bytes as f64 / self.log_bytes as f64,
        })
    }

    /// A lap begins with its first batch and ends with its last, whichever producer's they are.
    pub(super) fn note(&mut self, timed: &[Timed]) {
        let begins = timed.iter().map(|it| it.at - it.latency).min();
        let ends = timed.iter().map(|it| it.at).max();
        let Some((begins, ends)) = begins.zip(ends) else { return };
        for Timed { at, latency, records, payload_bytes } in timed {
            let time = self.window.time + at.saturating_duration_since(begins);
            self.recorded.note_batch(time, (*records, *payload_bytes), *latency);
            self.window.records += records;
            self.window.bytes += payload_bytes;
        }
        self.window.time += ends - begins;
    }
}

/// How many records there are still to append; `None`: it is over.
pub(super) fn left(extent: Extent, done: &Window) -> Option<u64> {
    let records = extent.records.unwrap_or(u64::MAX).saturating_sub(done.records);
    let is_over = records == 0 || extent.time.is_some_and(|time| time <= done.time);
    (!is_over).then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lap_lasts_from_its_first_batch_to_its_last() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        let timed = |at, latency| Timed {
            at: began + ms(at),
            latency: ms(latency),
            records: 10,
            payload_bytes: 100,
        };
        let mut done = Appended::default();
        done.note(&[timed(5, 4), timed(9, 4), timed(7, 7)]);
        assert_eq!(done.window, Window { records: 30, bytes: 300, time: ms(9) });
        done.note(&[timed(1002, 2), timed(1004, 2)]);
        assert_eq!(done.window, Window { records: 50, bytes: 500, time: ms(13) });
        let longest = done.recorded.latencies.summary().unwrap().max;
        assert!(longest.abs_diff(ms(7)) < ms(1), "{longest:?}");
    }

    #[test]
    fn an_extent_is_over_by_records_or_by_the_time_of_its_laps() {
        let extent = Extent { records: Some(10), time: Some(Duration::from_secs(1)) };
        let at = |records, ms| Window { records, bytes: 0, time: Duration::from_millis(ms) };
        assert_eq!(left(extent, &at(0, 0)), Some(10));
        assert_eq!(left(extent, &at(9, 999)), Some(1));
        assert_eq!(left(extent, &at(10, 0)), None);
        assert_eq!(left(extent, &at(0, 1000)), None);
    }
}
