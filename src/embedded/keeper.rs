//! Holds a stay at the broker: when the broker dies, finds it or starts it again at the same port.
//! Never knows: what the command does meanwhile.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use super::seek::{Stay, seek};
use super::{Error, Place};
use crate::broker::home::plain;

/// Dropped, it gives the stay up.
pub struct Keeper {
    broken: Arc<OnceLock<Error>>,
    /// Its end is the thread's signal to end.
    _quit: PipeWriter,
}

impl Keeper {
    pub fn start(place: Place, stay: Stay) -> Result<Keeper, Error> {
        let cannot = |error| Error::Said(format!("cannot hold the built-in broker: {error}"));
        let (quit, writer) = std::io::pipe().map_err(|error| cannot(plain(&error)))?;
        let broken = Arc::new(OnceLock::new());
        let kept = Arc::clone(&broken);
        let watch = move || {
            if let Err(error) = keep(&place, stay, &quit) {
                let _ = kept.set(error);
            }
        };
        let thread = thread::Builder::new().name("lease".to_owned()).spawn(watch);
        thread.map_err(|error| cannot(plain(&error)))?;
        Ok(Keeper { broken, _quit: writer })
    }

    pub fn broken(&self) -> Option<Error> {
        self.broken.get().cloned()
    }
}

fn keep(place: &Place, mut stay: Stay, quit: &PipeReader) -> Result<(), Error> {
    let (port, secret) = (stay.port, stay.secret.clone());
    while until_broken(&stay, quit) {
        let child = stay.child.take();
        drop(stay);
        if let Some(mut child) = child {
            // Asked to leave, it may still be tidying up: then nobody waits for it.
            let _ = child.try_wait();
        }
        stay = seek(place, Instant::now() + place.patience)?;
        if stay.port != port {
            return Err(Error::Moved { dir: place.data_dir.clone(), from: port, to: stay.port });
        }
        if stay.secret != secret {
            return Err(Error::NewSecret { dir: place.data_dir.clone() });
        }
    }
    Ok(())
}

/// Waits for the end of the connection, which is true, or of the lease, which is false.
fn until_broken(stay: &Stay, quit: &PipeReader) -> bool {
    loop {
        let mut polled = [
            // The broker never speaks first: whatever comes is the end.
            PollFd::from_borrowed_fd(stay.control.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(quit.as_fd(), PollFlags::IN),
        ];
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => continue,
            _ => return polled[1].revents().is_empty(),
        }
    }
}
