//! One run as a user sees it: its progress, and how it is ended.

use std::os::fd::AsFd;
use std::thread;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::directory::Directory;
use super::target::Opened;
use crate::bench::plan::{Extent, Load, Plan, Workload};
use crate::bench::workload::pipe::Program;
use crate::bench::workload::{Stage, Watch};
use crate::bench::{self, Bench, Findings, Topic};
use crate::client::admin::Patience;
use crate::command::Global;
use crate::command::interrupt::Interrupt;
use crate::command::progress::{Ahead, Done, Progress};
use crate::command::stdio::tell;
use crate::quantity::show_time;

/// How often progress is drawn.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// One run, from the command's side.
pub struct Watched<'a> {
    pub plan: &'a Plan,
    /// The brokers, where the workload has such.
    pub opened: Option<&'a Opened>,
    pub topic: &'a str,
    pub global: &'a Global,
    /// Which run this is, said before what it is at.
    pub what: String,
}

impl Watched<'_> {
    /// Runs on a thread of its own, so that this one can draw and listen for signals.
    pub fn run(&self, interrupt: &Interrupt) -> anyhow::Result<Findings> {
        let watch = Watch::default();
        let mut progress = Progress::new(self.global, true, Ahead::Unknown);
        // What it was at when it was stopped.
        let mut last = watch.look();
        let outcome = thread::scope(|scope| {
            let run = scope.spawn(|| {
                let done = self.measure(&watch);
                // Wakes the other thread; a pipe that is full wakes it too.
                let _ = interrupt.wake().writer().and_then(|to| Ok(rustix::io::write(to, b"d")?));
                done
            });
            while !run.is_finished() {
                if !watch.is_stopped() {
                    last = watch.look();
                }
                self.show(last, &watch, &mut progress);
                let mut wake = [PollFd::from_borrowed_fd(interrupt.wake().as_fd(), PollFlags::IN)];
                // An interrupted wait is a short one.
                let _ = poll(&mut wake, Some(&TICK));
                interrupt.wake().clear();
                if interrupt.exit().is_some() {
                    watch.stop();
                }
            }
            run.join().expect("the run does not panic")
        });
        let is_watched = progress.is_wanted();
        drop(progress);
        if interrupt.exit().is_some() && is_watched {
            let (stage, records) = last;
            tell(&format!("interrupted while {}, at {records} records", doing(stage)));
        }
        outcome
    }

    fn show(&self, (stage, records): (Stage, u64), watch: &Watch, progress: &mut Progress) {
        let ahead = match stage {
            Stage::Measuring => ahead(self.plan.measured),
            Stage::WarmingUp => ahead(self.plan.warmup),
            Stage::Starting | Stage::Filling | Stage::Verifying => Ahead::Unknown,
        };
        progress.turn_to(format!("{}{}", self.what, doing(stage)), ahead);
        if progress.is_wanted()
            && stage == Stage::Measuring
            && let Some(p99) = watch.recorded().latencies.p99()
        {
            progress.remark(format!("p99 {}", show_time(p99)));
        }
        progress.show(Done { records, bytes: records * self.plan.load.record_size as u64 });
    }

    fn measure(&self, watch: &Watch) -> anyhow::Result<Findings> {
        match (self.plan.workload, self.opened) {
            (Workload::Log(engine), _) => {
                let dir = Directory::make()?;
                Ok(bench::measure_log(self.plan, engine, dir.path(), watch)?)
            }
            (_, Some(opened)) => self.measure_on(opened, watch),
            (_, None) => unreachable!("all but the log are measured on brokers"),
        }
    }

    fn measure_on(&self, opened: &Opened, watch: &Watch) -> anyhow::Result<Findings> {
        let plan = self.plan;
        let mut config = opened.config.clone();
        for set in &plan.settings {
            let (key, value) = set.split_once('=').unwrap_or((set, ""));
            config.set_typed(key, value)?;
        }
        let config = &config;
        let patience = Patience { max: self.global.connect_timeout, tell };
        let Load { partitions, record_size, .. } = plan.load;
        let batch_bytes = match plan.workload {
            Workload::Wire(wire) => wire.batch.bytes(record_size),
            _ => record_size,
        };
        let topic = Topic::create(config, self.topic, partitions, batch_bytes, patience)?;
        let (disk, program) = (opened.disk(), &program(opened, &plan.settings)?);
        let findings = Bench { plan, config, topic: &topic, patience, program, watch, disk }.run();
        // An ephemeral broker takes its topics along.
        let deleted = if opened.is_own() { Ok(()) } else { topic.delete() };
        let findings = findings?;
        deleted?;
        Ok(findings)
    }
}

/// This program, with what brings it to the same brokers in the same way.
fn program(opened: &Opened, settings: &[String]) -> anyhow::Result<Program> {
    let path = std::env::current_exe().context("cannot find this program")?;
    let settings = settings.iter().flat_map(|set| ["-X".into(), set.into()]);
    Ok(Program { path, words: opened.words.iter().cloned().chain(settings).collect() })
}

fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Starting => "starting",
        Stage::Filling => "filling a topic",
        Stage::WarmingUp => "warming up",
        Stage::Measuring => "measuring",
        Stage::Verifying => "verifying",
    }
}

/// The end of a phase that comes first, as far as one knows.
fn ahead(extent: Extent) -> Ahead {
    let records = extent.records.map(Ahead::Records);
    extent.time.map(Ahead::Time).or(records).unwrap_or(Ahead::Unknown)
}
