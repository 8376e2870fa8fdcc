//! A chart as SVG that stands in a page. Never knows: what is drawn.

use std::fmt::Write;

use super::super::markup::escaped;
use super::axis::Axis;

/// Small, so that letters keep their size on a phone.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 230.0;

/// Where the lines are; around them are the names of values.
const LEFT: f64 = 54.0;
const RIGHT: f64 = 338.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 186.0;

/// More dots than that would be a line again.
const DOTS_MAX: usize = 40;

/// Letters of a name below a tick of the axis, where there are so many ticks.
const NAMES_CHARS: usize = 52;

pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
}

/// Points in a row.
pub struct Line {
    /// Lines of one group look the same, and are named once.
    pub group: Group,
    /// Which of the group.
    pub name: String,
    pub points: Vec<Point>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub name: String,
    /// Of the colours of the page.
    pub colour: usize,
}

pub struct Point {
    pub x: f64,
    pub y: f64,
    /// Between which values it may lie.
    pub range: Option<(f64, f64)>,
    /// For people, when they point at it.
    pub says: String,
}

/// How many colours the page has.
pub const COLOURS: usize = 6;

impl Chart {
    /// With its legend. The id is of this chart alone in its page.
    pub fn figure(&self, id: &str) -> String {
        let title = escaped(&self.title);
        format!(
            "<figure>\n<figcaption>{title}</figcaption>\n\
             <svg id=\"{id}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"{id}-title\"><title id=\"{id}-title\">{title}: {}</title>\n\
             {}{}{}</svg>\n{}</figure>\n",
            escaped(&format!("{} by {}", self.y.label, self.x.label)),
            self.horizontal(),
            self.vertical(),
            self.lines.iter().map(|line| self.line(line)).collect::<String>(),
            self.legend(),
        )
    }

    /// The values of y: a line across, and its name at the left.
    fn horizontal(&self) -> String {
        let mut svg = String::new();
        for (value, name) in &self.y.ticks {
            let Some(y) = self.y(*value) else { continue };
            // Writing to a string cannot fail.
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y}H{RIGHT}\"/>\
                 <text class=\"y\" x=\"{}\" y=\"{y}\">{}</text>",
                LEFT - 5.0,
                escaped(name)
            );
        }
        svg
    }

    /// The values of x below, and what they are of. Names that would not fit are left out.
    fn vertical(&self) -> String {
        let mut svg = String::new();
        let letters: usize = self.x.ticks.iter().map(|(_, name)| name.chars().count() + 1).sum();
        let every = letters.div_ceil(NAMES_CHARS).max(1);
        for (value, name) in self.x.ticks.iter().step_by(every) {
            let Some(x) = self.x(*value) else { continue };
            let y = BOTTOM + 16.0;
            let _ = writeln!(
                svg,
                "<path class=\"tick\" d=\"M{x} {BOTTOM}v4\"/>\
                 <text class=\"x\" x=\"{x}\" y=\"{y}\">{}</text>",
                escaped(name)
            );
        }
        let (x, y) = (f64::midpoint(LEFT, RIGHT), HEIGHT - 8.0);
        let label = escaped(&self.x.label);
        let _ = writeln!(svg, "<text class=\"label\" x=\"{x}\" y=\"{y}\">{label}</text>");
        svg
    }

    fn line(&self, line: &Line) -> String {
        let Group { name: group, colour } = &line.group;
        let name = escaped(&format!("{group} {}", line.name));
        let mut svg = format!("<g class=\"c{}\" data-name=\"{}\">", colour % COLOURS, name.trim());
        let placed: Vec<_> = line.points.iter().filter_map(|point| self.placed(point)).collect();
        let path: Vec<_> = placed.iter().map(|(x, y, _)| format!("{x},{y}")).collect();
        let _ = write!(svg, "<polyline points=\"{}\"/>", path.join(" "));
        if placed.len() <= DOTS_MAX {
            for (x, y, point) in placed {
                let ends = point.range.and_then(|(low, high)| Some((self.y(low)?, self.y(high)?)));
                if let Some((low, high)) = ends {
                    let _ = write!(svg, "<path class=\"range\" d=\"M{x} {low}V{high}\"/>");
                }
                let says = escaped(&point.says);
                let _ = write!(
                    svg,
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\"><title>{says}</title></circle>"
                );
            }
        }
        svg + "</g>\n"
    }

    fn legend(&self) -> String {
        let mut groups: Vec<&Group> = Vec::new();
        for line in &self.lines {
            if !groups.contains(&&line.group) {
                groups.push(&line.group);
            }
        }
        if let [] | [_] = groups.as_slice() {
            return String::new();
        }
        let key = |group: &&Group| {
            let (colour, name) = (group.colour % COLOURS, escaped(&group.name));
            format!(
                "<li><svg class=\"key\" viewBox=\"0 0 24 8\" aria-hidden=\"true\">\
                 <g class=\"c{colour}\"><polyline points=\"0,4 24,4\"/></g></svg>{name}</li>\n"
            )
        };
        format!("<ul class=\"legend\">\n{}</ul>\n", groups.iter().map(key).collect::<String>())
    }

    fn placed<'a>(&self, point: &'a Point) -> Option<(f64, f64, &'a Point)> {
        Some((self.x(point.x)?, self.y(point.y)?, point))
    }

    fn x(&self, value: f64) -> Option<f64> {
        Some(rounded(LEFT + self.x.place(value)? * (RIGHT - LEFT)))
    }

    fn y(&self, value: f64) -> Option<f64> {
        Some(rounded(BOTTOM - self.y.place(value)? * (BOTTOM - TOP)))
    }
}

/// No screen shows more.
fn rounded(coordinate: f64) -> f64 {
    (coordinate * 100.0).round() / 100.0
}
