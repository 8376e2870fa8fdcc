//! All topics of a data directory: by name, by id, created and deleted.
//! Never knows: requests, sockets.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::catalogue::{Catalogue, CatalogueError, PartitionImage, State, TopicImage};
use super::commit::{GroupCommit, Ticket};
use super::directory::{self, Checkpoints, Found};
use super::names::{self, BadName};
use super::partition::{Asleep, Partition, TopicCore};
use super::producer_ids::{ProducerIds, Take};
use crate::broker::config::{Overrides, Settings, TopicConfig, check_topic};
use crate::broker::{Durability, Identity, StartError};
use crate::protocol::catalogue::{
    CatalogueRecord, ConfigRecord, PartitionChangeRecord, PartitionRecord, ProducerIdsRecord,
    RemoveTopicRecord, TopicRecord,
};
use crate::protocol::describe_configs::ResourceType;
use crate::protocol::{NodeId, Text};
use crate::record::{LeaderEpoch, PartitionId, ProducerId, Uuid};

/// As Apache's (ReplicationControlManager.MAX_PARTITIONS_PER_BATCH).
const PARTITIONS_PER_CHANGE_MAX: usize = 10_000;

/// Records of one catalogue batch, about: Apache reads batches of up to 8 MiB.
const RECORDS_PER_BATCH: usize = 20_000;

/// A topic and its partitions.
pub struct Topic {
    pub core: Arc<TopicCore>,
    /// What the topic sets itself.
    pub overrides: Overrides,
    /// By number, from 0.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    pub fn name(&self) -> &Text {
        &self.core.name
    }

    pub fn id(&self) -> Uuid {
        self.core.id
    }

    pub fn partition(&self, id: PartitionId) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(id.get()).ok()?)
    }
}

/// A topic that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: Text,
    /// `None`: `num.partitions`.
    pub partitions: Option<i32>,
    pub configs: Overrides,
}

/// Why topics stay as they are.
#[derive(Debug)]
pub enum ChangeError {
    Exists(Text),
    Name(BadName),
    /// Differs from another only in `.` and `_`.
    Collides {
        name: Text,
        other: Text,
    },
    /// It is how the broker keeps its own books.
    Reserved(Text),
    Partitions,
    TooManyPartitions,
    Config(String),
    Unknown,
    Catalogue(CatalogueError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::Exists(name) => write!(f, "Topic '{name}' already exists."),
            ChangeError::Name(bad) => bad.fmt(f),
            ChangeError::Collides { name, other } => {
                write!(f, "Topic '{name}' collides with existing topic: {other}")
            }
            ChangeError::Reserved(name) => {
                write!(f, "Creation of internal topic {name} is prohibited.")
            }
            ChangeError::Partitions => {
                f.write_str("Number of partitions was set to an invalid non-positive value.")
            }
            ChangeError::TooManyPartitions => {
                f.write_str("Excessively large number of partitions per request.")
            }
            ChangeError::Config(why) => f.write_str(why),
            ChangeError::Unknown => f.write_str("This server does not host this topic-partition."),
            ChangeError::Catalogue(error) => error.fmt(f),
        }
    }
}

