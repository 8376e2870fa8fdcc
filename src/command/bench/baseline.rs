//! `--compare`: a result that was saved, and what has changed since.

use std::fs;

use anyhow::Context;
use serde_json::{Map, Value};

use super::Usage;
use super::result::{Compare, Planned};
use crate::bench::compare::{Like, compare, like, warnings};
use crate::bench::report::document::{Case, Comparison, Document, SCHEMA};
use crate::command::stdio::tell;

pub struct Baseline {
    document: Document,
    tolerance: f64,
    /// One for each case that is to be measured.
    cases: Vec<Case>,
}

/// As they come out of a file: serde_json's fast reading of fractions may miss the last bit.
fn as_read(parameters: &Map<String, Value>) -> Map<String, Value> {
    let text = serde_json::to_string(parameters).expect("names and plain values are JSON");
    serde_json::from_str(&text).expect("it is an object")
}

impl Baseline {
    /// What is no baseline of this work is said before anything runs.
    pub fn read(asked: &Compare, planned: &[Planned]) -> anyhow::Result<Baseline> {
        let path = asked.path.display();
        let wrong = |why: String| Usage(format!("--compare {path}: {why}"));
        let text =
            fs::read_to_string(&asked.path).with_context(|| format!("cannot read {path}"))?;
        let document: Document = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("it is no result of kaw bench --save ({error})")))?;
        if document.schema != SCHEMA {
            let schema = &document.schema;
            return Err(wrong(format!("it is of another kind ({schema}, not {SCHEMA})")).into());
        }
        let is_only = planned.len() == 1;
        let case = |planned: &Planned| {
            let parameters = &as_read(&planned.plan.parameters());
            let workload = planned.plan.workload.name();
            let now = Like { workload, parameters, is_only };
            like(&document, &planned.name, &now).cloned().map_err(|unlike| wrong(unlike.0))
        };
        let cases = planned.iter().map(case).collect::<Result<_, _>>()?;
        Ok(Baseline { cases, tolerance: asked.tolerance, document })
    }

    /// How often it was measured.
    pub fn runs(&self) -> u32 {
        let runs = self.cases.iter().map(|case| case.runs.len()).max().unwrap_or(1);
        u32::try_from(runs).unwrap_or(u32::MAX)
    }

    /// Enters into the result what has changed, and says what makes it hard to tell.
    pub fn compare(&self, document: &mut Document) {
        let warnings = warnings(&self.document, document);
        warnings.iter().for_each(|warning| tell(warning));
        for (case, before) in document.results.iter_mut().zip(&self.cases) {
            case.comparison = Some(Comparison {
                started: self.document.started.clone(),
                runs: before.runs.clone(),
                tolerance: self.tolerance,
                changes: compare(before, case, self.tolerance),
                warnings: warnings.clone(),
            });
        }
    }
}
