//! Kafka's wire format: frames, primitives, one file of messages an API.
//! Never knows: sockets, files, the clock.

mod api_key;
mod codec;
mod error_code;
mod field;
mod frame;
mod message;
mod named;

pub mod api_versions;
pub mod fetch;
pub mod metadata;
pub mod produce;

pub use api_key::ApiKey;
pub use codec::{DecodeError, EncodeError, Splice};
pub use error_code::ErrorCode;
pub use field::{Isolation, NodeId, Records, Secret, Text};
pub use frame::{
    Encoded, Envelope, Part, Request, RequestHeader, decode_response, encode_request,
    encode_response, response_correlation,
};
