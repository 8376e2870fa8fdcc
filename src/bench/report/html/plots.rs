//! Which charts a result has.

use super::super::document::{Case, Figure, Run, Tick};
use super::super::words::{brokers, plain, show};
use super::axis::{Axis, Show};
use super::chart::{Chart, Group, Line, Point};

/// The runs of a case on one side of a comparison.
pub struct Side<'a> {
    pub name: String,
    pub runs: &'a [Run],
}

/// The side that was asked for comes first.
pub fn sides(case: &Case) -> Vec<Side<'_>> {
    let mut sides = vec![Side { name: "measured now".to_owned(), runs: &case.runs }];
    sides.extend(case.comparison.iter().map(|comparison| Side {
        name: format!("baseline of {}", comparison.started),
        runs: &comparison.runs,
    }));
    sides.extend(case.versus.iter().map(|versus| Side {
        name: format!("versus {}", brokers(&versus.brokers, &[])),
        runs: &versus.runs,
    }));
    sides
}

/// The charts of a case.
pub fn of_case(case: &Case) -> Vec<Chart> {
    let sides = sides(case);
    let mut charts = vec![throughput(&sides)];
    charts.extend(percentiles(&sides));
    charts.extend(tail_over_time(&sides));
    if sides.iter().any(|side| 1 < side.runs.len()) {
        charts.extend(["records/s", "p99"].iter().filter_map(|name| spread(&sides, name)));
    }
    charts
}

/// A line for each run, in the colour of its side.
fn lines(sides: &[Side<'_>], points: &dyn Fn(&Run) -> Vec<Point>) -> Vec<Line> {
    let of_side = |(colour, side): (usize, &Side<'_>)| {
        let group = Group { name: side.name.clone(), colour };
        let line = |(turn, run)| {
            let name = if side.runs.len() == 1 { String::new() } else { format!("{}", turn + 1) };
            Line { group: group.clone(), name, points: points(run) }
        };
        side.runs.iter().enumerate().map(line).collect::<Vec<_>>()
    };
    sides.iter().enumerate().flat_map(of_side).collect()
}

fn xs(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).map(|point| point.x)
}

fn ys(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).map(|point| point.y)
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn seconds(value: f64) -> String {
    format!("{}s", (value * 1e6).round() / 1e6)
}

/// A point at the middle of each tick; the last one may be cut short by the end of the window.
fn ticks(run: &Run) -> impl Iterator<Item = (f64, f64, &Tick)> {
    let (tick, end) = (run.timeline.tick_seconds, run.window.seconds);
    let starts = (0..).map(move |turn| f64::from(turn) * tick);
    run.timeline.ticks.iter().zip(starts).map(move |(of, start)| {
        let length = if start < end { tick.min(end - start) } else { tick };
        (start + length / 2.0, length, of)
    })
}

