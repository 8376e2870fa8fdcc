//! Partitions of which nothing comes although their logs go on, and what is said of them. Pure.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::consume::Behind;
use crate::quantity::counted;

/// It is looked this soon, and then ever less often.
const LOOK: Duration = Duration::from_secs(3);
const LOOK_MAX: Duration = Duration::from_secs(60);

/// What is followed for ever, and told of once.
pub struct Stuck {
    next: Instant,
    pause: Duration,
    /// As it was at the last look.
    behind: Vec<Behind>,
    told: BTreeSet<String>,
}

impl Stuck {
    pub fn new(now: Instant) -> Stuck {
        Stuck { next: now + LOOK, pause: LOOK, behind: Vec::new(), told: BTreeSet::new() }
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// Takes what is behind while nothing is there to be read; what of that is news: where the last
    /// look found it, it still is.
    pub fn look(&mut self, now: Instant, behind: Vec<Behind>) -> Vec<Behind> {
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(LOOK_MAX);
        let is_news = |it: &&Behind| self.behind.contains(it) && !self.told.contains(&it.place);
        let news: Vec<_> = behind.iter().filter(is_news).cloned().collect();
        self.told.extend(news.iter().map(|it| it.place.clone()));
        self.behind = behind;
        news
    }
}

/// One line for all that nothing comes of; `trouble` is what the broker says itself.
pub fn line(stuck: &[Behind], trouble: Option<String>, log: Option<&Path>) -> Option<String> {
    let (Behind { place, position, .. }, others) = stuck.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        others => format!(" (nor of {})", counted(others as i64, "other partition")),
    };
    let why = match trouble {
        Some(trouble) => format!("its broker says: {trouble}"),
        None => hint(log),
    };
    Some(format!(
        "{place}: nothing comes from offset {position} on{others}, though its log goes on; {why}"
    ))
}

/// Where it is said what is wrong with a log.
pub fn hint(log: Option<&Path>) -> String {
    match log.and_then(|log| Some((log, log.parent()?))) {
        Some((log, data)) => {
            let (log, data) = (log.display(), data.display());
            format!("{log} says why, and `kaw log verify {data}` what is damaged")
        }
        None => "the broker's log says why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Offset;

    /// Plays looks, at each the positions of partitions that are behind: which are told of.
    #[track_caller]
    fn check(looks: &[&[(&str, i64)]], want: &[&str]) {
        let now = Instant::now();
        let mut stuck = Stuck::new(now);
        let mut told = Vec::new();
        for look in looks {
            let behind = look.iter().map(|&(place, position)| Behind {
                topic: "t".to_owned(),
                place: place.to_owned(),
                position: Offset(position),
            });
            told.extend(stuck.look(now, behind.collect()));
        }
        assert_eq!(told.iter().map(|it| it.place.as_str()).collect::<Vec<_>>(), want);
    }

    #[test]
    fn what_stays_behind_is_told_once() {
        check(&[&[("t-0", 5)]], &[]);
        check(&[&[("t-0", 5)], &[("t-0", 6)], &[("t-0", 7)]], &[]);
        check(&[&[("t-0", 5)], &[], &[("t-0", 5)]], &[]);
        check(&[&[("t-0", 5), ("t-1", 1)], &[("t-0", 5)], &[("t-0", 5)]], &["t-0"]);
        check(&[&[("t-0", 5)], &[("t-0", 5), ("t-1", 1)], &[("t-1", 1)]], &["t-0", "t-1"]);
    }

    #[test]
    fn it_is_looked_ever_less_often() {
        let now = Instant::now();
        let mut stuck = Stuck::new(now);
        assert!(!stuck.is_due(now) && stuck.is_due(now + LOOK));
        (0..9).for_each(|_| drop(stuck.look(now, Vec::new())));
        assert!(!stuck.is_due(now + LOOK) && stuck.is_due(now + LOOK_MAX));
    }
}
