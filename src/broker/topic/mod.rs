//! The topics of a data directory: what there is, how it comes and goes.
//! Never knows: requests, sockets.

mod broken;
pub mod catalogue;
mod commit;
mod compaction;
mod directory;
mod file_system;
pub mod housekeeping;
pub mod names;
mod partition;
mod producer_ids;
mod report;
#[cfg(test)]
mod tests;
mod topics;
mod transactions;
mod waiters;
mod whole;

pub use catalogue::check;
pub use commit::{SyncFailed, Ticket};
pub use partition::{Batches, Extent, Partition, Read, Reader, Trimmed, Untrimmed, Unusable, now};
pub use topics::{Alteration, ChangeError, Growth, NewTopic, Target, Topic, Topics};
pub use waiters::Waiting;

/// Batches in a file, on their way to a client.
pub type Slice = crate::log::Slice<crate::log::RealFile>;
