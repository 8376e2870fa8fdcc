//! The least that a broker can do: it receives batches, checks their checksums and writes them, and
//! sends them from the file to the socket. What a real one costs is measured against it.
//!
//! It speaks one version of each API that a producer, a consumer and the benchmark need, and knows
//! no groups, no transactions, no duplicates, no limits and no recovery. Not for data.
//! Never knows: kaw's own code, of which it must be no part.

mod codec;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use codec::{Reader, Writer};

/// Key, and the oldest and newest version that is announced; the newest alone is spoken. librdkafka
/// compresses only for brokers that announce old ones too, and FindCoordinator, which nobody asks
/// for then (rdkafka_feature.c).
const APIS: [(i16, i16, i16); 9] = [
    (PRODUCE, 0, 7),
    (FETCH, 0, 11),
    (LIST_OFFSETS, 0, 2),
    (METADATA, 0, 4),
    (FIND_COORDINATOR, 0, 0),
    (API_VERSIONS, 0, 0),
    (CREATE_TOPICS, 0, 4),
    (DELETE_TOPICS, 0, 1),
    (INIT_PRODUCER_ID, 0, 1),
];
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const INIT_PRODUCER_ID: i16 = 22;

const NONE: i16 = 0;
const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const UNSUPPORTED_VERSION: i16 = 35;

const HEADER_BYTES: usize = 61;
const CRC_STARTS: usize = 21;

/// Serves every connection on a thread of its own.
pub fn serve(dir: PathBuf, listener: &TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?;
    let shelf = Shelf { dir, address, topics: Mutex::default(), producers: AtomicI64::new(0) };
    let shelf = Arc::new(shelf);
    for stream in listener.incoming() {
        let (stream, shelf) = (stream?, Arc::clone(&shelf));
        thread::spawn(move || {
            // A client that leaves ends its thread, however it leaves.
            let _ = Session { shelf, stream }.run();
        });
    }
    Ok(())
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("no holder panics")
}

/// All that there is.
struct Shelf {
    dir: PathBuf,
    address: SocketAddr,
    topics: Mutex<HashMap<String, Vec<Arc<Log>>>>,
    producers: AtomicI64,
}

/// A partition.
struct Log {
    file: File,
    lies: Mutex<Lies>,
    grown: Condvar,
}

/// What lies where.
#[derive(Default)]
struct Lies {
    end_offset: i64,
    end: u64,
    /// The base offset and the position of each batch.
    batches: Vec<(i64, u64)>,
}

impl Shelf {
    fn log(&self, topic: &str, partition: i32) -> Option<Arc<Log>> {
        let topics = lock(&self.topics);
        topics.get(topic)?.get(usize::try_from(partition).ok()?).cloned()
    }

    fn create(&self, topic: &str, partitions: i32) -> io::Result<()> {
        let log = |partition| {
            let path = self.dir.join(format!("{topic}-{partition}"));
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
            Ok(Arc::new(Log { file, lies: Mutex::default(), grown: Condvar::new() }))
        };
        let logs = (0..partitions.max(1)).map(log).collect::<io::Result<_>>()?;
        lock(&self.topics).insert(topic.to_owned(), logs);
        Ok(())
    }
}

impl Log {
    /// Takes a batch as it came, but for the offset that it gets.
    fn append(&self, batch: &mut [u8]) -> io::Result<Result<i64, i16>> {
        let Some(crc) = batch.get(17..CRC_STARTS) else { return Ok(Err(CORRUPT_MESSAGE)) };
        if batch.len() < HEADER_BYTES || crc32c::crc32c(&batch[CRC_STARTS..]).to_be_bytes() != crc {
            return Ok(Err(CORRUPT_MESSAGE));
        }
        let last_delta = i32::from_be_bytes(*batch[23..].first_chunk().expect("a header is there"));
        let mut lies = lock(&self.lies);
        let (offset, position) = (lies.end_offset, lies.end);
        batch[..8].copy_from_slice(&offset.to_be_bytes());
        self.file.write_all_at(batch, position)?;
        lies.batches.push((offset, position));
        lies.end += batch.len() as u64;
        lies.end_offset += i64::from(last_delta) + 1;
        self.grown.notify_all();
        Ok(Ok(offset))
    }

    /// Where the batches from this offset on lie: one at least, and no more bytes than these.
    fn find(&self, offset: i64, bytes_max: u64, wait: Duration) -> (i64, u64, u64) {
        let mut lies = lock(&self.lies);
        if lies.end_offset <= offset && !wait.is_zero() {
            lies = self.grown.wait_timeout(lies, wait).expect("no holder panics").0;
        }
        let first = lies.batches.partition_point(|(base, _)| *base <= offset).saturating_sub(1);
        if lies.end_offset <= offset || lies.batches.is_empty() {
            return (lies.end_offset, lies.end, lies.end);
        }
        let (_, position) = lies.batches[first];
        // Where a batch begins, the one before ends.
        let rest = &lies.batches[first + 1..];
        let fit = rest.partition_point(|(_, end)| *end <= position + bytes_max);
        let whole = rest.get(fit.saturating_sub(1)).map_or(lies.end, |(_, end)| *end);
        let end = if lies.end <= position + bytes_max { lies.end } else { whole };
        (lies.end_offset, position, end)
    }
}

