//! The end of a log that was being written when its broker was killed.

use std::io;

use super::{Condition, Expected};
use crate::log::DiskFile;
use crate::log::inspect::{Damage, Why};
use crate::record::{BatchError, BatchView, Offset};

/// Where in a batch its length stands, which counts what is behind it.
const LENGTH: std::ops::Range<usize> = 8..12;

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
    let mut rest = vec![0; bytes as usize];
    let read = file.read_at(&mut rest, position.into())?;
    rest.truncate(read);
    Ok(match why {
        Why::Zeros => rest.iter().all(|&byte| byte == 0),
        _ => !is_whole_but_for_its_length(&mut rest),
    })
}

/// A length that became too large makes a whole batch look like the beginning of one.
fn is_whole_but_for_its_length(bytes: &mut [u8]) -> bool {
    let Some(length) = bytes.len().checked_sub(LENGTH.end) else { return false };
    let Ok(length) = i32::try_from(length) else { return false };
    bytes[LENGTH].copy_from_slice(&length.to_be_bytes());
    BatchView::parse(bytes).is_ok_and(|batch| batch.check_crc().is_ok())
}
