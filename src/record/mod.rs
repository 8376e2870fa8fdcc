//! What a record batch is made of: ids, the batch view, varints, checksums, compression.
//! Never knows: anything else in this program; it does no I/O and reads no clock.

mod batch;
mod builder;
mod codec;
mod entries;
mod ids;
#[allow(clippy::module_inception)] // A record is what it holds.
mod record;
mod skim;
mod stencil;
mod thin;
mod validate;
pub mod varint;

pub use batch::{BatchError, BatchView, HEADER_BYTES, Producer, Scratch, batches};
pub use builder::{BatchBuilder, send_again};
pub use codec::Codec;
pub use ids::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Timestamp, Uuid};
pub use record::{Delivered, Header, Outgoing, Record, TimestampType, Watermarks};
pub use skim::Glimpse;
pub use stencil::Stencil;
pub use thin::{Sketch, Sketches, emptied, thin};
pub use validate::{Invalid, Keys, Rules, Times, Zstd, validate};

/// To what the records of one batch may decompress where they are all held at once.
pub const INFLATED_BYTES_MAX: usize = 256 << 20;
