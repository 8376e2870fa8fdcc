//! `-P`: lines or files as records.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memchr::memmem;
use rustix::event::{PollFd, PollFlags, poll};

use super::options::{Input, Options};
use super::out::Out;
use super::say::{Ended, Say, fatal};
use super::trouble::{Trouble, named};
use super::{interrupt, no_topic, start, system_says};
use crate::client::Code;
use crate::client::bare::{Full, Hold, Report, Sender, Settings, Transaction};
use crate::command::interrupt::Interrupt;
use crate::input::{LeftOut, Splitter};
use crate::record::{Header, Offset, Outgoing, PartitionId, Record};

/// kcat reads so much at a time, and wants room for it.
const READ_BYTES: u64 = 1024;
/// How long kcat waits for reports at a time: for room, and at the end.
const FOR_ROOM: Duration = Duration::from_millis(5);
const AT_THE_END: Duration = Duration::from_millis(50);
/// How long the rest may take after an error that ends the run.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// librdkafka's number for no offset.
const INVALID: i64 = -1001;

pub fn run(options: &Options, settings: Settings) -> Result<u8, Ended> {
    let interrupt = interrupt()?;
    let in_transaction = settings.get("transactional.id").is_some_and(|id| !id.is_empty());
    if in_transaction {
        options.say.info(1, "Using transactional producer");
    }
    let bytes_max = settings.get("message.max.bytes").unwrap_or_default();
    options.say.info(
        3,
        &format!("Setting producer input buffer max size to message.max.bytes value {bytes_max}"),
    );
    let named = named(&settings);
    let (native, topics) = start(options, settings)?;
    if in_transaction {
        let transaction = Transaction(&native);
        let step = transaction.init(options.patience);
        step.or_else(|why| fatal(format!("init_transactions(): {why}")))?;
        transaction.begin().or_else(|why| fatal(format!("begin_transaction(): {why}")))?;
    }
    let name = &options.topic;
    let topic = topics.open(&native, name).or_else(|code| no_topic(name, code))?;
    let mut producing = Producing {
        options,
        interrupt: &interrupt,
        trouble: Trouble::new(options.say, &native, named),
        sender: Sender::over(native, Arc::new(topic)),
        out: Out::open(false)?,
        sent: 0,
        failed: 0,
        hint: Some("Enable message offset reporting with '-X topic.produce.offset.report=true'"),
        goes_on: true,
        code: 0,
    };
    if let Err(ended) = producing.all(bytes_max.parse().unwrap_or(u64::MAX)) {
        producing.last_moment(&ended);
        return Err(ended);
    }
    if in_transaction {
        producing.end_transaction()?;
    }
    interrupt.forget();
    producing.goes_on = true;
    while producing.goes_on() && 0 < producing.sender.in_flight() {
        producing.submit()?;
        producing.reports(AT_THE_END)?;
    }
    Ok(if 0 < producing.failed { 1 } else { producing.code })
}

/// A producer at work.
struct Producing<'a> {
    options: &'a Options,
    interrupt: &'a Interrupt,
    trouble: Trouble,
    sender: Sender,
    out: Out,
    /// Records that librdkafka took.
    sent: u64,
    failed: u64,
    /// Given with the first record at offset 0.
    hint: Option<&'static str>,
    goes_on: bool,
    code: u8,
}

