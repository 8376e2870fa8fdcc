//! A disk in memory that does what disks are allowed to do: loses what was not synced, tears,
//! reorders, undoes names, fills up, fails at any moment, fails to sync.

mod dice;
mod inode;
mod names;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::{Disk, DiskFile, Listed, Open};
use super::DIR;
use crate::record::Timestamp;
use inode::{Change, Inode};
use names::{Names, Naming};

pub use dice::Dice;

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: Names,
    durable_names: Names,
    /// In order, as a journal keeps them.
    namings: Vec<Naming>,
    capacity_bytes: usize,
    /// After so many more changes nothing works any more, until the power comes back.
    changes_left: Option<u64>,
    /// After so many more calls one fails.
    calls_left: Option<(u64, io::ErrorKind)>,
    syncs_fail: bool,
    syncs: u64,
    read_bytes: u64,
    /// What a sync that fails leaves.
    dice: Dice,
    /// How often the process has been started; files of earlier lives are dead.
    life: u64,
}

/// The disk; clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
    life: u64,
}

pub struct FaultyFile {
    disk: FaultyDisk,
    inode: usize,
}

impl FaultyDisk {
    pub fn new() -> FaultyDisk {
        let names = Names::of_dir("/data");
        let state = State {
            durable_names: names.clone(),
            names,
            capacity_bytes: usize::MAX,
            ..State::default()
        };
        FaultyDisk { state: Arc::new(Mutex::new(state)), life: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The process is gone, the machine is not: everything written is still seen.
    pub fn process_dies(&mut self) {
        let mut state = self.state();
        state.life += 1;
        state.changes_left = None;
        state.calls_left = None;
        state.syncs_fail = false;
        let life = state.life;
        drop(state);
        self.life = life;
    }

    /// The power goes, and comes back: what was not synced is there, or not, or half.
    pub fn power_fails(&mut self, dice: &mut Dice) {
        {
            let mut state = self.state();
            let state = &mut *state;
            let kept = dice.below(state.namings.len() as u64 + 1) as usize;
            state.commit(kept);
            state.namings.clear();
            state.names = state.durable_names.clone();
            state.inodes.iter_mut().for_each(|inode| inode.lose(dice));
        }
        self.process_dies();
    }

    pub fn crash_after(&self, changes: u64) {
        self.state().changes_left = Some(changes);
    }

    /// Neither does a sync fail, nor will the power go.
    pub fn is_sound(&self) -> bool {
        let state = self.state();
        !state.syncs_fail && state.changes_left.is_none()
    }

    pub fn power_is_out(&self) -> bool {
        self.state().changes_left == Some(0)
    }

    /// After so many more calls, of whatever kind, one fails.
    pub fn fail_after(&self, calls: u64, kind: io::ErrorKind) {
        self.state().calls_left = Some((calls, kind));
    }

    pub fn nothing_fails(&self) {
        self.state().calls_left = None;
    }

    pub fn fill_up(&self) {
        let mut state = self.state();
        state.capacity_bytes = state.used();
    }

    pub fn make_room(&self) {
        self.state().capacity_bytes = usize::MAX;
    }

    /// Leaves room for so many bytes more.
    pub fn leave(&self, bytes: usize) {
        let mut state = self.state();
        state.capacity_bytes = state.used() + bytes;
    }

    pub fn syncs_fail(&self, fail: bool) {
        self.state().syncs_fail = fail;
    }

    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub fn read_bytes(&self) -> u64 {
        self.state().read_bytes
    }

    pub fn damage(&self, path: &Path, position: usize) {
        let mut state = self.state();
        let inode = state.names.files[path];
        state.inodes[inode].seen[position] ^= 0x55;
        state.inodes[inode].durable[position] ^= 0x55;
    }

    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.files.keys().cloned().collect()
    }

    /// The log's own files that end so.
    pub fn named(&self, suffix: &str) -> Vec<PathBuf> {
        let is_its = |path: &PathBuf| {
            path.parent() == Some(Path::new(DIR)) && path.extension().is_some_and(|e| e == suffix)
        };
        self.files().into_iter().filter(is_its).collect()
    }

    /// Gives a directory another name, as the broker does with a deleted topic's.
    pub fn rename_dir(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if !state.names.has_dir(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.name(Naming::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// The whole file system, as syncfs(2).
    pub fn sync_everything(&self) -> io::Result<()> {
        let mut state = self.change()?;
        let state = &mut *state;
        if state.syncs_fail {
            state.inodes.iter_mut().for_each(|inode| inode.fail_to_sync(&mut state.dice));
            return Err(broken());
        }
        state.inodes.iter_mut().for_each(Inode::sync);
        state.commit(state.namings.len());
        Ok(())
    }

    /// Any call: it may be the one that fails.
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match &mut state.calls_left {
            Some((0, kind)) => {
                let kind = *kind;
                state.calls_left = None;
                return Err(kind.into());
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.call()?;
        assert_eq!(self.life, state.life, "a dead process writes");
        match &mut state.changes_left {
            Some(0) => return Err(io::Error::other("the power is out")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken")
}

impl State {
    fn name(&mut self, naming: Naming) {
        self.names.apply(&naming);
        self.namings.push(naming);
    }

    /// The first changes of the journal are durable.
    fn commit(&mut self, count: usize) {
        let committed: Vec<Naming> = self.namings.drain(..count).collect();
        committed.iter().for_each(|naming| self.durable_names.apply(naming));
    }

    fn used(&self) -> usize {
        self.names.files.values().map(|&inode| self.inodes[inode].seen.len()).sum()
    }
}

impl Disk for FaultyDisk {
    type File = FaultyFile;

    fn open(&self, path: &Path, how: Open) -> io::Result<FaultyFile> {
        let found = self.call()?.names.files.get(path).copied();
        let inode = match (found, how) {
            (Some(inode), _) => inode,
            (None, Open::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::OrCreate) => {
                let mut state = self.change()?;
                if !state.names.has_dir(path.parent().unwrap()) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.name(Naming::Link(path.to_owned(), inode));
                inode
            }
        };
        Ok(FaultyFile { disk: self.clone(), inode })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let state = self.call()?;
        if !state.names.has_dir(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = state.names.files.iter().filter(|(path, _)| path.parent() == Some(dir));
        let listed = here.map(|(path, &inode)| Listed {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            is_file: true,
            bytes: state.inodes[inode].seen.len() as u64,
            modified: Timestamp(state.inodes[inode].modified_ms),
        });
        Ok(listed.collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if state.names.has_dir(dir) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.name(Naming::Directory(dir.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if !state.names.files.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.name(Naming::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if !state.names.files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.name(Naming::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        state.syncs += 1;
        if state.syncs_fail {
            return Err(broken());
        }
        // A journal commits in order: what came before goes with it.
        let last = state.namings.iter().rposition(|naming| naming.is_in(dir));
        state.commit(last.map_or(0, |last| last + 1));
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.call()?.inodes[self.inode].seen.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.disk.call()?;
        let seen = &state.inodes[self.inode].seen;
        let rest = seen.get(position as usize..).unwrap_or_default();
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        state.read_bytes += read as u64;
        Ok(read)
    }

    fn write_at(&self, parts: [&[u8]; 2], position: u64) -> io::Result<()> {
        let mut bytes = parts.concat();
        let at = position as usize;
        let mut state = match self.disk.change() {
            Ok(state) => state,
            Err(error) => {
                // Any part of it may be there.
                let mut state = self.disk.state();
                if state.changes_left.is_none() {
                    let part = state.dice.below(bytes.len() as u64 + 1) as usize;
                    bytes.truncate(part);
                    state.inodes[self.inode].apply(Change::Write { at, bytes });
                }
                return Err(error);
            }
        };
        let grows = (at + bytes.len()).saturating_sub(state.inodes[self.inode].seen.len());
        let free = state.capacity_bytes.saturating_sub(state.used());
        let fits = grows <= free;
        if !fits {
            bytes.truncate(bytes.len() - (grows - free));
        }
        state.inodes[self.inode].apply(Change::Write { at, bytes });
        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.disk.change()?.inodes[self.inode].apply(Change::Length(bytes as usize));
        Ok(())
    }

    fn set_modified(&self, time: Timestamp) -> io::Result<()> {
        self.disk.change()?.inodes[self.inode].modified_ms = time.get();
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let changed = self.disk.change();
        let failed = changed.is_err();
        let mut state = match changed {
            Ok(state) => state,
            Err(_) => self.disk.state(),
        };
        let state = &mut *state;
        state.syncs += 1;
        let inode = &mut state.inodes[self.inode];
        if failed || state.syncs_fail {
            inode.fail_to_sync(&mut state.dice);
            return Err(broken());
        }
        inode.sync();
        Ok(())
    }
}
