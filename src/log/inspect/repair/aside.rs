//! Files that are set aside or replaced, never through a link and never over another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use super::Thing;
use crate::log::files::free_name;

/// Gives what lies at `path`, whatever it is, a name beside it.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = free_beside(path, ".damaged");
    fs::rename(path, &aside)?;
    sync_around(path)?;
    Ok(aside)
}

/// Keeps the file at `path` under another name as well. Then it may be replaced.
pub fn keep(path: &Path, position: u32) -> io::Result<PathBuf> {
    let aside = free_beside(path, &format!(".damaged-{position}"));
    match fs::hard_link(path, &aside) {
        Ok(()) => {}
        // A file system without links.
        Err(_) => {
            let mut copy = OpenOptions::new().write(true).create_new(true).open(&aside)?;
            io::copy(&mut File::open(path)?, &mut copy)?;
            copy.sync_all()?;
        }
    }
    sync_around(path)?;
    Ok(aside)
}

/// The draft of what is to be at `path`. Brokers clear it away where it is left.
pub fn draft(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let draft = PathBuf::from(name);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).open(&draft)?;
    Ok((draft, file))
}

/// What was drafted is at `path` from now on.
pub fn put(draft: &Path, path: &Path, file: &File) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(draft, path)?;
    sync_around(path)
}

/// Replaces a small file in one step.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (name, mut file) = draft(path)?;
    file.write_all(bytes)?;
    put(&name, path, &file)
}

/// Files that were made here are whose the directory is, and as private: a broker of another user
/// must be able to open them.
pub(super) fn settle(dir: &Path) -> io::Result<()> {
    let owner = fs::metadata(dir)?;
    for entry in super::list(dir)? {
        let Thing::File { .. } = entry.thing else { continue };
        let path = dir.join(entry.name);
        let meta = fs::symlink_metadata(&path)?;
        if (meta.uid(), meta.gid()) != (owner.uid(), owner.gid()) {
            lchown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
        let mode = meta.mode() & (owner.mode() | 0o600) & 0o666;
        if mode != meta.mode() & 0o777 {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

fn sync_around(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// `00000000000000000000.index.damaged`, or with a number behind it. A number behind a dash would
/// make it look like a partition.
fn free_beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let taken = |name: &str| fs::symlink_metadata(path.with_file_name(name)).is_ok();
    path.with_file_name(free_name(format!("{name}{suffix}"), taken))
}
