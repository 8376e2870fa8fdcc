//! Heartbeat (12) v0-4. v3: static members (KIP-345); v4: flexible.

use super::{Call, Outcome};
use crate::broker::group::membership::Moment;
use crate::protocol::ErrorCode;
use crate::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};

pub fn handle(call: &mut Call<'_>, request: HeartbeatRequest) -> Outcome<HeartbeatResponse> {
    let heard = super::group_id(&request.group_id).and_then(|()| {
        let heard = call.node.groups.with(&request.group_id, |group, _| {
            group.membership.heartbeat(
                Moment::now(),
                &request.member_id,
                request.instance_id.as_deref(),
                request.generation,
            )
        });
        heard.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
    });
    let error_code = heard.err().unwrap_or(ErrorCode::NONE);
    HeartbeatResponse { error_code, ..HeartbeatResponse::default() }.into()
}
