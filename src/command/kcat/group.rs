//! `-G`: a member of a consumer group.

use std::sync::Arc;
use std::time::Duration;

use super::consume::Printing;
use super::options::Options;
use super::say::{Ended, fatal};
use super::trouble::{Trouble, named};
use super::{interrupt, start};
use crate::client::Code;
use crate::client::bare::{GroupMember, Message, News, Settings, Target};
use crate::record::{Offset, PartitionId};

/// librdkafka's number for no offset: where the group has come to.
const INVALID: i64 = -1001;
/// How long it waits at a time.
const GLANCE: Duration = Duration::from_millis(100);
/// While it joins, it is looked after this often.
const NUDGE: Duration = Duration::from_millis(5);

pub fn run(options: &Options, settings: Settings) -> Result<u8, Ended> {
    let interrupt = interrupt()?;
    let named = named(&settings);
    let (native, _) = start(options, settings)?;
    let topics = &options.others;
    let mut member = GroupMember::join(Arc::clone(&native), topics).or_else(|code| {
        // A client without a group has no queue for one; to subscribe is refused like this.
        let code = if code == Code::INVALID_GROUP { Code::UNKNOWN_GROUP } else { code };
        fatal(format!("Failed to subscribe to {} topics: {code}\n", topics.len()))
    })?;
    options.say.info(1, "Waiting for group rebalance");
    let mut trouble = Trouble::new(options.say, &native, named);
    let mut joined = Joined::new(options)?;
    while joined.goes_on && interrupt.exit().is_none() {
        joined.turn(&mut member)?;
        joined.goes_on &= trouble.heed_all()?;
    }
    joined.leave(&member);
    Ok(0)
}

/// What a member has been given, and how far it has come.
struct Joined<'a> {
    options: &'a Options,
    printing: Printing<'a>,
    /// What it has, and whether it has come to the end of it.
    assignment: Option<Vec<(Target, bool)>>,
    topics: Vec<String>,
    /// kcat's own count: it does not follow what comes and goes.
    ends: usize,
    goes_on: bool,
}

/// What a turn brought that has to wait until the member is free again.
enum Change {
    Assigned(Vec<Target>),
    Revoked(Vec<Target>),
}

