//! The committed man pages and completions are what the command line's definition makes of them.
//! `KAW_BLESS=1 cargo test --release generated` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

use super::completion::{self, Shell};

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
    let mut page = Vec::new();
    let command = command.display_name(name.to_owned());
    clap_mangen::Man::new(command).render(&mut page).unwrap();
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
