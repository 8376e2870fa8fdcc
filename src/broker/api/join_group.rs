//! JoinGroup (11) v0-9. v1: rebalance timeouts; v4: an id first (KIP-394); v5: static members
//! (KIP-345); v6: flexible; v7: the protocol's type; v8: reasons (KIP-800); v9: SkipAssignment
//! (KIP-814). Left out: members of KIP-848's groups, which are not served.

use std::net::IpAddr;

use tokio::sync::{oneshot, watch};

use super::{Call, Outcome};
use crate::broker::group::membership::{Join, Ticket};
use crate::broker::home::random_bytes;
use crate::protocol::join_group::{JoinGroupRequest, JoinGroupResponse};
use crate::protocol::{ErrorCode, Text};

/// From here on a client comes back with the id that it is given.
const TAKES_ID_FROM: i16 = 4;
const NULL_PROTOCOL_FROM: i16 = 7;
const CAN_SKIP_FROM: i16 = 9;

pub fn handle(call: &mut Call<'_>, request: JoinGroupRequest) -> Outcome<JoinGroupResponse> {
    let groups = &call.node.groups;
    let checked = super::group_id(&request.group_id)
        .and_then(|()| groups.rules.check_session(request.session_timeout_ms));
    if let Err(error_code) = checked {
        return sayable(call.version, refused(request.member_id, error_code)).into();
    }
    let (group_id, member_id) = (request.group_id.clone(), request.member_id.clone());
    if let Some(reason) = &request.reason {
        tracing::debug!(group = ?group_id, member = ?member_id, ?reason, "joins");
    }
    let mut answer = groups.join(&group_id, join(call, request));
    if let Ok(answer) = answer.try_recv() {
        return sayable(call.version, answer).into();
    }
    let (version, leave) = (call.version, call.node.handle.leave_asked());
    Outcome::Later(Box::pin(async move {
        let answer = answer_or_leave(answer, leave).await;
        let gone = || refused(member_id, ErrorCode::NOT_COORDINATOR);
        sayable(version, answer.unwrap_or_else(gone)).into()
    }))
}

fn join(call: &Call<'_>, request: JoinGroupRequest) -> Join {
    let client_id: Text = call.session.client_id.as_str().into();
    let prefix = request.instance_id.as_ref().unwrap_or(&client_id);
    Join {
        ticket: Ticket::default(),
        fresh_id: format!("{prefix}-{}", uuid(random_bytes())).into(),
        member_id: request.member_id,
        instance_id: request.instance_id,
        client_host: java_address(call.session.peer.ip()).into(),
        client_id,
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: match call.version {
            0 => request.session_timeout_ms,
            _ => request.rebalance_timeout_ms,
        },
        protocol_type: request.protocol_type,
        protocols: request.protocols,
        takes_id: TAKES_ID_FROM <= call.version,
        can_skip: CAN_SKIP_FROM <= call.version,
    }
}

fn refused(member_id: Text, error_code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { member_id, error_code, ..JoinGroupResponse::default() }
}

/// Older versions know no null.
fn sayable(version: i16, mut answer: JoinGroupResponse) -> JoinGroupResponse {
    if version < NULL_PROTOCOL_FROM {
        answer.protocol_name.get_or_insert_default();
    }
    answer
}

/// The answer that a member waits for, or none where the broker leaves before there is one.
pub(super) async fn answer_or_leave<T>(
    answer: oneshot::Receiver<T>,
    mut leave: watch::Receiver<bool>,
) -> Option<T> {
    tokio::select! {
        answer = answer => answer.ok(),
        _ = leave.wait_for(|leave| *leave) => None,
    }
}

/// As java.util.UUID shows a random one.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = format!("{:032x}", u128::from_be_bytes(bytes));
    [20, 16, 12, 8].into_iter().for_each(|at| text.insert(at, '-'));
    text
}

/// As java.net.InetAddress shows an address without a name: tools print it.
fn java_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            format!("/{}", groups.join(":"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_addresses_look_as_javas() {
        let id = uuid([0xff; 16]);
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let check = |address: &str, want: &str| {
            assert_eq!(java_address(address.parse().unwrap()), want);
        };
        check("127.0.0.1", "/127.0.0.1");
        check("::ffff:10.0.0.7", "/10.0.0.7");
        check("::1", "/0:0:0:0:0:0:0:1");
    }
}
