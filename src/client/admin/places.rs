//! Places in logs, which only the leaders of their partitions know.
//! Never knows: what is read from there.

use std::collections::{BTreeSet, HashMap};

use super::super::sys::{self, EdgeAnswer};
use super::{Admin, Code, Edge, Error, Failed, Isolation};
use crate::record::{LeaderEpoch, Offset, PartitionId};

/// What a leader says of a place in its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `None` where no record is that young.
    pub offset: Option<Offset>,
    pub leader_epoch: Option<LeaderEpoch>,
}

/// A place that is asked for.
type Wanted<'a> = (&'a str, PartitionId, Edge);

/// Places that are asked for together, and with which isolation.
pub type Question<'a> = (Isolation, &'a [Wanted<'a>]);

/// A part of a partition that readers of what was committed do not get to: a transaction before it
/// is not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    pub topic: String,
    pub partition: PartitionId,
    /// Where the transaction begins.
    pub from: Offset,
    /// Exclusive.
    pub until: Offset,
}

impl Admin {
    /// Where partitions begin or end, or which record is the first of a time; in the order asked.
    /// Ends are those of the isolation in force. All questions are under way at once.
    pub fn places<const N: usize>(
        &self,
        wanted: [&[Wanted<'_>]; N],
    ) -> Result<[Vec<Place>; N], Error> {
        self.places_at(wanted.map(|wanted| (self.isolation, wanted)))
    }

    /// The same, where an isolation of its own is meant. Leaders change, and a broker that has
    /// just started leads its partitions only after a moment: that is waited for.
    pub fn places_at<const N: usize>(
        &self,
        questions: [Question<'_>; N],
    ) -> Result<[Vec<Place>; N], Error> {
        self.insist(|| {
            let answers = self.try_places(questions).and_then(|answers| {
                let mut places = [const { Vec::new() }; N];
                for (answers, places) in answers.into_iter().zip(&mut places) {
                    *places = answers.into_iter().collect::<Result<_, _>>()?;
                }
                Ok(places)
            });
            answers.map_err(|failed| self.explained(failed, &questions))
        })
    }

    /// The same, where a partition that nobody serves is not to cost the answers of the others.
    pub fn each_place_at<const N: usize>(
        &self,
        questions: [Question<'_>; N],
    ) -> Result<[Vec<Result<Place, Error>>; N], Error> {
        let mut last = None;
        let explained = |failed| self.explained(failed, &questions);
        let answers = self.asked_again(|| {
            let answers = self.try_places(questions).map_err(explained)?;
            let mut passing = answers.iter().flatten().filter_map(|answer| match answer {
                Err(Failed::ForNow(error)) => Some(error.clone()),
                _ => None,
            });
            match passing.next() {
                Some(error) => {
                    last = Some(answers);
                    Err(explained(Failed::ForNow(error)))
                }
                None => Ok(answers),
            }
        });
        let answers = match answers {
            Err(Failed::ForNow(error)) => last.ok_or(error)?,
            answers => answers.map_err(Failed::into_error)?,
        };
        let plain = Failed::into_error;
        Ok(answers.map(|all| all.into_iter().map(|answer| answer.map_err(plain)).collect()))
    }

    /// Whether nobody leads one of them says more than that it was refused.
    fn explained(&self, failed: Failed, questions: &[Question<'_>]) -> Failed {
        let Failed::ForNow(error) = failed else { return failed };
        let wanted: Vec<_> = questions.iter().map(|(_, wanted)| *wanted).collect();
        match self.leaderless(&wanted) {
            Ok(leaderless) => Failed::ForNow(leaderless.unwrap_or(error)),
            Err(error) => Failed::Finally(error),
        }
    }

    fn try_places<const N: usize>(
        &self,
        questions: [Question<'_>; N],
    ) -> Result<[Vec<Result<Place, Failed>>; N], Failed> {
        let ask = |(isolation, wanted)| {
            sys::ask_edges(&self.native, isolation, wanted, self.patience.max)
        };
        // An empty question is refused by librdkafka.
        let calls = questions.map(|question| (!question.1.is_empty()).then(|| ask(question)));
        let mut places = [const { Vec::new() }; N];
        for (((_, wanted), call), places) in questions.iter().zip(calls).zip(&mut places) {
            if let Some(call) = call {
                let answers = sys::edges(&call);
                let answers = answers.map_err(|refusal| {
                    self.without_place("cannot ask for offsets", refusal.code)
                })?;
                *places = self.in_order(wanted, answers);
            }
        }
        Ok(places)
    }

    /// Which of these partitions, with where their logs ended, are still held back by a transaction
    /// from before that end.
    pub fn held_back(&self, ends: &[(&str, PartitionId, Offset)]) -> Result<Vec<HeldBack>, Error> {
        let wanted: Vec<_> = ends.iter().map(|&(t, p, _)| (t, p, Edge::End)).collect();
        let [stable] = self.places_at([(Isolation::Committed, &wanted)])?;
        let held_back =
            ends.iter().zip(stable).filter_map(|(&(topic, partition, until), place)| {
                let from = place.offset.filter(|from| *from < until)?;
                Some(HeldBack { topic: topic.to_owned(), partition, from, until })
            });
        Ok(held_back.collect())
    }

    /// One call asks for a partition only once, so that its name finds its answer.
    fn in_order(
        &self,
        wanted: &[Wanted<'_>],
        answers: Vec<EdgeAnswer>,
    ) -> Vec<Result<Place, Failed>> {
        let answers: HashMap<_, _> =
            answers.into_iter().map(|(topic, id, answer)| ((topic, id), answer)).collect();
        let place = |(topic, partition, _): &Wanted<'_>| {
            let answer = answers.get(&((*topic).to_owned(), *partition));
            let answer = answer.copied().unwrap_or(Err(Code::UNKNOWN_PARTITION));
            let what = || format!("offsets of {topic}-{partition}");
            let info = answer.map_err(|code| self.without_place(&what(), code))?;
            Ok(Place { offset: info.offset, leader_epoch: info.leader_epoch })
        };
        wanted.iter().map(place).collect()
    }

    fn without_place(&self, what: &str, code: Code) -> Failed {
        match code {
            // It says so where it found no leader of any partition (rdkafka_partition.c).
            Code::NO_ENTRY => Failed::ForNow(self.failed(what, Code::LEADER_NOT_AVAILABLE)),
            code if code.is_about_the_leader() => Failed::ForNow(self.failed(what, code)),
            code => Failed::Finally(self.failed(what, code)),
        }
    }

    /// Looks up who leads these partitions now; an error where one of them is gone. Says which of
    /// them nobody leads, if one is.
    fn leaderless(&self, wanted: &[&[Wanted<'_>]]) -> Result<Option<Error>, Error> {
        let wanted = || wanted.iter().copied().flatten();
        let mut found = None;
        for name in wanted().map(|(topic, ..)| *topic).collect::<BTreeSet<_>>() {
            let there = self.topic(name)?;
            for &(_, partition, _) in wanted().filter(|(topic, ..)| *topic == name) {
                let info = there.partitions.iter().find(|info| info.id == partition);
                if info.is_none() && there.code == Code::NONE {
                    let (topic, count) = (name.to_owned(), there.partitions.len());
                    return Err(Error::NoPartition { topic, partition, count });
                }
                if info.is_none_or(|info| info.leader.is_none()) && found.is_none() {
                    let what = format!("offsets of {name}-{partition}");
                    let why = format!("nobody leads it; see `kaw topic describe {name}`");
                    found = Some(Error::Said { what, why });
                }
            }
        }
        Ok(found)
    }
}
