//! Bytes on their way to a socket, sent from where they lie.
//! Never knows: what they are.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes};

/// Up to here a copy beside what goes before is cheaper than a part of its own.
const COPY_BYTES: usize = 8 * 1024;
/// A write takes so many parts at once; what is behind them goes with the next.
const PARTS: usize = 16;

#[derive(Default)]
pub struct Outbox {
    parts: VecDeque<Bytes>,
    /// What was copied and is not a part yet.
    copied: Vec<u8>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.copied.is_empty()
    }

    pub fn copy(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    pub fn add(&mut self, bytes: &Bytes) {
        if bytes.len() <= COPY_BYTES {
            return self.copy(bytes);
        }
        self.seal();
        self.parts.push_back(bytes.clone());
    }

    fn seal(&mut self) {
        if !self.copied.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.copied).into());
        }
    }

    /// Writes until all is written, or `to` takes no more.
    pub fn write_to(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.seal();
        while !self.parts.is_empty() {
            let mut slices = [IoSlice::new(&[]); PARTS];
            let filled = slices.iter_mut().zip(&self.parts);
            let count = filled.map(|(slice, part)| *slice = IoSlice::new(part)).count();
            match to.write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                return;
            }
            written -= part.len();
            self.parts.pop_front();
        }
        assert_eq!(written, 0, "no more was written than there was");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes a call.
    struct Narrow(usize, Vec<u8>);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.1.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn parts_leave_in_order_however_little_a_socket_takes() {
        let large = Bytes::from((0..COPY_BYTES + 9).map(|n| n as u8).collect::<Vec<_>>());
        for narrow in [1, 7, COPY_BYTES, 1 << 20] {
            let (mut outbox, mut want) = (Outbox::default(), Vec::new());
            for n in 0..PARTS + 3 {
                let small = Bytes::from(vec![n as u8; 5]);
                outbox.copy(b"head");
                outbox.add(&small);
                outbox.add(&large);
                want.extend([b"head", &small[..], &large].concat());
            }
            let mut to = Narrow(narrow, Vec::new());
            assert!(!outbox.is_empty());
            outbox.write_to(&mut to).unwrap();
            assert!(outbox.is_empty() && to.1 == want, "{narrow} at once");
        }
    }
}
