//! The line at the bottom of a terminal that is drawn over and over.
//! Never knows: what it says.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::{interrupt, stdio};

/// The line that is there now, if any: whatever else is said goes above it.
static DRAWN: Mutex<Option<String>> = Mutex::new(None);

/// Where a terminal does not say how wide it is.
const WIDTH: u16 = 80;
/// Kept free at the right edge for the terminal's ^C, which would break the line there; it is wiped
/// with the line.
const SPARE: usize = 3;

/// Whether stderr is a terminal that can move its cursor.
pub fn is_possible() -> bool {
    let term = std::env::var_os("TERM").unwrap_or_default();
    io::stderr().is_terminal() && !term.is_empty() && term != "dumb"
}

/// How many letters there is room for.
pub fn room() -> usize {
    usize::from(width()).saturating_sub(SPARE)
}

fn width() -> u16 {
    stdio::width(io::stderr()).unwrap_or(WIDTH)
}

/// Draws this over what was drawn before.
pub fn draw(line: String) {
    let mut drawn = drawn();
    let before = drawn.as_deref().unwrap_or_default();
    put(&(wiped(before, width()) + &line));
    *drawn = Some(line);
}

/// Takes the line away.
pub fn clear() {
    if let Some(line) = drawn().take() {
        put(&wiped(&line, width()));
        let _ = interrupt::leave_echo();
    }
}

/// Writes to the terminal above the line that is drawn.
pub fn above(write: impl FnOnce()) {
    let drawn = drawn();
    let Some(line) = drawn.as_deref() else {
        return write();
    };
    put(&wiped(line, width()));
    let _ = interrupt::leave_echo();
    write();
    put(line);
}

/// What takes a line away. Where the terminal has become narrower it has broken the line into rows
/// and left the cursor in the last, as VTE's, kitty, iTerm2 and tmux do.
fn wiped(line: &str, width: u16) -> String {
    let rows_above = line.chars().count().saturating_sub(1) / usize::from(width.max(1));
    match rows_above {
        0 => "\r\x1b[K".to_owned(),
        rows => format!("\r\x1b[{rows}A\x1b[J"),
    }
}

/// All at once, so that nothing flickers. Nothing can be done where stderr is closed.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn drawn() -> MutexGuard<'static, Option<String>> {
    // Whoever panicked has left a line or none: both are sound.
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_broken_into_rows_goes_with_all_of_them() {
        let line = "x".repeat(100);
        assert_eq!(wiped(&line, 120), "\r\x1b[K");
        assert_eq!(wiped(&line, 100), "\r\x1b[K");
        assert_eq!(wiped(&line, 80), "\r\x1b[1A\x1b[J");
        assert_eq!(wiped(&line, 30), "\r\x1b[3A\x1b[J");
        assert_eq!(wiped("", 0), "\r\x1b[K");
    }
}
