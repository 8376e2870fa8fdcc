//! The line at the bottom of a terminal that is drawn over and over.
//! Never knows: what it says.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::super::{interrupt, stdio};

/// The line that is there now, if any: whatever else is said goes above it.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Where a terminal does not say how wide it is.
const WIDTH: u16 = 80;
/// Kept free at the right edge for the terminal's ^C, which would break the line there; it is wiped
/// with the line.
const SPARE: u16 = 3;
/// Drawings a second, at most.
const HERTZ: u8 = 20;
/// What a full bar counts.
const WHOLE: u64 = 1000;

/// What a line shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub before: String,
    /// How long the bar is, and which part of it is full.
    pub bar: Option<(usize, f64)>,
    pub text: String,
}

/// Whether stderr is a terminal that can move its cursor.
pub fn is_possible() -> bool {
    let term = std::env::var_os("TERM").unwrap_or_default();
    io::stderr().is_terminal() && !term.is_empty() && term != "dumb"
}

/// How many letters there is room for.
pub fn room() -> usize {
    usize::from(width().saturating_sub(SPARE))
}

fn width() -> u16 {
    stdio::width(io::stderr()).unwrap_or(WIDTH)
}

/// Draws this over what was drawn before.
pub fn draw(shown: Shown) {
    let (length, part) = shown.bar.unwrap_or_default();
    let template = match shown.bar {
        Some(_) => format!("{{prefix}}{{bar:{length}}} {{msg}}"),
        None => "{prefix}{msg}".to_owned(),
    };
    let style = ProgressStyle::with_template(&template).expect("the templates above are sound");
    let mut drawn = drawn();
    let bar = drawn.get_or_insert_with(on_terminal).clone();
    let bar = bar.with_style(style).with_prefix(shown.before).with_message(shown.text);
    bar.with_position((WHOLE as f64 * part) as u64).tick();
}

fn on_terminal() -> ProgressBar {
    let terminal = Box::new(Terminal::default());
    let target = ProgressDrawTarget::term_like_with_hz(terminal, HERTZ);
    ProgressBar::with_draw_target(Some(WHOLE), target)
}

/// Takes the line away.
pub fn clear() {
    if let Some(bar) = drawn().take() {
        bar.finish_and_clear();
        let _ = interrupt::leave_echo();
    }
}

/// Writes to the terminal above the line that is drawn.
pub fn above(write: impl FnOnce()) {
    match &*drawn() {
        None => write(),
        Some(bar) => bar.suspend(|| {
            let _ = interrupt::leave_echo();
            write();
        }),
    }
}

fn drawn() -> MutexGuard<'static, Option<ProgressBar>> {
    // Whoever panicked has left a line or none: both are sound.
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// stderr, with one line at its bottom. indicatif's own terminal leaves what a window that was made
/// narrower has broken off a line.
#[derive(Debug, Default)]
struct Terminal(Mutex<Screen>);

#[derive(Debug, Default)]
struct Screen {
    /// Of the line that is there.
    letters: usize,
    /// All that was not written yet: in one write, so that nothing flickers.
    coming: String,
}

impl Terminal {
    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        width().saturating_sub(SPARE)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // indicatif fills the line up. It is empty already, and a narrower window breaks off no
        // blanks: what is wiped would be a row too many.
        if text.trim_start_matches(' ').is_empty() {
            return Ok(());
        }
        let mut screen = self.screen();
        screen.letters += text.chars().count();
        screen.coming.push_str(text);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        let mut screen = self.screen();
        screen.letters = 0;
        screen.coming.push_str("\r\n");
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut screen = self.screen();
        let letters = std::mem::take(&mut screen.letters);
        screen.coming.push_str(&wiped(letters, width()));
        Ok(())
    }

    /// Nothing can be done where stderr is closed.
    fn flush(&self) -> io::Result<()> {
        let coming = std::mem::take(&mut self.screen().coming);
        let _ = io::stderr().write_all(coming.as_bytes());
        Ok(())
    }

    // There is one line, and the cursor is in it: indicatif moves by no line at all.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
}

/// What takes a line of so many letters away. Where the terminal has become narrower it has broken
/// the line into rows and left the cursor in the last, as VTE's, kitty, iTerm2 and tmux do.
fn wiped(letters: usize, width: u16) -> String {
    match letters.saturating_sub(1) / usize::from(width.max(1)) {
        0 => "\r\x1b[K".to_owned(),
        rows => format!("\r\x1b[{rows}A\x1b[J"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_wiped_with_all_the_rows_it_was_broken_into() {
        let check = |letters, width, want: &str| assert_eq!(wiped(letters, width), want);
        check(0, 80, "\r\x1b[K");
        check(77, 80, "\r\x1b[K");
        check(80, 80, "\r\x1b[K");
        check(81, 80, "\r\x1b[1A\x1b[J");
        check(117, 40, "\r\x1b[2A\x1b[J");
        check(5, 0, "\r\x1b[4A\x1b[J");
    }

    #[test]
    fn what_is_drawn_anew_is_one_write_over_what_was_there() {
        let terminal = Terminal::default();
        terminal.write_str("five!").unwrap();
        terminal.clear_line().unwrap();
        terminal.write_str("ab").unwrap();
        terminal.write_str("  ").unwrap();
        assert_eq!(terminal.screen().letters, 2);
        assert_eq!(terminal.screen().coming, "five!\r\x1b[Kab");
    }
}
