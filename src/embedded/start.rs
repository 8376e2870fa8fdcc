//! Starts a broker as a process of its own and listens to what it says of itself.
//! Never knows: how it serves.

use std::fmt;
use std::io::{self, Read};
use std::num::NonZeroU16;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::report::Report;
use super::{Error, Place};
use crate::broker::home::plain;

/// The first words of the command line of a broker that a command starts; no help names them.
pub const WORDS: [&str; 2] = ["broker", "--embedded"];

/// How often a broker that recovers says so.
pub const BEAT: Duration = Duration::from_millis(200);

/// A broker that is silent for so many beats is taken for stuck.
const BEATS_MISSED_MAX: u32 = 25;

/// From this long on a wait is told.
const TOLD_AFTER: Duration = Duration::from_secs(2);

const AUTOMATIC: &str = "automatic";
const EPHEMERAL: &str = "ephemeral";
const DURABLE: &str = "durable";
const CLUSTER: &str = "cluster";

/// What kind of broker a command starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For every command of this user; leaves by itself.
    Automatic,
    /// For one command, in a directory that goes with it; leaves when its stdin ends.
    Ephemeral,
    /// As that, and what it acknowledges is on disk.
    Durable,
    /// As `Ephemeral`, and clients see a cluster of so many nodes, with the defaults of
    /// librdkafka's mock cluster.
    Cluster(NonZeroU16),
}

impl Kind {
    pub fn parse(word: &str) -> Option<Kind> {
        match word.split_once('=') {
            None if word == AUTOMATIC => Some(Kind::Automatic),
            None if word == EPHEMERAL => Some(Kind::Ephemeral),
            None if word == DURABLE => Some(Kind::Durable),
            Some((CLUSTER, nodes)) => nodes.parse().ok().map(Kind::Cluster),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Automatic => f.write_str(AUTOMATIC),
            Kind::Ephemeral => f.write_str(EPHEMERAL),
            Kind::Durable => f.write_str(DURABLE),
            Kind::Cluster(nodes) => write!(f, "{CLUSTER}={nodes}"),
        }
    }
}

/// The process: always a fresh program, never a copy of this one that goes on.
pub fn spawn(kind: Kind, dir: &Path, stdin: Stdio) -> Result<Child, Error> {
    let mut command = Command::new(program());
    command.arg0("kaw").args(WORDS).arg(kind.to_string()).arg(dir);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|error| Error::Said(format!("cannot start kaw ({})", plain(&error))))
}

/// This very program, even if a newer one took its place on disk meanwhile.
fn program() -> PathBuf {
    let link = Path::new("/proc/self/exe");
    match link.exists() {
        true => link.to_owned(),
        false => std::env::current_exe().unwrap_or_else(|_| PathBuf::from("kaw")),
    }
}

/// Waits for the word of a broker that was just spawned. A broker that recovers may take longer
/// than the deadline, as long as it says that it is at work.
pub fn listen(child: &mut Child, place: &Place, mut deadline: Instant) -> Result<Report, Error> {
    let pipe = child.stdout.take().expect("it was piped");
    let mut told = Some(Instant::now() + TOLD_AFTER);
    let mut lines = Lines { pipe, bytes: Vec::new() };
    loop {
        match lines.next(deadline).map_err(|error| place.silent(&plain(&error)))? {
            Line::Whole(line) => match Report::parse(&line) {
                Some(Report::Busy) => deadline = deadline.max(Instant::now() + patience()),
                Some(Report::Trouble(what)) => (place.tell)(&what),
                Some(report) => return Ok(report),
                None => {}
            },
            Line::TimedOut => return Err(place.silent("did not answer in time")),
            Line::End => return Err(place.silent("ended before it was ready")),
        }
        if told.is_some_and(|due| due <= Instant::now()) {
            told = None;
            let dir = place.data_dir.display();
            (place.tell)(&format!("the built-in broker is still reading {dir} after a crash"));
        }
    }
}

fn patience() -> Duration {
    BEAT * BEATS_MISSED_MAX
}

enum Line {
    Whole(String),
    TimedOut,
    End,
}

/// Lines of a pipe, each by a deadline.
struct Lines {
    pipe: ChildStdout,
    bytes: Vec<u8>,
}

impl Lines {
    fn next(&mut self, deadline: Instant) -> io::Result<Line> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line = self.bytes.drain(..=end).collect::<Vec<_>>();
                return Ok(Line::Whole(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut polled = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut polled, Some(&left)) {
                Ok(0) => return Ok(Line::TimedOut),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let mut chunk = [0; 512];
            match self.pipe.read(&mut chunk)? {
                0 => return Ok(Line::End),
                count => self.bytes.extend_from_slice(&chunk[..count]),
            }
        }
    }
}
