//! Bytes from a socket to frames, without a copy of large ones.
//! Never knows: what is in a frame.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};

use super::super::connection::FRAME_BYTES_MAX;

/// What a read asks for where no frame is known to be longer.
const READ_BYTES: usize = 64 * 1024;

#[derive(Default)]
pub struct Inbox {
    /// As much as was ever needed, all of it used again for the frames that follow.
    buffer: BytesMut,
    filled: usize,
}

/// Why there are no more frames.
pub enum Trouble<E> {
    /// No frame begins like this.
    Length([u8; 4]),
    /// Who took a frame did not like it.
    Frame(E),
}

impl Inbox {
    /// Reads once. Of a large frame nothing more than its end is read: what follows it would have
    /// to be moved to the front.
    pub fn read_from(&mut self, from: &mut impl Read) -> io::Result<()> {
        let end = self.filled_max();
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        match from.read(&mut self.buffer[self.filled..end])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }

    fn filled_max(&self) -> usize {
        match announced(&self.buffer[..self.filled]) {
            Some(Ok(size)) => (4 + size).max(READ_BYTES),
            _ => READ_BYTES,
        }
    }

    /// Hands out all frames that are whole, without their lengths. One that is kept costs a copy
    /// of what lies beside it.
    pub fn take_frames<E>(
        &mut self,
        mut take: impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), Trouble<E>> {
        let whole = std::mem::take(&mut self.buffer).freeze();
        let mut at = 0;
        let taken = loop {
            match announced(&whole[at..self.filled]) {
                Some(Ok(size)) if 4 + size <= self.filled - at => {
                    if let Err(error) = take(whole.slice(at + 4..at + 4 + size)) {
                        break Err(Trouble::Frame(error));
                    }
                    at += 4 + size;
                }
                Some(Err(start)) => break Err(Trouble::Length(start)),
                _ => break Ok(()),
            }
        };
        self.buffer = whole.try_into_mut().unwrap_or_else(|kept| BytesMut::from(&kept[..]));
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        taken
    }
}

/// The length of the frame at the front, once it is there; an error where none has such.
fn announced(bytes: &[u8]) -> Option<Result<usize, [u8; 4]>> {
    let start = *bytes.first_chunk::<4>()?;
    let size = u32::from_be_bytes(start) as usize;
    Some(if size <= FRAME_BYTES_MAX { Ok(size) } else { Err(start) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes a call.
    struct Trickle<'a>(usize, &'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let given = to.len().min(self.0).min(self.1.len());
            to[..given].copy_from_slice(&self.1[..given]);
            self.1 = &self.1[given..];
            Ok(given)
        }
    }

    fn frames(sizes: &[usize]) -> Vec<Vec<u8>> {
        sizes.iter().enumerate().map(|(n, &size)| vec![n as u8; size]).collect()
    }

    #[test]
    fn frames_come_whole_however_their_bytes_do() {
        let all = frames(&[0, 5, READ_BYTES, 1, 3 * READ_BYTES, 0, 100]);
        let bytes: Vec<u8> = all
            .iter()
            .flat_map(|frame| [&(frame.len() as u32).to_be_bytes()[..], frame].concat())
            .collect();
        for at_once in [1, 3, 70_000, 1 << 20] {
            let (mut inbox, mut from) = (Inbox::default(), Trickle(at_once, &bytes));
            let (mut got, mut kept) = (Vec::new(), Vec::new());
            while inbox.read_from(&mut from).is_ok() {
                let taken = inbox.take_frames(|frame| {
                    got.push(frame.to_vec());
                    kept.push(frame);
                    Ok::<_, ()>(())
                });
                assert!(taken.is_ok());
            }
            assert!(got == all && kept == all, "{at_once} at once");
        }
    }

    #[test]
    fn a_buffer_is_used_again() {
        let bytes = [&5_u32.to_be_bytes()[..], b"12345"].concat().repeat(100);
        let (mut inbox, mut from) = (Inbox::default(), Trickle(7, &bytes));
        inbox.read_from(&mut from).unwrap();
        let used = allocation_counter::measure(|| {
            while inbox.read_from(&mut from).is_ok() {
                assert!(inbox.take_frames(|_| Ok::<_, ()>(())).is_ok());
            }
        });
        assert!(used.bytes_total < READ_BYTES as u64, "{used:?}");
    }

    #[test]
    fn an_impossible_length_ends_it() {
        let (mut inbox, mut from) = (Inbox::default(), Trickle(9, b"HTTP/1.1 400"));
        inbox.read_from(&mut from).unwrap();
        let taken = inbox.take_frames(|_| Ok::<_, ()>(()));
        assert!(matches!(taken, Err(Trouble::Length(start)) if &start == b"HTTP"));
    }
}