/// One connection.
struct Session {
    shelf: Arc<Shelf>,
    stream: TcpStream,
}

impl Session {
    fn run(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let (mut size, mut frame) = ([0; 4], Vec::new());
        loop {
            self.stream.read_exact(&mut size)?;
            let size = u32::from_be_bytes(size) as usize;
            if frame.len() < size {
                frame.resize(size, 0);
            }
            self.stream.read_exact(&mut frame[..size])?;
            self.answer(&mut frame[..size])?;
        }
    }

    fn answer(&mut self, frame: &mut [u8]) -> io::Result<()> {
        let mut from = Reader::new(frame);
        let (key, version, correlation) = (from.i16()?, from.i16()?, from.i32()?);
        from.string()?;
        let mut to = Writer::answer(correlation);
        let newest = APIS.iter().find(|api| api.0 == key).map(|api| api.2);
        if newest != Some(version) {
            if key != API_VERSIONS {
                return Err(io::ErrorKind::Unsupported.into());
            }
            // In version 0, as an answer to any that is not known (KIP-511).
            api_versions(UNSUPPORTED_VERSION, &mut to);
            return self.send(to);
        }
        match key {
            PRODUCE => match self.produce(&mut from, &mut to)? {
                true => self.send(to),
                false => Ok(()),
            },
            FETCH => self.fetch(&mut from, to),
            LIST_OFFSETS => self.list_offsets(&mut from, &mut to).and_then(|()| self.send(to)),
            METADATA => self.metadata(&mut from, &mut to).and_then(|()| self.send(to)),
            CREATE_TOPICS => self.create_topics(&mut from, &mut to).and_then(|()| self.send(to)),
            DELETE_TOPICS => self.delete_topics(&mut from, &mut to).and_then(|()| self.send(to)),
            INIT_PRODUCER_ID => {
                let producer = self.shelf.producers.fetch_add(1, Ordering::Relaxed);
                to.i32(0).i16(NONE).i64(producer).i16(0);
                self.send(to)
            }
            API_VERSIONS => {
                api_versions(NONE, &mut to);
                self.send(to)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn send(&mut self, answer: Writer) -> io::Result<()> {
        self.stream.write_all(&answer.framed(0))
    }

    /// Whether an answer is wanted.
    fn produce(&self, from: &mut Reader<'_>, to: &mut Writer) -> io::Result<bool> {
        from.nullable_string()?;
        let acks = from.i16()?;
        from.i32()?;
        let topics = from.i32()?;
        to.i32(topics);
        for _ in 0..topics {
            let topic = from.string()?;
            let partitions = from.i32()?;
            to.string(&topic).i32(partitions);
            for _ in 0..partitions {
                let partition = from.i32()?;
                let taken = match self.shelf.log(&topic, partition) {
                    Some(log) => log.append(from.bytes()?)?,
                    None => from.bytes().map(|_| Err(UNKNOWN_TOPIC_OR_PARTITION))?,
                };
                let (error, offset) = taken.map_or_else(|error| (error, -1), |at| (NONE, at));
                to.i32(partition).i16(error).i64(offset).i64(-1).i64(0);
            }
        }
        to.i32(0);
        Ok(acks != 0)
    }

    /// The first partition that has something ends the wait for all.
    fn fetch(&mut self, from: &mut Reader<'_>, mut to: Writer) -> io::Result<()> {
        from.i32()?;
        let wait = Duration::from_millis(from.i32()?.max(0).unsigned_abs().into());
        let (_bytes_min, mut left) = (from.i32()?, i64::from(from.i32()?));
        from.skip(1 + 4 + 4)?;
        let mut asked = Vec::new();
        for _ in 0..from.i32()? {
            let topic = from.string()?;
            for _ in 0..from.i32()? {
                let (partition, _epoch) = (from.i32()?, from.i32()?);
                let (offset, _start, bytes_max) = (from.i64()?, from.i64()?, from.i32()?);
                asked.push((topic.clone(), partition, offset, bytes_max));
            }
        }
        let is_idle = |(topic, partition, offset, _): &(String, i32, i64, i32)| {
            let log = self.shelf.log(topic, *partition);
            log.is_none_or(|log| lock(&log.lies).end_offset <= *offset)
        };
        let mut wait = if asked.iter().all(is_idle) { wait } else { Duration::ZERO };
        let mut parts = Vec::new();
        to.i32(0).i16(NONE).i32(0).i32(asked.len() as i32);
        for (topic, partition, offset, bytes_max) in asked {
            to.string(&topic).i32(1).i32(partition);
            let Some(log) = self.shelf.log(&topic, partition) else {
                to.i16(UNKNOWN_TOPIC_OR_PARTITION).i64(-1).i64(-1).i64(-1).i32(-1).i32(-1).i32(0);
                continue;
            };
            let bytes_max = if 0 < left { i64::from(bytes_max).min(left) } else { 0 };
            let (end_offset, start, mut end) = log.find(offset, bytes_max.unsigned_abs(), wait);
            wait = Duration::ZERO;
            if left <= 0 {
                end = start;
            }
            left -= (end - start) as i64;
            to.i16(NONE).i64(end_offset).i64(end_offset).i64(0).i32(-1).i32(-1);
            to.i32((end - start) as i32);
            parts.push((to.len(), log, start, end));
        }
        self.send_parts(to, &parts)
    }

    fn send_parts(&mut self, to: Writer, parts: &[(usize, Arc<Log>, u64, u64)]) -> io::Result<()> {
        let elsewhere: u64 = parts.iter().map(|(_, _, start, end)| end - start).sum();
        let (head, mut sent) = (to.framed(elsewhere), 0);
        for (at, log, start, end) in parts {
            self.stream.write_all(&head[sent..*at])?;
            sent = *at;
            let mut position = *start;
            while position < *end {
                let left = (*end - position) as usize;
                let from = Some(&mut position);
                if rustix::fs::sendfile(&self.stream, &log.file, from, left)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        self.stream.write_all(&head[sent..])
    }

    fn list_offsets(&self, from: &mut Reader<'_>, to: &mut Writer) -> io::Result<()> {
        from.skip(4 + 1)?;
        let topics = from.i32()?;
        to.i32(0).i32(topics);
        for _ in 0..topics {
            let topic = from.string()?;
            let partitions = from.i32()?;
            to.string(&topic).i32(partitions);
            for _ in 0..partitions {
                let (partition, time) = (from.i32()?, from.i64()?);
                let log = self.shelf.log(&topic, partition);
                let end = log.map(|log| lock(&log.lies).end_offset);
                let error = if end.is_some() { NONE } else { UNKNOWN_TOPIC_OR_PARTITION };
                let offset = if time == -1 { end.unwrap_or(-1) } else { 0 };
                to.i32(partition).i16(error).i64(-1).i64(offset);
            }
        }
        Ok(())
    }

    fn metadata(&self, from: &mut Reader<'_>, to: &mut Writer) -> io::Result<()> {
        let topics = lock(&self.shelf.topics);
        let names = match from.i32()? {
            -1 => topics.keys().cloned().collect(),
            count => (0..count).map(|_| from.string()).collect::<io::Result<Vec<_>>>()?,
        };
        let address = self.shelf.address;
        to.i32(0).i32(1).i32(0).string(&address.ip().to_string()).i32(address.port().into());
        to.i16(-1).string("floor").i32(0);
        to.i32(names.len() as i32);
        for name in names {
            let partitions = topics.get(&name).map_or(0, Vec::len) as i32;
            let error = if partitions == 0 { UNKNOWN_TOPIC_OR_PARTITION } else { NONE };
            to.i16(error).string(&name).i8(0).i32(partitions);
            for partition in 0..partitions {
                to.i16(NONE).i32(partition).i32(0).i32(1).i32(0).i32(1).i32(0);
            }
        }
        Ok(())
    }

    fn create_topics(&self, from: &mut Reader<'_>, to: &mut Writer) -> io::Result<()> {
        let topics = from.i32()?;
        to.i32(0).i32(topics);
        for _ in 0..topics {
            let (name, partitions) = (from.string()?, from.i32()?);
            from.i16()?;
            for _ in 0..from.i32()? {
                from.i32()?;
                let replicas = from.i32()?;
                from.skip(4 * replicas.max(0) as usize)?;
            }
            for _ in 0..from.i32()? {
                from.string()?;
                from.nullable_string()?;
            }
            self.shelf.create(&name, partitions)?;
            to.string(&name).i16(NONE).i16(-1);
        }
        Ok(())
    }

    fn delete_topics(&self, from: &mut Reader<'_>, to: &mut Writer) -> io::Result<()> {
        let topics = from.i32()?;
        to.i32(0).i32(topics);
        for _ in 0..topics {
            let name = from.string()?;
            let gone = lock(&self.shelf.topics).remove(&name);
            for partition in 0..gone.map_or(0, |logs| logs.len()) {
                std::fs::remove_file(self.shelf.dir.join(format!("{name}-{partition}")))?;
            }
            to.string(&name).i16(NONE);
        }
        Ok(())
    }
}

fn api_versions(error: i16, to: &mut Writer) {
    to.i16(error).i32(APIS.len() as i32);
    for (key, oldest, newest) in APIS {
        to.i16(key).i16(oldest).i16(newest);
    }
}
