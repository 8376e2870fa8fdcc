//! What lies in the topic after a run, against what was sent.
//! Never knows: how it came there.

use std::collections::HashMap;

use super::cargo::Cargo;
use super::line::{Line, Post, Route, digest};
use crate::bench::payload::Mark;
use crate::bench::verify::Tally;
use crate::bench::{Bench, Error};
use crate::client::raw::{Line as Reader, Raw};
use crate::record::{BatchView, Offset, PartitionId, ProducerId, batches};

/// Every partition from its start to its end: each batch is as it was sent, and lies behind the
/// one before. The sum over their places.
pub fn read(
    bench: &Bench<'_>,
    raw: &Raw,
    (posts, lines): (&[Post], &[Line<'_>]),
    cargo: &Cargo,
    tally: &mut Tally,
) -> Result<u64, Error> {
    let sender = |line: &Line<'_>| line.route.producer.map(|(id, _)| id);
    let routes = lines.iter().map(|line| line.route);
    let routes = lines.iter().zip(routes).filter_map(|(line, route)| Some((sender(line)?, route)));
    let mut reading =
        Reading { bench, cargo, routes: routes.collect(), reader: raw.line(), tally, sum: 0 };
    let partitions = posts.iter().flat_map(|post| &post.partitions);
    partitions.copied().try_for_each(|partition| reading.partition(partition))?;
    Ok(reading.sum)
}

struct Reading<'a> {
    bench: &'a Bench<'a>,
    cargo: &'a Cargo,
    routes: HashMap<ProducerId, Route<'a>>,
    reader: Reader<'a>,
    tally: &'a mut Tally,
    sum: u64,
}

impl Reading<'_> {
    fn partition(&mut self, partition: PartitionId) -> Result<(), Error> {
        let mut next = Offset::ZERO;
        loop {
            if self.bench.watch.is_stopped() {
                return Err(Error::Stopped);
            }
            let fetched = self.reader.fetch((self.bench.topic.name(), partition), next)?;
            let Some(fetched) = fetched else { return Ok(()) };
            let from = next;
            for batch in batches(&fetched.batches).map_while(Result::ok) {
                self.batch(partition, next, &batch);
                next = batch.next_offset();
            }
            let is_end = fetched.last_stable.is_some_and(|end| end <= next);
            if is_end || next == from {
                return Ok(());
            }
        }
    }

    fn batch(&mut self, partition: PartitionId, expected: Offset, batch: &BatchView<'_>) {
        let is_next = batch.base_offset() == expected;
        match self.mark(partition, batch).filter(|_| is_next) {
            Some(mark) => {
                self.tally.see(partition, mark);
                self.sum = self.sum.wrapping_add(digest(partition, expected, mark));
            }
            None => self.tally.see_corrupt(),
        }
        self.bench.watch.advance(self.cargo.records);
    }

    /// Which batch this is, if nothing of it has changed.
    fn mark(&self, partition: PartitionId, batch: &BatchView<'_>) -> Option<Mark> {
        batch.check_crc().ok()?;
        let sent = batch.producer()?;
        let route = self.routes.get(&sent.id)?;
        let is_own = route.producer == Some((sent.id, sent.epoch))
            && batch.count() == self.cargo.stencil.count()
            && batch.bytes().ends_with(self.cargo.stencil.records());
        let first = u64::try_from(sent.base_sequence).ok().filter(|_| is_own)?;
        if !first.is_multiple_of(self.cargo.records) {
            return None;
        }
        let sequence = route.sequence(partition, first / self.cargo.records)?;
        Some(Mark { producer: route.seat.number, sequence })
    }
}
