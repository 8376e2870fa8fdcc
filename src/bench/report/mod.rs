//! A result, and its exporters: pure functions, one a format.
//! Never knows: how it was measured, the terminal.

pub mod document;
mod json;
mod meaning;
mod table;

use document::Document;

/// What `kaw bench schema` prints: the JSON Schema of a result.
pub const SCHEMA: &str = include_str!("schema.json");

/// A way to write a result.
#[derive(Debug)]
pub struct Format {
    /// As `--output` has it.
    pub name: &'static str,
    pub render: fn(&Document) -> String,
}

/// The first is what people read.
pub const FORMATS: &[Format] =
    &[Format { name: "text", render: table::table }, Format { name: "json", render: json::json }];

/// The format of this name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests;
