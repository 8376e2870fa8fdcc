//! One segment's file: how it grows, how it is checked, how its batches are read.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::manifest::Segment;
use super::sums::{BLOCK_BYTES, Sums};
use super::trouble::Trouble;
use crate::log::regular;
use crate::record::{BatchError, BatchView, HEADER_BYTES, Offset};

/// A segment that is being written.
pub struct Growing {
    path: PathBuf,
    file: File,
    segment: Segment,
}

impl Growing {
    /// A new one; what an earlier backup left without an end is written over.
    pub fn create(path: PathBuf, base: Offset) -> Result<Growing, Trouble> {
        let mut options = OpenOptions::new();
        let opened = regular(options.write(true).create(true).truncate(true), &path);
        let file = opened.map_err(|error| disk("write", &path, error))?;
        Ok(Growing { path, file, segment: Segment { base, bytes: 0, sums: Sums::default() } })
    }

    /// One that is there and grows on; what follows its end in the file comes from a backup that
    /// came to no end.
    pub fn go_on(path: PathBuf, segment: Segment) -> Result<Growing, Trouble> {
        let failed = |error| disk("write", &path, error);
        let mut file = match regular(OpenOptions::new().read(true).write(true), &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Trouble::Missing { path });
            }
            opened => opened.map_err(failed)?,
        };
        let at = file.metadata().map_err(failed)?.len();
        if at < segment.bytes {
            return Err(Trouble::Cut { path, at, bytes: segment.bytes });
        }
        check_last_block(&path, &mut file, &segment)?;
        file.set_len(segment.bytes).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Growing { path, file, segment })
    }

    pub fn bytes(&self) -> u64 {
        self.segment.bytes
    }

    /// Whole batches, one behind the other.
    pub fn write(&mut self, batches: &[u8]) -> Result<(), Trouble> {
        self.file.write_all(batches).map_err(|error| disk("write", &self.path, error))?;
        self.segment.sums.add(self.segment.bytes, batches);
        self.segment.bytes += batches.len() as u64;
        Ok(())
    }

    /// Makes it durable; its name is, once its directory was synced.
    pub fn finish(self) -> Result<Segment, Trouble> {
        self.file.sync_data().map_err(|error| disk("sync", &self.path, error))?;
        Ok(self.segment)
    }
}

/// The checksum of a block that grows must not come to cover damage.
fn check_last_block(path: &Path, file: &mut File, segment: &Segment) -> Result<(), Trouble> {
    let bytes = (segment.bytes % BLOCK_BYTES as u64) as usize;
    let from = segment.bytes - bytes as u64;
    let failed = |error| disk("read", path, error);
    let mut block = vec![0; bytes];
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    file.read_exact(&mut block).map_err(failed)?;
    let number = (from / BLOCK_BYTES as u64) as usize;
    match bytes == 0 || segment.sums.get(number) == Some(crc32c::crc32c(&block)) {
        true => Ok(()),
        false => Err(Trouble::Damaged { path: path.to_owned(), from, until: segment.bytes }),
    }
}

fn disk(doing: &'static str, path: &Path, error: io::Error) -> Trouble {
    Trouble::Disk { doing, path: path.to_owned(), error }
}

/// Opens a regular file to read it. A link is not followed, as in a data directory: what is kept
/// is a file here.
pub(super) fn to_read(path: &Path) -> io::Result<File> {
    regular(OpenOptions::new().read(true), path)
}

fn open(path: &Path) -> Result<File, Trouble> {
    match to_read(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Trouble::Missing { path: path.to_owned() })
        }
        Err(error) => Err(disk("read", path, error)),
    }
}

