//! What a data directory says as a whole, which its partitions are then held against.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::catalogue::{self, Catalogue};
use super::place::Partition;
use crate::broker::home::{self, Sight};
use crate::broker::{Identity, Plan};
use crate::log::PartitionOffset;
use crate::log::inspect::{self, Condition, Expected, Findings, Name, Thing};
use crate::record::{Offset, Uuid};

const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const CATALOGUE_ID: Uuid = {
    let mut id = [0; 16];
    id[15] = 1;
    Uuid(id)
};

type Offsets = HashMap<Partition, Offset>;

/// A data directory, looked at from the top.
pub struct Data {
    pub dir: PathBuf,
    pub condition: Condition,
    /// Nobody but kaw has used it since kaw's last checkpoint of the catalogue.
    is_ours: bool,
    /// Its partitions' directories.
    pub partitions: Vec<PathBuf>,
    pub findings: Findings,
    pub catalogue: Catalogue,
    pub identity: Option<Identity>,
    /// What a repair of the catalogue would do. `None`: a broker is at work, or nobody can say.
    pub plan: Option<Plan>,
    recovery_points: Offsets,
    log_starts: Offsets,
    high_watermarks: Offsets,
    cleaned: Offsets,
}

impl Data {
    /// An error: the directory is of a newer format, or cannot be read.
    pub fn look(dir: &Path) -> anyhow::Result<Data> {
        // A broker on another host, of which only the notice tells, is one as well.
        Data::look_with(dir, !matches!(home::sight(dir), Ok(Sight::Nobody)))
    }

    /// A directory whose lock this process holds. To ask for the lock would give it up (fcntl(2)).
    pub fn look_own(dir: &Path) -> anyhow::Result<Data> {
        Data::look_with(dir, false)
    }

    fn look_with(dir: &Path, is_live: bool) -> anyhow::Result<Data> {
        home::refuse_newer(dir)?;
        let mut findings = Findings::default();
        let entries = inspect::list(dir)?;
        let is_clean = entries.iter().any(|entry| entry.name == CLEAN_SHUTDOWN);
        let condition = match (is_live, is_clean) {
            (true, _) => Condition::Live,
            (false, true) => Condition::Clean,
            (false, false) => Condition::Unclean,
        };
        let mut offsets = |name: &str| {
            // Apache Kafka makes these files empty, and writes them later or at a clean stop.
            let empty = condition != Condition::Clean || name.starts_with("cleaner");
            offsets(&dir.join(name), empty, &mut findings)
        };
        let recovery_points = offsets("recovery-point-offset-checkpoint");
        let log_starts = offsets("log-start-offset-checkpoint");
        let high_watermarks = offsets("replication-offset-checkpoint");
        let cleaned = offsets("cleaner-offset-checkpoint");
        let identity = Identity::load(dir).unwrap_or_else(|error| {
            match error {
                home::Error::Io { path, source, .. } => findings.unread(&path, &source),
                error => {
                    findings.damage(&dir.join("meta.properties"), what_of(&error.to_string()));
                }
            }
            None
        });
        let catalogue = Catalogue::read(dir, &mut findings);
        let mut partitions = Vec::new();
        for entry in &entries {
            let path = dir.join(&entry.name);
            match (Partition::parse(&entry.name), entry.thing) {
                (Some(_), Thing::Directory) => partitions.push(path),
                (Some(_), Thing::Link) => {
                    findings.damage(&path, "is a symbolic link, which is not followed");
                }
                (Some(_), _) => findings.damage(&path, "is no directory"),
                (None, thing) => look_at(&path, &entry.name, thing, &catalogue, &mut findings),
            }
        }
        let plan = match &identity {
            Some(identity) if condition != Condition::Live => {
                catalogue::plan(dir, identity, condition, &mut findings)
            }
            _ => None,
        };
        let mut data = Data {
            dir: dir.to_owned(),
            condition,
            is_ours: inspect::is_kaws(&dir.join(catalogue::DIRECTORY)),
            partitions,
            findings,
            catalogue,
            identity,
            plan,
            recovery_points,
            log_starts,
            high_watermarks,
            cleaned,
        };
        data.find_missing();
        Ok(data)
    }

    /// A partition that had records, and has no directory.
    fn find_missing(&mut self) {
        if self.condition == Condition::Live {
            return;
        }
        let file = self.dir.join("recovery-point-offset-checkpoint");
        let mut gone: Vec<_> = self.recovery_points.iter().collect();
        gone.retain(|(partition, offset)| {
            let name = format!("{}-{}", partition.topic, partition.partition);
            let is_known = self.catalogue.topic_id(&partition.topic).is_some();
            let start = self.log_starts.get(*partition).copied().unwrap_or(Offset::ZERO);
            is_known && start < **offset && !self.dir.join(name).exists()
        });
        gone.sort();
        for (partition, offset) in gone {
            let (topic, number) = (&partition.topic, partition.partition);
            let what =
                format!("{topic}-{number} reached offset {offset}, and has no directory any more");
            self.findings.damage(&file, what);
        }
    }

