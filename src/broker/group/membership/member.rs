//! One member of a group.
//! Never knows: the other members.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Answer, Ticket, duration};
use crate::protocol::join_group::JoinProtocol;
use crate::protocol::{ErrorCode, Text};

#[derive(Clone, Debug)]
pub struct Member {
    pub instance_id: Option<Text>,
    pub client_id: Text,
    /// As Java shows an address.
    pub client_host: Text,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    /// In the order of its preference, each name once.
    pub protocols: Vec<JoinProtocol>,
    pub assignment: Bytes,
    /// The request that waits for the generation.
    pub joining: Option<Ticket>,
    /// The request that waits for the assignment.
    pub syncing: Option<Ticket>,
    /// It has not been told its generation yet.
    pub is_new: bool,
    /// `None` while it waits for us longer than its session: it cannot be blamed.
    pub alive_until: Option<Instant>,
}

impl Member {
    pub fn session(&self) -> Duration {
        duration(self.session_timeout_ms)
    }

    /// What it says of itself for a protocol.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let named = self.protocols.iter().find(|known| Some(&*known.name) == protocol);
        named.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    /// New members may be gone before they ever heard of us; others wait as long as it takes.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}

/// Protocols as they are kept: copies, since a slice of a frame would keep all of it, and each
/// name once.
pub(super) fn kept(protocols: Vec<JoinProtocol>) -> Vec<JoinProtocol> {
    let mut kept: Vec<JoinProtocol> = Vec::with_capacity(protocols.len());
    for JoinProtocol { name, metadata } in protocols {
        if kept.iter().all(|known| known.name != name) {
            kept.push(JoinProtocol { name, metadata: Bytes::copy_from_slice(&metadata) });
        }
    }
    kept
}

/// A join that is answered with an error.
pub(super) fn join_refused(member_id: Text, error_code: ErrorCode) -> Answer {
    use crate::protocol::join_group::JoinGroupResponse;
    Answer::Joined(JoinGroupResponse { member_id, error_code, ..Default::default() })
}

pub(super) fn sync_refused(error_code: ErrorCode) -> Answer {
    use crate::protocol::sync_group::SyncGroupResponse;
    Answer::Synced(SyncGroupResponse { error_code, ..Default::default() })
}
