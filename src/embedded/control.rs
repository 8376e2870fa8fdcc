//! The control connection: authenticated at the directory's door, alone offered the private APIs.
//! Never knows: how long it is held, or why.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use crate::broker::home::{self, Notice};
use crate::protocol::private::{LeaveRequest, StatusRequest, StatusResponse};
use crate::protocol::scram::Hash;
use crate::wire::{Connection, Error, Login};

/// How a control connection is called in a broker's list of its clients.
const CLIENT_ID: &str = "kaw";

const NONCE_BYTES: usize = 18;

pub struct Control {
    connection: Connection,
    deadline: Instant,
}

impl Control {
    /// Comes in, or says why not by the deadline, which holds for what is asked afterwards too.
    pub fn open(notice: &Notice, deadline: Instant) -> Result<Control, Error> {
        Control::at(notice.port, notice.secret.reveal(), deadline)
    }

    pub(super) fn at(port: u16, password: &str, deadline: Instant) -> Result<Control, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut connection = Connection::open(address, CLIENT_ID, deadline)?;
        let (user, nonce) = (home::user(port), home::random_word(NONCE_BYTES));
        let login = Login { user: &user, password, nonce: &nonce };
        connection.sasl_scram(Hash::Sha256, login, deadline)?;
        Ok(Control { connection, deadline })
    }

    pub fn status(&mut self) -> Result<StatusResponse, Error> {
        self.connection.call(&StatusRequest {}, self.deadline)
    }

    /// The broker has begun to leave; it has left when it gives up the lock of its directory.
    pub fn leave(&mut self, reason: &str) -> Result<(), Error> {
        let request = LeaveRequest { reason: reason.into() };
        self.connection.call(&request, self.deadline).map(|_| ())
    }
}

/// Readable when the broker has closed the connection.
impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
