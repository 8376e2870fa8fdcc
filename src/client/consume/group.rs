//! Reads what falls to a member of a group, and commits what was printed.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::super::admin::{Admin, Edge, HeldBack, Patience, Probe};
use super::super::span::{AtEnd, Edges, Found, Place, Reach, Reading, Span};
use super::super::sys::{GroupMember, Native, News, Target};
use super::{
    Behind, Code, Complaint, Config, Error, Offset, Part, Received, Source, behind, find, give_up,
    held_back, judge, native, probe,
};
use crate::record::LeaderEpoch;
use find::Ends;

/// What this reader is built on. They go after the user's own.
const FIXED: &[(&str, &str)] = &[
    ("enable.partition.eof", "true"),
    // Where an offset is gone, kaw decides.
    ("auto.offset.reset", "error"),
    // What is stored is what was printed.
    ("enable.auto.offset.store", "false"),
    ("allow.auto.create.topics", "false"),
];

/// While it joins, it is looked after this often.
const NUDGE: Duration = Duration::from_millis(5);

/// Whether others go on from where this one stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    Yes,
    No,
}

/// A client that may join the group that its configuration names.
pub struct Candidate {
    native: Arc<Native>,
    admin: Admin,
    group: String,
    span: Span,
    commits: Commits,
    tell: fn(&str),
}

/// A member of a group.
pub struct GroupReader {
    // Before the client, which it leaves the group with.
    member: GroupMember,
    native: Arc<Native>,
    admin: Admin,
    group: String,
    span: Span,
    commits: Commits,
    tell: fn(&str),
    topics: Vec<String>,
    parts: Vec<Part>,
    by_target: BTreeMap<Target, usize>,
    /// Of the last record of each part.
    epochs: Vec<Option<LeaderEpoch>>,
    stored: Vec<Offset>,
    /// Partitions fell to it, or none did.
    was_assigned: bool,
    /// What comes and goes, to be seen to before anything else is read.
    due: Vec<Due>,
}

enum Due {
    Assign(Vec<Target>),
    Revoke(Vec<Target>),
}

impl Candidate {
    /// For questions about the same cluster.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Joins the group, for these topics; one that is not there is heard of later.
    pub fn join(self, topics: &[String]) -> Result<GroupReader, Error> {
        let Candidate { native, admin, group, span, commits, tell } = self;
        let member = GroupMember::join(Arc::clone(&native), topics)
            .map_err(|code| Error::Refused { what: format!("group '{group}'"), code })?;
        admin.reach_while(NUDGE, || member.nudge())?;
        Ok(GroupReader {
            member,
            native,
            admin,
            group,
            span,
            commits,
            tell,
            topics: topics.to_vec(),
            parts: Vec::new(),
            by_target: BTreeMap::new(),
            epochs: Vec::new(),
            stored: Vec::new(),
            was_assigned: false,
            due: Vec::new(),
        })
    }
}

impl GroupReader {
    /// Starts a client; it connects on its own. `span` says where to begin what the group has
    /// committed nothing of, and whether to stop at the end.
    pub fn open(
        config: &Config,
        patience: Patience,
        span: Span,
        commits: Commits,
    ) -> Result<Candidate, Error> {
        let mut config = config.clone();
        let commit = if commits == Commits::Yes { "true" } else { "false" };
        config.set("enable.auto.commit", commit)?;
        let native = native(&config, FIXED)?;
        let admin = Admin::over(Arc::clone(&native), &config, patience);
        let group = config.get("group.id").unwrap_or_default().to_owned();
        Ok(Candidate { native, admin, group, span, commits, tell: patience.tell })
    }

