//! Quantities as people type and read them: 1GiB, 250ms, 12.3k/s.

use std::time::Duration;

/// Reads a time such as `250ms`, `10s`, `1.5m`, `2h`; a number alone is seconds.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time; write 250ms, 10s, 5m or 2h");
    let (number, unit) = split(text);
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    if time <= TIME_MAX { Ok(time) } else { Err(wrong()) }
}

/// The same of a time in which something can happen.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => {
            Err("in no time nothing can happen; write 250ms, 10s, 5m or 2h".to_owned())
        }
        time => Ok(time),
    }
}

/// What is longer than a century is a slip, and has no place on some clocks.
const TIME_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Reads a size in bytes such as `900`, `16KiB`, `1.5GB`; `k`, `M`, `G` alone are powers of 1024,
/// as in dd and in Java's options.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a size; write 900, 16KiB, 10MB or 1GiB");
    let (number, unit) = split(text);
    let unit = unit.to_ascii_lowercase();
    let unit: u64 = match unit.as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    scaled(number, unit).ok_or_else(wrong)
}

/// Reads a count such as `5000`, `1_000_000`, `12.3k`, `5M`.
pub fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a count; write 5000, 12.3k or 5M");
    let (number, unit) = split(text);
    let unit: u64 = match unit {
        "" => 1,
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    scaled(number, unit).ok_or_else(wrong)
}

/// Reads a rate such as `5000/s`, `12.3k/s`, `600/m`: things a second.
pub fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("'{text}' is not a rate; write 5000/s or 12.3k/s");
    let (amount, per) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match per {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let amount = count(amount).map_err(|_| wrong())?;
    if amount == 0 { Err(wrong()) } else { Ok(amount as f64 / seconds) }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    (number, unit.trim_start())
}

/// Whole numbers stay exact; a fraction is rounded after it is scaled.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let digits = number.replace('_', "");
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let value = digits.parse::<f64>().ok()? * unit as f64;
    (value < u64::MAX as f64).then_some(value.round() as u64)
}

/// So many of a thing: `1 topic`, `3 topics`.
pub fn counted(count: impl Into<i64>, noun: &str) -> String {
    let count = count.into();
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A size for people: `900 B`, `15.3 MiB`.
pub fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A count for people: `900`, `12.3k`, `5.0M`.
pub fn show_count(count: f64) -> String {
    const UNITS: [&str; 3] = ["k", "M", "G"];
    if count < 999.5 {
        return format!("{count:.0}");
    }
    let mut value = count / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// A time for people, three digits: `250 µs`, `1.25 ms`, `12.3 s`, `2m 5s`.
pub fn show_time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 59.95 {
        let whole = seconds.round() as u64;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        return match hours {
            0 => format!("{minutes}m {seconds}s"),
            _ => format!("{hours}h {minutes}m"),
        };
    }
    let (value, unit) = if seconds >= 0.9995 {
        (seconds, "s")
    } else if seconds >= 0.000_999_5 {
        (seconds * 1e3, "ms")
    } else {
        (seconds * 1e6, "µs")
    };
    let digits = usize::from(value < 99.95) + usize::from(value < 9.995);
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug>(read: Result<T, String>, want: &str) {
        let shown = read.map_or_else(|error| error, |value| format!("{value:?}"));
        assert_eq!(shown, want);
    }

    #[test]
    fn times() {
        check(time("250ms"), "250ms");
        check(time("10s"), "10s");
        check(time("10"), "10s");
        check(time("1.5m"), "90s");
        check(time("2h"), "7200s");
        check(time("soon"), "'soon' is not a time; write 250ms, 10s, 5m or 2h");
        check(time("-1s"), "'-1s' is not a time; write 250ms, 10s, 5m or 2h");
        let long = "9999999999999999999";
        check(time(long), &format!("'{long}' is not a time; write 250ms, 10s, 5m or 2h"));
        check(time("1e99h"), "'1e99h' is not a time; write 250ms, 10s, 5m or 2h");
    }

    #[test]
    fn sizes() {
        check(bytes("900"), "900");
        check(bytes("1GiB"), "1073741824");
        check(bytes("16k"), "16384");
        check(bytes("10MB"), "10000000");
        check(bytes("1.5 KiB"), "1536");
        check(bytes("18446744073709551615"), "18446744073709551615");
        check(bytes("99999999TiB"), "'99999999TiB' is not a size; write 900, 16KiB, 10MB or 1GiB");
        check(bytes(""), "'' is not a size; write 900, 16KiB, 10MB or 1GiB");
    }

    #[test]
    fn counts_and_rates() {
        check(count("1_000_000"), "1000000");
        check(count("12.3k"), "12300");
        check(count("5M"), "5000000");
        check(count("5x"), "'5x' is not a count; write 5000, 12.3k or 5M");
        check(rate("12.3k/s"), "12300.0");
        check(rate("600/m"), "10.0");
        check(rate("100"), "100.0");
        check(rate("0/s"), "'0/s' is not a rate; write 5000/s or 12.3k/s");
    }

    #[test]
    fn shown_in_three_digits_or_so() {
        assert_eq!(show_bytes(900), "900 B");
        assert_eq!(show_bytes(1 << 30), "1.0 GiB");
        assert_eq!(show_bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(show_count(12_345.0), "12.3k");
        assert_eq!(show_count(999.9), "1.0k");
        assert_eq!(show_time(Duration::from_micros(250)), "250 µs");
        assert_eq!(show_time(Duration::from_micros(1250)), "1.25 ms");
        assert_eq!(show_time(Duration::from_millis(999)), "999 ms");
        assert_eq!(show_time(Duration::from_millis(12_345)), "12.3 s");
        assert_eq!(show_time(Duration::from_secs(125)), "2m 5s");
        assert_eq!(show_time(Duration::from_secs(3700)), "1h 1m");
    }
}
