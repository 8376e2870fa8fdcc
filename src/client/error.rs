//! What Kafka or librdkafka refused, in words a user can act on.

use std::fmt;
use std::path::{Path, PathBuf};

use rdkafka_sys::rd_kafka_resp_err_t as resp;

use super::span::Edges;
use super::sys::{self, Complaint};
use crate::record::{Offset, PartitionId};

/// An error code of Kafka (positive) or of librdkafka itself (negative).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub i32);

macro_rules! codes {
    ($($name:ident = $of:ident,)*) => {
        impl Code {
            $(pub const $name: Code = Code(resp::$of as i32);)*
        }
    };
}

codes! {
    NONE = RD_KAFKA_RESP_ERR_NO_ERROR,
    QUEUE_FULL = RD_KAFKA_RESP_ERR__QUEUE_FULL,
    TRANSPORT = RD_KAFKA_RESP_ERR__TRANSPORT,
    RESOLVE = RD_KAFKA_RESP_ERR__RESOLVE,
    ALL_BROKERS_DOWN = RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
    AUTHENTICATION = RD_KAFKA_RESP_ERR__AUTHENTICATION,
    SSL = RD_KAFKA_RESP_ERR__SSL,
    TIMED_OUT = RD_KAFKA_RESP_ERR__TIMED_OUT,
    MSG_TIMED_OUT = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
    UNKNOWN_TOPIC = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
    UNKNOWN_PARTITION = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    PARTITION_EOF = RD_KAFKA_RESP_ERR__PARTITION_EOF,
    AUTO_OFFSET_RESET = RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET,
    INVALID_ARGUMENT = RD_KAFKA_RESP_ERR__INVALID_ARG,
    LEADER_NOT_AVAILABLE = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    NOT_LEADER = RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    REPLICA_NOT_AVAILABLE = RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    FENCED_LEADER_EPOCH = RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    UNKNOWN_LEADER_EPOCH = RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    OFFSET_NOT_AVAILABLE = RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
    COORDINATOR_LOADING = RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    COORDINATOR_NOT_AVAILABLE = RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    NOT_COORDINATOR = RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    NO_ENTRY = RD_KAFKA_RESP_ERR__NOENT,
    REQUEST_TIMED_OUT = RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    OFFSET_OUT_OF_RANGE = RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
    PURGE_QUEUE = RD_KAFKA_RESP_ERR__PURGE_QUEUE,
    PURGE_INFLIGHT = RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
    UNKNOWN_TOPIC_OR_PART = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    MSG_SIZE_TOO_LARGE = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    RECORD_LIST_TOO_LARGE = RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
    TOPIC_AUTHORIZATION_FAILED = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    INVALID_DIFFERENT_RECORD = RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD,
    INVALID_RECORD = RD_KAFKA_RESP_ERR_INVALID_RECORD,
    INVALID_TIMESTAMP = RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    INVALID_TOPIC = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    ASSIGN_PARTITIONS = RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS,
    NO_OFFSET = RD_KAFKA_RESP_ERR__NO_OFFSET,
    UNKNOWN_GROUP = RD_KAFKA_RESP_ERR__UNKNOWN_GROUP,
    INVALID_CONFIG = RD_KAFKA_RESP_ERR_INVALID_CONFIG,
    INVALID_GROUP = RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
    NON_EMPTY_GROUP = RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP,
    UNKNOWN_MEMBER = RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    NO_GROUP = RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,
    TOPIC_ALREADY_EXISTS = RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
    BAD_MESSAGE = RD_KAFKA_RESP_ERR__BAD_MSG,
    BAD_COMPRESSION = RD_KAFKA_RESP_ERR__BAD_COMPRESSION,
    CORRUPT_MESSAGE = RD_KAFKA_RESP_ERR_INVALID_MSG,
    STORAGE_ERROR = RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    UNKNOWN = RD_KAFKA_RESP_ERR_UNKNOWN,
}