    /// Takes partitions over: from where the group has come to, else from where it was told.
    fn assign(&mut self, targets: &[Target]) -> Result<(), Error> {
        self.was_assigned = true;
        let names: Vec<_> = targets.iter().map(|(t, p)| (t.as_str(), *p)).collect();
        let committed = match names.is_empty() {
            true => Vec::new(),
            false => self.admin.committed(&names)?,
        };
        let ends = find::ends(&self.admin, &names, self.span.at_end)?;
        let times = match self.span.from {
            Place::Since(time) => {
                let at: Vec<_> = names.iter().map(|&(t, p)| (t, p, Edge::Since(time))).collect();
                let [times] = self.admin.places([&at])?;
                times.into_iter().map(|place| place.offset).collect()
            }
            _ => vec![None; names.len()],
        };
        let mut places = Vec::with_capacity(targets.len());
        for (index, target) in targets.iter().enumerate() {
            let edges = ends[index].edges;
            let begin = self.span.from.nearest(edges, Found { from: times[index], until: None });
            let from = self.goes_on(target, committed[index], edges, begin);
            self.take(target, from, ends[index]);
            places.push((target.clone(), from));
        }
        let failed = |code| Error::Refused { what: "cannot take partitions over".to_owned(), code };
        self.member.assign(&places).map_err(failed)
    }

    /// Where reading goes on: what is committed may be gone from the log by now.
    fn goes_on(
        &self,
        target: &Target,
        committed: Option<Offset>,
        edges: Edges,
        begin: Offset,
    ) -> Offset {
        match committed {
            None => begin,
            Some(offset) if edges.start <= offset && offset <= edges.end => offset,
            Some(offset) => {
                let (topic, partition) = target;
                let Edges { start, end } = edges;
                (self.tell)(&format!(
                    "the group's offset {offset} of {topic}-{partition} is gone (its log has \
                     {start} to {end}); it goes on at {begin}"
                ));
                begin
            }
        }
    }

    fn take(&mut self, (topic, partition): &Target, from: Offset, ends: Ends) {
        let Ends { edges, undecided_until } = ends;
        let stop = (self.span.at_end == AtEnd::Stop).then_some(edges.end);
        let reading = Reading::new(Reach { from, stop, at_end: self.span.at_end });
        let (name, partition) = (topic.clone(), *partition);
        let part = Part { topic: name, partition, reading, undecided_until, stopped: false };
        let target = (topic.clone(), partition);
        let index = *self.by_target.entry(target).or_insert(self.parts.len());
        if index == self.parts.len() {
            self.parts.push(part);
            self.epochs.push(None);
            self.stored.push(from);
        } else {
            (self.parts[index], self.stored[index]) = (part, from);
        }
    }

    /// Gives partitions up, after what was printed of them is known to the group.
    fn revoke(&mut self, targets: &[Target]) -> Result<(), Error> {
        // A group that went on without this member does not take its word any more.
        let committed = self.commit();
        for index in targets.iter().filter_map(|target| self.by_target.get(target)) {
            self.parts[*index].stopped = true;
        }
        let failed = |code| Error::Refused { what: "cannot give partitions up".to_owned(), code };
        self.member.unassign(targets).map_err(failed)?;
        if let Err(error) = committed {
            (self.tell)(&error.to_string());
        }
        Ok(())
    }

    /// Takes note of how far the parts were read, for the next commit.
    fn store(&mut self) -> Result<(), Error> {
        let mut places = Vec::new();
        for (index, part) in self.parts.iter().enumerate().filter(|(_, part)| !part.stopped) {
            let position = part.reading.position;
            if self.stored[index] < position {
                self.stored[index] = position;
                places.push((part.topic.as_str(), part.partition, position, self.epochs[index]));
            }
        }
        if places.is_empty() || self.commits == Commits::No {
            return Ok(());
        }
        let failed = |code: Code| Error::Refused { what: "cannot store offsets".to_owned(), code };
        self.member.store(&places).map_err(failed)
    }

    /// Makes known how far was printed: what was passed on since `printed` may be lost.
    fn commit(&mut self) -> Result<(), Error> {
        if self.commits == Commits::No {
            return Ok(());
        }
        let failed = |code| Error::Refused { what: "cannot commit".to_owned(), code };
        self.member.commit().map_err(failed)
    }

