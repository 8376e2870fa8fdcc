//! What is wanted of a result: the options that every workload has.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Usage;
use super::output::{Output, OutputArgs};
use super::sweep::Axis;
use crate::bench::gate::Gate;
use crate::bench::plan::{Durability, Plan};
use crate::bench::report::document::{Brokers, Case, Run};

/// More runs of one kind would make their statistics the work.
const REPEAT_MAX: i64 = 100;

#[derive(clap::Args, Clone, Debug)]
pub struct ResultArgs {
    /// Measure so many times; figures are medians, shown with how far the runs lie apart
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=REPEAT_MAX))]
    repeat: Option<u32>,
    /// Measure with each of these values, as record-size=100,1k or linger.ms=0,5; repeatable
    #[arg(long, value_name = "OPTION=V1,V2,…", value_parser = Axis::parse)]
    pub sweep: Vec<Axis>,
    /// Exit with 3 if this holds, as 'p99>20ms' or 'records/s<50000'; repeatable
    #[arg(long, value_name = "EXPR")]
    pub fail_if: Vec<String>,
    /// When the benchmark's own broker acknowledges: on disk, or before [default: os]
    #[arg(long, value_name = "os|fsync", value_parser = durability())]
    pub durability: Option<Durability>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What a command line asks for.
pub struct Asked {
    pub planned: Vec<Planned>,
    pub repeat: u32,
    pub durability: Option<Durability>,
    pub output: Output,
}

/// One case: what to run, and what is expected of it.
pub struct Planned {
    pub name: String,
    pub plan: Plan,
    pub gates: Vec<Gate>,
}

impl ResultArgs {
    /// All that is asked for, once it is known what to run.
    pub fn asked(self, planned: Vec<Planned>) -> Result<Asked, Usage> {
        Ok(Asked {
            planned,
            repeat: self.repeat.unwrap_or(1),
            durability: self.durability,
            output: self.output.output()?,
        })
    }

    /// Where parameters are fixed.
    pub fn no_sweep(&self) -> Result<(), Usage> {
        match self.sweep.as_slice() {
            [] => Ok(()),
            _ => Err(Usage("--sweep needs a workload, as kaw bench produce --sweep …".to_owned())),
        }
    }
}

impl Planned {
    pub fn new(name: String, plan: Plan, fail_if: &[String]) -> Result<Planned, Usage> {
        let gate = |text: &String| {
            let parsed = Gate::parse(text, plan.workload);
            parsed.map_err(|error| Usage(format!("--fail-if: {error}")))
        };
        let gates = fail_if.iter().map(gate).collect::<Result<_, _>>()?;
        Ok(Planned { name, plan, gates })
    }

    /// The case with its runs.
    pub fn with(&self, brokers: Brokers, runs: Vec<Run>) -> Case {
        Case::new(&self.name, &self.plan, brokers, runs, &self.gates)
    }
}

fn durability() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new([Durability::Os, Durability::Fsync].map(Durability::name)).map(
        |word| match word.as_str() {
            "fsync" => Durability::Fsync,
            _ => Durability::Os,
        },
    )
}
