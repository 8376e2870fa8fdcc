//! The simple consumer: partitions are read from given offsets into one queue, without a group.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as rd;

use super::produce::{Topic, code_of, headers_of, last_error, part};
use super::{Native, Queue, text_of};
use crate::client::{Code, Error};
use crate::record::{
    Delivered, Header, LeaderEpoch, Offset, PartitionId, Record, Timestamp, TimestampType,
};

/// Reads partitions into one queue.
pub struct Reader {
    queue: Queue,
    topics: HashMap<String, Topic>,
    slots: Slots,
    /// The write end that librdkafka pokes; kept open for as long as the queue lives.
    wake: Option<OwnedFd>,
    /// Last, so that it goes last.
    native: Arc<Native>,
}

/// Which partition a message is of, by topic handle and number.
#[derive(Default)]
pub(super) struct Slots {
    pub by_partition: HashMap<(usize, i32), usize>,
    pub last: Option<((usize, i32), usize)>,
}

impl Slots {
    /// Messages come in runs of one partition.
    pub fn of(&mut self, message: &rd::rd_kafka_message_t) -> Option<usize> {
        let key = (message.rkt.addr(), message.partition);
        match self.last {
            Some((last, slot)) if last == key => Some(slot),
            _ => {
                let slot = *self.by_partition.get(&key)?;
                self.last = Some((key, slot));
                Some(slot)
            }
        }
    }
}

impl Reader {
    pub fn new(native: Arc<Native>) -> Reader {
        // SAFETY: the client is alive, and outlives the queue (`Drop`).
        let queue = unsafe { rd::rd_kafka_queue_new(native.as_ptr()) };
        let queue = Queue(NonNull::new(queue).expect("librdkafka aborts when out of memory"));
        Reader { queue, topics: HashMap::new(), slots: Slots::default(), wake: None, native }
    }

    /// One that reads nothing yet and pokes the same descriptor; this one pokes none any more.
    pub fn renewed(&mut self) -> Reader {
        let mut new = Reader::new(Arc::clone(&self.native));
        if let Some(fd) = self.wake.take() {
            // SAFETY: the queue is alive; no descriptor is poked from here on.
            unsafe { rd::rd_kafka_queue_io_event_enable(self.queue.as_ptr(), -1, ptr::null(), 0) };
            new.wake(fd);
        }
        new
    }

    /// Begins to read a partition; its messages carry `slot`.
    pub fn start(
        &mut self,
        slot: usize,
        topic: &str,
        partition: PartitionId,
        from: Offset,
    ) -> Result<(), Code> {
        let handle = self.handle(topic).map_err(|_| Code::INVALID_TOPIC)?.as_ptr();
        self.slots.by_partition.insert((handle.expose_provenance(), partition.get()), slot);
        // SAFETY: topic and queue are alive, and outlive the reading of the partition (`Drop`).
        let failed = unsafe {
            rd::rd_kafka_consume_start_queue(
                handle,
                partition.get(),
                from.get(),
                self.queue.as_ptr(),
            )
        };
        if failed == 0 { Ok(()) } else { Err(last_error()) }
    }

    /// Reads a partition no more; what was fetched of it is dropped.
    pub fn stop(&mut self, topic: &str, partition: PartitionId) {
        if let Some(handle) = self.topics.get(topic) {
            // SAFETY: the topic is alive. A partition that is not read is an error, and no harm.
            unsafe { rd::rd_kafka_consume_stop(handle.as_ptr(), partition.get()) };
        }
    }

    /// The handle of a topic, made once.
    pub fn handle(&mut self, topic: &str) -> Result<&Topic, Error> {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), Topic::open(&self.native, topic)?);
        }
        Ok(&self.topics[topic])
    }

    /// Uses this handle for its topic.
    pub fn adopt(&mut self, topic: &str, handle: Topic) {
        self.topics.insert(topic.to_owned(), handle);
    }

    /// From now on one byte is written to `fd` when the queue stops being empty.
    pub fn wake(&mut self, fd: OwnedFd) {
        // SAFETY: the payload is copied by the call; the descriptor is kept below, so it is open
        // for as long as the queue pokes it (`Drop`).
        unsafe {
            let byte = b"q".as_ptr().cast();
            rd::rd_kafka_queue_io_event_enable(self.queue.as_ptr(), fd.as_raw_fd(), byte, 1);
        }
        self.wake = Some(fd);
    }

    /// Passes on all messages that are there, waiting for the first one at most this long, until
    /// `each` breaks: the rest stays for the next call. Returns how many were passed on.
    ///
    /// The callback takes the whole queue with one lock; `rd_kafka_consume_batch_queue` takes one
    /// a message, and waits until its array is full.
    pub fn drain<F>(&mut self, wait: Duration, each: F) -> usize
    where
        F: FnMut(Message<'_>) -> ControlFlow<()>,
    {
        let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        let mut drain =
            Drain { each, slots: &mut self.slots, client: self.native.as_ptr(), count: 0 };
        // SAFETY: the queue is alive; the callback is called within this call only, with the
        // context whose type it was made for, which nothing else touches meanwhile.
        unsafe {
            rd::rd_kafka_consume_callback_queue(
                self.queue.as_ptr(),
                wait_ms,
                Some(on_message::<F>),
                (&raw mut drain).cast(),
            );
        }
        drain.count
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // With a group, the client's end would wait for ever for partitions that are still read.
        for &(handle, partition) in self.slots.by_partition.keys() {
            let handle = ptr::with_exposed_provenance_mut(handle);
            // SAFETY: the topic is alive. A partition that is read no more is an error, no harm.
            unsafe { rd::rd_kafka_consume_stop(handle, partition) };
        }
        // SAFETY: the queue is ours and used no more. What else keeps a reference to it pokes our
        // descriptor no more.
        unsafe {
            rd::rd_kafka_queue_io_event_enable(self.queue.as_ptr(), -1, ptr::null(), 0);
            self.queue.release();
        }
    }
}

