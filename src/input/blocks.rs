//! Input cut into blocks of whole records, so that each record can be borrowed from its block.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::pattern::{Edge, Flaw, Pattern, Stop};

const READ_BYTES_MIN: usize = 64 << 10;
const READ_BYTES_MAX: usize = 1 << 20;

/// Cuts input into blocks that end where a record ends.
pub struct Splitter {
    ends: Ends,
    record_bytes_max: usize,
    /// Input that is not yet in a block.
    rest: BytesMut,
    /// How much of the input came before it.
    passed: u64,
    /// So much of `rest` has no end of a record in it.
    searched: usize,
    read_bytes: usize,
    /// Inside of a record that is too large, whose rest is of no use.
    skipping: bool,
}

/// Where a record ends.
enum Ends {
    At(u8),
    After(Vec<u8>),
    /// Only where the input ends.
    Never,
    /// Where a pattern ends. The next record needs so many bytes.
    Matched(Rc<Pattern>, usize),
}

/// What one read of the input brought, in this order.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// Whole records, each with its delimiter, but for the last one of the input.
    pub block: Option<Bytes>,
    /// Where in the input the block begins.
    pub at: u64,
    /// What comes after them, and cannot be a record.
    pub left_out: Option<LeftOut>,
    pub is_end: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum LeftOut {
    TooLarge,
    /// Nothing after it can be read.
    Broken {
        at: u64,
        why: String,
    },
}

impl Splitter {
    /// A record ends with the delimiter.
    pub fn new(delimiter: &[u8], record_bytes_max: usize) -> Splitter {
        assert!(!delimiter.is_empty(), "a delimiter has a byte");
        let ends = match delimiter {
            [byte] => Ends::At(*byte),
            bytes => Ends::After(bytes.to_vec()),
        };
        Splitter::ending(ends, record_bytes_max)
    }

    /// All of the input is one record.
    pub fn whole(record_bytes_max: usize) -> Splitter {
        Splitter::ending(Ends::Never, record_bytes_max)
    }

    /// A record is what matches the pattern.
    pub fn matching(pattern: Rc<Pattern>, record_bytes_max: usize) -> Splitter {
        Splitter::ending(Ends::Matched(pattern, 0), record_bytes_max)
    }

    fn ending(ends: Ends, record_bytes_max: usize) -> Splitter {
        Splitter {
            ends,
            record_bytes_max,
            rest: BytesMut::new(),
            passed: 0,
            searched: 0,
            read_bytes: READ_BYTES_MIN,
            skipping: false,
        }
    }

    /// Reads once, and hands out the records that are whole by then.
    pub fn read(&mut self, input: &mut impl io::Read) -> io::Result<Read> {
        let start = self.rest.len();
        self.rest.resize(start + self.read_bytes, 0);
        let result = input.read(&mut self.rest[start..]);
        let count = *result.as_ref().unwrap_or(&0);
        self.rest.truncate(start + count);
        result?;
        if count == 0 {
            return Ok(self.end());
        }
        if count == self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
        Ok(self.cut())
    }

    fn cut(&mut self) -> Read {
        if matches!(self.ends, Ends::Matched(..)) {
            return self.match_records(Edge::Open);
        }
        if self.skipping {
            self.skip();
        }
        let at = self.passed;
        let block = self.last_end().map(|end| self.take(end));
        if block.is_some() {
            // What is left of a block has been searched with it, but for a delimiter in two parts.
            self.searched = self.rest.len().saturating_sub(self.ends.width() - 1);
        }
        let too_large = !self.skipping && self.record_bytes_max < self.rest.len();
        if too_large {
            self.skipping = true;
            self.skip();
        }
        let left_out = too_large.then_some(LeftOut::TooLarge);
        // What comes after a whole input that is too large is of no use, and may have no end.
        let is_end = too_large && matches!(self.ends, Ends::Never);
        Read { block, at, left_out, is_end }
    }

    /// Hands out the records that match, up to one that cannot.
    fn match_records(&mut self, edge: Edge) -> Read {
        let at = self.passed;
        let (end, flaw) = self.last_match(edge);
        let block = (0 < end).then(|| self.take(end));
        let left_out = flaw.map(|Flaw { at, why }| {
            let at = self.passed + at as u64;
            LeftOut::Broken { at, why }
        });
        let is_end = edge == Edge::Closed || left_out.is_some();
        Read { block, at, left_out, is_end }
    }

