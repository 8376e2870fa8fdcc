//! The rules of style that a machine can hold, over this project's own sources.
//! Never knows: what the code does; it reads text.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom. What is not listed here is not a layer, or may not be used.
const LAYERS: &[(&str, &[&str])] = &[
    ("record", &[]),
    ("log", &["record"]),
    ("protocol", &["record"]),
    ("wire", &["protocol", "record"]),
    ("broker", &["log", "protocol", "record"]),
    // Of the broker it may use `home` alone: the files that both sides of a data directory read.
    ("embedded", &["broker", "wire", "protocol", "record"]),
    ("client", &["wire", "protocol", "record"]),
    // Of `log` it may use how a file is opened, alone.
    ("backup", &["log", "record"]),
    ("layout", &[]),
    ("input", &["layout", "record"]),
    ("output", &["layout", "quantity", "record"]),
    // Of `log` it may use the engine, in the workload that measures it alone.
    ("bench", &["client", "output", "wire", "log", "quantity", "record"]),
    ("quantity", &[]),
    (
        "command",
        &[
            "input", "output", "layout", "client", "embedded", "bench", "broker", "backup", "log",
            "wire", "protocol", "quantity", "record",
        ],
    ),
    ("main", &["command"]),
    ("tidy", &[]),
];

/// Crates that only some layers know.
const CRATES: &[(&str, &[&str])] = &[
    ("anyhow", &["command", "main"]),
    ("clap", &["command"]),
    ("comfy_table", &["command"]),
    ("rdkafka", &["client"]),
    ("rdkafka_sys", &["client"]),
    ("tokio", &["broker"]),
    ("jaq_core", &["output"]),
    ("jaq_json", &["output"]),
    ("jaq_std", &["output"]),
];

/// Names that say nothing about what is inside.
const BANNED_NAMES: &[&str] = &["util", "utils", "common", "helper", "misc", "types", "manager"];

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 900;
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that may be longer: flat tables.
const LONG_FUNCTIONS: &[&str] = &[];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The file's layer: its folder below `src`, or its own name where it has none.
    fn layer(&self) -> Option<&str> {
        let first = self.path.strip_prefix("src").ok()?.components().next()?;
        let name = first.as_os_str().to_str()?;
        Some(name.strip_suffix(".rs").unwrap_or(name))
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{}", self.path.display(), line + 1)
    }

    /// Lines of code outside comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether everything from this line on is tests.
    fn is_test(&self, line: usize) -> bool {
        let inside = self.text.lines().position(|line| line.trim() == "#[cfg(test)]");
        let whole = self.path.starts_with("tests")
            || self.path.ends_with("tidy.rs")
            || self.path.file_stem().is_some_and(|stem| stem == "tests");
        whole || inside.is_some_and(|start| start < line)
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for root in ["src", "tests"] {
        collect(Path::new(root), &mut found);
    }
    found
}

fn collect(dir: &Path, found: &mut Vec<Source>) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    for entry in fs::read_dir(full).unwrap().map(Result::unwrap) {
        let path = dir.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            found.push(Source { path, text });
        }
    }
}

#[track_caller]
fn no_breach(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}\n  {}\n", breaches.join("\n  "));
}

#[test]
fn arrows_point_one_way() {
    let mut breaches = Vec::new();
    for source in sources() {
        let Some(layer) = source.layer() else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            breaches.push(format!("{}: no layer of this name", source.path.display()));
            continue;
        };
        for (used, line) in uses_of_own(&source.text) {
            let is_layer = LAYERS.iter().any(|(name, _)| *name == used);
            if is_layer && used != layer && !allowed.contains(&used) {
                breaches.push(format!("{}: {layer} uses {used}", source.at(line)));
            }
        }
    }
    no_breach("a layer knows only those below it (the map is in main.rs)", breaches);
}

/// The modules named after `crate::` in this text, with their line numbers.
fn uses_of_own(text: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (at, start) in text.match_indices("crate::") {
        let line = text[..at].matches('\n').count();
        let rest = &text[at + start.len()..];
        match rest.strip_prefix('{') {
            None => found.push((identifier(rest), line)),
            Some(list) => found.extend(heads(list).into_iter().map(|head| (head, line))),
        }
    }
    found
}

