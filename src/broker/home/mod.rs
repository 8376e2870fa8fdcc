//! The data directory of a running broker: its lock, its ids, its door, and who serves it.
//! Never knows: topics, requests, sockets.
//!
//! ```text
//! .lock            fcntl write lock while a broker runs (as Java's FileLock, so Apache's too)
//! meta.properties  Apache's: node.id, cluster.id, directory.id
//! door.json        port and secret of the directory's own listener; kept over restarts
//! broker.json      who serves it now; true only while the lock is held
//! broker.conf      Kafka broker settings for the automatic broker, written by the user
//! broker.log       what the automatic broker has to say
//! ```
//!
//! Files only: Apache Kafka refuses to start on a directory that holds a folder it does not know.

mod door;
mod error;
mod files;
mod identity;
mod lock;
mod lost;
mod notice;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use door::{Door, Secret, random_bytes, random_port, random_word, user};
pub use error::{Error, plain};
pub use files::{bytes_on_disk, properties};
pub use lock::{Holder, Lock};
pub use notice::{Locality, Mode, Notice};

use super::Identity;
use lock::Attempt;

/// The disk format this program writes; a directory of a higher one is refused.
pub const FORMAT: u32 = 1;

const LOCK: &str = ".lock";
const META: &str = "meta.properties";
const DOOR: &str = "door.json";
const NOTICE: &str = "broker.json";
const CONF: &str = "broker.conf";
pub const LOG: &str = "broker.log";

/// A data directory that this process alone serves, until it is dropped.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    identity: Identity,
    door: Door,
    temporary: bool,
    _lock: Lock,
}

/// What came of asking for a data directory.
pub enum Claim {
    Won(Box<Home>),
    Held(Contender),
}

/// A wish for a directory that another process holds. It keeps the lock file open, because closing
/// it and opening it again would be harmless here but deadly once the lock is ours (fcntl(2): any
/// close drops the process's locks).
pub struct Contender {
    dir: PathBuf,
    lock: Lock,
    durable: bool,
    pub holder: Holder,
}

/// What a client sees of a data directory.
#[derive(Debug)]
pub enum Sight {
    /// Nobody serves it.
    Nobody,
    /// This broker serves it.
    Served(Notice),
    /// Its lock is held, and nothing says by whom: a broker that starts or leaves, or a stranger.
    Held(Holder),
}

impl Home {
    /// Takes the directory for this process, makes it where it is missing.
    pub fn claim(dir: &Path) -> Result<Claim, Error> {
        create(dir)?;
        let lock = Lock::open(dir)?;
        Contender { dir: dir.to_owned(), lock, durable: true, holder: Holder::default() }.attempt()
    }

    /// A directory of its own under the system's temporary one, gone with this value.
    pub fn temporary() -> Result<Home, Error> {
        Home::temporary_at(&temporary_dir()?)
    }

    /// Takes a temporary directory that another process made; it is gone with this value.
    pub fn temporary_at(dir: &Path) -> Result<Home, Error> {
        let lock = Lock::open(dir)?;
        let contender =
            Contender { dir: dir.to_owned(), lock, durable: false, holder: Holder::default() };
        match contender.attempt()? {
            Claim::Won(mut home) => {
                home.temporary = true;
                Ok(*home)
            }
            Claim::Held(contender) => Err(contender.refusal()),
        }
    }

    /// Whether the directory goes with this value.
    pub fn is_temporary(&self) -> bool {
        self.temporary
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn door(&self) -> &Door {
        &self.door
    }

    /// The log file of a broker that has no terminal.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join(LOG)
    }

    /// The user's settings for the automatic broker, in the order they were written.
    pub fn conf(&self) -> Result<Vec<(String, String)>, Error> {
        let path = self.dir.join(CONF);
        // The user's own file may be a link to where such files are kept.
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let text = files::read(&real)?.unwrap_or_default();
        properties(&text).map_err(|line| Error::damaged(&path, line))
    }

    /// Keeps the port that the door's listener got, for the next start.
    pub fn keep_port(&mut self, port: u16) -> Result<(), Error> {
        if self.door.port != Some(port) {
            self.door.port = Some(port);
            self.door.save(&self.dir)?;
        }
        Ok(())
    }

    /// Says who serves the directory: from now on clients come.
    pub fn announce(&self, notice: &Notice) -> Result<(), Error> {
        notice.save(&self.dir)
    }

