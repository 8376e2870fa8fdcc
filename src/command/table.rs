//! Tables: borders for people, plain aligned columns for awk.

use std::io::{self, IsTerminal};

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Width};

use super::{Exit, color, stdio};

/// Lines that are drawn between cells, and at the beginning of those between rows.
const BARS: [&str; 2] = ["│", "┆"];
const RULES: [char; 3] = ['┌', '╞', '└'];

/// A column of text may be cut into lines of so many letters, or its heading's, not shorter ones.
const LETTERS_MIN: u16 = 10;

/// How tables are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub ruling: Ruling,
    pub colored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Borders, within so many columns of a terminal where its width is known; without them where
    /// there is no room for both.
    Borders {
        width: Option<u16>,
    },
    Plain,
}

impl Look {
    /// What suits whoever reads stdout.
    pub fn of_stdout() -> Look {
        let ruling = match io::stdout().is_terminal() {
            true => Ruling::Borders { width: stdio::width(io::stdout()) },
            false => Ruling::Plain,
        };
        Look { ruling, colored: color::on_stdout() }
    }
}

/// A column's heading, and which side its cells keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Text(&'static str),
    Number(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Column::Text(name) | Column::Number(name) => name,
        }
    }

    fn alignment(self) -> CellAlignment {
        match self {
            Column::Text(_) => CellAlignment::Left,
            Column::Number(_) => CellAlignment::Right,
        }
    }
}

/// Rows below headings.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; an empty cell becomes a dash, so that no column is ever missing.
    pub fn add(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.columns.len(), "a row has a cell for each column");
        let dashed = |cell: String| if cell.is_empty() { "-".to_owned() } else { cell };
        self.rows.push(row.into_iter().map(dashed).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn print(self, look: Look, headed: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.force_no_tty();
        if headed {
            let bold = |column: &Column| Cell::new(column.name()).add_attribute(Attribute::Bold);
            table.set_header(self.columns.iter().map(bold));
        }
        table.add_rows(self.rows);
        for (column, shape) in self.columns.iter().zip(table.column_iter_mut()) {
            shape.set_cell_alignment(column.alignment());
        }
        table.set_content_arrangement(ContentArrangement::Disabled);
        let Ruling::Borders { width } = look.ruling else {
            return unruled(table, look, headed);
        };
        if let Some(width) = width {
            fit(&mut table, &self.columns, width);
        }
        table.load_style(UTF8_FULL_CONDENSED);
        if width.is_some_and(|width| usize::from(width) < breadth(&table)) {
            return unruled(table, look, headed);
        }
        if look.colored {
            table.enforce_styling();
        }
        let dimmed = |line| if look.colored { dimmed(line) } else { line };
        table.lines().map(|line| dimmed(line) + "\n").collect()
    }
}

/// Rows as awk wants them.
fn unruled(mut table: comfy_table::Table, look: Look, headed: bool) -> String {
    table.load_style(NOTHING);
    let heads = usize::from(headed && look.colored);
    let (bold, rest) = (table.lines().take(heads), table.lines().skip(heads));
    let bold = bold.map(|line| color::bold(&plain(&line)) + "\n");
    bold.chain(rest.map(|line| plain(&line) + "\n")).collect()
}

/// How many columns of a terminal it takes. Its first line is drawn, a column a letter.
fn breadth(table: &comfy_table::Table) -> usize {
    table.lines().next().map_or(0, |line| line.chars().count())
}

/// Cuts long texts into lines, so that the table fits; a number stays whole, and so does a heading.
fn fit(table: &mut comfy_table::Table, columns: &[Column], width: u16) {
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width);
    let letters = table.column_max_content_widths();
    let all = columns.iter().zip(letters).zip(table.column_iter_mut());
    for ((column, letters), shape) in all {
        let heading = u16::try_from(column.name().len()).unwrap_or(LETTERS_MIN);
        let padded = letters.min(LETTERS_MIN.max(heading)) + shape.padding_width();
        shape.set_constraint(match column {
            Column::Number(_) => ColumnConstraint::ContentWidth,
            Column::Text(_) => ColumnConstraint::LowerBoundary(Width::Fixed(padded)),
        });
    }
}