impl Code {
    /// Whether a broker may mean another record of the same batch.
    pub fn is_about_a_batch(self) -> bool {
        matches!(
            self,
            Code::MSG_SIZE_TOO_LARGE
                | Code::RECORD_LIST_TOO_LARGE
                | Code::INVALID_RECORD
                | Code::INVALID_TIMESTAMP
                | Code::INVALID_DIFFERENT_RECORD
        )
    }

    /// Whether who is asked leads the partition no more or not yet, or knows too little for now:
    /// what the one who leads it then may answer (Errors.java, RetriableException).
    pub fn is_about_the_leader(self) -> bool {
        matches!(
            self,
            Code::UNKNOWN_TOPIC_OR_PART
                | Code::LEADER_NOT_AVAILABLE
                | Code::NOT_LEADER
                | Code::REPLICA_NOT_AVAILABLE
                | Code::STORAGE_ERROR
                | Code::FENCED_LEADER_EPOCH
                | Code::UNKNOWN_LEADER_EPOCH
                | Code::OFFSET_NOT_AVAILABLE
        )
    }

    /// Whether a group has no coordinator yet, or not the one who was asked.
    pub fn is_about_the_coordinator(self) -> bool {
        matches!(
            self,
            Code::COORDINATOR_LOADING | Code::COORDINATOR_NOT_AVAILABLE | Code::NOT_COORDINATOR
        )
    }

    /// Whether a batch is not what was written.
    pub fn is_about_damage(self) -> bool {
        matches!(self, Code::BAD_MESSAGE | Code::BAD_COMPRESSION | Code::CORRUPT_MESSAGE)
    }

    /// Whether a broker means the size of a batch.
    pub fn is_about_size(self) -> bool {
        matches!(self, Code::MSG_SIZE_TOO_LARGE | Code::RECORD_LIST_TOO_LARGE)
    }

    /// Kafka's own name, such as `MSG_SIZE_TOO_LARGE`.
    pub fn name(self) -> String {
        sys::code_name(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sys::code_text(self.0))
    }
}

/// Why a client could not be made, or what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// librdkafka has no such property.
    UnknownProperty { key: String },
    /// librdkafka does not take this value.
    Property { key: String, why: String },
    /// The properties do not go together.
    Start { why: String },
    /// Not a name that a topic can have.
    Topic { name: String },
    /// No broker answered in time, and what was heard last.
    Unreachable { brokers: String, why: String },
    /// A broker answered and let nobody in.
    Denied { brokers: String, why: String },
    /// There is no TLS with it, and there will be none.
    Untrusted { brokers: String, why: String },
    /// Who gives tokens for a login gave none.
    NoToken { why: String },
    /// Kafka said no. `what` says to which request, with the user's names.
    Refused { what: String, code: Code },
    /// A broker cannot use the files of a partition. Why that is, is in its log.
    Disk { what: String, log: Option<PathBuf> },
    /// What came of a partition is not what was written; the broker's log, if that is known.
    Damaged { what: String, why: String, log: Option<PathBuf> },
    /// No broker serves this partition, whatever else it serves.
    Unserved { what: String, why: String },
    /// Kafka said no in words of its own.
    Said { what: String, why: String },
    NoTopic {
        name: String,
        /// Where another was probably meant: words that say so.
        similar: String,
    },
    /// The topic was deleted, and perhaps made anew, while it was read.
    Gone { name: String },
    /// No topic has such a name.
    NoMatch { pattern: String },
    /// The topic has only so many partitions.
    NoPartition { topic: String, partition: PartitionId, count: usize },
    /// The log has no such offset: too old, or not there yet.
    NoOffset { topic: String, partition: PartitionId, offset: Offset, edges: Edges },
}

impl Error {
    /// What a broker said of one partition alone: others may be well.
    pub fn of_one_partition(&self) -> Option<String> {
        match self {
            Error::Disk { log, .. } => Some(unusable(log.as_deref())),
            Error::Unserved { why, .. } => Some(why.clone()),
            _ => None,
        }
    }

