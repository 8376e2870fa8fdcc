//! Times as text, by the directives of strftime or by Go's layouts; both become the same parts.

mod go;
mod strftime;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::number;
use crate::record::Timestamp;

/// How a time is printed, and in which zone.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeFormat {
    parts: Vec<Part>,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A number, filled up from the left.
    Number(Field, usize, Fill),
    /// A name, or so many of its letters.
    Month(usize),
    Weekday(usize),
    /// AM or PM.
    Half(Case),
    /// So many digits of the second's fraction.
    Fraction(usize),
    /// The same after a mark.
    MarkedFraction(char, usize),
    /// The same without noughts at its end, and nothing where there are only noughts.
    ShortFraction(char, usize),
    Offset(OffsetForm),
    /// The zone's abbreviation.
    Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Nought,
    Blank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
}

/// `+hh`, then perhaps minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetForm {
    parts: Unit,
    has_colons: bool,
    /// UTC is a single Z.
    utc_is_z: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Unit {
    Hours,
    Minutes,
    Seconds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Century,
    Year,
    YearOfCentury,
    WeekYear,
    WeekYearOfCentury,
    Month,
    Day,
    YearDay,
    /// Weeks that begin on this day; before the first one of the year is week 0.
    Week(jiff::civil::Weekday),
    IsoWeek,
    WeekdayFromMonday,
    WeekdayFromSunday,
    Hour,
    Hour12,
    Minute,
    Second,
    Epoch,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Longer than any name.
const WHOLE: usize = 9;

impl TimeFormat {
    pub fn strftime(layout: &str, zone: Option<&str>) -> Result<TimeFormat, String> {
        Ok(TimeFormat { parts: strftime::parts(layout)?, zone: parse_zone(zone)? })
    }

    pub fn go(layout: &str, zone: Option<&str>) -> Result<TimeFormat, String> {
        Ok(TimeFormat { parts: go::parts(layout), zone: parse_zone(zone)? })
    }

    /// Appends a time; one that no calendar has is printed as its number.
    pub fn push(&self, time: Timestamp, out: &mut Vec<u8>) {
        let Ok(instant) = jiff::Timestamp::from_millisecond(time.get()) else {
            return number::push(time.get(), out);
        };
        let info = self.zone.to_offset_info(instant);
        let moment = Moment {
            local: info.offset().to_datetime(instant),
            offset: info.offset(),
            zone: info.abbreviation(),
            epoch: time.get().div_euclid(1000),
        };
        for part in &self.parts {
            moment.push(part, out);
        }
    }
}

/// UTC, as in franz-go, unless something else is said.
fn parse_zone(name: Option<&str>) -> Result<TimeZone, String> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    let unknown = || {
        format!("'{name}' is not a time zone; use local, +02:00 or a name such as Europe/Berlin")
    };
    match name {
        "local" => Ok(TimeZone::system()),
        "UTC" => Ok(TimeZone::UTC),
        _ if name.starts_with(['+', '-']) => {
            parse_offset(name).map(TimeZone::fixed).ok_or_else(unknown)
        }
        _ => TimeZone::get(name).map_err(|_| unknown()),
    }
}

/// `+hh`, `+hhmm` or `+hh:mm`.
fn parse_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None => digits.split_at_checked(2)?,
    };
    let number = |text: &str, max: i32| match text.parse::<i32>() {
        Ok(value) if text.len() == 2 && (0..=max).contains(&value) => Some(value),
        _ => None,
    };
    let minutes = if minutes.is_empty() { Some(0) } else { number(minutes, 59) };
    Offset::from_seconds(sign * (number(hours, 23)? * 3600 + minutes? * 60)).ok()
}

/// A time as the clocks of a zone show it.
struct Moment<'a> {
    local: DateTime,
    offset: Offset,
    zone: &'a str,
    /// Seconds since 1970.
    epoch: i64,
}

