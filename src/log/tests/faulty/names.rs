//! What directories hold, and how that changes.
//! Never knows: what is durable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A change of names.
#[derive(Clone, Debug)]
pub enum Naming {
    Link(PathBuf, usize),
    /// Of a file, or an empty directory.
    Unlink(PathBuf),
    Directory(PathBuf),
    /// A file, or a directory with all that is in it.
    Rename(PathBuf, PathBuf),
}

impl Naming {
    /// Whether a sync of `dir` makes it durable.
    pub fn is_in(&self, dir: &Path) -> bool {
        let (Naming::Link(path, _)
        | Naming::Unlink(path)
        | Naming::Directory(path)
        | Naming::Rename(path, _)) = self;
        path.parent() == Some(dir)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Names {
    pub files: BTreeMap<PathBuf, usize>,
    pub dirs: Vec<PathBuf>,
}

impl Names {
    /// One directory, which is always there.
    pub fn of_dir(dir: &str) -> Names {
        Names { files: BTreeMap::new(), dirs: vec![PathBuf::from(dir)] }
    }

    pub fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Link(path, inode) => _ = self.files.insert(path.clone(), *inode),
            Naming::Unlink(path) => {
                self.files.remove(path);
                self.dirs.retain(|dir| dir != path);
            }
            Naming::Directory(path) => self.dirs.push(path.clone()),
            Naming::Rename(from, to) => {
                self.files.remove(to);
                let moved = |path: &Path| match path.strip_prefix(from) {
                    Ok(rest) if rest.as_os_str().is_empty() => to.clone(),
                    Ok(rest) => to.join(rest),
                    Err(_) => path.to_owned(),
                };
                self.dirs = self.dirs.iter().map(|dir| moved(dir)).collect();
                let files = std::mem::take(&mut self.files);
                self.files = files.into_iter().map(|(path, at)| (moved(&path), at)).collect();
            }
        }
    }

    pub fn has_dir(&self, dir: &Path) -> bool {
        self.dirs.iter().any(|known| known == dir)
    }
}
