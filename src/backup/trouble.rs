//! Why a backup cannot be written, or not be believed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::record::BatchError;

#[derive(Debug)]
pub enum Trouble {
    /// The disk said no.
    Disk {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    /// Nothing here says that it is a backup.
    NoBackup {
        dir: PathBuf,
        /// One can be made there.
        is_free: bool,
    },
    /// This may belong to a backup, of which nothing tells.
    NoManifest {
        path: PathBuf,
    },
    /// A broker's directory is no place for it.
    InsideData {
        dir: PathBuf,
        data: PathBuf,
    },
    /// What lies here is something else.
    Foreign {
        path: PathBuf,
    },
    /// Another command has it.
    Busy {
        dir: PathBuf,
    },
    /// A later kaw wrote it.
    Newer {
        path: PathBuf,
        format: u64,
    },
    Missing {
        path: PathBuf,
    },
    /// The file ends before it should.
    Cut {
        path: PathBuf,
        at: u64,
        bytes: u64,
    },
    /// The file is not what was written, somewhere between these bytes.
    Damaged {
        path: PathBuf,
        from: u64,
        until: u64,
    },
    /// A batch at this byte, or of this offset, cannot be read.
    Batch {
        path: PathBuf,
        at: u64,
        error: BatchError,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Disk { doing, path, error } => {
                write!(f, "cannot {doing} {}: {error}", path.display())
            }
            Trouble::NoBackup { dir, is_free } => {
                let dir = dir.display();
                write!(f, "{dir} holds no whole backup (it has no manifest.json); ")?;
                match is_free {
                    true => write!(f, "`kaw backup {dir}` makes one"),
                    false => f.write_str("take another copy of it, or name another directory"),
                }
            }
            Trouble::NoManifest { path } => write!(
                f,
                "{} may be of a backup that lost its manifest.json, and is not written over; name \
                 another directory",
                path.display()
            ),
            Trouble::InsideData { dir, data } => write!(
                f,
                "{} is inside a broker's data directory, {}; name a directory elsewhere",
                dir.display(),
                data.display()
            ),
            Trouble::Foreign { path } => write!(
                f,
                "{} is no part of a backup; name a directory that is empty or not there yet",
                path.display()
            ),
            Trouble::Busy { dir } => write!(
                f,
                "another kaw works on the backup in {}; wait until it is done",
                dir.display()
            ),
            Trouble::Newer { path, format } => write!(
                f,
                "{} has format {format}, which a later kaw wrote; update kaw",
                path.display()
            ),
            Trouble::Missing { path } => write!(f, "{} is missing; {REMEDY}", path.display()),
            Trouble::Cut { path, at, bytes } => {
                write!(f, "{} is cut off at byte {at} of {bytes}; {REMEDY}", path.display())
            }
            Trouble::Damaged { path, from, until } => {
                write!(f, "{} is damaged between byte {from} and {until}; {REMEDY}", path.display())
            }
            Trouble::Batch { path, at, error } => {
                write!(f, "{} at byte {at}: {error}; {REMEDY}", path.display())
            }
        }
    }
}

impl std::error::Error for Trouble {}

const REMEDY: &str = "take another copy of the backup, this one cannot be trusted";