impl Moment<'_> {
    fn push(&self, part: &Part, out: &mut Vec<u8>) {
        match part {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Number(field, width, fill) => push_filled(self.field(*field), *width, *fill, out),
            Part::Month(letters) => {
                push_name(MONTHS[usize::from(self.local.month().unsigned_abs()) - 1], *letters, out)
            }
            Part::Weekday(letters) => {
                let day = self.local.weekday().to_monday_zero_offset().unsigned_abs();
                push_name(WEEKDAYS[usize::from(day)], *letters, out);
            }
            Part::Half(case) => out.extend_from_slice(match (self.local.hour() < 12, case) {
                (true, Case::Upper) => b"AM",
                (true, Case::Lower) => b"am",
                (false, Case::Upper) => b"PM",
                (false, Case::Lower) => b"pm",
            }),
            Part::Fraction(digits) => {
                let start = out.len();
                push_filled(self.local.subsec_nanosecond().into(), 9, Fill::Nought, out);
                out.resize(start + digits, b'0');
            }
            Part::MarkedFraction(mark, digits) => {
                out.push(*mark as u8);
                self.push(&Part::Fraction(*digits), out);
            }
            Part::ShortFraction(mark, digits) if self.local.subsec_nanosecond() != 0 => {
                let start = out.len();
                self.push(&Part::MarkedFraction(*mark, *digits), out);
                while out.last() == Some(&b'0') {
                    out.pop();
                }
                if out.len() == start + 1 {
                    out.pop();
                }
            }
            Part::ShortFraction(..) => {}
            Part::Offset(form) => self.push_offset(*form, out),
            Part::Zone => out.extend_from_slice(self.zone.as_bytes()),
        }
    }

    fn field(&self, field: Field) -> i64 {
        let (date, year) = (self.local.date(), i64::from(self.local.year()));
        let from_sunday = i64::from(self.local.weekday().to_sunday_zero_offset());
        let week_year = || i64::from(date.iso_week_date().year());
        let year_day = || i64::from(date.day_of_year());
        match field {
            Field::Century => year.div_euclid(100),
            Field::Year => year,
            Field::YearOfCentury => year.rem_euclid(100),
            Field::WeekYear => week_year(),
            Field::WeekYearOfCentury => week_year().rem_euclid(100),
            Field::Month => self.local.month().into(),
            Field::Day => self.local.day().into(),
            Field::YearDay => year_day(),
            Field::Week(first) => {
                let since = date.weekday().since(first);
                (year_day() + 6 - i64::from(since)) / 7
            }
            Field::IsoWeek => date.iso_week_date().week().into(),
            Field::WeekdayFromMonday => (from_sunday + 6) % 7 + 1,
            Field::WeekdayFromSunday => from_sunday,
            Field::Hour => self.local.hour().into(),
            Field::Hour12 => (i64::from(self.local.hour()) + 11) % 12 + 1,
            Field::Minute => self.local.minute().into(),
            Field::Second => self.local.second().into(),
            Field::Epoch => self.epoch,
        }
    }

    fn push_offset(&self, form: OffsetForm, out: &mut Vec<u8>) {
        let seconds = i64::from(self.offset.seconds());
        if seconds == 0 && form.utc_is_z {
            return out.push(b'Z');
        }
        out.push(if seconds < 0 { b'-' } else { b'+' });
        let seconds = seconds.abs();
        push_filled(seconds / 3600, 2, Fill::Nought, out);
        for (unit, value) in [(Unit::Minutes, seconds / 60 % 60), (Unit::Seconds, seconds % 60)] {
            if unit <= form.parts {
                if form.has_colons {
                    out.push(b':');
                }
                push_filled(value, 2, Fill::Nought, out);
            }
        }
    }
}

fn push_name(name: &str, letters: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&name.as_bytes()[..letters.min(name.len())]);
}

