//! `kaw bench`.

mod baseline;
mod directory;
mod output;
mod result;
mod session;
mod sweep;
mod target;
mod watched;
mod words;

use anyhow::anyhow;

use super::interrupt::Interrupt;
use super::stdio::{self, tell};
use super::{Exit, Global, Usage};
use crate::bench::report;
use crate::bench::report::document::{Case, Document, Host, SCHEMA, Versions};
use crate::client;

use baseline::Baseline;
use result::Asked;
use session::{Interrupted, Session};
use target::Target;
pub use words::Args;

/// The fewest pairs of runs whose ratio has an interval.
const PAIRS: u32 = 6;
/// Runs whose median has to keep what a search has found.
const CONFIRMATIONS: u32 = 3;

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let Some(mut asked) = args.asked()? else { return stdio::print(report::SCHEMA) };
    global.set.iter().try_for_each(|set| words::is_open(set))?;
    for planned in &mut asked.planned {
        planned.plan.settings.splice(0..0, global.set.iter().cloned());
    }
    let has_others = global.brokers.is_some() || asked.versus.is_some();
    if has_others && !asked.planned.iter().any(|it| it.plan.workload.has_brokers()) {
        return Err(Usage("bench log has no brokers: it is the engine alone".to_owned()).into());
    }
    match measured(global, &asked) {
        Ok(document) => {
            if let Some(path) = &asked.save {
                output::write(path, &report::json(&document))?;
            }
            asked.output.write(&document)?;
            verdict(&document)
        }
        Err(error) => error.downcast().map(|Interrupted(exit)| exit),
    }
}

fn measured(global: &Global, asked: &Asked) -> anyhow::Result<Document> {
    let baseline = asked.compare.as_ref().map(|compare| Baseline::read(compare, &asked.planned));
    let baseline = baseline.transpose()?;
    let interrupt = Interrupt::watch()?;
    let started = now();
    let target = Target::find(global, asked.durability)?;
    let versus = asked.versus.as_ref().map(|versus| Target::versus(global, versus)).transpose()?;
    let rounds = asked.repeat.unwrap_or_else(|| match (&baseline, asked) {
        (Some(baseline), _) => baseline.runs(),
        (None, Asked { versus: Some(_), .. }) => PAIRS,
        (None, Asked { find_max: Some(_), .. }) => CONFIRMATIONS,
        (None, _) => 1,
    });
    let mut session = Session::new(global, &interrupt, target, versus);
    let results = match &asked.find_max {
        Some(wanted) => session.find_max(&asked.planned, wanted, rounds)?,
        None => session.rounds(&asked.planned, rounds)?,
    };
    let kaw = env!("CARGO_PKG_VERSION").to_owned();
    let mut document = Document {
        schema: SCHEMA.to_owned(),
        command: words::command(),
        started,
        host: Host::this(),
        versions: Versions { kaw, librdkafka: client::version() },
        results,
    };
    if let Some(baseline) = baseline {
        baseline.compare(&mut document);
    }
    Ok(document)
}

/// Faults come before gates: what was measured on records that went wrong says nothing.
fn verdict(document: &Document) -> anyhow::Result<Exit> {
    for run in document.results.iter().flat_map(Case::all_runs) {
        if let Some(faults) = run.records.faults() {
            let why = run.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(anyhow!("of {} records {faults}{why}", run.records.sent));
        }
    }
    let reasons: Vec<_> = document.results.iter().flat_map(Case::unmet).collect();
    if reasons.is_empty() {
        return Ok(Exit::Done);
    }
    tell(&reasons.join("; "));
    Ok(Exit::Unmet)
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
