//! A result for programs: one JSON object on one line.

use super::document::Document;

pub fn json(document: &Document) -> String {
    let text = serde_json::to_string(document);
    text.expect("names and finite numbers can be written as JSON") + "\n"
}
