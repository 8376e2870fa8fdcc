//! SaslHandshake (17) v0-1, SaslAuthenticate (36) v0-2: the mechanisms of `auth` on the wire.
//! Handshake v0: tokens come as bare frames; v1: in SaslAuthenticate (KIP-152). Whoever fails is
//! answered and shown out, as Kafka does. Left out: sessions that end (KIP-368).

use bytes::Bytes;

use super::{Call, Outcome, Pending, Refusal, Reply, text};
use crate::broker::auth::{Exchange, Failure, Mechanism, Step};
use crate::broker::home;
use crate::broker::node::Node;
use crate::broker::session::{Session, Standing, Tokens};
use crate::protocol::sasl::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use crate::protocol::{ApiKey, Encoded, ErrorCode, Secret, Text};

const NONCE_BYTES: usize = 18;

/// Whether a client of this standing may call this now (SaslServerAuthenticator.java).
pub fn is_in_turn(standing: &Standing, key: ApiKey) -> bool {
    match standing {
        Standing::Welcome => true,
        Standing::Stranger => matches!(key, ApiKey::API_VERSIONS | ApiKey::SASL_HANDSHAKE),
        // A second handshake has an answer of its own.
        Standing::Proving(..) => {
            matches!(key, ApiKey::SASL_AUTHENTICATE | ApiKey::SASL_HANDSHAKE)
        }
        Standing::Refused(_) => false,
    }
}

pub fn handshake(
    call: &mut Call<'_>,
    request: SaslHandshakeRequest,
) -> Outcome<SaslHandshakeResponse> {
    let out_of_turn = || SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        mechanisms: Vec::new(),
    };
    let (standing, response) = match &call.session.standing {
        // A listener without a password, or a client that is in already.
        Standing::Welcome => return out_of_turn().into(),
        Standing::Stranger => named(&request.mechanism, call.version),
        Standing::Proving(..) | Standing::Refused(_) => {
            (Standing::Refused(Failure::Turn), out_of_turn())
        }
    };
    call.session.standing = standing;
    response.into()
}

fn named(mechanism: &str, version: i16) -> (Standing, SaslHandshakeResponse) {
    let mechanisms = Mechanism::ALL.map(|mechanism| Text::from(mechanism.name())).to_vec();
    let (standing, error_code) = match Mechanism::named(mechanism) {
        Some(mechanism) => {
            let tokens = if version == 0 { Tokens::Bare } else { Tokens::Wrapped };
            (Standing::Proving(Exchange::Begun(mechanism), tokens), ErrorCode::NONE)
        }
        None => (Standing::Refused(Failure::Mechanism), ErrorCode::UNSUPPORTED_SASL_MECHANISM),
    };
    (standing, SaslHandshakeResponse { error_code, mechanisms })
}

pub fn authenticate(
    call: &mut Call<'_>,
    request: SaslAuthenticateRequest,
) -> Outcome<SaslAuthenticateResponse> {
    let failed = |error_code, why: &str| SaslAuthenticateResponse {
        error_code,
        error_message: Some(text(why)),
        ..SaslAuthenticateResponse::default()
    };
    let Some((exchange, _)) = take(call.session) else {
        let why = "SaslAuthenticate request received after successful authentication";
        return failed(ErrorCode::ILLEGAL_SASL_STATE, why).into();
    };
    let mechanism = exchange.mechanism();
    match prove(call.node, call.session, exchange, Tokens::Wrapped, &request.token.0) {
        Ok(token) => {
            // Kafka's is empty here, not null.
            let (token, error_message) = (Secret(token), Some(Text::default()));
            let default = SaslAuthenticateResponse::default();
            SaslAuthenticateResponse { token, error_message, ..default }.into()
        }
        Err(why) => failed(ErrorCode::SASL_AUTHENTICATION_FAILED, &why.told(mechanism)).into(),
    }
}

/// A token that is a frame of its own, as its answer is. Failure has no answer.
pub fn bare(node: &Node, session: &mut Session, token: &[u8]) -> Result<Pending, Refusal> {
    let (exchange, tokens) = take(session).expect("asked for only where tokens are awaited");
    let answer = prove(node, session, exchange, tokens, token);
    let answer = answer.map_err(|why| Refusal::Said(format!("it did not authenticate: {why}")))?;
    let length = u32::try_from(answer.len()).expect("a token of ours is short");
    let bytes = [&length.to_be_bytes()[..], &answer].concat();
    let encoded = Encoded { bytes, splices: Vec::new() };
    Ok(Pending::Now(Reply { encoded, slices: Vec::new() }))
}

/// The exchange of a client that is to prove who it is. Until it is put back, nobody knows it.
fn take(session: &mut Session) -> Option<(Exchange, Tokens)> {
    if !matches!(session.standing, Standing::Proving(..)) {
        return None;
    }
    match std::mem::replace(&mut session.standing, Standing::Stranger) {
        Standing::Proving(exchange, tokens) => Some((exchange, tokens)),
        _ => None,
    }
}

/// One token further.
fn prove(
    node: &Node,
    session: &mut Session,
    exchange: Exchange,
    tokens: Tokens,
    token: &[u8],
) -> Result<Bytes, Failure> {
    let keeper = node.keeper.as_ref().expect("only a door asks who comes");
    match exchange.step(token, keeper, &home::random_word(NONCE_BYTES)) {
        Ok(Step::Ask(exchange, token)) => {
            session.standing = Standing::Proving(exchange, tokens);
            Ok(token.into())
        }
        Ok(Step::Welcome(token)) => {
            session.welcome();
            Ok(token.into())
        }
        Err(failure) => {
            session.standing = Standing::Refused(failure);
            Err(failure)
        }
    }
}
