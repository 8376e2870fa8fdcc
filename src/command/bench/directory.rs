//! A directory for one run, gone with it.

use std::path::{Path, PathBuf};

use crate::broker::home;

pub struct Directory(PathBuf);

impl Directory {
    /// Where temporary files go (`TMPDIR`), as that of an ephemeral broker.
    pub fn make() -> Result<Directory, home::Error> {
        home::temporary_dir().map(Directory)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The outcome of the run matters more.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
