//! Things of one kind, one a line as they come: columns for awk, or JSON.

use std::io::{self, Write};

use serde_json::{Map, Value};

/// Names and values; a list's things all have the same names.
pub type Row = Vec<(&'static str, Value)>;

/// Columns of numbers are at least this wide: what comes later is not known yet.
const WIDTH_MIN: usize = 10;

/// Prints rows to `out`.
pub struct Rows<W> {
    pub out: W,
    pub json: bool,
    pub headed: bool,
    /// The list is under way: its heading is there.
    begun: bool,
}

impl<W: Write> Rows<W> {
    pub fn new(out: W, json: bool, headed: bool) -> Rows<W> {
        Rows { out, json, headed, begun: false }
    }

    /// Another list begins.
    pub fn begin(&mut self) {
        self.begun = false;
    }

    /// One thing of the file.
    pub fn print(&mut self, file: &str, row: Row) -> io::Result<()> {
        if self.json {
            let named = [("file", Value::from(file))];
            let fields = named.into_iter().chain(row).map(|(name, value)| (name.to_owned(), value));
            let object: Map<String, Value> = fields.collect();
            return writeln!(self.out, "{}", Value::Object(object));
        }
        if !self.begun && self.headed {
            let cell = |(name, _): &(&str, Value)| padded(&name.to_uppercase(), name.len());
            let heading: Vec<String> = row.iter().map(cell).collect();
            writeln!(self.out, "{}", heading.join("  ").trim_end())?;
        }
        self.begun = true;
        let cells: Vec<String> =
            row.iter().map(|(name, value)| padded(&plain(value), name.len())).collect();
        writeln!(self.out, "{}", cells.join("  ").trim_end())
    }

    /// A text of no list.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }
}

fn padded(text: &str, name: usize) -> String {
    format!("{text:>width$}", width = name.max(WIDTH_MIN))
}

/// A cell: never empty, so that no column is missing.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: bool) -> String {
        let mut rows = Rows::new(Vec::new(), json, true);
        for offset in [7, 123_456] {
            rows.print("a", vec![("offset", offset.into()), ("codec", "".into())]).unwrap();
        }
        String::from_utf8(rows.out).unwrap()
    }

    #[test]
    fn columns_line_up_and_json_is_whole() {
        assert_eq!(printed(false), {
            "    OFFSET       CODEC\n         7           -\n    123456           -\n"
        });
        assert_eq!(printed(true).lines().next(), Some(r#"{"file":"a","offset":7,"codec":""}"#));
    }
}
