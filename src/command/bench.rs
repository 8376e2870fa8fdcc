//! `kaw bench produce|consume`.

mod words;

use std::os::fd::AsFd;
use std::thread;

use anyhow::anyhow;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::interrupt::Interrupt;
use super::progress::{Ahead, Done, Progress};
use super::stdio::{self, tell};
use super::{Exit, Global, Usage, cluster};
use crate::bench::host::Host;
use crate::bench::plan::{Extent, Load, Plan};
use crate::bench::report::{Report, Setting, json, table};
use crate::bench::workload::{Stage, Watch};
use crate::bench::{Bench, Findings, Topic};
use crate::client::admin::Patience;
use crate::client::{self, Config};
use crate::embedded::Ephemeral;

pub use words::Args;

/// How often progress is drawn.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let shown = args.shown();
    let (plan, gates) = args.plan()?;
    for set in &global.set {
        if let Some(option) = words::instead_of(set) {
            return Err(Usage(format!("-X {set}: type {option} instead for bench")).into());
        }
    }
    let interrupt = Interrupt::watch()?;
    let target = Target::find(global)?;
    let topic = topic_name();
    let setting = Setting {
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        command: words::command(),
        brokers: global.brokers.clone(),
        topic: topic.clone(),
        kaw: env!("CARGO_PKG_VERSION").to_owned(),
        librdkafka: client::version(),
        host: Host::this(),
    };
    let run = Run { plan: &plan, target: &target, topic: &topic, global };
    let findings = run.watched(&interrupt);
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    let findings = findings?;
    let verdicts = gates.iter().map(|gate| gate.check(&findings.measured)).collect();
    let Findings { measured, account, why } = findings;
    let report = Report { plan, measured, account, verdicts, setting };
    print(&report, shown)?;
    verdict(&report, why.as_deref())
}

/// How a result is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Table,
    Json,
}

/// The brokers of a run.
struct Target {
    config: Config,
    /// Ends with the run.
    own: Option<Ephemeral>,
}

impl Target {
    /// Those of `-b`, and otherwise a broker of the run's own: no variable and no file may turn a
    /// benchmark on a cluster that others use.
    fn find(global: &Global) -> anyhow::Result<Target> {
        if global.brokers.is_some() {
            return Ok(Target { config: cluster::connect(global)?.config, own: None });
        }
        let own = Ephemeral::start(global.connect_timeout)?;
        let alone = Global {
            brokers: Some(own.addresses()),
            // As in kcat: no file at all.
            config: vec!["-".into()],
            profile: None,
            ..global.clone()
        };
        Ok(Target { config: cluster::connect(&alone)?.config, own: Some(own) })
    }
}

/// One run, from the command's side.
struct Run<'a> {
    plan: &'a Plan,
    target: &'a Target,
    topic: &'a str,
    global: &'a Global,
}

impl Run<'_> {
    /// Runs on a thread of its own, so that this one can draw and listen for signals.
    fn watched(&self, interrupt: &Interrupt) -> anyhow::Result<Findings> {
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
        let topic = Topic::create(config, self.topic, partitions, record_size, patience)?;
        let findings = Bench { plan, config, topic: &topic, patience, watch }.run();
        // An ephemeral broker takes its topics along.
        let deleted = match self.target.own {
            Some(_) => Ok(()),
            None => topic.delete(),
        };
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

fn print(report: &Report, shown: Shown) -> anyhow::Result<()> {
    let text = match shown {
        Shown::Table => table::table(report),
        Shown::Json => format!("{}\n", json::json(report)),
    };
    stdio::print(&text).map(drop)
}

/// Faults come before gates: what was measured on records that went wrong says nothing.
fn verdict(report: &Report, why: Option<&str>) -> anyhow::Result<Exit> {
    let faults = &report.account.faults;
    if !faults.is_none() {
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        let sent = report.account.sent;
        return Err(anyhow!("of {sent} records {}{why}", table::faults(faults)));
    }
    let failed = report.verdicts.iter().filter(|verdict| verdict.failed);
    let reasons: Vec<_> = failed.map(|verdict| verdict.reason.as_str()).collect();
    if reasons.is_empty() {
        return Ok(Exit::Done);
    }
    tell(&reasons.join("; "));
    Ok(Exit::Unmet)
}

/// A name that no other run has, and that says whose it is.
fn topic_name() -> String {
    let mut random = [0; 6];
    // Where the kernel gives no random bytes, the clock makes the difference.
    if rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).is_err() {
        let nanos = jiff::Timestamp::now().as_nanosecond().to_le_bytes();
        random.copy_from_slice(&nanos[..6]);
    }
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("kaw-bench-{hex}")
}
