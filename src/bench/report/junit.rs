//! A result for what reads tests: JUnit's XML as Jenkins' xUnit plugin has it (junit-10.xsd), a
//! suite for each case and a test for each thing that could fail.

use std::fmt::Write;

use super::checks::{Check, checks};
use super::document::{Case, Document};
use super::markup::escaped;
use super::words::{plain, show};

pub fn junit(document: &Document) -> String {
    let suites: String = document.results.iter().map(suite).collect();
    let checks: Vec<_> = document.results.iter().flat_map(checks).collect();
    let failures = checks.iter().filter(|check| check.failed).count();
    let seconds: f64 = document.results.iter().map(seconds).sum();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"kaw bench\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" \
         time=\"{seconds:.3}\">\n{suites}</testsuites>\n",
        checks.len()
    )
}

fn suite(case: &Case) -> String {
    let checks = checks(case);
    let failures = checks.iter().filter(|check| check.failed).count();
    let started = case.runs.first().map_or("", |run| run.started.trim_end_matches('Z'));
    let mut suite = format!(
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" \
         time=\"{:.3}\" timestamp=\"{}\">\n",
        escaped(&case.name),
        checks.len(),
        seconds(case),
        escaped(started),
    );
    suite += &properties(case);
    suite.extend(checks.iter().map(|check| test(case, check)));
    suite + "</testsuite>\n"
}

/// What was asked for, and what came of it.
fn properties(case: &Case) -> String {
    let asked = case.parameters.iter().filter(|(_, value)| !value.is_null());
    let asked = asked.map(|(name, value)| (name.as_str(), plain(value)));
    let reached =
        case.summary.iter().map(|(name, figure)| (name.as_str(), show(name, figure.median)));
    let mut text = String::from("<properties>\n");
    for (name, value) in asked.chain(reached) {
        let (name, value) = (escaped(name), escaped(&value));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "<property name=\"{name}\" value=\"{value}\"/>");
    }
    text + "</properties>\n"
}

fn test(case: &Case, check: &Check) -> String {
    let (class, name) = (escaped(&case.workload), escaped(&check.name));
    let says = escaped(&check.says);
    let outcome = match check.failed {
        true => format!("<failure message=\"{says}\">{says}</failure>"),
        false => format!("<system-out>{says}</system-out>"),
    };
    format!(
        "<testcase classname=\"kaw.bench.{class}\" name=\"{name}\" time=\"0\">{outcome}\
         </testcase>\n"
    )
}

fn seconds(case: &Case) -> f64 {
    case.runs.iter().map(|run| run.window.seconds).sum()
}
