//! The sparse indexes of one segment: offset to position, and time to offset, in Kafka's formats.

use std::fmt;

use crate::record::Timestamp;

/// `.index`: i32 last offset of a batch minus the segment's base, i32 position of that batch.
pub(super) const OFFSET_ENTRY_BYTES: usize = 8;
/// `.timeindex`: i64 largest timestamp so far, i32 last offset minus base of the batch with it.
pub(super) const TIME_ENTRY_BYTES: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    /// Of the last record of the batch at `position`, from the segment's base offset.
    pub delta: u32,
    pub position: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub timestamp: Timestamp,
    /// Of the last record of the first batch that reaches this time, from the base offset.
    pub delta: u32,
}

impl OffsetEntry {
    pub(super) fn decode(e: &[u8; OFFSET_ENTRY_BYTES]) -> OffsetEntry {
        OffsetEntry {
            delta: u32::from_be_bytes([e[0], e[1], e[2], e[3]]),
            position: u32::from_be_bytes([e[4], e[5], e[6], e[7]]),
        }
    }
}

impl TimeEntry {
    pub(super) fn decode(e: &[u8; TIME_ENTRY_BYTES]) -> TimeEntry {
        let timestamp = [e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]];
        TimeEntry {
            timestamp: Timestamp(i64::from_be_bytes(timestamp)),
            delta: u32::from_be_bytes([e[8], e[9], e[10], e[11]]),
        }
    }
}

impl fmt::Display for OffsetEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset +{} at byte {}", self.delta, self.position)
    }
}

impl fmt::Display for TimeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time {} at offset +{}", self.timestamp.get(), self.delta)
    }
}

/// Both indexes of a segment, each strictly increasing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub offsets: Vec<OffsetEntry>,
    pub times: Vec<TimeEntry>,
}

impl Index {
    /// From files. `None`: they are not what the log would write for `log_bytes` of log.
    pub(super) fn decode(offsets: &[u8], times: &[u8], log_bytes: u32) -> Option<Index> {
        let index = Index { offsets: decode_offsets(offsets), times: decode_times(times) };
        let whole = offsets.len() == index.offsets.len() * OFFSET_ENTRY_BYTES
            && times.len() == index.times.len() * TIME_ENTRY_BYTES;
        (whole && index.may_be_of(log_bytes)).then_some(index)
    }

    /// Whether a log of so many bytes may have this index.
    fn may_be_of(&self, log_bytes: u32) -> bool {
        let rising = self.offsets.is_sorted_by(rises)
            && self.times.is_sorted_by(|a, b| a.timestamp < b.timestamp && a.delta < b.delta);
        rising && self.offsets.last().is_none_or(|last| last.position < log_bytes)
    }

    /// Whether it speaks only of offsets that are less than so many above the base: what is
    /// appended next comes behind.
    pub(super) fn is_below(&self, offsets: i64) -> bool {
        self.offsets.last().is_none_or(|last| i64::from(last.delta) < offsets)
            && self.times.last().is_none_or(|last| i64::from(last.delta) < offsets)
    }

    pub(super) fn offsets_from(&self, first: usize) -> Vec<u8> {
        self.offsets[first..]
            .iter()
            .flat_map(|entry| {
                let mut bytes = [0; OFFSET_ENTRY_BYTES];
                bytes[..4].copy_from_slice(&entry.delta.to_be_bytes());
                bytes[4..].copy_from_slice(&entry.position.to_be_bytes());
                bytes
            })
            .collect()
    }

    pub(super) fn times_from(&self, first: usize) -> Vec<u8> {
        self.times[first..]
            .iter()
            .flat_map(|entry| {
                let mut bytes = [0; TIME_ENTRY_BYTES];
                bytes[..8].copy_from_slice(&entry.timestamp.get().to_be_bytes());
                bytes[8..].copy_from_slice(&entry.delta.to_be_bytes());
                bytes
            })
            .collect()
    }

    /// The first position behind `position` where a batch is known to begin.
    pub(super) fn position_behind(&self, position: u32) -> Option<u32> {
        let behind = self.offsets.partition_point(|entry| entry.position <= position);
        self.offsets.get(behind).map(|entry| entry.position)
    }

    /// Where to start looking for the record `delta` above the base offset. `None`: at the front.
    pub(super) fn entry_before(&self, delta: u32) -> Option<OffsetEntry> {
        let after = self.offsets.partition_point(|entry| entry.delta <= delta);
        after.checked_sub(1).map(|at| self.offsets[at])
    }

    /// The last known start of a batch at or below `position`.
    pub(super) fn boundary_before(&self, position: u32) -> Option<OffsetEntry> {
        let after = self.offsets.partition_point(|entry| entry.position <= position);
        after.checked_sub(1).map(|at| self.offsets[at])
    }

