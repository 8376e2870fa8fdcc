//! After a failed sync, what the page cache holds may never reach the disk: it is written again.
//! Never knows: why the sync failed.
//!
//! Linux takes pages for clean that it could not write, keeps them, and tells of it once. Whoever
//! opens the log next reads them as if all were well, and no sync of his would write them. So the
//! failure leaves a mark beside the log, which outlives the process as the pages do.

use super::super::files::{Failed, Files, Kind, at};
use super::super::{Disk, DiskFile, Log, Open};
use super::Start;

/// The mark, an empty file. Apache Kafka ignores it.
const UNSYNCED: &str = "kaw-unsynced";
/// How much is read and written at once.
const WINDOW_BYTES: usize = 1 << 20;

/// A sync has failed. Where the disk does not take even this, the next attempt tries again.
pub fn mark<D: Disk>(files: &Files<D>) {
    let _ = files.open(&files.named(UNSYNCED), Open::OrCreate);
}

impl<D: Disk> Log<D> {
    /// Writes what lies behind `start` once more, if there is a mark.
    pub(super) fn rewrite_if_marked(&mut self, start: Start) -> Result<(), Failed> {
        let mark = self.files.named(UNSYNCED);
        if self.files.read(&mark)?.is_none() {
            return Ok(());
        }
        let mut position = start.position;
        for at_segment in start.segment..self.segments.len() {
            self.rewrite(at_segment, position)?;
            position = 0;
        }
        self.files.remove(&mark)
    }

    fn rewrite(&mut self, at_segment: usize, from: u32) -> Result<(), Failed> {
        let file = self.load_file(at_segment)?;
        let (base, end) = (self.segments[at_segment].base, self.segments[at_segment].bytes);
        let path = self.files.path(Kind::Log, base);
        let mut window = vec![0; WINDOW_BYTES.min((end - from) as usize)];
        let mut position = from;
        while position < end {
            let wanted = window.len().min((end - position) as usize);
            let read = file.read_at(&mut window[..wanted], position.into()).map_err(at(&path))?;
            if read == 0 {
                return Err(at(&path)(std::io::ErrorKind::UnexpectedEof.into()));
            }
            file.write_at([&window[..read], &[]], position.into()).map_err(at(&path))?;
            position += read as u32;
        }
        file.sync().map_err(at(&path))
    }
}