    /// Takes one piece of news; `None` when there is none, else whether to go on.
    fn hear(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Option<Result<ControlFlow<()>, Error>> {
        let Self { member, parts, by_target, epochs, due, .. } = self;
        let find = |topic: &str, partition| by_target.get(&(topic.to_owned(), partition)).copied();
        let mut flow = ControlFlow::Continue(());
        let mut trouble = None;
        let came = member.poll(find, |news| match news {
            News::Record(message) => {
                let Some(index) = message.slot() else { return };
                let part = &mut parts[index];
                if !part.stopped && part.reading.at_record(message.offset()) {
                    epochs[index] = message.delivered(&part.topic, &[]).leader_epoch;
                    flow = each(&Received::fetched(index, &part.topic, message));
                }
            }
            News::End((topic, partition), offset) => {
                if let Some(index) = find(&topic, partition) {
                    parts[index].reading.at_end(offset);
                }
            }
            News::Assigned(targets) => due.push(Due::Assign(targets)),
            News::Revoked(targets) => due.push(Due::Revoke(targets)),
            News::Trouble(target, code, text) => trouble = Some((target, code, text)),
        });
        if let Some((target, code, text)) = trouble {
            // Which topic is meant is in the text alone; it may be there by now.
            if code == Code::UNKNOWN_TOPIC_OR_PART && target.is_none() {
                let missing = self.topics.iter().find_map(|topic| self.admin.topic(topic).err());
                return missing.map_or(Some(Ok(flow)), |error| Some(Err(error)));
            }
            let index = target.and_then(|(topic, partition)| find(&topic, partition));
            let part = index.map(|index| &self.parts[index]);
            if let Err(error) = judge(&self.admin, part, code, text) {
                return Some(Err(error));
            }
        }
        came.then_some(Ok(flow))
    }

    fn held(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !part.stopped)
    }
}

impl Source for GroupReader {
    fn read(
        &mut self,
        each: &mut dyn FnMut(&Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        // Seen to here, where all that was passed on before has been printed.
        for due in std::mem::take(&mut self.due) {
            match due {
                Due::Assign(targets) => self.assign(&targets)?,
                Due::Revoke(targets) => self.revoke(&targets)?,
            }
        }
        if !self.was_assigned {
            self.member.nudge();
        }
        let mut came = false;
        while self.due.is_empty() && !self.is_done() {
            match self.hear(each) {
                None => break,
                Some(flow) => {
                    came = true;
                    if flow?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(came)
    }

    fn is_done(&self) -> bool {
        let done = |part: &Part| part.reading.is_done();
        self.was_assigned && self.span.at_end == AtEnd::Stop && self.held().all(done)
    }

    fn held_up(&self) -> Option<String> {
        let silent = || format!("group '{}' has given it no partitions yet", self.group);
        (!self.was_assigned).then(silent)
    }

    fn complaint(&self) -> Option<Complaint> {
        self.native.latest_complaint()
    }

    fn forgive(&self) {
        self.native.forgive();
    }

    fn probe(&self) -> Option<Probe> {
        probe(&self.admin, self.held())
    }

    fn give_up(&mut self) -> Vec<Behind> {
        give_up(self.parts.iter_mut().filter(|part| !part.stopped))
    }

    fn behind(&self) -> Result<Vec<Behind>, Error> {
        behind(&self.admin, self.held())
    }

    fn wake(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.member.wake(fd);
        Ok(())
    }

    fn wait_max(&self) -> Duration {
        if self.was_assigned { Duration::MAX } else { NUDGE }
    }

    fn waits_for_printing(&self) -> bool {
        !self.due.is_empty()
    }

    fn printed(&mut self) -> Result<(), Error> {
        self.store()
    }

    fn want(&mut self, topics: &[String]) -> Result<(), Error> {
        let failed = |code| Error::Refused { what: "cannot subscribe".to_owned(), code };
        self.topics = topics.to_vec();
        self.member.subscribe(topics).map_err(failed)
    }

    fn held_back(&self) -> Result<Vec<HeldBack>, Error> {
        held_back(&self.admin, self.held())
    }

    fn admin(&self) -> &Admin {
        &self.admin
    }

    fn close(&mut self) -> Result<(), Error> {
        self.commit()
    }
}
