//! Makes this process one that belongs to nobody: no terminal, no descriptors of its parent.
//! Never knows: what it will do then.

use std::fs;
use std::io;
use std::os::fd::RawFd;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// For a process that was just exec'ed, before it opens anything and starts any thread. What cannot
/// be had on this system is done without: none of it is needed to serve.
pub fn detach() {
    // A session of its own: a hangup or ^C of the starter's terminal is not for it. It fails where
    // the process leads a group already, and then the terminal cannot be ours either.
    let _ = rustix::process::setsid();
    keep_private();
    // The starter's directory may be on a disk that is to be unmounted.
    let _ = std::env::set_current_dir("/");
    close_inherited();
    raise_open_files();
    // The exec went through a link, and `ps -e` shows the name of that.
    let _ = fs::write("/proc/self/comm", "kaw");
}

/// What a broker writes is for its user alone.
pub fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Whoever holds the other end of a pipe, or a lock on an open file, must not wait for a broker
/// that stays: `flock` and `make` hand theirs to every child.
fn close_inherited() {
    for fd in open_descriptors().into_iter().filter(|&fd| 2 < fd) {
        // Nothing in this process owns one yet.
        let _ = nix::unistd::close(fd);
    }
}

fn open_descriptors() -> Vec<RawFd> {
    // The list's own descriptor is in it, and closed when the listing ends.
    let entries = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

/// A file a partition and one a connection: the usual 1,024 are soon used up.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where the highest is "no limit", the system may not take it at its word (macOS).
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// A hangup is no reason to go.
pub fn outlive_hangups() -> io::Result<()> {
    outlive(Signal::HUP)
}

/// A file that grew too large for the limit is an error of one write (EFBIG), not the end of all.
pub fn outlive_limits() -> io::Result<()> {
    outlive(Signal::XFSZ)
}

/// Rust ignores SIGPIPE by itself.
fn outlive(number: Signal) -> io::Result<()> {
    // Taking a signal is what keeps it from killing, also after the taker is gone
    // (tokio::signal::unix::signal).
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    drop(signal(SignalKind::from_raw(number.as_raw()))?);
    Ok(())
}
