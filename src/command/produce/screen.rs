//! What `produce` says on stderr while it works: lines, and progress where somebody looks.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::stdio;
use crate::quantity::{show_bytes, show_count};

/// Work shorter than this needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
const REFRESH: Duration = Duration::from_millis(100);

pub struct Screen {
    start: Instant,
    bytes_ahead: Option<u64>,
    drawn: Instant,
    shows_progress: bool,
    bar: Option<ProgressBar>,
}

impl Screen {
    /// `wanted` is whether the user wants progress at all.
    pub fn new(wanted: bool, bytes_ahead: Option<u64>) -> Screen {
        // Progress would be drawn over what is typed.
        let is_watched = io::stderr().is_terminal() && !io::stdin().is_terminal();
        let start = Instant::now();
        let shows_progress = wanted && is_watched;
        Screen { start, bytes_ahead, drawn: start, shows_progress, bar: None }
    }

    /// One line on stderr, above the progress.
    pub fn say(&self, line: &str) {
        let write = || {
            // Nothing can be done where stderr is closed.
            let _ = io::stderr().write_all(stdio::line(line).as_bytes());
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Shows how far the work is, at times.
    pub fn progress(&mut self, bytes: u64, records: u64) {
        if !self.shows_progress || self.start.elapsed() < PATIENCE {
            return;
        }
        if self.bar.is_some() && self.drawn.elapsed() < REFRESH {
            return;
        }
        self.drawn = Instant::now();
        let rate = records as f64 / self.start.elapsed().as_secs_f64();
        let (records, size) = (show_count(records as f64), show_bytes(bytes));
        let bar = self.bar.get_or_insert_with(|| bar(self.bytes_ahead));
        bar.set_position(bytes);
        bar.set_message(format!("{records} records, {size}, {}/s", show_count(rate)));
    }

    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(bytes_ahead: Option<u64>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let (bar, template) = match bytes_ahead {
        Some(bytes) => {
            let bar = ProgressBar::with_draw_target(Some(bytes), target);
            (bar, "{bar:30} {percent:>3}% {msg}, {eta} left")
        }
        None => (ProgressBar::with_draw_target(None, target), "{spinner} {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the templates above are sound"))
}
