//! Answers to a socket, in the order of their requests; batches go from file to socket.
//! Never knows: what an answer means.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

use super::Owed;
use super::queue::Queue;
use crate::broker::api::{Pending, Reply};
use crate::broker::session::Guest;
use crate::broker::topic::Slice;
use crate::protocol::Part;

/// Answers up to here are sent together; a client that pipelines gets them in one packet.
const GATHER_BYTES: usize = 64 * 1024;

/// Below this a copy beside the header is cheaper than another system call.
const COPY_BYTES: usize = 16 * 1024;

/// Sends every answer. Returns when there are no more, or the client cannot take them.
pub async fn run(socket: OwnedWriteHalf, pending: &Queue<Owed>, guest: Arc<Guest>) {
    let mut writer = Writer { socket, gathered: Vec::new(), guest };
    // An error means that the client is gone, and with it whoever would want to know.
    let _ = writer.send_all(pending).await;
}

struct Writer {
    socket: OwnedWriteHalf,
    gathered: Vec<u8>,
    guest: Arc<Guest>,
}

impl Writer {
    async fn send_all(&mut self, pending: &Queue<Owed>) -> io::Result<()> {
        while let Some((next, _place)) = self.next(pending).await? {
            let reply = match next {
                Pending::Now(reply) => reply,
                Pending::Later(mut reply) => {
                    let ready = std::future::poll_fn(|cx| match reply.as_mut().poll(cx) {
                        Poll::Ready(reply) => Poll::Ready(Some(reply)),
                        Poll::Pending => Poll::Ready(None),
                    });
                    let reply = match ready.await {
                        Some(reply) => reply,
                        None => {
                            self.flush().await?;
                            reply.await
                        }
                    };
                    match reply {
                        Ok(reply) => reply,
                        Err(_) => return self.flush().await,
                    }
                }
            };
            self.send(reply).await?;
        }
        self.flush().await
    }

    /// The next answer; what was gathered goes out before waiting for it.
    async fn next(&mut self, pending: &Queue<Owed>) -> io::Result<Option<Owed>> {
        if let Some(next) = pending.pop() {
            return Ok(Some(next));
        }
        self.flush().await?;
        self.gathered = Vec::new();
        Ok(pending.next().await)
    }

    async fn send(&mut self, reply: Reply) -> io::Result<()> {
        let Reply { encoded, slices } = reply;
        let elsewhere: u64 = slices.iter().map(|slice| u64::from(slice.bytes)).sum();
        let bytes = encoded.bytes.len() as u64 + elsewhere;
        self.guest.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        let mut slices = slices.into_iter();
        for part in encoded.parts() {
            match part {
                Part::Bytes(bytes) => self.gathered.extend_from_slice(bytes),
                Part::Elsewhere(len) => {
                    let slice = slices.next().expect("a slice for each splice");
                    assert_eq!(slice.bytes as usize, len, "as long as was announced");
                    self.send_slice(slice).await?;
                }
            }
            if GATHER_BYTES <= self.gathered.len() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn send_slice(&mut self, slice: Slice) -> io::Result<()> {
        if slice.bytes as usize <= COPY_BYTES || cfg!(not(target_os = "linux")) {
            self.gathered.extend_from_slice(&slice.load()?);
            return Ok(());
        }
        self.flush().await?;
        self.send_file(slice).await
    }

    #[cfg(target_os = "linux")]
    async fn send_file(&mut self, slice: Slice) -> io::Result<()> {
        let (mut position, end) = (slice.position, slice.position + u64::from(slice.bytes));
        while position < end {
            self.socket.writable().await?;
            let left = usize::try_from(end - position).expect("a slice fits memory");
            let sent = self.socket.as_ref().try_io(tokio::io::Interest::WRITABLE, || {
                let socket = self.socket.as_ref().as_fd();
                let sent = rustix::fs::sendfile(socket, &*slice.file, Some(&mut position), left);
                sent.map_err(io::Error::from)
            });
            match sent {
                // The file is shorter than its log: nothing true can follow.
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn send_file(&mut self, slice: Slice) -> io::Result<()> {
        self.gathered.extend_from_slice(&slice.load()?);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.socket.write_all(&self.gathered).await?;
            self.gathered.clear();
        }
        Ok(())
    }
}
