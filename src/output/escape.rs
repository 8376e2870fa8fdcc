//! Escapes in what a user types for bytes: delimiters and templates.

/// Turns kcat's escapes into bytes: `\n \t \r \0`, `\xNN` (hexadecimal), `\0NN` (octal), `\NNN`
/// (decimal); a backslash before anything else stands for that character alone (kcat format.c).
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.first()) {
            (b'\\', Some(_)) => rest = escaped(after, &mut out),
            _ => out.push(byte),
        }
    }
    out
}

/// Reads what follows a backslash; returns what comes after it.
fn escaped<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (kind, after) = (text[0], &text[1..]);
    let (radix, digits, length_max) = match kind {
        b'n' => return push(b'\n', after, out),
        b't' => return push(b'\t', after, out),
        b'r' => return push(b'\r', after, out),
        b'x' => (16, after, 2),
        b'0' => (8, text, 3),
        b'1'..=b'9' => (10, text, 3),
        other => return push(other, after, out),
    };
    let length = digits.iter().take(length_max).take_while(|&&d| is_digit(d, radix)).count();
    if length == 0 {
        return push(kind, after, out);
    }
    let value = digits[..length].iter().fold(0, |value, &d| value * radix + digit(d));
    push(value as u8, &digits[length..], out)
}

fn push<'a>(byte: u8, after: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    out.push(byte);
    after
}

fn is_digit(byte: u8, radix: u32) -> bool {
    char::from(byte).is_digit(radix)
}

fn digit(byte: u8) -> u32 {
    char::from(byte).to_digit(16).expect("only digits are counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[u8]) {
        assert_eq!(unescape(text), want, "{text}");
    }

    #[test]
    fn escapes_are_those_of_kcat() {
        check("", b"");
        check("plain ü", "plain ü".as_bytes());
        check(r"\n\t\r", b"\n\t\r");
        check(r"\0", b"\0");
        check(r"a\0b", b"a\0b");
        check(r"\x00\x1F\xff", b"\x00\x1f\xff");
        check(r"\x0abc", b"\x0abc");
        check(r"\xzz", b"xzz");
        check(r"\012", b"\n");
        check(r"\10x", b"\nx");
        check(r"\\n", b"\\n");
        check(r"\q", b"q");
        check("end\\", b"end\\");
    }
}
