//! rdkafka-sys made safe: one native client, its event queue, its errors; the only unsafe code.
//! Never knows: what a command wants; topics, partitions and bytes are all it sees.
// librdkafka has no safe binding for delivery reports as events, for header names that are not
// UTF-8, or for borrowed payloads. Each block says why it is sound.
#![allow(unsafe_code)]

mod admin;
mod aide;
pub mod bare;
mod blocks;
mod consume;
mod group;
mod heard;
mod lots;
mod produce;
mod spread;
mod transaction;

pub use admin::{
    Answer, BrokerInfo, Call, Change, ConfigInfo, ConfigSource, Edge, EdgeAnswer, Group, Isolation,
    Listed, Member, Metadata, NewTopic, PartitionAnswer, PartitionInfo, Refusal, Run, TopicInfo,
    add_partitions, alter_configs, ask_edges, ask_group_offsets, committed, configs, create,
    delete, delete_groups, describe_groups, edges, edges_answered, group_offsets, list_groups,
    metadata, set_group_offsets, trim,
};
pub use blocks::{Hold, Token};
pub use consume::{Message, Reader};
pub use group::{Member as GroupMember, News, Target};
pub use produce::{Full, Report, Sender, Topic};
pub use transaction::{
    abort_transaction, begin_transaction, commit_transaction, init_transactions,
};

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka_sys as rd;

use super::{Code, Error};
use heard::Heard;

/// The same functions as in `rdkafka_sys`, with error codes as plain integers: a broker may answer
/// with a code newer than the generated enum, and an enum outside its range is undefined. And the
/// three of C's library with which librdkafka's table of properties is caught.
mod plain {
    use super::{c_char, c_int, c_void, rd};

    unsafe extern "C" {
        pub fn rd_kafka_err2str(code: c_int) -> *const c_char;
        pub fn rd_kafka_err2name(code: c_int) -> *const c_char;
        pub fn rd_kafka_event_error(event: *mut rd::rd_kafka_event_t) -> c_int;
        pub fn open_memstream(text: *mut *mut c_char, size: *mut usize) -> *mut c_void;
        pub fn fclose(stream: *mut c_void) -> c_int;
        pub fn free(memory: *mut c_void);
        pub fn rd_kafka_error_code(error: *const rd::rd_kafka_error_t) -> c_int;
        pub fn rd_kafka_fatal_error(
            client: *mut rd::rd_kafka_t,
            text: *mut c_char,
            size: usize,
        ) -> c_int;
    }
}

const TEXT_BYTES_MAX: usize = 512;

/// Which half of librdkafka a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Producer,
    /// Admin clients are of this kind too: it starts nothing of a producer's.
    Consumer,
}

/// Where librdkafka's own log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTo {
    Nowhere,
    Stderr,
}

/// What librdkafka said last about a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub code: Code,
    pub text: String,
    pub fatal: bool,
}

impl Complaint {
    fn hang_up() -> Complaint {
        let text = "Disconnected: see security.protocol".to_owned();
        Complaint { code: Code::TRANSPORT, text, fatal: false }
    }
}

/// A running client of librdkafka and its main queue.
pub struct Native {
    client: NonNull<rd::rd_kafka_t>,
    main: Queue,
    complaint: Mutex<Option<Complaint>>,
    /// The write end that librdkafka pokes; kept open for as long as the client lives.
    wake: Mutex<Option<OwnedFd>>,
    /// Boxed: librdkafka knows where it lies.
    heard: Box<Heard>,
}

// SAFETY: a rd_kafka_t may be used from any number of threads at once (rdkafka.h, INTRODUCTION.md).
unsafe impl Send for Native {}
// SAFETY: as above; the fields beside it are behind locks.
unsafe impl Sync for Native {}

impl Native {
    /// Starts a client. `properties` are set in order, so that a later one wins.
    pub fn open(kind: Kind, properties: &[(String, String)], log: LogTo) -> Result<Native, Error> {
        let mut conf = Conf::new();
        for (key, value) in properties {
            conf.set(key, value)?;
        }
        conf.log_to(log);
        conf.events();
        conf.start(kind)
    }

