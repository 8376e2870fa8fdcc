//! The committed man pages and completions are what the command line's definition makes of them.
//! `KAW_BLESS=1 cargo test --release generated` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

use super::completion::{self, Shell};
use super::manual;

/// Every generated file by its path in the project.
fn generated() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut command = super::line();
    for shell in Shell::ALL {
        let script = completion::script(shell).into_bytes();
        files.insert(Path::new("completions").join(shell.file()), script);
    }
    command.build();
    add_pages(&mut files, "kaw", command);
    files
}

fn add_pages(files: &mut BTreeMap<PathBuf, Vec<u8>>, name: &str, command: Command) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        if sub.get_name() != "help" {
            add_pages(files, &format!("{name}-{}", sub.get_name()), sub.clone());
        }
    }
    let page = manual::page(name, command);
    files.insert(Path::new("man").join(format!("{name}.1")), page);
}

fn committed() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for dir in ["completions", "man"] {
        for entry in fs::read_dir(project().join(dir)).into_iter().flatten().flatten() {
            let bytes = fs::read(entry.path()).unwrap();
            files.insert(Path::new(dir).join(entry.file_name()), bytes);
        }
    }
    files
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn man_pages_and_completions_follow_the_command_line() {
    let (want, have) = (generated(), committed());
    if std::env::var_os("KAW_BLESS").is_some_and(|value| value == "1") {
        for path in have.keys() {
            fs::remove_file(project().join(path)).unwrap();
        }
        for (path, bytes) in &want {
            fs::create_dir_all(project().join(path.parent().unwrap())).unwrap();
            fs::write(project().join(path), bytes).unwrap();
        }
        return;
    }
    let either = want.keys().chain(have.keys());
    let stale: Vec<_> = either.filter(|path| want.get(*path) != have.get(*path)).collect();
    assert!(stale.is_empty(), "KAW_BLESS=1 cargo test --release generated; stale: {stale:?}");
}

#[test]
fn man_pages_have_every_variable_of_ours() {
    let told = manual::ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", "));
    let told: BTreeSet<_> = told.filter(|name| name.starts_with("KAW_")).collect();
    let sources = sources(&project().join("src"));
    let words = sources.iter().flat_map(|text| text.split('"'));
    let is_sign = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    let named: BTreeSet<_> =
        words.filter(|word| word.starts_with("KAW_") && word.bytes().all(is_sign)).collect();
    // That prefix is in this test, and that name is for who changes kaw.
    assert_eq!(named, &told | &BTreeSet::from(["KAW_", "KAW_BLESS"]));
}

/// All sources below a folder, but for tests that have files of their own.
fn sources(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![fs::read_to_string(path).unwrap()],
    };
    all.filter(|path| !path.ends_with("tests")).flat_map(of).collect()
}
