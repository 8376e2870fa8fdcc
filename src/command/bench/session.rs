//! The runs of a benchmark, one after the other.

use std::fmt;

use super::result::Planned;
use super::target::Target;
use super::watched::Watched;
use crate::bench::plan::Plan;
use crate::bench::report::document::{Case, Run};
use crate::command::interrupt::Interrupt;
use crate::command::{Exit, Global};

/// It was ended from outside, with this exit code.
#[derive(Debug)]
pub struct Interrupted(pub Exit);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

pub struct Session<'a> {
    pub global: &'a Global,
    pub interrupt: &'a Interrupt,
    pub target: &'a Target,
    /// Of how many runs this is the next.
    pub done: u32,
    pub all: u32,
}

impl Session<'_> {
    /// Every case once in each round, so that whatever changes with time meets all of them alike.
    /// Records that went wrong end it: what comes after says nothing.
    pub fn rounds(&mut self, planned: &[Planned], rounds: u32) -> anyhow::Result<Vec<Case>> {
        let mut runs: Vec<Vec<Run>> = planned.iter().map(|_| Vec::new()).collect();
        'rounds: for _ in 0..rounds {
            for (case, runs) in planned.iter().zip(&mut runs) {
                let run = self.run(&case.plan)?;
                let is_sound = run.records.faults().is_none();
                runs.push(run);
                if !is_sound {
                    break 'rounds;
                }
            }
        }
        let cases = planned.iter().zip(runs).filter(|(_, runs)| !runs.is_empty());
        Ok(cases
            .map(|(case, runs)| case.with(self.target.named(case.plan.workload), runs))
            .collect())
    }

    fn run(&mut self, plan: &Plan) -> anyhow::Result<Run> {
        self.done += 1;
        let (topic, started) = (topic_name(), super::now());
        let opened = match plan.workload.has_brokers() {
            true => Some(self.target.open()?),
            false => None,
        };
        let what = match self.all {
            1 => String::new(),
            all => format!("run {} of {all}, ", self.done),
        };
        let run =
            Watched { plan, opened: opened.as_ref(), topic: &topic, global: self.global, what };
        let findings = run.run(self.interrupt);
        if let Some(exit) = self.interrupt.exit() {
            return Err(Interrupted(exit).into());
        }
        Ok(Run::new(started, opened.map(|_| topic), &findings?))
    }
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
