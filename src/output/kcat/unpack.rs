//! kcat's `-s`: bytes unpacked into numbers and text by a row of letters.

use std::io::Write;

/// Which part of a record is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Key,
    Value,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::Key => "key",
            Field::Value => "value",
        }
    }
}

/// A row of letters, each of which is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpack(Vec<u8>);

impl Unpack {
    pub fn parse(field: Field, letters: &[u8]) -> Result<Unpack, String> {
        let what = field.name();
        if letters.is_empty() {
            return Err(format!("{what} pack-format must not be empty"));
        }
        match letters.iter().find(|letter| !b" <>bBhHiIqQcs$".contains(letter)) {
            Some(wrong) => Err(format!(
                "Invalid token '{}' in {what} pack-format, see -s usage.",
                char::from(*wrong)
            )),
            None => Ok(Unpack(letters.to_vec())),
        }
    }

    /// Appends what is unpacked; what came before an error stays.
    ///
    /// `<` changes nothing: kcat swaps the bytes of a number for either order.
    pub fn print(&self, field: Field, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let (what, mut rest) = (field.name(), bytes);
        for &letter in &self.0 {
            match letter {
                b' ' => out.push(b' '),
                b'<' | b'>' => {}
                b'$' if rest.is_empty() => {}
                b'$' => {
                    let left = rest.len();
                    return Err(format!(
                        "expected {what} end-of-input, but {left} bytes remaining"
                    ));
                }
                b's' => {
                    // As text of C, which ends at a NUL.
                    out.extend(rest.iter().take_while(|byte| **byte != 0));
                    rest = &[];
                }
                _ => {
                    let taken = number(letter, rest, out);
                    rest = taken.map_err(|wanted| truncated(what, wanted, letter, rest.len()))?;
                }
            }
        }
        Ok(())
    }
}

/// Appends a number, or a byte as it is; returns what is left, or how many bytes it wanted.
fn number<'a>(letter: u8, bytes: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], usize> {
    fn first<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), usize> {
        bytes.split_first_chunk::<N>().map(|(first, rest)| (*first, rest)).ok_or(N)
    }
    macro_rules! print {
        ($number:ty) => {{
            let (bytes, rest) = first(bytes)?;
            write!(out, "{}", <$number>::from_be_bytes(bytes)).expect(MEMORY);
            rest
        }};
    }
    Ok(match letter {
        b'b' => print!(i8),
        b'B' => print!(u8),
        b'h' => print!(i16),
        b'H' => print!(u16),
        b'i' => print!(i32),
        b'I' => print!(u32),
        b'q' => print!(i64),
        b'Q' => print!(u64),
        // kcat reads beyond the end here; that is no byte of the record's.
        _ => {
            let ([byte], rest) = first(bytes)?;
            out.push(byte);
            rest
        }
    })
}

const MEMORY: &str = "memory takes every write";

fn truncated(what: &str, wanted: usize, letter: u8, left: usize) -> String {
    let letter = char::from(letter);
    format!(
        "{what} truncated, expected {wanted} bytes to unpack {letter} \
         but only {left} bytes remaining"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(letters: &str, bytes: &[u8], want: &str) {
        let unpack = Unpack::parse(Field::Key, letters.as_bytes());
        let shown = unpack.map_or_else(
            |why| why,
            |unpack| {
                let mut out = Vec::new();
                let end = unpack.print(Field::Key, bytes, &mut out).err().unwrap_or_default();
                String::from_utf8(out).unwrap() + &end
            },
        );
        assert_eq!(shown, want, "{letters}");
    }

    #[test]
    fn letters_are_numbers_and_text() {
        check("b B", b"\xff\xff", "-1 255");
        check("h", b"\xff\xfe", "-2");
        check("<H", b"\x01\x02", "258");
        check("<I>I", b"\0\0\0\x01\0\0\0\x01", "11");
        check("i q", b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x05", "-1 5");
        check("Q", &[0xff; 8], "18446744073709551615");
        check("ccs", b"abrest\0of", "abrest");
        check("b$", b"\x01", "1");
        check("B", b"\x01\x02", "1");
    }

    #[test]
    fn what_cannot_be_unpacked_is_named() {
        check("", b"", "key pack-format must not be empty");
        check("ix", b"", "Invalid token 'x' in key pack-format, see -s usage.");
        check("b$", b"\x01\x02", "1expected key end-of-input, but 1 bytes remaining");
        check(
            "b i",
            b"\x01\x02",
            "1 key truncated, expected 4 bytes to unpack i but only 1 bytes remaining",
        );
        check("c", b"", "key truncated, expected 1 bytes to unpack c but only 0 bytes remaining");
    }
}
