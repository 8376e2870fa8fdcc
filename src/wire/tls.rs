//! TLS: which brokers are believed, and who a client says it is.
//! Never knows: settings, Kafka.

use std::io;
use std::net::IpAddr;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, Ssl, SslContext, SslStream};
use openssl::x509::X509VerifyResult;

use super::stream::Timed;

/// Whether a certificate must be for the host that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Checked,
    Any,
}

/// How to talk TLS with the brokers of one cluster.
#[derive(Clone)]
pub struct Tls {
    pub context: SslContext,
    pub names: Names,
}

impl Tls {
    pub fn over(&self, host: &str, stream: Timed) -> io::Result<SslStream<Timed>> {
        let ssl = self.session(host).map_err(|error| io::Error::other(said(&error)))?;
        ssl.connect(stream).map_err(|error| match error {
            HandshakeError::SetupFailure(error) => io::Error::other(said(&error)),
            HandshakeError::Failure(broken) | HandshakeError::WouldBlock(broken) => {
                let verified = broken.ssl().verify_result();
                if verified != X509VerifyResult::OK {
                    return io::Error::other(verified.error_string());
                }
                let error = broken.into_error().into_io_error();
                error.unwrap_or_else(|error| match error.ssl_error() {
                    Some(errors) => io::Error::other(said(errors)),
                    // The other side hung up.
                    None => io::ErrorKind::UnexpectedEof.into(),
                })
            }
        })
    }

    fn session(&self, host: &str) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        let address = host.parse::<IpAddr>();
        // A server's name is a name (RFC 6066, 3).
        if address.is_err() {
            ssl.set_hostname(host)?;
        }
        match (self.names, address) {
            (Names::Any, _) => {}
            (Names::Checked, Ok(address)) => ssl.param_mut().set_ip(address)?,
            (Names::Checked, Err(_)) => ssl.param_mut().set_host(host)?,
        }
        Ok(ssl)
    }
}

/// The last of OpenSSL's errors, in its words without file and line.
fn said(errors: &ErrorStack) -> String {
    let last = errors.errors().last().and_then(|error| error.reason());
    last.unwrap_or("TLS failed").to_owned()
}
