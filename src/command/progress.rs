//! How far long work is, on stderr: one line drawn over and over for a person, or a line each
//! second for a log.

mod drawn;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::{Global, stdio};
use crate::quantity::{show_bytes, show_count};

use drawn::Shown;
pub use drawn::above;

/// Work shorter than this needs no progress; lines follow each other this far apart.
const SECOND: Duration = Duration::from_secs(1);
/// Between two drawings.
const REFRESH: Duration = Duration::from_millis(100);
/// The rate is that of the last few seconds.
const RATED: Duration = Duration::from_secs(5);
/// A bar is this long where there is room, and not drawn where it would be shorter than that.
const BAR: usize = 20;
const BAR_MIN: usize = 8;

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
    doing: Cow<'static, str>,
    /// What else there is to say.
    remark: String,
    ahead: Ahead,
    began: Instant,
    shown: Option<Instant>,
    pace: Pace,
}

impl Progress {
    /// `is_free` says that nothing else is written on the terminal, or typed.
    pub fn new(global: &Global, is_free: bool, ahead: Ahead) -> Progress {
        let manner = match (global.quiet, global.progress) {
            (true, _) => Manner::Hidden,
            (false, true) => Manner::Lines,
            (false, false) if is_free && drawn::is_possible() => Manner::Drawn,
            (false, false) => Manner::Hidden,
        };
        let (began, pace) = (Instant::now(), Pace::default());
        let (doing, remark) = (Cow::default(), String::new());
        Progress { manner, doing, remark, ahead, began, shown: None, pace }
    }

    /// Whether anybody wants to know.
    pub fn is_wanted(&self) -> bool {
        self.manner != Manner::Hidden
    }

    /// Something else is done from now on.
    pub fn turn_to(&mut self, doing: impl Into<Cow<'static, str>>, ahead: Ahead) {
        let doing = doing.into();
        if self.doing != doing {
            self.remark.clear();
            (self.doing, self.ahead) = (doing, ahead);
            (self.began, self.pace) = (Instant::now(), Pace::default());
        }
    }

    /// Something that is no count, shown with the rest.
    pub fn remark(&mut self, remark: String) {
        self.remark = remark;
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
        let mut line = line(&self.doing, done, time, self.ahead, &self.pace);
        line.remark.clone_from(&self.remark);
        match self.manner {
            Manner::Lines => stdio::say(&format!("kaw: {line}")),
            _ => drawn::draw(line.fitted(drawn::room())),
        }
    }
}

/// Takes the line away.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.manner == Manner::Drawn {
            drawn::clear();
        }
    }
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
    records: String,
    bytes: String,
    rate: String,
    bytes_rate: String,
    remark: String,
    left: String,
}

impl Line {
    /// As one that fits: with as much of a bar as there is room for, or without what matters least.
    fn fitted(mut self, room: usize) -> Shown {
        let letters = self.to_string().chars().count();
        if let (Some(part), true) = (self.part, letters + BAR_MIN < room) {
            let bar = Some((BAR.min(room - letters - 1), part));
            return Shown { before: self.prefix(), bar, text: self.facts() };
        }
        let too_long = |line: &Line| room < line.to_string().chars().count();
        if too_long(&self) {
            self.bytes_rate.clear();
        }
        if too_long(&self) {
            self.bytes.clear();
        }
        if too_long(&self) {
            self.doing.clear();
        }
        if too_long(&self) {
            self.remark.clear();
        }
        if too_long(&self) {
            self.rate.clear();
        }
        let text = self.to_string().chars().take(room).collect();
        Shown { before: String::new(), bar: None, text }
    }

    fn prefix(&self) -> String {
        if self.doing.is_empty() { String::new() } else { format!("{}: ", self.doing) }
    }

    fn facts(&self) -> String {
        let Line { records, bytes, rate, bytes_rate, remark, left, .. } = self;
        let facts = [records, bytes, rate, bytes_rate, remark, left].map(String::as_str);
        let said: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        let part = self.part.map(|part| format!("{:>3.0}% ", (100.0 * part).floor()));
        part.unwrap_or_default() + &said.join(", ")
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix(), self.facts())
    }
}

fn line(doing: &str, done: Done, time: Duration, ahead: Ahead, pace: &Pace) -> Line {
    let (per_second, bytes_per_second) = (pace.rate(|done| done.records), pace.rate(|it| it.bytes));
    let known = match ahead {
        Ahead::Unknown => None,
        Ahead::Bytes(all) => Some((part(done.bytes, all), left(done.bytes, all, bytes_per_second))),
        Ahead::Records(all) => Some((part(done.records, all), left(done.records, all, per_second))),
        Ahead::Time(all) => {
            let part = (time.as_secs_f64() / all.as_secs_f64()).min(1.0);
            Some((part, Some(all.saturating_sub(time))))
        }
    };
    let left = known.and_then(|(_, left)| left).map(|left| format!("{} left", clock(left)));
    Line {
        doing: doing.to_owned(),
        part: known.map(|(part, _)| part),
        records: format!("{} records", show_count(done.records as f64)),
        bytes: show_bytes(done.bytes),
        rate: format!("{}/s", show_count(per_second)),
        bytes_rate: format!("{}/s", show_bytes(bytes_per_second as u64)),
        remark: String::new(),
        left: left.unwrap_or_default(),
    }
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
    fn a_line_fits_and_says_how_long_as_long_as_there_is_room() {
        let mut pace = Pace::default();
        let time = Duration::from_secs(2);
        pace.note(time, THOUSAND);
        let check = |room, want: &str| {
            let line = line("measuring", THOUSAND, time, Ahead::Records(4000), &pace);
            let Shown { before, bar, text } = line.fitted(room);
            let bar = bar.map_or(String::new(), |(length, _)| "=".repeat(length) + " ");
            let fitted = before + &bar + &text;
            assert_eq!(fitted, want);
            assert!(fitted.chars().count() <= room);
        };
        let all = " 25% 1.0k records, 10.0 KiB, 500/s, 5.0 KiB/s, 6s left";
        check(100, &format!("measuring: ==================== {all}"));
        check(77, &format!("measuring: =========== {all}"));
        check(70, &format!("measuring: {all}"));
        check(60, "measuring:  25% 1.0k records, 10.0 KiB, 500/s, 6s left");
        check(45, "measuring:  25% 1.0k records, 500/s, 6s left");
        check(37, " 25% 1.0k records, 500/s, 6s left");
        check(27, " 25% 1.0k records, 6s left");
        check(10, " 25% 1.0k ");
        check(0, "");
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
