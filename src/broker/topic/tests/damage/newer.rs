//! A start on files in a format that is to come: refused, or left alone, never taken for another.

use super::super::add_record;
use super::*;

/// Where a batch has its format.
const MAGIC: usize = 16;

type Spoil = fn(&Path);

fn replaced(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(path, text.replacen(old, new, 1)).unwrap();
}

fn first_line(path: &Path) {
    replaced(path, "0\n", "1\n");
}

/// The first batch, or the last.
fn magic(path: &Path, is_wanted: fn(usize, usize) -> bool) {
    let mut bytes = fs::read(path).unwrap();
    let sizes: Vec<_> = batches(&bytes).map(|batch| batch.unwrap().bytes().len()).collect();
    let mut at = 0;
    for (number, size) in sizes.iter().enumerate() {
        if is_wanted(number, sizes.len()) {
            bytes[at + MAGIC] = 3;
        }
        at += size;
    }
    fs::write(path, bytes).unwrap();
}

fn first_magic(path: &Path) {
    magic(path, |number, _| number == 0);
}

fn last_magic(path: &Path) {
    magic(path, |number, count| number + 1 == count);
}

fn added(path: &Path, value: &[u8]) {
    add_record(path.parent().unwrap().parent().unwrap(), value);
}

/// A snapshot with a record of a version that nobody knows.
fn newer_snapshot(path: &Path) {
    let mut batch = BatchBuilder::new();
    batch.push(now(), &Record { key: None, value: Some(&[1, 2, 1, 0]), headers: &[] });
    let name = path.file_name().unwrap().to_string_lossy();
    let end = Offset(name[..20].parse().unwrap());
    write_checkpoint(path.parent().unwrap(), end, batch.build());
}

#[test]
fn files_of_a_newer_kafka_are_refused_or_left_alone() {
    const CATALOGUE: &str = "__cluster_metadata-0/00000000000000000000.log";
    let rows: [(&str, &[&str], Spoil); 18] = [
        ("recovery-point-offset-checkpoint", &["whole"], first_line),
        ("replication-offset-checkpoint", &["whole"], first_line),
        ("orders-0/leader-epoch-checkpoint", &["whole"], first_line),
        // Its topic id is where it was.
        ("orders-0/partition.metadata", &["whole"], |path| {
            replaced(path, "version: 0", "version: 1");
        }),
        ("orders-0/00000000000000000000.log", &["named"], first_magic),
        ("orders-0/00000000000000000000.log", &["named"], last_magic),
        ("orders-0/00000000000000000009.log", &["named"], first_magic),
        ("orders-0/00000000000000000009.log", &["named"], last_magic),
        ("__consumer_offsets-0/00000000000000000000.log", &["named"], first_magic),
        ("__consumer_offsets-0/00000000000000000000.log", &["named"], last_magic),
        (CATALOGUE, &["refused"], first_magic),
        // Behind a kill it is torn: its topic has a directory, and comes back.
        (CATALOGUE, &["refused", "whole"], last_magic),
        // Another frame; a record that nobody knows; a topic's in another version.
        (CATALOGUE, &["refused"], |path| added(path, &[2, 2, 0, 0])),
        (CATALOGUE, &["refused"], |path| added(path, &[1, 99, 0, 0])),
        (CATALOGUE, &["refused"], |path| added(path, &[1, 2, 1, 0])),
        (".checkpoint", &["refused"], newer_snapshot),
        (".checkpoint", &["refused"], first_magic),
        ("__cluster_metadata-0/quorum-state", &["whole"], |path| {
            replaced(path, "\"data_version\":1", "\"data_version\":2");
        }),
    ];
    let mut wrong = Vec::new();
    for left in [Left::Cleanly, Left::Killed] {
        let template = Place::new();
        let want = make(&template.0, left);
        for (name, outcomes, spoil) in &rows {
            let is_it = |path: &&PathBuf| {
                path.ends_with(name)
                    || path.parent() != Some(&template.0)
                        && !name.contains('/')
                        && path.to_string_lossy().ends_with(name)
            };
            let found = files(&template.0);
            let path = found.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {found:?}"));
            let name = path.strip_prefix(&template.0).unwrap();
            let outcome = judged(&template.0, name, |path, _| spoil(path), &want);
            let is_fine = outcome.as_ref().is_ok_and(|outcome| outcomes.contains(outcome));
            if !is_fine {
                wrong.push(format!("{left:?} {}, not {outcomes:?}: {outcome:?}", name.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
