//! What kcat says on stderr, and how it ends.

use std::io::{self, Write};

/// How a run ends before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All is said.
    With(u8),
    /// `% ERROR: …`
    Fatal(String),
}

/// Fails as kcat's `KC_FATAL`.
pub fn fatal<T>(text: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::Fatal(text.into()))
}

/// What is said to whom: kcat's `-q` and `-v`, and `-E`.
#[derive(Clone, Copy, Debug)]
pub struct Say {
    pub verbosity: i32,
    pub exit_on_error: bool,
}

impl Say {
    /// A line from this verbosity on.
    pub fn info(&self, verbosity: i32, text: &str) {
        if verbosity <= self.verbosity {
            raw(&format!("% {text}\n"));
        }
    }

    /// An error that ends the run, unless kcat was told to go on.
    pub fn error(&self, text: &str) -> Result<(), Ended> {
        if self.exit_on_error {
            raw(&format!("% ERROR: {text}: terminating\n"));
            return Err(Ended::With(1));
        }
        raw(&format!("% ERROR: {text}\n"));
        Ok(())
    }
}

/// Text on stderr as it is. Nothing can be done where that is closed.
pub fn raw(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
