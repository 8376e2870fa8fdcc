//! A log that cannot be opened, or a transaction in it that cannot be ended, and when that is tried
//! again: each try may read all of it. Pure.
//! Never knows: what is wrong with it.

use std::time::{Duration, Instant};

const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Who makes room, or puts back what was missing, waits no longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Broken {
    latest: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    why: String,
    pause: Duration,
    again: Instant,
}

impl Broken {
    pub fn may_be_tried(&self, now: Instant) -> bool {
        self.latest.as_ref().is_none_or(|failure| failure.again <= now)
    }

    /// Whether it failed, and may be tried again.
    pub fn is_due(&self, now: Instant) -> bool {
        self.latest.is_some() && self.may_be_tried(now)
    }

    /// It failed; whether that is news.
    pub fn fail(&mut self, now: Instant, why: String) -> bool {
        let (pause, is_news) = match &self.latest {
            None => (PAUSE_MIN, true),
            Some(failure) => ((failure.pause * 2).min(PAUSE_MAX), failure.why != why),
        };
        self.latest = Some(Failure { why, pause, again: now + pause });
        is_news
    }

    /// It is tried at once when it is used next: there may be no later.
    pub fn try_now(&mut self, now: Instant) {
        if let Some(failure) = &mut self.latest {
            failure.again = now;
        }
    }

    /// It works; whether that is news.
    pub fn mend(&mut self) -> bool {
        self.latest.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_tried_ever_more_seldom_and_said_when_something_changes() {
        let start = Instant::now();
        let mut broken = Broken::default();
        assert!(!broken.mend(), "it never failed");
        let mut tried = Vec::new();
        for second in 0..100 {
            let now = start + Duration::from_secs(second);
            if broken.may_be_tried(now) {
                let is_news = broken.fail(now, format!("no room {}", second / 40));
                tried.push((second, is_news));
            }
        }
        let (news, old) = (true, false);
        let want = [(0, news), (1, old), (3, old), (7, old), (15, old), (31, old), (61, news)];
        assert_eq!(tried[..7], want);
        assert_eq!(tried[7..], [(91, news)], "every half minute");
        assert!(!broken.may_be_tried(start));
        broken.try_now(start);
        assert!(broken.may_be_tried(start), "there may be no later");
        assert!(broken.mend() && broken.may_be_tried(start) && !broken.mend());
    }
}
