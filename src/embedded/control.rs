//! The control connection: authenticated at the directory's door, alone offered the private APIs.
//! Never knows: how long it is held, or why.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use crate::broker::home::{Notice, USER};
use crate::protocol::private::{LeaveRequest, StatusRequest, StatusResponse};
use crate::wire::{Connection, Error};

/// How a control connection is called in a broker's list of its clients.
const CLIENT_ID: &str = "kaw";

pub struct Control {
    connection: Connection,
    deadline: Instant,
}

impl Control {
    /// Comes in, or says why not by the deadline, which holds for what is asked afterwards too.
    pub fn open(notice: &Notice, deadline: Instant) -> Result<Control, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, notice.port));
        let mut connection = Connection::open(address, CLIENT_ID, deadline)?;
        connection.sasl_plain(USER, notice.secret.reveal(), deadline)?;
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
