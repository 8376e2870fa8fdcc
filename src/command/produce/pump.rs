//! Input to records, with room for so much under way and no more.

use std::io::{self, IsTerminal};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::super::Exit;
use super::super::progress::Done;
use super::super::stdio::say;
use super::files::Mark;
use super::line::{Line, TICK};
use super::shape::{Origin, Shape};
use super::source::{Input, Source};
use super::tally::Failure;
use crate::input::{Flaw, LeftOut, Splitter};

/// Input that is kept until it is delivered. Beyond it, reading waits.
const HELD_BYTES_MAX: usize = 32 << 20;

/// Input that does not come for so long has paused.
const PAUSE: Duration = Duration::from_millis(1);

/// Whether an input could be read to its end; where it could not, the line still goes on.
type AllRead = anyhow::Result<()>;

/// Pumps input into a line.
pub struct Pump<'a> {
    pub shape: Shape,
    pub tee: bool,
    pub quiet: bool,
    pub line: Line<'a>,
    pub bytes_read: u64,
    /// Where an earlier run has come to.
    pub start: Mark,
}

impl Pump<'_> {
    /// Sends all of it, says what became of it, and how the command ends.
    pub fn run(mut self, sources: &[Source]) -> anyhow::Result<Exit> {
        // What was read is delivered, also where an input failed.
        let result = self.send_all(sources).and_then(|read| self.line.drain().and(read));
        let all_well = result.is_ok() && self.line.interrupt.exit().is_none();
        let ended = self.line.end_transactions(all_well);
        if result.is_err() {
            self.line.tally.give_up();
        }
        let closed = self.line.close_trail("given up");
        let Line { tally, progress, interrupt, .. } = self.line;
        drop(progress);
        tally.close(!self.quiet);
        result.and(closed)?;
        match (ended, interrupt.exit()) {
            (Err(error), Some(_)) => say(&format!("kaw: {error}")),
            (ended, _) => ended?,
        }
        Ok(match interrupt.exit() {
            Some(exit) => exit,
            None if tally.all_delivered() => Exit::Done,
            None => Exit::Refused,
        })
    }

    fn send_all(&mut self, sources: &[Source]) -> anyhow::Result<AllRead> {
        for (index, source) in sources.iter().enumerate().skip(self.start.input) {
            let from = if index == self.start.input { self.start.byte } else { 0 };
            if matches!(source, Source::Stdin) && io::stdin().is_terminal() && !self.quiet {
                say("kaw: one record a line; Ctrl-D ends the input");
            }
            let read = match Input::open(source, self.tee) {
                Ok(mut input) => match input.skip(from) {
                    Ok(()) => self.send_input(&mut input, index, from)?,
                    failed => failed,
                },
                failed => failed.map(drop),
            };
            if read.is_err() {
                return Ok(read);
            }
        }
        Ok(Ok(()))
    }

    /// Sends the records of an input, from this byte on.
    fn send_input(
        &mut self,
        input: &mut Input,
        index: usize,
        from: u64,
    ) -> anyhow::Result<AllRead> {
        let record_bytes_max = self.line.producer.record_bytes_max();
        let mut splitter = self.shape.splitter(record_bytes_max);
        while self.wait_for(input)? {
            let read = match splitter.read(input) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(input.failed(error))),
            };
            let mut at = from + read.at;
            if let Some(block) = read.block {
                let origin = Origin { input: input.name(), at };
                at += block.len() as u64;
                if !self.send_block(&splitter, block, origin, index)? {
                    break;
                }
            }
            match read.left_out {
                Some(LeftOut::TooLarge) => self.line.fail_too_large(self.mark(index, at)),
                Some(LeftOut::Broken { at, why }) => {
                    let at = from + at;
                    let origin = Some(Origin { input: input.name(), at });
                    let reason = &format!("{why}; the rest of it is not read");
                    self.line.fail_left_out(self.mark(index, at), &Failure { reason, origin });
                }
                None => {}
            }
            if read.is_end {
                self.line.read_to(match self.shape.is_whole() {
                    true => self.mark(index + 1, 0),
                    // It may have grown when a later run goes on with it.
                    false => self.mark(index, input.position),
                });
                break;
            }
        }
        Ok(Ok(()))
    }

    /// A place in the input, after the records that were read so far.
    fn mark(&self, input: usize, byte: u64) -> Mark {
        Mark { input, byte, records: self.line.tally.last_number() }
    }

    /// Waits until there is input, and room for it. `false` when no more is to be read.
    fn wait_for(&mut self, input: &Input) -> anyhow::Result<bool> {
        loop {
            self.line.take_reports(Duration::ZERO)?;
            self.line
                .progress
                .show(Done { records: self.line.tally.finished(), bytes: self.bytes_read });
            if self.line.interrupt.exit().is_some() {
                return Ok(false);
            }
            if HELD_BYTES_MAX < self.line.producer.held_bytes() || self.line.is_behind() {
                self.line.wait_for_room()?;
                continue;
            }
            if input.is_regular || self.poll(input, PAUSE)? {
                return Ok(true);
            }
            // What came so far should not wait for more.
            self.line.producer.flush();
            if self.poll(input, TICK)? {
                self.line.producer.fill();
                return Ok(true);
            }
        }
    }

    /// Whether there is input, after a wait in which nothing else happened either.
    fn poll(&self, input: &Input, wait: Duration) -> anyhow::Result<bool> {
        let wake = self.line.interrupt.wake();
        let mut fds = [PollFd::new(input, PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(anyhow::Error::from(error).context("cannot wait for input")),
        }
        let (has_input, is_woken) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        if is_woken {
            wake.clear();
        }
        Ok(has_input)
    }

    /// `false` when a signal came before there was room.
    fn send_block(
        &mut self,
        splitter: &Splitter,
        block: Bytes,
        origin: Origin<'_>,
        index: usize,
    ) -> anyhow::Result<bool> {
        self.bytes_read += block.len() as u64;
        let hold = self.line.producer.hold(block.clone());
        let mut took_all = true;
        for bytes in splitter.records(&block) {
            let before = bytes.as_ptr().addr() - block.as_ptr().addr();
            let origin = Origin { at: origin.at + before as u64, ..origin };
            let mark = self.mark(index, origin.at);
            let (shape, line) = (&self.shape, &mut self.line);
            let number = line.tally.read_one();
            line.note(number, mark, &block, bytes);
            let is_sent = match shape.read(bytes, |outgoing| line.send(hold, number, outgoing)) {
                Ok(is_sent) => is_sent?,
                Err(Flaw { at, why }) => {
                    let origin = Origin { at: origin.at + at as u64, ..origin };
                    line.fail(number, &Failure { reason: &why, origin: Some(origin) });
                    true
                }
            };
            if !is_sent {
                line.unread();
                took_all = false;
                break;
            }
        }
        self.line.submit()?;
        self.line.producer.release(hold);
        if took_all {
            let end = origin.at + block.len() as u64;
            self.line.read_to(self.mark(index, end));
        }
        Ok(took_all)
    }
}
