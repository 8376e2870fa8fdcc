//! Finds out what is to be read: which partitions there are, and from where to where.

use std::collections::HashSet;

use super::super::admin::{Admin, Edge, Isolation, Place};
use super::super::span::{AtEnd, Edges, Found, Place as Wanted, Span};
use super::{Error, Part};
use crate::record::{Offset, PartitionId};

/// The parts that are wanted, sorted; what a log does not have is an error.
pub fn parts(admin: &Admin, wanted: &super::Wanted<'_>) -> Result<Vec<Part>, Error> {
    let mut partitions = Vec::new();
    for name in wanted.topics {
        let there: Vec<_> = admin.topic(name)?.partitions.into_iter().map(|part| part.id).collect();
        if let Some(&partition) = wanted.partitions.iter().find(|id| !there.contains(id)) {
            let (topic, count) = (name.clone(), there.len());
            return Err(Error::NoPartition { topic, partition, count });
        }
        let is_wanted =
            |id: &PartitionId| wanted.partitions.is_empty() || wanted.partitions.contains(id);
        partitions.extend(there.into_iter().filter(is_wanted).map(|id| (name.as_str(), id)));
    }
    partitions.sort();
    partitions.dedup();
    spanned(admin, &partitions, &wanted.span)
}

/// The parts of topics that none of these parts is of, as a whole. A topic that is gone again has
/// none.
pub fn new_parts<'a>(
    admin: &Admin,
    topics: &[String],
    known: impl IntoIterator<Item = &'a Part>,
) -> Result<Vec<Part>, Error> {
    let known: HashSet<&str> = known.into_iter().map(|part| part.topic.as_str()).collect();
    let mut new = Vec::new();
    for topic in topics.iter().filter(|topic| !known.contains(topic.as_str())) {
        let topics = std::slice::from_ref(topic);
        match parts(admin, &super::Wanted { topics, partitions: &[], span: Span::ALL }) {
            Err(Error::NoTopic { .. }) => {}
            parts => new.extend(parts?),
        }
    }
    Ok(new)
}

/// What the span comes to in each of these partitions, in their order.
fn spanned(
    admin: &Admin,
    partitions: &[(&str, PartitionId)],
    span: &Span,
) -> Result<Vec<Part>, Error> {
    let at = |edge| partitions.iter().map(|&(t, p)| (t, p, edge)).collect::<Vec<_>>();
    let time = |place| match place {
        Some(Wanted::Since(time)) => at(Edge::Since(time)),
        _ => Vec::new(),
    };
    let (from, until) = (time(Some(span.from)), time(span.until));
    let isolation = admin.isolation();
    let [starts, ends, highs, from, until] = admin.places_at([
        (isolation, &at(Edge::Start)),
        (isolation, &at(Edge::End)),
        (Isolation::Uncommitted, &highs_of(admin, partitions, span.at_end)),
        (isolation, &from),
        (isolation, &until),
    ])?;
    let stored = match span.from {
        Wanted::Stored => admin.committed(partitions)?,
        _ => Vec::new(),
    };
    let found = |places: &[Place], index: usize| places.get(index).and_then(|place| place.offset);
    let mut parts = Vec::with_capacity(partitions.len());
    for (index, &(topic, partition)) in partitions.iter().enumerate() {
        let from = stored.get(index).copied().unwrap_or_else(|| found(&from, index));
        let found = Found { from, until: found(&until, index) };
        let edges = edges_of(starts[index], ends[index]);
        let reach = span.reach(edges, found).map_err(|gone| Error::NoOffset {
            topic: topic.to_owned(),
            partition,
            offset: gone.offset,
            edges: gone.edges,
        })?;
        let is_all_decided = match span.until {
            Some(Wanted::At(until)) => until <= edges.end,
            _ => reach.stop.is_some_and(|stop| stop < edges.end),
        };
        let undecided_until = undecided(edges, highs.get(index)).filter(|_| !is_all_decided);
        let part = Part::new(topic.to_owned(), partition, reach);
        parts.push(Part { undecided_until, ..part });
    }
    Ok(parts)
}

/// Where a partition begins and ends.
#[derive(Clone, Copy)]
pub struct Ends {
    pub edges: Edges,
    /// As a part has it.
    pub undecided_until: Option<Offset>,
}

/// The ends of partitions, in the order asked.
pub fn ends(
    admin: &Admin,
    partitions: &[(&str, PartitionId)],
    at_end: AtEnd,
) -> Result<Vec<Ends>, Error> {
    let at = |edge| partitions.iter().map(|&(t, p)| (t, p, edge)).collect::<Vec<_>>();
    let [starts, ends, highs] = admin.places_at([
        (admin.isolation(), &at(Edge::Start)),
        (admin.isolation(), &at(Edge::End)),
        (Isolation::Uncommitted, &highs_of(admin, partitions, at_end)),
    ])?;
    let edges = starts.into_iter().zip(ends).map(|(start, end)| edges_of(start, end));
    let ends = edges
        .enumerate()
        .map(|(index, edges)| Ends { edges, undecided_until: undecided(edges, highs.get(index)) });
    Ok(ends.collect())
}

/// Where partitions begin and end, in the order asked.
pub fn edges(admin: &Admin, partitions: &[(&str, PartitionId)]) -> Result<Vec<Edges>, Error> {
    let ends = ends(admin, partitions, AtEnd::Follow)?;
    Ok(ends.into_iter().map(|ends| ends.edges).collect())
}

/// What is asked to know whether something that is not decided lies before the end: nothing where
/// that is not waited for, or read as well.
fn highs_of<'a>(
    admin: &Admin,
    partitions: &[(&'a str, PartitionId)],
    at_end: AtEnd,
) -> Vec<(&'a str, PartitionId, Edge)> {
    match (at_end, admin.isolation()) {
        (AtEnd::Stop, Isolation::Committed) => {
            partitions.iter().map(|&(t, p)| (t, p, Edge::End)).collect()
        }
        _ => Vec::new(),
    }
}

fn undecided(edges: Edges, high: Option<&Place>) -> Option<Offset> {
    high.and_then(|place| place.offset).filter(|high| edges.end < *high)
}

fn edges_of(start: Place, end: Place) -> Edges {
    let offset = |place: Place| place.offset.unwrap_or_default();
    Edges { start: offset(start), end: offset(end) }
}
