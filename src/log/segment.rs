//! One segment: a file of batches, what is known of it, and when it is full.

use std::sync::Arc;

use super::facts::Settings;
use super::index::{Index, OffsetEntry, TimeEntry};
use crate::record::{BatchView, Offset, Timestamp};

/// A segment of the log. Only the last one grows.
pub(super) struct Segment<F> {
    pub base: Offset,
    pub bytes: u32,
    /// So many of the bytes are known to be durable.
    pub synced: u32,
    /// Open while it grows, is not durable, or is read.
    pub file: Option<Arc<F>>,
    pub times: Times,
    /// In memory while the segment grows or is read.
    pub index: Option<Index>,
    /// How many entries of each index its files hold.
    pub saved: (usize, usize),
    pub since_entry_bytes: u32,
    /// When this process met it.
    pub born: Timestamp,
    pub modified: Timestamp,
}

/// What is known of the times in a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// Of the first batch: its largest.
    pub first: Option<Timestamp>,
    pub largest: Largest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Largest {
    /// Nobody has looked yet.
    Unknown,
    /// No record has a time.
    #[default]
    None,
    At(TimeEntry),
}

/// A batch that is to be appended, as far as it matters for the roll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coming {
    pub bytes: u32,
    pub last_offset: Offset,
    pub max_timestamp: Timestamp,
    pub now: Timestamp,
}

impl<F> Segment<F> {
    /// An empty one that will grow.
    pub(super) fn new(base: Offset, file: Arc<F>, now: Timestamp) -> Segment<F> {
        Segment {
            base,
            bytes: 0,
            synced: 0,
            file: Some(file),
            times: Times::default(),
            index: Some(Index::default()),
            saved: (0, 0),
            since_entry_bytes: 0,
            born: now,
            modified: now,
        }
    }

    /// One that lies on disk, of which nothing was read.
    pub(super) fn found(
        base: Offset,
        bytes: u32,
        modified: Timestamp,
        now: Timestamp,
    ) -> Segment<F> {
        Segment {
            base,
            bytes,
            synced: 0,
            file: None,
            times: Times { first: None, largest: Largest::Unknown },
            index: None,
            saved: (0, 0),
            since_entry_bytes: 0,
            born: now,
            modified,
        }
    }

    /// Forgets what is known of the contents, to read them again.
    pub(super) fn reset(&mut self) {
        self.bytes = 0;
        self.synced = 0;
        self.times = Times::default();
        self.index = Some(Index::default());
        self.saved = (0, 0);
        self.since_entry_bytes = 0;
    }

    pub(super) fn delta(&self, offset: Offset) -> Option<u32> {
        // Kafka's relative offsets are signed (OffsetIndex.toRelative).
        let delta = offset.get().checked_sub(self.base.get())?;
        u32::try_from(i32::try_from(delta).ok()?).ok()
    }

    /// Closes the file, if it is durable: it is opened again when somebody reads it.
    pub(super) fn let_go(&mut self) {
        if self.synced == self.bytes {
            self.file = None;
            self.index = None;
        }
    }

    /// The largest time, or when the file was written last if no record has a time.
    pub(super) fn age_mark(&self) -> Timestamp {
        match self.times.largest {
            Largest::At(entry) => entry.timestamp,
            Largest::None | Largest::Unknown => self.modified,
        }
    }

    /// Whether a new segment begins before `coming` (LogSegment.shouldRoll). Waiting counts in
    /// record time, so that imports of old records roll as they would have rolled then.
    pub(super) fn is_full_for(&self, coming: &Coming, settings: &Settings) -> bool {
        let waited_ms = match self.times.first {
            Some(first) if first.get() >= 0 => {
                coming.max_timestamp.get().saturating_sub(first.get())
            }
            _ => coming.now.get().saturating_sub(self.born.get()),
        };
        let room = settings.segment_bytes.saturating_sub(coming.bytes);
        self.bytes > room
            || (self.bytes > 0 && waited_ms > settings.segment_ms)
            || self.index.as_ref().is_some_and(|index| index.is_full(settings.index_bytes_max))
            || self.delta(coming.last_offset).is_none()
    }

    /// `batch` lies at the end of the segment: its indexes and times follow (LogSegment.append).
    pub(super) fn note(&mut self, batch: &BatchView<'_>, size: u32, interval_bytes: u32) {
        let position = self.bytes;
        let delta = self.delta(batch.last_offset()).expect("the roll keeps offsets near the base");
        let timestamp = batch.max_timestamp();
        if position == 0 {
            self.times.first = Some(timestamp);
        }
        let known = match self.times.largest {
            Largest::At(entry) => entry.timestamp,
            Largest::None | Largest::Unknown => Timestamp(-1),
        };
        // In an emptied batch nobody finds a record of that time.
        if timestamp > known && 0 < batch.count() {
            self.times.largest = Largest::At(TimeEntry { timestamp, delta });
        }
        let index = self.index.as_mut().expect("a growing segment has its index in memory");
        if self.since_entry_bytes > interval_bytes {
            index.push_offset(OffsetEntry { delta, position });
            if let Largest::At(entry) = self.times.largest {
                index.push_time(entry);
            }
            self.since_entry_bytes = 0;
        }
        self.since_entry_bytes += size;
        self.bytes += size;
    }

    /// What lies up to there is damaged. The next batch gets an entry, so that readers find it.
    pub(super) fn skip_to(&mut self, position: u32) {
        self.bytes = position;
        self.since_entry_bytes = 1 << 31;
    }

    /// The last entry of the time index is the largest time of all, once the segment is done.
    pub(super) fn finish_index(&mut self) {
        if let (Largest::At(entry), Some(index)) = (self.times.largest, self.index.as_mut()) {
            index.push_time(entry);
        }
    }
}