    /// Keeps broker errors for `complaint`; any other event is handed back.
    pub fn noted(&self, event: Event) -> Option<Event> {
        if event.kind() != rd::RD_KAFKA_EVENT_ERROR {
            return Some(event);
        }
        let mut complaint = event.complaint();
        if complaint.fatal {
            complaint = self.fatal().unwrap_or(complaint);
        }
        // Where a handshake fails in the middle of a write, its code is another
        // (rd_kafka_transport_ssl_io_event in rdkafka_ssl.c).
        if complaint.code == Code::SSL || complaint.text.contains("certificate verify failed") {
            complaint.text = self.heard.distrust().unwrap_or(complaint.text);
        }
        let mut last = self.complaint.lock().expect("no holder panics");
        // "All brokers are down" says less than why the last of them is.
        if last.is_none() || complaint.code != Code::ALL_BROKERS_DOWN {
            *last = Some(complaint);
        }
        None
    }

    /// What librdkafka said last about a broker, among the events polled so far.
    pub fn complaint(&self) -> Option<Complaint> {
        let said = self.complaint.lock().expect("no holder panics").clone();
        let says_nothing = said.as_ref().is_none_or(|it| it.code == Code::ALL_BROKERS_DOWN);
        // Who hangs up before the first answer speaks another protocol; later it may be anything.
        match says_nothing && self.heard.hang_up() && !self.reached() {
            true => Some(Complaint::hang_up()),
            false => said,
        }
    }

    /// Forgets the last complaint: progress was made since.
    pub fn forgive(&self) {
        *self.complaint.lock().expect("no holder panics") = None;
    }

    /// The error after which this client can do nothing more, if there was one.
    pub fn fatal(&self) -> Option<Complaint> {
        let mut text = [0 as c_char; TEXT_BYTES_MAX];
        // SAFETY: the client is alive, and the buffer is as long as we say.
        let code =
            unsafe { plain::rd_kafka_fatal_error(self.as_ptr(), text.as_mut_ptr(), text.len()) };
        let text = text_of(text.as_ptr());
        (code != 0).then_some(Complaint { code: Code(code), text, fatal: true })
    }

    /// Whether a broker has answered a metadata request.
    pub fn reached(&self) -> bool {
        // SAFETY: the client is alive; the text is ours, to be freed with its own function.
        unsafe {
            let id = rd::rd_kafka_clusterid(self.as_ptr(), 0);
            if !id.is_null() {
                rd::rd_kafka_mem_free(self.as_ptr(), id.cast());
            }
            !id.is_null()
        }
    }

    /// Asks any broker how many partitions the topic has.
    fn ask_about(
        &self,
        topic: &produce::Topic,
        wait: Duration,
        partitions: &spread::Count,
    ) -> Result<(), Code> {
        let answer = metadata(self, Some(topic), wait)?;
        let count = match answer.topics.first() {
            Some(topic) if topic.partitions.iter().all(|partition| partition.leader.is_some()) => {
                topic.partitions.len()
            }
            _ => 0,
        };
        partitions.store(i32::try_from(count).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }

    /// Sends what is queued, for at most this long; whether nothing is in flight any more.
    fn flush(&self, wait: Duration) -> bool {
        let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the client is alive. With reports as events it takes none from the queue.
        produce::code(unsafe { rd::rd_kafka_flush(self.as_ptr(), wait_ms) }) == Code::NONE
    }

    /// From now on one byte is written to `fd` when the main queue stops being empty.
    pub fn wake(&self, fd: OwnedFd) {
        // SAFETY: the payload is copied by the call; the descriptor is kept below, so it is open
        // for as long as the client lives.
        unsafe {
            let byte = b"q".as_ptr().cast();
            rd::rd_kafka_queue_io_event_enable(self.main.as_ptr(), fd.as_raw_fd(), byte, 1);
        }
        *self.wake.lock().expect("no holder panics") = Some(fd);
    }

    /// Undoes `wake`, and gives the descriptor back.
    fn wake_no_more(&self) -> Option<OwnedFd> {
        // SAFETY: the queue is alive; no descriptor is looked at.
        unsafe { rd::rd_kafka_queue_io_event_enable(self.main.as_ptr(), -1, ptr::null(), 0) };
        self.wake.lock().expect("no holder panics").take()
    }

    /// The client itself, for calls that are wrapped in this folder; it lives as long as `self`.
    fn as_ptr(&self) -> *mut rd::rd_kafka_t {
        self.client.as_ptr()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: nothing else holds the client, since topics, queues and events borrow `self`
        // or count as its users. The queue's reference must go first.
        unsafe {
            // Otherwise librdkafka could poke a descriptor that is about to be closed.
            rd::rd_kafka_queue_io_event_enable(self.main.as_ptr(), -1, ptr::null(), 0);
            self.main.release();
            rd::rd_kafka_destroy(self.as_ptr());
        }
    }
}

/// A queue of events.
pub struct Queue(NonNull<rd::rd_kafka_queue_t>);

impl Queue {
    /// The next event, or `None` when there was none in time.
    fn poll(&self, wait: Duration) -> Option<Event> {
        let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the queue is alive. The event is ours, and freed by its `Drop`.
        let event = unsafe { rd::rd_kafka_queue_poll(self.as_ptr(), wait_ms) };
        NonNull::new(event).map(Event)
    }