#[derive(Default)]
struct Registry {
    by_name: BTreeMap<Text, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

/// Everything that a data directory holds.
pub struct Topics {
    pub data_dir: Arc<PathBuf>,
    pub settings: Settings,
    durability: Durability,
    node: NodeId,
    directory: Uuid,
    registry: RwLock<Registry>,
    catalogue: Arc<Catalogue>,
    producer_ids: Mutex<ProducerIds>,
    clean_at_start: bool,
    written: Mutex<Option<Checkpoints>>,
    /// Directories of deleted topics, found at start.
    leftovers: Mutex<Vec<PathBuf>>,
}

impl Topics {
    /// Reads the catalogue and looks at the directory; logs are opened when they are needed.
    pub fn open(
        data_dir: PathBuf,
        identity: &Identity,
        settings: Settings,
        durability: Durability,
    ) -> Result<Topics, StartError> {
        let unreadable = |error| StartError::Directory { path: data_dir.clone(), error };
        let broken = |error: CatalogueError| StartError::Catalogue(error.to_string());
        let mut found = Found::look(&data_dir).map_err(unreadable)?;
        let catalogue = Catalogue::open(&data_dir, identity).map_err(broken)?;
        let (settings, first_free) = {
            let state = catalogue.lock();
            // A directory that is refused stays as it was.
            check_servable(&state, NodeId(identity.node_id))?;
            directory::begin(&data_dir).map_err(unreadable)?;
            tidy(&mut found, &state).map_err(unreadable)?;
            let (broker, cluster) = state.image.broker_configs(identity.node_id);
            (settings.with_dynamic(broker, cluster), state.image.next_producer_id)
        };
        let topics = Topics {
            data_dir: Arc::new(data_dir.clone()),
            settings,
            durability,
            node: NodeId(identity.node_id),
            directory: identity.directory_id,
            registry: RwLock::default(),
            catalogue: Arc::new(catalogue),
            producer_ids: Mutex::new(ProducerIds::new(first_free)),
            clean_at_start: found.clean,
            written: Mutex::default(),
            leftovers: Mutex::new(std::mem::take(&mut found.deleted)),
        };
        if !found.clean {
            topics.raise_epochs(&found).map_err(broken)?;
        }
        topics.register_all(&found);
        if durability == Durability::Fsync {
            topics.catalogue.sync_now().map_err(broken)?;
        }
        Ok(topics)
    }

    fn register_all(&self, found: &Found) {
        let state = self.catalogue.lock();
        for (name, image) in &state.image.topics {
            let asleep = |id: PartitionId| found.asleep(&(name.to_string(), id));
            self.register(name, image, asleep);
        }
    }

    fn register(
        &self,
        name: &Text,
        image: &TopicImage,
        asleep: impl Fn(PartitionId) -> Asleep,
    ) -> Arc<Topic> {
        let config = TopicConfig::resolve(&image.configs, &self.settings);
        let core = Arc::new(TopicCore {
            name: name.clone(),
            id: image.id,
            data_dir: self.data_dir.clone(),
            config: RwLock::new(Arc::new(config)),
            producer_expiry_ms: self.settings.number("producer.id.expiration.ms"),
        });
        let partitions = image.partitions.iter().map(|(id, partition)| {
            let epoch = partition.leader_epoch;
            Arc::new(Partition::new(core.clone(), *id, epoch, asleep(*id)))
        });
        let partitions = partitions.collect();
        let overrides = image.configs.clone();
        let topic = Arc::new(Topic { core: core.clone(), overrides, partitions });
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.by_name.insert(name.clone(), topic.clone());
        registry.by_id.insert(image.id, topic.clone());
        topic
    }

    fn registry(&self) -> std::sync::RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.registry().by_name.get(name).cloned()
    }

