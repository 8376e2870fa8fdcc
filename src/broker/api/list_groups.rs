//! ListGroups (16) v0-5. v3: flexible; v4: by state (KIP-518); v5: by type (KIP-848).

use super::{Call, Outcome};
use crate::protocol::Text;
use crate::protocol::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

/// The only type of groups here.
const CLASSIC: &str = "classic";

pub fn handle(call: &mut Call<'_>, request: ListGroupsRequest) -> Outcome<ListGroupsResponse> {
    let (node, groups) = (call.node, &call.node.groups);
    let me = node.visited(call.session);
    let ids = match is_wanted(&request.types, CLASSIC) {
        true => groups.ids(),
        false => Vec::new(),
    };
    let own = ids.into_iter().filter(|id| node.coordinator(id) == me);
    let listed = own.filter_map(|group_id| {
        let (state, protocol_type) = groups.with(&group_id, |group, _| {
            (group.membership.state(), group.membership.protocol_type().into())
        })?;
        let state = state.to_string();
        is_wanted(&request.states, &state).then(|| ListedGroup {
            group_id,
            protocol_type,
            state: state.into(),
            kind: CLASSIC.into(),
        })
    });
    ListGroupsResponse { groups: listed.collect(), ..ListGroupsResponse::default() }.into()
}

fn is_wanted(filter: &[Text], name: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
}