    /// Where the last match ends, and what is wrong with the record after it.
    fn last_match(&mut self, edge: Edge) -> (usize, Option<Flaw>) {
        let Ends::Matched(pattern, need) = &mut self.ends else { unreachable!("it has a pattern") };
        let mut end = 0;
        while end < self.rest.len() && (*need <= self.rest.len() - end || edge == Edge::Closed) {
            *need = 0;
            match pattern.length(&self.rest[end..], edge) {
                Ok(length) => end += length,
                Err(Stop::More(bytes)) => *need = bytes,
                Err(Stop::Flaw(flaw)) => return (end, Some(flaw)),
            }
        }
        (end, None)
    }

    /// The first bytes of `rest` as a block. Few of them are copied: a slice would keep a buffer
    /// that is many times its size, as long as the block is kept, where input comes in drops.
    fn take(&mut self, end: usize) -> Bytes {
        self.passed += end as u64;
        if end < self.read_bytes / 2 {
            let block = Bytes::copy_from_slice(&self.rest[..end]);
            self.rest.advance(end);
            return block;
        }
        self.rest.split_to(end).freeze()
    }

    /// Where the last whole record in `rest` ends.
    fn last_end(&mut self) -> Option<usize> {
        if self.skipping {
            return None;
        }
        let unsearched = &self.rest[self.searched..];
        let end = match &self.ends {
            Ends::At(byte) => memrchr(*byte, unsearched).map(|at| at + 1),
            // From the front, as the records will be cut: in `aaa`, `aa` ends one byte early.
            Ends::After(bytes) => {
                memmem::find_iter(unsearched, bytes).last().map(|at| at + bytes.len())
            }
            Ends::Never | Ends::Matched(..) => None,
        };
        let found = end.map(|end| self.searched + end);
        self.searched = self.rest.len().saturating_sub(self.ends.width() - 1);
        found
    }

    /// Drops input up to the end of the record that is too large, as far as it has come.
    fn skip(&mut self) {
        let end = match &self.ends {
            Ends::At(byte) => memchr(*byte, &self.rest).map(|at| at + 1),
            Ends::After(bytes) => memmem::find(&self.rest, bytes).map(|at| at + bytes.len()),
            Ends::Never | Ends::Matched(..) => None,
        };
        self.skipping = end.is_none();
        let kept = self.ends.width() - 1;
        let drop = end.unwrap_or(self.rest.len().saturating_sub(kept));
        self.passed += drop as u64;
        // A buffer of its own: a large one would otherwise live on for its last few bytes.
        self.rest = BytesMut::from(&self.rest[drop..]);
        self.searched = 0;
    }

    fn end(&mut self) -> Read {
        if matches!(self.ends, Ends::Matched(..)) {
            return self.match_records(Edge::Closed);
        }
        let at = self.passed;
        let rest = self.take(self.rest.len());
        self.searched = 0;
        let is_record = !self.skipping && (!rest.is_empty() || matches!(self.ends, Ends::Never));
        self.skipping = false;
        Read { block: is_record.then_some(rest), at, left_out: None, is_end: true }
    }

    /// The records of a block, without their delimiters; those of a pattern have them.
    pub fn records<'b>(&'b self, block: &'b [u8]) -> Box<dyn Iterator<Item = &'b [u8]> + 'b> {
        match &self.ends {
            Ends::Never => Box::new(std::iter::once(block)),
            Ends::Matched(pattern, _) => Box::new(Matches { pattern, rest: block }),
            Ends::At(byte) => {
                Box::new(Records { block, from: 0, ends: memchr_iter(*byte, block), width: 1 })
            }
            Ends::After(bytes) => {
                let ends = memmem::find_iter(block, bytes).collect::<Vec<_>>();
                let width = bytes.len();
                Box::new(Records { block, from: 0, ends: ends.into_iter(), width })
            }
        }
    }
}

impl Ends {
    fn width(&self) -> usize {
        match self {
            Ends::After(bytes) => bytes.len(),
            Ends::At(_) | Ends::Never | Ends::Matched(..) => 1,
        }
    }
}

struct Records<'b, E> {
    block: &'b [u8],
    from: usize,
    ends: E,
    width: usize,
}

impl<'b, E: Iterator<Item = usize>> Iterator for Records<'b, E> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        if let Some(end) = self.ends.next() {
            let record = &self.block[self.from..end];
            self.from = end + self.width;
            return Some(record);
        }
        let last = &self.block[self.from..];
        self.from = self.block.len();
        (!last.is_empty()).then_some(last)
    }
}

struct Matches<'p, 'b> {
    pattern: &'p Pattern,
    rest: &'b [u8],
}

