//! The durable log of one partition.
//! Never knows: topics, requests, clap, tokio, the clock.
//!
//! A `Log` is used under one lock per partition. What may block for long (fdatasync) is handed
//! out as a value, `SyncTarget` or `Checkpoint`, whose `run` needs no lock; the outcome is then
//! reported back. Appends and reads touch the page cache only.
//!
//! Its verbs, a file each: `recover` opens it, `append` takes batches and `roll` begins segments
//! for them, `read` and `by_time` find batches, `unsynced` says what is to be synced and what a
//! checkpoint is to say, `remove` and `clean` let go of what is old or replaced, `transactions`
//! ends what is open. `inspect` looks at the files without opening the log.

mod aborted;
mod append;
mod by_time;
mod clean;
mod disk;
mod epochs;
mod facts;
mod files;
mod index;
mod indexed;
pub mod inspect;
mod missing;
mod part;
mod pieces;
mod producers;
mod read;
mod recover;
mod remove;
mod retention;
mod roll;
mod saved;
mod segment;
mod sync;
mod text;
mod transactions;
mod unsynced;
mod walk;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use aborted::Aborted;
pub use by_time::Newest;
pub use clean::Pace;
pub use disk::{Disk, DiskFile, Listed, Open, RealDisk, RealFile, is_full, not_regular, regular};
pub use facts::{
    AppendError, Appended, Cleanup, CompactError, Compaction, Found, Known, OpenError, Outcome,
    ReadError, Recovered, Removed, Retention, Settings, Slice, Stamp, Trust, Unchecked,
};
pub use part::Part;
pub use pieces::Piece;
pub use remove::Removal;
pub use sync::{Checkpoint, Draft, SyncTarget};
pub use text::{BadLine, PartitionOffset, read_offsets, replace, write_offsets};
pub use transactions::{Decision, OpenTransaction};

use crate::record::{LeaderEpoch, Offset, Timestamp, Uuid};
use epochs::Epochs;
use files::{Failed, Files};
use producers::Producers;
use segment::Segment;
use sync::Syncing;
use unsynced::Unsynced;

/// The log of one partition. Costs a directory only once something is appended.
pub struct Log<D: Disk> {
    files: Files<D>,
    topic_id: Uuid,
    settings: Settings,
    /// In order of their base offsets; only the last one grows. None: nothing was ever appended.
    segments: Vec<Segment<D::File>>,
    start: Offset,
    end: Offset,
    producers: Producers,
    epochs: Epochs,
    /// By the base offset of the segment in which they ended.
    aborted: BTreeMap<Offset, Vec<Aborted>>,
    /// Of these segments, what is known is more than their files say.
    aborted_unsaved: BTreeSet<Offset>,
    /// The offsets of the snapshots on disk.
    snapshots: Vec<Offset>,
    /// The closed segments that were read last. They stay open.
    reading: read::Reading,
    /// Where recent batches of the last segment begin, for readers at the tail.
    recent: read::Recent,
    /// The last batch: its position in the last segment, and its CRC.
    last_batch: (u32, u32),
    unsynced: Unsynced<D::File>,
    unchecked_bytes: u64,
    /// Since when there are any.
    unchecked_since: Timestamp,
    /// In which segment the last durable checkpoint is.
    checkpoint_segment: Option<Offset>,
    /// Where it says that the log begins.
    start_saved: Offset,
    /// Everything before it was compacted.
    compacted: Offset,
    /// Where a segment begins, before which all is durable. An ack is not enough for that: whoever
    /// begins there believes the indexes of what comes before, which only a checkpoint syncs.
    recovery_point: Offset,
    /// A write failed and what it left behind could not be cut off yet.
    half_written: bool,
    syncing: Arc<Syncing>,
    /// Something is not as the files say; `close` has work to do.
    changed: bool,
}

impl<D: Disk> Log<D> {
    /// The first readable offset.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The next record's offset (LEO).
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The end of what is decided: before the first record of any open transaction (LSO).
    pub fn stable_end(&self) -> Offset {
        let open = self.producers.first_open_transaction();
        open.map_or(self.end, |first| first.clamp(self.start, self.end))
    }

    /// The aborted transactions that what `read` returns may belong to.
    pub fn aborted(&mut self, from: Offset, end: Offset) -> Result<Vec<Aborted>, ReadError> {
        if self.aborted.is_empty() {
            return Ok(Vec::new());
        }
        let Some((at_segment, _)) = self.locate(from)? else { return Ok(Vec::new()) };
        // What is read lies in one segment.
        let end = self.segments.get(at_segment + 1).map_or(end, |next| next.base.min(end));
        let touches = |aborted: &&Aborted| from <= aborted.last && aborted.first < end;
        // One that ended in an earlier segment touches nothing here.
        let since = self.aborted.range(self.segments[at_segment].base..);
        Ok(since.flat_map(|(_, of_segment)| of_segment).filter(touches).copied().collect())
    }

    /// What the next start should know of the log.
    pub fn known(&self) -> Known {
        let unless_first = |offset: Offset| Some(offset).filter(|offset| Offset::ZERO < *offset);
        Known {
            log_start: unless_first(self.start),
            recovery_point: Some(self.recovery_point),
            compacted: Some(self.compacted).filter(|compacted| self.start < *compacted),
            trust: Trust::default(),
            is_ours: false,
        }
    }

    /// What the records take on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.bytes)).sum()
    }

    /// Goes by other settings from now on.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The epoch of the last batch.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// The epoch under which the record at `offset` was appended.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.at(offset)
    }

    /// Where an epoch ended (OffsetForLeaderEpoch): the largest epoch not above `epoch`, and the
    /// offset at which the next one began. `None`: Kafka's undefined (-1, -1).
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let (epoch, end) = self.epochs.end_of(epoch, self.end)?;
        Some((epoch, end.max(self.start)))
    }
}

const METADATA: &str = "partition.metadata";
pub const EPOCHS: &str = "leader-epoch-checkpoint";

impl From<Failed> for AppendError {
    fn from(Failed { path, error }: Failed) -> AppendError {
        AppendError::Disk { path, error }
    }
}

impl From<Failed> for ReadError {
    fn from(Failed { path, error }: Failed) -> ReadError {
        ReadError::Disk { path, error }
    }
}

impl From<Failed> for OpenError {
    fn from(Failed { path, error }: Failed) -> OpenError {
        OpenError::Disk { path, error }
    }
}
