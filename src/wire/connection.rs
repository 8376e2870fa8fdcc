//! One connection to one broker; one request at a time.
//! Never knows: what the requests are for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::error::{Error, Stranger, Trouble};
use super::versions::Versions;
use crate::protocol::api_versions::ApiVersionsRequest;
use crate::protocol::sasl::{SaslAuthenticateRequest, SaslHandshakeRequest};
use crate::protocol::{
    ApiKey, ErrorCode, Request, Secret, Text, decode_response, encode_request, response_correlation,
};

/// As Kafka's own limit for a request (socket.request.max.bytes).
const FRAME_BYTES_MAX: usize = 100 << 20;

pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    client_id: String,
    correlation: i32,
    /// Asked for when first needed.
    versions: Option<Versions>,
}

impl Connection {
    pub fn open(
        address: SocketAddr,
        client_id: &str,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        let opened = left(deadline).and_then(|left| TcpStream::connect_timeout(&address, left));
        let opened = opened.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream =
            opened.map_err(|error| Error { address, trouble: Trouble::Unreachable(error) })?;
        let client_id = client_id.to_owned();
        Ok(Connection { stream, address, client_id, correlation: 0, versions: None })
    }

    /// Authenticates with SASL PLAIN (RFC 4616).
    pub fn sasl_plain(
        &mut self,
        user: &str,
        password: &str,
        deadline: Instant,
    ) -> Result<(), Error> {
        // Every broker since 1.0 speaks these versions, so nobody needs to be asked.
        let mechanism = Text::from("PLAIN");
        let handshake = SaslHandshakeRequest { mechanism };
        let answer = self.call_at(&handshake, 1, deadline)?;
        self.refuse::<SaslHandshakeRequest>(answer.error_code, None)?;
        let token = Bytes::from(format!("\0{user}\0{password}"));
        let authenticate = SaslAuthenticateRequest { token: Secret(token) };
        let answer = self.call_at(&authenticate, 0, deadline)?;
        self.refuse::<SaslAuthenticateRequest>(answer.error_code, answer.error_message)?;
        // Who is known may be offered more.
        self.versions = None;
        Ok(())
    }

    /// Calls at the newest version that both sides speak.
    pub fn call<R: Request>(
        &mut self,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Response, Error> {
        let versions = match self.versions.take() {
            Some(versions) => versions,
            None => self.ask_versions(deadline)?,
        };
        let version = versions.common::<R>();
        self.versions = Some(versions);
        match version {
            Some(version) => self.call_at(request, version, deadline),
            None => Err(self.error(Trouble::NotOffered { calling: R::KEY })),
        }
    }

    fn ask_versions(&mut self, deadline: Instant) -> Result<Versions, Error> {
        let request = ApiVersionsRequest {
            client_software_name: Text::from("kaw"),
            client_software_version: Text::from(env!("CARGO_PKG_VERSION")),
        };
        // A broker that does not know the version answers in version 0 (KIP-511), which reads as an
        // error or as garbage; either way the oldest version is the one to ask again in.
        let newest = *ApiVersionsRequest::VERSIONS.end();
        match self.call_at(&request, newest, deadline) {
            Ok(answer) if !answer.error_code.is_error() => return Ok(answer.into()),
            Ok(_) | Err(Error { trouble: Trouble::Garbled { .. }, .. }) => {}
            Err(error) => return Err(error),
        }
        let answer = self.call_at(&request, 0, deadline)?;
        self.refuse::<ApiVersionsRequest>(answer.error_code, None)?;
        Ok(answer.into())
    }

    /// Calls at a version that the broker is known to speak.
    pub fn call_at<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        deadline: Instant,
    ) -> Result<R::Response, Error> {
        self.correlation = self.correlation.wrapping_add(1);
        let frame = encode_request(request, version, self.correlation, &self.client_id)
            .map_err(|error| self.error(Trouble::Unspeakable { calling: R::KEY, error }))?;
        assert!(frame.splices.is_empty(), "a request holds its own bytes");
        let answer = self.exchange(R::KEY, &frame.bytes, deadline)?;
        if response_correlation(&answer) != Ok(self.correlation) {
            return Err(self.error(Trouble::NotKafka(Stranger::Unknown)));
        }
        decode_response::<R>(answer, version)
            .map_err(|error| self.error(Trouble::Garbled { calling: R::KEY, error }))
    }

