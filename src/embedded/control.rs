//! The control connection: authenticated at the directory's door, alone offered the private APIs.
//! Never knows: how long it is held, or why.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use crate::broker::home::{Notice, USER};

pub struct Control {
    connection: std::net::TcpStream,
}

/// Why the door stayed closed.
#[derive(Debug)]
pub struct Closed(String);

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Control {
    /// Comes in, or says why not by the deadline.
    pub fn open(notice: &Notice, deadline: Instant) -> Result<Control, Closed> {
        let _ = (notice, deadline, USER);
        unimplemented!("until the wire client lands")
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