    /// What is known of a partition.
    pub fn expected(&self, dir: &Path, options: Options) -> Expected {
        let mut expected = Expected {
            condition: self.condition,
            is_ours: self.is_ours,
            compacted: options.compacted,
            records: options.records,
            ..Expected::default()
        };
        let Some(partition) = Partition::of(dir) else { return expected };
        if catalogue::is_own(dir) {
            // The checkpoints at the top do not speak of it in kaw's directories.
            expected.topic_id = Some(CATALOGUE_ID);
        } else {
            expected.topic_id = self.catalogue.topic_id(&partition.topic);
            expected.leader_epoch = self.catalogue.leader_epoch(&partition);
        }
        expected.log_start = self.log_starts.get(&partition).copied();
        // Of what lies before the log's start nothing is left.
        let cleaned = self.cleaned.get(&partition).copied();
        expected.compacted |= self.catalogue.is_compacted(&partition.topic)
            || cleaned.is_some_and(|end| expected.log_start.unwrap_or(Offset::ZERO) < end);
        // Of a log that was never synced there is no line.
        let never = (self.condition == Condition::Unclean).then_some(Offset::ZERO);
        expected.recovery_point = self.recovery_points.get(&partition).copied().or(never);
        expected.high_watermark = self.high_watermarks.get(&partition).copied();
        expected
    }
}

/// What a user says of the logs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub compacted: bool,
    pub records: bool,
}

fn offsets(path: &Path, empty: bool, findings: &mut Findings) -> Offsets {
    // What is no file is told of by its name.
    if !std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Offsets::new();
    }
    let bytes = match inspect::read_small(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Offsets::new(),
        Err(error) => {
            findings.unread(path, &error);
            return Offsets::new();
        }
        Ok(bytes) if bytes.is_empty() && empty => return Offsets::new(),
        Ok(bytes) => bytes,
    };
    match inspect::offsets(&bytes) {
        Ok(lines) => {
            if let Some(low) = lines.iter().find(|line| line.offset < Offset::ZERO) {
                findings.damage(path, format!("offset {} is negative", low.offset));
            }
            let entry = |line: PartitionOffset| {
                (Partition { topic: line.topic, partition: line.partition }, line.offset)
            };
            lines.into_iter().map(entry).collect()
        }
        Err((byte, what)) => {
            findings.damage_at(path, byte, what);
            Offsets::new()
        }
    }
}

/// A name at the top that is no partition's.
fn look_at(path: &Path, name: &str, thing: Thing, catalogue: &Catalogue, findings: &mut Findings) {
    match (Name::parse(name), thing) {
        (Name::Json, Thing::File { .. }) => look_at_json(path, findings),
        (Name::Offsets | Name::Properties, Thing::File { .. }) => {}
        (Name::Offsets | Name::Properties | Name::Json, _) => {
            findings.damage(path, "is no regular file");
        }
        (_, Thing::Directory) if name.ends_with("-stray") => {
            let way = stray(&path.display().to_string(), name);
            match lost_by(path, name, catalogue) {
                Some(topic) => findings.damage(
                    path,
                    format!(
                        "was set aside from topic {topic}, under an id that no topic ever had: \
                         its records are missing there; {way}, and then move it elsewhere"
                    ),
                ),
                None => {
                    let why = "was set aside, because the catalogue had no such topic";
                    findings.note(path, format!("{why}; {way}"));
                }
            }
        }
        (_, Thing::Directory) if name != "lost+found" => {
            findings.note(path, "was set aside, or is no partition; not looked into");
        }
        _ => {}
    }
}

/// How what is in a directory that was set aside is had again.
fn stray(dir: &str, name: &str) -> String {
    match name.starts_with("__consumer_offsets-") {
        true => format!(
            "`kaw log dump --records {dir}` shows where groups were, and `kaw group reset` sets \
             them"
        ),
        false => format!("`kaw log dump --records -J {dir} | kaw produce -J NAME` makes one of it"),
    }
}

/// The topic whose records a directory holds that was set aside: the catalogue has that topic, and
/// no deleted one of the id under which it was set aside. Its id was damaged, then.
fn lost_by(path: &Path, name: &str, catalogue: &Catalogue) -> Option<String> {
    let (partition, hex) = name.strip_suffix("-stray")?.rsplit_once('.')?;
    let topic = Partition::parse(partition)?.topic;
    let id = u128::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 32)?;
    let is_log = |entry: &inspect::Entry| {
        let has_bytes = matches!(entry.thing, Thing::File { bytes } if 0 < bytes);
        has_bytes && matches!(Name::parse(&entry.name), Name::Log(_))
    };
    let has_records = inspect::list(path).ok()?.iter().any(is_log);
    let is_lost = catalogue.topic_id(&topic).is_some()
        && catalogue.never_gave(Uuid(id.to_be_bytes()))
        && has_records;
    is_lost.then_some(topic)
}

fn look_at_json(path: &Path, findings: &mut Findings) {
    match inspect::read_small(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => findings.unread(path, &error),
        Ok(bytes) => {
            if let Err(error) = serde_json::from_slice::<serde_json::Value>(&bytes) {
                findings.damage(path, format!("is not JSON: {error}"));
            }
        }
    }
}

/// An error's reason, without the file's name before it.
fn what_of(error: &str) -> String {
    error.split_once(" cannot be read: ").map_or(error, |(_, what)| what).to_owned()
}
