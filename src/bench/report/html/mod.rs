//! A result as one page that needs nothing else: no network, no script; charts are SVG, and what
//! they show is also there as tables.

mod axis;
mod chart;
mod plots;

use super::super::metric;
use super::checks::{checks, passed};
use super::document::{Case, Document, Run};
use super::markup::escaped;
use super::table::turns_and_search;
use super::words::{batches, brokers, extent, host, load, medians, show, spread};
use chart::Chart;

const STYLE: &str = include_str!("page.css");

/// What the page may load: nothing. Its style is its own.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub fn html(document: &Document) -> String {
    let word = if passed(document) { "passed" } else { "failed" };
    let cases = document.results.as_slice();
    let sections = cases.iter().enumerate().map(|(number, case)| section(number, case));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>kaw bench: {word}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>kaw bench: <span class=\"{word}\">{word}</span></h1>\n\
         <p><code>{}</code></p>\n{}{}{}</main>\n</body>\n</html>\n",
        escaped(&document.command.join(" ")),
        all(cases),
        sections.collect::<String>(),
        about(document),
    )
}

/// Several cases side by side.
fn all(cases: &[Case]) -> String {
    let [_, _, ..] = cases else { return String::new() };
    let (head, rows) = medians(cases);
    table("Medians of all cases", &head, &rows) + &charts("all", &plots::of_sweep(cases))
}

fn section(number: usize, case: &Case) -> String {
    let facts = [
        ("extent", Some(extent(case))),
        ("load", Some(load(case))),
        ("brokers", Some(brokers(&case.brokers, &case.runs))),
        ("batches", case.runs.first().and_then(batches)),
    ];
    let facts = facts.into_iter().filter_map(|(name, says)| Some((name, says?)));
    let facts = facts.map(|(name, says)| (name.to_owned(), says)).chain(turns_and_search(case));
    let warnings = case.comparison.iter().flat_map(|comparison| &comparison.warnings);
    let warnings = warnings.map(|warning| ("warning".to_owned(), warning.clone()));
    let notes = case.notes.iter().map(|note| ("note".to_owned(), note.clone()));
    format!(
        "<section>\n<h2>{}</h2>\n{}{}{}{}{}</section>\n",
        escaped(&case.name),
        verdicts(case),
        charts(&format!("case{number}"), &plots::of_case(case)),
        figures(case),
        definitions(facts.chain(warnings).chain(notes)),
        details(case),
    )
}

/// What could fail, and whether it did.
fn verdicts(case: &Case) -> String {
    let line = |check: super::checks::Check| {
        let word = if check.failed { "failed" } else { "passed" };
        let (name, says) = (escaped(&check.name), escaped(&check.says));
        format!("<tr><td class=\"{word}\">{word}</td><td>{name}</td><td>{says}</td></tr>\n")
    };
    let lines: String = checks(case).into_iter().map(line).collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr><th>check</th><th>of</th><th>because</th></tr>\
         </thead>\n<tbody>\n{lines}</tbody></table></div>\n"
    )
}

fn figures(case: &Case) -> String {
    let known = metric::all().filter_map(|it| Some((it.name, case.summary.get(it.name)?)));
    let rows: Vec<_> = known
        .map(|(name, figure)| match case.runs.len() {
            1 => vec![name.to_owned(), show(name, figure.median)],
            _ => vec![name.to_owned(), spread(name, figure)],
        })
        .collect();
    table("Figures", &["metric", "value"], &rows)
}

/// The figures of the charts, for who cannot see them.
fn details(case: &Case) -> String {
    let mut text = String::new();
    for (turn, run) in case.runs.iter().enumerate() {
        let name = format!("run {}", turn + 1);
        text += &format!("<details>\n<summary>Figures of the charts, {name}</summary>\n");
        text += &curve(run);
        text += &course(run);
        text += "</details>\n";
    }
    text
}

fn curve(run: &Run) -> String {
    let rows: Vec<_> = run
        .latency_curve
        .iter()
        .map(|point| vec![format!("{}%", point.part * 100.0), show("p99", point.seconds)])
        .collect();
    if rows.is_empty() { String::new() } else { table("Latency", &["of records", "within"], &rows) }
}

fn course(run: &Run) -> String {
    let latency = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |it| show("p99", it));
    let row = |(turn, tick): (usize, &super::document::Tick)| {
        let start = turn as f64 * run.timeline.tick_seconds;
        vec![
            format!("{start:.1}s"),
            tick.records.to_string(),
            tick.bytes.to_string(),
            latency(tick.p50),
            latency(tick.p99),
        ]
    };
    let rows: Vec<_> = run.timeline.ticks.iter().enumerate().map(row).collect();
    table("Course of the window", &["from", "records", "bytes", "p50", "p99"], &rows)
}

fn about(document: &Document) -> String {
    let versions = &document.versions;
    let facts = [
        ("started", document.started.clone()),
        ("host", host(&document.host)),
        ("versions", format!("kaw {}, librdkafka {}", versions.kaw, versions.librdkafka)),
    ];
    format!(
        "<section>\n<h2>Measured on</h2>\n{}</section>\n",
        definitions(facts.map(|(name, says)| (name.to_owned(), says)).into_iter())
    )
}

fn definitions(facts: impl Iterator<Item = (String, String)>) -> String {
    let line = |(name, says): (String, String)| {
        format!("<dt>{}</dt><dd>{}</dd>\n", escaped(&name), escaped(&says))
    };
    format!("<dl>\n{}</dl>\n", facts.map(line).collect::<String>())
}

fn charts(id: &str, charts: &[Chart]) -> String {
    let figures = charts.iter().enumerate();
    let figures = figures.map(|(number, chart)| chart.figure(&format!("{id}-{number}")));
    match charts {
        [] => String::new(),
        _ => format!("<div class=\"charts\">\n{}</div>\n", figures.collect::<String>()),
    }
}

/// Words in the first column, figures in the others. It scrolls by itself where it is too wide, by
/// keys too.
fn table(name: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let class = |column| if column == 0 { "" } else { " class=\"figure\"" };
    let cells = |tag: &str, row: &mut dyn Iterator<Item = &str>| {
        let cell = |(column, cell): (usize, &str)| {
            format!("<{tag}{}>{}</{tag}>", class(column), escaped(cell))
        };
        format!("<tr>{}</tr>\n", row.enumerate().map(cell).collect::<String>())
    };
    let rows = rows.iter().map(|row| cells("td", &mut row.iter().map(String::as_str)));
    let name = escaped(name);
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\"><table>\n\
         <thead>{}</thead>\n<tbody>\n{}</tbody></table></div>\n",
        cells("th", &mut head.iter().copied()),
        rows.collect::<String>(),
    )
}
