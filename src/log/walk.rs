//! From batch to batch through a segment, by their headers.
//! Never knows: indexes, records.

use std::io;

use super::DiskFile;
use crate::record::{BatchView, HEADER_BYTES, Offset};

/// One index interval: what lies between two entries is usually read at once.
const WINDOW_BYTES: usize = 4096;

/// A batch in a segment.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub position: u32,
    pub bytes: u32,
}

/// Reads batch headers one after another.
pub(super) struct Walk<'a, F> {
    file: &'a F,
    position: u32,
    end: u32,
    /// The next batch's offsets are not below: they rise.
    offset: Offset,
    window: [u8; WINDOW_BYTES],
    /// Which bytes of the file are in the window.
    held: std::ops::Range<u32>,
}

impl<'a, F: DiskFile> Walk<'a, F> {
    pub(super) fn new(file: &'a F, position: u32, end: u32) -> Walk<'a, F> {
        let position = position.min(end);
        Walk { file, position, end, offset: Offset::ZERO, window: [0; WINDOW_BYTES], held: 0..0 }
    }

    /// Where the next batch would begin.
    pub(super) fn position(&self) -> u32 {
        self.position
    }

    /// The next header, with its batch's place. `None`: the end, or no whole batch.
    pub(super) fn next(&mut self) -> io::Result<Option<(Place, BatchView<'_>)>> {
        let left = self.end - self.position;
        if (left as usize) < HEADER_BYTES {
            return Ok(None);
        }
        if !(self.held.contains(&self.position)
            && self.position + HEADER_BYTES as u32 <= self.held.end)
        {
            let wanted = WINDOW_BYTES.min(left as usize);
            let read = self.file.read_at(&mut self.window[..wanted], self.position.into())?;
            self.held = self.position..self.position + read as u32;
        }
        let bytes = &self.window[(self.position - self.held.start) as usize..];
        let Ok(header) = BatchView::parse_header(bytes) else { return Ok(None) };
        let Some(size) = u32::try_from(header.size()).ok().filter(|&size| size <= left) else {
            return Ok(None);
        };
        let batch = *header.fields();
        if batch.base_offset() < self.offset || batch.last_offset() < batch.base_offset() {
            return Ok(None);
        }
        let place = Place { position: self.position, bytes: size };
        self.position += size;
        self.offset = batch.next_offset();
        Ok(Some((place, batch)))
    }

    /// What `look` finds from here on, where the walk then still is.
    pub(super) fn ahead<T>(
        &mut self,
        look: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        let (position, offset) = (self.position, self.offset);
        let found = look(self);
        (self.position, self.offset) = (position, offset);
        found
    }

    /// The first batch from here on that reaches `offset`, and its last offset.
    pub(super) fn reach(&mut self, offset: Offset) -> io::Result<Option<(Place, Offset)>> {
        while let Some((place, batch)) = self.next()? {
            let (first, last) = (batch.base_offset(), batch.last_offset());
            if last < offset {
                continue;
            }
            // Compaction leaves gaps. But if it runs ahead of what follows, its offset is wrong.
            if offset < first && self.ahead(|walk| walk.next().map(|next| next.is_none()))? {
                self.ended()?;
            }
            return Ok(Some((place, last)));
        }
        self.ended().map(|()| None)
    }

    /// An error unless this is the end: what is no batch must not pass for it.
    pub(super) fn ended(&self) -> io::Result<()> {
        if self.position == self.end { Ok(()) } else { Err(no_batch_at(self.position)) }
    }
}

/// Why a log cannot be read on from a position that is not its end.
pub(super) fn no_batch_at(position: u32) -> io::Error {
    let why = format!("no batch that fits begins at byte {position}");
    io::Error::new(io::ErrorKind::InvalidData, why)
}
