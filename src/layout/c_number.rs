//! Numbers as C's library reads them from the start of a text: what comes after is left alone.

/// A sign and digits, with how many bytes they took.
struct Scan {
    negative: bool,
    /// `None` where it is more than 64 bits.
    magnitude: Option<u64>,
    length: usize,
}

/// As `strtoll`: what does not fit is the nearest that does; no number is 0 of 0 bytes.
pub fn signed(text: &[u8], base: u32) -> (i64, usize) {
    let Some(Scan { negative, magnitude, length }) = scan(text, base) else { return (0, 0) };
    let magnitude = i128::from(magnitude.unwrap_or(u64::MAX));
    let number = if negative { -magnitude } else { magnitude };
    let nearest = number.clamp(i64::MIN.into(), i64::MAX.into());
    (i64::try_from(nearest).expect("it was clamped"), length)
}

/// As `strtoul` of 64 bits: a negative number wraps around, one that does not fit is the largest.
pub fn unsigned(text: &[u8], base: u32) -> (u64, usize) {
    let Some(Scan { negative, magnitude, length }) = scan(text, base) else { return (0, 0) };
    let number = match magnitude {
        Some(magnitude) if negative => magnitude.wrapping_neg(),
        Some(magnitude) => magnitude,
        None => u64::MAX,
    };
    (number, length)
}

/// Base 0 is that of the prefix: `0x` or `0`.
fn scan(text: &[u8], base: u32) -> Option<Scan> {
    let is_space = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0x0b;
    let spaces = text.iter().take_while(is_space).count();
    let rest = &text[spaces..];
    let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
    let negative = rest.first() == Some(&b'-');
    let rest = &rest[sign..];
    let is_hex = (base == 0 || base == 16)
        && matches!(rest, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    let base = match base {
        0 if is_hex => 16,
        0 if rest.first() == Some(&b'0') => 8,
        0 => 10,
        base => base,
    };
    let prefix = if is_hex { 2 } else { 0 };
    let digits = rest[prefix..].iter().map_while(|byte| char::from(*byte).to_digit(base));
    let (mut magnitude, mut count) = (Some(0u64), 0);
    for digit in digits {
        magnitude = magnitude
            .and_then(|so_far| so_far.checked_mul(base.into()))
            .and_then(|so_far| so_far.checked_add(digit.into()));
        count += 1;
    }
    (0 < count).then_some(Scan { negative, magnitude, length: spaces + sign + prefix + count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, base: u32, want_signed: i64, want_unsigned: u64, length: usize) {
        assert_eq!(signed(text.as_bytes(), base), (want_signed, length), "{text}");
        assert_eq!(unsigned(text.as_bytes(), base), (want_unsigned, length), "{text}");
    }

    #[test]
    fn the_start_of_a_text_is_a_number() {
        check("12", 10, 12, 12, 2);
        check(" \t+12abc", 10, 12, 12, 5);
        check("-5", 10, -5, 5u64.wrapping_neg(), 2);
        check("abc", 10, 0, 0, 0);
        check("", 10, 0, 0, 0);
        check("-", 10, 0, 0, 0);
        check("08", 0, 0, 0, 1);
        check("017", 0, 15, 15, 3);
        check("0x1F", 0, 31, 31, 4);
        check("0xg", 16, 0, 0, 1);
        check("1Fg", 16, 31, 31, 2);
        check("99999999999999999999", 10, i64::MAX, u64::MAX, 20);
        check("-9223372036854775808", 10, i64::MIN, 1 << 63, 20);
        check("-9223372036854775809", 10, i64::MIN, (1 << 63) - 1, 20);
    }
}
