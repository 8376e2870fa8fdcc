//! A connection against brokers that are played.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;
use crate::protocol::Envelope;
use crate::protocol::api_versions::{ApiVersionRange, ApiVersionsResponse};
use crate::protocol::encode_response;
use crate::protocol::private::{StatusRequest, StatusResponse};
use crate::protocol::sasl::{SaslAuthenticateResponse, SaslHandshakeResponse};
use crate::protocol::scram::{self, Keys, Salting};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Serves one connection with `answer`, which gets each frame and returns what to send; `None`
/// closes.
fn serve(
    mut answer: impl FnMut(Envelope) -> Option<Vec<u8>> + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut size = [0; 4];
        while stream.read_exact(&mut size).is_ok() {
            let mut frame = vec![0; u32::from_be_bytes(size) as usize];
            stream.read_exact(&mut frame).unwrap();
            match answer(Envelope::open(frame.into()).unwrap()) {
                Some(bytes) => stream.write_all(&bytes).unwrap(),
                None => return,
            }
        }
    });
    (address, thread)
}

fn reply<R: Request>(envelope: &Envelope, response: R::Response) -> Option<Vec<u8>> {
    let header = &envelope.header;
    let frame = encode_response::<R>(&response, header.version, header.correlation);
    Some(frame.unwrap().bytes)
}

const LOGIN: Login<'static> = Login { user: "kaw", password: "open sesame", nonce: "client" };

/// What a broker's half of SCRAM does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scram {
    /// It has the password.
    Knows,
    /// It refuses a proof that is of another password.
    Refuses,
    /// It has heard of the protocol, and waves everybody through.
    Bluffs,
    /// It has nothing to say, and no objections.
    Nods,
    /// It would rather have PLAIN.
    Baits,
}

/// A broker of an older kind: it knows ApiVersions v0 alone. What it is told is kept.
fn old_broker(scram: Scram, told: Arc<Mutex<Vec<u8>>>) -> impl FnMut(Envelope) -> Option<Vec<u8>> {
    let mut tokens = Vec::new();
    move |envelope| match envelope.header.key {
        ApiKey::SASL_HANDSHAKE => {
            let error_code = match scram {
                Scram::Baits => ErrorCode::UNSUPPORTED_SASL_MECHANISM,
                _ => ErrorCode::NONE,
            };
            let answer = SaslHandshakeResponse { error_code, mechanisms: vec!["PLAIN".into()] };
            reply::<SaslHandshakeRequest>(&envelope, answer)
        }
        ApiKey::SASL_AUTHENTICATE => {
            let header = envelope.header.clone();
            let request: SaslAuthenticateRequest = envelope.request().unwrap();
            told.lock().unwrap().extend_from_slice(&request.token.0);
            tokens.push(String::from_utf8(request.token.0.to_vec()).unwrap());
            let answer = authenticated(scram, &tokens);
            let frame = encode_response::<SaslAuthenticateRequest>(&answer, 0, header.correlation);
            Some(frame.unwrap().bytes)
        }
        ApiKey::API_VERSIONS => {
            let known = envelope.header.version == 0;
            let error_code = if known { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_VERSION };
            let status = ApiVersionRange { key: ApiKey::STATUS, version_min: 0, version_max: 9 };
            let answer =
                ApiVersionsResponse { error_code, apis: vec![status], ..Default::default() };
            let correlation = envelope.header.correlation;
            let frame = encode_response::<ApiVersionsRequest>(&answer, 0, correlation);
            Some(frame.unwrap().bytes)
        }
        ApiKey::STATUS => {
            let answer = StatusResponse { pid: 77, ..Default::default() };
            reply::<StatusRequest>(&envelope, answer)
        }
        _ => None,
    }
}