    /// Takes the notice back: from now on no new client comes.
    pub fn withdraw(&self) -> Result<(), Error> {
        files::remove(&self.dir.join(NOTICE))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Before the lock goes: afterwards the directory may be another's.
        let _ = self.withdraw();
        if self.temporary {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Contender {
    /// Tries until the deadline; whoever holds the directory may let go meanwhile. Another may be
    /// quicker then, and come to serve it: to wait for that one would be in vain.
    pub fn wait(mut self, deadline: Instant) -> Result<Claim, Error> {
        let first = self.holder;
        loop {
            match self.attempt()? {
                Claim::Held(again)
                    if Instant::now() < deadline
                        && (again.holder == first || again.served_by().is_none()) =>
                {
                    self = again;
                }
                claim => return Ok(claim),
            }
            // The one who is leaving cannot tell us. Closely spaced, so that a command whose broker
            // left does not come first.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Who serves the directory, where a notice of its holder says so.
    pub fn served_by(&self) -> Option<Notice> {
        Notice::load(&self.dir).filter(|notice| self.holder.is(notice.pid))
    }

    /// The error of someone who will not wait.
    pub fn refusal(&self) -> Error {
        Error::Held { dir: self.dir.clone(), by: self.holder.describe(), what: "stop it first" }
    }

    fn attempt(mut self) -> Result<Claim, Error> {
        match self.lock.attempt(&self.dir)? {
            Attempt::Won => self.settle().map(|home| Claim::Won(Box::new(home))),
            Attempt::Held(holder) => {
                self.holder = holder;
                Ok(Claim::Held(self))
            }
        }
    }

    fn settle(self) -> Result<Home, Error> {
        let Contender { dir, lock, durable, .. } = self;
        // A notice of a broker that was killed: with the lock held it would be believed.
        files::remove(&dir.join(NOTICE))?;
        let door = Door::load(&dir)?;
        let identity = match Identity::load(&dir)? {
            Some(identity) => identity,
            None => Identity::make(&dir, durable)?,
        };
        let door = match door {
            Some(door) => door,
            None => Door::make(&dir)?,
        };
        Ok(Home { dir, identity, door, temporary: false, _lock: lock })
    }
}

/// Who serves the directory. Only for processes that do not serve it themselves: the lock file is
/// opened and closed here, which would drop their lock (fcntl(2)).
pub fn sight(dir: &Path) -> Result<Sight, Error> {
    let Some(holder) = lock::holder(dir)? else {
        return Ok(Sight::Nobody);
    };
    Ok(match Notice::load(dir) {
        Some(notice) if !notice.place.is_here() => return Err(elsewhere(dir, &notice)),
        // Another process's notice: its writer was killed and the directory has a new master.
        Some(notice) if holder.is(notice.pid) => Sight::Served(notice),
        _ => Sight::Held(holder),
    })
}

/// The lock of a directory that nobody serves, for who works on its files; it is given up with the
/// value. Nothing is made but the lock's file.
pub fn hold(dir: &Path) -> Result<Lock, Error> {
    refuse_newer(dir)?;
    let lock = Lock::open(dir)?;
    match lock.attempt(dir)? {
        Attempt::Won => Ok(lock),
        Attempt::Held(holder) => {
            let (dir, by) = (dir.to_owned(), holder.describe());
            Err(Error::Held { dir, by, what: "stop it first" })
        }
    }
}

/// An error where somebody holds the directory's lock. Nothing is written. Never for the process
/// that holds it itself.
pub fn refuse_held(dir: &Path) -> Result<(), Error> {
    match lock::holder(dir)? {
        None => Ok(()),
        Some(holder) => {
            let (dir, by) = (dir.to_owned(), holder.describe());
            Err(Error::Held { dir, by, what: "stop it first" })
        }
    }
}

/// An error where a later version has written what this one cannot know.
pub fn refuse_newer(dir: &Path) -> Result<(), Error> {
    for error in [Door::load(dir).err(), Identity::load(dir).err()].into_iter().flatten() {
        if matches!(error, Error::Newer { .. }) {
            return Err(error);
        }
    }
    Ok(())
}

fn elsewhere(dir: &Path, notice: &Notice) -> Error {
    let by = format!("a broker (pid {}) on {}", notice.pid, notice.place.describe());
    Error::Held { dir: dir.to_owned(), by, what: "stop it there" }
}

/// Makes the directory, for this user alone.
pub fn create(dir: &Path) -> Result<(), Error> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(Error::NotADirectory { dir: dir.to_owned() }),
        Err(_) => {}
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| Error::Create { dir: dir.to_owned(), source })
}

/// Makes a fresh directory for this user alone under the system's temporary one.
pub fn temporary_dir() -> Result<PathBuf, Error> {
    loop {
        let dir = std::env::temp_dir().join(format!("kaw-{}", door::random_word(8)));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::Temporary { dir, source }),
        }
    }
}

#[cfg(test)]
mod tests;
