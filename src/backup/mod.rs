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
//! {"kaw_backup":1,"crc32c":"0a1b2c3d","backup":
//! {"cluster":…,"topics":{…},"groups":{…}}}
//! ```
//! `crc32c` is that of the second line without its last brace. `topics` has by name the topic's
//! id, the moment its ends were taken (`taken`, ms since 1970), its replicas, the settings it has
//! of its own, and its partitions in their order. A partition has where it began (`start`) and
//! ended (`end`, exclusive: the last stable offset), the leader epoch of the last batch, the size
//! of the largest, the aborted transactions (producer id, first offset, offset of the marker), and
//! its segments: first offset, bytes, and the CRC-32C of each MiB of the file, the last one
//! shorter, in hexadecimal; and, where a batch of the cluster's log was damaged and the partition
//! so ends before it, what was wrong with it (`unread`). `groups` has by name, topic and partition
//! what a group had committed.
//!
//! A file may be longer than the manifest says: a later backup grew it and came to no end. Files
//! grow and manifests are replaced (written beside, synced, renamed), so that there is always one
//! whole backup, the old or the new. What retention has removed from a topic leaves with the
//! next backup. A topic that is gone from the cluster stays as it was.

mod aborted;
mod manifest;
mod packer;
mod segment;
mod store;
mod sums;
mod trouble;

pub use manifest::{Manifest, Offsets, Partition, Segment, Topic};
pub use packer::{Packed, Packer, Parcel, Wanted};
pub use segment::{Batches, Growing, verify};
pub use store::{MANIFEST, Store};
pub use trouble::Trouble;
