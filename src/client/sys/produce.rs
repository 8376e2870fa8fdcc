//! Records out, delivery reports in. Payloads are lent to librdkafka from blocks that are kept
//! until every record in them is reported.

use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka_sys as rd;

use super::admin::{self, Call, ConfigInfo};
use super::aide::Aide;
use super::blocks::{Blocks, Hold, Token, token_of};
use super::lots::{ANY_PARTITION, Lots};
use super::spread::Spread;
use super::{Complaint, Event, Kind, LogTo, Native, code_text, raw, told};
use crate::client::{Code, Error};
use crate::record::{Header, Offset, Outgoing, PartitionId, Record, Timestamp};

/// How long a question may be under way.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(60);

/// librdkafka's queue has no room: wait for reports and send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Sends records to one topic.
// The order of the fields is the order in which they end: the question and the aide, which share
// what follows, the topic before its client, and the client, whose end frees all that is queued,
// before the blocks that it reads from.
pub struct Sender {
    question: Option<Question>,
    aide: Option<Aide>,
    topic: Arc<Topic>,
    native: Arc<Native>,
    blocks: Blocks,
    pending: Lots,
    partitions_at_once: usize,
    /// `None`: librdkafka chooses the partition of each record.
    spread: Option<Spread>,
    /// Refused at once by librdkafka; reported with the others.
    refused: Vec<(u64, Code)>,
}

/// What was asked about the topic and is not answered.
struct Question {
    call: Call,
    /// Asked once more meanwhile: the answer may be from before.
    is_stale: bool,
}

// SAFETY: the pointers in `pending` go into blocks, which are `Send` and travel along.
unsafe impl Send for Sender {}

impl Sender {
    pub fn open(properties: &[(String, String)], log: LogTo, topic: &str) -> Result<Sender, Error> {
        let native = Arc::new(Native::open(Kind::Producer, properties, log)?);
        let topic = Arc::new(Topic::open(&native, topic)?);
        let aide = Aide::start(Arc::clone(&topic), Arc::clone(&native))?;
        let spread = Spread::of(Arc::clone(&topic), aide.partitions(), properties);
        Ok(Sender { aide: Some(aide), spread, ..Sender::over(native, topic) })
    }

    /// One that does nothing of its own accord: it neither asks nor flushes.
    pub fn over(native: Arc<Native>, topic: Arc<Topic>) -> Sender {
        Sender {
            question: None,
            aide: None,
            topic,
            native,
            blocks: Blocks::default(),
            pending: Lots::default(),
            partitions_at_once: 0,
            spread: None,
            refused: Vec::new(),
        }
    }

    /// Starts anew with other properties. Blocks that are held stay so; nothing is in flight.
    pub fn reopen(
        &mut self,
        properties: &[(String, String)],
        log: LogTo,
        topic: &str,
    ) -> Result<(), Error> {
        assert!(self.in_flight() == 0, "what is in flight would be lost");
        let mut anew = Sender::open(properties, log, topic)?;
        if let Some(fd) = self.native.wake_no_more() {
            anew.native.wake(fd);
        }
        std::mem::swap(&mut anew.blocks, &mut self.blocks);
        *self = anew;
        Ok(())
    }

    /// Asks for the topic's settings; `told` has the answer.
    ///
    /// One question at a time: librdkafka counts what is not answered among the five requests that
    /// an idempotent producer may have under way, and beyond them sends no batch.
    pub fn ask_for_settings(&mut self, topic: &str) {
        if let Some(question) = &mut self.question {
            question.is_stale = true;
            return;
        }
        let name = CString::new(topic).expect("a topic's name has no NUL");
        let call = admin::ask_configs(&self.native, &[name], SETTINGS_TIMEOUT);
        self.question = Some(Question { call, is_stale: false });
    }

    /// The topic's settings, once they are there.
    pub fn told(&mut self, topic: &str) -> Option<Result<Vec<ConfigInfo>, Code>> {
        let answer = self.question.as_ref()?.call.answer_within(Duration::ZERO)?;
        if self.question.take().is_some_and(|question| question.is_stale) {
            self.ask_for_settings(topic);
            return None;
        }
        Some(answer.map_err(|refusal| refusal.code).and_then(|event| {
            let first = admin::configs_in(&event).pop();
            let (_, settings) = first.ok_or(Code::UNKNOWN)?;
            settings.map_err(|refusal| refusal.code)
        }))
    }

