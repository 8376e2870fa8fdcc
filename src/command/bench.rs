//! `kaw bench produce|consume|wire`.

mod target;
mod watched;
mod words;

use anyhow::{Context, anyhow};

use super::interrupt::Interrupt;
use super::stdio::{self, tell};
use super::{Exit, Global, Usage};
use crate::bench::report;
use crate::bench::report::document::{Case, Document, Host, Run, SCHEMA, Versions};
use crate::client;

use target::Target;
pub use words::Args;
use words::{Asked, Output};

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let Some(Asked { plan, gates, output }) = args.asked()? else {
        return stdio::print(report::SCHEMA);
    };
    for set in &global.set {
        if let Some(option) = words::instead_of(set) {
            return Err(Usage(format!("-X {set}: type {option} instead for bench")).into());
        }
    }
    let interrupt = Interrupt::watch()?;
    let began = now();
    let target = Target::find(global)?;
    let (topic, started) = (topic_name(), now());
    let run = watched::Run { plan: &plan, target: &target, topic: &topic, global };
    let findings = run.watched(&interrupt);
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    let findings = findings?;
    let runs = vec![Run::new(started, Some(topic), &findings)];
    let document = Document {
        schema: SCHEMA.to_owned(),
        command: words::command(),
        started: began,
        host: Host::this(),
        versions: Versions {
            kaw: env!("CARGO_PKG_VERSION").to_owned(),
            librdkafka: client::version(),
        },
        results: vec![Case::new(&plan, target.named().clone(), runs, &gates)],
    };
    write(&document, &output)?;
    verdict(&document, findings.why.as_deref())
}

/// The result where it was asked for. With a file, people still see it as text.
fn write(document: &Document, output: &Output) -> anyhow::Result<()> {
    let rendered = (output.format.render)(document);
    let Some(path) = &output.file else { return stdio::print(&rendered).map(drop) };
    std::fs::write(path, rendered).with_context(|| format!("cannot write {}", path.display()))?;
    stdio::print(&(report::FORMATS[0].render)(document)).map(drop)
}

/// Faults come before gates: what was measured on records that went wrong says nothing.
fn verdict(document: &Document, why: Option<&str>) -> anyhow::Result<Exit> {
    for run in document.results.iter().flat_map(|case| &case.runs) {
        if let Some(faults) = run.records.faults() {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
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