fn throughput(sides: &[Side<'_>]) -> Chart {
    let lines = lines(sides, &|run| {
        let rate = |(at, length, tick): (f64, f64, &Tick)| {
            let y = tick.records as f64 / length;
            let says = format!("{} records/s at {}", show("records/s", y), seconds(at));
            Point { x: at, y, range: None, says }
        };
        ticks(run).map(rate).collect()
    });
    Chart {
        title: "Throughput over time".to_owned(),
        x: Axis::linear("time in the window", most(xs(&lines)), &seconds),
        y: Axis::linear("records/s", most(ys(&lines)), &|value| show("records/s", value)),
        lines,
    }
}

fn show_latency(value: f64) -> String {
    show("p99", value)
}

fn percentiles(sides: &[Side<'_>]) -> Option<Chart> {
    let lines = lines(sides, &|run| {
        let curve = run.latency_curve.iter().map(|point| (point.part, point.seconds));
        finite(curve)
            .map(|(part, y)| {
                let says = format!("{}% within {}", rounded(part * 100.0), show_latency(y));
                Point { x: part, y, range: None, says }
            })
            .collect()
    });
    let most = most(xs(&lines));
    (0.0 < most).then(|| Chart {
        title: "Latency percentiles".to_owned(),
        x: Axis::nines("part of the records", most),
        y: Axis::log("latency", ys(&lines), &show_latency),
        lines,
    })
}

/// The whole has no place among nines: it stands where half of what was left is.
fn finite(curve: impl Iterator<Item = (f64, f64)>) -> impl Iterator<Item = (f64, f64)> {
    let mut last = 0.0;
    curve.map(move |(part, seconds)| {
        let part = if part < 1.0 { part } else { f64::midpoint(last, 1.0) };
        last = part;
        (part, seconds)
    })
}

fn rounded(percent: f64) -> f64 {
    (percent * 1e6).round() / 1e6
}

fn tail_over_time(sides: &[Side<'_>]) -> Option<Chart> {
    let lines = lines(sides, &|run| {
        let known = ticks(run).filter_map(|(at, _, tick)| Some((at, tick.p99?)));
        known
            .map(|(at, y)| {
                let says = format!("{} at {}", show_latency(y), seconds(at));
                Point { x: at, y, range: None, says }
            })
            .collect()
    });
    (0 < ys(&lines).count()).then(|| Chart {
        title: "Latency over time (p99 of each tick)".to_owned(),
        x: Axis::linear("time in the window", most(xs(&lines)), &seconds),
        y: Axis::log("latency", ys(&lines), &show_latency),
        lines,
    })
}

/// How far the runs of each side lie apart, in the order that they were run in.
fn spread(sides: &[Side<'_>], name: &str) -> Option<Chart> {
    let show: Show<'_> = &|value| show(name, value);
    let mut lines = Vec::new();
    for (colour, side) in sides.iter().enumerate() {
        let group = Group { name: side.name.clone(), colour };
        let values = side.runs.iter().map(|run| run.metrics.get(name).copied());
        let point = |(turn, value): (usize, Option<f64>)| {
            let (x, y) = (turn as f64, value?);
            Some(Point { x, y, range: None, says: format!("run {}: {}", turn + 1, show(y)) })
        };
        let points = values.enumerate().filter_map(point).collect();
        lines.push(Line { group, name: String::new(), points });
    }
    let runs = sides.iter().map(|side| side.runs.len()).max().unwrap_or(0);
    (0 < ys(&lines).count()).then(|| Chart {
        title: format!("{name} of each run"),
        x: Axis::names("run", (1..=runs).map(|turn| turn.to_string())),
        y: Axis::linear(name, most(ys(&lines)), show),
        lines,
    })
}

/// The curves of a sweep: medians, by the parameter that has the most values.
pub fn of_sweep(cases: &[Case]) -> Vec<Chart> {
    let mut workloads: Vec<&str> = cases.iter().map(|case| case.workload.as_str()).collect();
    workloads.dedup();
    let [_] = workloads.as_slice() else { return Vec::new() };
    let Some(axis) = axis(cases) else { return Vec::new() };
    ["records/s", "p99"].iter().filter_map(|name| curve(cases, &axis, name)).collect()
}

/// A parameter, and all that it was set to.
fn axis(cases: &[Case]) -> Option<(String, Vec<String>)> {
    let names = cases.first()?.parameters.keys();
    let swept = names.map(|name| (name.clone(), values(cases, name)));
    let swept = swept.filter(|(_, values)| 1 < values.len());
    // The first of those that have as many.
    swept.rev().max_by_key(|(_, values)| values.len())
}

fn values(cases: &[Case], name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in cases.iter().map(|case| value(case, name)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

fn value(case: &Case, name: &str) -> String {
    case.parameters.get(name).map_or_else(String::new, plain)
}

/// A line for each combination of the other parameters.
fn curve(cases: &[Case], (axis, names): &(String, Vec<String>), metric: &str) -> Option<Chart> {
    let others: Vec<_> = cases.first()?.parameters.keys().filter(|name| *name != axis).collect();
    let others: Vec<_> = others.into_iter().filter(|name| 1 < values(cases, name).len()).collect();
    let mut lines: Vec<Line> = Vec::new();
    for case in cases {
        let Some(figure) = case.summary.get(metric) else { continue };
        let combination: Vec<_> =
            others.iter().map(|name| format!("{name} {}", value(case, name))).collect();
        let name = combination.join(", ");
        let place = names.iter().position(|name| *name == value(case, axis)).unwrap_or(0);
        let point = point_of(figure, place as f64, metric, &case.name);
        match lines.iter_mut().find(|line| line.group.name == name) {
            Some(line) => line.points.push(point),
            None => {
                let group = Group { name, colour: lines.len() };
                lines.push(Line { group, name: String::new(), points: vec![point] });
            }
        }
    }
    let show: Show<'_> = &|value| show(metric, value);
    let tops = lines.iter().flat_map(|line| &line.points);
    let top = most(tops.map(|point| point.range.map_or(point.y, |(_, high)| high)));
    (!lines.is_empty()).then(|| Chart {
        title: format!("{metric} by {axis}"),
        x: Axis::names(axis, names.iter().cloned()),
        y: Axis::linear(metric, top, show),
        lines,
    })
}

fn point_of(figure: &Figure, x: f64, metric: &str, name: &str) -> Point {
    let Figure { median, min, max, interval, .. } = *figure;
    let range = interval.or((min < max).then_some((min, max)));
    Point { x, y: median, range, says: format!("{name}: {}", show(metric, median)) }
}
