//! One connection to one broker; one request at a time.
//! Never knows: what the requests are for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::error::{Error, Stranger, Trouble};
use super::scram::{Login, Opening};
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

    /// Authenticates with SCRAM-SHA-256, and has the broker do the same: whoever took its port
    /// learns nothing of the password and is not believed.
    pub fn sasl_scram(&mut self, login: Login<'_>, deadline: Instant) -> Result<(), Error> {
        // Every broker since 1.0 speaks these versions, so nobody needs to be asked.
        let handshake = SaslHandshakeRequest { mechanism: Text::from("SCRAM-SHA-256") };
        let answer = self.call_at(&handshake, 1, deadline)?;
        self.refuse::<SaslHandshakeRequest>(answer.error_code, None)?;
        let opening = Opening::new(login);
        let challenge = self.sasl_token(opening.message(), deadline)?;
        let proof = opening.prove(&challenge);
        let proof = proof.map_err(|why| self.error(Trouble::Unproven(why)))?;
        let answer = self.sasl_token(proof.message.clone(), deadline)?;
        proof.check(&answer).map_err(|why| self.error(Trouble::Unproven(why)))?;
        // Who is known may be offered more.
        self.versions = None;
        Ok(())
    }

    fn sasl_token(&mut self, token: String, deadline: Instant) -> Result<Bytes, Error> {
        let request = SaslAuthenticateRequest { token: Secret(token.into()) };
        let answer = self.call_at(&request, 0, deadline)?;
        self.refuse::<SaslAuthenticateRequest>(answer.error_code, answer.error_message)?;
        Ok(answer.token.0)
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
        // It may be anybody's, also what a terminal takes for a command.
        let message = message.map(|text| text.escape_debug().to_string());
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
mod tests;
