//! InitProducerId (22) v0-5. v2: flexible; v3: bumping an epoch (KIP-360); v4: PRODUCER_FENCED;
//! v5: transactions' second version (KIP-890). Left out: transactional ids, which no coordinator
//! serves yet: FindCoordinator is not advertised, and clients say so themselves.

use super::{Call, Outcome};
use crate::broker::topic::{SyncFailed, Ticket};
use crate::protocol::ErrorCode;
use crate::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::record::{ProducerEpoch, ProducerId};

/// Who has an id already and asks to bump its epoch gets a fresh id too, as from Apache: without a
/// transactional id nothing is known of who had the old one (TransactionCoordinator.scala).
pub fn handle(
    call: &mut Call<'_>,
    request: InitProducerIdRequest,
) -> Outcome<InitProducerIdResponse> {
    if request.transactional_id.is_some() {
        return refused(ErrorCode::NOT_COORDINATOR).into();
    }
    match call.node.topics.producer_id() {
        Ok((id, Ticket::Kept)) => given(id).into(),
        Ok((id, recorded)) => Outcome::Later(Box::pin(async move {
            let response = match recorded.wait().await {
                Ok(()) => given(id),
                Err(SyncFailed) => refused(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            };
            response.into()
        })),
        Err(error) => {
            tracing::error!(%error, "cannot allocate a producer id");
            refused(ErrorCode::COORDINATOR_NOT_AVAILABLE).into()
        }
    }
}

fn given(id: ProducerId) -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id: Some(id),
        producer_epoch: Some(ProducerEpoch(0)),
        ..InitProducerIdResponse::default()
    }
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, ..InitProducerIdResponse::default() }
}
