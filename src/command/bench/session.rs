//! The runs of a benchmark, one after the other.

use std::fmt;

use super::result::{FindMax, Planned};
use super::target::Target;
use super::watched::Watched;
use crate::bench::plan::{Pace, Plan};
use crate::bench::report::document::{Attempt, Case, Run, Search, Versus};
use crate::bench::search;
use crate::command::interrupt::Interrupt;
use crate::command::{Exit, Global, note};
use crate::quantity::show_count;

/// Where a search begins if nothing is typed.
const START: f64 = 1000.0;

/// The part of a rate that must be reached: else the sender falls behind, and latencies grow for
/// as long as one looks.
const REACHED: f64 = 0.95;

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
    global: &'a Global,
    interrupt: &'a Interrupt,
    target: Target,
    /// Of other brokers, measured in turn.
    versus: Option<Target>,
    /// Which run this is, of how many where that is known.
    turn: (u32, Option<u32>),
}

impl<'a> Session<'a> {
    pub fn new(
        global: &'a Global,
        interrupt: &'a Interrupt,
        target: Target,
        versus: Option<Target>,
    ) -> Session<'a> {
        Session { global, interrupt, target, versus, turn: (0, None) }
    }

    /// Every case once in each round, and on each side right after the other, so that whatever
    /// changes with time meets all of them alike. Records that went wrong end it: what comes after
    /// says nothing.
    pub fn rounds(&mut self, planned: &[Planned], rounds: u32) -> anyhow::Result<Vec<Case>> {
        let sides = 1 + u32::from(self.versus.is_some());
        let runs = u32::try_from(planned.len()).unwrap_or(u32::MAX).saturating_mul(sides);
        self.turn = (0, Some(runs.saturating_mul(rounds)));
        let mut found: Vec<_> = planned.iter().map(|_| (Vec::new(), Vec::new())).collect();
        'rounds: for _ in 0..rounds {
            for (case, (ours, others)) in planned.iter().zip(&mut found) {
                ours.push(self.run(&self.target.clone(), &case.plan)?);
                if let Some(versus) = self.versus.clone() {
                    others.push(self.run(&versus, &case.plan)?);
                }
                if ours.iter().chain(&*others).any(|run| run.records.faults().is_some()) {
                    break 'rounds;
                }
            }
        }
        let measured = planned.iter().zip(found).filter(|(_, (runs, _))| !runs.is_empty());
        Ok(measured.map(|(case, (ours, others))| self.case(case, ours, others)).collect())
    }

    fn case(&self, planned: &Planned, ours: Vec<Run>, others: Vec<Run>) -> Case {
        let workload = planned.plan.workload;
        let versus = |versus: &Target| Versus::new(versus.named(workload), others, &ours);
        let versus = self.versus.as_ref().map(versus);
        Case { versus, ..planned.with(self.target.named(workload), ours) }
    }

    /// The highest rate of each case that keeps the objectives, and so many runs at it.
    pub fn find_max(
        &mut self,
        planned: &[Planned],
        wanted: &FindMax,
        rounds: u32,
    ) -> anyhow::Result<Vec<Case>> {
        planned.iter().map(|case| self.highest(case, wanted, rounds)).collect()
    }

    fn highest(&mut self, case: &Planned, wanted: &FindMax, rounds: u32) -> anyhow::Result<Case> {
        let mut search = search::Search::from(rate_of(&case.plan).unwrap_or(START));
        let mut steps = Vec::new();
        let mut last = None;
        while let Some(rate) = search.next() {
            // A failure may have been noise.
            let kept = match self.attempt(case, wanted, rate, &mut steps, &mut last)? {
                true => true,
                false => self.attempt(case, wanted, rate, &mut steps, &mut last)?,
            };
            search.learn(rate, kept);
        }
        while let Some(rate) = search.answer() {
            let at = case.at(rate);
            let runs = (0..rounds).map(|_| self.run(&self.target.clone(), &at.plan));
            let runs = runs.collect::<anyhow::Result<Vec<_>>>()?;
            let found = at.with(self.target.named(at.plan.workload), runs);
            let step = judged(&found, wanted, rate);
            note(self.global, &format!("{rate}/s, {rounds} runs: {}", step.reason));
            let kept = step.kept;
            steps.push(step);
            if kept {
                return Ok(Case { search: Some(searched(wanted, steps, Some(rate))), ..found });
            }
            search.refuse();
        }
        let last = last.expect("a search tries a rate at least");
        Ok(Case { search: Some(searched(wanted, steps, None)), ..last })
    }

    fn attempt(
        &mut self,
        case: &Planned,
        wanted: &FindMax,
        rate: f64,
        steps: &mut Vec<Attempt>,
        last: &mut Option<Case>,
    ) -> anyhow::Result<bool> {
        let at = case.at(rate);
        let run = self.run(&self.target.clone(), &at.plan)?;
        let found = at.with(self.target.named(at.plan.workload), vec![run]);
        let step = judged(&found, wanted, rate);
        note(self.global, &format!("{rate}/s: {}", step.reason));
        let kept = step.kept;
        steps.push(step);
        *last = Some(found);
        Ok(kept)
    }

    fn run(&mut self, target: &Target, plan: &Plan) -> anyhow::Result<Run> {
        self.turn.0 += 1;
        let (topic, started) = (topic_name(), super::now());
        let opened = match plan.workload.has_brokers() {
            true => Some(target.open()?),
            false => None,
        };
        let what = match self.turn {
            (_, Some(1)) => String::new(),
            (turn, Some(all)) => format!("run {turn} of {all}, "),
            (_, None) => rate_of(plan).map_or_else(String::new, |rate| format!("{rate}/s, ")),
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

/// Whether the objectives are kept, by the medians of the runs.
fn judged(case: &Case, wanted: &FindMax, rate: f64) -> Attempt {
    let median = |name: &str| case.summary.get(name).map(|figure| figure.median);
    let faults = case.runs.iter().find_map(|run| run.records.faults());
    let reached = median("records/s").unwrap_or(0.0);
    let broken =
        wanted.slo.iter().find(|slo| !median(slo.metric().name).is_some_and(|it| slo.holds(it)));
    let (kept, reason) = match (faults, broken) {
        (Some(faults), _) => (false, faults),
        (None, _) if reached < rate * REACHED => {
            (false, format!("falls behind, only {}/s were reached", show_count(reached)))
        }
        (None, Some(slo)) => {
            (false, format!("does not keep {}", slo.with(median(slo.metric().name))))
        }
        (None, None) => {
            let all = wanted.slo.iter().map(|slo| slo.with(median(slo.metric().name)));
            (true, format!("keeps {}", all.collect::<Vec<_>>().join(", ")))
        }
    };
    Attempt { rate, kept, reason }
}

fn rate_of(plan: &Plan) -> Option<f64> {
    match plan.workload.pace()? {
        Pace::Rate(rate) => Some(rate),
        Pace::Unbounded => None,
    }
}

fn searched(wanted: &FindMax, steps: Vec<Attempt>, rate: Option<f64>) -> Search {
    let slo = wanted.slo.iter().map(|slo| slo.text().to_owned()).collect();
    Search { slo, steps, rate }
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
