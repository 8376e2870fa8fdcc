//! The door of a data directory: who comes in, and what somebody learns who took its port.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, MetadataRequest, RequestHeader, ResponseHeader,
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use sha2::{Digest, Sha256};

use crate::harness::Kaw;
use crate::harness::raw::Raw;
use crate::life::{said, taken_over};

/// Kafka's error codes.
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// A door, and what its broker's owner knows of it.
struct Door {
    port: u16,
    secret: String,
}

impl Door {
    fn of(kaw: &Kaw) -> Door {
        let door = said(kaw, "door.json");
        let port = door["port"].as_u64().unwrap() as u16;
        Door { port, secret: door["secret"].as_str().unwrap().to_owned() }
    }

    fn knock(&self) -> Raw {
        Raw::open(&format!("127.0.0.1:{}", self.port)).unwrap()
    }

    fn user(&self) -> String {
        format!("kaw@{}", self.port)
    }

    fn plain(&self) -> String {
        format!("\0kaw\0{}", self.secret)
    }
}

fn handshake(raw: &mut Raw, mechanism: &'static str, version: i16) -> SaslHandshakeResponse {
    let mechanism = StrBytes::from_static_str(mechanism);
    raw.call(&SaslHandshakeRequest::default().with_mechanism(mechanism), version).unwrap()
}

fn authenticate(raw: &mut Raw, token: &str) -> SaslAuthenticateResponse {
    let token = Bytes::from(token.to_owned());
    raw.call(&SaslAuthenticateRequest::default().with_auth_bytes(token), 2).unwrap()
}

/// A token as a frame, after handshake 0.
fn bare(raw: &mut Raw, token: &str) -> io::Result<String> {
    raw.write(&[&(token.len() as u32).to_be_bytes()[..], token.as_bytes()].concat())?;
    raw.frame().map(|frame| String::from_utf8(frame).unwrap())
}

fn is_in(raw: &mut Raw) -> bool {
    raw.call(&MetadataRequest::default(), 1).is_ok_and(|metadata| !metadata.brokers.is_empty())
}

/// The first message of a SCRAM client.
fn first(user: &str) -> String {
    format!("n,,n={user},r=client")
}

