//! What the log asks of a disk. The real one is below; tests have one that loses and tears.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

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

/// One file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub bytes: u64,
    pub modified: Timestamp,
}

/// Files and directories, blocking. A new name is durable only once its directory was synced,
/// and bytes only once their file was.
pub trait Disk: Clone + Send + Sync + 'static {
    type File: DiskFile;

    fn open(&self, path: &Path, how: Open) -> io::Result<Self::File>;
    /// The regular files in `dir`, in no order.
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
}

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = RealFile;

    fn open(&self, path: &Path, how: Open) -> io::Result<RealFile> {
        let create = how == Open::OrCreate;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false);
        // Whoever may lay a link here must not choose which file is written to.
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        options.open(path).map(RealFile)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            // Kafka's names are ASCII; what else lies here is not the log's.
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                let modified = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let modified = Timestamp(i64::try_from(modified.as_millis()).unwrap_or(i64::MAX));
                files.push(Listed { name, bytes: meta.len(), modified });
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

/// An open file of the machine. Its descriptor serves sendfile.
#[derive(Debug)]
pub struct RealFile(fs::File);

impl RealFile {
    /// Opens a regular file to read it, and nothing else: a link is not followed, a pipe not
    /// waited for.
    pub fn open_to_read(path: &Path) -> io::Result<RealFile> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(RealFile(file)),
            false => Err(io::Error::other("it is no regular file")),
        }
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
