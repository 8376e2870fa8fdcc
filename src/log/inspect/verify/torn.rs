//! The end of a log that was being written when its broker was killed.

use std::io;
use std::ops::Range;

use super::{Condition, Expected};
use crate::log::DiskFile;
use crate::log::inspect::{Damage, Why};
use crate::record::{BatchError, BatchView, HEADER_BYTES, Offset};

/// Where in a batch its length stands, which counts what is behind it.
const LENGTH: Range<usize> = 8..12;
const CRC_COVERS_FROM: usize = 21;
/// So much is read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// Whether this is the beginning of a batch that nobody ever got an answer for: the last broker was
/// killed, nothing lies behind it, and it was not durable. `durable` is up to where the log was.
pub(super) fn is_torn(
    file: &impl DiskFile,
    damage: &Damage,
    durable: Option<Offset>,
    expected: &Expected,
) -> io::Result<bool> {
    let Damage { position, bytes, offset, why } = *damage;
    let may_be = expected.condition == Condition::Unclean
        && durable.is_some_and(|durable| durable <= offset)
        && u64::from(position) + u64::from(bytes) == file.len()?;
    if !may_be || !matches!(why, Why::Zeros | Why::Batch(BatchError::Short)) {
        return Ok(false);
    }
    let part = u64::from(position)..u64::from(position) + u64::from(bytes);
    Ok(match why {
        Why::Zeros => {
            let mut is_zero = true;
            each(file, part, |bytes| is_zero &= bytes.iter().all(|&byte| byte == 0))?;
            is_zero
        }
        _ => !is_whole_but_for_its_length(file, part)?,
    })
}

/// A length that became too large makes a whole batch look like the beginning of one.
fn is_whole_but_for_its_length(file: &impl DiskFile, part: Range<u64>) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    let body = part.start + HEADER_BYTES as u64;
    if part.end < body || file.read_at(&mut header, part.start)? < HEADER_BYTES {
        return Ok(false);
    }
    let Ok(length) = i32::try_from(part.end - part.start - LENGTH.end as u64) else {
        return Ok(false);
    };
    header[LENGTH].copy_from_slice(&length.to_be_bytes());
    let Ok(parsed) = BatchView::parse_header(&header) else { return Ok(false) };
    let mut crc = crc32c::crc32c(&header[CRC_COVERS_FROM..]);
    each(file, body..part.end, |bytes| crc = crc32c::crc32c_append(crc, bytes))?;
    Ok(crc == parsed.fields().crc())
}

/// Shows a part of a file, which may be all of a segment, in pieces.
fn each(file: &impl DiskFile, mut part: Range<u64>, mut see: impl FnMut(&[u8])) -> io::Result<()> {
    let mut window = vec![0; WINDOW_BYTES];
    while part.start < part.end {
        let wanted = WINDOW_BYTES.min((part.end - part.start) as usize);
        let read = file.read_at(&mut window[..wanted], part.start)?;
        if read == 0 {
            break;
        }
        see(&window[..read]);
        part.start += read as u64;
    }
    Ok(())
}
