//! Bytes from a socket to frames: four bytes of length, then as many bytes.
//! Never knows: what is in a frame.

use std::fmt;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

use crate::broker::api::Refusal;
use crate::broker::auth::Failure;

/// What a read asks for at least, so that pipelined requests come in few reads.
const READ_BYTES: usize = 8 * 1024;

/// Up to here an announced length is believed and given room for at once; beyond it room grows
/// with what has really come.
const BELIEVED_BYTES: usize = 2 * 1024 * 1024;

/// Why a connection ended.
pub enum Ended {
    /// The client closed it, or the network did.
    Gone,
    /// The broker leaves.
    Leaving,
    Idle,
    /// It was asked for a password and did not give it.
    Stranger,
    /// It could not show who it is.
    Unproven(Failure),
    /// A request that cannot be answered.
    Refused(Refusal),
    /// Not Kafka's protocol.
    Hostile(Hostile),
}

/// What came instead of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Hostile {
    Http,
    Tls,
    Length { announced: i32, bytes_max: usize },
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hostile::Http => f.write_str("it speaks HTTP; this port speaks Kafka's protocol"),
            Hostile::Tls => {
                f.write_str("it speaks TLS; this port does not (use security.protocol=PLAINTEXT)")
            }
            Hostile::Length { announced, bytes_max } => write!(
                f,
                "a request announces {announced} bytes where {bytes_max} are allowed \
                 (socket.request.max.bytes, or sasl.server.max.receive.size)"
            ),
        }
    }
}

/// The requests of one connection.
pub struct Frames {
    socket: OwnedReadHalf,
    buffer: BytesMut,
    idle_max: Option<Duration>,
    /// Whether a whole frame came before: then a strange length is no other protocol's.
    spoke: bool,
}

impl Frames {
    pub fn new(socket: OwnedReadHalf, idle_max: Option<Duration>) -> Frames {
        Frames { socket, buffer: BytesMut::new(), idle_max, spoke: false }
    }

    /// Whether the next frame, or its beginning, is here already.
    pub fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame, without its length, which may be up to `bytes_max`.
    pub async fn next(&mut self, bytes_max: usize) -> Result<Bytes, Ended> {
        loop {
            let wanted = match self.announced(bytes_max)? {
                None => READ_BYTES,
                Some(size) if 4 + size <= self.buffer.len() => {
                    self.spoke = true;
                    self.buffer.advance(4);
                    return Ok(self.buffer.split_to(size).freeze());
                }
                Some(size) => 4 + size - self.buffer.len(),
            };
            let trusted = wanted.min(BELIEVED_BYTES.max(self.buffer.len()));
            self.buffer.reserve(trusted.max(READ_BYTES));
            self.fill().await?;
        }
    }

    /// The length of the frame at the front of the buffer, once it is there and can be true.
    fn announced(&self, bytes_max: usize) -> Result<Option<usize>, Ended> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        if !self.spoke
            && let Some(stranger) = stranger(head)
        {
            return Err(Ended::Hostile(stranger));
        }
        let announced = i32::from_be_bytes(*head);
        match usize::try_from(announced) {
            Ok(size) if size <= bytes_max => Ok(Some(size)),
            _ => Err(Ended::Hostile(Hostile::Length { announced, bytes_max })),
        }
    }

    async fn fill(&mut self) -> Result<(), Ended> {
        loop {
            // An idle connection holds no buffer: there may be thousands.
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
                self.wait().await?;
                self.buffer.reserve(READ_BYTES);
            }
            // It knows from a short read that there is no more, and does not ask the kernel again.
            let read = std::pin::pin!(self.socket.read_buf(&mut self.buffer));
            match poll_once(read).await {
                Poll::Ready(Ok(0) | Err(_)) => return Err(Ended::Gone),
                Poll::Ready(Ok(_)) => return Ok(()),
                Poll::Pending => self.wait().await?,
            }
        }
    }

    async fn wait(&self) -> Result<(), Ended> {
        let readable = self.socket.readable();
        let ready = match self.idle_max {
            None => readable.await,
            Some(idle_max) => match tokio::time::timeout(idle_max, readable).await {
                Ok(ready) => ready,
                Err(_) => return Err(Ended::Idle),
            },
        };
        ready.map_err(|_| Ended::Gone)
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// The protocols that people point at a Kafka port by mistake. As lengths, their first bytes ask
/// for a gigabyte, which explains nothing.
fn stranger(head: &[u8; 4]) -> Option<Hostile> {
    match head {
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"DELE" | b"OPTI" | b"PATC" | b"CONN" | b"PRI " => {
            Some(Hostile::Http)
        }
        [0x16, 0x03, ..] => Some(Hostile::Tls),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_told_apart() {
        assert_eq!(stranger(b"GET "), Some(Hostile::Http));
        assert_eq!(stranger(&[0x16, 0x03, 0x01, 0x02]), Some(Hostile::Tls));
        assert_eq!(stranger(&[0, 0, 0, 24]), None);
    }
}
