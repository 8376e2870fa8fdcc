//! kcat's `-D` and `-K`: escapes are replaced until none is left, wherever they came from.

use memchr::memmem;

use crate::layout::c_number;

/// The bytes of a delimiter, as text of C: it ends at a NUL.
pub fn parse(typed: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = typed.to_vec();
    loop {
        let find = |escape: &[u8]| memmem::find(&text, escape);
        let (at, byte, length) = if let Some(at) = find(b"\\n") {
            (at, b'\n', 2)
        } else if let Some(at) = find(b"\\t") {
            (at, b'\t', 2)
        } else if let Some(at) = find(b"\\x") {
            let (number, length) = c_number::unsigned(&text[at + 2..], 16);
            if length == 0 {
                let rest = String::from_utf8_lossy(&text[at..]);
                return Err(format!("Delimiter {rest} expects hex number"));
            }
            (at, number as u8, 2 + length)
        } else {
            return Ok(text);
        };
        text.splice(at..at + length, [byte]);
        if byte == 0 {
            text.truncate(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, want: &[u8]) {
        assert_eq!(parse(typed.as_bytes()).as_deref(), Ok(want), "{typed}");
    }

    #[test]
    fn escapes_are_replaced() {
        check("", b"");
        check(r"\n", b"\n");
        check(r"\t\n\n", b"\t\n\n");
        check(r"\x54!\x45\x53T", b"T!EST");
        check(r"\x414243", b"C");
        check(r"a\x00z", b"a");
        check(r"\r\\n", b"\\r\\\n");
        // One that is made by another.
        check(r"\x5cn", b"\n");
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        assert_eq!(parse(br"a\xg"), Err(r"Delimiter \xg expects hex number".to_owned()));
    }
}
