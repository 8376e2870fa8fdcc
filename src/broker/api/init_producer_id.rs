//! InitProducerId (22) v0-5. v2: flexible; v3: bumping an epoch (KIP-360); v4: PRODUCER_FENCED;
//! v5: transactions' second version (KIP-890). Left out: transactional ids, which no coordinator
//! serves yet: FindCoordinator is not advertised, and clients say so themselves.

use super::{Call, Outcome};
use crate::protocol::ErrorCode;
use crate::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::record::ProducerEpoch;

/// Who has an id already and asks to bump its epoch gets a fresh id too, as from Apache: without a
/// transactional id nothing is known of who had the old one (TransactionCoordinator.scala).
pub fn handle(
    call: &mut Call<'_>,
    request: InitProducerIdRequest,
) -> Outcome<InitProducerIdResponse> {
    let given = match request.transactional_id {
        Some(_) => Err(ErrorCode::NOT_COORDINATOR),
        // The record of its block is on the disk before the first acks=all is answered.
        None => call.node.topics.producer_id().map_err(|error| {
            tracing::error!(%error, "cannot allocate a producer id");
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        }),
    };
    let response = match given {
        Err(error_code) => {
            InitProducerIdResponse { error_code, ..InitProducerIdResponse::default() }
        }
        Ok(id) => InitProducerIdResponse {
            producer_id: Some(id),
            producer_epoch: Some(ProducerEpoch(0)),
            ..InitProducerIdResponse::default()
        },
    };
    response.into()
}
