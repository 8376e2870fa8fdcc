//! Finds whoever serves a data directory and comes in, or starts a broker where nobody does.
//! Never knows: what the stay is for.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::report::Report;
use super::start::{self, Kind};
use super::{Control, Error, Place};
use crate::broker::home::{self, Holder, Mode, Notice, Sight};

/// Between two looks at a broker that starts or leaves.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Looks, a `PAUSE_MIN` apart, at a process that said its last.
const COLLECTED_AFTER_MAX: u32 = 50;

/// A connection that the broker lets in, and what is needed for more of them.
pub struct Stay {
    pub port: u16,
    pub secret: String,
    pub mode: Mode,
    pub control: Control,
    /// The broker, where this process started it: somebody must collect it when it ends.
    pub child: Option<Child>,
}

pub fn seek(place: &Place, deadline: Instant) -> Result<Stay, Error> {
    let mut child = None;
    let mut turned_away = None;
    let mut pause = PAUSE_MIN;
    loop {
        let trouble = match home::sight(&place.data_dir)? {
            Sight::Nobody => {
                child = start_one(place, deadline)?.or(child);
                pause = PAUSE_MIN;
                place.silent("ended as soon as it was ready")
            }
            Sight::Served(notice) => match Control::open(&notice, deadline) {
                Ok(control) => {
                    let Notice { port, secret, mode, .. } = notice;
                    let secret = secret.reveal().to_owned();
                    return Ok(Stay { port, secret, mode, control, child });
                }
                Err(error) => {
                    let trouble = match error.is_silence() {
                        true => Error::Stuck { dir: place.data_dir.clone(), pid: notice.pid },
                        false => place.silent(&format!("let nobody in: {error}")),
                    };
                    // Of the last attempt it may be said only that time ran out.
                    match turned_away.replace(trouble.clone()) {
                        Some(before) if deadline <= Instant::now() => before,
                        _ => trouble,
                    }
                }
            },
            Sight::Held(holder) if is_stranger(holder) => return Err(held(place, holder)),
            Sight::Held(holder) => held(place, holder),
        };
        if deadline <= Instant::now() {
            return Err(trouble);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn held(place: &Place, holder: Holder) -> Error {
    let (dir, by) = (place.data_dir.clone(), holder.describe());
    home::Error::Held { dir, by, what: "stop it first" }.into()
}

/// The process that now serves, or `None` where another won the directory.
fn start_one(place: &Place, deadline: Instant) -> Result<Option<Child>, Error> {
    home::create(&place.data_dir)?;
    let mut child = start::spawn(Kind::Automatic, &place.data_dir, Stdio::null())?;
    let heard = start::listen(&mut child, place, deadline);
    if let Ok(Report::Ready(_)) = heard {
        return Ok(Some(child));
    }
    if heard.is_err() {
        if was_killed(&mut child) {
            return Ok(None);
        }
        // It would go on without anyone who waits for it.
        let _ = child.kill();
    }
    let _ = child.wait();
    match heard? {
        Report::Failed(why) => Err(Error::Said(why)),
        _ => Ok(None),
    }
}

/// Whether somebody killed it before it was ready, as they may at any time: another is started.
fn was_killed(child: &mut Child) -> bool {
    for _ in 0..COLLECTED_AFTER_MAX {
        match child.try_wait() {
            // Its end of the pipe closes a moment before it can be collected (do_exit in the
            // kernel). A wait without an end would hang on one that has only shut its stdout.
            Ok(None) => std::thread::sleep(PAUSE_MIN),
            Ok(Some(status)) => return status.signal() == Some(Signal::KILL.as_raw()),
            Err(_) => return false,
        }
    }
    false
}

/// A holder that is no kaw will not put up a notice, however long we wait.
fn is_stranger(holder: Holder) -> bool {
    holder.program().is_some_and(|program| program != "kaw") && !same_program(holder)
}

/// Whether the holder runs a program of our own name, however it was called.
fn same_program(holder: Holder) -> bool {
    let Some(pid) = holder.pid else { return true };
    let theirs = std::fs::read_link(format!("/proc/{pid}/exe"));
    match (theirs, std::env::current_exe()) {
        (Ok(theirs), Ok(ours)) => theirs.file_name() == ours.file_name(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[track_caller]
    fn check(script: &str, want: bool) {
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        assert_eq!(was_killed(&mut child), want, "{script}");
        let _ = child.kill();
        let _ = child.wait();
    }

    #[test]
    fn killed_is_not_failed() {
        check("kill -9 $$", true);
        check("exit 1", false);
        check("read line", false);
    }
}
