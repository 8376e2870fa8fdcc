//! A result as GitHub shows it: headings, and tables of GitHub's Markdown.

use super::super::metric;
use super::checks::{checks, passed};
use super::document::{Case, Document, Figure};
use super::table::turns_and_search;
use super::words::{batches, brokers, extent, host, load, medians, show};

pub fn markdown(document: &Document) -> String {
    let word = if passed(document) { "passed" } else { "failed" };
    let mut text = format!("\n## kaw bench: {word}\n");
    let cases = document.results.as_slice();
    if let [_, _, ..] = cases {
        text += &columns(cases);
    }
    cases.iter().for_each(|case| text += &section(case));
    let versions = &document.versions;
    let about = [
        ["command", &document.command.join(" ")],
        ["started", &document.started],
        ["host", &host(&document.host)],
        ["kaw", &versions.kaw],
        ["librdkafka", &versions.librdkafka],
    ];
    text + &table(&["measured", "with"], about.map(|row| row.map(escaped)))
}

/// A line for each case, its medians below the names of the metrics.
fn columns(cases: &[Case]) -> String {
    let (head, rows) = medians(cases);
    table(
        &head,
        rows.into_iter().map(|row| row.iter().map(|cell| escaped(cell)).collect::<Vec<_>>()),
    )
}

fn section(case: &Case) -> String {
    let mut text = format!("\n### {}\n", escaped(&case.name));
    text += &figures(case);
    let is_failed = |failed| if failed { "**failed**" } else { "passed" };
    let checks = checks(case).into_iter();
    let checks = checks.map(|check| {
        [is_failed(check.failed).to_owned(), escaped(&check.name), escaped(&check.says)]
    });
    text += &table(&["check", "of", "because"], checks);
    let mut about = vec![
        ["extent", &extent(case)].map(escaped),
        ["load", &load(case)].map(escaped),
        ["brokers", &brokers(&case.brokers, &case.runs)].map(escaped),
    ];
    let batches = case.runs.first().and_then(batches);
    about.extend(batches.map(|batches| ["batches", &batches].map(escaped)));
    let told = turns_and_search(case);
    about.extend(told.map(|(word, says)| [word.as_str(), &says].map(escaped)));
    let warnings = case.comparison.iter().flat_map(|comparison| &comparison.warnings);
    about.extend(warnings.map(|warning| ["warning", warning].map(escaped)));
    about.extend(case.notes.iter().map(|note| ["note", note].map(escaped)));
    text + &table(&["run", "as"], about)
}

/// A line for each metric; with several runs also how far they lie apart.
fn figures(case: &Case) -> String {
    let known = metric::all().filter_map(|it| Some((it.name, case.summary.get(it.name)?)));
    match case.runs.as_slice() {
        [_, _, ..] => table(
            &["metric", "median", "min", "max", "95 % sure"],
            known.map(|(name, figure)| spread(name, figure)),
        ),
        _ => table(
            &["metric", "value"],
            known.map(|(name, figure)| [name.to_owned(), show(name, figure.median)]),
        ),
    }
}

fn spread(name: &str, figure: &Figure) -> [String; 5] {
    let show = |value| show(name, value);
    let Figure { median, min, max, interval, .. } = *figure;
    let sure = interval.map(|(low, high)| format!("{} to {}", show(low), show(high)));
    [name.to_owned(), show(median), show(min), show(max), sure.unwrap_or_else(|| "-".to_owned())]
}

/// With a blank line before it, without which it would be text of the paragraph above. The first
/// column is of words, the others are of figures.
fn table<R: IntoIterator<Item = String>>(
    head: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = head.iter().map(|_| "---".to_owned()).collect();
    let head = head.iter().map(|&cell| cell.to_owned()).collect();
    let rows = rows.into_iter().map(|row| line(row.into_iter().collect()));
    format!("\n{}{}{}", line(head), line(rule), rows.collect::<String>())
}

/// As text that is nothing but text, in a cell. Every ASCII sign may be escaped (CommonMark 2.4).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for sign in text.chars() {
        match sign {
            '\r' | '\n' | '\t' => escaped.push(' '),
            '<' => escaped += "&lt;",
            // An entity: some tools cut tables at every pipe.
            '|' => escaped += "&#124;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '&' | '#' | '!' | '@' | '$' => {
                escaped.extend(['\\', sign]);
            }
            _ => escaped.push(sign),
        }
    }
    escaped
}
