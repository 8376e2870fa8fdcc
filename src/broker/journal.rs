//! The broker's log as it is written: what is said again and again is counted instead, and what
//! went wrong is kept for whoever asks.
//! Never knows: what a line is about, where it goes.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::topic::now;
use crate::record::Timestamp;

/// For so long a warning or an error is not said again in the same words.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

/// Lines that are told apart: what names a client's port is said once only.
const KINDS_MAX: usize = 1024;

/// The errors of this process, of which there is one log.
static TROUBLES: Mutex<Troubles> = Mutex::new(Troubles { count: 0, first: None, last: None });

/// What went wrong since the broker began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    pub count: u64,
    pub first: Option<String>,
    pub last: Option<(Timestamp, String)>,
}

impl Troubles {
    pub fn so_far() -> Troubles {
        TROUBLES.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&mut self, now: Timestamp, line: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| line.to_owned());
        self.last = Some((now, line.to_owned()));
    }
}

/// Takes one line a write. One that cannot be written is lost, and nothing else: told of an error,
/// tracing's subscriber prints it with `eprintln!` while it holds the writer; where stderr fails
/// too, as on the same full disk, that panics, and the panic is logged: a deadlock.
pub struct Journal<W> {
    to: W,
    said: HashMap<String, Said>,
}

/// When, and what with its level.
fn parts(line: &str) -> (&str, &str) {
    line.trim_end().split_once(' ').unwrap_or((line, ""))
}

struct Said {
    at: Instant,
    /// How often it would have been said since.
    again: u64,
}

impl<W: Write> Journal<W> {
    pub fn new(to: W) -> Journal<W> {
        Journal { to, said: HashMap::new() }
    }

    fn put(&mut self, line: &str) {
        let _ = self.to.write_all(line.as_bytes());
    }

    /// What is no trouble is passed on as it is.
    fn take(&mut self, line: &str, now: Instant) {
        let (time, what) = parts(line);
        self.sum_up(time, now);
        if !what.starts_with("ERROR ") && !what.starts_with(" WARN ") {
            return self.put(line);
        }
        match self.said.get_mut(what) {
            Some(said) => said.again += 1,
            None => {
                if self.said.len() < KINDS_MAX {
                    self.said.insert(what.to_owned(), Said { at: now, again: 0 });
                }
                self.put(line);
            }
        }
    }

    /// Says once more what was said too often, and how often that was.
    fn sum_up(&mut self, time: &str, now: Instant) {
        let mut sums = String::new();
        self.said.retain(|what, said| {
            if now.saturating_duration_since(said.at) < REPEATED_AFTER {
                return true;
            }
            let again = said.again;
            if 0 < again {
                sums += &format!("{time} {what} repeated={again}\n");
            }
            *said = Said { at: now, again: 0 };
            0 < again
        });
        if !sums.is_empty() {
            self.put(&sums);
        }
    }
}

impl<W: Write> Write for Journal<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if let Some(trouble) = parts(&text).1.strip_prefix("ERROR ") {
            let mut troubles = TROUBLES.lock().unwrap_or_else(PoisonError::into_inner);
            troubles.add(now(), trouble);
        }
        self.take(&text, Instant::now());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.to.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_on_a_full_disk_is_no_error() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let Ok(full) = full else { return };
        let mut log = Journal::new(full);
        assert_eq!(log.write(b"a line\n").unwrap(), 7);
        log.flush().unwrap();
    }

    #[test]
    fn what_is_said_again_and_again_is_counted() {
        let start = Instant::now();
        let mut log = Journal::new(Vec::new());
        let mut at = |seconds: u64, line: &str| {
            log.take(&format!("{seconds}s {line}\n"), start + Duration::from_secs(seconds));
            String::from_utf8(std::mem::take(&mut log.to)).unwrap()
        };
        assert_eq!(at(0, "ERROR full p=1"), "0s ERROR full p=1\n");
        assert_eq!(at(1, "ERROR full p=1"), "");
        assert_eq!(at(1, "ERROR full p=2"), "1s ERROR full p=2\n", "another partition");
        assert_eq!(at(2, "ERROR full p=1"), "");
        for second in 3..5 {
            let line = at(second, " INFO topic created");
            assert_eq!(line, format!("{second}s  INFO topic created\n"), "no trouble");
        }
        assert_eq!(at(10, "ERROR full p=1"), "10s ERROR full p=1 repeated=2\n");
        assert_eq!(at(19, "ERROR full p=1"), "");
        // By whatever comes next; then it is forgotten.
        let sum = "20s ERROR full p=1 repeated=2\n";
        assert_eq!(at(20, " INFO gone"), format!("{sum}20s  INFO gone\n"));
        assert_eq!(at(30, " INFO gone"), "30s  INFO gone\n");
        assert_eq!(at(31, "ERROR full p=1"), "31s ERROR full p=1\n");
    }
}
