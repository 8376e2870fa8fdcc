//! The files of a backup: what is in them, and whether they are as they were written.
//! Never knows: clusters, what was typed, the clock.
//!
//! ```text
//! DIR/manifest.json                            what belongs to the backup, and its checksums
//! DIR/orders-0/00000000000000001200.log        segments as Kafka has them: whole record batches,
//!                                              byte by byte as a broker stores them, the file
//!                                              named after the first one's offset
//! ```
//! The manifest is two lines of JSON and nothing else:
//!
//! ```text
//! {"kaw_backup":2,"crc32c":"0a1b2c3d","backup":
//! {"cluster":…,"topics":{…},"groups":{…}}}
//! ```
//! `crc32c` is that of the second line without its last brace. `topics` has by name the topic's
//! id, the moment its ends were taken (`taken`, ms since 1970), its replicas, the settings it has
//! of its own, and its partitions in their order. A partition has where it begins (`start`) and
//! ends (`end`, exclusive: the last stable offset), the leader epoch of the last batch, the size
//! of the largest, the aborted transactions (producer id, first offset, offset of the marker), and
//! its segments: first offset, bytes, and the CRC-32C of each MiB of the file, the last one
//! shorter, in hexadecimal. `groups` has by name, topic and partition what a group had committed.
//!
//! Where that is not all, a partition says more: `log_start`, where the cluster's log begins now,
//! so that what is before it is here alone; `skipped`, ranges of offsets (the end exclusive) that
//! were gone from the log's start before a run came to them; `missing`, such that no batch had in
//! the middle of a log which was not compacted; `unread`, why it ends before the log did: a batch
//! is `damaged`, no broker gives it (`refused`), or the cluster `lost` what is here from an offset
//! on; `held_back_until`, where the log ended behind an open transaction.
//!
//! A file may be longer than the manifest says: a later backup grew it and came to no end. Files
//! grow and manifests are replaced (written beside, synced, renamed), so that there is always one
//! whole backup, the old or the new. Nothing leaves it but what was to be pruned, and that when a
//! manifest without it is durable. A topic that is gone from the cluster stays as it was.

mod aborted;
mod gaps;
mod manifest;
mod packer;
mod segment;
mod store;
mod sums;
mod trouble;

pub use gaps::Gaps;
pub use manifest::{Manifest, Offsets, Partition, Segment, Topic, Unread};
pub use packer::{Packed, Packer, Parcel, Wanted};
pub use segment::{Batches, Growing, verify};
pub use store::{MANIFEST, Store};
pub use trouble::Trouble;
