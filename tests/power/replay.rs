//! The disk of a program that was traced, as it may be after a crash at any step.
//! Never knows: what the files mean.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::inode::{Begun, Change, Inode};
use super::names::{Names, Naming};
use super::trace::Step;

/// A data directory while it is written.
pub struct Replay {
    root: PathBuf,
    inodes: Vec<Inode>,
    names: Names,
    durable: Names,
    /// Not durable yet, in order, as a journal keeps them.
    namings: Vec<Naming>,
    /// How many are.
    committed: usize,
    /// Syncs that are under way, by their threads.
    syncing: HashMap<u32, Syncing>,
}

enum Syncing {
    File(usize, Begun),
    /// A directory: so many changes of names, of all there were.
    Names(usize),
    /// Of something elsewhere.
    Other,
}

impl Replay {
    pub fn new(root: &Path) -> Replay {
        let names = Names::of_dir(root.to_str().expect("a test's path is text"));
        Replay {
            root: root.to_owned(),
            inodes: Vec::new(),
            durable: names.clone(),
            names,
            namings: Vec::new(),
            committed: 0,
            syncing: HashMap::new(),
        }
    }

    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Open { path, truncate } if self.is_here(path) => {
                if !self.names.files.contains_key(path) {
                    self.inodes.push(Inode::default());
                    self.name(Naming::Link(path.clone(), self.inodes.len() - 1));
                }
                if *truncate {
                    self.change(path, Change::Length(0));
                }
            }
            Step::Directory(path) if self.is_here(path) && !self.names.has_dir(path) => {
                self.name(Naming::Directory(path.clone()));
            }
            Step::Rename(from, to) if self.is_here(from) => {
                self.name(Naming::Rename(from.clone(), to.clone()));
            }
            Step::Remove(path) if self.is_here(path) => self.name(Naming::Unlink(path.clone())),
            Step::Length(path, bytes) => self.change(path, Change::Length(*bytes)),
            Step::Write { path, at, bytes } => {
                self.change(path, Change::Write { at: *at, bytes: bytes.clone() });
            }
            Step::SyncBegins(thread, path) => self.begin_sync(*thread, path),
            Step::SyncEnds(thread) => self.end_sync(*thread),
            Step::Open { .. } | Step::Directory(_) | Step::Rename(..) | Step::Remove(_) => {}
        }
    }

    fn is_here(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
    }

    fn name(&mut self, naming: Naming) {
        self.names.apply(&naming);
        self.namings.push(naming);
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(&inode) = self.names.files.get(path) {
            self.inodes[inode].apply(change);
        }
    }

    fn begin_sync(&mut self, thread: u32, path: &Path) {
        let begun = match self.names.files.get(path) {
            Some(&inode) => Syncing::File(inode, self.inodes[inode].begin_sync()),
            None if self.names.has_dir(path) => {
                // A journal commits in order: what came before goes with it.
                let last = self.namings.iter().rposition(|naming| naming.is_in(path));
                Syncing::Names(self.committed + last.map_or(0, |last| last + 1))
            }
            None => Syncing::Other,
        };
        self.syncing.insert(thread, begun);
    }

    fn end_sync(&mut self, thread: u32) {
        match self.syncing.remove(&thread).expect("a sync begins before it ends") {
            Syncing::File(inode, begun) => self.inodes[inode].end_sync(begun),
            Syncing::Names(count) => {
                // Another's sync may have taken some of them meanwhile.
                let count = count.saturating_sub(self.committed);
                self.committed += count;
                let committed: Vec<Naming> = self.namings.drain(..count).collect();
                committed.iter().for_each(|naming| self.durable.apply(naming));
            }
            Syncing::Other => {}
        }
    }

    /// Writes the files as a process leaves them that is killed now.
    pub fn after_kill(&self, to: &Path) {
        self.write(&self.names, &self.inodes, to);
    }

    /// Writes the files as they may be after a power loss now.
    pub fn after_power_loss(&self, dice: &mut Dice, to: &Path) {
        let kept = dice.below(self.namings.len() as u64 + 1) as usize;
        let mut names = self.durable.clone();
        self.namings[..kept].iter().for_each(|naming| names.apply(naming));
        let mut lost = self.inodes.clone();
        lost.iter_mut().for_each(|inode| inode.lose(dice));
        self.write(&names, &lost, to);
    }

    fn write(&self, names: &Names, inodes: &[Inode], to: &Path) {
        let moved = |path: &Path| to.join(path.strip_prefix(&self.root).expect("it is below"));
        for dir in &names.dirs {
            fs::create_dir_all(moved(dir)).unwrap();
        }
        for (path, &inode) in &names.files {
            fs::write(moved(path), &inodes[inode].seen).unwrap();
        }
    }
}
