//! A member of a consumer group: partitions come and go, and records come from those it has.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as rd;

use super::admin::Partitions;
use super::consume::{Message, Slots};
use super::{Code, Event, Native, Queue, text_of, told};
use crate::record::{LeaderEpoch, Offset, PartitionId};

/// As in the parent: error codes as plain integers.
mod plain {
    use super::{c_int, rd};

    unsafe extern "C" {
        pub fn rd_kafka_subscribe(
            client: *mut rd::rd_kafka_t,
            topics: *const rd::rd_kafka_topic_partition_list_t,
        ) -> c_int;
        pub fn rd_kafka_assign(
            client: *mut rd::rd_kafka_t,
            partitions: *const rd::rd_kafka_topic_partition_list_t,
        ) -> c_int;
        pub fn rd_kafka_offsets_store(
            client: *mut rd::rd_kafka_t,
            offsets: *mut rd::rd_kafka_topic_partition_list_t,
        ) -> c_int;
        pub fn rd_kafka_commit(
            client: *mut rd::rd_kafka_t,
            offsets: *const rd::rd_kafka_topic_partition_list_t,
            is_async: c_int,
        ) -> c_int;
    }
}

/// A topic's partition.
pub type Target = (String, PartitionId);
/// Where reading goes on: the record that comes next, and the epoch of the one before it.
pub type Next<'a> = (&'a str, PartitionId, Offset, Option<LeaderEpoch>);

/// One membership.
pub struct Member {
    queue: Queue,
    slots: Slots,
    /// The write end that librdkafka pokes; kept open for as long as the queue lives.
    wake: Option<OwnedFd>,
    /// Last, so that it goes last.
    native: Arc<Native>,
}

/// What a member hears.
pub enum News<'a> {
    Record(Message<'a>),
    /// All that there was of a partition has been read.
    End(Target, Offset),
    /// To be answered with `assign`.
    Assigned(Vec<Target>),
    /// To be answered with `unassign`.
    Revoked(Vec<Target>),
    Trouble(Option<Target>, Code, String),
}

impl Member {
    /// Joins the group of the configuration, for these topics.
    pub fn join(native: Arc<Native>, topics: &[String]) -> Result<Member, Code> {
        // SAFETY: the client is alive, and outlives the queue (`Drop`). One with a group has it.
        let queue = unsafe { rd::rd_kafka_queue_get_consumer(native.as_ptr()) };
        let queue = Queue(NonNull::new(queue).ok_or(Code::INVALID_GROUP)?);
        let member = Member { queue, slots: Slots::default(), wake: None, native };
        member.subscribe(topics)?;
        Ok(member)
    }

    /// Wants these topics, and no others.
    pub fn subscribe(&self, topics: &[String]) -> Result<(), Code> {
        let list = Partitions::new(topics.len());
        for topic in topics {
            list.add(topic, PartitionId(-1), 0);
        }
        // SAFETY: client and list are alive; the list is copied.
        done(unsafe { plain::rd_kafka_subscribe(self.native.as_ptr(), list.0) })
    }

    /// Has librdkafka look whether it can go on joining: when the connection to the coordinator is
    /// there it notices only with its next order, or after a second (rd_kafka_thread_main and
    /// rd_kafka_cgrp_serve in librdkafka's source).
    pub fn nudge(&self) {
        let mut list = ptr::null_mut();
        // SAFETY: the client is alive; the list is ours to free, and not looked at.
        unsafe {
            rd::rd_kafka_subscription(self.native.as_ptr(), &raw mut list);
            if !list.is_null() {
                rd::rd_kafka_topic_partition_list_destroy(list);
            }
        }
    }

