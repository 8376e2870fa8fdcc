//! Escapes in what a user types for bytes: delimiters and formats.

/// Turns a delimiter's escapes into bytes: `\n \t \r \0`, `\xNN` (hexadecimal), `\0NN` (octal),
/// `\NNN` (decimal). A backslash before anything else is a mistake.
pub fn delimiter(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let Some(letter) = escape.chars().next() else {
            return Err(format!("'{text}' ends in a single backslash; {KNOWN}"));
        };
        let is_known = match letter {
            'x' => escape[1..].starts_with(|c: char| c.is_ascii_hexdigit()),
            c => c.is_ascii_digit() || matches!(c, 'n' | 't' | 'r' | '\\'),
        };
        if !is_known {
            return Err(format!("'\\{letter}' is not an escape; {KNOWN}"));
        }
        rest = escaped(escape, &mut out);
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

const KNOWN: &str = r"use \n \t \r \0 \xNN or \\";

/// Reads what follows a backslash, and returns what comes after it. Before anything that is no
/// escape it stands for that character alone (kcat format.c).
pub fn escaped<'a>(text: &'a str, out: &mut Vec<u8>) -> &'a str {
    let Some(kind) = text.chars().next() else { return text };
    let after = &text[kind.len_utf8()..];
    let (radix, digits, length_max) = match kind {
        'n' => return push(b'\n', after, out),
        't' => return push(b'\t', after, out),
        'r' => return push(b'\r', after, out),
        'x' => (16, after, 2),
        '0' => (8, text, 3),
        '1'..='9' => (10, text, 3),
        _ => {
            out.extend_from_slice(&text.as_bytes()[..kind.len_utf8()]);
            return after;
        }
    };
    let length = digits.chars().take(length_max).take_while(|c| c.is_digit(radix)).count();
    if length == 0 {
        return push(kind as u8, after, out);
    }
    let (digits, rest) = digits.split_at(length);
    let value = digits.chars().filter_map(|c| c.to_digit(radix)).fold(0, |v, d| v * radix + d);
    push(value as u8, rest, out)
}

fn push<'a>(byte: u8, after: &'a str, out: &mut Vec<u8>) -> &'a str {
    out.push(byte);
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[u8]) {
        assert_eq!(delimiter(text).as_deref(), Ok(want), "{text}");
    }

    #[test]
    fn escapes_are_those_of_kcat() {
        check("", b"");
        check("plain ü", "plain ü".as_bytes());
        check(r"\n\t\r", b"\n\t\r");
        check(r"a\0b\\", b"a\0b\\");
        check(r"\x00\x1F\xff\x0abc", b"\x00\x1f\xff\x0abc");
        check(r"\012\10x", b"\n\nx");
    }

    #[test]
    fn a_delimiter_has_no_escape_that_nobody_knows() {
        let error = |text| delimiter(text).unwrap_err();
        let known = r"use \n \t \r \0 \xNN or \\";
        assert_eq!(error(r"\q"), format!(r"'\q' is not an escape; {known}"));
        assert_eq!(error(r"\ü"), format!(r"'\ü' is not an escape; {known}"));
        assert_eq!(error(r"\xg"), format!(r"'\x' is not an escape; {known}"));
        assert_eq!(error(r"a\"), format!(r"'a\' ends in a single backslash; {known}"));
    }

    #[test]
    fn elsewhere_it_is_the_character_alone() {
        let of = |text| {
            let mut out = Vec::new();
            let rest = escaped(text, &mut out);
            (out, rest)
        };
        assert_eq!(of("qr"), (b"q".to_vec(), "r"));
        assert_eq!(of("xzz"), (b"x".to_vec(), "zz"));
        assert_eq!(of("ü"), ("ü".as_bytes().to_vec(), ""));
    }
}