    /// What can only end a command among the things that librdkafka complains about.
    pub fn final_of(brokers: &str, complaint: &Complaint) -> Option<Error> {
        let (brokers, why) = (brokers.to_owned(), cause(&complaint.text));
        match complaint.code {
            Code::AUTHENTICATION => Some(match complaint.text.split_once(NO_TOKEN) {
                Some((_, why)) => Error::NoToken { why: plain_end(why).to_owned() },
                None => Error::Denied { brokers, why },
            }),
            _ if is_known_tls(&why) => Some(Error::Untrusted { brokers, why }),
            _ if complaint.fatal => Some(Error::Denied { brokers, why }),
            _ => None,
        }
    }

    /// Whether what was typed is wrong, so that trying again cannot help.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Error::UnknownProperty { .. }
                | Error::Property { .. }
                | Error::Start { .. }
                | Error::Topic { .. }
        )
    }
}

/// What to do where nobody answered.
fn remedy(why: &str) -> &'static str {
    match why {
        // What was sent is not what is spoken there.
        why if BROKEN.contains(&why) => "; it may want TLS or a login, see security.protocol",
        // The cause says already what to do.
        why if why.contains("security.protocol") => "",
        // Something may be there that takes connections and waits for words of its own, as HTTP.
        NO_ANSWER => "; check that a Kafka broker is at that address",
        _ => "; start one with `kaw broker` or pass -b HOST:PORT",
    }
}

/// Why nobody was reached, where nothing was heard at all.
pub const NO_ANSWER: &str = "no answer";

/// How the system says that the other side hung up.
const BROKEN: [&str; 2] = ["broken pipe", "connection reset by peer"];

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownProperty { key } => {
                let like = super::config::nearest(key);
                let but = like.map_or(String::new(), |like| format!(", but '{like}'"));
                write!(f, "librdkafka has no property '{key}'{but}; `kaw -X list` prints them all")
            }
            Error::Property { key, why } => write!(f, "property '{key}': {}", plain_end(why)),
            Error::Start { why } => write!(f, "these properties do not work: {}", plain_end(why)),
            Error::Topic { name } => write!(
                f,
                "'{name}' cannot be a topic's name; use up to 249 letters, digits, '.', '_', '-'"
            ),
            Error::Unreachable { brokers, why } => {
                write!(f, "cannot reach {brokers} ({why}){}", remedy(why))
            }
            Error::Denied { brokers, why } => write!(
                f,
                "{brokers} refused the login ({why}); check security.protocol and sasl.* with -X"
            ),
            Error::Untrusted { brokers, why } => write!(f, "no TLS with {brokers}: {why}"),
            Error::NoToken { why } => write!(
                f,
                "there is no token for the login ({why}); \
                 check sasl.oauthbearer.token.endpoint.url and the client's id and secret"
            ),
            Error::Refused { what, code } => write!(f, "{what}: {}", plain_end(&code.to_string())),
            Error::Disk { what, log } => write!(f, "{what}: {}", unusable(log.as_deref())),
            Error::Said { what, why } | Error::Unserved { what, why } => {
                write!(f, "{what}: {}", plain_end(why))
            }
            Error::Damaged { what, why, log } => {
                write!(f, "{what}: {}; {}", plain_end(why), mending(log.as_deref()))
            }
            Error::NoTopic { name, .. } if name == CATALOGUE => write!(
                f,
                "'{name}' is where brokers keep which topics there are, and none serves it; \
                 `kaw log dump --records` reads {name}-0 of a broker's data directory"
            ),
            Error::NoTopic { name, similar } => write!(
                f,
                "topic '{name}' does not exist{similar}; create it with `kaw topic create {name}`"
            ),
            Error::Gone { name } => write!(
                f,
                "topic '{name}' was deleted while it was read; read it again from its start"
            ),
            Error::NoMatch { pattern } => {
                write!(f, "no topic matches '{pattern}'; `kaw topic list` shows all")
            }
            Error::NoPartition { topic, partition, count: 1 } => {
                write!(f, "{topic} has partition 0 alone; there is no partition {partition}")
            }
            Error::NoPartition { topic, partition, count } => write!(
                f,
                "{topic} has {count} partitions, numbered from 0; there is no partition {partition}"
            ),
            Error::NoOffset { topic, partition, offset, edges: Edges { start, end } } => {
                let (place, last) = (format!("{topic}-{partition}"), start.max(end));
                if offset < start {
                    write!(f, "offset {offset} of {place} is gone; its log starts at {start}")?;
                } else {
                    write!(f, "{place} has no offset {offset}; its log ends at {last}")?;
                }
                f.write_str("; choose start, end or an offset between them")
            }
        }
    }
}

