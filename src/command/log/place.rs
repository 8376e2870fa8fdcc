//! What a path is: a data directory, a backup, a partition's directory, or one file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::backup;
use crate::log::inspect::{Entry, Name, Thing, list};
use crate::record::PartitionId;

/// A partition by the name of its directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: String,
    pub partition: PartitionId,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    Data(PathBuf),
    /// What `kaw backup` has made.
    Backup(PathBuf),
    Partition(PathBuf),
    File(PathBuf),
}

impl Place {
    /// What was typed may be a link; what lies within it is not followed.
    pub fn find(path: &Path) -> anyhow::Result<Place> {
        let shown = || format!("cannot read {}", path.display());
        let meta = fs::metadata(path).with_context(shown)?;
        if !meta.is_dir() {
            return Ok(Place::File(path.to_owned()));
        }
        let entries = list(path).with_context(shown)?;
        let has = |name| entries.iter().any(|entry| Name::parse(&entry.name) == name);
        let has_manifest = entries.iter().any(|entry| entry.name.starts_with(backup::MANIFEST));
        if (has_manifest && !has(Name::Properties)) || is_backup_without_manifest(path, &entries) {
            return Ok(Place::Backup(path.to_owned()));
        }
        let is_data = entries.iter().any(|entry| {
            let is_dir = entry.thing == Thing::Directory && Partition::parse(&entry.name).is_some();
            is_dir || Name::parse(&entry.name) == Name::Properties
        });
        // A partition may have lost all that it had.
        let is_log = |entry: &Entry| {
            !matches!(Name::parse(&entry.name), Name::Other | Name::LeftOver | Name::SetAside)
        };
        let is_partition = entries.iter().any(is_log) || around(path).is_some();
        match (is_data, is_partition) {
            (true, _) => Ok(Place::Data(path.to_owned())),
            (false, true) => Ok(Place::Partition(path.to_owned())),
            (false, false) => bail!(
                "{} is neither a data directory, nor a backup, nor a partition's directory",
                path.display()
            ),
        }
    }
}

/// Directories of partitions and nothing else, in which segments lie and nothing else: a broker's
/// have more.
fn is_backup_without_manifest(path: &Path, entries: &[Entry]) -> bool {
    let is_segment = |entry: &Entry| matches!(Name::parse(&entry.name), Name::Log(_));
    let is_kept = |entry: &Entry| {
        Partition::parse(&entry.name).is_some()
            && list(&path.join(&entry.name)).is_ok_and(|files| files.iter().all(is_segment))
    };
    !entries.is_empty() && entries.iter().all(is_kept)
}

impl Partition {
    /// `<topic>-<partition>`; not what a broker has set aside, which has a suffix.
    pub fn parse(name: &str) -> Option<Partition> {
        let (topic, number) = name.rsplit_once('-')?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let partition = PartitionId(number.parse().ok().filter(|_| digits && !topic.is_empty())?);
        Some(Partition { topic: topic.to_owned(), partition })
    }

    pub fn of(dir: &Path) -> Option<Partition> {
        let whole = fs::canonicalize(dir).ok()?;
        Partition::parse(whole.file_name()?.to_str()?)
    }
}

/// The data directory around a partition's, if it is one.
pub fn around(dir: &Path) -> Option<PathBuf> {
    let parent = fs::canonicalize(dir).ok()?.parent()?.to_owned();
    parent.join("meta.properties").exists().then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_told_by_their_directories() {
        let parse = |name: &str| {
            Partition::parse(name).map(|found| format!("{} {}", found.topic, found.partition))
        };
        assert_eq!(parse("a-b-12").as_deref(), Some("a-b 12"));
        assert_eq!(parse("__cluster_metadata-0").as_deref(), Some("__cluster_metadata 0"));
        for other in ["t", "t-x", "-3", "t-", "t-0.0123-delete", "t-+1"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