    fn as_ptr(&self) -> *mut rd::rd_kafka_queue_t {
        self.0.as_ptr()
    }

    /// # Safety
    /// The queue must not be used again.
    unsafe fn release(&mut self) {
        // SAFETY: it is the caller's promise that this reference is used no more.
        unsafe { rd::rd_kafka_queue_destroy(self.as_ptr()) }
    }
}

/// One event; what it is about is read by the part that asked for it.
pub struct Event(NonNull<rd::rd_kafka_event_t>);

impl Event {
    /// One of `RD_KAFKA_EVENT_*`.
    pub fn kind(&self) -> c_int {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_type(self.as_ptr()) }
    }

    /// The code of the error that this event brings; no error where it brings none.
    pub fn code(&self) -> Code {
        // SAFETY: the event is alive.
        Code(unsafe { plain::rd_kafka_event_error(self.as_ptr()) })
    }

    /// The text of the error that this event brings.
    pub fn text(&self) -> String {
        // SAFETY: the event is alive, and the text lives as long as the event.
        text_of(unsafe { rd::rd_kafka_event_error_string(self.as_ptr()) })
    }

    fn complaint(&self) -> Complaint {
        let text = self.text();
        Complaint { code: true_code(self.code(), &text), text, fatal: self.is_fatal() }
    }

    fn is_fatal(&self) -> bool {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_error_is_fatal(self.as_ptr()) != 0 }
    }

    fn as_ptr(&self) -> *mut rd::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours and used no more.
        unsafe { rd::rd_kafka_event_destroy(self.as_ptr()) }
    }
}

/// A configuration that is not yet a client.
struct Conf(NonNull<rd::rd_kafka_conf_t>);

impl Conf {
    fn new() -> Conf {
        // SAFETY: no argument; it aborts rather than return null.
        let conf = unsafe { rd::rd_kafka_conf_new() };
        Conf(NonNull::new(conf).expect("librdkafka aborts when out of memory"))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let wrong = |why: &str| Error::Property { key: key.to_owned(), why: why.to_owned() };
        if key.contains('\0') {
            return Err(wrong("its name has a NUL"));
        }
        if value.contains('\0') {
            return Err(wrong("its value has a NUL"));
        }
        self.put(key, value).map_err(|rejected| match rejected {
            Rejected::Unknown(_) => Error::UnknownProperty { key: key.to_owned() },
            Rejected::Wrong(why) => wrong(&why),
        })
    }

    fn put(&mut self, key: &str, value: &str) -> Result<(), Rejected> {
        Rejected::unless_taken(key, value, |name, value, why, size| {
            // SAFETY: the configuration is alive; the texts end with NUL and are copied.
            unsafe { rd::rd_kafka_conf_set(self.0.as_ptr(), name, value, why, size) }
        })
    }

    fn log_to(&mut self, log: LogTo) {
        let callback = match log {
            LogTo::Nowhere => log_nowhere,
            LogTo::Stderr => log_to_stderr,
        };
        // SAFETY: both are plain functions that may be called from any thread at any time.
        unsafe { rd::rd_kafka_conf_set_log_cb(self.0.as_ptr(), Some(callback)) }
    }

    fn events(&mut self) {
        let events =
            rd::RD_KAFKA_EVENT_DR | rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_REBALANCE;
        // SAFETY: the configuration is alive.
        unsafe { rd::rd_kafka_conf_set_events(self.0.as_ptr(), events) }
    }

