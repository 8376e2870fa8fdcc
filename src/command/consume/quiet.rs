//! What a silence means: a quiet topic, the end, or brokers that are away. Pure.

use std::time::{Duration, Instant};

use crate::client::span::AtEnd;

/// Below the end, this long without a record is taken for the end.
const SILENCE: Duration = Duration::from_secs(1);
/// Trouble that lasts this long is told.
const TROUBLE: Duration = Duration::from_secs(2);

/// What is done about a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ask the brokers whether they are there.
    Probe,
    /// Say what is wrong.
    Tell,
    /// Take it for the end.
    GiveUp,
}

/// Decides what a silence means. Without trouble a topic that is followed may be silent for ever;
/// one that is read to its end may not be, unless the broker is away: that it is not must have
/// been seen for as long as the silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    at_end: AtEnd,
    /// The last time that anything came.
    since: Instant,
    /// When the brokers were asked, while they have not answered.
    asked: Option<Instant>,
    answer: Option<Answer>,
    told: bool,
}

/// What came of asking the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// They answered every time that they were asked.
    There {
        first: Instant,
        last: Instant,
    },
    Failed {
        at: Instant,
    },
}

impl Quiet {
    pub fn new(now: Instant, at_end: AtEnd) -> Quiet {
        Quiet { at_end, since: now, asked: None, answer: None, told: false }
    }

    pub fn moved(&mut self, now: Instant) {
        *self = Quiet::new(now, self.at_end);
    }

    pub fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    pub fn told(&mut self) {
        self.told = true;
    }

    pub fn answered(&mut self, now: Instant, answers: bool) {
        self.asked = None;
        self.answer = Some(match (answers, self.answer) {
            (true, Some(Answer::There { first, .. })) => Answer::There { first, last: now },
            (true, _) => Answer::There { first: now, last: now },
            (false, _) => Answer::Failed { at: now },
        });
        self.told &= !answers;
    }

    /// What is to be done now. `trouble` says whether a broker was complained about.
    pub fn act(&self, now: Instant, trouble: impl Fn() -> bool) -> Option<Act> {
        let past = |since: Instant, time: Duration| time <= now.saturating_duration_since(since);
        let failed = matches!(self.answer, Some(Answer::Failed { .. }));
        let away = failed || self.asked.is_some_and(|asked| past(asked, SILENCE));
        if away && !self.told && past(self.since, TROUBLE) {
            return Some(Act::Tell);
        }
        if self.asked.is_some() {
            return None;
        }
        let last = match self.answer {
            Some(Answer::There { first, last }) => {
                if self.at_end == AtEnd::Stop && first + SILENCE / 2 <= last {
                    return Some(Act::GiveUp);
                }
                last
            }
            Some(Answer::Failed { at }) => at,
            None => self.since,
        };
        let in_doubt = failed || self.at_end == AtEnd::Stop || trouble();
        (past(last, SILENCE / 2) && in_doubt).then_some(Act::Probe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While nothing comes, time is looked at this often.
    const TICK: Duration = Duration::from_millis(250);

    /// Plays a silence in steps of a quarter of a second: what is done at each, as a letter.
    /// `answers` says how the brokers answer the step after they are asked, if they do.
    fn played(at_end: AtEnd, trouble: bool, answers: &[Option<bool>]) -> String {
        let start = Instant::now();
        let mut quiet = Quiet::new(start, at_end);
        let mut acts = String::new();
        for (step, answer) in (1..).zip(answers) {
            let now = start + TICK * step;
            if let (Some(answer), Some(_)) = (answer, quiet.asked) {
                quiet.answered(now, *answer);
            }
            acts.push(match quiet.act(now, || trouble) {
                None => '.',
                Some(Act::Probe) => {
                    quiet.asked(now);
                    'p'
                }
                Some(Act::Tell) => {
                    quiet.told();
                    't'
                }
                Some(Act::GiveUp) => return acts + "g",
            });
        }
        acts
    }

    #[track_caller]
    fn check(at_end: AtEnd, trouble: bool, answer: Option<bool>, want: &str) {
        assert_eq!(played(at_end, trouble, &vec![answer; want.len()]), want);
    }

    #[test]
    fn a_topic_that_is_followed_may_be_silent() {
        check(AtEnd::Follow, false, Some(true), "............");
    }

    #[test]
    fn trouble_that_passed_is_not_told() {
        // The complaint is forgiven at the first answer, which the played brokers do not show.
        check(AtEnd::Follow, true, Some(true), ".p..p..p..p.");
    }

    #[test]
    fn trouble_that_lasts_is_told_once() {
        check(AtEnd::Follow, true, None, ".p.....t........");
        check(AtEnd::Stop, false, None, ".p.....t........");
        check(AtEnd::Follow, true, Some(false), ".p..p..tp..p..p.");
    }

    #[test]
    fn below_the_end_a_silence_is_the_end_only_while_the_brokers_answer() {
        check(AtEnd::Stop, false, Some(true), ".p..pg");
        let away = [vec![None; 6], vec![Some(true); 20]].concat();
        assert_eq!(played(AtEnd::Stop, false, &away), ".p......pg");
    }
}
