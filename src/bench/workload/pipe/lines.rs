//! What comes out at the other end, cut into lines, entered and timed.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Opened, line};
use crate::bench::Error;
use crate::bench::measure::{Timeline, Window};
use crate::bench::payload::{Mark, Payloads};
use crate::bench::verify::Ledger;
use crate::record::PartitionId;

const READ_BYTES: usize = 256 << 10;

/// How long a wait may last before the watch is looked at again.
const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// In front of a line, where it says its partition: digits and a blank.
const PARTITION_BYTES_MAX: usize = 11;

pub struct Lines<'a> {
    stdout: ChildStdout,
    payloads: &'a Payloads,
    has_partitions: bool,
    buffer: Vec<u8>,
    /// So much of the buffer is a line that has not ended yet.
    begun: usize,
    ledger: Ledger<'a>,
    count: u64,
    window: Counts,
    timeline: Timeline,
}

/// What has come of the records that are measured.
#[derive(Default)]
struct Counts {
    records: u64,
    bytes: u64,
    last: Option<Instant>,
}

/// What a line is made of.
struct Parts<'l> {
    partition: PartitionId,
    key: Option<&'l [u8]>,
    text: &'l [u8],
}

impl<'a> Lines<'a> {
    pub fn new(stdout: ChildStdout, payloads: &'a Payloads, partitions: u32) -> Lines<'a> {
        Lines {
            stdout,
            payloads,
            has_partitions: 1 < partitions,
            buffer: vec![0; READ_BYTES],
            begun: 0,
            ledger: Ledger::new(payloads, &[0]),
            count: 0,
            window: Counts::default(),
            timeline: Timeline::default(),
        }
    }

    /// How many lines have come, whatever they were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes what is there, waiting for it no longer than a glance.
    pub fn read<'o>(
        &mut self,
        written: impl Fn() -> u64,
        opened: impl Fn() -> Option<&'o Opened>,
    ) -> Result<(), Error> {
        let mut out = [PollFd::from_borrowed_fd(self.stdout.as_fd(), PollFlags::IN)];
        // An interrupted wait is a short one.
        if !matches!(poll(&mut out, Some(&GLANCE)), Ok(1..)) {
            return Ok(());
        }
        if self.buffer.len() - self.begun < READ_BYTES / 2 {
            self.buffer.resize(self.begun + READ_BYTES, 0);
        }
        let read = self.stdout.read(&mut self.buffer[self.begun..]).map_err(Error::System)?;
        if read == 0 {
            return Err(Error::System(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let at = Instant::now();
        // What was written before it came.
        self.ledger.sent_were(&[written()]);
        self.take_lines(self.begun + read, at, opened());
        Ok(())
    }

    /// Enters the whole lines in the first bytes of the buffer, and keeps what is begun.
    fn take_lines(&mut self, filled: usize, at: Instant, opened: Option<&Opened>) {
        let buffer = std::mem::take(&mut self.buffer);
        let (mut rest, before) = (&buffer[..filled], (self.window.records, self.window.bytes));
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.enter(&rest[..end], at, opened);
            rest = &rest[end + 1..];
        }
        let begun = rest.len();
        self.buffer = buffer;
        self.buffer.copy_within(filled - begun..filled, 0);
        self.begun = begun;
        if self.line_bytes_max() < begun {
            // No line of the run's is as long: it is entered as the stranger it is.
            self.enter(&[], at, opened);
            self.begun = 0;
        }
        if let Some(opened) = opened {
            let (records, bytes) = (self.window.records - before.0, self.window.bytes - before.1);
            self.timeline.tick(at.saturating_duration_since(opened.at)).count(records, bytes);
        }
    }

    fn line_bytes_max(&self) -> usize {
        PARTITION_BYTES_MAX + line::HEAD_BYTES + self.payloads.record_bytes_max() + 1
    }

    fn enter(&mut self, line: &[u8], at: Instant, opened: Option<&Opened>) {
        self.count += 1;
        let whole = Parts { partition: PartitionId(0), key: None, text: line };
        let Parts { partition, key, text } = self.cut(line).unwrap_or(whole);
        let mark = self.ledger.enter(partition, key, line::read(text));
        if opened.zip(mark).is_some_and(|(opened, mark)| opened.first <= mark.sequence) {
            self.window.records += 1;
            self.window.bytes += (key.map_or(0, <[u8]>::len) + text.len()) as u64;
            self.window.last = Some(at);
        }
    }

    fn cut<'l>(&self, line: &'l [u8]) -> Option<Parts<'l>> {
        let (partition, rest) = match self.has_partitions {
            true => {
                let (digits, rest) = split_at_byte(line, b' ')?;
                (std::str::from_utf8(digits).ok()?.parse().ok()?, rest)
            }
            false => (0, line),
        };
        let is_keyed = self.payloads.key(Mark { producer: 0, sequence: 0 }).is_some();
        let (key, text) = match is_keyed {
            true => split_at_byte(rest, b'\t').map(|(key, text)| (Some(key), text))?,
            false => (None, rest),
        };
        Some(Parts { partition: PartitionId(partition), key, text })
    }

    pub fn window(&self, opened: &Opened) -> Window {
        let Counts { records, bytes, last } = self.window;
        Window { records, bytes, time: last.map_or(Duration::ZERO, |last| last - opened.at) }
    }

    pub fn close(self) -> (Timeline, Ledger<'a>) {
        (self.timeline, self.ledger)
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}
