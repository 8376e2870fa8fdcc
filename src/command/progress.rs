//! How far long work is, on stderr: one line drawn over and over for a person, or a line each
//! second for a log.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Global, stdio};
use crate::quantity::{show_bytes, show_count};

/// Work shorter than this needs no progress; lines follow each other this far apart.
const SECOND: Duration = Duration::from_secs(1);
/// Between two drawings.
const REFRESH: Duration = Duration::from_millis(100);
/// The rate is that of the last few seconds.
const RATED: Duration = Duration::from_secs(5);
/// Narrower than this there is no room for a bar.
const BAR_WIDTH_MIN: u16 = 72;
/// What a full bar counts.
const WHOLE: u64 = 1000;

/// indicatif fills a line to the right edge, where the terminal's ^C would break it. These end with
/// four spaces and the cursor before them: ^C has room, and is wiped with the line.
const PLAIN: &str = "{prefix}{wide_msg}    \x1b[4D";
const WITH_BAR: &str = "{prefix}{bar:20} {wide_msg}    \x1b[4D";

/// The line that is drawn now, if any: whatever else is said goes above it.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Hidden,
    Drawn,
    /// A plain line each second.
    Lines,
}

/// What there is to do, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    Unknown,
    Bytes(u64),
    Records(u64),
    Time(Duration),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub records: u64,
    pub bytes: u64,
}

impl Done {
    /// One record more, of so many bytes.
    pub fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
    }
}

pub struct Progress {
    manner: Manner,
    doing: &'static str,
    ahead: Ahead,
    began: Instant,
    shown: Option<Instant>,
    pace: Pace,
}

impl Progress {
    /// `is_free` says that nothing else is written on the terminal, or typed.
    pub fn new(global: &Global, is_free: bool, ahead: Ahead) -> Progress {
        // It is hidden where stderr is no terminal, or a dumb one.
        let can_draw = !ProgressDrawTarget::stderr().is_hidden();
        let manner = match (global.quiet, global.progress) {
            (true, _) => Manner::Hidden,
            (false, true) => Manner::Lines,
            (false, false) if is_free && can_draw => Manner::Drawn,
            (false, false) => Manner::Hidden,
        };
        let (began, pace) = (Instant::now(), Pace::default());
        Progress { manner, doing: "", ahead, began, shown: None, pace }
    }

    /// Whether anybody wants to know.
    pub fn is_wanted(&self) -> bool {
        self.manner != Manner::Hidden
    }

    /// Something else is done from now on.
    pub fn turn_to(&mut self, doing: &'static str, ahead: Ahead) {
        if self.doing != doing {
            (self.doing, self.ahead) = (doing, ahead);
            (self.began, self.pace) = (Instant::now(), Pace::default());
        }
    }

    /// Shows how far the work is, at times. Cheap enough to be called for every batch.
    pub fn show(&mut self, done: Done) {
        let pause = match self.manner {
            Manner::Hidden => return,
            Manner::Drawn => REFRESH,
            Manner::Lines => SECOND,
        };
        let now = Instant::now();
        let since = self.shown.unwrap_or(self.began);
        let pause = if self.shown.is_none() { SECOND } else { pause };
        if now.saturating_duration_since(since) < pause {
            return;
        }
        self.shown = Some(now);
        let time = now.saturating_duration_since(self.began);
        self.pace.note(time, done);
        let line = line(self.doing, done, time, self.ahead, &self.pace);
        match self.manner {
            Manner::Lines => stdio::say(&format!("kaw: {line}")),
            _ => draw(line),
        }
    }
}

/// Takes the line away.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.manner == Manner::Drawn
            && let Some(bar) = drawn().take()
        {
            bar.finish_and_clear();
        }
    }
}