impl std::error::Error for Error {}

fn unusable(log: Option<&Path>) -> String {
    let log = log.map_or("the broker's log".into(), Path::to_string_lossy);
    format!("the broker cannot use the files of it; {log} says why")
}

/// What finds damage, and what is done about it.
fn mending(log: Option<&Path>) -> String {
    let place = match log.and_then(Path::parent) {
        Some(data) => data.display().to_string(),
        None => "of the broker's data directory".to_owned(),
    };
    format!(
        "`kaw log verify` {place} names the file, and after the broker's stop `kaw log repair` \
         takes the damage out of it"
    )
}

const CATALOGUE: &str = "__cluster_metadata";

/// librdkafka ends some texts with a full stop, ours have none.
fn plain_end(text: &str) -> &str {
    text.trim_end_matches(['.', '\n', ' '])
}

/// How librdkafka begins when the login's token could not be had (rdkafka_sasl_oauthbearer.c).
const NO_TOKEN: &str = "Failed to acquire SASL OAUTHBEARER token: ";

/// What OpenSSL and librdkafka say about a handshake, and what it means.
const TLS: [(&str, &str); 8] = [
    ("PLAINTEXT broker listener?", "it hangs up on TLS; see security.protocol"),
    ("SSL connection closed by peer", "it hangs up on TLS; see security.protocol"),
    ("wrong version number", NOT_TLS),
    ("unexpected message", NOT_TLS),
    ("packet length too long", NOT_TLS),
    ("alert bad certificate", NO_CERTIFICATE),
    ("alert certificate required", NO_CERTIFICATE),
    ("SASL state: broker's supported mechanisms", "it knows no SASL here; see security.protocol"),
];
const NOT_TLS: &str = "its answer is not TLS; see security.protocol";
const NO_CERTIFICATE: &str = "it takes no client without a certificate that it trusts; set \
     ssl.keystore.location, or ssl.certificate.location and ssl.key.location";

/// Whether it was said why there is no TLS, here or where certificates are looked at.
fn is_known_tls(why: &str) -> bool {
    why.starts_with("its certificate") || why == NOT_TLS || why == NO_CERTIFICATE
}

/// The cause in a complaint of librdkafka's about a broker, without what it adds about itself:
/// `sasl_ssl://h:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after
/// 0ms in state CONNECT)` → `connection refused`.
pub fn cause(text: &str) -> String {
    let text = text.trim();
    let text = text.split_once(": ").filter(|(broker, _)| is_broker(broker)).map_or(text, |t| t.1);
    let text = text.split(" (after ").next().unwrap_or(text);
    if is_known_tls(text) {
        return text.to_owned();
    }
    let text = text.rsplit_once(" failed: ").map_or(text, |(_, cause)| cause);
    if let Some((_, cause)) = TLS.iter().find(|(said, _)| text.contains(said)) {
        return (*cause).to_owned();
    }
    // Where it can only guess, so do we.
    if text.starts_with("Disconnected") && text.contains("security.protocol") {
        return "it hangs up; it may want TLS or a login, see security.protocol".to_owned();
    }
    // Four bytes of HTTP or TLS, taken for a length.
    if text.starts_with("Invalid response size") {
        return "its answer is not Kafka's".to_owned();
    }
    // A broker may say anything, also what a terminal takes for a command.
    let text = text.replace(char::is_control, "?");
    let mut letters = plain_end(&text).chars();
    match letters.next() {
        // An abbreviation such as SASL stays as it is.
        Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        Some(first) => std::iter::once(first).chain(letters).collect(),
        None => String::new(),
    }
}