    pub fn native(&self) -> &Native {
        &self.native
    }

    /// Keeps a block, so that records can be sent from it without a copy.
    pub fn hold(&mut self, bytes: Bytes) -> Hold {
        self.blocks.hold(bytes)
    }

    /// No more records come from this block; it goes when its last one is reported.
    pub fn release(&mut self, hold: Hold) {
        self.blocks.release(hold);
    }

    /// Takes a record. What lies outside the block is copied.
    pub fn send(&mut self, hold: Hold, token: Token, outgoing: &Outgoing<'_>) -> Result<(), Full> {
        let opaque = hold.opaque(token);
        let chosen = || self.spread.as_ref()?.partition(outgoing.record.key);
        let partition = outgoing.partition.map(PartitionId::get).or_else(chosen);
        let partition = partition.unwrap_or(ANY_PARTITION);
        if !Lots::may_have(partition) || !self.is_plain(hold, outgoing) {
            self.submit()?;
            return self.send_one(hold, opaque, partition, outgoing);
        }
        if !self.pending.takes(partition) {
            self.submit()?;
        }
        self.pending.add(message(opaque, partition, &outgoing.record));
        self.blocks.lend(hold);
        Ok(())
    }

    /// Hands over what was taken. On `Full` the rest stays for the next call.
    pub fn submit(&mut self) -> Result<(), Full> {
        let before = self.pending.records();
        if before == 0 {
            return Ok(());
        }
        self.partitions_at_once = self.pending.partitions();
        let (topic, refused) = (&self.topic, &mut self.refused);
        let earlier = refused.len();
        let all_went =
            self.pending.hand_over(|partition, lot| hand_over(topic, partition, lot, refused));
        let is_absent = |&(_, code): &(u64, Code)| code == Code::UNKNOWN_PARTITION;
        if refused[earlier..].iter().any(is_absent) {
            self.spread.iter().for_each(Spread::missed);
        }
        if !all_went {
            return Err(Full);
        }
        // Only now: what is chosen from here on must not overtake what was chosen before.
        if let (Some(spread), Some(aide)) = (&mut self.spread, &self.aide)
            && spread.went(before, self.native.complaint().is_some())
        {
            aide.count_partitions();
        }
        Ok(())
    }

