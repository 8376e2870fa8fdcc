//! Why the built-in broker cannot be had.
//! Never knows: who wanted it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::broker::home;

#[derive(Clone, Debug)]
pub enum Error {
    /// The data directory said no.
    Home(Arc<home::Error>),
    /// The broker that was started said why it could not serve.
    Said(String),
    /// Nobody answered in time.
    Silent { dir: PathBuf, doing: String },
    /// The broker listens and does nothing.
    Stuck { dir: PathBuf, pid: u32 },
    /// The broker came back, but not where the command's connections look for it.
    Moved { dir: PathBuf, from: u16, to: u16 },
    /// The broker came back with a new door: somebody removed the old one.
    NewSecret { dir: PathBuf },
}

impl From<home::Error> for Error {
    fn from(error: home::Error) -> Error {
        Error::Home(Arc::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Home(error) => error.fmt(f),
            Error::Said(text) => f.write_str(text),
            Error::Silent { dir, doing } => write!(
                f,
                "the built-in broker of {} {doing}; see {}, or pass -b",
                dir.display(),
                dir.join(home::LOG).display()
            ),
            Error::Stuck { dir, pid } => write!(
                f,
                "the built-in broker of {} does not answer, though process {pid} holds it; end it \
                 with `kill -9 {pid}`, and the next command starts another",
                dir.display()
            ),
            Error::Moved { dir, from, to } => write!(
                f,
                "the built-in broker of {} ended and had to come back on port {to}, because port \
                 {from} was taken meanwhile; run the command again",
                dir.display()
            ),
            Error::NewSecret { dir } => write!(
                f,
                "the built-in broker of {} ended and came back with a new password; run the \
                 command again",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for Error {}
