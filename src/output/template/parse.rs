//! A format's words to what they print.
//!
//! Both languages at once. A token without braces is kcat's wherever kcat has it; with braces it is
//! franz-go's. So `%T` is the timestamp and `%T{big32}` the topic's length, `%h` all headers and
//! `%h{…}` each, `%K` is -1 for a null key and `%K{big32}` 0.

use super::text::{Form, Unpack};
use super::{Field, Length, Piece, Quantity};
use crate::layout::{Braces, Modifier, Number, Token, Word, words};
use crate::output::time::TimeFormat;

const TOKENS: &str = "use %v or %s value, %V length, %k key, %K, %h or %h{%k=%v } headers, %H, \
                      %t topic, %p, %o, %d or %T time, %e, %i, %[, %|, %] or %%";
/// Inside `%h{…}`.
const HEADER_TOKENS: &str = "inside %h{…} there are %k %K %v and %V";

/// Parses a format; the error says which token is wrong.
pub fn parse(format: &str) -> Result<Vec<Piece>, String> {
    words(format)?.into_iter().map(|word| of_word(word, piece)).collect()
}

fn of_word(
    word: Word<'_>,
    piece: impl Fn(Token<'_>) -> Result<Piece, String>,
) -> Result<Piece, String> {
    match word {
        Word::Literal(bytes) => Ok(Piece::Literal(bytes)),
        Word::Token(token) => piece(token),
    }
}

fn piece(token: Token<'_>) -> Result<Piece, String> {
    use Quantity as Q;
    let number = |quantity| Ok(Piece::Number(quantity, number(token)?));
    let is_bare = token.braces == Braces::None;
    match token.letter {
        's' | 'v' => Ok(Piece::Text(Field::Value, form(token)?)),
        'k' => Ok(Piece::Text(Field::Key, form(token)?)),
        't' => Ok(Piece::Text(Field::Topic, form(token)?)),
        'S' => number(Q::ValueLength(Length::NullIsMinusOne)),
        'R' if is_bare => Ok(Piece::Number(
            Q::ValueLength(Length::NullIsMinusOne),
            Number::Big(4), // No record is longer: its size on the wire is one.
        )),
        'V' => number(Q::ValueLength(Length::NullIsZero)),
        'K' if is_bare => number(Q::KeyLength(Length::NullIsMinusOne)),
        'K' => number(Q::KeyLength(Length::NullIsZero)),
        'T' if is_bare => number(Q::Timestamp),
        'T' => number(Q::TopicLength),
        'H' => number(Q::HeaderCount),
        'p' => number(Q::Partition),
        'o' => number(Q::Offset),
        'e' => number(Q::LeaderEpoch),
        'i' => number(Q::Iteration),
        'd' => time(token),
        'a' => attribute(token),
        'h' => match token.braces {
            Braces::Format(format) => Ok(Piece::EachHeader(headers(format)?)),
            _ => Ok(Piece::Headers),
        },
        '[' => number(Q::LogStart),
        '|' => number(Q::LastStable),
        ']' => number(Q::High),
        'x' | 'y' | 'D' | 'A' => Err(hidden(token.letter)),
        'R' => Err("%R takes no braces; %S{big32} is the same".to_owned()),
        letter => Err(format!("'%{letter}' is not a token; {TOKENS}")),
    }
}

fn headers(format: &str) -> Result<Vec<Piece>, String> {
    let in_header = |token: Token<'_>| match token.letter {
        'k' | 'v' | 'V' => piece(token),
        'K' => Ok(Piece::Number(Quantity::KeyLength(Length::NullIsZero), number(token)?)),
        letter => Err(format!("'%{letter}' is no part of a header; {HEADER_TOKENS}")),
    };
    words(format)?.into_iter().map(|word| of_word(word, in_header)).collect()
}

fn number(token: Token<'_>) -> Result<Number, String> {
    match token.braces {
        Braces::None => Ok(Number::Ascii),
        Braces::Modifier(modifier) => named_number(token.letter, modifier.bare(), modifier.name),
        Braces::Format(_) => unreachable!("only %h has a format of its own"),
    }
}

fn named_number(letter: char, bare: Option<&str>, shown: &str) -> Result<Number, String> {
    bare.and_then(Number::named)
        .ok_or_else(|| format!("%{letter}{{{shown}}}: use {}", Number::NAMES))
}

fn form(token: Token<'_>) -> Result<Form, String> {
    let Braces::Modifier(modifier) = token.braces else { return Ok(Form::Plain) };
    match (modifier.name, modifier.argument, modifier.option) {
        ("hex", None, None) => Ok(Form::Hex),
        ("base64", None, None) => Ok(Form::Base64),
        ("base64raw", None, None) => Ok(Form::Base64Raw),
        ("unpack", Some(codes), None) => Ok(Form::Unpack(Unpack::parse(codes)?)),
        (name, ..) => Err(format!(
            "%{letter}{{{name}…: use hex, base64, base64raw or unpack[…]; %{letter}%{{ prints a \
             brace",
            letter = token.letter,
        )),
    }
}

fn time(token: Token<'_>) -> Result<Piece, String> {
    let Braces::Modifier(modifier) = token.braces else {
        return Ok(Piece::Number(Quantity::Timestamp, Number::Ascii));
    };
    match modifier {
        Modifier { name: "strftime", argument: Some(layout), option } => {
            Ok(Piece::Time(TimeFormat::strftime(layout, option)?))
        }
        Modifier { name: "go", argument: Some(layout), option } => {
            Ok(Piece::Time(TimeFormat::go(layout, option)?))
        }
        Modifier { name, argument: None, option: None } if Number::named(name).is_some() => {
            Ok(Piece::Number(Quantity::Timestamp, number(token)?))
        }
        Modifier { name, .. } => Err(format!(
            "%d{{{name}…: use strftime[%F %T], go[2006-01-02 15:04:05], or a number's {}",
            Number::NAMES
        )),
    }
}

fn attribute(token: Token<'_>) -> Result<Piece, String> {
    let Braces::Modifier(modifier) = token.braces else {
        return Err("%a needs a name; use %a{timestamp-type} or %a{control-bit}".to_owned());
    };
    let form = match modifier.option {
        None => Number::Ascii,
        Some(name) => named_number('a', Some(name), name)?,
    };
    match modifier.name {
        "timestamp-type" => Ok(Piece::Number(Quantity::TimestampType, form)),
        // Control records are never delivered.
        "control-bit" => Ok(Piece::Number(Quantity::ControlBit, form)),
        name @ ("compression" | "transactional-bit") => {
            Err(format!("%a{{{name}}}: librdkafka does not tell it; `kaw log dump` does"))
        }
        name => Err(format!("%a{{{name}}}: use timestamp-type or control-bit")),
    }
}

/// What franz-go prints, and no record brings here.
fn hidden(letter: char) -> String {
    match letter {
        'x' | 'y' => {
            let what = if letter == 'x' { "id" } else { "epoch" };
            format!("%{letter}: librdkafka does not tell the producer's {what}")
        }
        _ => format!("%{letter}: there are no share groups here"),
    }
}