impl Producing<'_> {
    fn goes_on(&self) -> bool {
        self.goes_on && self.interrupt.exit().is_none()
    }

    /// What librdkafka took before something else failed goes on its way.
    fn last_moment(&mut self, ended: &Ended) {
        let deadline = Instant::now() + LAST_MOMENT;
        while matches!(ended, Ended::Fatal(_))
            && 0 < self.sender.in_flight()
            && Instant::now() < deadline
            && self.submit().and_then(|()| self.reports(AT_THE_END)).is_ok()
        {}
    }

    fn all(&mut self, bytes_max: u64) -> Result<(), Ended> {
        match &self.options.input {
            Input::Files(paths) => self.files(paths),
            Input::Stdin => self.lines(io::stdin().as_fd().try_clone_to_owned(), bytes_max),
            Input::Lines(path) => self.lines(File::open(path).map(Into::into), bytes_max),
        }
    }

    /// Each file is a record; what is empty is none.
    fn files(&mut self, paths: &[String]) -> Result<(), Ended> {
        let mut bad = 0;
        for path in paths {
            let value = match whole(path) {
                Ok(value) => value,
                Err(why) => {
                    self.options.say.info(1, &why);
                    bad += 1;
                    continue;
                }
            };
            if value.is_empty() {
                self.options.say.info(3, &format!("Skipping empty file {path}"));
                continue;
            }
            let news = format!("Producing file {path} ({} bytes)", value.len());
            self.options.say.info(4, &news);
            let block = Bytes::from(value);
            let hold = self.sender.hold(block.clone());
            self.send(hold, self.options.fixed_key.as_deref(), Some(&block))?;
            self.sender.release(hold);
            self.submit()?;
            self.reports(Duration::ZERO)?;
        }
        if bad == paths.len() {
            self.code = 1;
        } else if 0 < bad {
            let news = format!("Failed to produce from {bad}/{} files", paths.len());
            self.options.say.info(1, &news);
        }
        Ok(())
    }

    /// Each piece of the input up to a delimiter is a record; what is empty is none.
    fn lines(&mut self, input: io::Result<std::os::fd::OwnedFd>, max: u64) -> Result<(), Ended> {
        let unreadable = |error: io::Error| {
            Ended::Fatal(format!("Unable to read message: {}", system_says(&error)))
        };
        let mut input = File::from(input.map_err(unreadable)?);
        let limit = Limit::new(max, self.options.delimiter.len())?;
        let mut splitter = Splitter::new(&self.options.delimiter, limit.bytes_max as usize);
        let waker = self.interrupt.wake().writer();
        self.sender.native().wake(waker.map_err(unreadable)?);
        while self.goes_on() {
            if !self.is_ready(&input)? {
                continue;
            }
            let read = splitter.read(&mut input).map_err(unreadable)?;
            if let Some(block) = &read.block {
                let hold = self.sender.hold(block.clone());
                let end = if read.is_end { Some(block.len()) } else { None };
                let mut at = 0;
                for record in splitter.records(block) {
                    limit.check(
                        read.at + at as u64,
                        record.len(),
                        end == Some(at + record.len()),
                    )?;
                    at += record.len() + self.options.delimiter.len();
                    self.line(hold, record)?;
                    if !self.goes_on() {
                        break;
                    }
                }
                self.sender.release(hold);
            }
            if read.left_out == Some(LeftOut::TooLarge) {
                return limit.exceeded();
            }
            if read.is_end {
                break;
            }
        }
        self.submit()
    }

    /// Waits for input, or for something to be heard of librdkafka.
    fn is_ready(&mut self, input: &File) -> Result<bool, Ended> {
        let is_ready = |wake: bool, time| {
            let mut fds = [
                PollFd::new(input, PollFlags::IN),
                PollFd::new(self.interrupt.wake(), PollFlags::IN),
            ];
            let count = if wake { 2 } else { 1 };
            // An interrupted wait is a short one.
            let _ = poll(&mut fds[..count], time);
            !fds[0].revents().is_empty()
        };
        if is_ready(false, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })) {
            return self.reports(Duration::ZERO).map(|()| true);
        }
        self.submit()?;
        self.out.write_while_idle();
        self.interrupt.wake().clear();
        self.reports(Duration::ZERO)?;
        if self.goes_on() { Ok(is_ready(true, None)) } else { Ok(false) }
    }

    /// One line, with its key where it has one.
    fn line(&mut self, hold: Hold, record: &[u8]) -> Result<(), Ended> {
        if record.is_empty() {
            return Ok(());
        }
        let delimiter = self.options.key_delimiter.as_deref().filter(|bytes| !bytes.is_empty());
        let at = delimiter.and_then(|bytes| Some((memmem::find(record, bytes)?, bytes.len())));
        let (mut key, mut value) = match at {
            Some((at, width)) => (Some(&record[..at]), Some(&record[at + width..])),
            None => (None, Some(record)),
        };
        if self.options.empty_is_null && key.is_some() {
            (key, value) = (key.filter(|k| !k.is_empty()), value.filter(|v| !v.is_empty()));
        }
        self.send(hold, key.or(self.options.fixed_key.as_deref()), value)?;
        if self.options.tee {
            // Not before librdkafka has it.
            self.submit()?;
            self.reports(Duration::ZERO)?;
            self.out.bytes.extend_from_slice(record);
            self.out.write_if_full().or_else(|error| {
                let (bytes, why) = (record.len(), system_says(&error));
                fatal(format!("Tee write error for message of {bytes} bytes: {why}"))
            })?;
        }
        if self.options.count == Some(self.sent) {
            self.goes_on = false;
        }
        Ok(())
    }

    fn send(&mut self, hold: Hold, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), Ended> {
        let headers = self.options.headers.iter();
        let headers: Vec<Header<'_>> =
            headers.map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let outgoing = Outgoing {
            record: Record { key, value, headers: &headers },
            partition: self.options.partition.map(PartitionId),
            timestamp: None,
        };
        // What comes back with a record that is refused at once.
        let bytes = value.map_or(0, <[u8]>::len) as u64;
        while let Err(Full) = self.sender.send(hold, bytes, &outgoing) {
            if !self.goes_on() {
                return fatal(format!(
                    "Program terminated while producing message of {bytes} bytes"
                ));
            }
            self.reports(FOR_ROOM)?;
        }
        self.sent += 1;
        Ok(())
    }

    /// Hands over all that was taken.
    fn submit(&mut self) -> Result<(), Ended> {
        while let Err(Full) = self.sender.submit() {
            if !self.goes_on() {
                return fatal("Program terminated while producing messages");
            }
            self.reports(FOR_ROOM)?;
        }
        Ok(())
    }

    /// Takes the reports that are there, and what is said of brokers.
    fn reports(&mut self, wait: Duration) -> Result<(), Ended> {
        let (say, mut result, mut failed) = (self.options.say, Ok(()), 0);
        let hint = &mut self.hint;
        let mut complaints = Vec::new();
        self.sender.hear(
            wait,
            |report| match judged(&report) {
                Ok(None) if 3 <= say.verbosity => delivered(&say, &report, hint),
                Ok(None) => {}
                Ok(Some(code)) => {
                    say.info(1, &format!("Delivery failed for message: {code}"));
                    failed += 1;
                }
                Err(ended) => result = Err(ended),
            },
            |complaint| complaints.push(complaint),
        );
        self.failed += failed;
        result?;
        self.goes_on &= self.trouble.heed(&complaints)?;
        Ok(())
    }

    /// Commits, or gives up what a signal cut short.
    fn end_transaction(&mut self) -> Result<(), Ended> {
        let (say, patience) = (self.options.say, self.options.patience);
        let aborts = self.interrupt.exit().is_some();
        if aborts {
            say.info(0, "Aborting transaction due to termination signal");
            self.interrupt.forget();
            self.sender.purge();
        } else {
            say.info(1, "Committing transaction");
        }
        self.goes_on = true;
        while self.goes_on() && 0 < self.sender.in_flight() {
            self.reports(AT_THE_END)?;
        }
        let transaction = Transaction(self.sender.native());
        if aborts {
            let step = transaction.abort(patience);
            return step.or_else(|why| fatal(format!("abort_transaction(): {why}")));
        }
        let step = transaction.commit(patience);
        step.or_else(|why| fatal(format!("commit_transaction(): {why}")))?;
        say.info(1, "Transaction successfully committed");
        Ok(())
    }
}

