//! Bytes as text: hexadecimal, base64, and unpacked.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD};

use crate::output::number;

/// How bytes are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    Hex,
    Base64,
    Base64Raw,
    Unpack(Unpack),
}

impl Form {
    pub fn push(&self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Form::Plain => out.extend_from_slice(bytes),
            Form::Hex => push_hex(bytes, out),
            Form::Base64 => push_base64(&STANDARD, bytes, out),
            Form::Base64Raw => push_base64(&STANDARD_NO_PAD, bytes, out),
            Form::Unpack(unpack) => unpack.push(bytes, out),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(digit));
}

pub fn digit(half: u8) -> u8 {
    HEX[usize::from(half)]
}

fn push_base64(engine: &GeneralPurpose, bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = engine.encode_slice(bytes, &mut out[start..]).expect("room for four a three");
    out.truncate(start + written);
}

/// franz-go's `unpack`: bytes read as a row of numbers, as Python's struct reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpack(Vec<Code>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// One byte as it is.
    Byte,
    Rest,
    End,
    Integer {
        width: usize,
        is_signed: bool,
        is_little: bool,
    },
}

impl Unpack {
    pub fn parse(codes: &str) -> Result<Unpack, String> {
        let mut found = Vec::new();
        let mut is_little = true;
        for code in codes.chars() {
            if matches!(found.last(), Some(Code::Rest | Code::End)) {
                return Err(format!("unpack[{codes}]: nothing comes after s or $"));
            }
            let width = match code {
                'b' | 'B' => 1,
                'h' | 'H' => 2,
                'i' | 'I' => 4,
                _ => 8,
            };
            match code {
                '<' => is_little = true,
                '>' => is_little = false,
                // They print a blank in kcat and pad in franz-go, which reads and prints nothing.
                'x' | ' ' => {}
                'c' | '.' => found.push(Code::Byte),
                's' => found.push(Code::Rest),
                '$' => found.push(Code::End),
                'b' | 'h' | 'i' | 'q' => {
                    found.push(Code::Integer { width, is_signed: true, is_little });
                }
                'B' | 'H' | 'I' | 'Q' => {
                    found.push(Code::Integer { width, is_signed: false, is_little });
                }
                other => {
                    let known = "use b B h H i I q Q, c or ., x, s, $, < or >";
                    return Err(format!("unpack[{codes}]: '{other}' is not a code; {known}"));
                }
            }
        }
        Ok(Unpack(found))
    }

    /// What cannot be read prints why, in the words of franz-go.
    fn push(&self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        for code in &self.0 {
            let taken = match *code {
                Code::Byte if rest.is_empty() => {
                    out.extend_from_slice(b"%!c(no bytes available)");
                    0
                }
                Code::Byte => {
                    out.push(rest[0]);
                    1
                }
                Code::Rest => {
                    out.extend_from_slice(rest);
                    rest.len()
                }
                Code::End => {
                    if !rest.is_empty() {
                        out.extend_from_slice(b"%!$(not end-of-input)");
                    }
                    rest.len()
                }
                Code::Integer { width, .. } if rest.len() < width => {
                    let have = rest.len();
                    let why = format!("%!(have {have} bytes, need {width})");
                    out.extend_from_slice(why.as_bytes());
                    have
                }
                Code::Integer { width, is_signed, is_little } => {
                    push_integer(&rest[..width], is_signed, is_little, out);
                    width
                }
            };
            rest = &rest[taken..];
        }
    }
}

fn push_integer(bytes: &[u8], is_signed: bool, is_little: bool, out: &mut Vec<u8>) {
    let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = match is_little {
        true => bytes.iter().rev().fold(0, join),
        false => bytes.iter().fold(0, join),
    };
    if is_signed {
        let unused = 64 - 8 * bytes.len() as u32;
        return number::push((value << unused) as i64 >> unused, out);
    }
    match i64::try_from(value) {
        Ok(value) => number::push(value, out),
        Err(_) => out.extend_from_slice(value.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(codes: &str, bytes: &[u8], want: &str) {
        let mut out = Vec::new();
        Unpack::parse(codes).unwrap().push(bytes, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), want, "{codes}");
    }

    #[test]
    fn bytes_unpack_as_in_franz_go() {
        check("bB", b"\xff\xff", "-1255");
        check("hH", b"\xfe\xff\xfe\xff", "-265534");
        check(">h<h", b"\x00\x01\x01\x00", "11");
        check("i.I", b"\xff\xff\xff\xff \xff\xff\xff\xff", "-1 4294967295");
        check("q", &i64::MIN.to_le_bytes(), "-9223372036854775808");
        check("Q", &[0xff; 8], "18446744073709551615");
        check("bxs", b"\x01rest", "1rest");
        check("c$", b"a", "a");
        check("c$", b"ab", "a%!$(not end-of-input)");
        check("i", b"abc", "%!(have 3 bytes, need 4)");
        check("c", b"", "%!c(no bytes available)");
        assert!(Unpack::parse("sb").is_err());
        assert!(Unpack::parse("z").is_err());
    }
}