    /// Where to start looking for the first record at or after `time`: no earlier one is that
    /// young. `None`: at the front.
    pub(super) fn time_before(&self, time: Timestamp) -> Option<TimeEntry> {
        let after = self.times.partition_point(|entry| entry.timestamp <= time);
        after.checked_sub(1).map(|at| self.times[at])
    }

    pub(super) fn push_offset(&mut self, entry: OffsetEntry) {
        assert!(self.offsets.last().is_none_or(|last| rises(last, &entry)), "the index rises");
        self.offsets.push(entry);
    }

    /// Adds the largest time so far, unless it is there already (TimeIndex.maybeAppend).
    pub(super) fn push_time(&mut self, entry: TimeEntry) {
        if self.times.last().is_none_or(|last| last.timestamp < entry.timestamp) {
            self.times.push(entry);
        }
    }

    /// Both hold as much as their files may (AbstractIndex.isFull; the time index keeps one entry
    /// free for the last one).
    pub(super) fn is_full(&self, bytes_max: u32) -> bool {
        let bytes_max = bytes_max as usize;
        self.offsets.len() >= bytes_max / OFFSET_ENTRY_BYTES
            || self.times.len() + 1 >= bytes_max / TIME_ENTRY_BYTES
    }

    /// Keeps what describes the first `log_bytes` of the log and comes first in the files; what
    /// lies behind was perhaps never written. `counts` are offsets and times.
    pub(super) fn decode_prefix(
        offsets: &[u8],
        times: &[u8],
        counts: (usize, usize),
        log_bytes: u32,
    ) -> Option<Index> {
        let mut index = Index { offsets: decode_offsets(offsets), times: decode_times(times) };
        if index.offsets.len() < counts.0 || index.times.len() < counts.1 {
            return None;
        }
        index.offsets.truncate(counts.0);
        index.times.truncate(counts.1);
        index.may_be_of(log_bytes).then_some(index)
    }
}

pub(super) fn offsets_bytes(count: usize) -> u64 {
    (count * OFFSET_ENTRY_BYTES) as u64
}

pub(super) fn times_bytes(count: usize) -> u64 {
    (count * TIME_ENTRY_BYTES) as u64
}

fn rises(a: &OffsetEntry, b: &OffsetEntry) -> bool {
    a.delta < b.delta && a.position < b.position
}

fn decode_offsets(bytes: &[u8]) -> Vec<OffsetEntry> {
    bytes.as_chunks().0.iter().map(OffsetEntry::decode).collect()
}

fn decode_times(bytes: &[u8]) -> Vec<TimeEntry> {
    bytes.as_chunks().0.iter().map(TimeEntry::decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Index {
        let mut index = Index::default();
        for n in 1..=3 {
            index.push_offset(OffsetEntry { delta: n * 10, position: n * 5000 });
            index.push_time(TimeEntry { timestamp: Timestamp(100 * i64::from(n)), delta: n * 10 });
        }
        index
    }

    #[test]
    fn lookups_never_start_behind_what_they_seek() {
        let index = sample();
        let position = |entry: OffsetEntry| entry.position;
        for (delta, want) in [(0, 0), (9, 0), (10, 5000), (29, 10000), (99, 15000)] {
            assert_eq!(index.entry_before(delta).map_or(0, position), want, "offset {delta}");
        }
        for (at, want) in [(0, 0), (4999, 0), (5000, 5000), (99999, 15000)] {
            assert_eq!(index.boundary_before(at).map_or(0, position), want, "position {at}");
        }
        for (time, want) in [(0, 0), (99, 0), (100, 10), (250, 20), (999, 30)] {
            let before = index.time_before(Timestamp(time));
            assert_eq!(before.map_or(0, |entry| entry.delta), want, "time {time}");
        }
    }

    #[test]
    fn files_are_believed_only_when_whole_and_rising() {
        let index = sample();
        let (offsets, times) = (index.offsets_from(0), index.times_from(0));
        assert_eq!(Index::decode(&offsets, &times, 20000), Some(index));
        assert_eq!(Index::decode(&offsets[..20], &times, 20000), None);
        assert_eq!(Index::decode(&offsets, &times[..30], 20000), None);
        assert_eq!(Index::decode(&offsets, &times, 15000), None);
        assert_eq!(Index::decode(&[&offsets[..], &[0; 8]].concat(), &times, 20000), None);
    }

    #[test]
    fn the_front_of_a_file_is_believed_only_when_rising_and_inside() {
        let index = sample();
        let (offsets, times) = (index.offsets_from(0), index.times_from(0));
        let decode = |offsets: &[u8], counts| Index::decode_prefix(offsets, &times, counts, 15001);
        let torn = [&offsets[..], &[0; 8]].concat();
        assert_eq!(decode(&torn, (3, 3)), Some(index));
        assert_eq!(decode(&torn, (4, 3)), None, "it does not rise");
        assert_eq!(decode(&torn, (5, 3)), None, "as many are not there");
        assert_eq!(Index::decode_prefix(&offsets, &times, (3, 3), 15000), None, "it is outside");
    }
}
