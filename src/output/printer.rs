//! Buffers what is printed: one write for many records.

use std::io::{self, Write};

use super::{Fate, View};
use crate::record::Delivered;

/// A write is worth its system call from about here; a pipe takes 64 KiB at once (pipe(7)).
const BUFFER_BYTES: usize = 256 << 10;
/// One giant record must not hold its memory for ever.
const KEEP_BYTES_MAX: usize = 2 << 20;

/// Prints records to `sink`.
pub struct Printer<W> {
    view: View,
    buffer: Vec<u8>,
    sink: W,
    /// How much may wait in the buffer; nothing if unbuffered.
    wait_bytes_max: usize,
    /// Why a write failed. What it was to write is lost, and nothing more is written.
    failed: Option<io::ErrorKind>,
}

impl<W: Write> Printer<W> {
    pub fn buffered(view: View, sink: W) -> Printer<W> {
        let buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4);
        Printer { view, buffer, sink, wait_bytes_max: BUFFER_BYTES, failed: None }
    }

    /// Each record is written as it comes.
    pub fn unbuffered(view: View, sink: W) -> Printer<W> {
        Printer { view, buffer: Vec::new(), sink, wait_bytes_max: 0, failed: None }
    }

    /// Whether headers are printed.
    pub fn needs_headers(&self) -> bool {
        self.view.needs_headers()
    }

    /// Prints one record, now or with those that follow.
    pub fn print(&mut self, delivered: &Delivered<'_>) -> io::Result<Fate> {
        let fate = self.view.print(delivered, &mut self.buffer);
        if self.wait_bytes_max <= self.buffer.len() {
            self.flush()?;
        }
        Ok(fate)
    }

    /// Writes all that waits. After an error it fails again: not all was printed, nor will be.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let written = self.sink.write_all(&self.buffer).and_then(|()| self.sink.flush());
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BYTES_MAX);
        self.failed = written.as_ref().err().map(io::Error::kind);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Null, Template};
    use crate::record::{Offset, PartitionId, Record};

    /// Keeps each write apart.
    #[derive(Default)]
    struct Writes(Vec<usize>);

    impl Write for &mut Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines() -> View {
        let lines = Template::delimited(None, b"\n".to_vec(), Null::Nothing);
        View { filter: None, format: Format::Template(lines) }
    }

    fn delivered(value: &[u8]) -> Delivered<'_> {
        Delivered {
            topic: "t",
            partition: PartitionId(0),
            offset: Offset(0),
            timestamp: None,
            leader_epoch: None,
            watermarks: None,
            record: Record { value: Some(value), ..Record::default() },
        }
    }

    #[test]
    fn records_wait_for_a_full_buffer_or_a_flush() {
        let mut writes = Writes::default();
        let mut printer = Printer::buffered(lines(), &mut writes);
        let value = vec![b'x'; BUFFER_BYTES / 2];
        for _ in 0..3 {
            printer.print(&delivered(&value)).unwrap();
        }
        printer.flush().unwrap();
        printer.flush().unwrap();
        assert_eq!(writes.0, [2 * (value.len() + 1), value.len() + 1]);
    }

    #[test]
    fn unbuffered_records_are_written_as_they_come() {
        let mut writes = Writes::default();
        let mut printer = Printer::unbuffered(lines(), &mut writes);
        for value in ["a", "", "bc"] {
            printer.print(&delivered(value.as_bytes())).unwrap();
        }
        assert_eq!(writes.0, [2, 1, 3]);
    }

    #[test]
    fn a_giant_record_gives_its_memory_back() {
        let mut writes = Writes::default();
        let mut printer = Printer::buffered(lines(), &mut writes);
        printer.print(&delivered(&vec![0; 5 * KEEP_BYTES_MAX])).unwrap();
        assert!(printer.buffer.capacity() <= 2 * KEEP_BYTES_MAX);
    }
}
