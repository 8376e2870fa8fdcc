//! A result for people: a word at the start of each line, then what it says.

use std::fmt::Write;

use super::super::metric;
use super::document::{Attempt, Case, Document, Judgement};
use super::verdict;
use super::words::{
    COLUMNS, batches, brokers, disk, extent, host, load, medians, records, show, spread,
};

/// The percentiles that people look at; other formats have them all.
const PERCENTILES: [&str; 7] = ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];

type Row = (String, String);

/// The result: a dozen lines for a single case, a line each for several.
pub fn table(document: &Document) -> String {
    let cases = &document.results;
    let (head, mut rows) = match cases.as_slice() {
        [case] => (String::new(), rows(case)),
        _ => (columns(cases), rows_of_all(cases)),
    };
    let versions = &document.versions;
    rows.push(row("host", host(&document.host)));
    rows.push(row("versions", format!("kaw {}, librdkafka {}", versions.kaw, versions.librdkafka)));
    let width = rows.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let mut text = head;
    for (word, says) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word:<width$}  {says}");
    }
    text
}

/// A line for each case, its medians below the names of the metrics.
fn columns(cases: &[Case]) -> String {
    let (head, rows) = medians(cases);
    let head = head.into_iter().map(str::to_owned).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..lines[0].len()).filter_map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    lines.iter().map(padded).collect()
}

/// What is to be said below the columns.
fn rows_of_all(cases: &[Case]) -> Vec<Row> {
    let runs = cases.iter().flat_map(|case| &case.runs);
    let mut rows = vec![row("records", records(runs))];
    if let Some(case) = cases.first() {
        rows.push(row("brokers", brokers(&case.brokers, &[])));
    }
    for case in cases {
        let said = gates(case).chain(verdicts(case));
        rows.extend(said.map(|(word, says)| (word, format!("{}: {says}", case.name))));
    }
    let mut notes: Vec<_> = cases.iter().flat_map(|case| &case.notes).collect();
    notes.sort();
    notes.dedup();
    rows.extend(notes.into_iter().map(|note| row("note", note.clone())));
    rows
}

/// What comparing, taking turns and searching have shown.
fn verdicts(case: &Case) -> impl Iterator<Item = Row> {
    let compared = case.comparison.iter().flat_map(|comparison| {
        let judged = comparison.changes.iter().filter(|(_, change)| change.judgement.is_some());
        judged.map(|(name, change)| {
            let word =
                if change.judgement == Some(Judgement::Worse) { "worse" } else { "compared" };
            row(word, verdict::change(name, change, comparison.tolerance))
        })
    });
    compared.chain(turns_and_search(case))
}

/// The part of it in which nothing fails.
pub fn turns_and_search(case: &Case) -> impl Iterator<Item = Row> {
    let turns = case.versus.iter().flat_map(|versus| {
        let shown = COLUMNS.iter().filter_map(|name| Some((name, versus.ratios.get(*name)?)));
        let other = row("other", brokers(&versus.brokers, &[]));
        let ratios = shown.map(|(name, pair)| row("versus", verdict::pair(name, pair)));
        std::iter::once(other).chain(ratios)
    });
    let searched = case.search.iter().flat_map(|search| {
        let step = |step: &Attempt| row("tried", format!("{}/s {}", step.rate, step.reason));
        search.steps.iter().map(step).chain(std::iter::once(row("found", verdict::found(search))))
    });
    turns.chain(searched)
}

fn gates(case: &Case) -> impl Iterator<Item = Row> {
    let word = |failed| if failed { "failed" } else { "passed" };
    case.gates.iter().map(move |gate| row(word(gate.failed), gate.reason.clone()))
}

fn row(word: &str, says: String) -> Row {
    (word.to_owned(), says)
}

fn rows(case: &Case) -> Vec<Row> {
    let mut rows = vec![
        row(&case.workload, extent(case)),
        row("load", load(case)),
        row("brokers", brokers(&case.brokers, &case.runs)),
    ];
    match case.runs.len() {
        1 => rows.extend(figures_of_one(case)),
        _ => rows.extend(figures_of_several(case)),
    }
    rows.extend(case.runs.first().and_then(batches).map(|says| row("batches", says)));
    let disk = case.runs.first().map(disk).unwrap_or_default();
    rows.extend(disk.into_iter().map(|says| row("disk", says)));
    rows.push(row("records", records(&case.runs)));
    rows.extend(gates(case));
    rows.extend(verdicts(case));
    rows.extend(case.notes.iter().map(|note| row("note", note.clone())));
    rows
}

/// A line each for what belongs together.
fn figures_of_one(case: &Case) -> Vec<Row> {
    let lines: [(&str, &[&str]); 4] = [
        ("rate", &["records/s", "bytes/s"]),
        ("latency", &PERCENTILES),
        ("client", &["cpu", "memory"]),
        ("broker", &["broker-cpu", "broker-memory"]),
    ];
    let line = |names: &[&str]| {
        let figure =
            |name: &&str| Some(format!("{name} {}", show(name, case.summary.get(*name)?.median)));
        names.iter().filter_map(figure).collect::<Vec<_>>().join(", ")
    };
    let lines = lines.iter().map(|(word, names)| row(word, line(names)));
    lines.filter(|(_, says)| !says.is_empty()).collect()
}

/// A line for each metric: its median and how far the runs lie apart.
fn figures_of_several(case: &Case) -> Vec<Row> {
    let shown =
        metric::all().filter_map(|metric| Some((metric.name, case.summary.get(metric.name)?)));
    shown.map(|(name, figure)| row(name, spread(name, figure))).collect()
}