impl<'b> Iterator for Matches<'_, 'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let length = self.pattern.length(self.rest, Edge::Closed).ok()?;
        let record = self.rest.split_off(..length)?;
        (!record.is_empty()).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives at most so many bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl io::Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// The records, `None` for one that is too large.
    fn split(mut splitter: Splitter, input: &[u8], drip: usize) -> Vec<Option<Vec<u8>>> {
        let mut input = Dripping(input, drip);
        let mut found = Vec::new();
        loop {
            let read = splitter.read(&mut input).unwrap();
            for block in read.block.iter() {
                found.extend(splitter.records(block).map(|record| Some(record.to_vec())));
            }
            if read.left_out == Some(LeftOut::TooLarge) {
                found.push(None);
            }
            if read.is_end {
                return found;
            }
        }
    }

    #[track_caller]
    fn check(delimiter: &str, input: &str, want: &[&str]) {
        for drip in [1, 2, 3, 1000] {
            let found = split(Splitter::new(delimiter.as_bytes(), 1000), input.as_bytes(), drip);
            let found: Vec<_> = found.into_iter().flatten().collect();
            let found: Vec<_> = found.iter().map(|r| std::str::from_utf8(r).unwrap()).collect();
            assert_eq!(found, want, "{input:?} in drips of {drip}");
        }
    }

    #[test]
    fn records_end_at_delimiters() {
        check("\n", "", &[]);
        check("\n", "a", &["a"]);
        check("\n", "a\n", &["a"]);
        check("\n", "\n", &[""]);
        check("\n", "a\n\n \n\t\nb", &["a", "", " ", "\t", "b"]);
        check("\0", "a\n\0b\0", &["a\n", "b"]);
        check("--", "a--b-c---d", &["a", "b-c", "-d"]);
        check("aa", "aaaab", &["", "", "b"]);
        check("aa", "aaab", &["", "ab"]);
        check("\r\n", "a\r\nb\n\r\n", &["a", "b\n"]);
    }

    #[test]
    fn the_whole_input_is_one_record_even_when_empty() {
        assert_eq!(split(Splitter::whole(1000), b"a\nb\n", 2), [Some(b"a\nb\n".to_vec())]);
        assert_eq!(split(Splitter::whole(1000), b"", 2), [Some(Vec::new())]);
    }

    #[test]
    fn only_what_is_too_large_is_left_out() {
        for drip in [1, 3, 1000] {
            let found = split(Splitter::new(b"\n", 4), b"ab\n12345678\ncd\n1234567", drip);
            let small: Vec<_> = found.iter().flatten().filter(|r| r.len() <= 4).collect();
            assert_eq!(small, [b"ab", b"cd"], "drips of {drip}");
            assert_eq!(found.len(), 4, "drips of {drip}");
        }
    }

    #[test]
    fn a_few_bytes_do_not_keep_a_large_buffer() {
        let mut splitter = Splitter::new(b"\n", 1000);
        let mut input = Dripping(b"a\nb\nc", 2);
        for want in [b"a\n", b"b\n"] {
            let block = splitter.read(&mut input).unwrap().block.unwrap();
            assert_eq!(block.as_ref(), want);
            assert!(block.is_unique(), "it shares the buffer");
        }
        assert_eq!(splitter.read(&mut input).unwrap().block, None);
        assert!(splitter.read(&mut input).unwrap().block.unwrap().is_unique());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_input_drips(
            input in "[ab]{0,40}",
            delimiter in "[ab]{1,3}",
            drip in 1..10usize,
        ) {
            let splitter = || Splitter::new(delimiter.as_bytes(), 1000);
            let found = |drip| split(splitter(), input.as_bytes(), drip);
            prop_assert_eq!(found(drip), found(1000));
        }

        #[test]
        fn any_bytes_come_out_as_they_went_in(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20),
            delimiter in prop::collection::vec(any::<u8>(), 1..4),
            drip in 1..50usize,
        ) {
            let holds_one = |record: &[u8]| memmem::find(record, &delimiter).is_some();
            // A record that ends with a part of the delimiter moves where it is found.
            prop_assume!(records.iter().all(|record| {
                let ended: Vec<u8> = record.iter().chain(&delimiter).copied().collect();
                !holds_one(&ended[..ended.len() - 1])
            }));
            let mut input = Vec::new();
            for record in &records {
                input.extend_from_slice(record);
                input.extend_from_slice(&delimiter);
            }
            let found = split(Splitter::new(&delimiter, 1000), &input, drip);
            let found: Vec<Vec<u8>> = found.into_iter().flatten().collect();
            prop_assert_eq!(found, records);
        }
    }
}
