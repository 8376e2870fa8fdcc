//! A file of batches from end to end: good batches, and the damage between them.

use std::fmt;
use std::io;

use super::DiskFile;
use super::window::{WINDOW_BYTES, Window};
use crate::record::{BatchError, BatchView, HEADER_BYTES, Offset};

/// What a search for the next good batch may read and compute checksums of, as a multiple of the
/// bytes that it searches: else a file made for it would be searched for ever.
const SEARCH_WORK_MAX: u64 = 4;
/// The same of a small file.
const SEARCH_BYTES_MAX: u64 = 64 << 20;

/// A part of a file.
#[derive(Debug)]
pub enum Piece<'a> {
    Batch { position: u32, batch: BatchView<'a> },
    Damage(Damage),
}

/// Bytes that are no batch which fits here, up to one that does, or to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    pub position: u32,
    pub bytes: u32,
    /// Where the log ended before it, and so the first offset that may be lost.
    pub offset: Offset,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Batch(BatchError),
    /// Nothing was ever written here, or it was lost with the power.
    Zeros,
    /// A whole batch with a good checksum, but not of this place: offsets are outside of what it
    /// covers.
    Offsets {
        base: Offset,
        last: Offset,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Batch(error) => error.fmt(f),
            Why::Zeros => f.write_str("zeros instead of a batch"),
            Why::Offsets { base, last } => {
                write!(
                    f,
                    "the batch says that it holds offsets {base} to {last}, not of this place"
                )
            }
        }
    }
}

/// Reads the pieces of a file in their order.
pub struct Pieces<'f, F> {
    file: &'f F,
    window: Window,
    position: u32,
    end: u32,
    bounds: Bounds,
    work_left: u64,
}

/// Between which offsets the next batch may be.
struct Bounds {
    /// The segment's: offsets in it are counted from there in 31 bits.
    base: Offset,
    /// Where the batches so far end.
    next: Offset,
    /// All offsets are below: those of the next segment.
    limit: Option<Offset>,
}

impl Bounds {
    fn fit(&self, batch: &BatchView<'_>) -> bool {
        let last_max = self.base.get().saturating_add(i64::from(i32::MAX));
        self.next <= batch.base_offset()
            && 0 <= batch.last_offset_delta()
            && batch.last_offset().get() <= last_max
            && self.limit.is_none_or(|limit| batch.last_offset() < limit)
    }
}

impl<'f, F: DiskFile> Pieces<'f, F> {
    /// `bytes` of a segment that begins with `base`, before `limit`, where there is a next one.
    pub fn new(file: &'f F, bytes: u64, base: Offset, limit: Option<Offset>) -> Self {
        // Positions in a segment are Java ints.
        let end = u32::try_from(bytes.min(i32::MAX as u64)).expect("an int fits");
        Pieces::between(file, (0, end), base, limit)
    }

    /// The same of a part of a segment, whose batches begin with `base` or later.
    pub fn between(
        file: &'f F,
        (position, end): (u32, u32),
        base: Offset,
        limit: Option<Offset>,
    ) -> Self {
        Pieces {
            file,
            window: Window::default(),
            position,
            end,
            bounds: Bounds { base, next: base, limit },
            work_left: SEARCH_WORK_MAX * u64::from(end - position) + SEARCH_BYTES_MAX,
        }
    }

    /// Whether a search came to no end: there may be good batches in what is called damage.
    pub fn gave_up(&self) -> bool {
        self.work_left == 0
    }

