//! The lock of a data directory: one process holds it, everyone may ask who.
//! Never knows: what the directory is for.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, Pid};

use super::{Error, LOCK};
use crate::log::regular;

/// The open lock file. Dropping it, or closing any other descriptor of the same file, gives the
/// lock up (fcntl(2)); so a process opens it once.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

pub enum Attempt {
    Won,
    Held(Holder),
}

/// Who holds a lock, as far as it can be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// None where the holder is on another host or in another pid namespace.
    pub pid: Option<u32>,
}

impl Lock {
    pub fn open(dir: &Path) -> Result<Lock, Error> {
        let path = dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        match regular(&mut options, &path) {
            Ok(file) => Ok(Lock { file }),
            Err(error) => Err(Error::io("write to", &path, error)),
        }
    }

    pub fn attempt(&self, dir: &Path) -> Result<Attempt, Error> {
        match rustix::fs::fcntl_lock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Attempt::Won),
            // POSIX allows either for a lock held by another process.
            Err(Errno::AGAIN | Errno::ACCESS) => {
                Ok(Attempt::Held(asked(&self.file, dir)?.unwrap_or_default()))
            }
            Err(errno) => Err(unlockable(dir, errno)),
        }
    }
}

impl Holder {
    /// Whether the holder can be the process of this number.
    pub fn is(self, pid: u32) -> bool {
        self.pid.is_none_or(|holder| holder == pid)
    }

    /// The program it runs, where the system tells.
    pub fn program(self) -> Option<String> {
        program(self.pid?)
    }

    pub fn describe(self) -> String {
        match (self.pid, self.program()) {
            (Some(pid), Some(program)) => format!("{program} (pid {pid})"),
            (Some(pid), None) => format!("process {pid}"),
            (None, _) => "a process on another host or in another container".to_owned(),
        }
    }
}

/// Who holds the directory's lock. Never for the process that holds it itself.
pub fn holder(dir: &Path) -> Result<Option<Holder>, Error> {
    let path: PathBuf = dir.join(LOCK);
    match regular(OpenOptions::new().read(true), &path) {
        Ok(file) => asked(&file, dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(Error::NotADirectory { dir: dir.to_owned() })
        }
        Err(error) => Err(Error::io("read", &path, error)),
    }
}

fn asked(file: &File, dir: &Path) -> Result<Option<Holder>, Error> {
    let wish = Flock::from(FlockType::WriteLock);
    let found = rustix::process::fcntl_getlk(file, &wish).map_err(|e| unlockable(dir, e))?;
    // A lock of a remote host carries a negative number, one of another namespace zero.
    let pid = |lock: Flock| lock.pid.map(Pid::as_raw_pid).and_then(|pid| u32::try_from(pid).ok());
    Ok(found.map(|lock| Holder { pid: pid(lock) }))
}

fn unlockable(dir: &Path, errno: Errno) -> Error {
    Error::NoLocks { dir: dir.to_owned(), source: errno.into() }
}

/// The name under which a process was started.
pub fn program(pid: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = line.split(|&byte| byte == 0).next().filter(|first| !first.is_empty())?;
    let name = Path::new(std::str::from_utf8(first).ok()?).file_name()?;
    Some(name.to_string_lossy().into_owned())
}
