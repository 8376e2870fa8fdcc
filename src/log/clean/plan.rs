//! What of a log is to be compacted, whether it is worth the work, and in what pieces
//! (LogCleanerManager.java, Cleaner.groupSegmentsBySize). Pure: others read and write.

use std::ops::Range;

use super::super::facts::{Compaction, Settings};
use crate::record::{HEADER_BYTES, Offset, Timestamp};

/// So many segments become one at most: each is a few files to remove under the log's lock.
const GROUP_SEGMENTS_MAX: usize = 100;

/// A closed segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub base: Offset,
    /// Where the next segment begins.
    pub next: Offset,
    pub bytes: u32,
    /// Of its first batch, where that was asked for.
    pub first_time: Option<Timestamp>,
    /// The largest, where that was asked for.
    pub last_time: Timestamp,
}

/// Work that is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Due {
    pub first_dirty: Offset,
    /// What lies behind is not compacted yet.
    pub end: Offset,
    /// How much of what would be read was never compacted before.
    pub dirty_ratio: f64,
}

/// Whether the closed segments are to be compacted from `first_dirty` on, up to `bound` at most.
pub(super) fn due(
    closed: &[Span],
    first_dirty: Offset,
    bound: Offset,
    rules: &Compaction,
    now: Timestamp,
) -> Option<Due> {
    let ago = |ms: i64| Timestamp(now.get().saturating_sub(ms));
    let dirty = || closed.iter().filter(|span| first_dirty < span.next);
    let too_young = |span: &&Span| 0 < rules.lag_ms_min && ago(rules.lag_ms_min) < span.last_time;
    let end = dirty().find(too_young).map_or(bound, |span| bound.min(span.base)).max(first_dirty);
    let sum = |spans: &mut dyn Iterator<Item = &Span>| -> u64 {
        spans.map(|span| u64::from(span.bytes)).sum()
    };
    let cleanable = sum(&mut dirty().filter(|span| span.next <= end));
    let clean = sum(&mut closed.iter().filter(|span| span.base < first_dirty));
    let too_old = |time: Timestamp| Timestamp(0) < time && time < ago(rules.lag_ms_max);
    let overdue = dirty().filter_map(|span| span.first_time).any(too_old);
    let dirty_ratio = cleanable as f64 / (clean + cleanable).max(1) as f64;
    let is_due = 0 < cleanable && (overdue || rules.dirty_ratio_min < dirty_ratio);
    is_due.then_some(Due { first_dirty, end, dirty_ratio })
}

/// The first segments, those that begin before `end`, in groups that become one segment each.
pub(super) fn groups(closed: &[Span], end: Offset, settings: &Settings) -> Vec<Range<usize>> {
    let count = closed.iter().take_while(|span| span.base < end).count();
    let mut groups: Vec<Range<usize>> = Vec::new();
    for at in 0..count {
        match groups.last_mut() {
            Some(group) if belongs(&closed[group.start..=at], settings) => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

/// Whether one segment can hold all of these, whatever is left of them.
fn belongs(group: &[Span], settings: &Settings) -> bool {
    let bytes: u64 = group.iter().map(|span| u64::from(span.bytes)).sum();
    let each = u64::from(settings.index_interval_bytes).max(HEADER_BYTES as u64);
    let index_bytes = (bytes / each + 2) * TIME_ENTRY_BYTES;
    let (first, last) = (group[0], group[group.len() - 1]);
    let offsets = last.next.get() - first.base.get();
    bytes <= u64::from(settings.segment_bytes)
        && index_bytes <= u64::from(settings.index_bytes_max)
        && offsets <= i64::from(i32::MAX)
        && group.len() <= GROUP_SEGMENTS_MAX
}

/// The larger of the two kinds of index entries.
const TIME_ENTRY_BYTES: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100_000);

    fn rules(min: f64, lag_ms_min: i64, lag_ms_max: i64) -> Compaction {
        Compaction { dirty_ratio_min: min, lag_ms_min, lag_ms_max, ..Compaction::default() }
    }

    /// Segments of 100 bytes and 10 offsets each, the times of the n-th n seconds.
    fn spans(count: i64) -> Vec<Span> {
        let span = |n: i64| Span {
            base: Offset(n * 10),
            next: Offset(n * 10 + 10),
            bytes: 100,
            first_time: Some(Timestamp(n * 1000)),
            last_time: Timestamp(n * 1000 + 999),
        };
        (0..count).map(span).collect()
    }

    #[track_caller]
    fn check(dirty: i64, bound: i64, rules: Compaction, want: Option<(i64, f64)>) {
        let due = due(&spans(10), Offset(dirty), Offset(bound), &rules, NOW);
        assert_eq!(due.map(|due| (due.end.get(), due.dirty_ratio)), want);
    }

    #[test]
    fn dirt_is_cleaned_when_there_is_enough_of_it() {
        let never = i64::MAX;
        check(0, 100, rules(0.5, 0, never), Some((100, 1.0)));
        check(50, 100, rules(0.5, 0, never), None);
        check(40, 100, rules(0.5, 0, never), Some((100, 0.6)));
        check(100, 100, rules(0.0, 0, never), None);
        // Only whole segments count, and only those below the bound.
        check(40, 95, rules(0.5, 0, never), Some((95, 5.0 / 9.0)));
        check(40, 20, rules(0.0, 0, never), None);
    }

    #[test]
    fn young_records_wait_and_old_ones_do_not() {
        check(0, 100, rules(0.0, 96_500, i64::MAX), Some((30, 1.0)));
        check(0, 100, rules(0.0, 100_000, i64::MAX), None);
        check(90, 100, rules(0.5, 0, 91_000), None);
        check(90, 100, rules(0.5, 0, 90_999), Some((100, 0.1)));
        // Nothing is overdue that has no time, as the first of these (LogCleanerManager.java).
        check(0, 10, rules(1.0, 0, 99_999), None);
        check(0, 10, rules(0.9, 0, 99_999), Some((10, 1.0)));
    }

    #[track_caller]
    fn check_groups(end: i64, settings: Settings, want: &str) {
        let groups = groups(&spans(6), Offset(end), &settings);
        let shown: Vec<_> = groups.iter().map(|group| format!("{group:?}")).collect();
        assert_eq!(shown.join(" "), want);
    }

    #[test]
    fn small_segments_become_one_as_far_as_one_may_hold() {
        let of = |segment_bytes| Settings { segment_bytes, ..Settings::default() };
        check_groups(60, of(1000), "0..6");
        check_groups(35, of(1000), "0..4");
        check_groups(60, of(299), "0..2 2..4 4..6");
        check_groups(60, of(50), "0..1 1..2 2..3 3..4 4..5 5..6");
        check_groups(60, Settings { index_bytes_max: 24, ..of(1000) }, "0..6");
        let dense = Settings { index_interval_bytes: 0, index_bytes_max: 60, ..of(1000) };
        check_groups(60, dense, "0..2 2..4 4..6");
        check_groups(0, of(1000), "");
    }
}
