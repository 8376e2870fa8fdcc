//! One client's connection: a reader that executes requests, a writer that answers in their order.
//! Never knows: what a request means.

mod queue;
mod reader;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::api;
use super::node::Node;
use super::session::{Session, Standing};
use queue::Queue;
use reader::{Ended, Frames};

/// Answers that may wait to be sent before the reader stops reading.
const PENDING_MAX: u32 = 256;

/// The same in bytes: of answers that are ready, and of requests that are still to be answered.
const PENDING_BYTES_MAX: u32 = 32 << 20;

/// Each takes as much at least, so that one measure keeps both limits.
const PENDING_BYTES_MIN: u32 = PENDING_BYTES_MAX / PENDING_MAX;

/// How long a client at the door may take to show that it knows the secret.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// How long a client that stopped sending is given to take what it is owed.
const DRAIN: Duration = Duration::from_secs(2);

/// An answer, and its place among the bytes that may be pending.
type Owed = (api::Pending, OwnedSemaphorePermit);

/// Serves a client until it goes, errs, or the broker leaves.
pub async fn serve(
    node: Arc<Node>,
    stream: TcpStream,
    mut session: Session,
    mut closing: watch::Receiver<bool>,
) {
    // Answers are written whole: waiting for more only delays them.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let queue = Queue::new();
    let frames = Frames::new(read, session.idle_max);
    let mut writer = std::pin::pin!(writer::run(write, &queue, session.guest.clone()));
    // In this order: the writer looks for what the reader has left (`Queue`).
    let ended = tokio::select! {
        biased;
        _ = closing.wait_for(|closing| *closing) => Ended::Leaving,
        ended = execute(&node, frames, &mut session, &queue) => ended,
        () = &mut writer => return,
    };
    queue.close();
    ended.log(session.peer, &session);
    if !matches!(ended, Ended::Hostile(_)) {
        let _ = tokio::time::timeout(DRAIN, writer).await;
    }
}

/// Executes requests in the order they come, inline: an append costs less than handing it over.
async fn execute(
    node: &Arc<Node>,
    mut frames: Frames,
    session: &mut Session,
    queue: &Queue<Owed>,
) -> Ended {
    let room = Arc::new(Semaphore::new(PENDING_BYTES_MAX as usize));
    let introduced_by = tokio::time::Instant::now() + INTRODUCTION;
    loop {
        let next = match session.is_welcome() {
            true => frames.next(node.limits.request_bytes_max).await,
            false => {
                let next = frames.next(node.limits.stranger_bytes_max);
                let next = tokio::time::timeout_at(introduced_by, next).await;
                next.unwrap_or(Err(Ended::Stranger))
            }
        };
        let frame = match next {
            Ok(frame) => frame,
            Err(ended) => return ended,
        };
        let frame_bytes = frame.len();
        session.guest.bytes_in.fetch_add(4 + frame_bytes as u64, Ordering::Relaxed);
        match api::execute(node, session, frame) {
            Ok(Some(pending)) => {
                let bytes = match &pending {
                    api::Pending::Now(reply) => reply.encoded.bytes.len(),
                    api::Pending::Later(_) => frame_bytes,
                };
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                let bytes = bytes.clamp(PENDING_BYTES_MIN, PENDING_BYTES_MAX);
                let Ok(place) = room.clone().acquire_many_owned(bytes).await else {
                    return Ended::Gone;
                };
                queue.push((pending, place));
            }
            Ok(None) => {}
            Err(refusal) => return Ended::Refused(refusal),
        }
        if let Standing::Refused(why) = session.standing {
            return Ended::Unproven(why);
        }
        // Many requests may lie in the buffer already; their answers must not wait for the last.
        if frames.has_more() {
            tokio::task::yield_now().await;
        }
    }
}

impl Ended {
    fn log(&self, peer: SocketAddr, session: &Session) {
        let client = session.client();
        match self {
            Ended::Gone => tracing::debug!(%peer, client, "connection closed"),
            Ended::Leaving => tracing::debug!(%peer, client, "connection closed: broker leaves"),
            Ended::Stranger => {
                tracing::warn!(%peer, client, "connection closed: it did not authenticate in time");
            }
            Ended::Idle => tracing::info!(%peer, client, "connection closed: idle too long"),
            Ended::Unproven(why) => {
                tracing::warn!(%peer, client, %why, "connection closed: it did not authenticate");
            }
            Ended::Refused(why) => tracing::warn!(%peer, client, %why, "connection closed"),
            Ended::Hostile(why) => tracing::warn!(%peer, client, %why, "connection closed"),
        }
    }
}
