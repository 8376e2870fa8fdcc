//! Records in, bytes out; pure over `Write`.
//! Never knows: librdkafka, clap, sockets.

mod json;
mod number;
mod printer;
mod template;
mod time;

pub use printer::Printer;
pub use template::{Null, Template};

use crate::record::Delivered;

/// How one record becomes bytes.
#[derive(Clone, Debug)]
pub enum Format {
    Template(Template),
    /// JSON, each record ended by these bytes.
    Json(Vec<u8>),
}

impl Format {
    /// Whether headers are looked at: parsing them is left out where they are not.
    pub fn needs_headers(&self) -> bool {
        match self {
            Format::Template(template) => template.needs_headers(),
            Format::Json(_) => true,
        }
    }

    /// Appends one record to `out`.
    pub fn print(&mut self, delivered: &Delivered<'_>, out: &mut Vec<u8>) {
        match self {
            Format::Template(template) => template.print(delivered, out),
            Format::Json(end) => {
                json::print(delivered, out);
                out.extend_from_slice(end);
            }
        }
    }
}
