//! Why a data directory cannot be had: what, where, and what to do.
//! Never knows: which command asked.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::is_full;

#[derive(Debug)]
pub enum Error {
    Create {
        dir: PathBuf,
        source: io::Error,
    },
    Temporary {
        dir: PathBuf,
        source: io::Error,
    },
    NotADirectory {
        dir: PathBuf,
    },
    /// Not empty, and nothing in it says that it is a data directory.
    Foreign {
        dir: PathBuf,
        found: String,
    },
    /// It is a broker's, and its meta.properties is gone.
    Nameless {
        dir: PathBuf,
        /// To write into it.
        lines: String,
    },
    /// The file system has no fcntl locks.
    NoLocks {
        dir: PathBuf,
        source: io::Error,
    },
    Held {
        dir: PathBuf,
        by: String,
        what: &'static str,
    },
    Newer {
        dir: PathBuf,
        by: String,
        format: u32,
    },
    Damaged {
        path: PathBuf,
        what: String,
    },
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    pub fn io(verb: &'static str, path: &Path, source: io::Error) -> Error {
        Error::Io { verb, path: path.to_owned(), source }
    }

    pub fn damaged(path: &Path, what: impl Into<String>) -> Error {
        Error::Damaged { path: path.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Create { dir, source } => {
                let (dir, why) = (dir.display(), plain(source));
                write!(f, "cannot create {dir} ({why}); {}", way_out(source))
            }
            Error::Temporary { dir, source } => {
                let (dir, why) = (dir.display(), plain(source));
                write!(f, "cannot create {dir} ({why}); set TMPDIR to a directory to write in")
            }
            Error::NotADirectory { dir } => {
                write!(f, "the data directory {} is not a directory; {ELSE}", dir.display())
            }
            Error::Foreign { dir, found } => write!(
                f,
                "{} holds other things ({found}) and no meta.properties, so it is no data \
                 directory; choose an empty or a new one",
                dir.display()
            ),
            Error::Nameless { dir, lines } => {
                let path = dir.join(super::META);
                let path = path.display();
                write!(f, "{path} is gone; put it back, or write one with the lines {lines}")
            }
            Error::NoLocks { dir, source } => write!(
                f,
                "the file system of {} has no file locks ({}); set KAW_DATA_DIR to a local disk \
                 or pass -b",
                dir.display(),
                plain(source)
            ),
            Error::Held { dir, by, what } => {
                let dir = dir.display();
                write!(f, "the data directory {dir} is in use by {by}; {what}, {ELSE}")
            }
            Error::Newer { dir, by, format } => write!(
                f,
                "the data directory {} was written by {by} in format {format}; this is kaw {}, \
                 which reads up to format {}: use the newer one, or {ELSE}",
                dir.display(),
                env!("CARGO_PKG_VERSION"),
                super::FORMAT
            ),
            Error::Damaged { path, what } => {
                write!(f, "{} cannot be read: {what}; mend it or restore it", path.display())
            }
            Error::Io { verb, path, source } => {
                let (path, why) = (path.display(), plain(source));
                write!(f, "cannot {verb} {path} ({why}); {}", way_out(source))
            }
        }
    }
}

impl std::error::Error for Error {}

const ELSE: &str = "set KAW_DATA_DIR or pass -b";

/// What to do about it.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        _ if is_full(error) => "make room there, set KAW_DATA_DIR or pass -b",
        io::ErrorKind::IsADirectory => "move that directory away, set KAW_DATA_DIR or pass -b",
        _ => ELSE,
    }
}

/// The system's reason as words in a sentence: no capital, no number.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        // `I/O error` keeps its capital.
        Some(first) if !text.starts_with("I/O") => {
            first.to_lowercase().chain(letters).collect::<String>()
        }
        _ => text.to_owned(),
    }
}
