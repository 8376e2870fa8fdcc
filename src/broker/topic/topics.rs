//! All topics of a data directory: by name, by id, created and deleted.
//! Never knows: requests, sockets.

mod change;
mod close;
mod configs;
mod start;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::catalogue::{Catalogue, CatalogueError, TopicImage};
use super::commit::{GroupCommit, Ticket};
use super::directory::{self, Checkpoints, Found, Volume};
use super::file_system::FileSystem;
use super::partition::{Asleep, Partition, TopicCore};
use super::producer_ids::{ProducerIds, Take};
use super::transactions::Coordination;
use crate::broker::config::{Overrides, Settings, TopicConfig};
use crate::broker::home::bytes_on_disk;
use crate::broker::{Durability, Identity, StartError};
use crate::protocol::catalogue::ProducerIdsRecord;
use crate::protocol::{NodeId, Text};
use crate::record::{PartitionId, ProducerId, Uuid};

pub use change::{ChangeError, Growth, NewTopic};
pub use configs::{Alteration, Target};
pub use start::set_stray_aside;
use start::{set_strays_aside, take_up, tidy};

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

#[derive(Default)]
struct Registry {
    by_name: BTreeMap<Text, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

/// Everything that a data directory holds.
pub struct Topics {
    pub data_dir: Arc<PathBuf>,
    settings: RwLock<Arc<Settings>>,
    durability: Durability,
    node: NodeId,
    identity: Identity,
    registry: RwLock<Registry>,
    catalogue: Arc<Catalogue>,
    producer_ids: Mutex<ProducerIds>,
    coordination: Arc<Coordination>,
    clean_at_start: bool,
    /// Made before anything is written.
    file_system: Option<FileSystem>,
    written: Mutex<Option<Checkpoints>>,
    /// Topics that were deleted before this start.
    deleted: Arc<HashSet<Uuid>>,
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
        let file_system = FileSystem::of(&data_dir);
        let catalogue = Catalogue::open(&data_dir, identity, &found).map_err(broken)?;
        let (settings, producer_ids, deleted) = {
            let mut state = catalogue.lock();
            directory::begin(&data_dir).map_err(unreadable)?;
            tidy(&mut found, &state).map_err(unreadable)?;
            let rebuilt = take_up(&mut found, &catalogue, &mut state, identity, &settings);
            let rebuilt = rebuilt.map_err(broken)?;
            set_strays_aside(&mut found, &rebuilt).map_err(unreadable)?;
            let (broker, cluster) = state.image.broker_configs(identity.node_id);
            let producer_ids = match state.is_new && rebuilt.taken.is_empty() {
                true => ProducerIds::of_new_catalogue(),
                false => ProducerIds::new(state.image.next_producer_id),
            };
            (settings.with_dynamic(broker, cluster), producer_ids, state.image.removed.clone())
        };
        let topics = Topics {
            file_system,
            data_dir: Arc::new(data_dir.clone()),
            settings: RwLock::new(Arc::new(settings)),
            durability,
            node: NodeId(identity.node_id),
            identity: identity.clone(),
            registry: RwLock::default(),
            catalogue: Arc::new(catalogue),
            producer_ids: Mutex::new(producer_ids),
            coordination: Arc::default(),
            clean_at_start: found.clean,
            written: Mutex::default(),
            deleted: Arc::new(deleted),
            leftovers: Mutex::new(std::mem::take(&mut found.deleted)),
        };
        if !found.clean {
            topics.raise_epochs(&found).map_err(broken)?;
        }
        topics.register_all(&found);
        if found.has_lines_of_others() {
            topics.write_checkpoints().map_err(unreadable)?;
        }
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
        let config = TopicConfig::resolve(&image.configs, &self.settings());
        let core = Arc::new(TopicCore {
            name: name.clone(),
            id: image.id,
            data_dir: self.data_dir.clone(),
            deleted: self.deleted.clone(),
            config: RwLock::new(Arc::new(config)),
            producer_expiry_ms: AtomicI64::new(self.producer_expiry_ms()),
            coordination: self.coordination.clone(),
        });
        let partitions = image.partitions.iter().map(|(id, partition)| {
            let epoch = partition.leader_epoch;
            Arc::new(Partition::new(core.clone(), *id, epoch, asleep(*id)))
        });
        let partitions = partitions.collect();
        let overrides = image.configs.clone();
        self.replace(Topic { core, overrides, partitions })
    }

    /// Puts a topic in the place of what it was, if it was there.
    fn replace(&self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        self.coordination.heed(&topic);
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.by_name.insert(topic.name().clone(), topic.clone());
        registry.by_id.insert(topic.id(), topic.clone());
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

    /// Whether whoever had the directory before ended well: nothing that was written is missing.
    pub fn was_stopped_cleanly(&self) -> bool {
        self.clean_at_start
    }

    /// The broker configs in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn producer_expiry_ms(&self) -> i64 {
        self.settings().number("producer.id.expiration.ms")
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
        self.catalogue.metadata_version()
    }

    /// What the data directory takes of the disk.
    pub fn bytes_on_disk(&self) -> u64 {
        bytes_on_disk(&self.data_dir)
    }

    /// The file system it is on.
    pub fn volume(&self) -> Option<Volume> {
        Volume::of(&self.data_dir)
    }

    /// An id for a producer, never handed out before, nor ever again once the promise is kept:
    /// not in either mode of durability, because it costs one sync in a thousand.
    pub fn producer_id(&self) -> Result<(ProducerId, Ticket), ChangeError> {
        let mut state = self.catalogue.lock();
        let mut ids = self.producer_ids.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match ids.take() {
                Take::Id(id, recorded) => {
                    return Ok((id, GroupCommit::ask(&self.catalogue, recorded)));
                }
                Take::Record(next_producer_id) => {
                    let broker_epoch = state.image.broker_epoch();
                    let broker_id = Some(self.node);
                    let record = ProducerIdsRecord { broker_id, broker_epoch, next_producer_id };
                    let recorded = self
                        .catalogue
                        .append(&mut state, vec![record.into()])
                        .map_err(ChangeError::Catalogue)?;
                    ids.extend(next_producer_id, recorded);
                }
            }
        }
    }

    /// Directories that may be removed. Given out once.
    pub fn take_leftovers(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.leftovers.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
