//! What the log asks of a disk. The real one is below; tests have one that loses and tears.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;

use crate::record::Timestamp;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read and write; it must be there.
    Existing,
    /// To read and write; made if it is not there, kept as it is if it is.
    OrCreate,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// Else a directory, a link, a pipe or the like.
    pub is_file: bool,
    pub bytes: u64,
    pub modified: Timestamp,
}

/// Files and directories, blocking. A new name is durable only once its directory was synced,
/// and bytes only once their file was.
pub trait Disk: Clone + Send + Sync + 'static {
    type File: DiskFile;

    /// Opens a regular file, and nothing else.
    fn open(&self, path: &Path, how: Open) -> io::Result<Self::File>;
    /// What is in `dir`, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>>;
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, Open::Existing)?;
        let bytes = usize::try_from(file.len()?).map_err(io::Error::other)?;
        let mut out = vec![0; bytes];
        let read = file.read_at(&mut out, 0)?;
        out.truncate(read);
        Ok(out)
    }
}

/// An open file.
pub trait DiskFile: Send + Sync + 'static {
    fn len(&self) -> io::Result<u64>;
    /// Fills `buf` from `position`; fewer bytes only at the end of the file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all of both parts, one behind the other, at `position`. After an error any part of
    /// it may be there.
    fn write_at(&self, parts: [&[u8]; 2], position: u64) -> io::Result<()>;
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Makes the bytes and the length durable (fdatasync).
    fn sync(&self) -> io::Result<()>;
    /// When it seems to have been written last.
    fn set_modified(&self, time: Timestamp) -> io::Result<()>;
}

/// Whether there is no room: a disk that is full is so for the other files too.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = RealFile;

    fn open(&self, path: &Path, how: Open) -> io::Result<RealFile> {
        let create = how == Open::OrCreate;
        let mut options = OpenOptions::new();
        regular(options.read(true).write(true).create(create).truncate(false), path).map(RealFile)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            // Kafka's names are ASCII; what else lies here is not the log's.
            if let Ok(name) = entry.file_name().into_string() {
                let modified = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let modified = Timestamp(i64::try_from(modified.as_millis()).unwrap_or(i64::MAX));
                files.push(Listed { name, is_file: meta.is_file(), bytes: meta.len(), modified });
            }
        }
        Ok(files)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
}

/// Opens a regular file: a link is not followed, since whoever may lay one here must not choose
/// which file is read or written, and a pipe is not waited for.
pub fn regular(options: &mut OpenOptions, path: &Path) -> io::Result<fs::File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match options.custom_flags(flags).open(path) {
        // So it says of a link, and of a directory that is to be written to.
        Err(error) if [Errno::LOOP, Errno::ISDIR, Errno::NXIO].contains(&of(&error)) => {
            return Err(not_regular());
        }
        opened => opened?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

fn of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// What is said of a directory, a link, a pipe or the like where a file should be.
pub fn not_regular() -> io::Error {
    io::Error::other("it is no regular file")
}

/// An open file of the machine. Its descriptor serves sendfile.
#[derive(Debug)]
pub struct RealFile(fs::File);

impl RealFile {
    /// Opens a regular file to read it, and nothing else.
    pub fn open_to_read(path: &Path) -> io::Result<RealFile> {
        regular(OpenOptions::new().read(true), path).map(RealFile)
    }

    /// The next byte from `position` on that was ever written; what is between is zeros. `None`:
    /// there is none.
    pub fn next_data(&self, position: u64) -> io::Result<Option<u64>> {
        match rustix::fs::seek(&self.0, SeekFrom::Data(position)) {
            Ok(data) => Ok(Some(data)),
            Err(Errno::NXIO) => Ok(None),
            // A file system that does not tell.
            Err(Errno::INVAL) => Ok(Some(position)),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for RealFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buf.len() {
            match self.0.read_at(&mut buf[read..], position + read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, parts: [&[u8]; 2], position: u64) -> io::Result<()> {
        let [mut first, mut second] = parts;
        let mut position = position;
        while !first.is_empty() || !second.is_empty() {
            let written = match write_some(&self.0, first, second, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            position += written as u64;
            let of_first = written.min(first.len());
            first = &first[of_first..];
            second = &second[written - of_first..];
        }
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_modified(&self, time: Timestamp) -> io::Result<()> {
        let since = Duration::from_millis(u64::try_from(time.get()).unwrap_or(0));
        self.0.set_modified(UNIX_EPOCH + since)
    }
}

#[cfg(target_os = "linux")]
fn write_some(file: &fs::File, first: &[u8], second: &[u8], at: u64) -> io::Result<usize> {
    let parts = [io::IoSlice::new(first), io::IoSlice::new(second)];
    Ok(rustix::io::pwritev(file, &parts, at)?)
}

/// macOS got pwritev late; two writes do the same there.
#[cfg(not(target_os = "linux"))]
fn write_some(file: &fs::File, first: &[u8], second: &[u8], at: u64) -> io::Result<usize> {
    file.write_at(if first.is_empty() { second } else { first }, at)
}
