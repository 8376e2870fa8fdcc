//! The small binary files beside a segment, entry by entry, with the byte at which each begins.

use std::io;

use super::super::aborted;
use super::super::index::{OFFSET_ENTRY_BYTES, OffsetEntry, TIME_ENTRY_BYTES, TimeEntry};
use super::super::producers::{Producers, SNAPSHOT_ENTRY_BYTES};
use super::super::{Aborted, DiskFile, RealFile};
use crate::record::{Offset, ProducerEpoch, ProducerId, Timestamp};

/// How much of an index is read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Entries of a fixed size, one after another.
pub struct Entries<'f, const N: usize> {
    file: &'f RealFile,
    /// The file's length when it was opened.
    bytes: u64,
    chunk: Vec<u8>,
    /// Which byte of the file is the first of the chunk, and the next to be read.
    start: u64,
    next: u64,
}

impl<'f, const N: usize> Entries<'f, N> {
    pub fn new(file: &'f RealFile) -> io::Result<Self> {
        Ok(Entries { file, bytes: file.len()?, chunk: Vec::new(), start: 0, next: 0 })
    }

    /// Bytes behind the last whole entry.
    pub fn odd_bytes(&self) -> u64 {
        self.bytes % N as u64
    }

    /// Whether all that is still to come is zeros, and there is something.
    pub fn is_all_zero(&self) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = self.next;
        while let Some(data) = self.file.next_data(at)?.filter(|&data| data < self.bytes) {
            let read = self.file.read_at(&mut chunk, data)?;
            if read == 0 {
                break;
            }
            if chunk[..read].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            at = data + read as u64;
        }
        Ok(self.next < self.bytes)
    }

    /// The next whole entry, and the byte at which it begins.
    pub fn next(&mut self) -> io::Result<Option<(u64, [u8; N])>> {
        let byte = self.next;
        if self.bytes < byte + N as u64 {
            return Ok(None);
        }
        let skipped = (byte - self.start) as usize;
        let skipped = match self.chunk.len() < skipped + N {
            true => {
                let whole = CHUNK_BYTES / N * N;
                self.chunk.resize(whole.min((self.bytes - byte) as usize), 0);
                let read = self.file.read_at(&mut self.chunk, byte)?;
                self.chunk.truncate(read);
                self.start = byte;
                0
            }
            false => skipped,
        };
        // Cut meanwhile: there is no more.
        let Some(entry) = self.chunk[skipped..].first_chunk::<N>() else { return Ok(None) };
        self.next = byte + N as u64;
        Ok(Some((byte, *entry)))
    }
}

/// An entry of an offset index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub offset: Offset,
    pub position: u32,
}

/// An entry of a time index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedEntry {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

/// What a snapshot says of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producing {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    pub last_timestamp: Timestamp,
    /// The first offset of the transaction it is in.
    pub transaction: Option<Offset>,
    /// The last sequence and offset of its last batch.
    pub last: Option<(i32, Offset)>,
}

impl IndexEntry {
    pub const BYTES: usize = OFFSET_ENTRY_BYTES;

    pub fn parse(base: Offset, bytes: &[u8; Self::BYTES]) -> IndexEntry {
        let entry = OffsetEntry::decode(bytes);
        let offset = Offset(base.get().saturating_add(i64::from(entry.delta)));
        IndexEntry { offset, position: entry.position }
    }
}

impl TimedEntry {
    pub const BYTES: usize = TIME_ENTRY_BYTES;

    pub fn parse(base: Offset, bytes: &[u8; Self::BYTES]) -> TimedEntry {
        let entry = TimeEntry::decode(bytes);
        let offset = Offset(base.get().saturating_add(i64::from(entry.delta)));
        TimedEntry { timestamp: entry.timestamp, offset }
    }
}

impl Aborted {
    pub const BYTES: usize = aborted::ENTRY_BYTES;

    /// `None`: of another version, or no transaction can be so.
    pub fn parse(bytes: &[u8; Self::BYTES]) -> Option<Aborted> {
        aborted::parse_entry(bytes)
    }
}

impl Producing {
    /// What comes before the first of them in a snapshot, and what each takes.
    pub const HEAD_BYTES: u64 = 10;
    pub const BYTES: u64 = SNAPSHOT_ENTRY_BYTES as u64;
}

/// The producers of a snapshot, by their ids; or at which byte it is wrong, and how.
pub fn producers(snapshot: &[u8]) -> Result<Vec<Producing>, (u64, String)> {
    let parsed = Producers::parse_snapshot(snapshot, Timestamp(0));
    let parsed = parsed.ok_or_else(|| why_no_snapshot(snapshot))?;
    let mut all: Vec<Producing> = parsed
        .states()
        .map(|(id, state)| Producing {
            id,
            epoch: state.epoch,
            coordinator_epoch: state.coordinator_epoch,
            last_timestamp: state.last_timestamp,
            transaction: state.transaction,
            last: state.sent.last().map(|sent| (sent.last_sequence, sent.last_offset)),
        })
        .collect();
    all.sort_by_key(|producer| producer.id);
    Ok(all)
}

fn why_no_snapshot(bytes: &[u8]) -> (u64, String) {
    let Some((version, rest)) = bytes.split_first_chunk() else {
        return (0, "the snapshot is cut off".to_owned());
    };
    let version = i16::from_be_bytes(*version);
    if version != 1 {
        return (0, format!("version {version} of snapshots is not known"));
    }
    let Some((stored, body)) = rest.split_first_chunk() else {
        return (2, "the snapshot is cut off".to_owned());
    };
    let (stored, computed) = (u32::from_be_bytes(*stored), crc32c::crc32c(body));
    match stored == computed {
        true => (6, "the count is not that of the producers".to_owned()),
        false => (2, format!("CRC mismatch: {stored:08x} is stored, {computed:08x} computed")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests;
    use super::*;

    #[test]
    fn entries_come_one_by_one_with_their_places() {
        let path = tests::scratch("entries");
        let bytes: Vec<u8> = (0..20_003u32).flat_map(|n| [n as u8; 12]).collect();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let file = RealFile::open_to_read(&path).unwrap();
        let mut entries = Entries::<12>::new(&file).unwrap();
        assert_eq!(entries.odd_bytes(), 7);
        let mut count = 0;
        while let Some((byte, entry)) = entries.next().unwrap() {
            assert_eq!((byte, entry), (count * 12, [count as u8; 12]));
            count += 1;
        }
        assert_eq!(count, 20_002);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_snapshot_is_said() {
        let whole = Producers::default().snapshot();
        assert_eq!(producers(&whole), Ok(Vec::new()));
        for length in 0..whole.len() {
            assert!(producers(&whole[..length]).is_err());
        }
        let newer = [&[0, 2], &whole[2..]].concat();
        assert_eq!(producers(&newer).unwrap_err().1, "version 2 of snapshots is not known");
    }
}
