//! Who gets colour: a terminal, unless the user or the environment says otherwise.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

/// When there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// What was typed, once it is known.
static TYPED: OnceLock<Color> = OnceLock::new();

const BOLD: &str = "\x1b[1m";
const HEADING: &str = "\x1b[1m\x1b[4m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

impl Color {
    /// Holds from now on, for all that this process says.
    pub fn choose(self) {
        // Only the first choice is one.
        let _ = TYPED.set(self);
    }

    /// What `--color` says among these words; what the command line makes of them comes too late
    /// for its own errors.
    pub fn typed(words: impl Iterator<Item = OsString>) -> Color {
        let mut words = words.map(|word| word.to_string_lossy().into_owned());
        let mut typed = Color::Auto;
        while let Some(word) = words.next().filter(|word| word != "--") {
            let value = match word.strip_prefix("--color") {
                Some("") => words.next(),
                Some(value) => value.strip_prefix('=').map(str::to_owned),
                None => None,
            };
            match value.as_deref() {
                Some("always") => typed = Color::Always,
                Some("never") => typed = Color::Never,
                _ => {}
            }
        }
        typed
    }

    /// NO_COLOR counts when it is set and not empty (no-color.org), CLICOLOR_FORCE when it is not 0
    /// either (bixense.com/clicolors).
    fn suits(self, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if is_set("NO_COLOR") => false,
            Color::Auto if is_set("CLICOLOR_FORCE") => {
                variable("CLICOLOR_FORCE").is_some_and(|value| value != "0")
            }
            Color::Auto => is_terminal && variable("TERM").is_some_and(|term| term != "dumb"),
        }
    }
}

fn suits(stream: &impl IsTerminal) -> bool {
    let typed = TYPED.get().copied().unwrap_or(Color::Auto);
    typed.suits(stream.is_terminal(), |name| env::var_os(name))
}

pub fn on_stdout() -> bool {
    suits(&io::stdout())
}

pub fn on_stderr() -> bool {
    suits(&io::stderr())
}

pub fn bold(text: &str) -> String {
    format!("{BOLD}{text}{PLAIN}")
}

/// As clap's own.
pub fn heading(text: &str) -> String {
    format!("{HEADING}{text}{PLAIN}")
}

pub fn dim(text: &str) -> String {
    format!("{DIM}{text}{PLAIN}")
}

pub fn red(text: &str) -> String {
    format!("{RED}{text}{PLAIN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, variables: &str, is_terminal: bool, want: bool) {
        let typed = Color::typed(typed.split(' ').map(OsString::from));
        let variable = |name: &str| {
            let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        assert_eq!(typed.suits(is_terminal, variable), want, "{typed:?} {variables}");
    }

    #[test]
    fn what_was_typed_wins_over_the_environment_and_that_over_the_terminal() {
        check("kaw topic list", "TERM=xterm", true, true);
        check("kaw topic list", "TERM=xterm", false, false);
        check("kaw topic list", "TERM=dumb", true, false);
        check("kaw topic list", "", true, false);
        check("kaw topic list", "TERM=xterm NO_COLOR=1", true, false);
        check("kaw topic list", "TERM=xterm NO_COLOR=", true, true);
        check("kaw topic list", "CLICOLOR_FORCE=1", false, true);
        check("kaw topic list", "TERM=xterm CLICOLOR_FORCE=0", true, false);
        check("kaw topic list", "NO_COLOR=1 CLICOLOR_FORCE=1", true, false);
        check("kaw --color always topic", "NO_COLOR=1", false, true);
        check("kaw topic --color=never", "CLICOLOR_FORCE=1", true, false);
        check("kaw broker run -- ls --color=always", "", false, false);
        check("kaw --colored always", "", false, false);
    }
}
