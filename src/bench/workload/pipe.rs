//! `kaw produce | kaw consume`, both as processes of their own: lines into the one, lines out of
//! the other, and what that costs them.
//! Never knows: where the brokers are; the words that it is given do.

pub mod line;
mod lines;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::seen::Seen;
use super::{Stage, Watch};
use crate::bench::measure::{Meter, Timeline, Used, Window};
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Extent, Load};
use crate::bench::process::Process;
use crate::bench::verify::Ledger;
use crate::bench::{Error, Topic};
use lines::Lines;

/// Lines are written in blocks of about this size, which is what a pipe holds.
const BLOCK_BYTES: usize = 64 << 10;

/// When nothing comes any more for this long, all that was under way has come.
const QUIET: Duration = Duration::from_secs(1);

/// A topic that has nothing to say for this long below its end has lost the rest.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// This program, and the words that bring it to the brokers of the run.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub words: Vec<OsString>,
}

/// What goes through, and where.
#[derive(Clone, Copy)]
pub struct Pipe<'a> {
    pub program: &'a Program,
    pub payloads: &'a Payloads,
    pub topic: &'a Topic,
    pub load: &'a Load,
    pub warmup: Extent,
    pub measured: Extent,
    pub meter: &'a Meter,
    pub watch: &'a Watch,
}

/// What came through.
pub struct Through<'a> {
    pub warmup_records: u64,
    pub window: Window,
    pub timeline: Timeline,
    /// By both together.
    pub used: Option<Used>,
    pub broker: Option<Used>,
    pub ledger: Ledger<'a>,
}

