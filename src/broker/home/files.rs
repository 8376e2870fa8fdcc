//! Small files that are replaced as a whole, and Java's properties format.
//! Never knows: what they say.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Error;
use crate::log::regular;

/// None of these files has reason to be longer.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Replaces a file in one step, readable by its owner alone.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    put(path, text, false).map_err(|error| Error::io("write", path, error))
}

/// The same, and on the disk when it returns.
pub fn replace_durably(path: &Path, text: &str) -> Result<(), Error> {
    put(path, text, true).map_err(|error| Error::io("write", path, error))
}

fn put(path: &Path, text: &str, durable: bool) -> io::Result<()> {
    let draft = path.with_extension("tmp");
    // A draft left by a killed process may have other rights.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    if durable {
        file.sync_all()?;
    }
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(dir) if durable => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

/// Removes a file that may not be there.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// The text of a file that may not be there.
pub fn read(path: &Path) -> Result<Option<String>, Error> {
    let mut text = String::new();
    let opened = regular(OpenOptions::new().read(true), path);
    let read = opened.and_then(|file| file.take(TEXT_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 == TEXT_BYTES_MAX => {
            Err(Error::damaged(path, "it is too long for what it is"))
        }
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// What the files of a directory take of the disk: Apache Kafka's indexes are 10 MiB long, of which
/// next to nothing is written. Those that vanish meanwhile take nothing.
pub fn bytes_on_disk(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_on_disk(&entry.path()),
        // POSIX counts st_blocks in units of 512 bytes on every system that we build for.
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Keys and values of a properties file in their order; the error names the line that is neither
/// a pair nor a comment.
pub fn properties(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            return Err(format!("line {} is not KEY=VALUE", number + 1));
        };
        pairs.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(pairs)
}
