//! Which leader epoch began at which offset (KIP-101), as in `leader-epoch-checkpoint`.

use std::fmt::Write as _;

use super::text::parse_checkpoint;
use crate::record::{LeaderEpoch, Offset};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    pub epoch: LeaderEpoch,
    pub start: Offset,
}

/// Epochs with the offset at which each began, both rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    entries: Vec<Epoch>,
}

impl Epochs {
    pub(super) fn parse(file: &[u8]) -> Option<Epochs> {
        let entries = parse_checkpoint(file, parse_epoch).ok()?;
        Some(Epochs::from_entries(entries))
    }

    /// Those of `entries` that rise.
    pub(super) fn from_entries(entries: impl IntoIterator<Item = Epoch>) -> Epochs {
        let mut epochs = Epochs::default();
        entries.into_iter().for_each(|e| epochs.assign(e.epoch, e.start));
        epochs
    }

    pub(super) fn file(&self) -> Vec<u8> {
        let mut text = format!("0\n{}\n", self.entries.len());
        for Epoch { epoch, start } in &self.entries {
            writeln!(text, "{epoch} {start}").expect("memory takes it");
        }
        text.into_bytes()
    }

    pub(super) fn entries(&self) -> &[Epoch] {
        &self.entries
    }

    /// A batch at `start` has `epoch`. Older epochs than the latest tell nothing.
    pub(super) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) {
        let newer = self.entries.last().is_none_or(|last| last.epoch < epoch);
        if newer && epoch >= LeaderEpoch(0) {
            // An epoch that wrote nothing gives way (LeaderEpochFileCache.assign).
            self.entries.retain(|entry| entry.start < start);
            self.entries.push(Epoch { epoch, start });
        }
    }

    /// The log has nothing from `end` on.
    pub(super) fn cut_end(&mut self, end: Offset) {
        self.entries.retain(|entry| entry.start < end);
    }

    /// The log has nothing before `start`.
    pub(super) fn cut_start(&mut self, start: Offset) {
        let kept = self.entries.partition_point(|entry| entry.start <= start).saturating_sub(1);
        self.entries.drain(..kept);
        if let Some(first) = self.entries.first_mut() {
            first.start = first.start.max(start);
        }
    }

    pub(super) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    pub(super) fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        after.checked_sub(1).map(|at| self.entries[at].epoch)
    }

    /// The largest epoch not above `epoch`, and where the next one began (endOffsetFor).
    pub(super) fn end_of(
        &self,
        epoch: LeaderEpoch,
        log_end: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        match (after.checked_sub(1), self.entries.get(after)) {
            (Some(at), None) if self.entries[at].epoch == epoch => Some((epoch, log_end)),
            (_, None) => None,
            (Some(at), Some(next)) => Some((self.entries[at].epoch, next.start)),
            (None, Some(next)) => Some((epoch, next.start)),
        }
    }
}

/// One line of the file.
pub(super) fn parse_epoch(line: &str) -> Option<Epoch> {
    let (epoch, start) = line.split_once(' ')?;
    Some(Epoch {
        epoch: LeaderEpoch(epoch.parse().ok()?),
        start: Offset(start.trim().parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Epochs {
        let entries = [(1, 0), (3, 100), (4, 150)];
        Epochs::from_entries(
            entries.map(|(epoch, start)| Epoch { epoch: LeaderEpoch(epoch), start: Offset(start) }),
        )
    }

    #[track_caller]
    fn check(epoch: i32, want: Option<(i32, i64)>) {
        let got = sample().end_of(LeaderEpoch(epoch), Offset(200));
        assert_eq!(got.map(|(epoch, end)| (epoch.get(), end.get())), want, "epoch {epoch}");
    }

    #[test]
    fn ends_of_epochs_are_kafkas() {
        check(0, Some((0, 0)));
        check(1, Some((1, 100)));
        check(2, Some((1, 100)));
        check(3, Some((3, 150)));
        check(4, Some((4, 200)));
        check(5, None);
    }

    #[test]
    fn the_file_is_kafkas_and_read_back() {
        assert_eq!(sample().file(), b"0\n3\n1 0\n3 100\n4 150\n");
        assert_eq!(Epochs::parse(&sample().file()), Some(sample()));
        assert_eq!(Epochs::parse(b"0\n2\n1 0\n"), None);
        assert_eq!(Epochs::parse(b"1\n0\n"), None);
    }

    #[test]
    fn both_ends_are_cut_with_the_log() {
        let mut epochs = sample();
        epochs.cut_start(Offset(120));
        epochs.cut_end(Offset(150));
        assert_eq!(epochs.file(), b"0\n1\n3 120\n");
        epochs.assign(LeaderEpoch(2), Offset(150));
        assert_eq!(epochs.at(Offset(150)), Some(LeaderEpoch(3)));
        assert_eq!(epochs.at(Offset(119)), None);
    }
}
