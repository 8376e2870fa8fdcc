//! A small disk of a test's own.
//! Never knows: what is written to it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Kaw, skip};

/// A file system of a few MiB in memory, gone with the value.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    #[track_caller]
    pub fn mount(kaw: &Kaw, mib: u32) -> Option<SmallDisk> {
        let at = kaw.path("small");
        fs::create_dir(&at).unwrap();
        let size = format!("size={mib}m");
        let options = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        if kaw.tool("mount").args(options).arg(&at).run().code != 0 {
            skip("a small file system can be mounted by root only");
            return None;
        }
        Some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a broker may still stand on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