/// Its last, and what the server is to answer.
fn last(user: &str, secret: &str, challenge: &str) -> (String, String) {
    let value = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
    let mac = |key: &[u8], text: &[u8]| {
        let keyed = Hmac::<Sha256>::new_from_slice(key).unwrap();
        keyed.chain_update(text).finalize().into_bytes().to_vec()
    };
    let salt = STANDARD.decode(value("s=")).unwrap();
    let mut salted = [0; 32];
    let rounds = value("i=").parse().unwrap();
    pbkdf2::pbkdf2::<Hmac<Sha256>>(secret.as_bytes(), &salt, rounds, &mut salted).unwrap();
    let client_key = mac(&salted, b"Client Key");
    let without_proof = format!("c=biws,r={}", value("r="));
    let exchange = format!("n={user},r=client,{challenge},{without_proof}");
    let signature = mac(&Sha256::digest(&client_key), exchange.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let answer = mac(&mac(&salted, b"Server Key"), exchange.as_bytes());
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    (last, format!("v={}", STANDARD.encode(answer)))
}

fn token(response: &SaslAuthenticateResponse) -> String {
    String::from_utf8(response.auth_bytes.to_vec()).unwrap()
}

it!(whoever_has_the_secret_comes_in_with_either_mechanism_and_handshake, |kaw| {
    let _broker = kaw.broker("");
    let door = Door::of(kaw);
    let mut raw = door.knock();
    let offered = handshake(&mut raw, "PLAIN", 1).mechanisms;
    assert_eq!(offered, ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"].map(StrBytes::from));
    assert_eq!(authenticate(&mut raw, &door.plain()).error_code, 0);
    assert!(is_in(&mut raw));
    // Twice is too often, and no reason to go.
    assert_eq!(handshake(&mut raw, "PLAIN", 1).error_code, ILLEGAL_SASL_STATE);
    assert_eq!(authenticate(&mut raw, &door.plain()).error_code, ILLEGAL_SASL_STATE);
    assert!(is_in(&mut raw));

    let mut raw = door.knock();
    assert_eq!(handshake(&mut raw, "PLAIN", 0).error_code, 0);
    assert_eq!(bare(&mut raw, &door.plain()).unwrap(), "");
    assert!(is_in(&mut raw));

    let mut raw = door.knock();
    handshake(&mut raw, "SCRAM-SHA-256", 1);
    let challenge = token(&authenticate(&mut raw, &first(&door.user())));
    let (last_message, want) = last(&door.user(), &door.secret, &challenge);
    assert_eq!(token(&authenticate(&mut raw, &last_message)), want);
    assert!(is_in(&mut raw));

    let mut raw = door.knock();
    handshake(&mut raw, "SCRAM-SHA-256", 0);
    let challenge = bare(&mut raw, &first(&door.user())).unwrap();
    let (last_message, want) = last(&door.user(), &door.secret, &challenge);
    assert_eq!(bare(&mut raw, &last_message).unwrap(), want);
    assert!(is_in(&mut raw));
});

it!(who_fails_is_told_and_shown_out, |kaw| {
    let broker = kaw.broker("");
    let door = Door::of(kaw);
    let refused = |mechanism, tokens: &[&str]| {
        let mut raw = door.knock();
        handshake(&mut raw, mechanism, 1);
        let answers = tokens.iter().map(|token| authenticate(&mut raw, token).error_code);
        let codes: Vec<i16> = answers.collect();
        assert_eq!(codes.last(), Some(&SASL_AUTHENTICATION_FAILED), "{mechanism} {tokens:?}");
        assert!(raw.closed(), "{mechanism} {tokens:?}");
        let mut raw = door.knock();
        handshake(&mut raw, mechanism, 0);
        let (end, before) = tokens.split_last().unwrap();
        before.iter().for_each(|token| _ = bare(&mut raw, token).unwrap());
        assert!(bare(&mut raw, end).is_err(), "{mechanism} {tokens:?}");
    };
    let (right, another) = (first(&door.user()), first(&format!("kaw@{}", door.port ^ 1)));
    refused("PLAIN", &["\0kaw\0guess"]);
    refused("PLAIN", &[""]);
    refused("PLAIN", &["\0\u{1b}\0\0\0\0"]);
    refused("PLAIN", &[&"x".repeat(500_000)]);
    refused("SCRAM-SHA-256", &[""]);
    refused("SCRAM-SHA-512", &["n,,n=nobody,r=client"]);
    refused("SCRAM-SHA-256", &[&"n,,n=a,r=x".repeat(50_000)]);
    // A proof that somebody at another port was given is of no use here.
    refused("SCRAM-SHA-256", &[&another]);
    refused("SCRAM-SHA-256", &[&right, "c=biws,r=client,p=AAAA"]);
    refused("SCRAM-SHA-512", &[&right, &"\0".repeat(500_000)]);
    let (wrong, _) = last(&door.user(), "guess", "r=clientx,s=AAAA,i=1");
    refused("SCRAM-SHA-256", &[&right, &wrong]);

    let mut raw = door.knock();
    assert_eq!(handshake(&mut raw, "NTLM", 1).error_code, UNSUPPORTED_SASL_MECHANISM);
    assert!(raw.closed());
    let mut raw = door.knock();
    handshake(&mut raw, "PLAIN", 1);
    assert_eq!(handshake(&mut raw, "PLAIN", 1).error_code, ILLEGAL_SASL_STATE);
    assert!(raw.closed());
    let mut raw = door.knock();
    let early = SaslAuthenticateRequest::default().with_auth_bytes(door.plain().into());
    assert!(raw.call(&early, 2).is_err());
    assert!(!is_in(&mut door.knock()));
    let log = broker.stop().err();
    assert!(!log.contains(&door.secret) && !log.contains("panicked"), "{log}");
});

/// Somebody who listens on the port of a broker that is gone.
struct Impostor {
    heard: Arc<Mutex<Vec<u8>>>,
}

/// What it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ruse {
    /// It offers PLAIN alone.
    Plain,
    /// It makes up SCRAM's messages.
    Bluff,
    /// It offers PLAIN too, and is content with everything.
    Nod,
}

impl Impostor {
    /// Serves for as long as the test's process lives; nobody else gets the port.
    fn at(listener: TcpListener, ruse: Ruse) -> Impostor {
        let heard = Arc::new(Mutex::default());
        let kept = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&kept);
                thread::spawn(move || _ = converse(stream, ruse, &heard));
            }
        });
        Impostor { heard }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

