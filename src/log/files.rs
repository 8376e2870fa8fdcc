//! The names of a log's files, and opening them with an error that says which.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, EPOCHS, Listed, METADATA, Open, missing, not_regular, saved};
use crate::record::Offset;

/// An I/O error and the file it is about.
#[derive(Debug)]
pub(super) struct Failed {
    pub path: PathBuf,
    pub error: io::Error,
}

/// Adds the path to an error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Failed + '_ {
    |error| Failed { path: path.to_owned(), error }
}

/// The directory of one log.
#[derive(Clone)]
pub(super) struct Files<D> {
    pub disk: D,
    pub dir: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    TransactionIndex,
    Snapshot,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] =
        [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex, Kind::Snapshot];

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Kind::Log => ".log",
            Kind::OffsetIndex => ".index",
            Kind::TimeIndex => ".timeindex",
            Kind::TransactionIndex => ".txnindex",
            Kind::Snapshot => ".snapshot",
        }
    }

    /// What a file's name says: `00000000000000001200.index`.
    pub(super) fn parse(name: &str) -> Option<(Kind, Offset)> {
        let (digits, _) = name.split_once('.')?;
        let kind = Kind::ALL.into_iter().find(|kind| &name[digits.len()..] == kind.suffix())?;
        let is_number = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let offset = digits.parse().ok().filter(|_| is_number)?;
        Some((kind, Offset(offset)))
    }
}

/// What compaction writes: to be forgotten if it comes no further, then to be put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Cleaned,
    Swap,
}

impl Stage {
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Stage::Cleaned => ".cleaned",
            Stage::Swap => ".swap",
        }
    }

    /// The file that `name` is to become: `00000000000000001200.index.swap`.
    pub(super) fn parse(self, name: &str) -> Option<(Kind, Offset)> {
        Kind::parse(name.strip_suffix(self.suffix())?)
    }
}

impl<D: Disk> Files<D> {
    pub(super) fn path(&self, kind: Kind, offset: Offset) -> PathBuf {
        self.dir.join(format!("{:020}{}", offset.get(), kind.suffix()))
    }

    /// What is to be under `path(kind, offset)`, before it is.
    pub(super) fn staged(&self, kind: Kind, offset: Offset, stage: Stage) -> PathBuf {
        self.dir.join(format!("{:020}{}{}", offset.get(), kind.suffix(), stage.suffix()))
    }

    pub(super) fn named(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn open(&self, path: &Path, how: Open) -> Result<Arc<D::File>, Failed> {
        self.disk.open(path, how).map(Arc::new).map_err(at(path))
    }

    /// The whole file; `None` if it is not there.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failed> {
        match self.disk.read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(path)(error)),
        }
    }

    /// The files among what was listed; an error where something else has a file's name: what it
    /// stands for would pass for missing.
    pub(super) fn ours(&self, mut listed: Vec<Listed>) -> Result<Vec<Listed>, Failed> {
        let is_ours = |name: &str| {
            let staged = [Stage::Cleaned, Stage::Swap].iter().any(|s| s.parse(name).is_some());
            let small = [METADATA, EPOCHS, saved::NAME, missing::NAME].contains(&name);
            staged || small || Kind::parse(name).is_some()
        };
        if let Some(other) = listed.iter().find(|entry| !entry.is_file && is_ours(&entry.name)) {
            return Err(at(&self.named(&other.name))(not_regular()));
        }
        listed.retain(|entry| entry.is_file);
        Ok(listed)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Failed> {
        self.disk.rename(from, to).map_err(at(from))
    }

    /// Removes a file that may be gone already.
    pub(super) fn remove(&self, path: &Path) -> Result<(), Failed> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
            _ => Ok(()),
        }
    }
}

/// A name that nothing has: this one, or with a number behind it.
pub(super) fn free_name(name: String, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (1..).map(|number: u64| format!("{name}.{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| !is_taken(name)).expect("numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_twenty_digits_and_a_suffix() {
        let of = |name| Kind::parse(name);
        assert_eq!(of("00000000000000001200.index"), Some((Kind::OffsetIndex, Offset(1200))));
        for other in [
            "-0000000000000000005.log",
            "+0000000000000000005.log",
            "0000000000000000005.log",
            "99999999999999999999.log",
            "00000000000000000005.log.swap",
            "00000000000000000005",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
