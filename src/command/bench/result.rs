//! What is wanted of a result: the options that every workload has.

use std::path::PathBuf;

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
    /// Measure these brokers too, run by run in turn, and show what each figure of the others is
    /// to theirs [default of --repeat: 6]
    #[arg(long, value_name = "HOST:PORT,…")]
    versus: Option<String>,
    /// Find the highest rate that keeps every --slo, from --rate on; confirmed by --repeat runs
    /// [default: 3]
    #[arg(long, requires = "slo", conflicts_with_all = ["versus", "compare"])]
    find_max: bool,
    /// What must be so, as 'p99<10ms'; repeatable
    #[arg(long, value_name = "EXPR", requires = "find_max")]
    slo: Vec<String>,
    /// Keep the result as a baseline: what --output json prints
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Exit with 3 if the result is significantly worse than this baseline [default of --repeat:
    /// as many as it has; five of each can tell]
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// How much worse is no change yet
    #[arg(long, value_name = "N%", default_value = "10%", value_parser = percent)]
    tolerance: f64,
    #[command(flatten)]
    output: OutputArgs,
}

/// What a command line asks for.
pub struct Asked {
    pub planned: Vec<Planned>,
    /// None: as it suits what else is asked for.
    pub repeat: Option<u32>,
    pub durability: Option<Durability>,
    pub versus: Option<String>,
    pub find_max: Option<FindMax>,
    pub save: Option<PathBuf>,
    pub compare: Option<Compare>,
    pub output: Output,
}

/// The objectives of a search.
pub struct FindMax {
    pub slo: Vec<Gate>,
}

/// A baseline, and how much worse is no change yet.
pub struct Compare {
    pub path: PathBuf,
    pub tolerance: f64,
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
        let tolerance = self.tolerance;
        Ok(Asked {
            find_max: self.find_max(&planned)?,
            planned,
            repeat: self.repeat,
            durability: self.durability,
            versus: self.versus,
            save: self.save,
            compare: self.compare.map(|path| Compare { path, tolerance }),
            output: self.output.output()?,
        })
    }

    fn find_max(&self, planned: &[Planned]) -> Result<Option<FindMax>, Usage> {
        let Some(first) = planned.first().filter(|_| self.find_max) else { return Ok(None) };
        let workload = first.plan.workload;
        if workload.at(1.0).is_none() {
            let said = format!("--find-max: bench {} has no rate", workload.name());
            return Err(Usage(said));
        }
        let slo = self.slo.iter().map(|text| Gate::parse(text, workload));
        let slo =
            slo.collect::<Result<_, _>>().map_err(|error| Usage(format!("--slo: {error}")))?;
        Ok(Some(FindMax { slo }))
    }

    /// Where the load is fixed.
    pub fn no_search(&self) -> Result<(), Usage> {
        let needs = |option: &str| {
            Err(Usage(format!("{option} needs a workload, as kaw bench produce {option} …")))
        };
        match (self.sweep.as_slice(), self.find_max) {
            ([], false) => Ok(()),
            (_, true) => needs("--find-max"),
            (_, false) => needs("--sweep"),
        }
    }

    /// Whether each run is one of many and may be short.
    pub fn is_search(&self) -> bool {
        self.find_max
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

    /// The same at this rate.
    pub fn at(&self, rate: f64) -> Planned {
        let workload = self.plan.workload.at(rate).expect("a search has a workload with a rate");
        let plan = Plan { workload, ..self.plan.clone() };
        Planned { name: self.name.clone(), plan, gates: self.gates.clone() }
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

fn percent(word: &str) -> Result<f64, String> {
    let number = word.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let percent = number.filter(|number| (0.0..100.0).contains(number));
    percent.map(|percent| percent / 100.0).ok_or_else(|| format!("'{word}' is no part; write 10%"))
}
