//! One connection, and the batches that are under way on it.
//! Never knows: other connections, when to send.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::drive::{Heard, Phase};
use crate::bench::payload::Mark;
use crate::record::{BatchView, Offset, PartitionId, Producer, ProducerEpoch, ProducerId};
use crate::wire::{self, Acks, Answer, Connection, Pipeline};

/// A broker, and what it leads.
pub struct Post {
    pub address: (String, u16),
    pub partitions: Vec<PartitionId>,
}

/// Which of the lines this is, of all and of those to the same broker.
#[derive(Clone, Copy)]
pub struct Seat {
    pub number: u32,
    pub place: u64,
    pub places: u64,
}

pub struct Line<'a> {
    pipeline: Pipeline,
    pub route: Route<'a>,
    /// In all phases.
    sent: u64,
    flights: VecDeque<Flight>,
    /// Of the places that the broker named.
    digest: u64,
}

/// Which batches go over a line.
#[derive(Clone, Copy)]
pub struct Route<'a> {
    pub post: &'a Post,
    pub seat: Seat,
    /// Who sends; none: the line fetches.
    pub producer: Option<(ProducerId, ProducerEpoch)>,
}

/// A request under way.
struct Flight {
    sequence: u64,
    counted_from: Duration,
}

impl Route<'_> {
    /// To or from which partition the batch of this sequence goes, and how many go before it.
    /// A sender takes the partitions in turn; those who fetch share what one sender left there.
    fn of(&self, sequence: u64) -> (PartitionId, u64) {
        let Seat { place, places, .. } = self.seat;
        let partitions = self.post.partitions.len() as u64;
        let (turn, before) = match self.producer {
            Some(_) => (place + sequence, sequence / partitions),
            None => (place + sequence * places, (place + sequence * places) / partitions),
        };
        (self.post.partitions[(turn % partitions) as usize], before)
    }

    /// The sequence of the batch that this sender sent to a partition after so many.
    pub fn sequence(&self, partition: PartitionId, before: u64) -> Option<u64> {
        let partitions = self.post.partitions.len() as u64;
        let at = self.post.partitions.iter().position(|&own| own == partition)? as u64;
        let ahead = (at + partitions - self.seat.place % partitions) % partitions;
        Some(before * partitions + ahead)
    }
}

/// A place in the log and what lies there, as a number: the sum of those that were named is that
/// of those that are found, in any order.
pub fn digest(partition: PartitionId, offset: Offset, mark: Mark) -> u64 {
    let mut hasher = DefaultHasher::new();
    (partition.get(), offset.get(), mark.producer, mark.sequence).hash(&mut hasher);
    hasher.finish()
}

impl<'a> Line<'a> {
    pub fn new(
        mut connection: Connection,
        (post, seat): (&'a Post, Seat),
        task: Task,
        deadline: Instant,
    ) -> Result<Line<'a>, wire::Error> {
        let producer = match task {
            Task::Send => Some(connection.identity(deadline)?),
            Task::Fetch => None,
        };
        Ok(Line {
            pipeline: connection.pipelined(deadline)?,
            route: Route { post, seat, producer },
            sent: 0,
            flights: VecDeque::new(),
            digest: 0,
        })
    }

    /// How many batches, and with which sequence the next phase begins; who fetches begins anew.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The sum over the places that the broker named.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn under_way(&self) -> usize {
        self.flights.len()
    }

    pub fn has_unsent(&self) -> bool {
        self.pipeline.has_unsent()
    }

    /// Asks for the batch of this sequence to be taken, or given.
    pub fn ask(
        &mut self,
        phase: &Phase<'_>,
        sequence: u64,
        counted_from: Duration,
    ) -> Result<(), String> {
        let (partition, before) = self.route.of(sequence);
        let (to, stencil) = ((phase.topic, partition), &phase.cargo.stencil);
        let first = before * phase.cargo.records;
        let asked = match self.route.producer {
            Some((id, epoch)) => {
                let base_sequence = i32::try_from(first).map_err(|_| {
                    "a connection sends 2^31 records to a partition at most".to_owned()
                })?;
                let header = stencil.header(Producer { id, epoch, base_sequence });
                self.sent += 1;
                self.pipeline.produce(to, phase.acks, (&header, stencil.records()))
            }
            None => {
                let from = Offset(i64::try_from(first).expect("a log holds so many"));
                let bytes_max = i32::try_from(stencil.size()).expect("a batch is below 2 GiB");
                self.pipeline.fetch(to, from, bytes_max)
            }
        };
        asked.map_err(|error| error.to_string())?;
        self.flights.push_back(Flight { sequence, counted_from });
        Ok(())
    }

    /// Sends what the socket takes. Who wants no answers has none to wait for then.
    pub fn push(&mut self, phase: &Phase<'_>, heard: &mut Heard) -> Result<(), String> {
        self.pipeline.push().map_err(|error| error.to_string())?;
        if phase.acks == Acks::None && self.route.producer.is_some() && !self.has_unsent() {
            let now = heard.elapsed();
            for flight in self.flights.drain(..) {
                heard.note(phase.cargo, now, flight.counted_from);
            }
        }
        Ok(())
    }

    /// Takes the answers that are there.
    pub fn hear(&mut self, phase: &Phase<'_>, heard: &mut Heard) -> Result<(), String> {
        let Line { pipeline, route, flights, digest: sum, .. } = self;
        let now = heard.elapsed();
        let pulled = pipeline.pull(|answer| {
            let Some(Flight { sequence, counted_from }) = flights.pop_front() else { return };
            let mark = Mark { producer: route.seat.number, sequence };
            let (partition, before) = route.of(sequence);
            let right = answer.map_err(|error| error.to_string()).and_then(|answer| match answer {
                Answer::Produced(Some(offset)) => {
                    *sum = sum.wrapping_add(digest(partition, offset, mark));
                    Ok(())
                }
                Answer::Produced(None) => Err("the broker did not say where".to_owned()),
                Answer::Fetched(batches) => {
                    let from = before * phase.cargo.records;
                    is_whole(&batches, from, phase).then_some(()).ok_or_else(|| {
                        format!("partition {partition} gave something else at offset {from}")
                    })
                }
            });
            match right {
                Ok(()) => heard.note(phase.cargo, now, counted_from),
                Err(why) => heard.fail([mark], why),
            }
        });
        pulled.map_err(|error| error.to_string())
    }

    /// Nothing more is sent, and nobody knows what became of what is under way.
    pub fn give_up(&mut self, heard: &mut Heard, why: String) {
        let producer = self.route.seat.number;
        let lost =
            self.flights.drain(..).map(|flight| Mark { producer, sequence: flight.sequence });
        heard.fail(lost, why);
    }
}

/// What a line is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Send,
    Fetch,
}

/// Whether this begins with the whole batch of this offset. Its bytes are for the reading at the
/// end, out of the window.
fn is_whole(batches: &[u8], from: u64, phase: &Phase<'_>) -> bool {
    BatchView::parse(batches).is_ok_and(|batch| {
        u64::try_from(batch.base_offset().get()) == Ok(from)
            && batch.count() == phase.cargo.stencil.count()
    })
}

/// To be asked when it can be read from or written to.
impl AsFd for Line<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipeline.as_fd()
    }
}
