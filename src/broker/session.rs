//! What is known of a connected client.
//! Never knows: sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::auth::{Exchange, Failure};
use crate::record::Timestamp;

/// How much of what a client says of itself goes into a log line.
const SAID_CHARS_MAX: usize = 100;

/// The listener that a client came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The n-th of the listeners without a password.
    Public(usize),
    /// The automatic listener.
    Door,
}

/// How far a client has come on the door.
pub enum Standing {
    /// Nothing is asked of it, or it is known.
    Welcome,
    /// It has said nothing of a mechanism.
    Stranger,
    /// It named a mechanism; what it sends now are tokens.
    Proving(Exchange, Tokens),
    /// It is shown out when it has got its answer.
    Refused(Failure),
}

/// How tokens travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// As frames, after handshake 0.
    Bare,
    /// In SaslAuthenticate (KIP-152).
    Wrapped,
}

/// One client's state between its requests.
pub struct Session {
    pub peer: SocketAddr,
    /// The address the client reached us at.
    pub local: SocketAddr,
    pub entrance: Entrance,
    pub standing: Standing,
    pub idle_max: Option<Duration>,
    /// What others may see of it.
    pub guest: Arc<Guest>,
    /// From the last request's header.
    pub client_id: String,
    /// Told when a client on the door has shown that it knows the secret.
    pub welcomed: Option<Box<dyn FnOnce() + Send>>,
}

impl Session {
    /// Who it says it is, for log lines.
    pub fn client(&self) -> String {
        // It may say anything, also what a terminal takes for a command.
        let id = self.client_id.chars().take(SAID_CHARS_MAX).flat_map(char::escape_debug);
        let told = self.guest.told();
        let software: String = told.software.chars().take(SAID_CHARS_MAX).collect();
        match software.as_str() {
            "" => id.collect(),
            software => format!("{} ({software})", id.collect::<String>()),
        }
    }

    /// Takes the client id of a request's header, which hardly ever changes.
    pub fn hear(&mut self, client_id: &str) {
        self.guest.requests.fetch_add(1, Ordering::Relaxed);
        if self.client_id != client_id {
            client_id.clone_into(&mut self.client_id);
            client_id.clone_into(&mut self.guest.lock().client_id);
        }
    }

    pub fn is_welcome(&self) -> bool {
        matches!(self.standing, Standing::Welcome)
    }

    /// The client is known.
    pub fn welcome(&mut self) {
        self.standing = Standing::Welcome;
        if let Some(welcomed) = self.welcomed.take() {
            welcomed();
        }
    }
}

/// What a client has told of itself.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub client_id: String,
    /// From ApiVersions (KIP-511), such as `librdkafka 2.12.1`.
    pub software: String,
}

/// A connection as status shows it.
pub struct Guest {
    pub peer: SocketAddr,
    pub listener: &'static str,
    pub connected_at: Timestamp,
    told: Mutex<Told>,
    requests: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
}

impl Guest {
    pub fn new(peer: SocketAddr, entrance: Entrance, connected_at: Timestamp) -> Guest {
        let listener = match entrance {
            Entrance::Public(_) => "PLAINTEXT",
            Entrance::Door => "DOOR",
        };
        let (requests, bytes_in, bytes_out) = Default::default();
        Guest {
            peer,
            listener,
            connected_at,
            told: Mutex::default(),
            requests,
            bytes_in,
            bytes_out,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn told(&self) -> Told {
        self.lock().clone()
    }

    pub fn runs(&self, software: String) {
        self.lock().software = software;
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Everyone who is connected.
#[derive(Default)]
pub struct Guests {
    all: Mutex<BTreeMap<SocketAddr, Arc<Guest>>>,
}

impl Guests {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Arc<Guest>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn enter(&self, guest: Arc<Guest>) {
        self.lock().insert(guest.peer, guest);
    }

    pub fn leave(&self, guest: &Arc<Guest>) {
        let mut all = self.lock();
        // The same address may have been given to the next one already.
        if all.get(&guest.peer).is_some_and(|there| Arc::ptr_eq(there, guest)) {
            all.remove(&guest.peer);
        }
    }

    pub fn all(&self) -> Vec<Arc<Guest>> {
        self.lock().values().cloned().collect()
    }
}