    /// Passes on the next thing that is there; whether there was any. `slot` finds a partition of
    /// which a record is the first.
    pub fn poll(
        &mut self,
        slot: impl Fn(&str, PartitionId) -> Option<usize>,
        each: impl FnOnce(News<'_>),
    ) -> bool {
        self.poll_for(Duration::ZERO, slot, each)
    }

    /// As `poll`, waiting for it at most this long.
    pub fn poll_for(
        &mut self,
        wait: Duration,
        slot: impl Fn(&str, PartitionId) -> Option<usize>,
        each: impl FnOnce(News<'_>),
    ) -> bool {
        let Some(event) = self.queue.poll(wait) else { return false };
        match event.kind() {
            rd::RD_KAFKA_EVENT_FETCH => {
                // SAFETY: the event is alive; its one message lives as long, and so does the
                // message's topic.
                let message = unsafe { rd::rd_kafka_event_message_next(event.as_ptr()).as_ref() };
                let Some(message) = message else { return true };
                let found = self.slots.of(message).or_else(|| {
                    // SAFETY: as above.
                    let topic = text_of(unsafe { rd::rd_kafka_topic_name(message.rkt) });
                    let found = slot(&topic, PartitionId(message.partition))?;
                    let key = (message.rkt.addr(), message.partition);
                    self.slots.by_partition.insert(key, found);
                    Some(found)
                });
                each(News::Record(Message { message, slot: found }));
            }
            rd::RD_KAFKA_EVENT_REBALANCE => {
                // Partitions that come back may have another place in the list.
                self.slots = Slots::default();
                let targets = targets(&event);
                match event.code() {
                    Code::ASSIGN_PARTITIONS => each(News::Assigned(targets)),
                    _ => each(News::Revoked(targets)),
                }
            }
            rd::RD_KAFKA_EVENT_ERROR => each(trouble(&event)),
            _ => {}
        }
        true
    }

    /// Reads these partitions too, from these offsets on.
    pub fn assign(&self, partitions: &[(Target, Offset)]) -> Result<(), Code> {
        let list = Partitions::new(partitions.len());
        for ((topic, partition), offset) in partitions {
            list.add(topic, *partition, offset.get());
        }
        // SAFETY: client and list are alive; the list is copied.
        unsafe {
            match self.is_cooperative() {
                true => told(rd::rd_kafka_incremental_assign(self.native.as_ptr(), list.0))
                    .map_err(|undone| undone.code),
                false => done(plain::rd_kafka_assign(self.native.as_ptr(), list.0)),
            }
        }
    }

    /// Reads these partitions no more.
    pub fn unassign(&self, partitions: &[Target]) -> Result<(), Code> {
        let list = Partitions::new(partitions.len());
        for (topic, partition) in partitions {
            list.add(topic, *partition, 0);
        }
        // SAFETY: client and list are alive; the list is copied. No list stands for all.
        unsafe {
            match self.is_cooperative() {
                true => told(rd::rd_kafka_incremental_unassign(self.native.as_ptr(), list.0))
                    .map_err(|undone| undone.code),
                false => done(plain::rd_kafka_assign(self.native.as_ptr(), ptr::null())),
            }
        }
    }

    /// Its id in the group.
    pub fn id(&self) -> String {
        // SAFETY: the client is alive; the text is ours, to be freed with its own function.
        unsafe {
            let id = rd::rd_kafka_memberid(self.native.as_ptr());
            let text = text_of(id);
            if !id.is_null() {
                rd::rd_kafka_mem_free(self.native.as_ptr(), id.cast());
            }
            text
        }
    }

    /// Whether what it had was taken from it, so that it can commit nothing of it.
    pub fn has_lost(&self) -> bool {
        // SAFETY: the client is alive.
        unsafe { rd::rd_kafka_assignment_lost(self.native.as_ptr()) != 0 }
    }

    /// Whether partitions come and go one by one (KIP-429, KIP-848), not all at once.
    pub fn is_cooperative(&self) -> bool {
        // SAFETY: the client is alive; the text is static.
        text_of(unsafe { rd::rd_kafka_rebalance_protocol(self.native.as_ptr()) }) == "COOPERATIVE"
    }

    /// Takes note of where reading goes on, for the next commit.
    pub fn store(&self, places: &[Next<'_>]) -> Result<(), Code> {
        let list = Partitions::new(places.len());
        for (topic, partition, offset, epoch) in places {
            list.add_after(topic, *partition, offset.get(), *epoch);
        }
        // SAFETY: client and list are alive.
        done(unsafe { plain::rd_kafka_offsets_store(self.native.as_ptr(), list.0) })
    }

    /// Commits what is stored, and waits until that is done.
    pub fn commit(&self) -> Result<(), Code> {
        // SAFETY: the client is alive; no list stands for what is stored.
        let code = done(unsafe { plain::rd_kafka_commit(self.native.as_ptr(), ptr::null(), 0) });
        match code {
            Err(Code::NO_OFFSET) => Ok(()),
            result => result,
        }
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
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: the queue is ours and used no more; what else keeps a reference to it pokes our
        // descriptor no more. The client leaves its group before it goes.
        unsafe {
            rd::rd_kafka_queue_io_event_enable(self.queue.as_ptr(), -1, ptr::null(), 0);
            self.queue.release();
            rd::rd_kafka_consumer_close(self.native.as_ptr());
        }
    }
}

fn targets(event: &Event) -> Vec<Target> {
    // SAFETY: the event is alive and of a kind that has a list, which lives as long.
    unsafe {
        let list = rd::rd_kafka_event_topic_partition_list(event.as_ptr());
        match list.is_null() {
            true => Vec::new(),
            false => Partitions::names(list),
        }
    }
}

fn trouble(event: &Event) -> News<'static> {
    // SAFETY: the event is alive; the place is ours, to be freed with its own function.
    let place = unsafe {
        let place = rd::rd_kafka_event_topic_partition(event.as_ptr());
        place.as_ref().map(|of| {
            let target = (text_of(of.topic), PartitionId(of.partition));
            let offset = Offset(of.offset);
            rd::rd_kafka_topic_partition_destroy(place);
            (target, offset)
        })
    };
    match (event.code(), place) {
        (Code::PARTITION_EOF, Some((target, offset))) => News::End(target, offset),
        (code, place) => News::Trouble(place.map(|(target, _)| target), code, event.text()),
    }
}

fn done(code: c_int) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}