/// `host:9092/bootstrap`, `sasl_ssl://host:9092/1`.
fn is_broker(text: &str) -> bool {
    let (address, id) = text.rsplit_once('/').unwrap_or((text, ""));
    address.contains(':') && (id == "bootstrap" || id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Kafka's rules for a topic's name (Topic.java).
pub fn is_topic_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, want: &str) {
        assert_eq!(cause(said), want);
    }

    #[test]
    fn causes_are_said_without_librdkafkas_ado() {
        check(
            "localhost:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused \
             (after 0ms in state CONNECT, 1 identical error(s) suppressed)",
            "connection refused",
        );
        check(
            "sasl_plaintext://h:9092/bootstrap: SASL authentication error: Authentication failed \
             (after 3ms in state AUTH_REQ)",
            "SASL authentication error: Authentication failed",
        );
        check(
            "nohost:9092/bootstrap: Failed to resolve 'nohost:9092': Name or service not known",
            "failed to resolve 'nohost:9092': Name or service not known",
        );
        check(
            "10.0.0.1:80/bootstrap: Receive failed: Invalid response size 1213486160 \
             (0..100000000): increase receive.message.max.bytes",
            "its answer is not Kafka's",
        );
        check("SASL \u{1b}[2J\u{9b}2Jfailed", "SASL ?[2J?2Jfailed");
        check("1/1 brokers are down", "1/1 brokers are down");
        check(
            "ssl://h:9093/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by \
             peer: connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
            "it hangs up on TLS; see security.protocol",
        );
        check("ssl://h:9093/1: error:0A00010B:SSL routines::wrong version number", NOT_TLS);
        check("its certificate failed: x", "its certificate failed: x");
        check("", "");
    }

    #[test]
    fn what_no_patience_mends_ends_a_command() {
        let said = |code, text: &str| {
            let complaint = Complaint { code, text: text.to_owned(), fatal: false };
            Error::final_of("h:1", &complaint).map(|error| error.to_string()).unwrap_or_default()
        };
        let alert = "h:1/1: error:0A000412:SSL routines::ssl/tls alert bad certificate: 42";
        assert!(said(Code::TRANSPORT, alert).starts_with("no TLS with h:1: it takes no client"));
        let token = "Failed to acquire SASL OAUTHBEARER token: 401";
        assert!(
            said(Code::AUTHENTICATION, token).starts_with("there is no token for the login (401")
        );
        let login = "h:1/1: SASL authentication error: wrong password";
        assert!(said(Code::AUTHENTICATION, login).starts_with("h:1 refused the login ("));
        for passing in ["h:1/1: Connect to h failed: Connection refused", "Disconnected"] {
            assert_eq!(said(Code::TRANSPORT, passing), "");
        }
    }

    #[test]
    fn who_hangs_up_at_once_may_want_something_else() {
        for why in BROKEN {
            let error = Error::Unreachable { brokers: "h:1".into(), why: why.into() };
            assert!(error.to_string().contains("see security.protocol"), "{error}");
        }
    }

    #[test]
    fn topic_names_are_kafkas() {
        for name in ["t", "a.b_c-D9", &"x".repeat(249)] {
            assert!(is_topic_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "ü", "a/b", "a\0", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
    }

    #[test]
    fn codes_have_kafkas_names() {
        assert_eq!(Code::MSG_SIZE_TOO_LARGE.name(), "MSG_SIZE_TOO_LARGE");
    }
}
