//! One connection to one broker; one request at a time.
//! Never knows: what the requests are for.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use bytes::Bytes;

use super::error::{Error, Stranger, Trouble};
use super::scram::{Login, Opening};
use super::stream::{Stream, Timed};
use super::tls::Tls;
use super::versions::Versions;
use crate::protocol::api_versions::ApiVersionsRequest;
use crate::protocol::sasl::{SaslAuthenticateRequest, SaslHandshakeRequest};
use crate::protocol::scram::Hash;
use crate::protocol::{
    ApiKey, ErrorCode, Request, Secret, Text, decode_response, encode_request, response_correlation,
};

/// As Kafka's own limit for a request (socket.request.max.bytes).
pub(super) const FRAME_BYTES_MAX: usize = 100 << 20;

pub struct Connection {
    pub(super) stream: Stream,
    /// As it is told to people.
    address: String,
    pub(super) client_id: String,
    pub(super) correlation: i32,
    /// Asked for when first needed.
    versions: Option<Versions>,
}

impl Connection {
    pub fn open(
        address: SocketAddr,
        client_id: &str,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        let stream = dial(address, deadline)?;
        Ok(Connection::over(Stream::Plain(stream), address, client_id))
    }

    /// The same under TLS with the host of this name.
    pub fn open_tls(
        address: SocketAddr,
        (tls, host): (&Tls, &str),
        client_id: &str,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        let secured = tls.over(host, dial(address, deadline)?);
        let stream = secured.map_err(|error| Error {
            address: address.to_string(),
            trouble: Trouble::Insecure(error),
        })?;
        Ok(Connection::over(Stream::Tls(stream), address, client_id))
    }

    fn over(stream: Stream, address: SocketAddr, client_id: &str) -> Connection {
        let (address, client_id) = (address.to_string(), client_id.to_owned());
        Connection { stream, address, client_id, correlation: 0, versions: None }
    }

    /// Authenticates with SCRAM, and has the broker do the same: whoever took its port learns
    /// nothing of the password and is not believed.
    pub fn sasl_scram(
        &mut self,
        hash: Hash,
        login: Login<'_>,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.sasl_handshake(hash.mechanism(), deadline)?;
        let opening = Opening::new(hash, login);
        let challenge = self.sasl_token(opening.message(), deadline)?;
        let proof = opening.prove(&challenge);
        let proof = proof.map_err(|why| self.error(Trouble::Unproven(why)))?;
        let answer = self.sasl_token(proof.message.clone(), deadline)?;
        proof.check(&answer).map_err(|why| self.error(Trouble::Unproven(why)))?;
        // Who is known may be offered more.
        self.versions = None;
        Ok(())
    }

    /// Authenticates by telling the password (RFC 4616).
    pub fn sasl_plain(
        &mut self,
        user: &str,
        password: &str,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.sasl_handshake("PLAIN", deadline)?;
        self.sasl_token(format!("\0{user}\0{password}"), deadline)?;
        self.versions = None;
        Ok(())
    }

    fn sasl_handshake(&mut self, mechanism: &str, deadline: Instant) -> Result<(), Error> {
        // Every broker since 1.0 speaks these versions, so nobody needs to be asked.
        let handshake = SaslHandshakeRequest { mechanism: Text::from(mechanism) };
        let answer = self.call_at(&handshake, 1, deadline)?;
        self.refuse::<SaslHandshakeRequest>(answer.error_code, None)
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
        self.call_within(request, *R::VERSIONS.end(), deadline)
    }

    /// The same, where later versions mean something else: topics that go by their ids.
    pub(super) fn call_within<R: Request>(
        &mut self,
        request: &R,
        version_max: i16,
        deadline: Instant,
    ) -> Result<R::Response, Error> {
        let version = self.version::<R>(version_max, deadline)?;
        self.call_at(request, version, deadline)
    }

    /// The newest version of an API, up to this one, that both sides speak.
    pub(super) fn version<R: Request>(
        &mut self,
        version_max: i16,
        deadline: Instant,
    ) -> Result<i16, Error> {
        let versions = match self.versions.take() {
            Some(versions) => versions,
            None => self.ask_versions(deadline)?,
        };
        let version = versions.common::<R>(version_max);
        self.versions = Some(versions);
        version.ok_or_else(|| self.error(Trouble::NotOffered { calling: R::KEY }))
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
        let stream = &mut self.stream;
        stream.until(deadline);
        let mut size = [0; 4];
        let sent = stream.write_all(frame).and_then(|()| stream.read_exact(&mut size));
        sent.map_err(|error| self.lost(calling, error))?;
        let length = u32::from_be_bytes(size) as usize;
        if FRAME_BYTES_MAX < length {
            return Err(self.error(Trouble::NotKafka(Stranger::guess(size))));
        }
        // It grows with what comes, whatever the length says.
        let mut answer = Vec::new();
        let got = (&mut self.stream).take(length as u64).read_to_end(&mut answer);
        match got {
            Ok(got) if got == length => Ok(answer.into()),
            Ok(_) => Err(self.lost(calling, io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.lost(calling, error)),
        }
    }

    pub(super) fn refuse<R: Request>(
        &self,
        code: ErrorCode,
        message: Option<Text>,
    ) -> Result<(), Error> {
        if !code.is_error() {
            return Ok(());
        }
        // It may be anybody's, also what a terminal takes for a command.
        let message = message.map(|text| text.escape_debug().to_string());
        Err(self.error(Trouble::Refused { calling: R::KEY, code, message }))
    }

    pub(super) fn lost(&self, calling: ApiKey, error: io::Error) -> Error {
        self.error(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Trouble::Silent { calling },
            _ => Trouble::Broken { calling, error },
        })
    }

    pub(super) fn error(&self, trouble: Trouble) -> Error {
        Error { address: self.address.clone(), trouble }
    }
}

fn dial(address: SocketAddr, deadline: Instant) -> Result<Timed, Error> {
    Timed::open(address, deadline).map_err(|error| Error {
        address: address.to_string(),
        trouble: Trouble::Unreachable(error),
    })
}

/// Readable while no call is under way: the broker has closed the connection.
impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests;
