//! LeaveGroup (13) v0-5. v3: several at once, static members by their instance id (KIP-345);
//! v4: flexible; v5: reasons (KIP-800).

use super::{Call, Outcome};
use crate::broker::group::membership::{Leaver, Moment};
use crate::protocol::ErrorCode;
use crate::protocol::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, LeavingMember, LeftMember,
};

/// From here on each member has an error of its own.
const SEVERAL_FROM: i16 = 3;

pub fn handle(call: &mut Call<'_>, request: LeaveGroupRequest) -> Outcome<LeaveGroupResponse> {
    let members = match call.version {
        SEVERAL_FROM.. => request.members,
        _ => vec![LeavingMember { member_id: request.member_id, ..LeavingMember::default() }],
    };
    if let Err(error_code) = super::group_id(&request.group_id) {
        return LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }.into();
    }
    let groups = &call.node.groups;
    let left = groups.with(&request.group_id, |group, store| {
        let leavers = members.iter().map(|member| Leaver {
            member_id: &member.member_id,
            instance_id: member.instance_id.as_ref(),
        });
        let (left, actions) = group.membership.leave(Moment::now(), &groups.rules, leavers);
        groups.follow(&request.group_id, group, store, actions);
        left
    });
    let left = left.unwrap_or_else(|| vec![Err(ErrorCode::UNKNOWN_MEMBER_ID); members.len()]);
    let left: Vec<LeftMember> = members
        .into_iter()
        .zip(left)
        .map(|(member, left)| LeftMember {
            member_id: member.member_id,
            instance_id: member.instance_id,
            error_code: left.err().unwrap_or(ErrorCode::NONE),
        })
        .collect();
    match call.version {
        SEVERAL_FROM.. => LeaveGroupResponse { members: left, ..LeaveGroupResponse::default() },
        _ => LeaveGroupResponse { error_code: left[0].error_code, ..LeaveGroupResponse::default() },
    }
    .into()
}
