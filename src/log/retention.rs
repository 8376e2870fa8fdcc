//! Which segments have outlived the log's retention. Pure: the log removes them.

use super::facts::Retention;
use crate::record::Timestamp;

/// One segment, oldest first; the last one grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub bytes: u64,
    /// The largest time in it.
    pub youngest: Timestamp,
}

/// How many of the oldest may go (UnifiedLog.deleteOldSegments). All of them: the log is to roll
/// first. An empty last one stays.
pub(super) fn expired(spans: &[Span], keep: &Retention, now: Timestamp) -> usize {
    let by_time = keep.ms.map_or(0, |ms| {
        let old = |span: &&Span| now.get().saturating_sub(span.youngest.get()) > ms;
        spans.iter().take_while(old).count()
    });
    let by_size = keep.bytes.map_or(0, |bytes_max| {
        let all: u64 = spans.iter().map(|span| span.bytes).sum();
        let mut surplus = all.saturating_sub(bytes_max);
        let fits = |span: &&Span| {
            let goes = span.bytes <= surplus && surplus > 0;
            surplus = surplus.saturating_sub(span.bytes);
            goes
        };
        spans.iter().take_while(fits).count()
    });
    let count = by_time.max(by_size);
    let last_is_empty = spans.last().is_some_and(|span| span.bytes == 0);
    if count == spans.len() && last_is_empty { count.saturating_sub(1) } else { count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spans: &[(u64, i64)], ms: Option<i64>, bytes: Option<u64>, want: usize) {
        let spans: Vec<Span> = spans
            .iter()
            .map(|&(bytes, youngest)| Span { bytes, youngest: Timestamp(youngest) })
            .collect();
        assert_eq!(expired(&spans, &Retention { ms, bytes }, Timestamp(1000)), want);
    }

    #[test]
    fn the_oldest_segments_go_first() {
        let spans = [(10, 100), (10, 500), (10, 900)];
        check(&spans, None, None, 0);
        check(&spans, Some(950), None, 0);
        check(&spans, Some(900), None, 0);
        check(&spans, Some(899), None, 1);
        check(&spans, Some(499), None, 2);
        check(&spans, Some(0), None, 3);
        check(&spans, None, Some(30), 0);
        check(&spans, None, Some(21), 0);
        check(&spans, None, Some(20), 1);
        check(&spans, None, Some(0), 3);
        check(&[(10, 100), (0, 0)], Some(0), Some(0), 1);
        check(&[(10, 900), (10, 100)], Some(500), None, 0);
        check(&[], Some(0), Some(0), 0);
    }
}
