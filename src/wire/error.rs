//! Why a call to a broker came to nothing.
//! Never knows: who wanted it.

use std::fmt;
use std::io;

use super::scram::Unproven;
use crate::protocol::{ApiKey, DecodeError, EncodeError, ErrorCode};

#[derive(Debug)]
pub struct Error {
    pub address: String,
    pub trouble: Trouble,
}

#[derive(Debug)]
pub enum Trouble {
    /// Nobody let us in.
    Unreachable(io::Error),
    /// TLS came to nothing.
    Insecure(io::Error),
    /// The connection broke, or the other side closed it.
    Broken {
        calling: ApiKey,
        error: io::Error,
    },
    /// It cannot show that it knows the password itself.
    Unproven(Unproven),
    /// No answer by the deadline.
    Silent {
        calling: ApiKey,
    },
    /// What came is no answer of a broker.
    NotKafka(Stranger),
    Garbled {
        calling: ApiKey,
        error: DecodeError,
    },
    Unspeakable {
        calling: ApiKey,
        error: EncodeError,
    },
    /// The broker does not offer the API, or at no version that we speak.
    NotOffered {
        calling: ApiKey,
    },
    /// The broker answered, and it was no.
    Refused {
        calling: ApiKey,
        code: ErrorCode,
        message: Option<String>,
    },
}

/// Who speaks instead, by the first bytes of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    Http,
    Tls,
    Unknown,
}

impl Stranger {
    pub fn guess(start: [u8; 4]) -> Stranger {
        match start {
            [b'H', b'T', b'T', b'P'] => Stranger::Http,
            // A TLS record: an alert (21) or a handshake (22), version 3.x (RFC 8446, 5.1).
            [21 | 22, 3, ..=4, _] => Stranger::Tls,
            _ => Stranger::Unknown,
        }
    }
}

/// What a cluster says while it moves a partition, or has not heard of it yet (the retriable ones
/// of Errors.java).
const PASSING: [ErrorCode; 12] = [
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::REPLICA_NOT_AVAILABLE,
    ErrorCode::NETWORK_EXCEPTION,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::FENCED_LEADER_EPOCH,
    ErrorCode::UNKNOWN_LEADER_EPOCH,
    ErrorCode::OFFSET_NOT_AVAILABLE,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
];

impl Error {
    /// Whether the same question may get another answer soon, here or of another broker.
    pub fn is_passing(&self) -> bool {
        match &self.trouble {
            Trouble::Unreachable(_) | Trouble::Broken { .. } | Trouble::Silent { .. } => true,
            Trouble::Refused { code, .. } => PASSING.contains(code),
            _ => false,
        }
    }

    /// The log has no such offset, or no longer.
    pub fn is_out_of_range(&self) -> bool {
        matches!(&self.trouble, Trouble::Refused { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. })
    }

    /// The broker answered, and it was no.
    pub fn is_refusal(&self) -> bool {
        matches!(self.trouble, Trouble::Refused { .. })
    }

    /// The broker cannot use the files of a partition.
    pub fn is_of_disk(&self) -> bool {
        matches!(&self.trouble, Trouble::Refused { code: ErrorCode::KAFKA_STORAGE_ERROR, .. })
    }

    /// Somebody listens there, and says nothing.
    pub fn is_silence(&self) -> bool {
        matches!(self.trouble, Trouble::Silent { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        match &self.trouble {
            Trouble::Unreachable(error) => {
                let why = plain(error);
                write!(f, "cannot reach {address} ({why}); check that a broker listens there")
            }
            Trouble::Insecure(error) => {
                let why = plain(error);
                write!(f, "no TLS with {address} ({why}); check security.protocol and ssl.*")
            }
            Trouble::Broken { error, .. } if error.kind() == io::ErrorKind::UnexpectedEof => {
                write!(f, "{address} closed the connection; check the port, password and log")
            }
            Trouble::Broken { calling, error } => {
                let why = plain(error);
                write!(f, "lost the connection to {address} in {calling} ({why}); try again")
            }
            Trouble::Unproven(why) => write!(
                f,
                "{address} does not know the password ({why}); check what listens there, it may \
                 have taken a broker's port"
            ),
            Trouble::Silent { calling } => {
                write!(f, "{address} did not answer {calling} in time; check that it is a broker")
            }
            Trouble::NotKafka(stranger) => {
                let what = match stranger {
                    Stranger::Http => "HTTP",
                    Stranger::Tls => "TLS",
                    Stranger::Unknown => "something that is not Kafka",
                };
                write!(f, "{address} speaks {what}; check the port")
            }
            Trouble::Garbled { calling, error } => {
                write!(f, "{address} answered {calling} with what cannot be read ({error})")
            }
            Trouble::Unspeakable { calling, error } => {
                write!(f, "cannot ask {address} for {calling} ({error}); update the broker")
            }
            Trouble::NotOffered { calling } => {
                write!(f, "{address} does not offer {calling}; check which broker it is")
            }
            Trouble::Refused { calling, code, message: None } => {
                write!(f, "{address} refused {calling} ({code})")
            }
            Trouble::Refused { calling, code, message: Some(message) } => {
                write!(f, "{address} refused {calling} ({code}: {message})")
            }
        }
    }
}

impl std::error::Error for Error {}

/// The system's words for it without its number, which means nothing to people.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        _ => text.to_lowercase(),
    }
}
