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

#[cfg(test)]
mod tests {
    use kafka_protocol::messages as theirs;
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

    use super::super::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
    use super::super::fetch::{FetchRequest, FetchResponse, FetchedPartition, FetchedTopic};
    use super::super::metadata::{MetadataRequest, MetadataResponse};
    use super::super::{ErrorCode, Records};
    use super::*;

    fn frame(encoded: Encoded) -> Bytes {
        let bytes = Bytes::from(encoded.bytes);
        let (length, frame) = bytes.split_first_chunk::<4>().unwrap();
        assert_eq!(u32::from_be_bytes(*length) as usize, frame.len());
        bytes.slice(4..)
    }

    #[track_caller]
    fn check_request<R: Request + PartialEq + std::fmt::Debug>(
        request: R,
        version: i16,
        header_version: i16,
    ) {
        let bytes = frame(encode_request(&request, version, 7, "me").unwrap());
        let mut rest = bytes.clone();
        let header = theirs::RequestHeader::decode(&mut rest, header_version).unwrap();
        assert_eq!((header.request_api_key, header.request_api_version), (R::KEY.0, version));
        assert_eq!((header.correlation_id, header.client_id.as_deref()), (7, Some("me")));
        let envelope = Envelope::open(bytes.clone()).unwrap();
        assert_eq!(envelope.header.client_id.as_deref(), Some("me"));
        assert_eq!(envelope.request::<R>().unwrap(), request);
        let body = Reader::new(rest, R::version(version));
        assert_eq!(R::read(&mut { body }).unwrap(), request);
        for length in 0..bytes.len() {
            let short = Envelope::open(bytes.slice(..length)).and_then(Envelope::request::<R>);
            assert!(short.is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn request_headers_are_kafkas() {
        let request = || MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
        check_request(request(), 4, 1);
        check_request(request(), 9, 2);
        let software = ApiVersionsRequest {
            client_software_name: "kaw".into(),
            client_software_version: "1".into(),
        };
        check_request(software, 3, 2);
    }

    #[test]
    fn a_header_may_carry_tags_no_client_id_and_broken_text() {
        let mut header = theirs::RequestHeader::default()
            .with_request_api_key(3)
            .with_request_api_version(12)
            .with_correlation_id(1)
            .with_client_id(None);
        header.unknown_tagged_fields.insert(9, Bytes::from_static(b"later"));
        let mut bytes = bytes::BytesMut::new();
        header.encode(&mut bytes, 2).unwrap();
        theirs::MetadataRequest::default().encode(&mut bytes, 12).unwrap();
        let envelope = Envelope::open(bytes.freeze()).unwrap();
        assert_eq!(envelope.header.client_id, None);
        assert_eq!(envelope.request::<MetadataRequest>().unwrap().topics, Some(Vec::new()));
        let latin = Bytes::from_static(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0xe4, 0, 0, 0, 0]);
        let envelope = Envelope::open(latin).unwrap();
        assert_eq!(envelope.header.client_id.as_deref(), Some("\u{fffd}"));
        assert!(envelope.request::<MetadataRequest>().is_ok());
    }

    #[test]
    fn a_version_that_is_not_implemented_is_not_read() {
        let bytes = Bytes::from_static(&[0, 3, 0, 99, 0, 0, 0, 0, 0xff, 0xff]);
        let error = Envelope::open(bytes).unwrap().request::<MetadataRequest>().unwrap_err();
        assert_eq!(error.to_string(), "version 99 is not known");
    }

    #[track_caller]
    fn check_response<R: Request>(response: R::Response, version: i16, header_version: i16)
    where
        R::Response: PartialEq + std::fmt::Debug,
    {
        let bytes = frame(encode_response::<R>(&response, version, 7).unwrap());
        assert_eq!(response_correlation(&bytes), Ok(7));
        let mut rest = bytes.clone();
        let header = theirs::ResponseHeader::decode(&mut rest, header_version).unwrap();
        assert_eq!(header.correlation_id, 7);
        let mut body = Reader::new(rest, R::version(version));
        assert_eq!(R::Response::read(&mut body).as_ref(), Ok(&response));
        body.finish().unwrap();
        assert_eq!(decode_response::<R>(bytes, version), Ok(response));
    }

    #[test]
    fn response_headers_are_kafkas() {
        check_response::<MetadataRequest>(MetadataResponse::default(), 8, 0);
        check_response::<MetadataRequest>(MetadataResponse::default(), 9, 1);
        // Readable before anybody knows what the broker speaks (KIP-511).
        check_response::<ApiVersionsRequest>(ApiVersionsResponse::default(), 0, 0);
        check_response::<ApiVersionsRequest>(ApiVersionsResponse::default(), 4, 0);
    }

    fn fetched(records: Vec<Records>) -> FetchResponse {
        let partitions =
            records.into_iter().map(|records| FetchedPartition { records, ..Default::default() });
        let topic = FetchedTopic {
            name: "t".into(),
            partitions: partitions.collect(),
            ..Default::default()
        };
        FetchResponse { error_code: ErrorCode::NONE, topics: vec![topic], ..Default::default() }
    }

    #[test]
    fn what_is_sent_from_elsewhere_lands_where_it_belongs() {
        let files = [vec![b'a'; 300], Vec::new(), vec![b'c'; 70_000]];
        for version in FetchRequest::VERSIONS {
            let here = files.iter().map(|file| Records::Here(file.clone().into())).collect();
            let whole = encode_response::<FetchRequest>(&fetched(here), version, 7).unwrap();
            let elsewhere = files.iter().map(|file| Records::Elsewhere(file.len())).collect();
            let spliced = encode_response::<FetchRequest>(&fetched(elsewhere), version, 7).unwrap();
            assert_eq!(spliced.size(), whole.bytes.len());
            let mut sent = Vec::new();
            let mut next = files.iter();
            for part in spliced.parts() {
                match part {
                    Part::Bytes(bytes) => sent.extend_from_slice(bytes),
                    Part::Elsewhere(length) => {
                        let file = next.next().unwrap();
                        assert_eq!(file.len(), length);
                        sent.extend_from_slice(file);
                    }
                }
            }
            assert_eq!(sent, whole.bytes, "version {version}");
        }
    }

    #[test]
    fn a_client_of_theirs_reads_what_was_spliced() {
        let response = fetched(vec![Records::Here(Bytes::from_static(b"batches"))]);
        let mut bytes = frame(encode_response::<FetchRequest>(&response, 12, 7).unwrap());
        theirs::ResponseHeader::decode(&mut bytes, 1).unwrap();
        let read = theirs::FetchResponse::decode(&mut bytes, 12).unwrap();
        assert_eq!(read.responses[0].topic.0, StrBytes::from_static_str("t"));
        assert_eq!(read.responses[0].partitions[0].records.as_deref(), Some(&b"batches"[..]));
    }
}
