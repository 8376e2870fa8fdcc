//! When it is said that nothing can be read yet, and why that is. Pure.

use std::time::{Duration, Instant};

use crate::record::Timestamp;

/// Trouble that the built-in broker has is told after so long.
const TROUBLE: Duration = Duration::from_secs(2);
/// A group that takes longer than Kafka's own delay of its first members is told of.
const SLOW: Duration = Duration::from_secs(6);

pub struct HeldUp {
    began: Instant,
    /// What the broker had before is not what holds this up.
    pub since: Timestamp,
    /// Until it has been told.
    next: Option<Instant>,
}

impl HeldUp {
    pub fn new(now: Instant, since: Timestamp) -> HeldUp {
        HeldUp { began: now, since, next: Some(now + TROUBLE) }
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// What is to be said now, if anything: `trouble` is the broker's own word.
    pub fn line(&mut self, now: Instant, why: &str, trouble: Option<String>) -> Option<String> {
        let slow = self.began + SLOW;
        self.next = (trouble.is_none() && now < slow).then_some(slow);
        match trouble {
            Some(trouble) => Some(format!("{why}, and its broker says: {trouble}; still waiting")),
            None if now < slow => None,
            None => Some(format!(
                "{why}; still waiting (other members may be slow to make room, its coordinator \
                 silent or out of disk, or the broker without the group.protocol that was asked \
                 for)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told each second, as a letter: of trouble, or of a slow group.
    #[track_caller]
    fn check(trouble_from: u64, want: &str) {
        let start = Instant::now();
        let mut held_up = HeldUp::new(start, Timestamp(0));
        let told = |second: usize| {
            let now = start + Duration::from_secs(second as u64);
            let trouble = (trouble_from <= second as u64).then(|| "full".to_owned());
            let line = match held_up.is_due(now) {
                true => held_up.line(now, "it waits", trouble),
                false => None,
            };
            line.map_or('.', |line| if line.contains("full") { 't' } else { 's' })
        };
        assert_eq!((0..want.len()).map(told).collect::<String>(), want);
    }

    #[test]
    fn it_is_told_once_and_trouble_sooner() {
        check(0, "..t.......");
        check(3, "......t...");
        check(9, "......s...");
    }
}