fn converse(mut stream: TcpStream, ruse: Ruse, heard: &Mutex<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame)?;
        heard.lock().unwrap().extend_from_slice(&frame);
        let Some(answer) = answer(frame.into(), ruse) else { return Ok(()) };
        stream.write_all(&(answer.len() as u32).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

fn answer(mut frame: Bytes, ruse: Ruse) -> Option<BytesMut> {
    let (key, version) = (frame.clone().get_i16(), (&frame[2..]).get_i16());
    let key = ApiKey::try_from(key).ok()?;
    let header = RequestHeader::decode(&mut frame, key.request_header_version(version)).ok()?;
    let mut bytes = BytesMut::new();
    let response = ResponseHeader::default().with_correlation_id(header.correlation_id);
    response.encode(&mut bytes, key.response_header_version(version)).ok()?;
    match key {
        ApiKey::ApiVersions => versions().encode(&mut bytes, version).ok()?,
        ApiKey::SaslHandshake => {
            let error_code = if ruse == Ruse::Plain { UNSUPPORTED_SASL_MECHANISM } else { 0 };
            let offered = if ruse == Ruse::Bluff { "SCRAM-SHA-256" } else { "PLAIN" };
            let response = SaslHandshakeResponse::default().with_error_code(error_code);
            let response = response.with_mechanisms(vec![StrBytes::from(offered)]);
            response.encode(&mut bytes, version).ok()?;
        }
        ApiKey::SaslAuthenticate => {
            let request = SaslAuthenticateRequest::decode(&mut frame, version).ok()?;
            let token =
                if ruse == Ruse::Bluff { made_up(&request.auth_bytes) } else { String::new() };
            let response = SaslAuthenticateResponse::default().with_auth_bytes(token.into());
            response.encode(&mut bytes, version).ok()?;
        }
        _ => return None,
    }
    Some(bytes)
}

/// What SCRAM's grammar asks for.
fn made_up(token: &[u8]) -> String {
    let token = String::from_utf8_lossy(token);
    match token.split_once(",r=").filter(|_| token.starts_with("n,,")) {
        Some((_, nonce)) => format!("r={nonce}impostor,s=c2FsdA==,i=1"),
        None => format!("v={}", STANDARD.encode([0; 32])),
    }
}

fn versions() -> ApiVersionsResponse {
    let range = |(key, min, max): (i16, i16, i16)| {
        ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
    };
    let ranges = [(0, 3, 9), (1, 4, 11), (2, 1, 5), (3, 1, 9), (17, 0, 1), (18, 0, 4), (22, 0, 2)];
    let ranges = ranges.into_iter().chain([(36, 0, 2)]).map(range).collect();
    ApiVersionsResponse::default().with_api_keys(ranges)
}

/// A command runs, its broker is killed, and somebody else takes the port.
fn an_impostor_learns_nothing(kaw: &Kaw, ruse: Ruse) {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let mut produce = kaw.cmd("produce t").stdin_open().start();
    let consume = kaw.cmd("consume t -vv").start();
    consume.until_out("a\n");
    let door = Door::of(kaw);
    let impostor = Impostor::at(taken_over(kaw, door.port), ruse);
    produce.write("for our broker alone\n");
    for running in [produce, consume] {
        let done = running.done().within(Duration::from_secs(20)).code(1);
        let why =
            format!("because port {} was taken meanwhile; run the command again\n", door.port);
        assert!(done.err().contains(&why), "{ruse:?}: {done}");
        assert!(!done.err().contains(&door.secret), "{ruse:?}: {done}");
    }
    // Somebody new looks at the port as a client would, and is not let down either.
    let known = format!(
        "consume -e t -b 127.0.0.1:{} --connect-timeout 3s -X security.protocol=SASL_PLAINTEXT \
         -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username={} -X sasl.password={}",
        door.port,
        door.user(),
        door.secret
    );
    let done = kaw.cmd(&known).run().within(Duration::from_secs(20));
    assert_eq!((done.code, done.out().as_str()), (1, ""), "{ruse:?}: {done}");
    let heard = impostor.heard();
    assert!(heard.contains("SCRAM-SHA-256"), "{ruse:?}: somebody came: {heard}");
    for kept in [&door.secret, "for our broker alone", "\0kaw\0"] {
        assert!(!heard.contains(kept), "{ruse:?}: {heard}");
    }
}

it!(who_offers_plain_in_place_of_a_killed_broker_learns_nothing, |kaw| {
    an_impostor_learns_nothing(kaw, Ruse::Plain);
});

it!(who_bluffs_in_place_of_a_killed_broker_learns_nothing, |kaw| {
    an_impostor_learns_nothing(kaw, Ruse::Bluff);
});

it!(who_nods_in_place_of_a_killed_broker_learns_nothing, |kaw| {
    an_impostor_learns_nothing(kaw, Ruse::Nod);
});

it!(nobody_takes_a_lease_from_an_impostor, |kaw| {
    let _broker = kaw.broker("");
    let door = Door::of(kaw);
    let file = kaw.data().join("broker.json");
    let notice = fs::read_to_string(&file).unwrap();
    for (ruse, why) in [
        (Ruse::Plain, "refused SASL_HANDSHAKE (UNSUPPORTED_SASL_MECHANISM)"),
        (Ruse::Bluff, "does not know the password (its signature is wrong)"),
        (Ruse::Nod, "does not know the password (its answer is none of SCRAM's)"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |port: u16| format!("\"port\":{port},");
        let there = port(listener.local_addr().unwrap().port());
        assert!(notice.contains(&port(door.port)), "{notice}");
        fs::write(&file, notice.replace(&port(door.port), &there)).unwrap();
        let impostor = Impostor::at(listener, ruse);
        let consume = kaw.cmd("consume -e t --connect-timeout 1s").run();
        let said = consume.within(Duration::from_secs(20)).fails(1);
        assert!(said.contains("let nobody in: 127.0.0.1:") && said.contains(why), "{said}");
        let heard = impostor.heard();
        assert!(heard.contains("SCRAM-SHA-256") && !heard.contains(&door.secret), "{heard}");
        assert!(!said.contains(&door.secret), "{said}");
    }
});

// The exchange goes by an impostor to the broker that came back: SCRAM alone would let it in.
it!(who_passes_messages_on_is_not_let_in, |kaw| {
    let _broker = kaw.broker("");
    let door = Door::of(kaw);
    let between = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = between.local_addr().unwrap().port();
    let there = format!("127.0.0.1:{}", door.port);
    thread::spawn(move || {
        for stream in between.incoming().flatten() {
            let on = TcpStream::connect(&there).unwrap();
            let (mut back_from, mut back_to) =
                (on.try_clone().unwrap(), stream.try_clone().unwrap());
            thread::spawn(move || _ = io::copy(&mut back_from, &mut back_to));
            let (mut from, mut to) = (stream, on);
            thread::spawn(move || _ = io::copy(&mut from, &mut to));
        }
    });
    let list = |at: u16, user: u16| {
        let login = format!(
            "topic list -b 127.0.0.1:{at} --connect-timeout 3s -X security.protocol=SASL_PLAINTEXT \
             -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=kaw@{user} -X sasl.password={}",
            door.secret
        );
        kaw.cmd(&login).run()
    };
    list(door.port, door.port).ok();
    list(taken, door.port).ok();
    let said = list(taken, taken).fails(1);
    assert!(said.contains("refused the login"), "{said}");
});
