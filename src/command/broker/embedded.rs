//! The broker that a command started: it reports on stdout, then speaks to a log file alone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::num::NonZeroU16;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::host::{self, Wish};
use crate::broker::home::{Claim, Home, Mode};
use crate::broker::{Durability, Guise, Listener, Ready, Troubles, detach};
use crate::embedded::{BEAT, Kind, Report, WORDS};
use crate::quantity;

/// How long the broker stays when nobody is connected, unless `KAW_LINGER` says otherwise.
const LINGER: Duration = Duration::from_secs(10);

/// A log file of this size gives way to a new one; one old one is kept.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// Runs a broker if this process was started to be one: before anything else is done in it.
pub fn main() -> Option<ExitCode> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let [_, first, second, kind, dir] = words.as_slice() else { return None };
    if [first, second] != WORDS {
        return None;
    }
    let kind = Kind::parse(kind.to_str()?)?;
    let dir = PathBuf::from(dir);
    detach::detach();
    let outcome = match kind {
        Kind::Automatic => automatic(&dir),
        Kind::Ephemeral => ephemeral(&dir, alone()),
        Kind::Durable => ephemeral(&dir, Wish { durability: Durability::Fsync, ..alone() }),
        Kind::Cluster(nodes) => ephemeral(&dir, cluster(nodes)),
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Before it is ready the starter hears it, afterwards the log.
            say(&Report::Failed(why));
            ExitCode::FAILURE
        }
    })
}

fn automatic(dir: &Path) -> Result<(), String> {
    let beat = Beat::start();
    crate::broker::check(dir).map_err(|error| error.to_string())?;
    let home = match Home::claim(dir).map_err(|error| error.to_string())? {
        Claim::Won(home) => *home,
        Claim::Held(_) => {
            say(&Report::Lost);
            return Ok(());
        }
    };
    open_log(&home)?;
    let mut settings = home.conf().map_err(|error| error.to_string())?;
    let wrong = |error| format!("{}: {error}", dir.join("broker.conf").display());
    let durability = host::take_durability(&mut settings).map_err(wrong)?;
    let wish = Wish {
        mode: Mode::Automatic,
        listeners: Vec::new(),
        guise: Guise::OneNode,
        has_door: true,
        settings,
        durability: durability.unwrap_or(Durability::Fsync),
        topics: Vec::new(),
        linger: Some(linger()?),
    };
    serve(home, wish, beat, |_| {})
}

fn ephemeral(dir: &Path, wish: Wish) -> Result<(), String> {
    let beat = Beat::start();
    let home = Home::temporary_at(dir).map_err(|error| error.to_string())?;
    open_log(&home)?;
    serve(home, wish, beat, |_| leave_when_stdin_ends())
}

/// For one command: a port of its own, and no disk that is waited for.
fn alone() -> Wish {
    Wish {
        mode: Mode::Automatic,
        listeners: vec![Listener { host: "127.0.0.1".to_owned(), port: 0, advertise: None }],
        guise: Guise::OneNode,
        has_door: false,
        settings: Vec::new(),
        durability: Durability::Os,
        topics: Vec::new(),
        linger: None,
    }
}

/// As that, with the defaults of librdkafka's mock cluster (rd_kafka_mock_cluster_new0).
fn cluster(nodes: NonZeroU16) -> Wish {
    let alone = alone();
    let replicas = nodes.get().min(3).to_string();
    let settings = [("num.partitions", "4".to_owned()), ("default.replication.factor", replicas)];
    Wish {
        listeners: vec![alone.listeners[0].clone(); usize::from(nodes.get())],
        guise: Guise::NodePerListener,
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        ..alone
    }
}

