//! JSON to jq's values and back. Numbers keep their digits; what jq has and JSON has not becomes
//! what jq itself prints for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hifijson::SliceLexer;
use hifijson::num::{Lex as _, LexWrite};
use hifijson::str::LexAlloc;
use hifijson::token::{Expect, Lex};
use jaq_json::{Map, Num, Val};

use super::super::{json, number};

/// Deeper values are text: reading and dropping them takes stack.
const DEPTH_MAX: usize = 128;

pub fn text(text: &str) -> Val {
    Val::utf8_str(text.as_bytes().to_vec())
}

pub fn base64(bytes: &[u8]) -> Val {
    Val::utf8_str(STANDARD.encode(bytes))
}

/// A value that is JSON is that JSON.
pub fn of_value(value: &str) -> Val {
    parse(value).unwrap_or_else(|| text(value))
}

/// The same, but that an object has only these of its fields.
pub fn of_fields(value: &str, fields: &[String]) -> Val {
    if !value.trim_start().starts_with('{') {
        return of_value(value);
    }
    let mut lexer = SliceLexer::new(value.as_bytes());
    let object = lexer.exactly_one(Lex::ws_peek, |_, lexer| {
        object(lexer, |name| fields.iter().any(|field| field == name), DEPTH_MAX)
    });
    object.unwrap_or_else(|_| text(value))
}

/// A key is JSON where it is an object or an array.
pub fn of_key(key: &str) -> Val {
    match key.trim_start().starts_with(['{', '[']) {
        true => of_value(key),
        false => text(key),
    }
}

fn parse(text: &str) -> Option<Val> {
    let mut lexer = SliceLexer::new(text.as_bytes());
    let value = lexer.exactly_one(Lex::ws_peek, |next, lexer| any(next, lexer, DEPTH_MAX));
    value.ok()
}

fn any(next: u8, lexer: &mut SliceLexer<'_>, depth: usize) -> Result<Val, hifijson::Error> {
    Ok(match next {
        b'"' => string(lexer.discarded())?,
        b'0'..=b'9' | b'-' => {
            let (digits, parts) = lexer.num_string().validated()?;
            let whole = parts.is_int().then(|| Num::from_str_radix(digits, 10)).flatten();
            Val::Num(whole.unwrap_or_else(|| Num::Dec(digits.to_owned().into())))
        }
        b'[' | b'{' if depth == 0 => return Err(Expect::Value.into()),
        b'[' => {
            let mut items = Vec::new();
            lexer.discarded().seq(b']', Lex::ws_peek, |next, lexer| {
                items.push(any(next, lexer, depth - 1)?);
                Ok::<_, hifijson::Error>(())
            })?;
            items.into_iter().collect()
        }
        b'{' => object(lexer, |_| true, depth)?,
        _ => match lexer.null_or_bool().ok_or(Expect::Value)? {
            Some(boolean) => Val::Bool(boolean),
            None => Val::Null,
        },
    })
}

/// An object with the fields that are wanted.
fn object(
    lexer: &mut SliceLexer<'_>,
    is_wanted: impl Fn(&str) -> bool,
    depth: usize,
) -> Result<Val, hifijson::Error> {
    let mut map = Map::default();
    lexer.discarded().seq(b'}', Lex::ws_peek, |next, lexer| {
        lexer.expect(|_| Some(next), b'"').ok_or(Expect::String)?;
        let name = lexer.str_string()?;
        lexer.expect(Lex::ws_peek, b':').ok_or(Expect::Colon)?;
        let next = lexer.ws_peek().ok_or(Expect::Value)?;
        match is_wanted(&name) {
            true => {
                map.insert(text(&name), any(next, lexer, depth - 1)?);
            }
            false => skip(next, lexer, depth - 1)?,
        }
        Ok::<_, hifijson::Error>(())
    })?;
    Ok(Val::obj(map))
}

/// Reads over a value that `any` would read.
fn skip(next: u8, lexer: &mut SliceLexer<'_>, depth: usize) -> Result<(), hifijson::Error> {
    match next {
        b'"' => {
            lexer.discarded().str_string()?;
        }
        b'0'..=b'9' | b'-' => {
            lexer.num_ignore().validate()?;
        }
        b'[' | b'{' if depth == 0 => return Err(Expect::Value.into()),
        b'[' => {
            lexer.discarded().seq(b']', Lex::ws_peek, |next, lexer| skip(next, lexer, depth - 1))?
        }
        b'{' => {
            object(lexer, |_| false, depth)?;
        }
        _ => {
            lexer.null_or_bool().ok_or(Expect::Value)?;
        }
    }
    Ok(())
}

/// A string whose first quote was read.
fn string(lexer: &mut SliceLexer<'_>) -> Result<Val, hifijson::Error> {
    Ok(Val::utf8_str(lexer.str_string()?.into_owned().into_bytes()))
}

/// Appends a value as compact JSON.
pub fn push(value: &Val, out: &mut Vec<u8>) {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(Num::Int(int)) => number::push(*int as i64, out),
        Val::Num(Num::Float(float)) if float.is_nan() => out.extend_from_slice(b"null"),
        Val::Num(Num::Float(float)) if float.is_infinite() => {
            let most = if *float < 0.0 { f64::MIN } else { f64::MAX };
            out.extend_from_slice(Val::Num(Num::Float(most)).to_string().as_bytes());
        }
        Val::Num(_) => out.extend_from_slice(value.to_string().as_bytes()),
        Val::TStr(bytes) | Val::BStr(bytes) => {
            json::push_string(&String::from_utf8_lossy(bytes), out);
        }
        Val::Arr(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if 0 < index {
                    out.push(b',');
                }
                push(item, out);
            }
            out.push(b']');
        }
        Val::Obj(map) => {
            out.push(b'{');
            for (index, (name, value)) in map.iter().enumerate() {
                if 0 < index {
                    out.push(b',');
                }
                push_name(name, out);
                out.push(b':');
                push(value, out);
            }
            out.push(b'}');
        }
    }
}

/// jaq's objects may have names of any kind, JSON's have strings.
fn push_name(name: &Val, out: &mut Vec<u8>) {
    match name {
        Val::TStr(_) | Val::BStr(_) => push(name, out),
        other => {
            let mut text = Vec::new();
            push(other, &mut text);
            json::push_string(&String::from_utf8_lossy(&text), out);
        }
    }
}
