//! Go's layouts, which show how 2006-01-02 15:04:05 -07:00 would be printed (time/format.go).

use super::{Case, Field, Fill, OffsetForm, Part, Unit, WHOLE};

/// A layout's parts. What stands for nothing is printed as it is.
pub fn parts(layout: &str) -> Vec<Part> {
    let mut found: Vec<Part> = Vec::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some((part, length)) = chunk(rest) {
            found.push(part);
            rest = &rest[length..];
            continue;
        }
        // An underscore before a year belongs to nothing.
        let length = if rest.starts_with("_2006") { 1 } else { c.len_utf8() };
        match found.last_mut() {
            Some(Part::Literal(text)) => text.push_str(&rest[..length]),
            _ => found.push(Part::Literal(rest[..length].to_owned())),
        }
        rest = &rest[length..];
    }
    found
}

/// The chunk that a layout begins with, and how long it is there.
fn chunk(text: &str) -> Option<(Part, usize)> {
    if text.starts_with(['.', ',']) {
        return fraction(text);
    }
    if text.starts_with("_2006") {
        return None;
    }
    let (chunk, part) = CHUNKS.iter().find(|(chunk, _)| text.starts_with(chunk))?;
    let after = &text[chunk.len()..];
    // A word that only begins like one is none: Mond, Janus.
    let is_short_name = matches!(*chunk, "Jan" | "Mon");
    if is_short_name && after.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    Some((part.clone(), chunk.len()))
}

/// `.000` or `,999`, unless more digits follow.
fn fraction(text: &str) -> Option<(Part, usize)> {
    let mark = text.chars().next()?;
    let digit = text[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = text[1..].chars().take_while(|c| *c == digit).count();
    let length = 1 + digits;
    if 9 < digits || text[length..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let part = match digit {
        '0' => Part::MarkedFraction(mark, digits),
        _ => Part::ShortFraction(mark, digits),
    };
    Some((part, length))
}

const fn two(field: Field) -> Part {
    Part::Number(field, 2, Fill::Nought)
}

const fn one(field: Field) -> Part {
    Part::Number(field, 1, Fill::Nought)
}

const fn offset(parts: Unit, has_colons: bool, utc_is_z: bool) -> Part {
    Part::Offset(OffsetForm { parts, has_colons, utc_is_z })
}

/// A chunk comes before those that it begins with.
const CHUNKS: &[(&str, Part)] = &[
    ("January", Part::Month(WHOLE)),
    ("Jan", Part::Month(3)),
    ("Monday", Part::Weekday(WHOLE)),
    ("Mon", Part::Weekday(3)),
    ("MST", Part::Zone),
    ("002", Part::Number(Field::YearDay, 3, Fill::Nought)),
    ("01", two(Field::Month)),
    ("02", two(Field::Day)),
    ("03", two(Field::Hour12)),
    ("04", two(Field::Minute)),
    ("05", two(Field::Second)),
    ("06", two(Field::YearOfCentury)),
    ("15", two(Field::Hour)),
    ("1", one(Field::Month)),
    ("2006", Part::Number(Field::Year, 4, Fill::Nought)),
    ("2", one(Field::Day)),
    ("__2", Part::Number(Field::YearDay, 3, Fill::Blank)),
    ("_2", Part::Number(Field::Day, 2, Fill::Blank)),
    ("3", one(Field::Hour12)),
    ("4", one(Field::Minute)),
    ("5", one(Field::Second)),
    ("PM", Part::Half(Case::Upper)),
    ("pm", Part::Half(Case::Lower)),
    ("-07:00:00", offset(Unit::Seconds, true, false)),
    ("-07:00", offset(Unit::Minutes, true, false)),
    ("-070000", offset(Unit::Seconds, false, false)),
    ("-0700", offset(Unit::Minutes, false, false)),
    ("-07", offset(Unit::Hours, false, false)),
    ("Z07:00:00", offset(Unit::Seconds, true, true)),
    ("Z07:00", offset(Unit::Minutes, true, true)),
    ("Z070000", offset(Unit::Seconds, false, true)),
    ("Z0700", offset(Unit::Minutes, false, true)),
    ("Z07", offset(Unit::Hours, false, true)),
];