fn push_filled(value: i64, width: usize, fill: Fill, out: &mut Vec<u8>) {
    let byte = match fill {
        Fill::Nought => b'0',
        Fill::Blank => b' ',
    };
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    if value < 0 {
        out.push(b'-');
    }
    out.resize(out.len() + width.saturating_sub(digits), byte);
    // The sign came before the noughts.
    number::push(value.checked_abs().unwrap_or(value), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time of the year 2026, at which every field differs, and one at noon on a Sunday.
    const TIMES: [&str; 2] = ["2026-02-03T04:05:06.078Z", "2027-01-03T12:00:00Z"];

    fn shown(format: &TimeFormat, time: &str) -> String {
        let instant: jiff::Timestamp = time.parse().unwrap();
        let mut out = Vec::new();
        format.push(Timestamp(instant.as_millisecond()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn strftime(layout: &str, want: [&str; 2]) {
        let format = TimeFormat::strftime(layout, None).unwrap();
        assert_eq!(TIMES.map(|time| shown(&format, time)), want, "{layout}");
    }

    #[track_caller]
    fn go(layout: &str, zone: &str, want: [&str; 2]) {
        let format = TimeFormat::go(layout, Some(zone)).unwrap();
        assert_eq!(TIMES.map(|time| shown(&format, time)), want, "{layout}");
    }

    #[test]
    fn every_directive_of_strftime() {
        strftime("%Y-%m-%d", ["2026-02-03", "2027-01-03"]);
        strftime("%a %A %b %B %h", ["Tue Tuesday Feb February Feb", "Sun Sunday Jan January Jan"]);
        strftime("%C|%y|%e|%j", ["20|26| 3|034", "20|27| 3|003"]);
        strftime("%G|%g|%V|%U|%W|%u|%w", ["2026|26|06|05|05|2|2", "2026|26|53|01|00|7|0"]);
        strftime("%H|%I|%k|%l|%p|%P", ["04|04| 4| 4|AM|am", "12|12|12|12|PM|pm"]);
        strftime("%M:%S|%s", ["05:06|1770091506", "00:00|1798977600"]);
        strftime("%D|%F|%x", ["02/03/26|2026-02-03|03/02/26", "01/03/27|2027-01-03|03/01/27"]);
        strftime(
            "%R|%T|%X|%r",
            ["04:05|04:05:06|04:05:06|04:05:06 AM", "12:00|12:00:00|12:00:00|12:00:00 PM"],
        );
        strftime(
            "%c|%+",
            [
                "Tue Feb  3 04:05:06 2026|Tue Feb  3 04:05:06 UTC 2026",
                "Sun Jan  3 12:00:00 2027|Sun Jan  3 12:00:00 UTC 2027",
            ],
        );
        strftime("%z|%:z|%Z|%n|%t|%%", ["+0000|+00:00|UTC|\n|\t|%", "+0000|+00:00|UTC|\n|\t|%"]);
        strftime("%Ey|%Od", ["26|03", "27|03"]);
        strftime(
            "%L|%3N|%N|%6f|%f|.%1N",
            ["078|078|078000000|078000|078000|.0", "000|000|000000000|000000|000000|.0"],
        );
    }

    #[test]
    fn every_chunk_of_a_go_layout() {
        go("2006-01-02T15:04:05Z07:00", "UTC", ["2026-02-03T04:05:06Z", "2027-01-03T12:00:00Z"]);
        go(
            "Mon Jan _2 15:04:05 MST 2006",
            "+02:00",
            ["Tue Feb  3 06:05:06 +02 2026", "Sun Jan  3 14:00:00 +02 2027"],
        );
        go(
            "Monday January 2 06 1 3:4:5PM pm",
            "UTC",
            ["Tuesday February 3 26 2 4:5:6AM am", "Sunday January 3 27 1 12:0:0PM pm"],
        );
        go(
            "002 __2 03 05.000 05,00 05.999 05.9",
            "UTC",
            ["034  34 04 06.078 06,07 06.078 06", "003   3 12 00.000 00,00 00 00"],
        );
        let signed = "-07|-0700|-07:00|-070000|-07:00:00";
        go(
            signed,
            "-0330",
            ["-03|-0330|-03:30|-033000|-03:30:00", "-03|-0330|-03:30|-033000|-03:30:00"],
        );
        go("Z07|Z0700|Z070000|Z07:00:00", "UTC", ["Z|Z|Z|Z", "Z|Z|Z|Z"]);
        go("Z07|Z0700", "+0100", ["+01|+0100", "+01|+0100"]);
        go(
            "at 15h, Monat Janus _2006 .5",
            "UTC",
            ["at 04h, Monat Janus _2026 .6", "at 12h, Monat Janus _2027 .0"],
        );
    }

    #[test]
    fn zones_have_names_offsets_or_are_the_machines() {
        for zone in ["+02:00", "+0200", "+02"] {
            let format = TimeFormat::strftime("%H:%M %:z", Some(zone)).unwrap();
            assert_eq!(shown(&format, TIMES[0]), "06:05 +02:00", "{zone}");
        }
        assert!(TimeFormat::strftime("%F", Some("local")).is_ok());
        for wrong in ["", "Nowhere/Land", "+2", "+24:00", "+02:60", "+é"] {
            assert!(TimeFormat::strftime("%F", Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_outside_of_every_calendar_is_its_number() {
        let format = TimeFormat::strftime("%F", None).unwrap();
        let mut out = Vec::new();
        format.push(Timestamp(i64::MAX), &mut out);
        out.push(b' ');
        format.push(Timestamp(-62_167_219_200_001), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "9223372036854775807 -0001-12-31");
    }
}
