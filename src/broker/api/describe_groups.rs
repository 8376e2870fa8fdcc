//! DescribeGroups (15) v0-6. v3: authorized operations (KIP-430); v4: static members (KIP-345);
//! v5: flexible; v6: GROUP_ID_NOT_FOUND (KIP-1043).

use super::{Call, Outcome};
use crate::broker::group::membership::State;
use crate::protocol::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};
use crate::protocol::{ErrorCode, Text};

/// Before, a group that is not there was Dead and no error.
const NOT_FOUND_FROM: i16 = 6;

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS: all there is to do to a group, and
/// without an authorizer everybody may (AclEntry.supportedOperations).
const OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub fn handle(
    call: &mut Call<'_>,
    request: DescribeGroupsRequest,
) -> Outcome<DescribeGroupsResponse> {
    let described = request.groups.into_iter().map(|id| {
        let group = call.node.groups.with(&id, |group, _| group.membership.describe(id.clone()));
        let mut group = group.unwrap_or_else(|| missing(id, call.version));
        if request.include_authorized_operations && !group.error_code.is_error() {
            group.authorized_operations = OPERATIONS;
        }
        group
    });
    DescribeGroupsResponse { groups: described.collect(), ..DescribeGroupsResponse::default() }
        .into()
}

fn missing(group_id: Text, version: i16) -> DescribedGroup {
    let state = State::Dead.to_string().into();
    match version {
        NOT_FOUND_FROM.. => DescribedGroup {
            error_code: ErrorCode::GROUP_ID_NOT_FOUND,
            error_message: Some(format!("Group {group_id} not found.").into()),
            group_id,
            state,
            ..DescribedGroup::default()
        },
        _ => DescribedGroup { group_id, state, ..DescribedGroup::default() },
    }
}