/// What is drawn steps back behind what is said.
fn dimmed(line: String) -> String {
    if line.starts_with(RULES) {
        return color::dim(&line);
    }
    BARS.iter().fold(line, |line, bar| line.replace(bar, &color::dim(bar)))
}

/// Without the blank that pads the first column, and those that pad the last.
fn plain(line: &str) -> String {
    let line = line.trim_end();
    line.strip_prefix(' ').unwrap_or(line).to_owned()
}

/// What the output looks like.
#[derive(clap::Args, Debug)]
pub struct Shape {
    /// Print JSON, one object a line
    #[arg(short = 'J', long)]
    pub json: bool,
    /// Print tables without headings
    #[arg(long)]
    pub no_headers: bool,
}

impl Shape {
    /// Prints the lines where JSON is wanted, else the tables that have rows, a blank line between.
    pub fn print<const N: usize>(&self, lines: String, tables: [Table; N]) -> anyhow::Result<Exit> {
        if self.json {
            return stdio::print(&lines);
        }
        let look = Look::of_stdout();
        let tables = tables.into_iter().enumerate();
        let shown = tables.filter(|(index, table)| *index == 0 || !table.is_empty());
        let shown: Vec<_> = shown.map(|(_, table)| table.print(look, !self.no_headers)).collect();
        stdio::print(&shown.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[Column::Text("TOPIC"), Column::Number("RECORDS")]);
        table.add(vec!["orders".into(), "12345678".into()]);
        table.add(vec!["x".into(), String::new()]);
        table
    }

    const PLAIN: Look = Look { ruling: Ruling::Plain, colored: false };

    fn borders(width: Option<u16>, colored: bool) -> Look {
        Look { ruling: Ruling::Borders { width }, colored }
    }

    #[test]
    fn a_pipe_gets_aligned_columns() {
        assert_eq!(
            table().print(PLAIN, true),
            "TOPIC    RECORDS\norders  12345678\nx              -\n"
        );
        assert_eq!(table().print(PLAIN, false), "orders  12345678\nx              -\n");
    }

    #[test]
    fn a_terminal_gets_borders() {
        assert_eq!(
            table().print(borders(Some(80), false), true),
            "┌────────┬──────────┐\n\
             │ TOPIC  ┆ RECORDS  │\n\
             ╞════════╪══════════╡\n\
             │ orders ┆ 12345678 │\n\
             │ x      ┆        - │\n\
             └────────┴──────────┘\n"
                .replace("RECORDS  ", " RECORDS ")
        );
    }

    #[test]
    fn long_texts_are_cut_into_lines_and_numbers_never() {
        let mut table = table();
        table.add(vec!["a-topic-with-a-long-name".into(), "1234567890123".into()]);
        assert_eq!(
            table.print(borders(Some(36), false), false),
            "┌──────────────────┬───────────────┐\n\
             │ orders           ┆      12345678 │\n\
             │ x                ┆             - │\n\
             │ a-topic-with-a-l ┆ 1234567890123 │\n\
             │ ong-name         ┆               │\n\
             └──────────────────┴───────────────┘\n"
        );
    }

    #[test]
    fn a_terminal_that_is_far_too_narrow_still_gets_words() {
        let text = table().print(borders(Some(5), false), false);
        assert_eq!(text, "orders  12345678\nx              -\n");
    }

    #[test]
    fn borders_go_first_where_room_is_scarce_and_headings_stay_whole() {
        let mut table = Table::new(&[Column::Text("COORDINATOR"), Column::Number("LAG")]);
        table.add(vec!["broker.example:9092".into(), "12".into()]);
        assert_eq!(
            table.print(borders(Some(20), false), true),
            "COORDINATOR    LAG\nbroker.exampl   12\ne:9092\n"
        );
    }

    #[test]
    fn headings_stand_out_and_borders_step_back() {
        let text = table().print(borders(None, true), true);
        assert!(text.starts_with("\x1b[2m┌"), "{text}");
        assert!(text.contains("\x1b[1m") && text.contains("\x1b[2m┆\x1b[0m"), "{text}");
        let plain = table().print(Look { colored: true, ..PLAIN }, true);
        assert!(plain.starts_with("\x1b[1mTOPIC    RECORDS\x1b[0m\norders  "), "{plain}");
    }
}
