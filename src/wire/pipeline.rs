//! One connection with many requests under way. It never waits: batches leave and answers come as
//! the socket takes and gives them.
//! Never knows: when anybody asks, or what is in a batch.

mod inbox;
mod outbox;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use bytes::Bytes;

use super::batches::{FETCH_VERSION_MAX, PRODUCE_VERSION_MAX, fetch_request};
use super::connection::Connection;
use super::error::{Error, Stranger, Trouble};
use crate::protocol::fetch::FetchRequest;
use crate::protocol::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use crate::protocol::{
    ApiKey, Part, Records, Request, decode_response, encode_request, response_correlation,
};
use crate::record::{Offset, PartitionId};
use inbox::Inbox;
use outbox::Outbox;

pub use crate::protocol::produce::Acks;

/// How long a broker may take until all replicas have a batch, or until there is one to fetch.
const WAIT_MS: i32 = 30_000;

/// What a broker says to one request.
#[derive(Debug)]
pub enum Answer {
    /// Where the batch lies.
    Produced(Option<Offset>),
    /// Whole batches, and perhaps a part of another one.
    Fetched(Bytes),
}

pub struct Pipeline {
    connection: Connection,
    produce_version: i16,
    fetch_version: i16,
    outbox: Outbox,
    /// In the order in which they were sent: so they are answered.
    asked: VecDeque<Asked>,
    inbox: Inbox,
}

struct Asked {
    correlation: i32,
    key: ApiKey,
}

impl Connection {
    /// The same connection, which from now on never waits.
    pub fn pipelined(mut self, deadline: Instant) -> Result<Pipeline, Error> {
        let produce_version = self.version::<ProduceRequest>(PRODUCE_VERSION_MAX, deadline)?;
        let fetch_version = self.version::<FetchRequest>(FETCH_VERSION_MAX, deadline)?;
        let ready = self.stream.at_once();
        ready.map_err(|error| self.lost(ApiKey::PRODUCE, error))?;
        Ok(Pipeline {
            connection: self,
            produce_version,
            fetch_version,
            outbox: Outbox::default(),
            asked: VecDeque::new(),
            inbox: Inbox::default(),
        })
    }
}

impl Pipeline {
    /// Asks to append a batch, whose header and records lie apart. At `Acks::None` there will be
    /// no answer.
    pub fn produce(
        &mut self,
        (topic, partition): (&str, PartitionId),
        acks: Acks,
        (header, records): (&[u8], &Bytes),
    ) -> Result<(), Error> {
        let size = header.len() + records.len();
        let partition = ProducePartition { partition, records: Records::Elsewhere(size) };
        let topic = ProduceTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..ProduceTopic::default()
        };
        let request = ProduceRequest {
            acks,
            timeout_ms: WAIT_MS,
            topics: vec![topic],
            ..ProduceRequest::default()
        };
        self.ask(&request, self.produce_version, Some((header, records)))?;
        if acks == Acks::None {
            self.asked.pop_back();
        }
        Ok(())
    }

    /// Asks for what begins at this offset, so many bytes or one batch.
    pub fn fetch(
        &mut self,
        of: (&str, PartitionId),
        from: Offset,
        bytes_max: i32,
    ) -> Result<(), Error> {
        let request = fetch_request(of, from, bytes_max);
        self.ask(&request, self.fetch_version, None)
    }

    fn ask<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        batch: Option<(&[u8], &Bytes)>,
    ) -> Result<(), Error> {
        let connection = &mut self.connection;
        connection.correlation = connection.correlation.wrapping_add(1);
        let correlation = connection.correlation;
        let frame = encode_request(request, version, correlation, &connection.client_id);
        let unspeakable = |error| Trouble::Unspeakable { calling: R::KEY, error };
        let frame = frame.map_err(|error| self.connection.error(unspeakable(error)))?;
        for part in frame.parts() {
            match (part, batch) {
                (Part::Bytes(bytes), _) => self.outbox.copy(bytes),
                (Part::Elsewhere(_), Some((header, records))) => {
                    self.outbox.copy(header);
                    self.outbox.add(records);
                }
                (Part::Elsewhere(_), None) => unreachable!("only a batch lies elsewhere"),
            }
        }
        self.asked.push_back(Asked { correlation, key: R::KEY });
        Ok(())
    }

    /// Whether bytes wait for the socket to take them.
    pub fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Sends what the socket takes.
    pub fn push(&mut self) -> Result<(), Error> {
        match self.outbox.write_to(&mut self.connection.stream) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.connection.lost(ApiKey::PRODUCE, error)),
        }
    }

    /// Reads once what the socket has, and hands out the answers that are whole by then. Those
    /// that a broker refused are errors; whatever else goes wrong is the connection's end.
    pub fn pull(&mut self, mut take: impl FnMut(Result<Answer, Error>)) -> Result<(), Error> {
        let Pipeline { connection, asked, inbox, .. } = self;
        match inbox.read_from(&mut connection.stream) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(connection.lost(ApiKey::PRODUCE, error)),
        }
        let strange = |start| connection.error(Trouble::NotKafka(Stranger::guess(start)));
        let versions = (self.produce_version, self.fetch_version);
        inbox
            .take_frames(|frame| {
                let unasked = || connection.error(Trouble::NotKafka(Stranger::Unknown));
                let Asked { correlation, key } = asked.pop_front().ok_or_else(unasked)?;
                if response_correlation(&frame) != Ok(correlation) {
                    return Err(unasked());
                }
                take(opened(connection, key, versions, frame));
                Ok(())
            })
            .map_err(|trouble| match trouble {
                inbox::Trouble::Length(start) => strange(start),
                inbox::Trouble::Frame(error) => error,
            })
    }
}

/// What an answer says of the one partition that was asked about.
fn opened(
    connection: &Connection,
    key: ApiKey,
    (produce_version, fetch_version): (i16, i16),
    frame: Bytes,
) -> Result<Answer, Error> {
    let garbled = |error| connection.error(Trouble::Garbled { calling: key, error });
    if key == ApiKey::PRODUCE {
        let answer = decode_response::<ProduceRequest>(frame, produce_version).map_err(garbled)?;
        let partition = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let partition = partition.ok_or_else(|| connection.untold::<ProduceRequest>())?;
        connection.refuse::<ProduceRequest>(partition.error_code, partition.error_message)?;
        return Ok(Answer::Produced(partition.base_offset));
    }
    let answer = decode_response::<FetchRequest>(frame, fetch_version).map_err(garbled)?;
    connection.refuse::<FetchRequest>(answer.error_code, None)?;
    let partition = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
    let partition = partition.ok_or_else(|| connection.untold::<FetchRequest>())?;
    connection.refuse::<FetchRequest>(partition.error_code, None)?;
    Ok(Answer::Fetched(partition.records.here().clone()))
}

/// To be asked when it can be read from or written to.
impl AsFd for Pipeline {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