/// The first names of a `use` list: `{log::{Log, Disk}, record}` gives `log` and `record`.
fn heads(list: &str) -> Vec<&str> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if depth == 0 && fresh && !c.is_whitespace() => {
                heads.push(identifier(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn uses_are_found_in_every_form() {
    let text = "use OWN::record::Offset;\nuse OWN::{\n log::{Log, x::Y},\n wire,\n};";
    let text = text.replace("OWN", "crate");
    assert_eq!(uses_of_own(&text), [("record", 0), ("log", 1), ("wire", 1)]);
}

#[test]
fn some_crates_have_one_home() {
    let mut breaches = Vec::new();
    for source in sources() {
        let Some(layer) = source.layer() else { continue };
        for (name, homes) in CRATES {
            let path = format!("{name}::");
            let foreign = |line: &str| {
                let named = line.match_indices(&path);
                named.into_iter().any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                })
            };
            let lines = source.code().filter(|(at, line)| foreign(line) && !source.is_test(*at));
            if !homes.contains(&layer) {
                breaches.extend(lines.map(|(at, _)| format!("{}: {name}", source.at(at))));
            }
        }
    }
    no_breach("these crates are known elsewhere only", breaches);
}

#[test]
fn names_say_what_is_inside() {
    let banned = |source: &Source| {
        let mut parts = source.path.components().map(|part| part.as_os_str().to_string_lossy());
        parts.any(|part| BANNED_NAMES.contains(&part.trim_end_matches(".rs")))
    };
    let found = sources().into_iter().filter(banned);
    no_breach("a name that says nothing", found.map(|s| s.path.display().to_string()).collect());
}

#[test]
fn every_file_says_what_it_is_and_every_folder_what_it_never_knows() {
    let mut breaches = Vec::new();
    for source in sources() {
        let head: Vec<&str> = source.text.lines().take_while(|l| l.starts_with("//!")).collect();
        // A tests.rs says in its name what it is, and beside what.
        if head.is_empty() && !source.path.ends_with("tests.rs") {
            breaches.push(format!("{}: begin with `//! what it is`", source.path.display()));
        }
        let folder = source.path.ends_with("mod.rs") && source.path.components().count() == 3;
        if folder && !head.iter().any(|line| line.contains("ever know")) {
            breaches.push(format!("{}: no `Never knows:`", source.path.display()));
        }
    }
    no_breach("a file begins with what it is", breaches);
}

#[test]
fn files_and_lines_fit() {
    let mut breaches = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            breaches.push(format!("{}: {lines} lines", source.path.display()));
        }
        let wide = source.text.lines().enumerate();
        let wide = wide.filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        // A JSON record that a test expects is one line, however long.
        let json = |line: &str| line.trim_start().starts_with(['{', 'r']) && line.contains("{\"");
        let wide = wide.filter(|(at, line)| !(source.is_test(*at) && json(line)));
        breaches.extend(wide.map(|(at, _)| source.at(at)));
    }
    no_breach("at most 100 columns and 900 lines", breaches);
}

#[test]
fn functions_fit_on_a_screen() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (start, name, length) in functions(&source.text) {
            let free = source.is_test(start) || LONG_FUNCTIONS.contains(&name);
            if length > FUNCTION_LINES_MAX && !free {
                breaches.push(format!("{}: {name} has {length} lines", source.at(start)));
            }
        }
    }
    no_breach("a function has at most 70 lines", breaches);
}

/// Functions as rustfmt lays them out: they end at the first `}` as far left as they began.
fn functions(text: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &str| {
        let words = line.trim_start();
        let at = words.find("fn ")?;
        let qualified = ["", "pub ", "const ", "async ", "unsafe ", "extern "];
        let plain = words[..at].split_inclusive(' ').all(|word| {
            qualified.contains(&word) || word.starts_with("pub(") || word.starts_with('"')
        });
        plain.then(|| line.len() - words.len())
    };
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(indent) = begins(line) else { continue };
        let head = lines[start..].iter().find(|line| line.ends_with(['{', ';', '}']));
        if head.is_some_and(|head| head.ends_with(';')) {
            // A foreign or a trait's function, without a body.
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| *line == close).unwrap_or(0);
        let name = identifier(&line[line.find("fn ").unwrap() + 3..]);
        found.push((start, name, end + 1));
    }
    found
}

#[test]
fn a_function_ends_where_its_brace_closes() {
    let text =
        "pub fn a() {\n    if x {\n    }\n}\n\n    const fn b() {}\nfn c(\n) {\n}\nfn d();\n";
    let found = functions(text);
    let found: Vec<_> = found.into_iter().map(|(_, name, length)| (name, length)).collect();
    assert_eq!(found, [("a", 4), ("b", 1), ("c", 3)]);
}

#[test]
fn tests_wait_for_conditions_and_none_is_ignored() {
    // In two parts, so that this file is no breach of its own rules.
    let banned = [concat!("sleep", "("), concat!("#[", "ignore"), concat!("TO", "DO")];
    let mut breaches = Vec::new();
    for source in sources() {
        // The one wait, between two looks at a condition.
        let excepted = source.path.ends_with("tests/harness/mod.rs");
        let lines = source.code().filter(|(at, _)| source.is_test(*at));
        for (at, line) in lines {
            if banned.iter().any(|word| line.contains(word))
                && !(excepted && line.contains(banned[0]))
            {
                breaches.push(source.at(at));
            }
        }
    }
    no_breach("a test waits on a condition with a deadline, and runs", breaches);
}

#[test]
fn what_a_lint_is_switched_off_for_is_said_beside_it() {
    let mut breaches = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in source.code() {
            let attribute = line.trim_start();
            let off = attribute.starts_with("#[allow(") || attribute.starts_with("#![allow(");
            let before = at.checked_sub(1).map_or("", |before| lines[before]).trim_start();
            let said = line.contains("//") || before.starts_with("//") || line.contains("reason");
            if off && !said {
                breaches.push(source.at(at));
            }
        }
    }
    no_breach("an #[allow] says why, on its line or the one above", breaches);
}
