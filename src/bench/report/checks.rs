//! What a result was held against, and how that went: the same for every format.

use super::document::{Case, Comparison, Document, Judgement};
use super::verdict;
use super::words::records;

/// Something that could fail.
#[derive(Debug, PartialEq)]
pub struct Check {
    /// Unlike the others of its case.
    pub name: String,
    pub failed: bool,
    /// One line that says why, for people.
    pub says: String,
}

/// All of a case. Faults come first: figures of records that went wrong say nothing.
pub fn checks(case: &Case) -> Vec<Check> {
    let mut checks = vec![sound(case)];
    checks.extend(case.gates.iter().map(|gate| Check {
        name: format!("--fail-if {}", gate.fail_if),
        failed: gate.failed,
        says: gate.reason.clone(),
    }));
    checks.extend(case.comparison.iter().flat_map(compared));
    checks.extend(case.search.iter().map(|search| Check {
        name: format!("--find-max --slo {}", search.slo.join(", ")),
        failed: search.rate.is_none(),
        says: verdict::found(search),
    }));
    checks
}

/// Whether all is as it should be.
pub fn passed(document: &Document) -> bool {
    document.results.iter().flat_map(checks).all(|check| !check.failed)
}

/// What was judged; the rest is shown beside it.
fn compared(comparison: &Comparison) -> impl Iterator<Item = Check> {
    let judged = comparison.changes.iter().filter(|(_, change)| change.judgement.is_some());
    judged.map(|(name, change)| Check {
        name: format!("--compare {name}"),
        failed: change.judgement == Some(Judgement::Worse),
        says: verdict::change(name, change, comparison.tolerance),
    })
}

fn sound(case: &Case) -> Check {
    let faulty = case.all_runs().find_map(|run| Some((run, run.records.faults()?)));
    let says = match &faulty {
        Some((run, faults)) => {
            let why = run.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("of {} records {faults}{why}", run.records.sent)
        }
        None => records(case.all_runs()),
    };
    Check { name: "every record is whole".to_owned(), failed: faulty.is_some(), says }
}
