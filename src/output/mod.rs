//! Records in, bytes out; pure over `Write`.
//! Never knows: librdkafka, clap, sockets.

mod json;
pub mod kcat;
mod number;
mod printer;
mod query;
mod template;
mod time;

pub use json::Json;
pub use printer::Printer;
pub use query::{Query, Strings};
pub use template::{Null, Template};

use crate::record::Delivered;

/// What is printed, and of which records.
pub struct View {
    /// Which records; all of them without it.
    pub filter: Option<Query>,
    pub format: Format,
}

/// How one record becomes bytes.
pub enum Format {
    Template(Template),
    Json(Json),
    /// What an expression makes of it, each result ended by these bytes.
    Select {
        query: Box<Query>,
        strings: Strings,
        end: Vec<u8>,
    },
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    Printed,
    LeftOut,
    /// An expression failed at it.
    Failed(String),
}

impl View {
    /// Whether headers are looked at: parsing them is left out where they are not.
    pub fn needs_headers(&self) -> bool {
        let filter = self.filter.as_ref().is_some_and(Query::needs_headers);
        filter
            || match &self.format {
                Format::Template(template) => template.needs_headers(),
                Format::Json(_) => true,
                Format::Select { query, .. } => query.needs_headers(),
            }
    }

    /// Whether it prints how far partitions reach: asking for it is left out where it does not.
    pub fn needs_watermarks(&self) -> bool {
        matches!(&self.format, Format::Template(template) if template.needs_watermarks())
    }

    /// Appends one record to `out`.
    pub fn print(&mut self, delivered: &Delivered<'_>, out: &mut Vec<u8>) -> Fate {
        match self.filter.as_ref().map(|filter| filter.keeps(delivered)) {
            None | Some(Ok(true)) => self.format.print(delivered, out),
            Some(Ok(false)) => Fate::LeftOut,
            Some(Err(why)) => Fate::Failed(format!("--where: {why}")),
        }
    }
}

impl Format {
    fn print(&mut self, delivered: &Delivered<'_>, out: &mut Vec<u8>) -> Fate {
        match self {
            Format::Template(template) => template.print(delivered, out),
            Format::Json(json) => json.print(delivered, out),
            Format::Select { query, strings, end } => {
                return match query.print(delivered, *strings, end, out) {
                    Ok(0) => Fate::LeftOut,
                    Ok(_) => Fate::Printed,
                    Err(why) => Fate::Failed(format!("--select: {why}")),
                };
            }
        }
        Fate::Printed
    }
}
