//! One client's connection: a reader that executes requests, a writer that answers in their order.
//! Never knows: what a request means.

mod reader;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::api;
use super::node::Node;
use super::session::Session;
use reader::{Ended, Frames};

/// Answers that may wait to be sent before the reader stops reading.
const PENDING_MAX: usize = 256;

/// How long a client that stopped sending is given to take what it is owed.
const DRAIN: Duration = Duration::from_secs(2);

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
    let (queue, pending) = mpsc::channel(PENDING_MAX);
    let frames = Frames::new(read, node.limits.request_bytes_max, session.idle_max);
    let mut writer = std::pin::pin!(writer::run(write, pending));
    let ended = tokio::select! {
        ended = execute(&node, frames, &mut session, queue) => ended,
        _ = closing.wait_for(|closing| *closing) => Ended::Leaving,
        () = &mut writer => return,
    };
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
    queue: mpsc::Sender<api::Pending>,
) -> Ended {
    loop {
        let frame = match frames.next().await {
            Ok(frame) => frame,
            Err(ended) => return ended,
        };
        match api::execute(node, session, frame) {
            Ok(Some(pending)) => {
                if queue.send(pending).await.is_err() {
                    return Ended::Gone;
                }
            }
            Ok(None) => {}
            Err(refusal) => return Ended::Refused(refusal),
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
            Ended::Idle => tracing::info!(%peer, client, "connection closed: idle too long"),
            Ended::Refused(why) => tracing::warn!(%peer, client, %why, "connection closed"),
            Ended::Hostile(why) => tracing::warn!(%peer, client, %why, "connection closed"),
        }
    }
}
