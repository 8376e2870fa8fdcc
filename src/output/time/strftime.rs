//! strftime's directives in the C locale, as in franz-go, and fractions of a second.

use jiff::civil::Weekday;

use super::{Case, Field, Fill, OffsetForm, Part, Unit, WHOLE};

/// A layout's parts; the error names the directive that nobody knows.
pub fn parts(layout: &str) -> Result<Vec<Part>, String> {
    let mut found = Vec::new();
    let mut rest = layout;
    while let Some(at) = rest.find('%') {
        if 0 < at {
            found.push(Part::Literal(rest[..at].to_owned()));
        }
        rest = directive(&rest[at + 1..], &mut found)?;
    }
    if !rest.is_empty() {
        found.push(Part::Literal(rest.to_owned()));
    }
    Ok(found)
}

/// Reads what follows a percent sign, and returns what comes after it.
fn directive<'a>(text: &'a str, found: &mut Vec<Part>) -> Result<&'a str, String> {
    let unknown = |what: &str| format!("strftime has no %{what}; %% is a percent sign");
    let letter = text.chars().next().ok_or_else(|| unknown(""))?;
    let after = &text[letter.len_utf8()..];
    if let Some(rest) = text.strip_prefix(":z") {
        found.push(offset(true));
        return Ok(rest);
    }
    if let Some(digits @ 1..=9) = letter.to_digit(10).map(|digits| digits as usize) {
        let rest = after.strip_prefix(['N', 'f']).ok_or_else(|| unknown(&letter.to_string()))?;
        found.push(Part::Fraction(digits));
        return Ok(rest);
    }
    match letter {
        // Other numerals and eras, which the C locale has not.
        'E' | 'O' if after.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            return directive(after, found);
        }
        _ => {}
    }
    match composite(letter) {
        Some(layout) => found.extend(parts(layout)?),
        None => found.push(part(letter).ok_or_else(|| unknown(&letter.to_string()))?),
    }
    Ok(after)
}

fn composite(letter: char) -> Option<&'static str> {
    Some(match letter {
        'c' => "%a %b %e %H:%M:%S %Y",
        '+' => "%a %b %e %H:%M:%S %Z %Y",
        'D' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'r' => "%I:%M:%S %p",
        'R' => "%H:%M",
        'T' | 'X' => "%H:%M:%S",
        // Not the C locale's, which franz-go leaves here.
        'x' => "%d/%m/%y",
        _ => return None,
    })
}

fn part(letter: char) -> Option<Part> {
    let two = |field| Part::Number(field, 2, Fill::Nought);
    Some(match letter {
        'a' => Part::Weekday(3),
        'A' => Part::Weekday(WHOLE),
        'b' | 'h' => Part::Month(3),
        'B' => Part::Month(WHOLE),
        'C' => two(Field::Century),
        'd' => two(Field::Day),
        'e' => Part::Number(Field::Day, 2, Fill::Blank),
        'f' => Part::Fraction(6),
        'g' => two(Field::WeekYearOfCentury),
        'G' => Part::Number(Field::WeekYear, 4, Fill::Nought),
        'H' => two(Field::Hour),
        'I' => two(Field::Hour12),
        'j' => Part::Number(Field::YearDay, 3, Fill::Nought),
        'k' => Part::Number(Field::Hour, 2, Fill::Blank),
        'l' => Part::Number(Field::Hour12, 2, Fill::Blank),
        'L' => Part::Fraction(3),
        'm' => two(Field::Month),
        'M' => two(Field::Minute),
        'n' => Part::Literal("\n".to_owned()),
        'N' => Part::Fraction(9),
        'p' => Part::Half(Case::Upper),
        'P' => Part::Half(Case::Lower),
        's' => Part::Number(Field::Epoch, 1, Fill::Nought),
        'S' => two(Field::Second),
        't' => Part::Literal("\t".to_owned()),
        'u' => Part::Number(Field::WeekdayFromMonday, 1, Fill::Nought),
        'U' => two(Field::Week(Weekday::Sunday)),
        'V' => two(Field::IsoWeek),
        'w' => Part::Number(Field::WeekdayFromSunday, 1, Fill::Nought),
        'W' => two(Field::Week(Weekday::Monday)),
        'y' => two(Field::YearOfCentury),
        'Y' => Part::Number(Field::Year, 4, Fill::Nought),
        'z' => offset(false),
        'Z' => Part::Zone,
        '%' => Part::Literal("%".to_owned()),
        _ => return None,
    })
}

fn offset(has_colons: bool) -> Part {
    Part::Offset(OffsetForm { parts: Unit::Minutes, has_colons, utc_is_z: false })
}
