//! What a file of a data directory is, by its name alone.

use super::super::files::Kind;
use super::super::{EPOCHS, METADATA, missing, saved};
use crate::record::{LeaderEpoch, Offset};

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Log(Offset),
    OffsetIndex(Offset),
    TimeIndex(Offset),
    TransactionIndex(Offset),
    Snapshot(Offset),
    /// `leader-epoch-checkpoint`
    Epochs,
    /// `partition.metadata`
    Metadata,
    /// `kaw-checkpoint`
    OwnCheckpoint,
    /// `kaw-missing`
    Missing,
    /// A snapshot of the catalogue up to an offset.
    Catalogue(Offset, LeaderEpoch),
    /// `recovery-point-offset-checkpoint` and its like.
    Offsets,
    /// `meta.properties`
    Properties,
    /// A text in JSON, such as `.kafka_cleanshutdown`.
    Json,
    /// What an unfinished or a late work left; brokers clear it away by themselves.
    LeftOver,
    /// What was taken out of a log because it was damaged.
    SetAside,
    Other,
}

/// Top-level texts with a line a partition.
const OFFSETS: [&str; 4] = [
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
];

impl Name {
    pub fn parse(name: &str) -> Name {
        if let Some((kind, offset)) = Kind::parse(name) {
            return match kind {
                Kind::Log => Name::Log(offset),
                Kind::OffsetIndex => Name::OffsetIndex(offset),
                Kind::TimeIndex => Name::TimeIndex(offset),
                Kind::TransactionIndex => Name::TransactionIndex(offset),
                Kind::Snapshot => Name::Snapshot(offset),
            };
        }
        match name {
            EPOCHS => Name::Epochs,
            METADATA => Name::Metadata,
            saved::NAME => Name::OwnCheckpoint,
            missing::NAME => Name::Missing,
            "meta.properties" => Name::Properties,
            ".kafka_cleanshutdown" | "quorum-state" => Name::Json,
            name if OFFSETS.contains(&name) => Name::Offsets,
            name if name.contains(".damaged") => Name::SetAside,
            name => Name::by_suffix(name),
        }
    }

    fn by_suffix(name: &str) -> Name {
        if let Some((end, epoch)) = checkpoint(name) {
            return Name::Catalogue(end, epoch);
        }
        let left = [".deleted", ".cleaned", ".swap", ".tmp", ".part", ".delete"];
        match left.iter().any(|suffix| name.ends_with(suffix)) {
            true => Name::LeftOver,
            false => Name::Other,
        }
    }
}

/// `<20 digits of the end offset>-<10 digits of the epoch>.checkpoint` (Snapshots.java), and the
/// one with which Apache Kafka's format tool begins a directory.
fn checkpoint(name: &str) -> Option<(Offset, LeaderEpoch)> {
    if name == "bootstrap.checkpoint" {
        return Some((Offset::ZERO, LeaderEpoch(0)));
    }
    let (end, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    (digits(end, 20) && digits(epoch, 10)).then_some(())?;
    Some((Offset(end.parse().ok()?), LeaderEpoch(epoch.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        let check = |name: &str, want: Name| assert_eq!(Name::parse(name), want, "{name}");
        check("00000000000000001200.log", Name::Log(Offset(1200)));
        check("00000000000000001200.index", Name::OffsetIndex(Offset(1200)));
        check("00000000000000001200.snapshot", Name::Snapshot(Offset(1200)));
        check("00000000000000001200.log.deleted", Name::LeftOver);
        check("00000000000000001200.log.damaged-4711", Name::SetAside);
        check("1200.log", Name::Other);
        check(
            "00000000000000000100-0000000003.checkpoint",
            Name::Catalogue(Offset(100), LeaderEpoch(3)),
        );
        check("00000000000000000100-0000000003.checkpoint.part", Name::LeftOver);
        check("leader-epoch-checkpoint", Name::Epochs);
        check("cleaner-offset-checkpoint", Name::Offsets);
        check("kaw-checkpoint", Name::OwnCheckpoint);
        check("kaw-missing", Name::Missing);
        check("kaw-missing.damaged", Name::SetAside);
        check("notes.txt", Name::Other);
    }
}
