//! Tables: borders for people, plain aligned columns for awk.

use std::io::{self, IsTerminal};

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement};

use super::{Exit, stdio};

/// How tables are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Bordered,
    Plain,
}

impl Look {
    /// What suits whoever reads stdout.
    pub fn of_stdout() -> Look {
        if io::stdout().is_terminal() { Look::Bordered } else { Look::Plain }
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
        table.load_style(match look {
            Look::Bordered => UTF8_FULL_CONDENSED,
            Look::Plain => NOTHING,
        });
        table.set_content_arrangement(ContentArrangement::Disabled);
        if headed {
            table.set_header(self.columns.iter().map(|column| column.name()));
        }
        table.add_rows(self.rows);
        for (column, shape) in self.columns.iter().zip(table.column_iter_mut()) {
            shape.set_cell_alignment(column.alignment());
        }
        match look {
            Look::Bordered => table.lines().map(|line| line + "\n").collect(),
            Look::Plain => table.lines().map(|line| plain(&line)).collect(),
        }
    }
}

/// Without the blank that pads the first column, and those that pad the last.
fn plain(line: &str) -> String {
    let line = line.trim_end();
    format!("{}\n", line.strip_prefix(' ').unwrap_or(line))
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

    #[test]
    fn a_pipe_gets_aligned_columns() {
        assert_eq!(
            table().print(Look::Plain, true),
            "TOPIC    RECORDS\norders  12345678\nx              -\n"
        );
        assert_eq!(table().print(Look::Plain, false), "orders  12345678\nx              -\n");
    }

    #[test]
    fn a_terminal_gets_borders() {
        assert_eq!(
            table().print(Look::Bordered, true),
            "┌────────┬──────────┐\n\
             │ TOPIC  ┆ RECORDS  │\n\
             ╞════════╪══════════╡\n\
             │ orders ┆ 12345678 │\n\
             │ x      ┆        - │\n\
             └────────┴──────────┘\n"
                .replace("RECORDS  ", " RECORDS ")
        );
    }
}
