//! The words of `-f` formats and delimiters, the same for what is written and what is read.
//! Never knows: records, librdkafka, clap.

pub mod c_number;
mod escape;
mod number;
mod word;

pub use escape::delimiter;
pub use number::Number;
pub use word::{Braces, Modifier, Token, Word, words};
