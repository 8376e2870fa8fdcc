//! SaslHandshake (17) v0-1, SaslAuthenticate (36) v0-2, PLAIN alone. Handshake v0: the token comes
//! as a bare frame; v1: in SaslAuthenticate (KIP-152). Left out: SCRAM, sessions that end
//! (KIP-368).

use std::sync::Arc;

use bytes::Bytes;

use super::{Call, Outcome, Pending, Refusal, Reply, text};
use crate::broker::node::Node;
use crate::broker::session::{Session, Standing};
use crate::protocol::sasl::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use crate::protocol::{ApiKey, Encoded, ErrorCode, Text};

const PLAIN: &str = "PLAIN";

/// What a client may call before it is authenticated.
pub fn is_for_strangers(key: ApiKey) -> bool {
    matches!(key, ApiKey::API_VERSIONS | ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE)
}

pub fn handshake(
    call: &mut Call<'_>,
    request: SaslHandshakeRequest,
) -> Outcome<SaslHandshakeResponse> {
    let mechanisms = vec![Text::from(PLAIN)];
    let error_code = match (call.session.standing, &*request.mechanism) {
        // A listener without a password, or a client that is in already.
        (Standing::Welcome, _) => ErrorCode::ILLEGAL_SASL_STATE,
        (_, PLAIN) => {
            let raw = call.version == 0;
            call.session.standing = if raw { Standing::RawToken } else { Standing::Announced };
            ErrorCode::NONE
        }
        _ => ErrorCode::UNSUPPORTED_SASL_MECHANISM,
    };
    SaslHandshakeResponse { error_code, mechanisms }.into()
}

pub fn authenticate(
    call: &mut Call<'_>,
    request: SaslAuthenticateRequest,
) -> Outcome<SaslAuthenticateResponse> {
    if call.session.standing != Standing::Announced {
        let why = "SaslAuthenticate request received without a handshake";
        return failed(ErrorCode::ILLEGAL_SASL_STATE, why).into();
    }
    match is_known(call.node, &request.token.0) {
        true => {
            call.session.welcome();
            SaslAuthenticateResponse::default().into()
        }
        false => {
            call.session.standing = Standing::Stranger;
            let why = "Authentication failed: Invalid username or password";
            failed(ErrorCode::SASL_AUTHENTICATION_FAILED, why).into()
        }
    }
}

fn failed(error_code: ErrorCode, why: &str) -> SaslAuthenticateResponse {
    let error_message = Some(text(why));
    SaslAuthenticateResponse { error_code, error_message, ..SaslAuthenticateResponse::default() }
}

/// The token that follows handshake 0. Success is an empty frame; failure is the end.
pub fn raw_token(
    node: &Arc<Node>,
    session: &mut Session,
    token: &Bytes,
) -> Result<Pending, Refusal> {
    if !is_known(node, token) {
        return Err(Refusal::Said("authentication failed".into()));
    }
    session.welcome();
    let encoded = Encoded { bytes: vec![0; 4], splices: Vec::new() };
    Ok(Pending::Now(Reply { encoded, slices: Vec::new() }))
}

/// `[authzid] NUL user NUL password` (RFC 4616). The user's name is as good as another: there is
/// one secret.
fn is_known(node: &Node, token: &Bytes) -> bool {
    let Some(secret) = &node.secret else { return false };
    let mut parts = token.splitn(3, |byte| *byte == 0);
    let (Some(_), Some(_), Some(password)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    is_same(password, secret.as_bytes())
}

/// Takes as long for a near miss as for a far one.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same(b"secret", b"secret"));
        assert!(!is_same(b"secre", b"secret"));
        assert!(!is_same(b"secreT", b"secret"));
    }
}
