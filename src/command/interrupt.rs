//! SIGINT and SIGTERM: the first asks a command to finish, a second one ends it at once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::Exit;

/// Set from Ctrl-C until what the terminal shows of it is left behind or wiped away.
static ECHO: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on it is noted that `^C` stands on the screen.
pub fn note_echo() -> io::Result<()> {
    flag::register(SIGINT, Arc::clone(&ECHO)).map(|_| ())
}

/// Leaves it behind; whether it was there.
pub fn leave_echo() -> bool {
    ECHO.swap(false, Ordering::Relaxed)
}

/// Watches for the signals that ask a command to finish.
pub struct Interrupt {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
    /// A signal ends the command as if nobody watched.
    at_once: Arc<AtomicBool>,
    wake: Wake,
}

impl Interrupt {
    /// From now on the first signal is only noted here.
    pub fn watch() -> anyhow::Result<Interrupt> {
        let interrupt = Interrupt::none_yet()?;
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&interrupt.at_once))?;
            // Before it is noted: what the first signal sets ends the command at the second.
            for seen in [&interrupt.interrupted, &interrupt.terminated] {
                let code = i32::from(Exit::Signalled(signal).code());
                flag::register_conditional_shutdown(signal, code, Arc::clone(seen))?;
            }
        }
        interrupt.noting()
    }

    /// From now on every signal is only noted here: another program decides what it ends.
    pub fn watch_for_another() -> anyhow::Result<Interrupt> {
        Interrupt::none_yet()?.noting()
    }

    fn none_yet() -> anyhow::Result<Interrupt> {
        let wake = Wake::new().context("cannot make a pipe")?;
        let [interrupted, terminated, at_once] =
            [const { AtomicBool::new(false) }; 3].map(Arc::new);
        Ok(Interrupt { interrupted, terminated, at_once, wake })
    }

    /// Does what may take long and leaves nothing behind: a signal meanwhile ends the command at
    /// once.
    pub fn at_once<T>(&self, work: impl FnOnce() -> T) -> T {
        self.at_once.store(true, Ordering::Relaxed);
        let done = work();
        self.at_once.store(false, Ordering::Relaxed);
        done
    }

    fn noting(self) -> anyhow::Result<Interrupt> {
        note_echo()?;
        for (signal, noted) in [(SIGINT, &self.interrupted), (SIGTERM, &self.terminated)] {
            flag::register(signal, Arc::clone(noted))?;
            low_level::pipe::register(signal, self.wake.writer()?)?;
        }
        Ok(self)
    }

    /// How the command must end, if a signal came.
    pub fn exit(&self) -> Option<Exit> {
        if self.terminated.load(Ordering::Relaxed) {
            return Some(Exit::Signalled(SIGTERM));
        }
        self.interrupted.load(Ordering::Relaxed).then_some(Exit::Signalled(SIGINT))
    }

    /// Forgets the signals that came.
    pub fn forget(&self) {
        self.terminated.store(false, Ordering::Relaxed);
        self.interrupted.store(false, Ordering::Relaxed);
    }

    /// Waits, unless a signal comes.
    pub fn pause(&self, time: Duration) -> io::Result<()> {
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.wake, PollFlags::IN)], Some(&time)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Becomes readable when a signal comes, or when something is written to `wake().writer()`.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }
}

/// A pipe whose only message is that something happened: one `poll` then waits for all of it.
pub struct Wake {
    read: OwnedFd,
    write: OwnedFd,
}

impl Wake {
    fn new() -> io::Result<Wake> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Wake { read, write })
    }

    /// An end to write to; a full pipe is as good as a write.
    pub fn writer(&self) -> io::Result<OwnedFd> {
        self.write.try_clone()
    }

    /// Takes all that was written.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while !matches!(rustix::io::read(&self.read, &mut bytes), Ok(0) | Err(Errno::AGAIN)) {}
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}