fn serve(home: Home, wish: Wish, beat: Beat, then: impl FnOnce(&Ready)) -> Result<(), String> {
    let outlives = detach::outlive_hangups().and_then(|()| detach::outlive_limits());
    outlives.map_err(|error| error.to_string())?;
    let log = home.log_path();
    let ready = |ready: &Ready, announced: Result<(), _>| {
        beat.stop();
        if let Err(error) = announced {
            // Nobody would find it, and the starter can still say why.
            say(&Report::Failed(format!("{error}")));
            leave();
        }
        say_troubles(&log);
        let ports = ready.addresses.iter().map(|address| address.port());
        say(&Report::Ready(ready.door_port.into_iter().chain(ports).collect()));
        // The starter's pipe: whoever reads it to the end must not wait for us.
        if let Ok(nothing) = OpenOptions::new().write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdout(nothing);
        }
        then(ready);
    };
    host::serve(home, wish, ready).map_err(|error| error.to_string())
}

/// What the start logged as errors, in one line.
fn say_troubles(log: &Path) {
    let Troubles { count, first: Some(first), .. } = Troubles::so_far() else { return };
    let more = match count {
        1 => String::new(),
        _ => format!("{} more; ", count - 1),
    };
    let log = log.display();
    say(&Report::Trouble(format!(
        "the broker has trouble at its start: {first} ({more}see {log})"
    )));
}

/// A line on stdout. A starter that has gone meanwhile is no loss: it is not the only client.
fn say(report: &Report) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{report}").and_then(|()| stdout.flush());
}

/// A clean stop, by the way that a user would ask for one.
fn leave() {
    let _ = kill_process(getpid(), Signal::TERM);
}

/// The other end of stdin is held by the command alone: however it dies, this hears of it.
fn leave_when_stdin_ends() {
    thread::spawn(|| {
        let mut nothing = [0; 64];
        while !matches!(io::stdin().read(&mut nothing), Ok(0) | Err(_)) {}
        leave();
    });
}

fn linger() -> Result<Duration, String> {
    match std::env::var("KAW_LINGER") {
        Ok(text) if !text.is_empty() => {
            quantity::time(&text).map_err(|error| format!("KAW_LINGER: {error}"))
        }
        _ => Ok(LINGER),
    }
}

/// The log, from now on stderr too: a panic's message belongs there.
fn open_log(home: &Home) -> Result<(), String> {
    let path = home.log_path();
    let log = LogFile::open(&path, become_stderr).map_err(|error| {
        let why = crate::broker::home::plain(&error);
        format!("cannot write to {} ({why}); set KAW_DATA_DIR or pass -b", path.display())
    })?;
    host::log_to(tracing::Level::INFO, log);
    Ok(())
}

/// A log that starts anew when it is full, and keeps one old file.
struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// What else is done with each new file.
    then: fn(&File),
}

fn become_stderr(file: &File) {
    let _ = rustix::stdio::dup2_stderr(file);
}

impl LogFile {
    fn open(path: &Path, then: fn(&File)) -> io::Result<LogFile> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        then(&file);
        let bytes = file.metadata()?.len();
        Ok(LogFile { path: path.to_owned(), file, bytes, then })
    }

    fn rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension("log.1"))?;
        *self = LogFile::open(&self.path, self.then)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if LOG_BYTES_MAX <= self.bytes {
            // A log that cannot be rotated is still better than none.
            let _ = self.rotate();
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Says that the broker is at work, until it is ready.
struct Beat {
    stop: mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Beat {
    fn start() -> Beat {
        let (stop, stopped) = mpsc::channel();
        let beat = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT) {
                say(&Report::Busy);
            }
        };
        Beat { stop, thread: thread::spawn(beat) }
    }

    /// After this no beat follows the word that it is ready.
    fn stop(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_gives_way_and_one_old_one_stays() {
        let dir = crate::broker::home::temporary_dir().unwrap();
        let path = dir.join("broker.log");
        let old = path.with_extension("log.1");
        fs::write(&old, "older").unwrap();
        let mut log = LogFile::open(&path, |_| {}).unwrap();
        log.bytes = LOG_BYTES_MAX - 1;
        log.write_all(b"last\n").unwrap();
        log.write_all(b"first\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "last\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
        fs::remove_dir_all(dir).unwrap();
    }
}
