//! A format cut into literal bytes and tokens: `%` and a letter, at times with braces.

use super::escape;

/// A part of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    Literal(Vec<u8>),
    Token(Token<'a>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub letter: char,
    pub braces: Braces<'a>,
}

/// What follows a token's letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Braces<'a> {
    None,
    /// A format of its own: `%h{%k=%v }`.
    Format(&'a str),
    /// `{name}`, `{name[argument]}`, `{name;option}`.
    Modifier(Modifier<'a>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modifier<'a> {
    pub name: &'a str,
    pub argument: Option<&'a str>,
    pub option: Option<&'a str>,
}

impl<'a> Modifier<'a> {
    /// The name, where nothing else is said.
    pub fn bare(&self) -> Option<&'a str> {
        (self.argument.is_none() && self.option.is_none()).then_some(self.name)
    }
}

/// Cuts a format; the error quotes what cannot be read.
pub fn words(format: &str) -> Result<Vec<Word<'_>>, String> {
    let mut words = Words { found: Vec::new(), literal: Vec::new() };
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' if !after.is_empty() => escape::escaped(after, &mut words.literal),
            '%' => words.token(after)?,
            _ => {
                words.literal.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
                after
            }
        };
    }
    words.end_literal();
    Ok(words.found)
}

struct Words<'a> {
    found: Vec<Word<'a>>,
    literal: Vec<u8>,
}

impl<'a> Words<'a> {
    /// Reads what follows a percent sign, and returns what comes after it.
    fn token(&mut self, text: &'a str) -> Result<&'a str, String> {
        let Some(letter) = text.chars().next() else {
            return Err("the format ends in a single %; %% is a percent sign".to_owned());
        };
        let after = &text[letter.len_utf8()..];
        if matches!(letter, '%' | '{' | '}') {
            self.literal.push(letter as u8);
            return Ok(after);
        }
        let (braces, rest) = match after.strip_prefix('{') {
            None => (Braces::None, after),
            Some(inside) if letter == 'h' => {
                let (format, rest) = nested(inside).ok_or_else(|| unclosed(letter, inside))?;
                (Braces::Format(format), rest)
            }
            Some(inside) => {
                let (modifier, rest) = modifier(inside).ok_or_else(|| unclosed(letter, inside))?;
                (Braces::Modifier(modifier), rest)
            }
        };
        self.end_literal();
        self.found.push(Word::Token(Token { letter, braces }));
        Ok(rest)
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.found.push(Word::Literal(std::mem::take(&mut self.literal)));
        }
    }
}

fn unclosed(letter: char, inside: &str) -> String {
    format!("'%{letter}{{{inside}' has no closing brace; %{{ is a brace that prints")
}

/// A format up to the brace that closes it; `%{` and `%}` are text.
fn nested(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    let mut before = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if before != b'%' => depth += 1,
            b'}' if before != b'%' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
        // `%%` is no beginning of `%{`.
        before = if before == b'%' { 0 } else { byte };
    }
    None
}

/// A name, an argument in brackets of any kind and an option, and what follows the brace.
fn modifier(text: &str) -> Option<(Modifier<'_>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')?;
    let (name, rest) = text.split_at(end);
    let (argument, rest) = match rest.as_bytes()[0] {
        b'}' | b';' => (None, rest),
        _ => {
            let (argument, rest) = enclosed(rest)?;
            (Some(argument), rest)
        }
    };
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((Modifier { name, argument, option: None }, rest));
    }
    let (option, rest) = rest.strip_prefix(';')?.split_once('}')?;
    Some((Modifier { name, argument, option: Some(option) }, rest))
}

/// What stands between a run of one character and a run of as many that close it.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let opener = text.chars().next()?;
    let inside = text.trim_start_matches(opener);
    let count = (text.len() - inside.len()) / opener.len_utf8();
    let closer = match opener {
        '{' => '}',
        '[' => ']',
        '(' => ')',
        other => other,
    };
    inside.split_once(&closer.to_string().repeat(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: &str) -> String {
        let words = match words(format) {
            Ok(words) => words,
            Err(error) => return error,
        };
        let word = |word: &Word<'_>| match word {
            Word::Literal(bytes) => format!("'{}'", bytes.escape_ascii()),
            Word::Token(Token { letter, braces }) => match braces {
                Braces::None => letter.to_string(),
                Braces::Format(format) => format!("{letter}<{format}>"),
                Braces::Modifier(Modifier { name, argument, option }) => {
                    format!("{letter} {name} {argument:?} {option:?}")
                }
            },
        };
        words.iter().map(word).collect::<Vec<_>>().join(" | ")
    }

    #[track_caller]
    fn check(format: &str, want: &str) {
        assert_eq!(shown(format), want, "{format}");
    }

    #[test]
    fn formats_are_cut_as_franz_go_cuts_them() {
        check("", "");
        check("a%kb%%%{%}%v", "'a' | k | 'b%{}' | v");
        check("%[%|%]", "[ | | | ]");
        check("%V{big32}%v", "V big32 None None | v");
        check("%h{%k=%v%}{ }}%o", "h<%k=%v%}{ }> | o");
        check("%h{%%}x", "h<%%> | 'x'");
        check("%h{%v{hex}}", "h<%v{hex}>");
        check("%d{strftime[%F]}x", "d strftime Some(\"%F\") None | 'x'");
        check("%d{go##02:04##}", "d go Some(\"02:04\") None");
        check("%d{strftime{{%}};local}", "d strftime Some(\"%\") Some(\"local\")");
        check("%a{timestamp-type;hex}", "a timestamp-type None Some(\"hex\")");
        check("%v{unpack{>I s}}", "v unpack Some(\">I s\") None");
    }

    #[test]
    fn escapes_are_kcats() {
        check(r"\t\x41\065\%k\q\\", r"'\tA5%kq\\'");
        check("end\\", r"'end\\'");
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        check("a%", "the format ends in a single %; %% is a percent sign");
        for open in ["%v{hex", "%v{", "%h{%k", "%d{strftime[%F}", "%d{strftime[%F]x}", "%v{hex;"] {
            let inside = &open[3..];
            let letter = &open[1..2];
            check(
                open,
                &format!("'%{letter}{{{inside}' has no closing brace; %{{ is a brace that prints"),
            );
        }
    }
}
