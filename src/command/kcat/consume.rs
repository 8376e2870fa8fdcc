//! `-C`: the simple consumer.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::options::{Options, Start};
use super::out::Out;
use super::say::{Ended, fatal};
use super::trouble::{Trouble, named};
use super::{interrupt, no_topic, start, system_says};
use crate::client::Code;
use crate::client::bare::{
    Message, Native, Place, Reader, Settings, Topic, TopicMetadata, metadata, offsets_for_times,
};
use crate::output::kcat::{Failure, Fetched, json};
use crate::record::{Header, Offset, PartitionId};

const BEGINNING: i64 = -2;
const END: i64 = -1;
/// So long nothing may come below the end before it is looked why, and so often.
const ENDLESS: Duration = Duration::from_secs(3);
const ENDLESS_LOOKS: u32 = 2;
/// How long kcat waits at a time.
const GLANCE: Duration = Duration::from_millis(100);

pub fn run(options: &Options, settings: Settings) -> Result<u8, Ended> {
    let interrupt = interrupt()?;
    let named = named(&settings);
    let (native, mut topics) = start(options, settings)?;
    // Offsets are stored record by record here, not chunk by chunk.
    topics.set("auto.commit.enable", "false").or_else(fatal)?;
    let name = &options.topic;
    let topic = topics.open(&native, name).or_else(|code| no_topic(name, code))?;
    let known = known(options, &native, &topic)?;
    let starts = starts(options, &native, &known)?;
    let mut reader = Reader::new(Arc::clone(&native));
    reader.adopt(name, topic);
    let mut trouble = Trouble::new(options.say, &native, named);
    let mut reading = Reading::new(options, known.partitions.len())?;
    begin(options, &mut reader, &known, &starts)?;
    while reading.goes_on && interrupt.exit().is_none() {
        reading.turn(&mut reader)?;
        reading.look_whether_it_ends(&native)?;
        reading.goes_on &= trouble.heed_all()?;
    }
    Ok(0)
}

/// The topic as the cluster knows it: with a partition at least.
fn known(options: &Options, native: &Native, topic: &Topic) -> Result<TopicMetadata, Ended> {
    let name = &options.topic;
    let said = metadata(native, Some(topic), options.patience)
        .or_else(|code| fatal(format!("Failed to query metadata for topic {name}: {code}")))?;
    let Some(known) = said.topics.into_iter().next() else {
        return fatal(format!("No such topic in cluster: {name}"));
    };
    match known.code {
        Code::NONE if known.partitions.is_empty() => {
            fatal(format!("Topic {name} has no partitions"))
        }
        Code::NONE => Ok(known),
        code => fatal(format!("Topic {name} error: {code}")),
    }
}

/// Where each wanted partition begins.
fn starts(
    options: &Options,
    native: &Native,
    known: &TopicMetadata,
) -> Result<Vec<(PartitionId, i64)>, Ended> {
    let all = known.partitions.iter().map(|partition| partition.id);
    let wanted = all.filter(|id| options.partition.is_none_or(|only| only == *id));
    let Start { offset, time_ms } = options.start;
    let from = time_ms.or(offset).unwrap_or(BEGINNING);
    let place = |partition| Place {
        topic: options.topic.clone(),
        partition,
        offset: from,
        code: Code::NONE,
    };
    let mut places: Vec<Place> = wanted.map(place).collect();
    if time_ms.is_some() {
        places = offsets_for_times(native, &places, options.patience)
            .or_else(|code| fatal(format!("offsets_for_times failed: {code}")))?;
    }
    Ok(places.iter().map(|place| (PartitionId(place.partition), place.offset)).collect())
}

fn begin(
    options: &Options,
    reader: &mut Reader,
    known: &TopicMetadata,
    starts: &[(PartitionId, i64)],
) -> Result<(), Ended> {
    let name = &options.topic;
    for &(partition, from) in starts {
        reader.start(0, name, partition, Offset(from)).or_else(|code| {
            fatal(format!("Failed to start consuming topic {name} [{partition}]: {code}"))
        })?;
    }
    match options.partition {
        Some(only) if starts.is_empty() => fatal(format!(
            "Topic {name} (with partitions 0..{}): partition {only} does not exist",
            known.partitions.len() - 1
        )),
        _ => Ok(()),
    }
}

/// A consumer at work.
struct Reading<'a> {
    options: &'a Options,
    printing: Printing<'a>,
    goes_on: bool,
    stopped: Vec<bool>,
    /// So many partitions have yet to stop.
    still: usize,
    /// Those that stopped and are not yet stopped by librdkafka.
    to_stop: Vec<PartitionId>,
    /// When something came, or it was looked whether brokers answer.
    last: Instant,
    /// So often they did, while nothing came.
    looks: u32,
}

