//! ListPartitionReassignments (46) v0 (KIP-455). Left out: nothing. The one broker there is has
//! every replica, so that none is ever on its way.

use super::{Call, Outcome};
use crate::protocol::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

pub fn handle(
    _: &mut Call<'_>,
    _: ListPartitionReassignmentsRequest,
) -> Outcome<ListPartitionReassignmentsResponse> {
    ListPartitionReassignmentsResponse::default().into()
}
