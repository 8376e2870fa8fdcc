//! stdout and stderr as every command writes to them.
//! Never knows: what is written.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::{Exit, color, interrupt, progress};

/// How a line begins that is no data.
const NAME: &str = "kaw:";

/// stdout without a buffer. A write waits for room, also where another program that shares the
/// pipe or the terminal has made it non-blocking.
#[derive(Debug)]
pub struct Stdout(File);

impl Stdout {
    pub fn open() -> anyhow::Result<Stdout> {
        let own = io::stdout().as_fd().try_clone_to_owned().map_err(stdout_failed)?;
        Ok(Stdout(own.into()))
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // An interrupted wait is a short one.
                    let _ = poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None);
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Who read stdout has gone, as `head` does when it has seen enough: a quiet end, not an error.
#[derive(Debug)]
pub struct ClosedStdout;

impl fmt::Display for ClosedStdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout is closed")
    }
}

impl std::error::Error for ClosedStdout {}

/// What a failed write to stdout means for the command.
pub fn stdout_failed(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ClosedStdout.into(),
        _ => anyhow::Error::from(error).context("cannot write to stdout"),
    }
}

/// Writes a text to stdout, all of it at once.
pub fn print(text: &str) -> anyhow::Result<Exit> {
    Stdout::open()?.write_all(text.as_bytes()).map_err(stdout_failed)?;
    Ok(Exit::Done)
}

/// One line on stderr. Nothing can be done where that is closed.
pub fn tell(news: &str) {
    say(&format!("kaw: {news}"));
}

/// The same of a line that may begin with who speaks.
pub fn say(news: &str) {
    let text = match news.strip_prefix(NAME) {
        Some(rest) if color::on_stderr() => color::red(NAME) + &line(rest),
        _ => line(news),
    };
    progress::above(|| {
        begin_line();
        let _ = io::stderr().write_all(text.as_bytes());
    });
}

/// Leaves the terminal's `^C` behind, so that what follows begins a line.
pub fn begin_line() {
    if interrupt::leave_echo() && io::stderr().is_terminal() {
        let _ = io::stderr().write_all(b"\n");
    }
}

/// How many columns a terminal has, where that is known.
pub fn width(terminal: impl AsFd) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col != 0).then_some(size.ws_col)
}

/// A message as one line: what a user typed or a broker said may hold line ends, and what a
/// terminal takes for orders.
pub fn line(news: &str) -> String {
    let mut line = String::with_capacity(news.len() + 1);
    for letter in news.chars() {
        match letter {
            '\n' | '\r' | '\t' => line.push(' '),
            letter if letter.is_control() => line.extend(letter.escape_default()),
            letter => line.push(letter),
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::thread;

    use super::*;

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let bytes = vec![b'x'; 1 << 20];
        let mut stdout = Stdout(OwnedFd::from(writer).into());
        let read = thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).map(|_| read)
        });
        stdout.write_all(&bytes).unwrap();
        drop(stdout);
        assert!(read.join().unwrap().unwrap() == bytes);
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(line("plain ü"), "plain ü\n");
        assert_eq!(line("'a\nb' is\tno name"), "'a b' is no name\n");
        assert_eq!(line("'\x1b[31m'"), "'\\u{1b}[31m'\n");
    }
}
