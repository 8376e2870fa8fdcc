//! The inputs of `produce`: files and stdin, all looked at before anything is sent.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{Access, OFlags, access};

use super::super::stdio::{Stdout, stdout_failed};

/// An input by name.
pub enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// As it is named in messages and checkpoints.
    pub fn name(&self) -> String {
        match self {
            Source::Stdin => "stdin".to_owned(),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// What it is, where that can be seen.
    pub fn metadata(&self) -> Option<Metadata> {
        match self {
            Source::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned().ok()?).metadata(),
            Source::File(path) => fs::metadata(path),
        }
        .ok()
    }
}

/// Every input there will be, or why one of them cannot be read.
pub fn check(files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    if files.is_empty() {
        return Ok(vec![Source::Stdin]);
    }
    let mut sources = Vec::new();
    for path in files {
        if path.as_os_str() == "-" {
            sources.push(Source::Stdin);
        } else {
            check_file(path)?;
            sources.push(Source::File(path.clone()));
        }
    }
    Ok(sources)
}

/// The bytes that are still to come, where that is known.
pub fn bytes_ahead(sources: &[Source]) -> Option<u64> {
    let regular = |source: &Source| source.metadata().filter(Metadata::is_file);
    sources.iter().map(|source| regular(source).map(|metadata| metadata.len())).sum()
}

/// A pipe is not opened before its turn: who writes to it would take the end of this look for the
/// end of its reader.
fn check_file(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    let metadata = fs::metadata(path).with_context(cannot)?;
    match metadata.is_dir() || metadata.is_file() {
        true => open_file(path).map(drop),
        false => access(path, Access::READ_OK).map_err(io::Error::from).with_context(cannot),
    }
}

fn open_file(path: &Path) -> anyhow::Result<File> {
    let shown = path.display();
    // Who is to write to a pipe is waited for where signals are seen, and not in `open`.
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.with_context(|| format!("cannot read {shown}"))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("cannot read {shown}: it is a directory");
    }
    Ok(file)
}

/// An open input.
pub struct Input {
    file: File,
    name: String,
    /// It never keeps a reader waiting.
    pub is_regular: bool,
    /// Where it was read to.
    pub position: u64,
    tee: Option<Stdout>,
    tee_failed: Option<io::Error>,
}

impl Input {
    pub fn open(source: &Source, tee: bool) -> anyhow::Result<Input> {
        let (file, name) = match source {
            Source::Stdin => {
                let fd = io::stdin().as_fd().try_clone_to_owned().context("cannot read stdin")?;
                (File::from(fd), "stdin".to_owned())
            }
            Source::File(path) => (open_file(path)?, source.name()),
        };
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let tee = if tee { Some(Stdout::open()?) } else { None };
        Ok(Input { file, name, is_regular, position: 0, tee, tee_failed: None })
    }

    /// Leaves out what an earlier run has read.
    pub fn skip(&mut self, bytes: u64) -> anyhow::Result<()> {
        self.position = bytes;
        if bytes == 0 {
            return Ok(());
        }
        let skipped = match self.is_regular {
            true => self.file.metadata().and_then(|metadata| {
                // stdin may be a file that somebody has begun to read.
                self.file.seek(SeekFrom::Current(bytes.min(i64::MAX as u64) as i64))?;
                Ok(bytes.min(metadata.len()))
            }),
            false => io::copy(&mut (&mut self.file).take(bytes), &mut io::sink()),
        };
        match skipped.with_context(|| format!("cannot read {}", self.name))? {
            skipped if skipped == bytes => Ok(()),
            skipped => bail!(
                "{} ends at byte {skipped}, before byte {bytes}, where the run that is resumed had \
                 come to; is it the same input?",
                self.name
            ),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a failed read means for the command.
    pub fn failed(&mut self, error: io::Error) -> anyhow::Error {
        match self.tee_failed.take() {
            Some(error) => stdout_failed(error),
            None if error.kind() == io::ErrorKind::IsADirectory => {
                anyhow::anyhow!("cannot read {}: it is a directory", self.name)
            }
            None => anyhow::Error::from(error).context(format!("cannot read {}", self.name)),
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.position += count as u64;
        if let Some(stdout) = &mut self.tee {
            match stdout.write_all(&buffer[..count]) {
                Ok(()) => {}
                // Who read the copy has seen enough; the records are still to be sent.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.tee = None,
                // What was read is lost to whoever tries again: no error here may ask for that.
                Err(error) => {
                    self.tee_failed = Some(error);
                    return Err(io::ErrorKind::Other.into());
                }
            }
        }
        Ok(count)
    }
}
