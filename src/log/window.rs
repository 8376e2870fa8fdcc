//! Whole batches out of a file that is read in big pieces.
//! Never knows: which file, or whether a batch is good.

use std::io;

use super::DiskFile;
use crate::record::{BatchView, HEADER_BYTES};

/// How much is read at once when a file is read from end to end.
pub(super) const WINDOW_BYTES: usize = 1 << 20;

/// Bytes of a file, read in big pieces.
#[derive(Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    start: u32,
}

impl Window {
    /// The batch at `position`, of which `left` bytes at most are there. `None`: it is not whole.
    pub(super) fn batch<F: DiskFile>(
        &mut self,
        file: &F,
        position: u32,
        left: usize,
    ) -> io::Result<Option<&[u8]>> {
        let header = self.slice(file, position, HEADER_BYTES, left)?;
        let Ok(size) = BatchView::parse_header(header).map(|header| header.size()) else {
            return Ok(None);
        };
        let bytes = self.slice(file, position, size, left)?;
        Ok((bytes.len() == size).then_some(bytes))
    }

    /// `wanted` bytes, if they are held already.
    pub(super) fn peek(&self, position: u32, wanted: usize) -> Option<&[u8]> {
        let skipped = position.checked_sub(self.start)? as usize;
        self.bytes.get(skipped..skipped.checked_add(wanted)?)
    }

    /// `wanted` bytes, or as many of them as are `left`.
    pub(super) fn slice<F: DiskFile>(
        &mut self,
        file: &F,
        position: u32,
        wanted: usize,
        left: usize,
    ) -> io::Result<&[u8]> {
        let wanted = wanted.min(left);
        let held = position.checked_sub(self.start).map(|skipped| skipped as usize);
        let inside = held.filter(|skipped| skipped + wanted <= self.bytes.len());
        let skipped = match inside {
            Some(skipped) => skipped,
            None => {
                self.bytes.resize(wanted.max(WINDOW_BYTES).min(left), 0);
                let read = file.read_at(&mut self.bytes, position.into())?;
                self.bytes.truncate(read);
                self.start = position;
                0
            }
        };
        let end = (skipped + wanted).min(self.bytes.len());
        Ok(&self.bytes[skipped..end])
    }
}