/// The answer to the last of a client's tokens.
fn authenticated(scram: Scram, tokens: &[String]) -> SaslAuthenticateResponse {
    let challenge = "r=clientserver,s=c2FsdA==,i=1";
    let token = match (scram, tokens) {
        (Scram::Nods, _) => String::new(),
        (_, [_]) => challenge.to_owned(),
        (Scram::Knows, [first, last]) => {
            let salting = Salting { salt: b"salt".to_vec(), iterations: 1 };
            let keys = Keys::of(LOGIN.password, Hash::Sha256, salting);
            let without_proof = last.rsplit_once(",p=").unwrap().0;
            let exchange = scram::exchange(&first["n,,".len()..], challenge, without_proof);
            assert_eq!(
                *last,
                format!("{without_proof},p={}", scram::base64(&keys.proof(&exchange)))
            );
            format!("v={}", scram::base64(&keys.credential.signature(&exchange)))
        }
        (Scram::Refuses, _) => {
            return SaslAuthenticateResponse {
                error_code: ErrorCode::SASL_AUTHENTICATION_FAILED,
                error_message: Some("wrong\u{1b}[2J".into()),
                ..Default::default()
            };
        }
        _ => format!("v={}", scram::base64(&[0; 32])),
    };
    SaslAuthenticateResponse { token: Secret(token.into()), ..Default::default() }
}

#[test]
fn a_caller_comes_in_and_asks_an_older_broker() {
    let (address, broker) = serve(old_broker(Scram::Knows, Arc::default()));
    let mut connection = Connection::open(address, "kaw test", soon()).unwrap();
    connection.sasl_scram(Hash::Sha256, LOGIN, soon()).unwrap();
    assert_eq!(connection.call(&StatusRequest {}, soon()).unwrap().pid, 77);
    drop(connection);
    broker.join().unwrap();
}

#[track_caller]
fn check_login(scram: Scram, want: &str) {
    let told = Arc::new(Mutex::default());
    let (address, _broker) = serve(old_broker(scram, Arc::clone(&told)));
    let mut connection = Connection::open(address, "kaw test", soon()).unwrap();
    let error = connection.sasl_scram(Hash::Sha256, LOGIN, soon()).unwrap_err();
    assert_eq!(error.to_string(), format!("{address} {want}"));
    let told = String::from_utf8(told.lock().unwrap().clone()).unwrap();
    assert!(!told.contains(LOGIN.password), "{told}");
}

#[test]
fn who_does_not_know_the_password_learns_nothing_and_is_not_believed() {
    const ADVICE: &str = "check what listens there, it may have taken a broker's port";
    let unproven = |why| format!("does not know the password ({why}); {ADVICE}");
    check_login(Scram::Bluffs, &unproven("its signature is wrong"));
    check_login(Scram::Nods, &unproven("its answer is none of SCRAM's"));
    check_login(Scram::Baits, "refused SASL_HANDSHAKE (UNSUPPORTED_SASL_MECHANISM)");
}

#[test]
fn a_wrong_password_is_refused_without_a_spell_on_the_terminal() {
    let want = r"refused SASL_AUTHENTICATE (SASL_AUTHENTICATION_FAILED: wrong\u{1b}[2J)";
    check_login(Scram::Refuses, want);
}

#[track_caller]
fn check_stranger(answer: &'static [u8], want: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _stranger = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Closing with unread bytes would reset the connection, answer and all.
        assert!(0 < stream.read(&mut [0; 1024]).unwrap());
        stream.write_all(answer).unwrap();
    });
    let mut connection = Connection::open(address, "kaw test", soon()).unwrap();
    let error = connection.call(&StatusRequest {}, soon()).unwrap_err();
    assert_eq!(error.to_string(), format!("{address} {want}"));
}

#[test]
fn strangers_are_called_by_their_name() {
    check_stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP; check the port");
    check_stranger(&[21, 3, 3, 0, 2, 2, 70], "speaks TLS; check the port");
    check_stranger(b"SSH-2.0", "speaks something that is not Kafka; check the port");
    check_stranger(&[0, 0, 0, 4, 9, 9, 9, 9], "speaks something that is not Kafka; check the port");
    check_stranger(&[0, 0, 1, 0, 1], CLOSED);
    check_stranger(&[], CLOSED);
}
const CLOSED: &str = "closed the connection; check the port, password and log";

#[test]
fn a_black_hole_costs_the_time_that_was_given() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let deadline = Instant::now() + Duration::from_millis(50);
    let mut connection = Connection::open(address, "kaw test", deadline).unwrap();
    let error = connection.call(&StatusRequest {}, deadline).unwrap_err();
    assert!(matches!(error.trouble, Trouble::Silent { .. }), "{error}");
    assert!(deadline <= Instant::now());
}

#[test]
fn nobody_there_is_said_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Connection::open(address, "kaw test", soon()).map(|_| ()).unwrap_err();
    let want = "(connection refused); check that a broker listens there";
    assert_eq!(error.to_string(), format!("cannot reach {address} {want}"));
}