    /// Passes on every report that is there, waiting for the first one at most this long.
    /// Returns how many.
    pub fn reports(&mut self, wait: Duration, each: impl FnMut(Report<'_>)) -> usize {
        self.events(wait, each, |native, event| drop(native.noted(event)))
    }

    fn events(
        &mut self,
        wait: Duration,
        mut each: impl FnMut(Report<'_>),
        mut other: impl FnMut(&Native, Event),
    ) -> usize {
        let mut count = self.refused.len();
        for (opaque, code) in std::mem::take(&mut self.refused) {
            each(Report { opaque, code, message: None });
            self.blocks.returned(opaque);
        }
        let mut wait = if count == 0 { wait } else { Duration::ZERO };
        while let Some(event) = self.native.main.poll(wait) {
            wait = Duration::ZERO;
            if event.kind() != rd::RD_KAFKA_EVENT_DR {
                other(&self.native, event);
                continue;
            }
            while let Some((code, message)) = next_message(&event) {
                let opaque = message._private as u64;
                each(Report { opaque, code, message: Some(message) });
                self.blocks.returned(opaque);
                count += 1;
            }
        }
        count
    }

    /// As `reports`; errors of brokers are passed on one by one.
    pub fn hear(
        &mut self,
        wait: Duration,
        each: impl FnMut(Report<'_>),
        mut heed: impl FnMut(Complaint),
    ) -> usize {
        self.events(wait, each, |native, event| {
            native.heard(&event).into_iter().for_each(&mut heed)
        })
    }

    /// Batches are sent without waiting to fill, until nothing is in flight or more is to come.
    pub fn flush(&self) {
        if let Some(aide) = &self.aide {
            aide.flush();
        }
    }

    /// More is to come: batches may fill again.
    pub fn fill(&self) {
        if let Some(aide) = &self.aide {
            aide.fill();
        }
    }

    /// As `fill`; what is sent from now on waits for its batch to fill.
    pub fn fill_now(&self) {
        if let Some(aide) = &self.aide {
            aide.fill_now();
        }
    }

    /// Bytes of the blocks that are kept.
    pub fn held_bytes(&self) -> usize {
        self.blocks.bytes
    }

    /// Gives up on all that is not delivered; it is reported as such.
    pub fn purge(&self) {
        let everything = rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is alive.
        unsafe { rd::rd_kafka_purge(self.native.as_ptr(), everything) };
    }

    /// Takes back what is not yet on its way; it is reported as purged.
    pub fn take_back(&self) {
        // SAFETY: the client is alive.
        unsafe { rd::rd_kafka_purge(self.native.as_ptr(), rd::RD_KAFKA_PURGE_F_QUEUE) };
    }

    /// Of how many partitions the records were that were last handed over together, a thousand at
    /// most.
    pub fn partitions_at_once(&self) -> usize {
        self.partitions_at_once
    }

    /// Records taken and not yet reported.
    pub fn in_flight(&self) -> usize {
        self.blocks.lent
    }

    fn is_plain(&self, hold: Hold, outgoing: &Outgoing<'_>) -> bool {
        let inside = |part: Option<&[u8]>| part.is_none_or(|part| self.blocks.has(hold, part));
        outgoing.timestamp.is_none()
            && outgoing.record.headers.is_empty()
            && inside(outgoing.record.key)
            && inside(outgoing.record.value)
    }

    /// Hands over one record with all that a record can have.
    fn send_one(
        &mut self,
        hold: Hold,
        opaque: u64,
        partition: i32,
        outgoing: &Outgoing<'_>,
    ) -> Result<(), Full> {
        let copy = !outgoing.record.value.is_none_or(|value| self.blocks.has(hold, value));
        let headers = Headers::of(outgoing.record.headers);
        let code = self.topic.produce(opaque, partition, outgoing, &headers, copy, &self.native);
        match code {
            Code::QUEUE_FULL => return Err(Full),
            Code::NONE => headers.given_away(),
            code => self.refused.push((opaque, code)),
        }
        self.blocks.lend(hold);
        Ok(())
    }
}

/// Hands over a lot; what there is no room for stays in it.
fn hand_over(
    topic: &Topic,
    partition: i32,
    lot: &mut Vec<rd::rd_kafka_message_t>,
    refused: &mut Vec<(u64, Code)>,
) {
    let count = c_int::try_from(lot.len()).expect("bounded by Lots");
    let messages = lot.as_mut_ptr();
    // SAFETY: the topic is alive. Keys are copied by the call. Values are read until their report:
    // they lie in blocks that are kept until then (`is_plain`, `Blocks`).
    unsafe { rd::rd_kafka_produce_batch(topic.as_ptr(), partition, 0, messages, count) };
    lot.retain(|message| {
        let code = code_of(message);
        if code != Code::QUEUE_FULL && code != Code::NONE {
            refused.push((message._private as u64, code));
        }
        code == Code::QUEUE_FULL
    });
}

/// The next record that the event reports, and what became of it.
///
/// The error is taken out of the message: as long as it is there, librdkafka does not tell the
/// record's timestamp (rd_kafka_message_timestamp), and it would be sent again with another.
fn next_message(event: &Event) -> Option<(Code, &rd::rd_kafka_message_t)> {
    // SAFETY: the event is alive; each message lives as long as the event, and its headers, key
    // and value as long as the message or the block it was sent from. Until the reference is made,
    // nothing else refers to the message, which librdkafka only frees from now on. The code is
    // read as a plain integer.
    unsafe {
        let message = rd::rd_kafka_event_message_next(event.as_ptr()).cast_mut();
        let code = (&raw const (*NonNull::new(message)?.as_ptr()).err).cast::<i32>().read();
        (*message).err = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        Some((Code(code), &*message))
    }
}

/// What became of a record.
pub struct Report<'a> {
    opaque: u64,
    code: Code,
    message: Option<&'a rd::rd_kafka_message_t>,
}

impl<'a> Report<'a> {
    /// Whether it got into librdkafka's queue.
    pub fn was_sent(&self) -> bool {
        self.message.is_some()
    }

    pub fn token(&self) -> Token {
        token_of(self.opaque)
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether it is in the log, for all that is known: the connection was lost before the answer.
    pub fn may_be_written(&self) -> bool {
        let status = |message: &rd::rd_kafka_message_t| {
            // SAFETY: the message is alive, and librdkafka sets nothing but what the enum has.
            unsafe { rd::rd_kafka_message_status(message) }
        };
        let never = rd::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        self.message.is_some_and(|message| status(message) != never)
    }

    /// Where the record lies, as far as the broker said (with `acks=0` it says nothing).
    pub fn place(&self) -> Option<(PartitionId, Option<Offset>)> {
        let message = self.message?;
        let offset = (message.offset >= 0).then_some(Offset(message.offset));
        Some((PartitionId(message.partition), offset))
    }

    /// The time that the record has in the log, as far as that is known.
    pub fn timestamp(&self) -> Option<Timestamp> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let time = unsafe { rd::rd_kafka_message_timestamp(self.message?, &raw mut kind) };
        (0 <= time).then_some(Timestamp(time))
    }

    /// The node id of the broker that the record was sent to; -1 where it was sent to none.
    pub fn broker(&self) -> i32 {
        // SAFETY: the message is alive.
        self.message.map_or(-1, |message| unsafe { rd::rd_kafka_message_broker_id(message) })
    }

    /// Why the record was refused, in librdkafka's words. The broker's own are out of reach:
    /// `rd_kafka_message_produce_errstr` points into the answer to the request, which is freed
    /// before the report is taken (2.12.1, rd_kafka_msgbatch_handle_Produce_result_record_errors).
    pub fn why(&self) -> String {
        code_text(self.code.0)
    }

    /// The record itself, to be sent again; `None` where it never got into the queue.
    pub fn outgoing(&self, headers: &'a mut Vec<Header<'a>>) -> Option<Outgoing<'a>> {
        let message = self.message?;
        headers_of(message, headers);
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let time = unsafe { rd::rd_kafka_message_timestamp(message, &raw mut kind) };
        Some(Outgoing {
            record: Record {
                // SAFETY: key and value live as long as the message (`reports`).
                key: unsafe { part(message.key, message.key_len) },
                value: unsafe { part(message.payload, message.len) },
                headers,
            },
            partition: (message.partition >= 0).then_some(PartitionId(message.partition)),
            timestamp: Some(Timestamp(time)),
        })
    }
}

pub(super) fn headers_of<'a>(message: &'a rd::rd_kafka_message_t, out: &mut Vec<Header<'a>>) {
    let mut list = ptr::null_mut();
    // SAFETY: the message is alive and keeps its list; each name ends with NUL, and each value
    // is as long as its size says.
    unsafe {
        if code(rd::rd_kafka_message_headers(message, &raw mut list)) != Code::NONE {
            return;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        for index in 0.. {
            let (n, v, s) = (&raw mut name, &raw mut value, &raw mut size);
            if code(rd::rd_kafka_header_get_all(list, index, n, v, s)) != Code::NONE {
                return;
            }
            let name = std::ffi::CStr::from_ptr(name).to_bytes();
            out.push(Header { name, value: part(value, size) });
        }
    }
}

/// A topic to produce to.
pub struct Topic(NonNull<rd::rd_kafka_topic_t>);

// SAFETY: a rd_kafka_topic_t may be used from any number of threads at once, like its client.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Topic {
    pub fn open(native: &Native, name: &str) -> Result<Topic, Error> {
        // SAFETY: no settings.
        let topic = unsafe { Topic::open_as(native, name, ptr::null_mut()) };
        topic.map_err(|_| Error::Topic { name: name.to_owned() })
    }