    fn start(self, kind: Kind) -> Result<Native, Error> {
        self.begin(kind).map_err(|why| Error::Start { why })
    }

    /// Makes it a client; what librdkafka says where it cannot be one.
    fn begin(mut self, kind: Kind) -> Result<Native, String> {
        let kind = match kind {
            Kind::Producer => {
                // Reports are counted: without those of success nobody would know of the end.
                self.put("delivery.report.only.error", "false").map_err(Rejected::text)?;
                rd::rd_kafka_type_t::RD_KAFKA_PRODUCER
            }
            Kind::Consumer => rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let mut why = [0 as c_char; TEXT_BYTES_MAX];
        let heard = Box::new(Heard::default());
        // SAFETY: the configuration is alive; the client lives in the same value as the box, which
        // is dropped after it.
        unsafe { heard.listen(self.0.as_ptr()) };
        // SAFETY: the configuration is alive and becomes the client's when a client is made;
        // the buffer is as long as we say.
        let client =
            unsafe { rd::rd_kafka_new(kind, self.0.as_ptr(), why.as_mut_ptr(), why.len()) };
        let Some(client) = NonNull::new(client) else {
            return Err(text_of(why.as_ptr()));
        };
        std::mem::forget(self);
        // SAFETY: the client is alive; the reference is given back in `Drop`.
        let main = unsafe { rd::rd_kafka_queue_get_main(client.as_ptr()) };
        let main = Queue(NonNull::new(main).expect("every client has a main queue"));
        Ok(Native { client, main, complaint: Mutex::new(None), wake: Mutex::new(None), heard })
    }
}

/// Why librdkafka did not take a property.
enum Rejected {
    Unknown(String),
    Wrong(String),
}

impl Rejected {
    fn text(self) -> String {
        let (Rejected::Unknown(text) | Rejected::Wrong(text)) = self;
        text
    }

    /// Calls `set` with a name, a value, and room for what is wrong with them.
    fn unless_taken<F>(key: &str, value: &str, set: F) -> Result<(), Rejected>
    where
        F: FnOnce(*const c_char, *const c_char, *mut c_char, usize) -> rd::rd_kafka_conf_res_t,
    {
        let text = |text: &str| CString::new(text).map_err(|_| Rejected::Wrong(text.to_owned()));
        let (key, value) = (text(key)?, text(value)?);
        let mut why = [0 as c_char; TEXT_BYTES_MAX];
        match set(key.as_ptr(), value.as_ptr(), why.as_mut_ptr(), why.len()) {
            rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
                Err(Rejected::Unknown(text_of(why.as_ptr())))
            }
            rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                Err(Rejected::Wrong(text_of(why.as_ptr())))
            }
        }
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: the configuration never became a client, so it is still ours.
        unsafe { rd::rd_kafka_conf_destroy(self.0.as_ptr()) }
    }
}

/// Whether librdkafka knows the property and takes the value.
pub fn check_property(key: &str, value: &str) -> Result<(), Error> {
    Conf::new().set(key, value)
}

/// librdkafka's own table of every property: its range, its default, what it does.
pub fn properties() -> String {
    let (mut text, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the stream is closed before its text is read, as open_memstream(3) wants it; the
    // text is as long as the size says, and comes from malloc.
    unsafe {
        let stream = plain::open_memstream(&raw mut text, &raw mut size);
        if stream.is_null() {
            return String::new();
        }
        rd::rd_kafka_conf_properties_show(stream.cast());
        plain::fclose(stream);
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), size);
        let table = String::from_utf8_lossy(bytes).into_owned();
        plain::free(text.cast());
        table
    }
}

/// A connection that broke in the middle of a login is reported as a login that was refused; only
/// the text has the true reason (rd_kafka_broker_handle_SaslHandshake in rdkafka_broker.c).
fn true_code(code: Code, text: &str) -> Code {
    let reasons = [Code::TRANSPORT, Code::TIMED_OUT];
    let reason = reasons.into_iter().find(|reason| text.contains(&code_text(reason.0)));
    reason.filter(|_| code == Code::AUTHENTICATION).unwrap_or(code)
}

/// What librdkafka says about a code, in words.
pub fn code_text(code: i32) -> String {
    // SAFETY: any integer is taken; the text is static, or a thread-local one for unknown codes.
    text_of(unsafe { plain::rd_kafka_err2str(code) })
}