    pub fn get_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.registry().by_id.get(&id).cloned()
    }

    /// All of them, sorted by name.
    pub fn all(&self) -> Vec<Arc<Topic>> {
        self.registry().by_name.values().cloned().collect()
    }

    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The promise that whatever the catalogue says now is on the disk.
    pub fn catalogue_durable(&self) -> Ticket {
        match self.durability {
            Durability::Fsync => GroupCommit::ask(&self.catalogue, self.catalogue.end()),
            Durability::Os => Ticket::Kept,
        }
    }

    /// Of the catalogue's records (`metadata.version`).
    pub fn metadata_version(&self) -> i16 {
        let state = self.catalogue.lock();
        state.image.features.get("metadata.version").copied().unwrap_or(1)
    }

    /// What the data directory takes of the disk.
    pub fn bytes_on_disk(&self) -> u64 {
        directory::bytes_below(&self.data_dir)
    }

    /// Checks topics that somebody wants, each against what there is and the others.
    pub fn check(&self, wanted: &[NewTopic]) -> Vec<Result<(), ChangeError>> {
        self.check_all(&self.catalogue.lock(), wanted)
    }

    /// Creates those topics that can be. They are durable once `catalogue_durable` is.
    pub fn create(&self, wanted: &[NewTopic]) -> Vec<Result<Arc<Topic>, ChangeError>> {
        let mut state = self.catalogue.lock();
        let checked = self.check_all(&state, wanted);
        let mut good =
            wanted.iter().zip(&checked).filter(|(_, checked)| checked.is_ok()).peekable();
        let mut failed: Option<String> = None;
        while good.peek().is_some() && failed.is_none() {
            let mut records = Vec::new();
            while let Some((wanted, _)) = good.next_if(|_| records.len() < RECORDS_PER_BATCH) {
                self.records(wanted, &mut records);
            }
            failed =
                self.catalogue.append(&mut state, records).err().map(|error| error.to_string());
        }
        if let Some(error) = &failed {
            tracing::error!(%error, "cannot create topics");
        }
        let created = wanted.iter().zip(checked).map(|(wanted, checked)| {
            checked?;
            match state.image.topics.get(&wanted.name) {
                Some(image) => Ok(self.register(&wanted.name, image, |_| Asleep::default())),
                None => Err(ChangeError::Catalogue(CatalogueError::Refused)),
            }
        });
        created.collect()
    }

    fn check_all(&self, state: &State, wanted: &[NewTopic]) -> Vec<Result<(), ChangeError>> {
        let existing = state.image.topics.keys();
        let mut folded: HashMap<String, Text> =
            existing.map(|name| (names::folded(name), name.clone())).collect();
        let mut partitions = 0;
        let checked = wanted.iter().map(|topic| {
            check_topic(&topic.configs).map_err(ChangeError::Config)?;
            names::check(&topic.name).map_err(ChangeError::Name)?;
            if &*topic.name == "__cluster_metadata" {
                return Err(ChangeError::Reserved(topic.name.clone()));
            }
            match folded.get(&names::folded(&topic.name)) {
                Some(other) if *other == topic.name => {
                    return Err(ChangeError::Exists(topic.name.clone()));
                }
                Some(other) => {
                    let (name, other) = (topic.name.clone(), other.clone());
                    return Err(ChangeError::Collides { name, other });
                }
                None => {}
            }
            let count = usize::try_from(self.partition_count(topic))
                .ok()
                .filter(|count| 0 < *count)
                .ok_or(ChangeError::Partitions)?;
            partitions += count;
            if PARTITIONS_PER_CHANGE_MAX < partitions {
                return Err(ChangeError::TooManyPartitions);
            }
            folded.insert(names::folded(&topic.name), topic.name.clone());
            Ok(())
        });
        checked.collect()
    }

    pub fn partition_count(&self, topic: &NewTopic) -> i32 {
        let default = || i32::try_from(self.settings.number("num.partitions")).unwrap_or(i32::MAX);
        topic.partitions.unwrap_or_else(default)
    }

    /// A topic's records, in Apache's order.
    fn records(&self, topic: &NewTopic, records: &mut Vec<CatalogueRecord>) {
        let topic_id = random_id();
        records.push(TopicRecord { name: topic.name.clone(), topic_id }.into());
        records.extend(topic.configs.iter().map(|(name, value)| {
            ConfigRecord {
                resource_type: ResourceType::TOPIC,
                resource_name: topic.name.clone(),
                name: name.as_str().into(),
                value: Some(value.as_str().into()),
            }
            .into()
        }));
        records.extend((0..self.partition_count(topic)).map(|partition| {
            PartitionRecord {
                partition: PartitionId(partition),
                topic_id,
                replicas: vec![self.node],
                in_sync: vec![self.node],
                leader: Some(self.node),
                leader_epoch: LeaderEpoch(0),
                directories: vec![self.directory],
                ..PartitionRecord::default()
            }
            .into()
        }));
    }

    /// Deletes a topic: from now on it is not there. What lay in its directories is to be removed
    /// by the caller, at leisure.
    pub fn delete(&self, id: Uuid) -> Result<Vec<PathBuf>, ChangeError> {
        let mut state = self.catalogue.lock();
        let topic = self.get_by_id(id).ok_or(ChangeError::Unknown)?;
        let removal = RemoveTopicRecord { topic_id: id }.into();
        self.catalogue.append(&mut state, vec![removal]).map_err(ChangeError::Catalogue)?;
        {
            let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
            registry.by_name.remove(topic.name());
            registry.by_id.remove(&id);
        }
        let mut leftovers = Vec::new();
        let mut known = Checkpoints::default();
        for partition in &topic.partitions {
            partition.report(&mut known);
            drop(partition.close());
            let dir = partition.dir();
            let aside = names::set_aside(topic.name(), partition.id, id, "delete");
            let aside = self.data_dir.join(aside);
            match fs::rename(&dir, &aside) {
                Ok(()) => leftovers.push(aside),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let dir = dir.display();
                    tracing::error!(%dir, %error, "cannot set a deleted topic aside");
                }
            }
        }
        // A topic that comes again under this name begins at 0, also after a crash.
        if !known.log_starts.is_empty()
            && let Err(error) = tokio::task::block_in_place(|| self.write_checkpoints())
        {
            tracing::error!(%error, "cannot write checkpoints");
        }
        Ok(leftovers)
    }

    /// An id for a producer, never handed out before.
    pub fn producer_id(&self) -> Result<ProducerId, ChangeError> {
        let mut state = self.catalogue.lock();
        let mut ids = self.producer_ids.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match ids.take() {
                Take::Id(id) => return Ok(id),
                Take::Record(next_producer_id) => {
                    let broker_epoch = state.image.broker_epoch.unwrap_or(-1);
                    let broker_id = Some(self.node);
                    let record = ProducerIdsRecord { broker_id, broker_epoch, next_producer_id };
                    self.catalogue
                        .append(&mut state, vec![record.into()])
                        .map_err(ChangeError::Catalogue)?;
                    ids.extend(next_producer_id);
                }
            }
        }
    }

    /// After an unclean stop, what followed the last sync may be gone: a higher leader epoch tells
    /// clients to look (KIP-320).
    fn raise_epochs(&self, found: &Found) -> Result<(), CatalogueError> {
        let mut state = self.catalogue.lock();
        let mut records: Vec<CatalogueRecord> = Vec::new();
        for (name, image) in &state.image.topics {
            for (&partition, known) in &image.partitions {
                if !found.partitions.contains_key(&(name.to_string(), partition)) {
                    continue;
                }
                let in_sync = known.is_offline.then(|| vec![self.node]);
                let change = PartitionChangeRecord {
                    partition,
                    topic_id: image.id,
                    leader: self.node,
                    eligible_leaders: in_sync.is_some().then(Vec::new),
                    last_known_eligible_leaders: in_sync.is_some().then(Vec::new),
                    in_sync,
                    ..PartitionChangeRecord::default()
                };
                records.push(change.into());
            }
        }
        let batches = records.chunks(RECORDS_PER_BATCH).map(<[_]>::to_vec).collect::<Vec<_>>();
        for batch in batches {
            self.catalogue.append(&mut state, batch)?;
        }
        Ok(())
    }

    /// Directories that may be removed. Given out once.
    pub fn take_leftovers(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.leftovers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the checkpoint files at the top of the directory, where they have changed.
    pub fn write_checkpoints(&self) -> std::io::Result<()> {
        let mut now = Checkpoints::default();
        for topic in self.all() {
            for partition in &topic.partitions {
                partition.report(&mut now);
            }
        }
        let mut before = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        now.write(&self.data_dir, before.as_ref())?;
        *before = Some(now);
        Ok(())
    }

    /// The clean end: every log closed, then every checkpoint written, then the sign of it.
    pub fn close(&self) -> Result<(), std::io::Error> {
        let partitions: Vec<_> =
            self.all().iter().flat_map(|topic| topic.partitions.clone()).collect();
        // What was never used was never recovered either, after an unclean start.
        let asleep = partitions.iter().filter(|_| !self.clean_at_start);
        let broken = asleep.filter(|partition| partition.wake_if_on_disk().is_err()).count();
        let mut checkpoints = Checkpoints::default();
        partitions.iter().for_each(|partition| partition.report(&mut checkpoints));
        let failed = close_all(&partitions);
        self.catalogue.close()?;
        if broken > 0 {
            let why = format!("{broken} of its logs cannot be opened; this was no clean stop");
            return Err(std::io::Error::other(why));
        }
        if let Some(error) = failed {
            return Err(error);
        }
        // Closing syncs: every log is durable up to its end.
        checkpoints.recovery_points = checkpoints.high_watermarks.clone();
        checkpoints.write(&self.data_dir, None)?;
        let broker_epoch = self.catalogue.lock().image.broker_epoch;
        directory::sign_clean_shutdown(&self.data_dir, broker_epoch)
    }
}