    /// A topic with settings of its own, which are its own from then on; or what librdkafka says.
    ///
    /// # Safety
    /// The settings must be null or alive, and are used no more.
    pub(super) unsafe fn open_as(
        native: &Native,
        name: &str,
        settings: *mut rd::rd_kafka_topic_conf_t,
    ) -> Result<Topic, Code> {
        let text = CString::new(name).map_err(|_| Code::INVALID_TOPIC)?;
        // SAFETY: the client is alive, and the name is copied by the call; the settings are as the
        // caller promises.
        let topic = unsafe { rd::rd_kafka_topic_new(native.as_ptr(), text.as_ptr(), settings) };
        NonNull::new(topic).map(Topic).ok_or_else(last_error)
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_topic_t {
        self.0.as_ptr()
    }

    fn produce(
        &self,
        opaque: u64,
        partition: i32,
        outgoing: &Outgoing<'_>,
        headers: &Headers,
        copy: bool,
        native: &Native,
    ) -> Code {
        use rd::rd_kafka_vtype_t as t;
        let flags = if copy { rd::RD_KAFKA_MSG_F_COPY } else { 0 };
        let timestamp = outgoing.timestamp.map_or(0, Timestamp::get);
        let arguments = [
            argument(t::RD_KAFKA_VTYPE_RKT, |u| u.rkt = self.as_ptr()),
            argument(t::RD_KAFKA_VTYPE_PARTITION, |u| u.i32_ = partition),
            argument(t::RD_KAFKA_VTYPE_VALUE, |u| u.mem = memory(outgoing.record.value)),
            argument(t::RD_KAFKA_VTYPE_KEY, |u| u.mem = memory(outgoing.record.key)),
            argument(t::RD_KAFKA_VTYPE_TIMESTAMP, |u| u.i64_ = timestamp),
            argument(t::RD_KAFKA_VTYPE_OPAQUE, |u| u.ptr = opaque as *mut c_void),
            argument(t::RD_KAFKA_VTYPE_MSGFLAGS, |u| u.i = flags),
            argument(t::RD_KAFKA_VTYPE_HEADERS, |u| u.headers = headers.0),
        ];
        // SAFETY: client and topic are alive, and each argument's field is the one that its type
        // asks for. Key and headers are taken over; a value that is not copied lies in a block
        // that is kept until its report.
        unsafe {
            let error =
                rd::rd_kafka_produceva(native.as_ptr(), arguments.as_ptr(), arguments.len());
            told(error).map_or_else(|undone| undone.code, |()| Code::NONE)
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and used no more; its client is still alive (`Sender`).
        unsafe { rd::rd_kafka_topic_destroy(self.as_ptr()) }
    }
}

type Union = rd::rd_kafka_vu_s__bindgen_ty_1;

fn argument(vtype: rd::rd_kafka_vtype_t, set: impl FnOnce(&mut Union)) -> rd::rd_kafka_vu_t {
    let mut u = Union { _pad: [0; 64] };
    set(&mut u);
    rd::rd_kafka_vu_t { vtype, u }
}

fn memory(bytes: Option<&[u8]>) -> rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let (ptr, size) = raw(bytes);
    rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size }
}

