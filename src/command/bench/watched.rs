//! One run as a user sees it: its progress, and how it is ended.

use std::os::fd::AsFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::target::Target;
use crate::bench::plan::{Extent, Load, Plan, Workload};
use crate::bench::workload::{Stage, Watch};
use crate::bench::{Bench, Findings, Topic};
use crate::client::admin::Patience;
use crate::command::Global;
use crate::command::interrupt::Interrupt;
use crate::command::progress::{Ahead, Done, Progress};
use crate::command::stdio::tell;

/// How often progress is drawn.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// One run, from the command's side.
pub struct Run<'a> {
    pub plan: &'a Plan,
    pub target: &'a Target,
    pub topic: &'a str,
    pub global: &'a Global,
}

impl Run<'_> {
    /// Runs on a thread of its own, so that this one can draw and listen for signals.
    pub fn watched(&self, interrupt: &Interrupt) -> anyhow::Result<Findings> {
        let watch = Watch::default();
        let mut progress = Progress::new(self.global, true, Ahead::Unknown);
        // What it was at when it was stopped.
        let mut last = watch.look();
        let outcome = thread::scope(|scope| {
            let run = scope.spawn(|| {
                let done = self.run(&watch);
                // Wakes the other thread; a pipe that is full wakes it too.
                let _ = interrupt.wake().writer().and_then(|to| Ok(rustix::io::write(to, b"d")?));
                done
            });
            while !run.is_finished() {
                if !watch.is_stopped() {
                    last = watch.look();
                }
                self.show(last, &mut progress);
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

    fn show(&self, (stage, records): (Stage, u64), progress: &mut Progress) {
        let ahead = match stage {
            Stage::Measuring => ahead(self.plan.measured),
            Stage::WarmingUp => ahead(self.plan.warmup),
            Stage::Starting | Stage::Filling | Stage::Verifying => Ahead::Unknown,
        };
        progress.turn_to(doing(stage), ahead);
        progress.show(Done { records, bytes: records * self.plan.load.record_size as u64 });
    }

    fn run(&self, watch: &Watch) -> anyhow::Result<Findings> {
        let (config, plan) = (&self.target.config, self.plan);
        let patience = Patience { max: self.global.connect_timeout, tell };
        let Load { partitions, record_size, .. } = plan.load;
        let batch_bytes = match plan.workload {
            Workload::Wire(wire) => wire.batch.bytes(record_size),
            Workload::Produce { .. } | Workload::Consume | Workload::EndToEnd { .. } => record_size,
        };
        let topic = Topic::create(config, self.topic, partitions, batch_bytes, patience)?;
        let findings = Bench { plan, config, topic: &topic, patience, watch }.run();
        // An ephemeral broker takes its topics along.
        let deleted = if self.target.is_own() { Ok(()) } else { topic.delete() };
        let findings = findings?;
        deleted?;
        Ok(findings)
    }
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
