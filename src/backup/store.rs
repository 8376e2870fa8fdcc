//! The directory of a backup: who may write there, and which manifest counts.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::manifest::{Manifest, Segment};
use super::segment::to_read;
use super::trouble::Trouble;
use crate::record::{Offset, PartitionId};

pub const MANIFEST: &str = "manifest.json";
const DRAFT: &str = "manifest.json.new";
/// A first backup was begun here: what lies beside it may be written over.
const BEGUN: &str = "manifest.json.begun";

/// A directory that nobody else writes meanwhile.
pub struct Store {
    dir: PathBuf,
    /// Locked as long as it is open.
    lock: File,
    /// This process made the directory.
    is_new: bool,
    /// A first backup was begun, and is not whole yet.
    is_half: AtomicBool,
}

impl Store {
    /// To write a backup, and the one that is there, if any.
    pub fn to_write(dir: &Path) -> Result<(Store, Option<Manifest>), Trouble> {
        refuse_inside_data(dir)?;
        let is_new = !dir.exists();
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let mut store = Store::lock(dir, FlockOperation::NonBlockingLockExclusive)?;
        store.is_new = is_new;
        let manifest = store.manifest()?;
        match &manifest {
            Some(manifest) => store.check_sizes(manifest)?,
            None => store.check_that_it_is_ours()?,
        }
        Ok((store, manifest))
    }

    /// To read the backup that is there.
    pub fn to_read(dir: &Path) -> Result<(Store, Manifest), Trouble> {
        let store = Store::lock(dir, FlockOperation::NonBlockingLockShared)?;
        let manifest = store.manifest()?;
        match manifest {
            Some(manifest) => Ok((store, manifest)),
            None => {
                let is_free = store.check_that_it_is_ours().is_ok();
                Err(Trouble::NoBackup { dir: dir.to_owned(), is_free })
            }
        }
    }

    fn lock(dir: &Path, how: FlockOperation) -> Result<Store, Trouble> {
        let lock = File::open(dir).map_err(failed("open", dir))?;
        match flock(&lock, how) {
            Err(Errno::WOULDBLOCK) => Err(Trouble::Busy { dir: dir.to_owned() }),
            // Where there are no locks, nobody else has one.
            _ => Ok(Store {
                dir: dir.to_owned(),
                lock,
                is_new: false,
                is_half: AtomicBool::default(),
            }),
        }
    }

    /// The manifest, or the one that was about to get its name: a whole one is written only when
    /// all that it speaks of is durable.
    fn manifest(&self) -> Result<Option<Manifest>, Trouble> {
        if let Some(manifest) = self.manifest_at(MANIFEST)? {
            return Ok(Some(manifest));
        }
        Ok(self.manifest_at(DRAFT).unwrap_or(None))
    }

