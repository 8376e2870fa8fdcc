//! Frames: headers before bodies, lengths before frames.
//! Never knows: sockets, or which APIs there are.
//!
//! ```text
//! request   i32 length | i16 key | i16 version | i32 correlation | client id | (tags) | body
//! response  i32 length | i32 correlation | (tags) | body
//! ```
//! The tags are there when the body is flexible, but never in the response to ApiVersions: a client
//! must be able to read it before it knows what the broker speaks (KIP-511).

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::api_key::ApiKey;
use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Splice, Version, Writer};
use super::field::Text;
use super::message::Message;

/// The request of an API, and what belongs to the API.
pub trait Request: Message {
    const KEY: ApiKey;
    /// What is implemented, and so what may be advertised.
    const VERSIONS: RangeInclusive<i16>;
    const FLEXIBLE_FROM: i16;
    type Response: Message;

    fn version(number: i16) -> Version {
        Version { number, flexible: Self::FLEXIBLE_FROM <= number }
    }
}

/// What precedes every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub key: ApiKey,
    pub version: i16,
    pub correlation: i32,
    /// Not always UTF-8 in the wild, and no reason to refuse anybody.
    pub client_id: Option<Text>,
}

/// A request with its header taken off, its body not looked at yet.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub header: RequestHeader,
    rest: Bytes,
}

const OLD: Version = Version { number: 0, flexible: false };

impl Envelope {
    /// Opens a frame (without its length).
    pub fn open(frame: Bytes) -> Result<Envelope, DecodeError> {
        let mut reader = Reader::new(frame, OLD);
        let key = ApiKey::read(&mut reader)?;
        let version = i16::read(&mut reader)?;
        let correlation = i32::read(&mut reader)?;
        // The client id keeps the old form of a string in flexible versions too.
        let client_id = match reader.short_length()? {
            None => None,
            Some(length) => Some(String::from_utf8_lossy(reader.slice(length)?).into()),
        };
        let header = RequestHeader { key, version, correlation, client_id };
        Ok(Envelope { header, rest: reader.rest() })
    }

    /// Reads the body as the request that the header announces. What follows it is ignored, as
    /// Kafka does.
    pub fn request<R: Request>(self) -> Result<R, DecodeError> {
        assert_eq!(self.header.key, R::KEY, "the header announces this request");
        if !R::VERSIONS.contains(&self.header.version) {
            return Err(Fault::Version(self.header.version).into());
        }
        let mut reader = Reader::new(self.rest, R::version(self.header.version));
        skip_tags(&mut reader)?;
        R::read(&mut reader)
    }
}

/// A whole frame, but for the bytes that are to be sent from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub splices: Vec<Splice>,
}

/// A stretch of a frame, in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Bytes(&'a [u8]),
    Elsewhere(usize),
}

impl Encoded {
    /// Everything that goes onto the wire, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut start = 0;
        let spliced = self.splices.iter().flat_map(move |splice| {
            let bytes = &self.bytes[start..splice.at];
            start = splice.at;
            [Part::Bytes(bytes), Part::Elsewhere(splice.len)]
        });
        let last = self.splices.last().map_or(0, |splice| splice.at);
        spliced.chain([Part::Bytes(&self.bytes[last..])])
    }

    /// The bytes on the wire, those from elsewhere counted.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.splices.iter().map(|splice| splice.len).sum::<usize>()
    }
}

/// Encodes a request for a server that speaks this version.
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation: i32,
    client_id: &str,
) -> Result<Encoded, EncodeError> {
    let body = R::version(version);
    let mut writer = begin(OLD);
    R::KEY.write(&mut writer)?;
    version.write(&mut writer)?;
    correlation.write(&mut writer)?;
    writer.short_length(Some(client_id.len()))?;
    writer.slice(client_id.as_bytes());
    writer.set_version(body);
    if body.flexible {
        writer.uvarint(0);
    }
    request.write(&mut writer)?;
    finish(writer)
}

/// Encodes the answer to a request of this version.
pub fn encode_response<R: Request>(
    response: &R::Response,
    version: i16,
    correlation: i32,
) -> Result<Encoded, EncodeError> {
    let body = R::version(version);
    let mut writer = begin(body);
    correlation.write(&mut writer)?;
    if body.flexible && R::KEY != ApiKey::API_VERSIONS {
        writer.uvarint(0);
    }
    response.write(&mut writer)?;
    finish(writer)
}

/// Reads the correlation id off a response frame (without its length).
pub fn response_correlation(frame: &Bytes) -> Result<i32, DecodeError> {
    i32::read(&mut Reader::new(frame.clone(), OLD))
}

/// Reads a response frame (without its length).
pub fn decode_response<R: Request>(frame: Bytes, version: i16) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::new(frame, R::version(version));
    i32::read(&mut reader)?;
    if R::KEY != ApiKey::API_VERSIONS {
        skip_tags(&mut reader)?;
    }
    R::Response::read(&mut reader)
}

fn skip_tags(reader: &mut Reader) -> Result<(), DecodeError> {
    match reader.version().flexible {
        true => reader.tags(|_, _| Ok(())),
        false => Ok(()),
    }
}

const LENGTH_SIZE: usize = 4;

fn begin(version: Version) -> Writer {
    let mut writer = Writer::with_capacity(256, version);
    writer.slice(&[0; LENGTH_SIZE]);
    writer
}

fn finish(writer: Writer) -> Result<Encoded, EncodeError> {
    let (bytes, splices) = writer.into_parts();
    let mut encoded = Encoded { bytes, splices };
    let length = encoded.size() - LENGTH_SIZE;
    let length = i32::try_from(length)
        .map_err(|_| EncodeError::TooLong { bytes: length, bytes_max: i32::MAX as usize })?;
    encoded.bytes[..LENGTH_SIZE].copy_from_slice(&length.to_be_bytes());
    Ok(encoded)
}
