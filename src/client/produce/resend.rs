//! How what a topic may refuse is sent: in groups, of which the innocent are sent again.

use std::time::Instant;

use bytes::Bytes;

use super::again::{self, Owned};
use super::group::Group;
use super::rules::{self, Rule, Suspicion};
use super::settings::Settings;
use super::{Full, Hold, Producer, REFUSAL_HOLDS, Refusal, now};
use crate::client::Code;
use crate::record::Outgoing;

impl Producer {
    pub(super) fn suspicion(&self, outgoing: &Outgoing<'_>) -> Option<Suspicion> {
        match &self.settings {
            Settings::Known(rules) => rules.suspicion(outgoing, self.compresses, now),
            _ => None,
        }
    }

    /// The rule for which a broker would refuse it: it just did so with another like it. To ask
    /// every time would take as long as two answers for each.
    pub(super) fn refused_anyway(&self, suspicion: Option<Suspicion>) -> Option<Rule> {
        let Some(Suspicion::Sure(rule)) = suspicion else { return None };
        let holds = |since: &Instant| since.elapsed() < REFUSAL_HOLDS;
        (!self.is_answered || self.confirmed.get(&rule).is_some_and(holds)).then_some(rule)
    }

    /// Whether a record may follow others that are in flight.
    pub(super) fn may_follow(&self, suspicion: Option<Suspicion>) -> bool {
        match &self.settings {
            Settings::Awaited { .. } => false,
            Settings::Known(rules) => {
                suspicion.is_none() && self.room.batch_bytes_max <= rules.batch_bytes_max
            }
            // With acks=0 nobody would say what became of a group.
            Settings::Unknown { .. } => !self.is_answered,
        }
    }

    /// `Full` until nothing is in flight.
    pub(super) fn begin_group(&mut self) -> Result<(), Full> {
        if 0 < self.sender.in_flight() {
            self.push();
            return Err(Full);
        }
        // A flush that still goes on would tear the batch apart.
        self.sender.fill_now();
        self.group = Some(Group::begin());
        Ok(())
    }

    /// Sends all that was taken, as it is.
    pub(super) fn push(&mut self) {
        if let Some(group) = &mut self.group {
            group.close();
        }
        // On `Full` the next call sees to the rest.
        let _ = self.sender.submit();
        self.sender.flush();
    }

    /// A batch was refused while others may be behind it: what is not yet sent comes back.
    pub(super) fn take_back(&mut self) {
        if self.again.has_returned() && self.group.is_none() && !self.takes_back {
            self.takes_back = true;
            self.push();
            self.sender.take_back();
            self.ask();
        }
    }

    /// With nothing in flight: judges what came back, and sends the innocent again.
    pub(super) fn settle(&mut self) {
        let group = self.group.take();
        self.takes_back = false;
        if group.is_none() && self.again.is_empty() {
            return;
        }
        self.learn();
        match group {
            Some(group) if self.again.has_returned() => self.judge(&group),
            Some(group) => {
                self.room.grow();
                if group.is_defiant() {
                    self.ask();
                }
            }
            None => {
                let returned = self.again.take_batches().into_iter().flatten();
                self.again.put(returned.map(|returned| returned.owned).collect());
            }
        }
        self.fit();
        self.sender.fill();
        self.send_again();
    }

    /// Tells the guilty of a group from the innocent, or has them come again in smaller groups.
    fn judge(&mut self, group: &Group) {
        for batch in self.again.take_batches() {
            let suspicion = |owned: &Owned| self.suspicion(&owned.outgoing(&mut Vec::new()));
            let known: Vec<_> = batch.iter().map(|r| (r.code, suspicion(&r.owned))).collect();
            let guilty = again::guilty(&known).unwrap_or_else(|| {
                self.room.shrink(group);
                vec![false; known.len()]
            });
            let mut innocent = Vec::new();
            for ((returned, (code, suspicion)), guilty) in batch.into_iter().zip(known).zip(guilty)
            {
                if guilty {
                    self.refuse(&returned.owned, code, suspicion);
                } else {
                    innocent.push(returned.owned);
                }
            }
            self.again.put(innocent);
        }
    }

    fn refuse(&mut self, owned: &Owned, code: Code, suspicion: Option<Suspicion>) {
        match suspicion {
            Some(Suspicion::Sure(rule)) => drop(self.confirmed.insert(rule, Instant::now())),
            None => self.ask(),
            Some(Suspicion::Likely(_)) => {}
        }
        let rule = suspicion.map(Suspicion::rule);
        self.refused.push((owned.token, Refusal { rule, ..Refusal::of(code, owned.partition) }));
    }

    /// Sends as much again as makes a group.
    fn send_again(&mut self) {
        if self.again.is_empty() {
            return;
        }
        self.sender.fill_now();
        let mut group = Group::begin();
        let hold = self.sender.hold(Bytes::new());
        while let Some(owned) = self.again.next() {
            if self.send_owned(hold, &mut group, &owned).is_err() {
                self.again.put_first(owned);
                break;
            }
        }
        self.sender.release(hold);
        self.group = Some(group);
        self.push();
    }

    fn send_owned(&mut self, hold: Hold, group: &mut Group, owned: &Owned) -> Result<(), Full> {
        let mut headers = Vec::new();
        let outgoing = owned.outgoing(&mut headers);
        let suspicion = self.suspicion(&outgoing);
        if let Some(rule) = self.refused_anyway(suspicion) {
            self.refused.push((owned.token, Refusal::unsent(rule, owned.partition)));
            return Ok(());
        }
        let bytes = rules::record_bytes_bound(&outgoing);
        if !group.has_room(bytes, &self.room) {
            return Err(Full);
        }
        self.sender.send(hold, owned.token, &outgoing)?;
        group.add(bytes, suspicion);
        Ok(())
    }
}
