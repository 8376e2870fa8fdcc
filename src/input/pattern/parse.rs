//! A format's words to steps.

use regex::bytes::Regex;

use super::{Field, Form, Quantity, Step, Until};
use crate::layout::{Braces, Modifier, Number, Token, Word, words};

const TOKENS: &str = "use %v value, %k key, %V %K their lengths, %H and %h{…} headers, %p, %d, \
                      %t, %o, %e or %%";

pub fn parse(format: &str) -> Result<Vec<Step>, String> {
    let words = words(format)?;
    let is_topic = |word: &Word<'_>| matches!(word, Word::Token(Token { letter: 't', .. }));
    let mut steps = Steps {
        found: Vec::new(),
        sized: [false; 3],
        counted: false,
        read: [false; 3],
        topics: words.iter().filter(|word| is_topic(word)).count(),
    };
    for word in &words {
        steps.add(word)?;
    }
    let found = steps.found;
    if found.iter().all(|step| matches!(step, Step::Fixed(..))) {
        return Err("the format reads nothing from the input; -f '%v\\n' reads lines".to_owned());
    }
    Ok(found)
}

struct Steps {
    found: Vec<Step>,
    /// By field: whether its size comes before it, and whether it was read.
    sized: [bool; 3],
    read: [bool; 3],
    counted: bool,
    /// Topics that are still to come.
    topics: usize,
}

impl Steps {
    fn add(&mut self, word: &Word<'_>) -> Result<(), String> {
        let token = match word {
            Word::Literal(bytes) => {
                self.literal(bytes.clone());
                return Ok(());
            }
            Word::Token(token) => *token,
        };
        if let Some(Step::Text { letter, until: Until::End, .. }) = self.found.last() {
            return Err(format!(
                "nothing says where %{letter} ends before %{}; put text between them, or the \
                 length before it",
                token.letter
            ));
        }
        match token.letter {
            'T' if 0 < self.topics => self.size(token, Field::Topic),
            // kcat's, and what `consume -f` prints for it.
            'T' => self.number(token, Quantity::Timestamp),
            'K' => self.size(token, Field::Key),
            'V' | 'S' => self.size(token, Field::Value),
            'R' if token.braces == Braces::None => {
                self.sized_once(token, Field::Value)?;
                let quantity = Quantity::Size(Field::Value);
                self.found.push(Step::Number { letter: 'R', quantity, form: Number::Big(4) });
                Ok(())
            }
            'H' => {
                self.counted = true;
                self.number(token, Quantity::HeaderCount)
            }
            'p' => self.number(token, Quantity::Partition),
            'd' => self.number(token, Quantity::Timestamp),
            'o' | 'e' | 'x' | 'y' | 'i' => self.number(token, Quantity::Ignored),
            't' => {
                self.topics -= 1;
                self.text(token, Field::Topic)
            }
            'k' => self.text(token, Field::Key),
            'v' | 's' => self.text(token, Field::Value),
            'h' => self.headers(token),
            letter => Err(format!("'%{letter}' cannot be read; {TOKENS}")),
        }
    }

    fn literal(&mut self, bytes: Vec<u8>) {
        match self.found.last_mut() {
            Some(Step::Text { until: until @ Until::End, .. }) => *until = Until::Delimiter(bytes),
            _ => self.found.push(Step::Exact(bytes)),
        }
    }

    fn size(&mut self, token: Token<'_>, field: Field) -> Result<(), String> {
        self.sized_once(token, field)?;
        self.number(token, Quantity::Size(field))
    }

    fn sized_once(&mut self, token: Token<'_>, field: Field) -> Result<(), String> {
        if self.read[field.index()] {
            return Err(format!("the length %{} comes after what it measures", token.letter));
        }
        if std::mem::replace(&mut self.sized[field.index()], true) {
            return Err(format!("%{} is a length that was given before", token.letter));
        }
        Ok(())
    }

