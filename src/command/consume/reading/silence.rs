//! What is done while nothing comes: whoever waits is told why, and what cannot come is given up.

use std::time::{Duration, Instant};

use super::super::stuck;
use super::{Act, Probe, Reading, SILENCE};
use crate::client::cause;
use crate::client::consume::Behind;

/// After so long it is looked whether what is read is still there, and again and again.
const CHECK: Duration = Duration::from_secs(3);
/// What comes late is looked for this often.
const LATE: Duration = Duration::from_millis(50);

impl Reading {
    /// Whether all is still there, who waits in vain, and what to do about it.
    pub(super) fn look_around(&mut self) -> anyhow::Result<()> {
        self.check()?;
        self.look_behind();
        self.take_answer();
        self.hint();
        self.tell_held_up();
        let source = &self.source;
        let act = self.quiet.act(Instant::now(), || source.complaint().is_some());
        act.into_iter().for_each(|act| self.act(act));
        Ok(())
    }

    /// Whether a record comes of what the logs have; what can have been there and does not come
    /// was missed. Where no broker answers, the silence is what it seems.
    pub(super) fn goes_on_late(&mut self) -> anyhow::Result<bool> {
        let behind = self.source.behind().unwrap_or_default();
        let (last, until) = (self.tally.last, Instant::now() + SILENCE);
        while !behind.is_empty() && self.tally.last == last && Instant::now() < until {
            if self.interrupt.exit().is_some() {
                return Ok(true);
            }
            if !self.read()? {
                self.flush()?;
                self.interrupt.pause(LATE)?;
            }
        }
        if self.tally.last != last {
            return Ok(true);
        }
        if !behind.is_empty() {
            let now = self.source.behind().unwrap_or_default();
            let stuck = behind.into_iter().filter(|it| now.contains(it));
            let stuck: Vec<_> = stuck.filter(|it| !self.may_have_gaps(&it.topic)).collect();
            self.is_missed |= !stuck.is_empty();
            self.tell_stuck(&stuck);
        }
        Ok(false)
    }

    /// Says once what nothing comes of while it is waited for more.
    fn look_behind(&mut self) {
        let now = Instant::now();
        if !self.stuck.is_due(now) || self.source.complaint().is_some() {
            return;
        }
        // What is wrong with all brokers is told by others.
        let behind = self.source.behind().unwrap_or_default();
        let stuck = self.stuck.look(now, behind);
        let stuck: Vec<_> = stuck.into_iter().filter(|it| !self.may_have_gaps(&it.topic)).collect();
        self.tell_stuck(&stuck);
    }

    fn tell_stuck(&self, stuck: &[Behind]) {
        let trouble = || self.lease.as_ref()?.trouble(self.held_up.since);
        let trouble = if stuck.is_empty() { None } else { trouble() };
        let log = self.source.admin().brokers_log();
        stuck::line(stuck, trouble, log).iter().for_each(|line| (self.tell)(line));
    }

    fn check(&mut self) -> anyhow::Result<()> {
        // A broker that is away is told of by others.
        if self.checked.elapsed() < CHECK || self.source.complaint().is_some() {
            return Ok(());
        }
        self.checked = Instant::now();
        Ok(self.source.check()?)
    }

    /// Says once what it waits for, where nothing can be read for long.
    fn tell_held_up(&mut self) {
        let now = Instant::now();
        if !self.held_up.is_due(now) {
            return;
        }
        let Some(why) = self.source.held_up() else { return };
        let trouble = self.lease.as_ref().and_then(|lease| lease.trouble(self.held_up.since));
        if let Some(line) = self.held_up.line(now, &why, trouble) {
            (self.tell)(&line);
        }
    }

    /// Says once, after a silence, how to end what does not end by itself.
    fn hint(&mut self) {
        let is_silent = SILENCE <= self.tally.last.elapsed() && self.source.complaint().is_none();
        if self.is_hinting && is_silent {
            self.is_hinting = false;
            (self.tell)("waiting for more; Ctrl-C ends it (-e stops at the end)");
        }
    }

    /// Compaction may have taken what lay there; elsewhere it was lost.
    fn may_have_gaps(&self, topic: &str) -> bool {
        let answers = self.source.admin().configs(&[topic.to_owned()]).unwrap_or_default();
        let mut configs = answers.into_iter().filter_map(|(_, configs)| configs.ok()).flatten();
        let policy = configs.find(|config| config.name == "cleanup.policy");
        policy.and_then(|policy| policy.value).is_some_and(|policy| policy.contains("compact"))
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Probe => {
                self.probe = self.source.probe();
                match self.probe {
                    Some(_) => self.quiet.asked(Instant::now()),
                    // Nothing is being read yet, or any more.
                    None => self.quiet.moved(Instant::now()),
                }
            }
            Act::Tell => {
                self.quiet.told();
                let complaint = self.source.complaint();
                let why = complaint.map_or("no answer".to_owned(), |c| cause(&c.text));
                (self.tell)(&format!("{}: {why}; waiting for it to come back", self.brokers));
            }
            Act::GiveUp => {
                for Behind { topic, place, .. } in self.source.give_up() {
                    if self.may_have_gaps(&topic) {
                        (self.tell)(&format!(
                            "{place}: nothing came below its end; taken as the end"
                        ));
                        continue;
                    }
                    self.is_missed = true;
                    let hint = stuck::hint(self.source.admin().brokers_log());
                    (self.tell)(&format!(
                        "{place}: nothing comes of what it has up to its end, and it is not \
                         compacted: records were lost or cannot be read; {hint}"
                    ));
                }
            }
        }
    }

    /// Looks whether the brokers that were asked have answered.
    fn take_answer(&mut self) {
        let Some(answers) = self.probe.as_ref().and_then(Probe::is_answered) else { return };
        self.probe = None;
        if answers {
            self.source.forgive();
        }
        self.quiet.answered(Instant::now(), answers);
    }
}