    /// How much has been read.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Not an `Iterator`: it lends its bytes.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        let position = self.position;
        if self.end <= position {
            return Ok(None);
        }
        let why = match self.judge(position)? {
            Ok(size) => match self.is_ahead(position, size)? {
                None => return self.take(position, size).map(Some),
                Some(why) => why,
            },
            Err(why) => why,
        };
        self.damage(position, why).map(Some)
    }

    fn damage(&mut self, position: u32, why: Why) -> io::Result<Piece<'static>> {
        let offset = self.bounds.next;
        let end = self.search(position)?;
        self.position = end;
        Ok(Piece::Damage(Damage { position, bytes: end - position, offset, why }))
    }

    fn take(&mut self, position: u32, size: u32) -> io::Result<Piece<'_>> {
        let left = (self.end - position) as usize;
        let bytes = self.window.slice(self.file, position, size as usize, left)?;
        // A log that is written to may be cut between two looks.
        let Ok(batch) = BatchView::parse(bytes) else {
            let why = Why::Batch(BatchError::Short);
            self.position = self.end;
            let bytes = self.end - position;
            return Ok(Piece::Damage(Damage { position, bytes, offset: self.bounds.next, why }));
        };
        self.position = position + size;
        self.bounds.next = batch.next_offset();
        Ok(Piece::Batch { position, batch })
    }

    /// The size of the good batch at `position`, or why there is none.
    fn judge(&mut self, position: u32) -> io::Result<Result<u32, Why>> {
        let left = (self.end - position) as usize;
        let header = self.window.slice(self.file, position, HEADER_BYTES, left)?;
        if header.iter().all(|&byte| byte == 0) {
            return Ok(Err(Why::Zeros));
        }
        let size = match BatchView::parse_header(header) {
            Ok(header) if header.size() <= left => header.size(),
            Ok(_) => return Ok(Err(Why::Batch(BatchError::Short))),
            Err(error) => return Ok(Err(Why::Batch(error))),
        };
        let bytes = self.window.slice(self.file, position, size, left)?;
        let checked = BatchView::parse(bytes).and_then(|batch| batch.check_crc().map(|()| batch));
        Ok(match checked {
            Err(error) => Err(Why::Batch(error)),
            Ok(batch) if self.bounds.fit(&batch) => Ok(batch.size() as u32),
            Ok(batch) => Err(Why::Offsets { base: batch.base_offset(), last: batch.last_offset() }),
        })
    }

    /// Whether the batch left a gap behind it and runs ahead of the batch that follows: then its
    /// offset is wrong, not that of all that come after.
    fn is_ahead(&self, position: u32, size: u32) -> io::Result<Option<Why>> {
        let Some((base, last)) = self.span_at(position)? else { return Ok(None) };
        if base == self.bounds.next {
            return Ok(None);
        }
        let after = self.span_at(position + size)?;
        let ahead = after.is_some_and(|(after, _)| self.bounds.next <= after && after <= last);
        Ok(ahead.then_some(Why::Offsets { base, last }))
    }

    /// The first and the last offset of the batch whose header lies there.
    fn span_at(&self, position: u32) -> io::Result<Option<(Offset, Offset)>> {
        if self.end - position < HEADER_BYTES as u32 {
            return Ok(None);
        }
        let span = |header: &[u8]| {
            let header = BatchView::parse_header(header).ok()?;
            Some((header.fields().base_offset(), header.fields().last_offset()))
        };
        if let Some(header) = self.window.peek(position, HEADER_BYTES) {
            return Ok(span(header));
        }
        let mut header = [0; HEADER_BYTES];
        let read = self.file.read_at(&mut header, position.into())?;
        Ok(span(&header[..read]))
    }

    /// Where the next good batch behind `position` begins, or the end.
    fn search(&mut self, position: u32) -> io::Result<u32> {
        // Most often the length is right and the batch behind is good.
        let left = (self.end - position) as usize;
        let header = self.window.slice(self.file, position, HEADER_BYTES, left)?;
        let size = BatchView::parse_header(header).map(|header| header.size());
        if let Some(size) = size.ok().filter(|&size| size < left)
            && self.is_good_at(position + size as u32)?
        {
            return Ok(position + size as u32);
        }
        let mut at = position + 1;
        while at < self.end {
            let left = (self.end - at) as usize;
            let ahead = self.window.slice(self.file, at, HEADER_BYTES.max(4096).min(left), left)?;
            if ahead.len() < HEADER_BYTES {
                break;
            }
            // A header has the format's number, 2, behind its first 16 bytes.
            let (ahead, magic) = (ahead.len(), memchr::memchr(2, &ahead[16..]));
            match magic {
                Some(0) if self.is_good_at(at)? => return Ok(at),
                Some(0) => at += 1,
                Some(skip) => at += skip as u32,
                None => at += ahead as u32 - 16,
            }
            if self.work_left == 0 {
                break;
            }
        }
        Ok(self.end)
    }

    fn is_good_at(&mut self, position: u32) -> io::Result<bool> {
        let left = (self.end - position) as usize;
        // What is far away is read by itself: the search goes on here.
        let mut apart = [0; HEADER_BYTES];
        let header = match self.window.peek(position, HEADER_BYTES) {
            Some(header) => header,
            None => {
                let read = self.file.read_at(&mut apart, position.into())?;
                &apart[..read.min(left)]
            }
        };
        let Ok(header) = BatchView::parse_header(header) else { return Ok(false) };
        let (size, fields) = (header.size(), *header.fields());
        // What no batch has is not worth a checksum.
        let plausible = fields.codec().is_ok()
            && fields.count() >= 0
            && fields.count().checked_sub(1) <= Some(fields.last_offset_delta());
        if left < size || !plausible || !self.bounds.fit(&fields) || self.work_left == 0 {
            return Ok(false);
        }
        // The window is read there, and here again.
        let read = match self.window.peek(position, size) {
            Some(_) => 0,
            None => 2 * size.max(WINDOW_BYTES),
        };
        self.work_left = self.work_left.saturating_sub((size + read) as u64);
        Ok(self.judge(position)?.is_ok())
    }
}

/// Where behind damage the next good batch begins, at or behind offset `expected`.
pub(super) fn next_good<F: DiskFile>(
    file: &F,
    part: (u32, u32),
    expected: Offset,
) -> io::Result<Option<u32>> {
    let mut pieces = Pieces::between(file, part, expected, None);
    Ok(match pieces.next_piece()? {
        Some(Piece::Damage(damage)) => {
            Some(damage.position + damage.bytes).filter(|good| *good < part.1)
        }
        Some(Piece::Batch { .. }) | None => None,
    })
}