    fn number(&mut self, token: Token<'_>, quantity: Quantity) -> Result<(), String> {
        let letter = token.letter;
        let form = match token.braces {
            Braces::None => Number::Ascii,
            Braces::Format(_) => unreachable!("only %h has a format of its own"),
            Braces::Modifier(modifier) => match modifier.bare() {
                Some(digits) if is_fixed(digits, quantity) => {
                    let size = digits.parse().map_err(|_| wrong_number(letter, &modifier))?;
                    self.found.push(Step::Fixed(quantity, size));
                    return Ok(());
                }
                name => match name.and_then(Number::named) {
                    Some(Number::HexShort) | None => return Err(wrong_number(letter, &modifier)),
                    Some(form) => form,
                },
            },
        };
        self.found.push(Step::Number { letter, quantity, form });
        Ok(())
    }

    fn text(&mut self, token: Token<'_>, field: Field) -> Result<(), String> {
        let letter = token.letter;
        let is_sized = self.sized[field.index()];
        self.read[field.index()] = true;
        let size = if is_sized { Until::Size } else { Until::End };
        let (until, form) = match token.braces {
            Braces::Modifier(Modifier { name, argument, option: None }) => match (name, argument) {
                ("hex", None) => (size, Form::Hex),
                ("base64" | "base64raw", None) => (size, Form::Base64),
                ("json", None) if !is_sized => (Until::Json, Form::Json),
                ("re", Some(text)) if !is_sized => (Until::Regex(regex(text)?), Form::Plain),
                ("json" | "re", _) if is_sized => {
                    return Err(format!("%{letter}{{{name}}} has a length before it already"));
                }
                _ => return Err(wrong_text(letter, name)),
            },
            Braces::Modifier(modifier) => return Err(wrong_text(letter, modifier.name)),
            _ => (size, Form::Plain),
        };
        self.found.push(Step::Text { letter, field, until, form });
        Ok(())
    }

    fn headers(&mut self, token: Token<'_>) -> Result<(), String> {
        let Braces::Format(format) = token.braces else {
            return Err("%h needs a format for each header: %H %h{%k=%v;}".to_owned());
        };
        if !self.counted {
            return Err("%h{…} needs the number of headers before it: %H %h{%k=%v;}".to_owned());
        }
        let steps = parse(format)?;
        for step in &steps {
            match step {
                Step::Text { letter, until: Until::End, .. } => {
                    return Err(format!("nothing says where %{letter} ends inside %h{{{format}}}"));
                }
                Step::Text { field: Field::Topic, .. } | Step::Headers(_) => {
                    return Err(format!("inside %h{{{format}}} there are %k %K %v and %V"));
                }
                Step::Number { quantity, letter, .. } if !matches!(quantity, Quantity::Size(_)) => {
                    return Err(format!("'%{letter}' is no part of a header: %h{{{format}}}"));
                }
                _ => {}
            }
        }
        self.found.push(Step::Headers(steps));
        Ok(())
    }
}

/// A bare number is a size or a count that no record says.
fn is_fixed(digits: &str, quantity: Quantity) -> bool {
    let is_size = matches!(quantity, Quantity::Size(_) | Quantity::HeaderCount);
    is_size && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty()
}

fn regex(text: &str) -> Result<Regex, String> {
    // Where a text begins is known; only its end is looked for.
    Regex::new(&format!(r"\A(?:{text})")).map_err(|error| {
        let error = error.to_string();
        let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("{{re[{text}]}}: {why}")
    })
}

fn wrong_number(letter: char, modifier: &Modifier<'_>) -> String {
    let name = modifier.name;
    match name {
        "strftime" | "go" => {
            format!("%{letter}{{{name}…}} cannot be read; a time is read in milliseconds")
        }
        "hex" => format!("%{letter}{{hex}} has no end; read hex64, hex32, hex16, hex8 or hex4"),
        _ => format!("%{letter}{{{name}}}: use {}, or a length such as {{3}}", Number::NAMES),
    }
}

fn wrong_text(letter: char, name: &str) -> String {
    format!("%{letter}{{{name}…: use hex, base64, json or re[…]; %{letter}%{{ reads a brace")
}
