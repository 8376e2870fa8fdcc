//! DeleteGroups (42) v0-2 (KIP-229). v2: flexible. Left out: authorization.

use std::collections::HashSet;

use super::{Call, Outcome};
use crate::broker::group::{Group, Store};
use crate::protocol::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse, DeletedGroup};
use crate::protocol::{ErrorCode, Text};

pub fn handle(call: &mut Call<'_>, request: DeleteGroupsRequest) -> Outcome<DeleteGroupsResponse> {
    let mut seen = HashSet::new();
    let once = request.group_ids.into_iter().filter(|id| seen.insert(id.clone()));
    let groups = once.map(|group_id| {
        let error_code = delete(call, &group_id).err().unwrap_or(ErrorCode::NONE);
        DeletedGroup { group_id, error_code }
    });
    DeleteGroupsResponse { groups: groups.collect(), ..DeleteGroupsResponse::default() }.into()
}

fn delete(call: &Call<'_>, id: &Text) -> Result<(), ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let act = |group: &mut Group, store: &Store| {
        group.membership.check_delete()?;
        let all = group.offsets.iter().map(|(topic, partition, _)| (topic.clone(), partition));
        let places: Vec<_> = all.collect();
        group.forget(store, id, &places, call.now).map_err(|error| error.code())?;
        group.gone(store, id, call.now).map_err(|error| error.code())
    };
    call.node.groups.remove(id, act).unwrap_or(Err(ErrorCode::GROUP_ID_NOT_FOUND))?;
    tracing::info!(group = %id, "group deleted");
    Ok(())
}
