//! A result, and its exporters: pure functions, one a format.
//! Never knows: how it was measured, the terminal.

mod checks;
mod csv;
pub mod document;
mod json;
mod markdown;
mod meaning;
mod table;
pub mod verdict;
mod words;

use document::Document;
pub use json::json;

/// What `kaw bench schema` prints: the JSON Schema of a result.
pub const SCHEMA: &str = include_str!("schema.json");

/// A way to write a result.
#[derive(Debug)]
pub struct Format {
    /// As `--output` has it.
    pub name: &'static str,
    /// What the name of such a file ends with.
    pub ending: &'static str,
    pub render: fn(&Document) -> String,
}

const fn of(name: &'static str, ending: &'static str, render: fn(&Document) -> String) -> Format {
    Format { name, ending, render }
}

/// The first is what people read.
pub static FORMATS: [Format; 4] = [
    of("text", ".txt", table::table),
    of("json", ".json", json::json),
    of("csv", ".csv", csv::csv),
    of("markdown", ".md", markdown::markdown),
];

/// The format of this name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The format that a file of this name is in: that of its longest ending.
pub fn format_of_file(name: &str) -> Option<&'static Format> {
    let fits = FORMATS.iter().filter(|format| name.ends_with(format.ending));
    fits.max_by_key(|format| format.ending.len())
}

#[cfg(test)]
pub mod tests;
