//! Zig-zag varints, as records use them (ByteUtils.java): small numbers of either sign are short.

/// The longest encoding of a 64-bit number.
pub const VARLONG_BYTES_MAX: usize = 10;

/// Appends `value` to `out`.
pub fn put(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The number of bytes that `put` appends for `value`.
pub fn size(value: i64) -> usize {
    let rest = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (rest | 1).leading_zeros() as usize).div_ceil(7)
}

/// A 64-bit varint from the front of `bytes`, which is moved past it. `None`: cut off or too long.
#[inline]
pub fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    // Most are of one byte, or of two; the loop costs more than all else that is seen of a record.
    let (raw, taken) = match **bytes {
        [a, ..] if a < 0x80 => (a.into(), 1),
        [a, b, ..] if b < 0x80 => (u64::from(b) << 7 | u64::from(a & 0x7f), 2),
        _ => long(bytes)?,
    };
    *bytes = &bytes[taken..];
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// The number as it is stored, and of how many bytes it is.
fn long(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut raw = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(VARLONG_BYTES_MAX) {
        if index == VARLONG_BYTES_MAX - 1 && byte > 1 {
            return None;
        }
        raw |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((raw, index + 1));
        }
    }
    None
}

/// A 32-bit varint from the front of `bytes`, which is moved past it.
#[inline]
pub fn take(bytes: &mut &[u8]) -> Option<i32> {
    i32::try_from(take_long(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: i64, want: &[u8]) {
        let mut out = Vec::new();
        put(&mut out, value);
        assert_eq!(out, want, "{value}");
        assert_eq!(size(value), want.len(), "{value}");
        let mut rest = &out[..];
        assert_eq!(take_long(&mut rest), Some(value));
        assert!(rest.is_empty());
        for cut in 0..out.len() {
            assert_eq!(take_long(&mut &out[..cut]), None, "{value} cut at {cut}");
        }
    }

    #[test]
    fn varints_are_kafkas() {
        check(0, &[0]);
        check(-1, &[1]);
        check(1, &[2]);
        check(63, &[126]);
        check(64, &[0x80, 1]);
        check(-64, &[127]);
        check(i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
        check(i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        check(i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn an_overlong_varint_is_refused() {
        assert_eq!(take_long(&mut &[0xff; 11][..]), None);
        assert_eq!(take_long(&mut &[0xff, 255, 255, 255, 255, 255, 255, 255, 255, 2][..]), None);
        assert_eq!(take(&mut &[0x80, 0x80, 0x80, 0x80, 0x20][..]), None);
    }
}
