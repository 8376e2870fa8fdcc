//! The bytes of a connection, plain or under TLS, up to a deadline or without waiting.
//! Never knows: what they mean.

use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use openssl::ssl::SslStream;

pub enum Stream {
    Plain(Timed),
    Tls(SslStream<Timed>),
}

impl Stream {
    /// Reads and writes from now on give up then.
    pub fn until(&mut self, deadline: Instant) {
        self.timed().deadline = Some(deadline);
    }

    /// Reads and writes from now on take what there is, and otherwise say `WouldBlock`.
    pub fn at_once(&mut self) -> io::Result<()> {
        let timed = self.timed();
        timed.deadline = None;
        timed.stream.set_nonblocking(true)
    }

    fn timed(&mut self) -> &mut Timed {
        match self {
            Stream::Plain(timed) => timed,
            Stream::Tls(tls) => tls.get_mut(),
        }
    }
}

/// Readable while no call is under way: the other side has closed the connection.
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Plain(timed) => timed.stream.as_fd(),
            Stream::Tls(tls) => tls.get_ref().stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(timed) => timed.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(timed) => timed.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Plain(timed) => timed.write_vectored(parts),
            Stream::Tls(tls) => {
                tls.write(parts.iter().find(|it| !it.is_empty()).map_or(&[], |it| it))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that gives up at the deadline, however slowly bytes trickle.
#[derive(Debug)]
pub struct Timed {
    stream: TcpStream,
    /// None: it never waits.
    deadline: Option<Instant>,
}

impl Timed {
    pub fn open(address: SocketAddr, deadline: Instant) -> io::Result<Timed> {
        let stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
        stream.set_nodelay(true)?;
        Ok(Timed { stream, deadline: Some(deadline) })
    }

    /// How long the socket may wait now.
    fn left(&self) -> io::Result<Option<Duration>> {
        self.deadline.map(left).transpose()
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.stream.set_read_timeout(Some(left))?;
        }
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.stream.set_write_timeout(Some(left))?;
        }
        self.stream.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.stream.set_write_timeout(Some(left))?;
        }
        self.stream.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
