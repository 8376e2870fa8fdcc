//! A disk in memory that does what disks are allowed to do: loses what was not synced, tears,
//! reorders, undoes names, fills up, fails to sync.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::{Disk, DiskFile, Listed, Open};
use crate::record::Timestamp;

/// A small random number generator (SplitMix64); one seed is one history.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A file's contents: what readers see, what is durable, and what changed in between.
#[derive(Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Rename {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Directory(PathBuf),
    /// From, to: both or neither.
    Move(PathBuf, PathBuf),
}

impl Rename {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>, dirs: &mut Vec<PathBuf>) {
        match self {
            Rename::Link(path, inode) => drop(names.insert(path, inode)),
            Rename::Unlink(path) => drop(names.remove(&path)),
            Rename::Directory(path) => dirs.push(path),
            Rename::Move(from, to) => {
                let inode = names.remove(&from).expect("what is renamed is there");
                names.insert(to, inode);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    dirs: Vec<PathBuf>,
    durable_names: BTreeMap<PathBuf, usize>,
    durable_dirs: Vec<PathBuf>,
    /// In order, as a journal keeps them.
    renames: Vec<Rename>,
    capacity_bytes: usize,
    /// After so many more changes nothing works any more, until the power comes back.
    changes_left: Option<u64>,
    syncs_fail: bool,
    pub syncs: u64,
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
        let state = State {
            dirs: vec![PathBuf::from("/data")],
            durable_dirs: vec![PathBuf::from("/data")],
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
            let kept = dice.below(state.renames.len() as u64 + 1) as usize;
            let renames: Vec<Rename> = state.renames.drain(..).take(kept).collect();
            for rename in renames {
                rename.apply(&mut state.durable_names, &mut state.durable_dirs);
            }
            state.names = state.durable_names.clone();
            state.dirs = state.durable_dirs.clone();
            for inode in &mut state.inodes {
                inode.lose(dice);
            }
        }
        self.process_dies();
    }

    pub fn crash_after(&self, changes: u64) {
        self.state().changes_left = Some(changes);
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

    pub fn damage(&self, path: &Path, position: usize) {
        let mut state = self.state();
        let inode = state.names[path];
        state.inodes[inode].seen[position] ^= 0x55;
        state.inodes[inode].durable[position] ^= 0x55;
    }

    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    /// The whole file system, as syncfs(2).
    pub fn sync_everything(&self) -> io::Result<()> {
        let mut state = self.change()?;
        let fails = state.syncs_fail;
        for inode in &mut state.inodes {
            inode.changes.clear();
            if !fails {
                inode.durable = inode.seen.clone();
            }
        }
        if fails {
            return Err(io::Error::other("the disk is broken"));
        }
        let names = state.renames.len();
        state.commit(names);
        Ok(())
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        assert_eq!(self.life, state.life, "a dead process writes");
        match &mut state.changes_left {
            Some(0) => return Err(io::Error::other("the power is out")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }
}

impl State {
    /// The first names of the journal are durable.
    fn commit(&mut self, count: usize) {
        let committed: Vec<Rename> = self.renames.drain(..count).collect();
        for rename in committed {
            rename.apply(&mut self.durable_names, &mut self.durable_dirs);
        }
    }

    fn used(&self) -> usize {
        self.names.values().map(|&inode| self.inodes[inode].seen.len()).sum()
    }
}

impl Inode {
    fn apply(&mut self, change: &Change) {
        change.apply(&mut self.seen);
        self.changes.push(change.clone());
    }

    fn lose(&mut self, dice: &mut Dice) {
        let changes = std::mem::take(&mut self.changes);
        // Often all of it reached the disk, or nothing did.
        let fate = dice.below(4);
        for change in &changes {
            let survives = match fate {
                0 => true,
                1 => false,
                _ => !dice.chance(3),
            };
            match change {
                Change::Write { at, bytes } if survives && fate == 3 && dice.chance(2) => {
                    let cut = dice.below(bytes.len() as u64 + 1) as usize;
                    let (from, to) = if dice.chance(2) { (0, cut) } else { (cut, bytes.len()) };
                    let bytes = bytes[from..to].to_vec();
                    Change::Write { at: at + from, bytes }.apply(&mut self.durable);
                }
                change if survives => change.apply(&mut self.durable),
                _ => {}
            }
        }
        self.seen = self.durable.clone();
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Length(bytes) => content.resize(*bytes, 0),
            Change::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end && !bytes.is_empty() {
                    content.resize(end, 0);
                }
                if !bytes.is_empty() {
                    content[*at..end].copy_from_slice(bytes);
                }
            }
        }
    }
}

impl Disk for FaultyDisk {
    type File = FaultyFile;

    fn open(&self, path: &Path, how: Open) -> io::Result<FaultyFile> {
        let found = self.state().names.get(path).copied();
        let inode = match (found, how) {
            (Some(inode), _) => inode,
            (None, Open::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::OrCreate) => {
                let mut state = self.change()?;
                let dir = path.parent().unwrap();
                if !state.dirs.iter().any(|known| known == dir) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.names.insert(path.to_owned(), inode);
                state.renames.push(Rename::Link(path.to_owned(), inode));
                inode
            }
        };
        Ok(FaultyFile { disk: self.clone(), inode })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let state = self.state();
        if !state.dirs.iter().any(|known| known == dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = state.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let listed = here.map(|(path, &inode)| Listed {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            bytes: state.inodes[inode].seen.len() as u64,
            modified: Timestamp(0),
        });
        Ok(listed.collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if state.dirs.iter().any(|known| known == dir) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.dirs.push(dir.to_owned());
        state.renames.push(Rename::Directory(dir.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        state.renames.push(Rename::Move(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.renames.push(Rename::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        state.syncs += 1;
        if state.syncs_fail {
            return Err(io::Error::other("the disk is broken"));
        }
        // A journal commits in order: what came before goes with it.
        let is_here = |rename: &Rename| {
            let (Rename::Link(path, _)
            | Rename::Unlink(path)
            | Rename::Directory(path)
            | Rename::Move(path, _)) = rename;
            path.parent() == Some(dir)
        };
        let Some(last) = state.renames.iter().rposition(is_here) else { return Ok(()) };
        state.commit(last + 1);
        Ok(())
    }
}

impl FaultyFile {
    fn apply(&self, change: &Change) -> io::Result<()> {
        let mut state = self.disk.change()?;
        state.inodes[self.inode].apply(change);
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().inodes[self.inode].seen.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let seen = &state.inodes[self.inode].seen;
        let rest = seen.get(position as usize..).unwrap_or_default();
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, parts: [&[u8]; 2], position: u64) -> io::Result<()> {
        let mut bytes = parts.concat();
        let mut state = self.disk.change()?;
        let end = position as usize + bytes.len();
        let grows = end.saturating_sub(state.inodes[self.inode].seen.len());
        let free = state.capacity_bytes.saturating_sub(state.used());
        let fits = grows <= free;
        if !fits {
            bytes.truncate(bytes.len() - (grows - free));
        }
        let at = position as usize;
        state.inodes[self.inode].apply(&Change::Write { at, bytes });
        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.apply(&Change::Length(bytes as usize))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.change()?;
        state.syncs += 1;
        let fails = state.syncs_fail;
        let inode = &mut state.inodes[self.inode];
        if fails {
            // Linux takes the pages for clean afterwards: they are lost, and the next sync says
            // that all is well.
            inode.changes.clear();
            return Err(io::Error::other("the disk is broken"));
        }
        inode.changes.clear();
        inode.durable = inode.seen.clone();
        Ok(())
    }
}