    fn exchange(
        &mut self,
        calling: ApiKey,
        frame: &[u8],
        deadline: Instant,
    ) -> Result<Bytes, Error> {
        let mut stream = Timed { stream: &self.stream, deadline };
        let mut size = [0; 4];
        let sent = stream.write_all(frame).and_then(|()| stream.read_exact(&mut size));
        sent.map_err(|error| self.lost(calling, error))?;
        let length = u32::from_be_bytes(size) as usize;
        if FRAME_BYTES_MAX < length {
            return Err(self.error(Trouble::NotKafka(Stranger::guess(size))));
        }
        // It grows with what comes, whatever the length says.
        let mut answer = Vec::new();
        let got = stream.take(length as u64).read_to_end(&mut answer);
        match got {
            Ok(got) if got == length => Ok(answer.into()),
            Ok(_) => Err(self.lost(calling, io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.lost(calling, error)),
        }
    }

    fn refuse<R: Request>(&self, code: ErrorCode, message: Option<Text>) -> Result<(), Error> {
        if !code.is_error() {
            return Ok(());
        }
        let message = message.map(|text| text.to_string());
        Err(self.error(Trouble::Refused { calling: R::KEY, code, message }))
    }

    fn lost(&self, calling: ApiKey, error: io::Error) -> Error {
        self.error(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Trouble::Silent { calling },
            _ => Trouble::Broken { calling, error },
        })
    }

    fn error(&self, trouble: Trouble) -> Error {
        Error { address: self.address, trouble }
    }
}

/// Readable while no call is under way: the broker has closed the connection.
impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A stream that gives up at the deadline, however slowly bytes trickle.
struct Timed<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::protocol::Envelope;
    use crate::protocol::api_versions::{ApiVersionRange, ApiVersionsResponse};
    use crate::protocol::encode_response;
    use crate::protocol::private::{StatusRequest, StatusResponse};
    use crate::protocol::sasl::{SaslAuthenticateResponse, SaslHandshakeResponse};

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

    /// A broker of an older kind: it knows ApiVersions v0 alone.
    fn old_broker(envelope: Envelope) -> Option<Vec<u8>> {
        match envelope.header.key {
            ApiKey::SASL_HANDSHAKE => {
                reply::<SaslHandshakeRequest>(&envelope, SaslHandshakeResponse::default())
            }
            ApiKey::SASL_AUTHENTICATE => {
                let header = envelope.header.clone();
                let request: SaslAuthenticateRequest = envelope.request().unwrap();
                let known = request.token.0.as_ref() == b"\0kaw\0open sesame";
                let answer = match known {
                    true => SaslAuthenticateResponse::default(),
                    false => SaslAuthenticateResponse {
                        error_code: ErrorCode::SASL_AUTHENTICATION_FAILED,
                        error_message: Some("wrong password".into()),
                        ..Default::default()
                    },
                };
                let frame =
                    encode_response::<SaslAuthenticateRequest>(&answer, 0, header.correlation);
                Some(frame.unwrap().bytes)
            }
            ApiKey::API_VERSIONS => {
                let known = envelope.header.version == 0;
                let error_code =
                    if known { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_VERSION };
                let status =
                    ApiVersionRange { key: ApiKey::STATUS, version_min: 0, version_max: 9 };
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

    #[test]
    fn a_caller_comes_in_and_asks_an_older_broker() {
        let (address, broker) = serve(old_broker);
        let mut connection = Connection::open(address, "kaw test", soon()).unwrap();
        connection.sasl_plain("kaw", "open sesame", soon()).unwrap();
        assert_eq!(connection.call(&StatusRequest {}, soon()).unwrap().pid, 77);
        drop(connection);
        broker.join().unwrap();
    }

    #[test]
    fn a_wrong_password_is_refused_and_not_repeated() {
        let (address, _broker) = serve(old_broker);
        let mut connection = Connection::open(address, "kaw test", soon()).unwrap();
        let error = connection.sasl_plain("kaw", "guess", soon()).unwrap_err();
        let want = "refused SASL_AUTHENTICATE (SASL_AUTHENTICATION_FAILED: wrong password)";
        assert_eq!(error.to_string(), format!("{address} {want}"));
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
        check_stranger(
            &[0, 0, 0, 4, 9, 9, 9, 9],
            "speaks something that is not Kafka; check the port",
        );
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
}
