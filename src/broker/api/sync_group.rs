//! SyncGroup (14) v0-5. v3: static members (KIP-345); v4: flexible; v5: the protocol's type and
//! name, which a member must name then (KIP-559).

use std::time::Duration;

use tokio::time::timeout;

use super::join_group::answer_or_leave;
use super::{Call, Outcome};
use crate::broker::group::membership::{Sync, Ticket};
use crate::protocol::ErrorCode;
use crate::protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};

const NAMES_PROTOCOL_FROM: i16 = 5;

/// How long a member waits to hear that it has to begin anew for nothing it did: librdkafka does so
/// in the same instant, thousands of times a second (rd_kafka_cgrp_unassign_done skips what holds
/// it back elsewhere).
const HELD: Duration = Duration::from_secs(1);

pub fn handle(call: &mut Call<'_>, request: SyncGroupRequest) -> Outcome<SyncGroupResponse> {
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if NAMES_PROTOCOL_FROM <= call.version && !names_protocol {
        return refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL).into();
    }
    if let Err(error_code) = super::group_id(&request.group_id) {
        return refused(error_code).into();
    }
    let assignments = request.assignments.into_iter();
    let sync = Sync {
        ticket: Ticket::default(),
        member_id: request.member_id,
        instance_id: request.instance_id,
        generation: request.generation,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: assignments.map(|one| (one.member_id, one.assignment)).collect(),
    };
    let answer = call.node.groups.sync(&request.group_id, sync);
    let mut leave = call.node.handle.leave_asked();
    Outcome::Later(Box::pin(async move {
        let answer = answer_or_leave(answer, leave.clone()).await;
        let answer = answer.unwrap_or_else(|| refused(ErrorCode::NOT_COORDINATOR));
        // The group cannot be written down, as on a full disk.
        if answer.error_code == ErrorCode::COORDINATOR_NOT_AVAILABLE {
            let _ = timeout(HELD, leave.wait_for(|leave| *leave)).await;
        }
        answer.into()
    }))
}

fn refused(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
}