/// What became of a record: how it failed; or that librdkafka did not even take it.
fn judged(report: &Report<'_>) -> Result<Option<Code>, Ended> {
    match report.code() {
        Code::NONE => Ok(None),
        code if report.was_sent() => Ok(Some(code)),
        code => fatal(format!("Failed to produce message ({} bytes): {code}", report.token())),
    }
}

fn delivered(say: &Say, report: &Report<'_>, hint: &mut Option<&str>) {
    let Some((partition, offset)) = report.place() else { return };
    let (offset, broker) = (offset.map_or(INVALID, Offset::get), report.broker());
    let news =
        format!("Message delivered to partition {partition} (offset {offset}) on broker {broker}");
    say.info(3, &news);
    if offset == 0 {
        hint.take().into_iter().for_each(|hint| say.info(3, hint));
    }
}

/// All of a file, or what kcat says of one that cannot be had.
fn whole(path: &str) -> Result<Vec<u8>, String> {
    let fails =
        |what: &str, error: &io::Error| format!("Failed to {what} {path}: {}", system_says(error));
    let mut file = File::open(path).map_err(|error| fails("open", &error))?;
    // kcat believes the size, which is none for what is no file.
    let metadata = file.metadata().map_err(|error| fails("stat", &error))?;
    if metadata.is_dir() {
        return Err(format!("Failed to mmap {path}: No such device"));
    }
    let mut value = Vec::new();
    file.by_ref()
        .take(metadata.len())
        .read_to_end(&mut value)
        .map_err(|error| fails("mmap", &error))?;
    Ok(value)
}

/// How much kcat's buffer takes.
struct Limit {
    bytes_max: u64,
    /// More than this without a delimiter is too much, where it has to read again.
    full_bytes: u64,
    delimiter_bytes: u64,
}

impl Limit {
    fn new(message_bytes_max: u64, delimiter_bytes: usize) -> Result<Limit, Ended> {
        let bytes_max = message_bytes_max.saturating_add(delimiter_bytes as u64);
        let full_bytes = bytes_max.saturating_sub(READ_BYTES);
        let limit = Limit { bytes_max, full_bytes, delimiter_bytes: delimiter_bytes as u64 };
        if bytes_max < READ_BYTES { limit.exceeded() } else { Ok(limit) }
    }

    /// A record of the input from `at` on.
    fn check(&self, at: u64, bytes: usize, is_last: bool) -> Result<(), Ended> {
        let bytes = bytes as u64;
        // It reads in equal steps, and wants room before each.
        let step = (at + self.full_bytes).div_ceil(READ_BYTES) * READ_BYTES;
        let needs_step = step < at + bytes + self.delimiter_bytes;
        let too_large = if is_last { self.full_bytes <= bytes } else { needs_step };
        if too_large { self.exceeded() } else { Ok(()) }
    }

    fn exceeded<T>(&self) -> Result<T, Ended> {
        fatal(format!("Input is too large, maximum size is {}", self.bytes_max))
    }
}