/// Closes logs, several at a time; says what went wrong first.
fn close_all(partitions: &[Arc<Partition>]) -> Option<std::io::Error> {
    const THREADS: usize = 8;
    let open: Vec<_> = partitions.iter().filter_map(|partition| partition.close()).collect();
    let each = open.len().div_ceil(THREADS).max(1);
    let mut open = open.into_iter().peekable();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        while open.peek().is_some() {
            let some: Vec<_> = open.by_ref().take(each).collect();
            threads.push(scope.spawn(move || {
                let closed = some.into_iter().map(|log| log.close(super::now()).err());
                closed.fold(None, Option::or)
            }));
        }
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).next()
    })
}

fn check_servable(state: &State, node: NodeId) -> Result<(), StartError> {
    let mine = |partition: &PartitionImage| partition.replicas.contains(&node);
    for (name, image) in &state.image.topics {
        let numbers = image.partitions.keys().map(|id| id.get());
        let contiguous = numbers.eq(0..image.partitions.len() as i32);
        if !contiguous || !image.partitions.values().all(mine) {
            return Err(StartError::Catalogue(format!(
                "topic {name} has partitions that are not on broker {node}: this directory is of \
                 a cluster of several brokers, which kaw cannot serve"
            )));
        }
    }
    Ok(())
}

