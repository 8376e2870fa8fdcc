//! `kaw bench`.

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
use crate::bench::report::document::{Document, Host, SCHEMA, Versions};
use crate::client;

use result::Asked;
use session::{Interrupted, Session};
use target::Target;
pub use words::Args;

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let Some(mut asked) = args.asked()? else { return stdio::print(report::SCHEMA) };
    global.set.iter().try_for_each(|set| words::is_open(set))?;
    for planned in &mut asked.planned {
        planned.plan.settings.splice(0..0, global.set.iter().cloned());
    }
    if global.brokers.is_some() && !asked.planned.iter().any(|it| it.plan.workload.has_brokers()) {
        return Err(Usage("bench log has no brokers: it is the engine alone".to_owned()).into());
    }
    match measured(global, &asked) {
        Ok(document) => {
            asked.output.write(&document)?;
            verdict(&document)
        }
        Err(error) => error.downcast().map(|Interrupted(exit)| exit),
    }
}

fn measured(global: &Global, asked: &Asked) -> anyhow::Result<Document> {
    let interrupt = Interrupt::watch()?;
    let (started, target) = (now(), Target::find(global, asked.durability)?);
    let runs = asked.repeat.saturating_mul(u32::try_from(asked.planned.len()).unwrap_or(u32::MAX));
    let mut session =
        Session { global, interrupt: &interrupt, target: &target, done: 0, all: runs };
    let kaw = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Document {
        schema: SCHEMA.to_owned(),
        command: words::command(),
        started,
        host: Host::this(),
        versions: Versions { kaw, librdkafka: client::version() },
        results: session.rounds(&asked.planned, asked.repeat)?,
    })
}

/// Faults come before gates: what was measured on records that went wrong says nothing.
fn verdict(document: &Document) -> anyhow::Result<Exit> {
    for run in document.results.iter().flat_map(|case| &case.runs) {
        if let Some(faults) = run.records.faults() {
            let why = run.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(anyhow!("of {} records {faults}{why}", run.records.sent));
        }
    }
    let gates = document.results.iter().flat_map(|case| &case.gates);
    let reasons: Vec<_> =
        gates.filter(|gate| gate.failed).map(|gate| gate.reason.as_str()).collect();
    if reasons.is_empty() {
        return Ok(Exit::Done);
    }
    tell(&reasons.join("; "));
    Ok(Exit::Unmet)
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