/// Compares every byte of a segment with its checksums; `each` hears of bytes that are good, and
/// says whether to go on.
pub fn verify(
    path: &Path,
    segment: &Segment,
    mut each: impl FnMut(u64) -> bool,
) -> Result<(), Trouble> {
    let mut file = open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    let (mut at, mut number) = (0, 0);
    while at < segment.bytes {
        let wanted = (segment.bytes - at).min(BLOCK_BYTES as u64) as usize;
        let got = fill(&mut file, &mut block[..wanted]).map_err(|e| disk("read", path, e))?;
        if got < wanted {
            let (path, at) = (path.to_owned(), at + got as u64);
            return Err(Trouble::Cut { path, at, bytes: segment.bytes });
        }
        let until = at + got as u64;
        if segment.sums.get(number) != Some(crc32c::crc32c(&block[..got])) {
            return Err(Trouble::Damaged { path: path.to_owned(), from: at, until });
        }
        if !each(got as u64) {
            break;
        }
        (at, number) = (until, number + 1);
    }
    Ok(())
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// The batches of a segment, one after the other.
pub struct Batches {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
    bytes: u64,
    batch: Vec<u8>,
}

impl Batches {
    pub fn open(path: PathBuf, segment: &Segment) -> Result<Batches, Trouble> {
        let file = BufReader::with_capacity(BLOCK_BYTES, open(&path)?);
        Ok(Batches { path, file, at: 0, bytes: segment.bytes, batch: Vec::new() })
    }

    /// The next one; its checksum is that of its bytes.
    pub fn next(&mut self) -> Result<Option<BatchView<'_>>, Trouble> {
        if self.at == self.bytes {
            return Ok(None);
        }
        let at = self.at;
        let wrong = |path: &Path, error| Trouble::Batch { path: path.to_owned(), at, error };
        self.batch.clear();
        self.take(HEADER_BYTES)?;
        let size = match BatchView::parse_header(&self.batch) {
            Ok(header) => header.size(),
            Err(error) => return Err(wrong(&self.path, error)),
        };
        self.take(size)?;
        let batch =
            BatchView::parse(&self.batch).and_then(|batch| batch.check_crc().map(|()| batch));
        let batch = batch.map_err(|error| wrong(&self.path, error))?;
        self.at += size as u64;
        Ok(Some(batch))
    }

    /// Has the first `size` bytes of the batch there.
    fn take(&mut self, size: usize) -> Result<(), Trouble> {
        if self.bytes - self.at < size as u64 {
            let (path, error) = (self.path.clone(), BatchError::Short);
            return Err(Trouble::Batch { path, at: self.at, error });
        }
        let had = self.batch.len();
        self.batch.resize(size, 0);
        let got = fill(&mut self.file, &mut self.batch[had..]);
        let got = had + got.map_err(|error| disk("read", &self.path, error))?;
        match got < size {
            true => {
                let at = self.at + got as u64;
                Err(Trouble::Cut { path: self.path.clone(), at, bytes: self.bytes })
            }
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::record::{BatchBuilder, Record, Timestamp};

    /// A directory of this test's own, which goes with it.
    struct Own(PathBuf);

    impl Own {
        fn new(name: &str) -> Own {
            let dir = std::env::temp_dir().join(format!("kaw-{name}-{}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Own(dir)
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn batch(base: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new().base_offset(Offset(base));
        builder.push(Timestamp(1), &Record { value: Some(b"v"), ..Record::default() });
        builder.build()
    }

    /// What compaction leaves where the last record of a producer has gone.
    fn empty_batch(base: i64) -> Vec<u8> {
        let mut bytes = batch(base)[..HEADER_BYTES].to_vec();
        bytes[8..12].copy_from_slice(&49i32.to_be_bytes());
        bytes[57..61].fill(0);
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn offsets(path: &Path, segment: &Segment) -> Result<Vec<i64>, Trouble> {
        let mut batches = Batches::open(path.to_owned(), segment)?;
        let mut offsets = Vec::new();
        while let Some(batch) = batches.next()? {
            offsets.push(batch.base_offset().get());
        }
        Ok(offsets)
    }

    #[test]
    fn a_file_grows_from_where_its_backup_ended() {
        let own = Own::new("grows");
        let path = own.0.join("a.log");
        let mut growing = Growing::create(path.clone(), Offset(3)).unwrap();
        growing.write(&[batch(3), empty_batch(4), batch(5)].concat()).unwrap();
        let first = growing.finish().unwrap();
        assert_eq!(offsets(&path, &first).unwrap(), [3, 4, 5]);
        // The next one comes to no end, and the one after it knows nothing of that.
        let mut growing = Growing::go_on(path.clone(), first.clone()).unwrap();
        growing.write(&batch(6)[..20]).unwrap();
        drop(growing);
        verify(&path, &first, |_| true).unwrap();
        assert_eq!(offsets(&path, &first).unwrap(), [3, 4, 5]);
        let mut growing = Growing::go_on(path.clone(), first.clone()).unwrap();
        growing.write(&batch(6)).unwrap();
        let second = growing.finish().unwrap();
        verify(&path, &second, |_| true).unwrap();
        verify(&path, &first, |_| true).unwrap();
        assert_eq!(offsets(&path, &second).unwrap(), [3, 4, 5, 6]);
    }

    #[test]
    fn every_bit_and_every_byte_counts() {
        let own = Own::new("damage");
        let path = own.0.join("a.log");
        let mut growing = Growing::create(path.clone(), Offset(0)).unwrap();
        growing.write(&[batch(0), batch(1)].concat()).unwrap();
        let segment = growing.finish().unwrap();
        let good = fs::read(&path).unwrap();
        let said = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            verify(&path, &segment, |_| true).map_err(|error| error.to_string())
        };
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = said(&bytes).unwrap_err();
            assert!(error.contains("a.log is damaged between byte 0 and"), "bit {bit}: {error}");
        }
        for cut in 0..good.len() {
            let error = said(&good[..cut]).unwrap_err();
            assert!(error.contains(&format!("a.log is cut off at byte {cut} of")), "{error}");
        }
        assert_eq!(said(&good), Ok(()));
        assert_eq!(said(&[&good[..], b"more"].concat()), Ok(()));
        fs::remove_file(&path).unwrap();
        let missing = verify(&path, &segment, |_| true).unwrap_err();
        assert!(matches!(missing, Trouble::Missing { .. }));
    }
}