/// A list of headers, ours until a record takes it.
struct Headers(*mut rd::rd_kafka_headers_t);

impl Headers {
    fn of(headers: &[Header<'_>]) -> Headers {
        if headers.is_empty() {
            return Headers(ptr::null_mut());
        }
        // SAFETY: name and value are copied by the calls; sizes are those of the slices, which
        // Rust bounds by isize::MAX.
        unsafe {
            let list = rd::rd_kafka_headers_new(headers.len());
            for header in headers {
                let (value, size) = raw(header.value);
                let name = header.name.as_ptr().cast();
                let name_size = header.name.len() as isize;
                rd::rd_kafka_header_add(list, name, name_size, value, size as isize);
            }
            Headers(list)
        }
    }

    /// A record has taken the list over.
    fn given_away(self) {
        std::mem::forget(self);
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: no record took the list, so it is still ours.
            unsafe { rd::rd_kafka_headers_destroy(self.0) }
        }
    }
}

fn message(opaque: u64, partition: i32, record: &Record<'_>) -> rd::rd_kafka_message_t {
    let (payload, len) = raw(record.value);
    let (key, key_len) = raw(record.key);
    rd::rd_kafka_message_t {
        err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition,
        payload,
        len,
        key,
        key_len,
        offset: 0,
        _private: opaque as *mut c_void,
    }
}

/// The code of a message, read as a plain integer (see `plain`).
pub(super) fn code_of(message: &rd::rd_kafka_message_t) -> Code {
    // SAFETY: the field is an enum of C, an int, and every int is an i32.
    Code(unsafe { (&raw const message.err).cast::<i32>().read() })
}

/// Why the last call on this thread failed.
pub(super) fn last_error() -> Code {
    // SAFETY: no argument; it reads a variable of the thread. Its codes are librdkafka's own.
    Code(unsafe { rd::rd_kafka_last_error() } as i32)
}

/// The code of a call that can only answer with librdkafka's own codes.
pub(super) fn code(code: rd::rd_kafka_resp_err_t) -> Code {
    Code(code as i32)
}

/// # Safety
/// `bytes` must be null or be valid for `size` bytes as long as `'a`.
pub(super) unsafe fn part<'a>(bytes: *const c_void, size: usize) -> Option<&'a [u8]> {
    // SAFETY: it is the caller's promise.
    (!bytes.is_null()).then(|| unsafe { slice::from_raw_parts(bytes.cast(), size) })
}
