//! Every option of every command, in sessions that are played: what was typed, what was seen.
//!
//! `session/anywhere.txt` is the same against Apache Kafka (`apache.rs` plays it there),
//! `session/here.txt` is of the built-in broker and of what is around it, and `session/refused.txt`
//! is what cannot be. A line that begins with `$ ` is run by bash; below it is all that it says,
//! and its exit code in brackets unless that is 0. `KAW_BLESS=1 cargo test --release session`
//! writes anew what is below the commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::harness::Kaw;

const ALL: [&str; 3] = ["anywhere", "here", "refused"];

/// Commands whose every option is shown. bench and kcat have tables of their own.
const COMMANDS: [&str; 8] =
    ["topic", "produce", "consume", "group", "backup", "restore", "config", "broker"];

/// Options that take whatever is typed.
const NEVER_REFUSED: [&str; 2] = ["produce --header", "produce --key"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/session/{name}.txt"))
}

/// What a session shows.
pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

fn commands(name: &str) -> Vec<String> {
    text(name).lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// Plays a session, against these brokers if any are given.
pub fn played(kaw: &Kaw, name: &str, brokers: &str) -> String {
    let mut all = String::new();
    for line in commands(name) {
        let done = kaw.sh(&format!("{{ {line}\n}} 2>&1")).env("KAW_BROKERS", brokers).run();
        let out = done.out();
        let end = if out.is_empty() || out.ends_with('\n') { "" } else { "\n" };
        let code = if done.code == 0 { String::new() } else { format!("[{}]\n", done.code) };
        all.push_str(&format!("$ {line}\n{out}{end}{code}"));
    }
    let all = all.replace(kaw.path("").to_str().unwrap(), "/HOME/");
    if brokers.is_empty() { all } else { all.replace(brokers, "BROKER") }
}

#[track_caller]
fn is_as_written(name: &str, played: &str) {
    if std::env::var_os("KAW_BLESS").is_some_and(|value| value == "1") {
        return fs::write(path(name), played).unwrap();
    }
    let want = text(name);
    let differs = played.lines().zip(want.lines()).find(|(is, want)| is != want);
    assert!(played == want, "session/{name}.txt, first difference: {differs:?}");
}

it!(a_session_against_brokers_is_as_written, |kaw| {
    let broker = kaw.broker("");
    is_as_written("anywhere", &played(kaw, "anywhere", &broker.address));
    broker.stop();
});

it!(a_session_with_the_built_in_broker_is_as_written, |kaw| {
    is_as_written("here", &played(kaw, "here", ""));
});

it!(what_a_session_cannot_do_is_refused_as_written, |kaw| {
    let played = played(kaw, "refused", "");
    is_as_written("refused", &played);
    // The first makes what the others stumble over.
    for run in played.split("$ ").skip(2) {
        let (line, said) = run.split_once('\n').unwrap();
        let said: Vec<_> = said.lines().filter(|said| !said.starts_with("read ")).collect();
        let one = said.len() == 2 && said[0].starts_with("kaw: ") && said[1].starts_with('[');
        assert!(one, "not one line and a code: {line}\n{said:?}");
    }
});

it!(every_option_is_in_a_session, |kaw| {
    let options: BTreeSet<Switch> = COMMANDS.iter().flat_map(|name| options(kaw, name)).collect();
    assert!(80 < options.len(), "{} options are too few to be all", options.len());
    let lines: Vec<String> = ALL.iter().flat_map(|name| commands(name)).collect();
    let refused = commands("refused");
    let unseen = |lines: &[String], option: &Switch| !lines.iter().any(|line| option.is_in(line));
    let missing: Vec<String> =
        options.iter().filter(|option| unseen(&lines, option)).map(ToString::to_string).collect();
    assert_eq!(missing, [""; 0], "in no session");
    let can_be_wrong = |option: &&Switch| {
        option.takes_value && !NEVER_REFUSED.contains(&option.to_string().as_str())
    };
    let takers = options.iter().filter(can_be_wrong);
    let missing: Vec<String> =
        takers.filter(|option| unseen(&refused, option)).map(ToString::to_string).collect();
    assert_eq!(missing, [""; 0], "with no wrong value in session/refused.txt");
});

/// An option as `--help` shows it. Those of every command belong to none.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Switch {
    command: String,
    short: Option<char>,
    long: Option<String>,
    takes_value: bool,
}

impl std::fmt::Display for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = || self.short.map(|short| format!("-{short}")).unwrap_or_default();
        write!(f, "{} {}", self.command, self.long.clone().unwrap_or_else(short))
    }
}

impl Switch {
    /// Whether one of the commands in this line has it.
    fn is_in(&self, line: &str) -> bool {
        line.split(['|', ';', '&', '(', '{']).any(|part| {
            let part = part.split(" -- ").next().unwrap_or(part);
            let words: Vec<&str> = part.split_whitespace().collect();
            let Some(from) = words.iter().position(|word| *word == "kaw") else { return false };
            let words = &words[from + 1..];
            let is_of = |name: &str| words.contains(&name);
            self.command.split(' ').all(|name| name.is_empty() || is_of(name))
                && words.iter().any(|word| self.is_word(word))
        })
    }

    fn is_word(&self, word: &str) -> bool {
        match word.strip_prefix('-') {
            Some(rest) if rest.starts_with('-') => self.long.as_deref() == word.split('=').next(),
            // Flags may stand together, as in -eJ.
            Some(flags) if flags.chars().all(char::is_alphabetic) => {
                self.short.is_some_and(|short| flags.contains(short))
            }
            _ => false,
        }
    }
}

/// The options of a command and of what is below it.
fn options(kaw: &Kaw, command: &str) -> Vec<Switch> {
    let help = kaw.ok(&format!("{command} -h"));
    let mut section = "";
    let mut found = Vec::new();
    for line in help.lines() {
        if !line.starts_with(' ') {
            section = line;
        } else if section == "Commands:" && !line.starts_with("   ") {
            let sub = line.split_whitespace().next().unwrap();
            if sub == "help" {
                continue;
            }
            found.extend(options(kaw, &format!("{command} {sub}")));
        } else if line.trim_start().starts_with('-') {
            let of = if section == "Options of every command:" { "" } else { command };
            found.push(option(of, line.trim_start()));
        }
    }
    found.retain(|option| option.long.as_deref() != Some("--help"));
    found
}

/// `-k, --key <KEY>  What it does`, with parts of that left out.
fn option(command: &str, line: &str) -> Switch {
    let mut words = line.split_whitespace().peekable();
    let mut option =
        Switch { command: command.to_owned(), short: None, long: None, takes_value: false };
    while let Some(word) = words.next_if(|word| word.starts_with('-')) {
        let word = word.trim_end_matches([',', '.']);
        match word.strip_prefix("--") {
            Some(_) => option.long = Some(word.to_owned()),
            None => option.short = word.chars().nth(1),
        }
    }
    option.takes_value = words.peek().is_some_and(|word| word.starts_with('<'));
    option
}
