//! A record as a line of text: its mark and checksum in hex, then a body without line ends.
//!
//! ```text
//! crc32c of what follows, 8 digits | producer, 8 | sequence, 16 | body … (\n becomes a blank)
//! ```

use crate::bench::payload::{Mark, Payloads};

/// What a line holds before its body.
pub const HEAD_BYTES: usize = 8 + 8 + 16;

/// Appends the line of this record, with its end.
pub fn write(payloads: &Payloads, mark: Mark, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    put_hex(u64::from(mark.producer), 8, out);
    put_hex(mark.sequence, 16, out);
    let body = out.len();
    out.extend_from_slice(payloads.body(mark));
    // A memchr a line is cheaper than a look at each byte: most bodies have none.
    let mut rest = &mut out[body..];
    while let Some(at) = memchr::memchr(b'\n', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
    let crc = crc32c::crc32c(&out[start + 8..]);
    let mut digits = Vec::with_capacity(8);
    put_hex(u64::from(crc), 8, &mut digits);
    out[start..start + 8].copy_from_slice(&digits);
    out.push(b'\n');
}

/// The mark in a line without its end, or `None` where a byte of it is not as it was sent.
pub fn read(line: &[u8]) -> Option<Mark> {
    let (crc, rest) = line.split_at_checked(8)?;
    let (producer, after) = rest.split_at_checked(8)?;
    let (sequence, _) = after.split_at_checked(16)?;
    let is_whole = hex(crc)? == u64::from(crc32c::crc32c(rest));
    let producer = u32::try_from(hex(producer)?).ok()?;
    is_whole.then_some(Mark { producer, sequence: hex(sequence)? })
}

fn put_hex(value: u64, digits: u32, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend((0..digits).rev().map(|at| DIGITS[(value >> (at * 4)) as usize & 15]));
}

fn hex(digits: &[u8]) -> Option<u64> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).map(u64::from);
    digits.iter().try_fold(0, |value, byte| Some(value << 4 | digit(byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::payload::Shape;

    #[test]
    fn a_line_names_its_record_and_any_change_is_found() {
        let shape = Shape { record_size: 84, keys: None, seed: 1 };
        let mark = Mark { producer: 3, sequence: 1 << 40 };
        for payloads in [Payloads::random(shape), Payloads::of(b"ab\n\ncd\n", shape)] {
            let mut line = vec![];
            write(&payloads, mark, &mut line);
            assert_eq!(line.pop(), Some(b'\n'));
            assert_eq!(line.len(), HEAD_BYTES + 68);
            assert!(!line.contains(&b'\n'));
            assert_eq!(read(&line), Some(mark));
            for at in 0..line.len() {
                let mut bad = line.clone();
                bad[at] ^= 1;
                assert_eq!(read(&bad), None, "byte {at}");
                assert_eq!(read(&line[..at]), None, "cut at {at}");
            }
        }
    }
}