    fn manifest_at(&self, name: &str) -> Result<Option<Manifest>, Trouble> {
        let path = self.dir.join(name);
        let mut bytes = Vec::new();
        match to_read(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => Manifest::parse(&bytes, &path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Whether all files are there, as long as they should be. A backup goes on from them.
    fn check_sizes(&self, manifest: &Manifest) -> Result<(), Trouble> {
        for (path, segment) in self.segments(manifest) {
            let at = match fs::metadata(&path) {
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Trouble::Missing { path });
                }
                Err(error) => return Err(failed("read", &path)(error)),
            };
            if at < segment.bytes {
                return Err(Trouble::Cut { path, at, bytes: segment.bytes });
            }
        }
        Ok(())
    }

    fn segments<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = (PathBuf, &'a Segment)> {
        let topics = manifest.topics.iter();
        let partitions = topics.flat_map(|(name, topic)| {
            let numbered = (0..).zip(&topic.partitions);
            numbered.map(move |(number, partition)| (name, PartitionId(number), partition))
        });
        partitions.flat_map(move |(name, number, partition)| {
            let segments = partition.segments.iter();
            segments.map(move |segment| (self.segment(name, number, segment.base), segment))
        })
    }

    /// Before the first byte is copied: a first backup that comes to no end can be told from one
    /// whose manifest was lost, which is not written over.
    pub fn begin(&self, before: Option<&Manifest>) -> Result<(), Trouble> {
        match before {
            // It is the one that did not get its name.
            Some(_) if !self.dir.join(MANIFEST).exists() => {
                let (draft, path) = (self.dir.join(DRAFT), self.dir.join(MANIFEST));
                fs::rename(&draft, &path).map_err(failed("write", &path))?;
                self.lock.sync_all().map_err(failed("sync", &self.dir))
            }
            Some(_) => self.remove(DRAFT),
            None => {
                self.is_half.store(true, Ordering::Relaxed);
                let mark = self.dir.join(BEGUN);
                self.remove(BEGUN)?;
                let made = File::create_new(&mark).and_then(|_| self.lock.sync_all());
                made.map_err(failed("write", &mark))
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), Trouble> {
        let path = self.dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Without a manifest there may be what a first backup left that came to no end.
    fn check_that_it_is_ours(&self) -> Result<(), Trouble> {
        let was_begun = self.dir.join(BEGUN).exists();
        let mut kept = None;
        for entry in fs::read_dir(&self.dir).map_err(failed("read", &self.dir))? {
            let entry = entry.map_err(failed("read", &self.dir))?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let numbered = name.rsplit_once('-').is_some_and(|(_, n)| n.parse::<u32>().is_ok());
            let is_ours = [DRAFT, BEGUN].contains(&name) || numbered && entry.path().is_dir();
            if !is_ours {
                return Err(Trouble::Foreign { path: entry.path() });
            }
            kept.get_or_insert(entry.path());
        }
        match kept.filter(|_| !was_begun) {
            Some(path) => Err(Trouble::NoManifest { path }),
            None => Ok(()),
        }
    }

    pub fn partition(&self, topic: &str, partition: PartitionId) -> PathBuf {
        self.dir.join(format!("{topic}-{partition}"))
    }

    pub fn segment(&self, topic: &str, partition: PartitionId, base: Offset) -> PathBuf {
        self.partition(topic, partition).join(file_name(base))
    }

    pub fn make_partition(&self, topic: &str, partition: PartitionId) -> Result<(), Trouble> {
        let dir = self.partition(topic, partition);
        match fs::create_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed("create", &dir)(error))
            }
            _ => Ok(()),
        }
    }

    /// Whether a segment's file may grow: one that has a second name belongs to a copy too.
    pub fn may_grow(&self, topic: &str, partition: PartitionId, segment: &Segment) -> bool {
        let path = self.segment(topic, partition, segment.base);
        fs::metadata(path).map_or(true, |metadata| metadata.nlink() == 1)
    }

    pub fn sync_partition(&self, topic: &str, partition: PartitionId) -> Result<(), Trouble> {
        let dir = self.partition(topic, partition);
        let synced = File::open(&dir).and_then(|dir| dir.sync_all());
        synced.map_err(failed("sync", &dir))
    }

    /// From here on this manifest counts. All that it speaks of is durable already.
    pub fn publish(&self, manifest: &Manifest) -> Result<(), Trouble> {
        let sync = || self.lock.sync_all().map_err(failed("sync", &self.dir));
        let (draft, path) = (self.dir.join(DRAFT), self.dir.join(MANIFEST));
        // The directories that it speaks of before their names are relied upon.
        sync()?;
        // What lies there may be a link: nobody is to choose which file is written.
        self.remove(DRAFT)?;
        let written = File::create_new(&draft).and_then(|mut file| {
            file.write_all(&manifest.render())?;
            file.sync_all()
        });
        written.map_err(failed("write", &draft))?;
        // Without it, a draft that is whole counts, and one that is not may be of anything.
        self.remove(BEGUN)?;
        sync()?;
        fs::rename(&draft, &path).map_err(failed("write", &path))?;
        self.is_half.store(false, Ordering::Relaxed);
        sync()
    }

    /// Removes the segments of this manifest's topics that it does not speak of.
    pub fn sweep(&self, manifest: &Manifest) -> Result<(), Trouble> {
        for (name, topic) in &manifest.topics {
            for (number, partition) in (0..).zip(&topic.partitions) {
                let dir = self.partition(name, PartitionId(number));
                let known = |name: &str| {
                    partition.segments.iter().any(|segment| file_name(segment.base) == name)
                };
                let Ok(entries) = fs::read_dir(&dir) else { continue };
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    let name = name.to_str().unwrap_or_default();
                    if name.ends_with(".log") && !known(name) {
                        fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Store {
    /// Half a first backup is none, and would be begun again. What cannot be removed stays.
    fn clear(&self) -> io::Result<()> {
        // It may be whole, and would count for what is no longer there.
        let _ = self.remove(DRAFT);
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // A link leads elsewhere.
            if !entry.file_type()?.is_dir() {
                continue;
            }
            for segment in fs::read_dir(entry.path())? {
                let segment = segment?;
                if is_segment(&segment.file_name()) {
                    fs::remove_file(segment.path())?;
                }
            }
            fs::remove_dir(entry.path())?;
        }
        // It says whose the rest is.
        fs::remove_file(self.dir.join(BEGUN))
    }
}

/// What was made for nothing goes again.
impl Drop for Store {
    fn drop(&mut self) {
        if *self.is_half.get_mut() {
            let _ = self.clear();
        }
        if self.is_new {
            // It stays where anything lies in it.
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

/// Apache Kafka does not start on a data directory with a directory that is no partition's, and
/// would take those of a backup for its own (UnifiedLog.parseTopicPartitionName).
fn refuse_inside_data(dir: &Path) -> Result<(), Trouble> {
    let whole = std::path::absolute(dir).map_err(failed("find", dir))?;
    // What is not there yet is no link.
    let there = whole.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, real)) = there else { return Ok(()) };
    let is_data = |dir: &&Path| dir.join("meta.properties").exists();
    let data = match above == whole {
        true => real.ancestors().skip(1).find(is_data),
        false => real.ancestors().find(is_data),
    };
    match data {
        Some(data) => Err(Trouble::InsideData { dir: dir.to_owned(), data: data.to_owned() }),
        None => Ok(()),
    }
}

fn is_segment(name: &std::ffi::OsStr) -> bool {
    let stem = name.to_str().and_then(|name| name.strip_suffix(".log"));
    stem.is_some_and(|stem| stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit()))
}

fn file_name(base: Offset) -> String {
    format!("{:020}.log", base.get())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble + use<> {
    let path = path.to_owned();
    move |error| Trouble::Disk { doing, path, error }
}
