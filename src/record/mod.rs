//! What a record batch is made of: ids, the batch view, varints, checksums, compression.
//! Never knows: anything else in this program; it does no I/O and reads no clock.

mod ids;
#[allow(clippy::module_inception)] // A record is what it holds.
mod record;

pub use ids::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Timestamp, Uuid};
pub use record::{Delivered, Header, Outgoing, Record, TimestampType};
