//! The file system that a data directory lies on, synced as a whole where many logs end at once.
//! Never knows: logs, files.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file system whose syncs tell of every write that failed since this value was made.
pub struct FileSystem(File);

#[cfg(target_os = "linux")]
impl FileSystem {
    /// `None` where a sync of it may keep quiet about a failed write: before Linux 5.8 (syncfs(2)),
    /// and on file systems that stand on others, as overlayfs does.
    pub fn of(dir: &Path) -> Option<FileSystem> {
        const EXT4: u64 = 0xef53;
        const XFS: u64 = 0x5846_5342;
        let file = File::open(dir).ok()?;
        let kind = rustix::fs::fstatfs(&file).ok()?.f_type as u64;
        let release = rustix::system::uname();
        let release = release.release().to_str().ok()?;
        (matches!(kind, EXT4 | XFS) && tells(release)).then_some(FileSystem(file))
    }

    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

/// Nowhere else does a sync of a whole file system return errors.
#[cfg(not(target_os = "linux"))]
impl FileSystem {
    pub fn of(_dir: &Path) -> Option<FileSystem> {
        None
    }

    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(target_os = "linux")]
fn tells(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (5, 8) <= (major, minor),
        _ => false,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_do_not_tell() {
        for (release, want) in [
            ("6.18.5-arch1", true),
            ("5.8.0-50-generic", true),
            ("5.7.19", false),
            ("4.4.0", false),
            ("10.0", true),
            ("unknown", false),
        ] {
            assert_eq!(tells(release), want, "{release}");
        }
    }
}
