//! A result, and its exporters: pure functions, one a format.
//! Never knows: how it was measured, the terminal.

mod bencher;
mod checks;
mod csv;
pub mod document;
mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod markup;
mod meaning;
mod table;
pub mod verdict;
mod words;

use document::Document;
pub use json::json;
pub use markdown::markdown;
pub use table::table as text;

/// What `kaw bench schema` prints: the JSON Schema of a result.
pub const SCHEMA: &str = include_str!("schema.json");

/// A way to write a result.
#[derive(Debug)]
pub struct Format {
    /// As `--output` has it.
    pub name: &'static str,
    /// What the name of such a file ends with.
    pub ending: &'static str,
    /// What it is for.
    pub about: &'static str,
    pub files: Files,
}

#[derive(Debug)]
pub enum Files {
    One(Render),
    /// Each with a word for its name.
    Several(&'static [(&'static str, Render)]),
}

type Render = fn(&Document) -> String;

const fn one(
    name: &'static str,
    ending: &'static str,
    about: &'static str,
    render: Render,
) -> Format {
    Format { name, ending, about, files: Files::One(render) }
}

/// The first is what people read.
pub static FORMATS: [Format; 8] = [
    one("text", ".txt", "For people", text),
    one("json", ".json", "All there is, as `kaw bench schema` describes it", json::json),
    one("csv", ".csv", "A row for each run", csv::csv),
    one("markdown", ".md", "Tables as GitHub shows them", markdown),
    one("html", ".html", "A page with charts that needs nothing else", html::html),
    Format {
        name: "github",
        ending: ".github.json",
        about: "NAME.bigger.json and NAME.smaller.json for github-action-benchmark \
                (customBiggerIsBetter and customSmallerIsBetter); markdown goes to \
                $GITHUB_STEP_SUMMARY",
        files: Files::Several(&[("bigger", github::bigger), ("smaller", github::smaller)]),
    },
    one("bencher", ".bencher.json", "The metric format of bencher.dev", bencher::bencher),
    one(
        "junit",
        ".xml",
        "A test for each thing that could fail, as JUnit writes them",
        junit::junit,
    ),
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
