//! A broker of one command's own, gone with it, and its directory too.
//! Never knows: what the command does with it.

use std::io;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::report::Report;
use super::start::{self, Kind};
use super::{Error, Place};
use crate::broker::home;

/// A broker on free ports of 127.0.0.1 without a password, in a temporary directory. It ends when
/// this value is dropped, and by itself when this process dies, however that comes: its stdin is a
/// pipe from here.
pub struct Ephemeral {
    ports: Vec<u16>,
    dir: PathBuf,
    child: Child,
    is_leaving: Arc<AtomicBool>,
}

impl Ephemeral {
    pub fn start(patience: Duration) -> Result<Ephemeral, Error> {
        Ephemeral::of(Kind::Ephemeral, patience)
    }

    /// One that waits for its disk, as a user's own broker does.
    pub fn durable(patience: Duration) -> Result<Ephemeral, Error> {
        Ephemeral::of(Kind::Durable, patience)
    }

    /// One that clients take for a cluster of so many nodes, each on a port of its own.
    pub fn cluster(nodes: NonZeroU16, patience: Duration) -> Result<Ephemeral, Error> {
        Ephemeral::of(Kind::Cluster(nodes), patience)
    }

    fn of(kind: Kind, patience: Duration) -> Result<Ephemeral, Error> {
        let dir = home::temporary_dir()?;
        let outcome = launch(kind, &dir, patience);
        if outcome.is_err() {
            remove(&dir);
        }
        outcome
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `HOST:PORT` for `bootstrap.servers`, of each node.
    pub fn addresses(&self) -> String {
        let addresses = self.ports.iter().map(|port| format!("127.0.0.1:{port}"));
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Calls `tell`, from another thread, should the broker end before this value is dropped.
    pub fn on_death(&self, tell: impl FnOnce() + Send + 'static) {
        let (pid, is_leaving) = (Pid::from_child(&self.child), self.is_leaving.clone());
        thread::spawn(move || {
            // It is left to be collected: until then its number is no other process's.
            let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), end) {}
            if !is_leaving.load(Ordering::SeqCst) {
                tell();
            }
        });
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.is_leaving.store(true, Ordering::SeqCst);
        // Closes its stdin: it stops cleanly and takes the directory along.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        // In case it was killed.
        remove(&self.dir);
    }
}

fn launch(kind: Kind, dir: &Path, patience: Duration) -> Result<Ephemeral, Error> {
    let mut child = start::spawn(kind, dir, Stdio::piped())?;
    let place = Place { data_dir: dir.to_owned(), patience, tell: |_| {} };
    let heard = start::listen(&mut child, &place, Instant::now() + patience);
    if let Ok(Report::Ready(ports)) = heard {
        return Ok(Ephemeral { ports, dir: dir.to_owned(), child, is_leaving: Arc::default() });
    }
    let _ = child.kill();
    let _ = child.wait();
    match heard? {
        Report::Failed(why) => Err(Error::Said(why)),
        _ => Err(Error::Silent { dir: dir.to_owned(), doing: "did not start".to_owned() }),
    }
}

fn remove(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            // Nothing more can be done, and the command's own outcome matters more.
        }
        _ => {}
    }
}
