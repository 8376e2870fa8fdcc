//! Listeners, connections and the orderly end of a broker.
//! Never knows: what a request means.

use tokio::sync::watch;

use super::{Options, Ready, StartError};

/// Who is connected. A connection to the door counts from the moment it knew the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// On the listeners without a password.
    pub clients: usize,
    /// On the door: leases and the clients that belong to them.
    pub guests: usize,
}

/// What the rest of the process may ask of a running server.
#[derive(Clone)]
pub struct ServerHandle {
    census: watch::Receiver<Census>,
    leave: watch::Sender<bool>,
}

impl ServerHandle {
    /// Changes whenever somebody connects or leaves.
    pub fn census(&self) -> watch::Receiver<Census> {
        self.census.clone()
    }

    /// Whether somebody asked the broker to leave: a signal, or Leave on the door.
    pub fn leave_asked(&self) -> watch::Receiver<bool> {
        self.leave.subscribe()
    }

    /// Ask it to leave.
    pub fn leave(&self) {
        self.leave.send_replace(true);
    }
}

/// Serves until it is told to leave.
pub(super) fn run(options: Options, on_ready: impl FnOnce(&Ready)) -> Result<(), StartError> {
    let _ = (options, on_ready);
    unimplemented!("lands with the connections")
}
