//! Jobs done side by side, while progress is shown and signals are heeded.
//! Never knows: what the jobs are.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::interrupt::Interrupt;
use super::progress::{Done, Progress};

/// So many at once: brokers serve each connection one request after the other.
const WORKERS_MAX: usize = 4;
const LOOK_UP: Duration = Duration::from_millis(20);

/// What the workers tell of, and are told.
#[derive(Default)]
pub struct Tally {
    records: AtomicU64,
    bytes: AtomicU64,
    is_over: AtomicBool,
}

impl Tally {
    pub fn add(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn done(&self) -> Done {
        let (records, bytes) = (&self.records, &self.bytes);
        Done { records: records.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }

    /// Whether nothing more is wanted.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Does all jobs; each worker begins with a `tool` of its own. The answers come in the order of
/// the jobs, and not all of them where a signal came. The first job that fails ends the others.
pub fn work<J: Send, T: Send, S>(
    jobs: Vec<J>,
    tool: impl Fn() -> S + Sync,
    job: impl Fn(&mut S, J, &Tally) -> anyhow::Result<T> + Sync,
    (progress, interrupt): (&mut Progress, &Interrupt),
) -> anyhow::Result<(Vec<T>, Done)> {
    let (tally, running) = (Tally::default(), AtomicU64::new(0));
    let workers = jobs.len().min(WORKERS_MAX);
    let jobs: Mutex<VecDeque<_>> = Mutex::new(jobs.into_iter().enumerate().collect());
    let (answers, failure) = (Mutex::new(Vec::new()), Mutex::new(None));
    let next = || jobs.lock().expect("no holder panics").pop_front();
    let one = || {
        let mut tool = tool();
        while let Some((number, wanted)) = next().filter(|_| !tally.is_over()) {
            match job(&mut tool, wanted, &tally) {
                Ok(answer) => answers.lock().expect("no holder panics").push((number, answer)),
                Err(error) => {
                    failure.lock().expect("no holder panics").get_or_insert(error);
                    tally.end();
                }
            }
        }
    };
    thread::scope(|scope| {
        running.store(workers as u64, Ordering::Relaxed);
        for _ in 0..workers {
            scope.spawn(|| {
                let _at_the_end = Countdown(&running);
                one();
            });
        }
        while 0 < running.load(Ordering::Acquire) {
            // A wait that fails is a short one.
            let _ = interrupt.pause(LOOK_UP);
            if interrupt.exit().is_some() {
                tally.end();
                // Its pipe stays readable: without a wait this would be a busy loop.
                thread::sleep(LOOK_UP);
            }
            progress.show(tally.done());
        }
    });
    if let Some(error) = failure.into_inner().expect("no holder panics") {
        return Err(error);
    }
    let mut answers = answers.into_inner().expect("no holder panics");
    answers.sort_by_key(|(number, _)| *number);
    Ok((answers.into_iter().map(|(_, answer)| answer).collect(), tally.done()))
}

/// One fewer, also where a worker panics.
struct Countdown<'a>(&'a AtomicU64);

impl Drop for Countdown<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}
