//! FindCoordinator (10) v0-6. v1: kinds of keys; v3: flexible; v4: several keys (KIP-699); v6:
//! share groups (KIP-932). Left out: transactions and share groups, which have no coordinator here.

use super::{Call, Outcome};
use crate::protocol::ErrorCode;
use crate::protocol::Text;
use crate::protocol::find_coordinator::{
    Coordinator, CoordinatorKind, FindCoordinatorRequest, FindCoordinatorResponse,
};

const SEVERAL_FROM: i16 = 4;

pub fn handle(
    call: &mut Call<'_>,
    request: FindCoordinatorRequest,
) -> Outcome<FindCoordinatorResponse> {
    let find = |key: Text| find(call, request.kind, key);
    match call.version {
        SEVERAL_FROM.. => FindCoordinatorResponse {
            coordinators: request.keys.into_iter().map(find).collect(),
            ..FindCoordinatorResponse::default()
        },
        _ => {
            let found = find(request.key);
            FindCoordinatorResponse {
                error_code: found.error_code,
                error_message: found.error_message,
                node: found.node,
                host: found.host,
                port: found.port,
                ..FindCoordinatorResponse::default()
            }
        }
    }
    .into()
}

/// This broker looks after every group, from its first moment on: what Apache says while it makes
/// `__consumer_offsets` costs clients a second round. Of several nodes it is the one that leads the
/// group's partition of that.
fn find(call: &Call<'_>, kind: CoordinatorKind, key: Text) -> Coordinator {
    let refused = |error_code, why: &str| Coordinator {
        error_code,
        error_message: Some(why.into()),
        port: -1,
        ..Coordinator::default()
    };
    let found = match kind {
        CoordinatorKind::GROUP => {
            let id = call.node.coordinator(&key);
            let mut nodes = call.node.nodes(call.session);
            let (node, (host, port)) = nodes.find(|node| node.0 == id).expect("it is one of them");
            Coordinator { node: Some(node), host, port, ..Coordinator::default() }
        }
        // What lets clients give up at once; COORDINATOR_NOT_AVAILABLE would make them wait.
        CoordinatorKind::TRANSACTION => refused(
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "this broker has no transactions",
        ),
        CoordinatorKind::SHARE => {
            refused(ErrorCode::INVALID_REQUEST, "this broker has no share groups")
        }
        _ => refused(ErrorCode::INVALID_REQUEST, "there is no such kind of coordinator"),
    };
    Coordinator { key, ..found }
}
