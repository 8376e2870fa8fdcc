//! What the disk below a directory can do, so that a figure can be held against it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::measure::Latencies;

/// Enough for a 99th percentile.
const WRITES: u64 = 500;

/// A slow disk is known sooner.
const TIME_MAX: Duration = Duration::from_secs(2);

/// How long a write of this size takes until it is durable, one after the other in one file that
/// grows, as a log does.
pub fn fdatasync(dir: &Path, bytes: usize) -> io::Result<Latencies> {
    let path = dir.join("fdatasync");
    let file = File::create_new(&path)?;
    let (buffer, began) = (vec![0x5a; bytes], Instant::now());
    let mut latencies = Latencies::default();
    for write in 0..WRITES {
        let before = Instant::now();
        file.write_all_at(&buffer, write * bytes as u64)?;
        file.sync_data()?;
        latencies.record(before.elapsed());
        if TIME_MAX <= began.elapsed() {
            break;
        }
    }
    drop(file);
    std::fs::remove_file(path)?;
    Ok(latencies)
}
