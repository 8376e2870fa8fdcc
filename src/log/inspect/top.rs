//! The files at the top of a data directory, line by line.

use super::super::PartitionOffset;
use super::super::text::{parse_checkpoint, parse_offset};

/// The lines of an offset checkpoint; or at which byte it is wrong, and how.
pub fn offsets(bytes: &[u8]) -> Result<Vec<PartitionOffset>, (u64, String)> {
    parse_checkpoint(bytes, parse_offset)
        .map_err(|bad| (line_start(bytes, bad.line), format!("line {}: {}", bad.line, bad.what)))
}

/// The byte at which a line begins, counted from 1.
pub(super) fn line_start(bytes: &[u8], line: usize) -> u64 {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').take(line - 1);
    lines.map(|line| line.len() as u64).sum()
}