/// Writes to the terminal above the line that is drawn.
pub fn above(write: impl FnOnce()) {
    match &*drawn() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Over what was drawn before.
fn draw(line: Line) {
    let is_narrow = stdio::width(io::stderr()).is_some_and(|width| width < BAR_WIDTH_MIN);
    let (template, part) = match line.part {
        Some(part) if !is_narrow => (WITH_BAR, part),
        _ => (PLAIN, 0.0),
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are sound");
    let mut drawn = drawn();
    let bar = drawn.get_or_insert_with(|| ProgressBar::new(WHOLE)).clone();
    let bar = bar.with_style(style).with_prefix(line.doing).with_message(line.text);
    bar.with_position((WHOLE as f64 * part) as u64).tick();
}

fn drawn() -> MutexGuard<'static, Option<ProgressBar>> {
    // Whoever panicked has left a line or none: both are sound.
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was done when, in the last few seconds.
#[derive(Default)]
struct Pace(VecDeque<(Duration, Done)>);

impl Pace {
    fn note(&mut self, time: Duration, done: Done) {
        if self.0.is_empty() {
            self.0.push_back((Duration::ZERO, Done::default()));
        }
        self.0.push_back((time, done));
        while self.0.get(1).is_some_and(|(then, _)| *then + RATED <= time) {
            self.0.pop_front();
        }
    }

    /// Of something that was counted, a second.
    fn rate(&self, count: impl Fn(Done) -> u64) -> f64 {
        match (self.0.front(), self.0.back()) {
            (Some((from, before)), Some((to, after))) if from < to => {
                let more = count(*after).saturating_sub(count(*before));
                more as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// What is shown: what is done, how much of it where that is known, and the rest.
struct Line {
    doing: String,
    part: Option<f64>,
    text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.doing, self.text)
    }
}

fn line(doing: &str, done: Done, time: Duration, ahead: Ahead, pace: &Pace) -> Line {
    let (per_second, bytes_per_second) = (pace.rate(|done| done.records), pace.rate(|it| it.bytes));
    let mut text = format!("{} records", show_count(done.records as f64));
    text += &format!(", {}", show_bytes(done.bytes));
    text += &format!(", {}/s, {}/s", show_count(per_second), show_bytes(bytes_per_second as u64));
    let known = match ahead {
        Ahead::Unknown => None,
        Ahead::Bytes(all) => Some((part(done.bytes, all), left(done.bytes, all, bytes_per_second))),
        Ahead::Records(all) => Some((part(done.records, all), left(done.records, all, per_second))),
        Ahead::Time(all) => {
            let part = (time.as_secs_f64() / all.as_secs_f64()).min(1.0);
            Some((part, Some(all.saturating_sub(time))))
        }
    };
    if let Some((part, left)) = known {
        text = format!("{:>3.0}% {text}", (100.0 * part).floor());
        if let Some(left) = left {
            text += &format!(", {} left", clock(left));
        }
    }
    let doing = if doing.is_empty() { String::new() } else { format!("{doing}: ") };
    Line { doing, part: known.map(|(part, _)| part), text }
}

fn part(done: u64, all: u64) -> f64 {
    if all <= done { 1.0 } else { done as f64 / all as f64 }
}

/// How long the rest takes at this rate, should there be one.
fn left(done: u64, all: u64, rate: f64) -> Option<Duration> {
    let seconds = all.saturating_sub(done) as f64 / rate;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A time to wait for, as a clock would show it.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THOUSAND: Done = Done { records: 1000, bytes: 10 << 10 };

    #[track_caller]
    fn check(ahead: Ahead, want: &str) {
        let mut pace = Pace::default();
        let time = Duration::from_secs(2);
        pace.note(time, THOUSAND);
        assert_eq!(line("", THOUSAND, time, ahead, &pace).to_string(), want);
    }

    #[test]
    fn what_is_done_how_fast_and_how_long_it_still_takes() {
        let so_far = "1.0k records, 10.0 KiB, 500/s, 5.0 KiB/s";
        check(Ahead::Unknown, so_far);
        check(Ahead::Records(4000), &format!(" 25% {so_far}, 6s left"));
        check(Ahead::Bytes(20 << 10), &format!(" 50% {so_far}, 2s left"));
        check(Ahead::Time(8 * SECOND), &format!(" 25% {so_far}, 6s left"));
        check(Ahead::Records(1000), &format!("100% {so_far}, 0s left"));
    }

    #[test]
    fn nothing_is_said_of_the_end_while_nothing_moves() {
        let pace = Pace::default();
        let said = line("waiting", Done::default(), SECOND, Ahead::Records(5), &pace);
        assert_eq!(said.to_string(), "waiting:   0% 0 records, 0 B, 0/s, 0 B/s");
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        for second in 1..=100 {
            // After the tenth second nothing comes.
            let done = Done { records: 50 * second.min(10), bytes: 0 };
            pace.note(Duration::from_secs(second), done);
            assert!(pace.0.len() <= 7);
        }
        assert_eq!(pace.rate(|done| done.records), 0.0);
    }

    #[test]
    fn times_to_wait_for() {
        let clocks = [0, 59, 61, 3725].map(|seconds| clock(Duration::from_secs(seconds)));
        assert_eq!(clocks, ["0s", "59s", "1m01s", "1h02m"]);
    }
}
