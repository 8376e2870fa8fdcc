//! The two indexes of a segment against its batches, as the batches pass by.

use std::io;
use std::path::{Path, PathBuf};

use crate::log::inspect::{Entries, Findings, IndexEntry, TimedEntry};
use crate::log::{DiskFile, RealFile};
use crate::record::{BatchView, Offset, Timestamp};

/// An index file, read along with the log.
pub(super) struct Cursor<'f, T, const N: usize> {
    path: PathBuf,
    entries: Entries<'f, N>,
    parse: fn(Offset, &[u8; N]) -> T,
    base: Offset,
    /// The entry that is due, and the byte at which it begins.
    due: Option<(u64, T)>,
    pub last: Option<T>,
    /// From here on there are zeros: room that Apache Kafka took in advance.
    zeros: Option<u64>,
}

pub(super) type OffsetCursor<'f> = Cursor<'f, IndexEntry, { IndexEntry::BYTES }>;
pub(super) type TimeCursor<'f> = Cursor<'f, TimedEntry, { TimedEntry::BYTES }>;

impl<'f, T: Copy, const N: usize> Cursor<'f, T, N> {
    fn new(
        path: &Path,
        file: &'f RealFile,
        base: Offset,
        parse: fn(Offset, &[u8; N]) -> T,
        findings: &mut Findings,
    ) -> io::Result<Self> {
        let entries = Entries::new(file)?;
        let odd = entries.odd_bytes();
        if odd > 0 {
            let what = format!("its last {odd} bytes are no whole entry");
            findings.damage_at(path, file.len()?.saturating_sub(odd), what);
        }
        let path = path.to_owned();
        let mut cursor = Cursor { path, entries, parse, base, due: None, last: None, zeros: None };
        cursor.step()?;
        Ok(cursor)
    }

    /// The next entry is due. Behind the first one, an entry of zeros is none, for dump-log too.
    fn step(&mut self) -> io::Result<()> {
        self.last = self.due.map(|(_, entry)| entry);
        self.due = None;
        let Some((byte, bytes)) = self.entries.next()? else { return Ok(()) };
        let is_room = bytes == [0; N] && (byte > 0 || self.entries.is_all_zero()?);
        match is_room {
            true => self.zeros = Some(byte),
            false => self.due = Some((byte, (self.parse)(self.base, &bytes))),
        }
        Ok(())
    }

    /// What is left when the log has ended.
    pub fn finish(
        mut self,
        growing: bool,
        findings: &mut Findings,
        what: impl Fn(&T) -> String,
    ) -> io::Result<()> {
        if growing {
            return Ok(());
        }
        if let Some((byte, entry)) = self.due {
            let mut others = 0;
            self.step()?;
            while self.due.is_some() {
                others += 1;
                self.step()?;
            }
            let others = match others {
                0 => String::new(),
                1 => ", and so is 1 entry more".to_owned(),
                some => format!(", and so are {some} entries more"),
            };
            findings.damage_at(&self.path, byte, what(&entry) + &others);
        }
        let Some(zeros) = self.zeros else { return Ok(()) };
        match self.entries.next()?.is_none() || self.entries.is_all_zero()? {
            true => findings.note_at(&self.path, zeros, "zeros from here on: room for more"),
            false => findings.damage_at(&self.path, zeros, "zeros, and entries behind them"),
        }
        Ok(())
    }
}

impl<'f> OffsetCursor<'f> {
    pub fn offsets(
        path: &Path,
        file: &'f RealFile,
        base: Offset,
        findings: &mut Findings,
    ) -> io::Result<Self> {
        Cursor::new(path, file, base, IndexEntry::parse, findings)
    }

    /// A batch lies at `position`.
    pub fn pass(
        &mut self,
        position: u32,
        batch: &BatchView<'_>,
        findings: &mut Findings,
    ) -> io::Result<()> {
        while let Some((byte, entry)) = self.due.filter(|(_, entry)| entry.position <= position) {
            let rises = self
                .last
                .is_none_or(|last| last.offset < entry.offset && last.position < entry.position);
            let what = match (rises, entry.position == position) {
                (false, _) => Some("entries do not rise".to_owned()),
                (true, false) => Some(format!("no batch begins at byte {}", entry.position)),
                (true, true) if entry.offset != batch.last_offset() => Some(format!(
                    "the batch at byte {position} ends with offset {}, not {}",
                    batch.last_offset(),
                    entry.offset
                )),
                (true, true) => None,
            };
            if let Some(what) = what {
                findings.damage_of(&self.path, byte, entry.offset, what);
            }
            self.step()?;
        }
        Ok(())
    }
}

impl<'f> TimeCursor<'f> {
    pub fn times(
        path: &Path,
        file: &'f RealFile,
        base: Offset,
        findings: &mut Findings,
    ) -> io::Result<Self> {
        Cursor::new(path, file, base, TimedEntry::parse, findings)
    }

    /// A batch with `time` as its largest, behind others whose largest is `largest`.
    pub fn pass(
        &mut self,
        batch: &BatchView<'_>,
        time: Timestamp,
        largest: Timestamp,
        findings: &mut Findings,
    ) -> io::Result<()> {
        let last_offset = batch.last_offset();
        while let Some((byte, entry)) = self.due.filter(|(_, entry)| entry.offset <= last_offset) {
            let rises = self
                .last
                .is_none_or(|last| last.timestamp < entry.timestamp && last.offset < entry.offset);
            let what = if !rises {
                Some("entries do not rise".to_owned())
            } else if entry.offset != last_offset {
                Some("no batch ends with this offset".to_owned())
            } else if entry.timestamp != time {
                Some(format!("its batch has timestamp {time}, not {}", entry.timestamp))
            } else if entry.timestamp <= largest {
                Some(format!("a record before it has timestamp {largest} already"))
            } else {
                None
            };
            if let Some(what) = what {
                findings.damage_of(&self.path, byte, entry.offset, what);
            }
            self.step()?;
        }
        Ok(())
    }

    /// The segment has ended, and will not grow: its largest time must be there.
    pub fn check_last(&self, largest: Timestamp, findings: &mut Findings) {
        let last = self.last.or(self.due.map(|(_, entry)| entry)).map(|entry| entry.timestamp);
        if last.unwrap_or(Timestamp(-1)) < largest && self.due.is_none() {
            let what = format!("the segment's largest timestamp {largest} is not in it");
            findings.damage(&self.path, what);
        }
    }
}