/// Starts both, sends both phases through, and ends both.
pub fn run(pipe: Pipe<'_>) -> Result<Through<'_>, Error> {
    let mut consume =
        pipe.start("consume", &pipe.consume_words(), Stdio::null(), Stdio::piped())?;
    let mut produce =
        pipe.start("produce", &pipe.produce_words(), Stdio::piped(), Stdio::null())?;
    let stdin = produce.child.stdin.take().expect("it was asked for");
    let stdout = consume.child.stdout.take().expect("it was asked for");
    let mut lines = Lines::new(stdout, pipe.payloads, pipe.load.partitions);
    let progress = Progress::default();
    let both = [produce.process(), consume.process()];
    let (written, read) = thread::scope(|scope| {
        let writing = scope.spawn(|| pipe.write(stdin, &progress, both));
        let read = pipe.read_while(&mut lines, &progress, || !writing.is_finished());
        if read.is_err() {
            // Whoever writes to it must not wait any longer.
            produce.end();
        }
        (writing.join().expect("it does not panic"), read)
    });
    read.map_err(|error| consume.blamed(error))?;
    let written = written.map_err(|error| produce.blamed(error))?;
    pipe.watch.show(Stage::Verifying, 0);
    let opened = progress.opened.get().expect("the writer opened the window");
    pipe.read_to(written.records, QUIET, &mut lines, &progress)?;
    let (used, broker) = (used(both, opened.cpu), opened.meter.spent().broker);
    // All is in, and with the end of its input it ends.
    drop(written.stdin);
    produce.must_end()?;
    let there = pipe.topic.ends()?.into_values().map(|end| end.get().unsigned_abs()).sum();
    pipe.read_to(there, SILENCE_MAX, &mut lines, &progress)?;
    let window = lines.window(opened);
    let (timeline, ledger) = lines.close();
    Ok(Through { warmup_records: opened.first, window, timeline, used, broker, ledger })
}

/// One of the two. It does not outlive the run.
struct Kid {
    name: &'static str,
    child: Child,
}

/// What writer and reader know of each other.
#[derive(Default)]
struct Progress {
    /// Lines that were written, or will be next.
    written: AtomicU64,
    /// Lines that have come out.
    seen: Seen,
    /// Once the warm-up is over.
    opened: OnceLock<Opened>,
}

/// When the window opened.
struct Opened {
    at: Instant,
    /// What both had used by then.
    cpu: Option<Duration>,
    meter: Meter,
    first: u64,
}

struct Written {
    records: u64,
    /// Its end would be the end of the process.
    stdin: ChildStdin,
}

impl Pipe<'_> {
    fn start(
        &self,
        name: &'static str,
        words: &[String],
        stdin: Stdio,
        stdout: Stdio,
    ) -> Result<Kid, Error> {
        let Program { path, words: brokers } = self.program;
        let mut command = Command::new(path);
        command.arg(name).arg(self.topic.name()).args(brokers).args(words);
        let child = command.stdin(stdin).stdout(stdout).spawn().map_err(Error::System)?;
        Ok(Kid { name, child })
    }

    fn produce_words(&self) -> Vec<String> {
        let Load { acks, compression, keys, .. } = self.load;
        let mut words = vec!["-q", "--acks", acks.name(), "-z", compression.name()];
        words.extend(keys.iter().flat_map(|_| ["-K", "\\t"]));
        words.into_iter().map(str::to_owned).collect()
    }

    /// With one partition the lines come as they went in; with several each says which one it is
    /// of, since order is kept within a partition.
    fn consume_words(&self) -> Vec<String> {
        let words: &[&str] = match (self.load.partitions, self.load.keys) {
            (1, None) => &["-q"],
            (1, Some(_)) => &["-q", "-K", "\\t"],
            (_, None) => &["-q", "-f", "%p %s\\n"],
            (_, Some(_)) => &["-q", "-f", "%p %k\\t%s\\n"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn write(
        &self,
        mut stdin: ChildStdin,
        progress: &Progress,
        both: [Process; 2],
    ) -> Result<Written, Error> {
        self.watch.show(Stage::WarmingUp, 0);
        let first = self.write_phase(&mut stdin, 0, self.warmup, progress)?;
        progress.seen.wait_for(first, SILENCE_MAX, self.watch);
        self.watch.show(Stage::Measuring, 0);
        let (cpu, meter) = (cpu(both), self.meter.restarted());
        let opened = Opened { at: Instant::now(), cpu, meter, first };
        progress.opened.get_or_init(|| opened);
        let records = first + self.write_phase(&mut stdin, first, self.measured, progress)?;
        Ok(Written { records, stdin })
    }

    /// How many lines it wrote.
    fn write_phase(
        &self,
        stdin: &mut ChildStdin,
        first: u64,
        extent: Extent,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let (began, mut count) = (Instant::now(), 0);
        let mut block = Vec::with_capacity(BLOCK_BYTES + self.payloads.record_bytes_max());
        loop {
            if self.watch.is_stopped() {
                return Err(Error::Stopped);
            }
            block.clear();
            let before = count;
            while block.len() < BLOCK_BYTES && extent.records.is_none_or(|most| count < most) {
                let mark = Mark { producer: 0, sequence: first + count };
                if let Some(key) = self.payloads.key(mark) {
                    block.extend_from_slice(key);
                    block.push(b'\t');
                }
                line::write(self.payloads, mark, &mut block);
                count += 1;
            }
            progress.written.store(first + count, Ordering::Release);
            stdin.write_all(&block).map_err(Error::System)?;
            self.watch.advance(count - before);
            let is_over = extent.time.is_some_and(|time| time <= began.elapsed());
            if is_over || count == before {
                return Ok(count);
            }
        }
    }

    fn read_while(
        &self,
        lines: &mut Lines<'_>,
        progress: &Progress,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), Error> {
        while goes_on() {
            self.read_some(lines, progress)?;
        }
        Ok(())
    }

    /// Reads until so many lines came in all, or none for so long.
    fn read_to(
        &self,
        count: u64,
        quiet: Duration,
        lines: &mut Lines<'_>,
        progress: &Progress,
    ) -> Result<(), Error> {
        let mut heard = Instant::now();
        while lines.count() < count && heard.elapsed() < quiet {
            if self.read_some(lines, progress)? {
                heard = Instant::now();
            }
        }
        Ok(())
    }

    /// Whether anything came.
    fn read_some(&self, lines: &mut Lines<'_>, progress: &Progress) -> Result<bool, Error> {
        if self.watch.is_stopped() {
            return Err(Error::Stopped);
        }
        let before = lines.count();
        let written = || progress.written.load(Ordering::Acquire);
        lines.read(written, || progress.opened.get())?;
        progress.seen.add(lines.count() - before);
        Ok(before < lines.count())
    }
}

impl Kid {
    fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// It ends by itself, and well.
    fn must_end(&mut self) -> Result<(), Error> {
        let status = self.child.wait().map_err(Error::System)?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::Ended { command: self.name, status }),
        }
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of a process explains what went wrong with its pipe.
    fn blamed(&mut self, error: Error) -> Error {
        match (error, self.child.try_wait()) {
            (Error::System(_), Ok(Some(status))) => Error::Ended { command: self.name, status },
            (error, _) => error,
        }
    }
}

impl Drop for Kid {
    fn drop(&mut self) {
        self.end();
    }
}

/// What both have used so far.
fn cpu(both: [Process; 2]) -> Option<Duration> {
    both.iter().map(|process| process.cpu()).sum()
}

fn used(both: [Process; 2], before: Option<Duration>) -> Option<Used> {
    let cpu = cpu(both)?.saturating_sub(before?);
    let memory_peak_bytes = both.iter().map(|process| process.memory_peak_bytes()).sum();
    Some(Used { cpu, memory_peak_bytes })
}
