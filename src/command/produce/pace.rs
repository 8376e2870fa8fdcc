//! When records are due: at a rate, or as far apart as their times are. Pure.

use std::time::Duration;

use crate::record::Timestamp;

/// A schedule, counted from the first record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second.
    Rate(f64),
    /// So many times as quick as their timestamps say; `None` before the first that has one.
    Replay { speed: f64, first: Option<Timestamp> },
}

impl Pace {
    /// Reads `2`, `2x` or `0.5x`.
    pub fn replay(text: &str) -> Result<Pace, String> {
        let speed = text.strip_suffix('x').unwrap_or(text).parse::<f64>();
        match speed {
            Ok(speed) if speed.is_finite() && 0.0 < speed => {
                Ok(Pace::Replay { speed, first: None })
            }
            _ => Err(format!("'{text}' is not a speed; write 1, 2x or 0.5x")),
        }
    }

    /// When the n-th record (from 0) is due. One whose time is before the first's, or that has
    /// none, is due at once.
    pub fn due(&mut self, n: u64, timestamp: Option<Timestamp>) -> Duration {
        let seconds = match self {
            Pace::Rate(rate) => n as f64 / *rate,
            Pace::Replay { speed, first } => {
                let Some(time) = timestamp else { return Duration::ZERO };
                let first = *first.get_or_insert(time);
                (time.get().saturating_sub(first.get())) as f64 / 1000.0 / *speed
            }
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mut pace: Pace, times: &[Option<i64>], want_ms: &[u128]) {
        let due =
            |(n, time): (usize, &Option<i64>)| pace.due(n as u64, time.map(Timestamp)).as_millis();
        assert_eq!(times.iter().enumerate().map(due).collect::<Vec<_>>(), want_ms);
    }

    #[test]
    fn a_rate_spaces_records_evenly() {
        check(Pace::Rate(4.0), &[None, Some(9), None], &[0, 250, 500]);
    }

    #[test]
    fn a_replay_keeps_gaps() {
        let times = [None, Some(5000), Some(6000), Some(4000), None, Some(9000)];
        check(Pace::replay("1").unwrap(), &times, &[0, 0, 1000, 0, 0, 4000]);
        check(Pace::replay("2x").unwrap(), &times, &[0, 0, 500, 0, 0, 2000]);
    }

    #[test]
    fn speeds_are_positive() {
        for text in ["0", "-1", "x", "inf", "nan", ""] {
            assert!(Pace::replay(text).is_err(), "{text}");
        }
    }
}
