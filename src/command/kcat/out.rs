//! stdout with a buffer that is written when it is full, when nothing comes, and at the end.

use std::io::{self, Write};

use super::say::{Ended, fatal};
use super::system_says;
use crate::command::stdio::Stdout;

const FULL_BYTES: usize = 64 << 10;

pub struct Out {
    stdout: Stdout,
    /// What is to be written; records are appended here.
    pub bytes: Vec<u8>,
    full_bytes: usize,
}

impl Out {
    pub fn open(unbuffered: bool) -> Result<Out, Ended> {
        let stdout = Stdout::open().or_else(|error| fatal(format!("{error:#}")))?;
        let full_bytes = if unbuffered { 0 } else { FULL_BYTES };
        Ok(Out { stdout, bytes: Vec::new(), full_bytes })
    }

    /// Writes if there is enough of it.
    pub fn write_if_full(&mut self) -> io::Result<()> {
        if self.bytes.len() <= self.full_bytes { Ok(()) } else { self.write() }
    }

    /// Writes what there is. Where that fails it stays, for a later write to fail.
    pub fn write_while_idle(&mut self) {
        let _ = self.write();
    }

    fn write(&mut self) -> io::Result<()> {
        if !self.bytes.is_empty() {
            self.stdout.write_all(&self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }
}

/// As at the exit of a program in C: what cannot be written then is nobody's loss.
impl Drop for Out {
    fn drop(&mut self) {
        let _ = self.write();
    }
}

/// Prints all of a text that is the whole of a run's output. That its reader has gone is no error,
/// as in kcat, which does not look; that the disk is full is one.
pub fn print(text: &[u8]) -> Result<(), Ended> {
    let mut out = Out::open(false)?;
    out.bytes.extend_from_slice(text);
    match out.write() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fatal(format!("Output write error: {}", system_says(&error)))
        }
        _ => Ok(()),
    }
}
