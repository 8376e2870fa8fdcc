//! When reading is over, and whether what came is what was expected. Pure.

use std::fmt;
use std::time::{Duration, Instant};

use super::super::Exit;

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Goal {
    /// Stops after so many records.
    pub count: Option<u64>,
    /// So many records have to come, not one more.
    pub expect: Option<u64>,
    /// Whether there is an end; without it, what is expected is there at the last record.
    pub has_end: bool,
    pub within: Option<Duration>,
    /// Stops after so long without a record.
    pub idle: Option<Duration>,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Met,
    TooFew { expected: u64, came: u64 },
    TooMany { expected: u64 },
    OutOfTime { within: Duration, came: u64, expected: Option<u64> },
}

/// What has come so far, and when.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    pub came: u64,
    pub began: Instant,
    /// When the last record came, or reading began.
    pub last: Instant,
}

impl Goal {
    /// What the number of records says; asked after each.
    pub fn at_count(&self, came: u64) -> Option<End> {
        match self.expect {
            Some(expected) if expected < came => Some(End::TooMany { expected }),
            Some(expected) if expected == came && !self.has_end && self.idle.is_none() => {
                Some(End::Met)
            }
            _ => (self.count == Some(came)).then_some(End::Met),
        }
    }

    /// No more records are to come.
    pub fn at_end(&self, came: u64) -> End {
        match self.expect {
            Some(expected) if came < expected => End::TooFew { expected, came },
            Some(expected) if expected < came => End::TooMany { expected },
            _ => End::Met,
        }
    }

    /// How many records are wanted, should it end with the last of them.
    pub fn records(&self) -> Option<u64> {
        self.count.or(self.expect)
    }

    /// What the time says.
    pub fn at_time(&self, now: Instant, tally: &Tally) -> Option<End> {
        let Tally { came, began, last } = *tally;
        match (self.within, self.idle) {
            (Some(within), _) if within <= now.saturating_duration_since(began) => {
                Some(End::OutOfTime { within, came, expected: self.expect })
            }
            (_, Some(idle)) if idle <= now.saturating_duration_since(last) => {
                Some(self.at_end(came))
            }
            _ => None,
        }
    }

    /// How long it is until the time says something.
    pub fn wait(&self, now: Instant, tally: &Tally) -> Duration {
        let left = |since: Instant, time: Option<Duration>| {
            time.map(|time| time.saturating_sub(now.saturating_duration_since(since)))
        };
        let both = [left(tally.began, self.within), left(tally.last, self.idle)];
        both.into_iter().flatten().min().unwrap_or(Duration::MAX)
    }
}

impl End {
    pub fn exit(self) -> Exit {
        match self {
            End::Met => Exit::Done,
            End::TooFew { .. } | End::TooMany { .. } => Exit::Unmet,
            End::OutOfTime { .. } => Exit::OutOfTime,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = |count: u64| if count == 1 { "record" } else { "records" };
        match *self {
            End::Met => Ok(()),
            End::TooFew { expected, came } => {
                write!(f, "expected {expected} {}, {came} came", records(expected))
            }
            End::TooMany { expected } => {
                write!(f, "expected {expected} {}, more came", records(expected))
            }
            End::OutOfTime { within, came, expected } => {
                let seconds = within.as_secs_f64();
                write!(f, "--within {seconds}s ran out; {came} ")?;
                match expected {
                    Some(expected) => write!(f, "of {expected} {} came", records(expected)),
                    None => write!(f, "{} came", records(came)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a run: `r` a record, `.` a second without one, `e` the end.
    #[track_caller]
    fn check(goal: Goal, script: &str, want: &str) {
        let began = Instant::now();
        let mut tally = Tally { came: 0, began, last: began };
        let mut now = began;
        let mut left = script.chars();
        let end = loop {
            let end = match left.next() {
                Some('r') => {
                    (tally.came, tally.last) = (tally.came + 1, now);
                    goal.at_count(tally.came)
                }
                Some('e') => Some(goal.at_end(tally.came)),
                Some(_) => {
                    assert!(goal.wait(now, &tally) > Duration::ZERO);
                    now += Duration::from_secs(1);
                    goal.at_time(now, &tally)
                }
                None => break "goes on".to_owned(),
            };
            match end {
                Some(End::Met) => break format!("met, left {}", left.as_str()),
                Some(end) => break format!("{} {end}", end.exit().code()),
                None => {}
            }
        };
        assert_eq!(end, want, "{script}");
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_count_ends_at_once() {
        check(Goal { count: Some(2), ..Goal::default() }, "rrr", "met, left r");
    }

    #[test]
    fn with_an_end_exactly_so_many_are_expected() {
        let goal = Goal { expect: Some(2), has_end: true, ..Goal::default() };
        check(goal, "rre", "met, left ");
        check(goal, "re", "3 expected 2 records, 1 came");
        check(goal, "rrre", "3 expected 2 records, more came");
    }

    #[test]
    fn without_an_end_the_last_expected_record_is_enough() {
        let goal = Goal { expect: Some(1), ..Goal::default() };
        check(goal, "..rr", "met, left r");
        let goal = Goal { within: Some(3 * SECOND), ..goal };
        check(goal, "...r", "124 --within 3s ran out; 0 of 1 record came");
    }

    #[test]
    fn a_pause_shows_that_no_more_come() {
        let goal = Goal { expect: Some(1), idle: Some(2 * SECOND), ..Goal::default() };
        check(goal, "r..", "met, left ");
        check(goal, "r.r", "3 expected 1 record, more came");
        check(goal, "..", "3 expected 1 record, 0 came");
        let goal = Goal { expect: Some(0), idle: Some(2 * SECOND), ..Goal::default() };
        check(goal, "..", "met, left ");
        check(goal, ".r", "3 expected 0 records, more came");
    }

    #[test]
    fn idle_and_within_end_what_would_go_on() {
        check(Goal { idle: Some(2 * SECOND), ..Goal::default() }, "r.r..", "met, left ");
        let goal = Goal { within: Some(2 * SECOND), ..Goal::default() };
        check(goal, "r.r.", "124 --within 2s ran out; 2 records came");
        check(Goal::default(), "r......r", "goes on");
    }
}
