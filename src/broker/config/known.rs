//! Which configs there are, and the words that some of them take: what a person may want to type.

use super::broker_rows::BROKER_ROWS;
use super::topic_rows::TOPIC_ROWS;
use super::{Kind, Row, Rule};

/// A config by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub name: &'static str,
    /// Its values, where they are words of which there are few.
    pub words: &'static [&'static str],
}

/// All that a topic can have.
pub fn topic_configs() -> Vec<Known> {
    TOPIC_ROWS.iter().map(|topic| known(&topic.row)).collect()
}

/// All that a broker can have.
pub fn broker_configs() -> Vec<Known> {
    BROKER_ROWS.iter().map(|broker| known(&broker.row)).collect()
}

fn known(row: &Row) -> Known {
    let words: &[_] = match (row.kind, row.rule) {
        (_, Rule::OneOf(words) | Rule::OneOfAnyCase(words)) => words,
        (Kind::Boolean, _) => &["true", "false"],
        _ => &[],
    };
    Known { name: row.name, words }
}
