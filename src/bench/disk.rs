//! What a disk can do for one who waits: appends of one size, each durable before the next.
//! Never knows: brokers.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::measure::Latencies;

/// Each look at the disk takes so long, or so many appends.
const TIME_MAX: Duration = Duration::from_millis(500);
const APPENDS_MAX: u32 = 1000;

/// Appends of one size and an fdatasync after each, as long as both took.
#[derive(Clone, Debug)]
pub struct Syncs {
    /// As many of the run's batches as go into one.
    pub batches: u64,
    pub bytes: usize,
    pub latencies: Latencies,
}

impl Syncs {
    pub fn of(batches: u64, batch_bytes: usize) -> Syncs {
        let bytes = batch_bytes * usize::try_from(batches).expect("what is under way fits memory");
        Syncs { batches, bytes, latencies: Latencies::default() }
    }

    /// Times some on the disk of this directory, where nobody else must be at work.
    pub fn time(&mut self, dir: &Path) -> io::Result<()> {
        let (scratch, bytes) = (Scratch::make(dir)?, vec![b'k'; self.bytes]);
        let (began, mut position) = (Instant::now(), 0);
        for _ in 0..APPENDS_MAX {
            let start = Instant::now();
            scratch.file.write_all_at(&bytes, position)?;
            scratch.file.sync_data()?;
            self.latencies.record(start.elapsed());
            position += bytes.len() as u64;
            if TIME_MAX <= began.elapsed() {
                break;
            }
        }
        Ok(())
    }
}

/// A file that goes with the value.
struct Scratch {
    path: PathBuf,
    file: File,
}

impl Scratch {
    fn make(dir: &Path) -> io::Result<Scratch> {
        let path = dir.join("kaw-bench-fdatasync");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        Ok(Scratch { path, file })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in a directory that goes as well.
        let _ = fs::remove_file(&self.path);
    }
}