/// Directories that do not fit the catalogue: deleted topics' are finished off, a deletion that
/// the catalogue knows nothing of is undone, and what nobody knows is set aside as Apache does.
fn tidy(found: &mut Found, state: &State) -> std::io::Result<()> {
    let mut doomed = Vec::new();
    for dir in std::mem::take(&mut found.deleted) {
        let id = directory::topic_id(&dir);
        let Some((name, image)) = id.and_then(|id| state.image.topic_by_id(id)) else {
            doomed.push(dir);
            continue;
        };
        let partition = partition_of(&dir, name);
        match partition.filter(|id| image.partitions.contains_key(id)) {
            Some(id) => {
                let home = dir.with_file_name(format!("{name}-{id}"));
                if home.try_exists()? {
                    // The topic that came after it is forgotten as well.
                    let other = directory::topic_id(&home).unwrap_or_else(random_id);
                    set_stray_aside(&home, name, id, other)?;
                }
                fs::rename(&dir, &home)?;
                found.partitions.insert((name.to_string(), id), home);
            }
            None => doomed.push(dir),
        }
    }
    let known: HashSet<(&str, PartitionId)> = state
        .image
        .topics
        .iter()
        .flat_map(|(name, image)| image.partitions.keys().map(|id| (&**name, *id)))
        .collect();
    let strays: Vec<_> = found
        .partitions
        .keys()
        .filter(|(topic, id)| !known.contains(&(topic.as_str(), *id)))
        .cloned()
        .collect();
    for key in strays {
        let dir = found.partitions.remove(&key).expect("it was found");
        match directory::topic_id(&dir) {
            Some(id) if state.image.removed.contains(&id) => doomed.push(dir),
            id => set_stray_aside(&dir, &key.0, key.1, id.unwrap_or_else(random_id))?,
        }
    }
    found.deleted = doomed;
    Ok(())
}

/// The number in `<topic>-<number>.<id>-delete`.
fn partition_of(dir: &std::path::Path, topic: &str) -> Option<PartitionId> {
    let name = dir.file_name()?.to_str()?;
    let rest = name.strip_prefix(topic)?.strip_prefix('-')?;
    Some(PartitionId(rest.split_once('.')?.0.parse().ok()?))
}

pub fn set_stray_aside(
    dir: &std::path::Path,
    topic: &str,
    partition: PartitionId,
    id: Uuid,
) -> std::io::Result<()> {
    let aside = dir.with_file_name(names::set_aside(topic, partition, id, "stray"));
    let (dir, aside) = (dir, aside.as_path());
    tracing::warn!(dir = %dir.display(), kept_at = %aside.display(), "no such topic; set aside");
    fs::rename(dir, aside)
}

fn random_id() -> Uuid {
    loop {
        let mut bytes = [0; 16];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        if filled == Ok(bytes.len())
            && let Some(id) = Uuid::from_random(bytes)
        {
            return id;
        }
    }
}