/// Kafka's own name of a code, such as `MSG_SIZE_TOO_LARGE`.
pub fn code_name(code: i32) -> String {
    // SAFETY: as in `code_text`.
    text_of(unsafe { plain::rd_kafka_err2name(code) })
}

/// What librdkafka was built with, such as `ssl`, in its own order. GSSAPI, which this program is
/// built without, is left out: rdkafka_conf.c asks whether WITH_SASL_CYRUS is defined, and it is,
/// as 0.
pub fn features() -> Vec<String> {
    let conf = Conf::new();
    let (name, mut size) = (c"builtin.features", TEXT_BYTES_MAX);
    let mut value = [0 as c_char; TEXT_BYTES_MAX];
    // SAFETY: the configuration is alive, the name ends with NUL, and the buffer is as long as
    // the size says; what is written ends with NUL.
    let outcome = unsafe {
        rd::rd_kafka_conf_get(conf.0.as_ptr(), name.as_ptr(), value.as_mut_ptr(), &raw mut size)
    };
    assert!(outcome == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK, "every librdkafka has it");
    let features = text_of(value.as_ptr());
    features.split(',').filter(|name| *name != "sasl_gssapi").map(str::to_owned).collect()
}

/// librdkafka's version, such as `2.12.1`.
pub fn version() -> String {
    // SAFETY: no argument; the text is static.
    text_of(unsafe { rd::rd_kafka_version_str() })
}

/// Why librdkafka did not do what it was told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    pub code: Code,
    pub why: String,
    /// The same call may be made again.
    pub is_retriable: bool,
}

/// # Safety
/// The error must be null or ours to free.
unsafe fn told(error: *mut rd::rd_kafka_error_t) -> Result<(), Undone> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: it is the caller's promise.
    unsafe {
        let undone = Undone {
            code: Code(plain::rd_kafka_error_code(error)),
            why: text_of(rd::rd_kafka_error_string(error)),
            is_retriable: rd::rd_kafka_error_is_retriable(error) != 0,
        };
        rd::rd_kafka_error_destroy(error);
        Err(undone)
    }
}

fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: every caller passes a text of librdkafka's that ends with NUL and is alive.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn log_nowhere(
    client: *const rd::rd_kafka_t,
    _level: c_int,
    _facility: *const c_char,
    text: *const c_char,
) {
    // SAFETY: librdkafka passes a client that `start` made, or none, and a text.
    unsafe { heard::logged(client, text) }
}

unsafe extern "C" fn log_to_stderr(
    client: *const rd::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    text: *const c_char,
) {
    use std::io::Write;
    // SAFETY: as in `log_nowhere`.
    unsafe { heard::logged(client, text) };
    // A line that cannot be written is lost: a panic must not cross into C.
    let _ = writeln!(
        std::io::stderr(),
        "level={level} librdkafka={} {}",
        text_of(facility),
        text_of(text)
    );
}

/// Bytes for C: null where there is none, never null where there are, even when empty.
fn raw(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    match bytes {
        None => (ptr::null_mut(), 0),
        Some(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Code) {
        assert_eq!(true_code(Code::AUTHENTICATION, text), want, "{text}");
    }

    #[test]
    fn librdkafka_has_what_people_need_to_reach_their_clusters() {
        let features = features();
        let wanted = [
            "ssl",
            "sasl_plain",
            "sasl_scram",
            "sasl_oauthbearer",
            "oidc",
            "gzip",
            "snappy",
            "lz4",
            "zstd",
        ];
        let has = |name: &&&str| features.iter().any(|feature| feature == **name);
        let missing: Vec<&&str> = wanted.iter().filter(|name| !has(name)).collect();
        assert!(missing.is_empty(), "{missing:?} of {features:?}");
    }

    #[test]
    fn a_connection_that_broke_in_a_login_is_no_wrong_password() {
        let broke = "SASL PLAIN mechanism handshake failed: Local: Broker transport failure: \
                     broker's supported mechanisms: ";
        check(broke, Code::TRANSPORT);
        check("SASL authentication error: wrong password", Code::AUTHENTICATION);
        assert_eq!(true_code(Code::RESOLVE, broke), Code::RESOLVE);
    }
}