impl<'a> Reading<'a> {
    fn new(options: &'a Options, partitions: usize) -> Result<Reading<'a>, Ended> {
        Ok(Reading {
            options,
            printing: Printing::new(options)?,
            goes_on: true,
            stopped: vec![false; partitions],
            still: if options.partition.is_some() { 1 } else { partitions },
            to_stop: Vec::new(),
            last: Instant::now(),
            looks: 0,
        })
    }

    /// A partition that its broker cannot read has no end: kcat waits for it for ever, and so does
    /// librdkafka. Here it is an error, where the brokers answer and bring nothing.
    fn look_whether_it_ends(&mut self, native: &Native) -> Result<(), Ended> {
        if !self.options.exit_at_end || !self.goes_on || self.last.elapsed() < ENDLESS {
            return Ok(());
        }
        let Options { topic, partition, patience, .. } = self.options;
        let is_open = |id: &i32| !self.stopped[*id as usize];
        let open: Vec<i32> = match partition {
            Some(only) => vec![*only],
            None => (0..self.stopped.len() as i32).filter(is_open).collect(),
        };
        let place = |&partition: &i32| Place {
            topic: topic.clone(),
            partition,
            offset: END,
            code: Code::NONE,
        };
        let places: Vec<Place> = open.iter().map(place).collect();
        let answer = offsets_for_times(native, &places, *patience);
        self.last = Instant::now();
        self.looks = answer.map_or(0, |_| self.looks + 1);
        if self.looks < ENDLESS_LOOKS {
            return Ok(());
        }
        let first = open.first().copied().unwrap_or_default();
        fatal(format!(
            "Topic {topic} [{first}] error: nothing comes of what is before its end; the broker's \
             log says why"
        ))
    }

    /// Takes what is there, or waits a while for it.
    fn turn(&mut self, reader: &mut Reader) -> Result<(), Ended> {
        let mut result = Ok(());
        for wait in [Duration::ZERO, GLANCE] {
            let count = reader.drain(wait, |message| {
                result = self.take(&message);
                match (&result, self.goes_on) {
                    (Ok(()), true) => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            });
            result?;
            result = Ok(());
            if 0 < count {
                (self.last, self.looks) = (Instant::now(), 0);
                break;
            }
            self.printing.out.write_while_idle();
        }
        for partition in self.to_stop.drain(..) {
            reader.stop(&self.options.topic, partition);
        }
        Ok(())
    }

    fn take(&mut self, message: &Message<'_>) -> Result<(), Ended> {
        let (partition, offset) = (message.partition(), message.offset());
        let slot = usize::try_from(partition.get()).unwrap_or(usize::MAX);
        if self.stopped.get(slot).is_some_and(|stopped| *stopped) {
            return Ok(());
        }
        let name = &self.options.topic;
        match message.code() {
            Code::NONE => {}
            Code::PARTITION_EOF => {
                message.store(Offset(offset.get().saturating_sub(1).max(0)));
                if self.options.exit_at_end {
                    self.stop(partition);
                }
                let exits = if self.goes_on { "" } else { ": exiting" };
                self.options.say.info(
                    1,
                    &format!("Reached end of topic {name} [{partition}] at offset {offset}{exits}"),
                );
                return Ok(());
            }
            _ => return Err(broken(message)),
        }
        let time = message.timestamp().map_or(-1, |(_, time)| time.get());
        if self.options.stop_ms.is_some_and(|stop| stop <= time) {
            self.stop(partition);
            let exits = if self.goes_on { "" } else { ": exiting" };
            self.options.say.info(
                1,
                &format!(
                    "Reached stop timestamp for topic {name} [{partition}] \
                     at offset {offset}{exits}"
                ),
            );
            return Ok(());
        }
        self.goes_on &= self.printing.print(name, message)?;
        message.store(offset);
        Ok(())
    }

    /// Nothing more of a partition is wanted.
    fn stop(&mut self, partition: PartitionId) {
        if let Some(stopped) = self.stopped.get_mut(partition.get() as usize) {
            *stopped = true;
            self.to_stop.push(partition);
            self.still -= 1;
            self.goes_on &= 0 < self.still;
        }
    }
}

fn broken(message: &Message<'_>) -> Ended {
    let (partition, text) = (message.partition(), message.text());
    Ended::Fatal(match message.topic() {
        Some(topic) => format!("Topic {topic} [{partition}] error: {text}"),
        None => format!("Consumer error: {text}"),
    })
}

/// Records on their way to stdout.
pub struct Printing<'a> {
    options: &'a Options,
    pub out: Out,
    needs_headers: bool,
    left: Option<u64>,
}

impl<'a> Printing<'a> {
    pub fn new(options: &'a Options) -> Result<Printing<'a>, Ended> {
        Ok(Printing {
            options,
            out: Out::open(options.unbuffered)?,
            needs_headers: options.json || options.format.needs_headers(),
            left: options.count,
        })
    }

    /// Prints a record; whether more are wanted.
    pub fn print(&mut self, topic: &str, message: &Message<'_>) -> Result<bool, Ended> {
        let mut headers: Vec<Header<'_>> = Vec::new();
        if self.needs_headers {
            message.headers(&mut headers);
        }
        let fetched =
            Fetched { record: message.delivered(topic, &headers), broker: message.broker() };
        let Options { format, fields, .. } = self.options;
        let printed = match self.options.json {
            true => {
                json::record(&fetched, &mut self.out.bytes);
                self.out.bytes.extend_from_slice(format.first_text());
                Ok(())
            }
            false => format.print(&fetched, fields, &mut self.out.bytes),
        };
        if let Err(failure) = printed {
            self.failed(&fetched, failure)?;
        }
        if let Err(error) = self.out.write_if_full() {
            return Err(self.unwritten(&fetched, &system_says(&error)));
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
            return Ok(0 < *left);
        }
        Ok(true)
    }

    fn failed(&self, fetched: &Fetched<'_>, failure: Failure) -> Result<(), Ended> {
        let of = &fetched.record;
        let place = format!("{} [{}] at offset {}", of.topic, of.partition, of.offset);
        match failure {
            Failure::Unpack(why) => {
                self.options.say.error(&format!("Failed to format message in {place}: {why}"))
            }
            Failure::NothingWritten => Err(self.unwritten(fetched, "Success")),
        }
    }

    fn unwritten(&self, fetched: &Fetched<'_>, why: &str) -> Ended {
        let of = &fetched.record;
        if self.options.json {
            return Ended::Fatal(format!("Output write error: {why}"));
        }
        Ended::Fatal(format!(
            "Write error for message of {} bytes in {} [{}] at offset {}: {why}",
            of.record.value.map_or(0, <[u8]>::len),
            of.topic,
            of.partition,
            of.offset
        ))
    }
}