struct Drain<'a, F> {
    each: F,
    slots: &'a mut Slots,
    client: *mut rd::rd_kafka_t,
    count: usize,
}

/// # Safety
/// `opaque` must be a `Drain<F>` that nothing else uses, and `message` a live message or null.
unsafe extern "C" fn on_message<F>(message: *mut rd::rd_kafka_message_t, opaque: *mut c_void)
where
    F: FnMut(Message<'_>) -> ControlFlow<()>,
{
    // SAFETY: it is the caller's promise. A panic below ends the process: it cannot enter C.
    let (drain, message) = unsafe { (&mut *opaque.cast::<Drain<'_, F>>(), message.as_ref()) };
    let Some(message) = message else { return };
    drain.count += 1;
    let slot = drain.slots.of(message);
    if (drain.each)(Message { message, slot }).is_break() {
        // SAFETY: the client is alive; this only sets a flag of the thread.
        unsafe { rd::rd_kafka_yield(drain.client) };
    }
}

/// A record, the end of a partition, or an error, as it came out of the queue.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pub(super) message: &'a rd::rd_kafka_message_t,
    pub(super) slot: Option<usize>,
}

impl<'a> Message<'a> {
    /// As given to `start`; `None` for errors of no partition.
    pub fn slot(&self) -> Option<usize> {
        self.slot
    }

    /// No error for a record.
    pub fn code(&self) -> Code {
        code_of(self.message)
    }

    /// What an error says; its text is where a record has its value.
    pub fn text(&self) -> String {
        // SAFETY: the message is alive, and so is its text.
        text_of(unsafe { rd::rd_kafka_message_errstr(self.message) })
    }

    pub fn offset(&self) -> Offset {
        Offset(self.message.offset)
    }

    pub fn partition(&self) -> PartitionId {
        PartitionId(self.message.partition)
    }

    /// The node id of the broker that it was fetched from; -1 where that is not known.
    pub fn broker(&self) -> i32 {
        // SAFETY: the message is alive.
        unsafe { rd::rd_kafka_message_broker_id(self.message) }
    }

    /// The name of its topic; an error may be of none.
    pub fn topic(&self) -> Option<String> {
        // SAFETY: the message's topic lives as long as the message.
        let name = || unsafe { rd::rd_kafka_topic_name(self.message.rkt) };
        (!self.message.rkt.is_null()).then(|| text_of(name()))
    }

    /// Takes note of an offset of the partition that this is of, for librdkafka to commit.
    pub fn store(&self, offset: Offset) {
        // SAFETY: the message's topic lives as long as the message. What is not wanted is refused.
        unsafe {
            rd::rd_kafka_offset_store(self.message.rkt, self.message.partition, offset.get())
        };
    }

    pub fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: the key lives as long as the message.
        unsafe { part(self.message.key, self.message.key_len) }
    }

    pub fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: the value lives as long as the message.
        unsafe { part(self.message.payload, self.message.len) }
    }

    pub fn timestamp(&self) -> Option<(TimestampType, Timestamp)> {
        use rd::rd_kafka_timestamp_type_t as t;
        let mut kind = t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let time = unsafe { rd::rd_kafka_message_timestamp(self.message, &raw mut kind) };
        let kind = match kind {
            t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => return None,
            t::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampType::CreateTime,
            t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampType::LogAppendTime,
        };
        Some((kind, Timestamp(time)))
    }

    /// Appends the headers, which librdkafka parses only now.
    pub fn headers(&self, out: &mut Vec<Header<'a>>) {
        headers_of(self.message, out);
    }

    /// The record of `topic` that this is, with these headers.
    pub fn delivered(&self, topic: &'a str, headers: &'a [Header<'a>]) -> Delivered<'a> {
        // SAFETY: the message is alive.
        let epoch = unsafe { rd::rd_kafka_message_leader_epoch(self.message) };
        Delivered {
            topic,
            partition: PartitionId(self.message.partition),
            offset: self.offset(),
            timestamp: self.timestamp(),
            leader_epoch: (0 <= epoch).then_some(LeaderEpoch(epoch)),
            watermarks: None,
            record: Record { key: self.key(), value: self.value(), headers },
        }
    }
}