impl<'a> Joined<'a> {
    fn new(options: &'a Options) -> Result<Joined<'a>, Ended> {
        Ok(Joined {
            options,
            printing: Printing::new(options)?,
            assignment: None,
            topics: Vec::new(),
            ends: 0,
            goes_on: true,
        })
    }

    /// Takes the next thing that is there, or waits a while for it.
    fn turn(&mut self, member: &mut GroupMember) -> Result<(), Ended> {
        let wait = match self.assignment {
            None => NUDGE,
            Some(_) => GLANCE,
        };
        for wait in [Duration::ZERO, wait] {
            let topics = std::mem::take(&mut self.topics);
            let (mut result, mut change) = (Ok(()), None);
            let slot = |topic: &str, _| topics.iter().position(|known| known == topic);
            let came = member.poll_for(wait, slot, |news| match news {
                News::Record(message) => result = self.record(&topics, &message),
                News::End(target, offset) => self.end(&target, offset),
                News::Assigned(targets) => change = Some(Change::Assigned(targets)),
                News::Revoked(targets) => change = Some(Change::Revoked(targets)),
                News::Trouble(target, _, text) => result = Err(broken(target, &text)),
            });
            self.topics = topics;
            result?;
            if let Some(change) = change {
                self.change(member, change)?;
            }
            if came {
                return Ok(());
            }
            self.printing.out.write_while_idle();
        }
        if self.assignment.is_none() {
            member.nudge();
        }
        Ok(())
    }

    fn record(&mut self, topics: &[String], message: &Message<'_>) -> Result<(), Ended> {
        let Some(topic) = message.slot().map(|slot| topics[slot].as_str()) else { return Ok(()) };
        let partition = message.partition();
        if self.options.exit_at_end && 0 < self.ends {
            let of = |(target, _): &&mut (Target, bool)| target.0 == topic && target.1 == partition;
            if let Some((_, at_end @ true)) = self.assignment.iter_mut().flatten().find(of) {
                *at_end = false;
                self.ends -= 1;
            }
        }
        self.goes_on &= self.printing.print(topic, message)?;
        Ok(())
    }

    fn end(&mut self, target: &Target, offset: Offset) {
        if let Some(assignment) = self.assignment.as_mut().filter(|_| self.options.exit_at_end) {
            let of = |(known, _): &&mut (Target, bool)| known == target;
            if let Some((_, at_end @ false)) = assignment.iter_mut().find(of) {
                *at_end = true;
                self.ends += 1;
                self.goes_on &= self.ends != assignment.len();
            }
        }
        let (topic, partition) = target;
        let exits = if self.goes_on { "" } else { ": exiting" };
        let news = format!("Reached end of topic {topic} [{partition}] at offset {offset}{exits}");
        self.options.say.info(1, &news);
    }

    fn change(&mut self, member: &GroupMember, change: Change) -> Result<(), Ended> {
        let cooperative = member.is_cooperative();
        self.tell(member, &change);
        let (verb, count, done) = match change {
            Change::Assigned(targets) => {
                let offset = Offset(self.options.start.offset.unwrap_or(INVALID));
                let places: Vec<_> = targets.iter().map(|t| (t.clone(), offset)).collect();
                for (topic, _) in &targets {
                    if !self.topics.contains(topic) {
                        self.topics.push(topic.clone());
                    }
                }
                let count = targets.len();
                let had = self.assignment.take().filter(|_| cooperative).unwrap_or_default();
                let new = targets.into_iter().map(|target| (target, false));
                self.assignment = Some(had.into_iter().chain(new).collect());
                ("assign", count, member.assign(&places))
            }
            Change::Revoked(targets) => {
                match &mut self.assignment {
                    Some(had) if cooperative => had.retain(|(has, _)| !targets.contains(has)),
                    had => *had = None,
                }
                ("unassign", targets.len(), member.unassign(&targets))
            }
        };
        let what = if cooperative { "Incremental rebalance" } else { "Rebalance" };
        done.or_else(|code| {
            let news = format!("{what} {verb} of {count} partition(s) failed: {code}\n");
            self.options.say.error(&news)
        })
    }

    fn tell(&self, member: &GroupMember, change: &Change) {
        let (verbs, targets) = match change {
            Change::Assigned(targets) => (["assigned", "assignment"], targets),
            Change::Revoked(targets) => (["revoked", "revoke"], targets),
        };
        let of = |(topic, partition): &Target| format!("{topic} [{partition}]");
        let list = targets.iter().map(of).collect::<Vec<_>>().join(", ");
        let (group, id) = (&self.options.group, member.id());
        let news = match member.is_cooperative() {
            false => format!("Group {group} rebalanced (memberid {id}): {}: {list}", verbs[0]),
            true => {
                let lost = if member.has_lost() { ", assignment lost" } else { "" };
                format!(
                    "Group {group} rebalanced: incremental {} of {} partition(s) \
                     (memberid {id}{lost}, COOPERATIVE rebalance protocol): {list}",
                    verbs[1],
                    targets.len()
                )
            }
        };
        self.options.say.info(1, &news);
    }

    /// What librdkafka takes back when the member leaves is not told by it.
    fn leave(&self, member: &GroupMember) {
        let had = self.assignment.iter().flatten().map(|(target, _)| target.clone());
        let had: Vec<Target> = had.collect();
        if !had.is_empty() {
            self.tell(member, &Change::Revoked(had));
        }
    }
}

fn broken(target: Option<Target>, text: &str) -> Ended {
    // A message of librdkafka's has the topic here, and partition 0; an event of its has neither.
    let missing = text.strip_prefix("Subscribed topic not available: ");
    let missing = missing.and_then(|text| text.split_once(": "));
    let missing = missing.map(|(topic, _)| (topic.to_owned(), PartitionId(0)));
    Ended::Fatal(match target.or(missing) {
        Some((topic, partition)) => format!("Topic {topic} [{partition}] error: {text}"),
        None => format!("Consumer error: {text}"),
    })
}
