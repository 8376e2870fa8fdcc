//! Mends a catalogue of which records are lost: those that speak of what is lost are taken out, and
//! topics whose directories are here get their records again.
//! Never knows: which command asks.

use std::fs;
use std::path::{Path, PathBuf};

use super::image::Misfit;
use super::read::{failed, segments};
use super::rebuild::{Lone, Rebuilt, rebuild};
use super::rewrite::{RECORDS_MAX, rewrite};
use super::survey::{Survey, survey};
use super::{Catalogue, CatalogueError, DIRECTORY, Image, State, TOPIC_ID, refuse_foreign};
use crate::broker::Identity;
use crate::broker::home::plain;
use crate::broker::topic::directory::{self, Found};
use crate::broker::topic::{names, now};
use crate::log::inspect::{self, Name};
use crate::protocol::catalogue::{
    CatalogueRecord, ConfigRecord, PartitionRecord, ProducerIdsRecord,
};
use crate::protocol::describe_configs::ResourceType;
use crate::protocol::{NodeId, Text};
use crate::record::{PartitionId, ProducerId};

/// More producer ids than anyone has taken. Which ones are in logs, snapshots and transactions only
/// all of them could tell, and one that came again would have new records taken for old ones.
const PRODUCER_IDS: i64 = 1 << 40;

/// `__consumer_offsets` has so many partitions where nobody said otherwise.
const OFFSETS_PARTITIONS: i32 = 50;

/// What is to be done, and what is lost for good.
pub struct Plan {
    dir: PathBuf,
    survey: Survey,
    rebuilt: Rebuilt,
    /// Directories of topics whose deletion stands, and whose beginning is lost.
    deleted: Vec<(PathBuf, Lone)>,
    /// Topics whose deletion is lost: their directories wait to be removed.
    revived: Vec<Text>,
    /// There was a catalogue, and nothing is left of it.
    is_gone: bool,
}

impl Plan {
    /// Says what a repair would do, and changes nothing.
    pub fn make(data_dir: &Path, identity: &Identity) -> Result<Plan, CatalogueError> {
        let dir = data_dir.join(DIRECTORY);
        let found = look(data_dir)?;
        let survey = survey(&dir, found.clean)?;
        let mut deleted = Vec::new();
        let mut others = Vec::new();
        for lone in lone(&found, &survey.image) {
            match lone.id.is_some_and(|id| survey.removed.contains(&id)) {
                true => deleted.push((path(&found, &lone), lone)),
                false => others.push(lone),
            }
        }
        let rebuilt = rebuild(&survey.image, identity, others, OFFSETS_PARTITIONS);
        let ids = found.deleted.iter().filter_map(|dir| directory::topic_id(dir));
        let revived = ids.filter_map(|id| survey.image.topic_by_id(id));
        let mut revived: Vec<Text> = revived.map(|(name, _)| name.clone()).collect();
        revived.dedup();
        if !survey.has_holes {
            // A start ends the deletion, or undoes it, by what the catalogue says.
            revived.clear();
            deleted.clear();
        }
        let is_gone = !survey.is_there && !found.partitions.is_empty();
        let plan = Plan { dir, survey, rebuilt, deleted, revived, is_gone };
        plan.refuse_foreign(data_dir, identity)?;
        Ok(plan)
    }

    /// One that is of a cluster of several nodes is not for this program to write on in.
    fn refuse_foreign(&self, data_dir: &Path, of: &Identity) -> Result<(), CatalogueError> {
        if self.steps().is_empty() {
            return Ok(());
        }
        let mut image = self.survey.image.clone();
        for record in self.rebuilt.records.iter().flatten() {
            let misfit = |misfit: Misfit| failed(&self.dir, misfit.0);
            image.apply(record.clone()).map_err(misfit)?;
        }
        refuse_foreign(data_dir, of, &image)
    }

    /// Whether records were lost.
    pub fn is_damaged(&self) -> bool {
        self.survey.has_holes || self.is_gone
    }

    /// What is to be done, one line each.
    pub fn steps(&self) -> Vec<String> {
        let dir = self.dir.display();
        let mut steps = Vec::new();
        if self.is_gone {
            steps.push(format!(
                "{dir}: begin a new catalogue, because nothing is left of the one that was here; \
                 its files are set aside"
            ));
        } else if self.survey.has_holes {
            let unfit = match self.survey.unfit.len() {
                0 => String::new(),
                1 => ", and 1 record that nobody can follow without them".to_owned(),
                some => format!(", and {some} records that nobody can follow without them"),
            };
            steps.push(format!("{dir}: fill the offsets of lost records{unfit}, with empty ones"));
        }
        steps.extend(self.kept().map(|topic| {
            format!(
                "{dir}: topic {topic}: what was set for it may be lost; it keeps all records \
                 (retention.ms=-1) until `kaw topic alter {topic}` says otherwise"
            )
        }));
        steps.extend(self.rebuilt.taken.iter().map(|taken| format!("{dir}: {taken}")));
        steps.extend(self.revived.iter().map(|topic| {
            format!("{dir}: topic {topic}: that it was deleted is lost; it is there again")
        }));
        steps.extend(self.deleted.iter().map(|(path, _)| {
            format!("{}: its topic was deleted; renamed, as brokers do", path.display())
        }));
        steps
    }

    /// Topics that keep all from now on: how long they were to may be lost, and the first start
    /// would delete by the default.
    fn kept(&self) -> impl Iterator<Item = &Text> {
        let topics = &self.survey.image.topics;
        let says = |name: &Text| topics[name].configs.contains_key("retention.ms");
        self.survey.doubtful.iter().filter(move |name| !names::is_internal(name) && !says(name))
    }

    /// What is wrong, and with which file or directory.
    pub fn findings(&self) -> Vec<(PathBuf, String)> {
        let data_dir = self.dir.parent().unwrap_or(&self.dir);
        let mut found = Vec::new();
        let mut of_catalogue = |what: String| found.push((self.dir.clone(), what));
        if self.is_gone {
            of_catalogue("there is no catalogue, and there are partitions".to_owned());
        }
        if self.is_damaged() {
            of_catalogue(
                "records are lost: settings, users and topics without records among them are gone"
                    .to_owned(),
            );
        }
        for taken in &self.rebuilt.taken {
            of_catalogue(format!("{}; a start or a repair brings it back", taken.lost()));
        }
        for topic in &self.revived {
            of_catalogue(format!("topic {topic}: that it was deleted is lost"));
        }
        found.extend(self.deleted.iter().map(|(path, _)| {
            (path.clone(), "its topic was deleted; a repair renames it, as brokers do".to_owned())
        }));
        found.extend(self.rebuilt.left.iter().map(|(lone, why)| {
            let path = data_dir.join(format!("{}-{}", lone.topic, lone.partition));
            (path, format!("the catalogue does not know it, and a broker sets it aside: {why}"))
        }));
        found
    }

    /// Does it. Damage that is no batch at all must have been taken out before.
    pub fn carry_out(self, data_dir: &Path, identity: &Identity) -> Result<(), CatalogueError> {
        let unwritable = |path: &Path, error| failed(path, plain(&error));
        if self.is_gone {
            self.set_files_aside().map_err(|error| unwritable(&self.dir, error))?;
        } else if self.survey.has_holes {
            for (base, path) in segments(&self.dir)? {
                rewrite(&path, base, &self.survey)?;
            }
            inspect::reread(&self.dir, TOPIC_ID, now())
                .map_err(|error| failed(&self.dir, error))?;
        }
        for (path, lone) in &self.deleted {
            let id = lone.id.unwrap_or_default();
            let name = names::set_aside(&lone.topic, lone.partition, id, "delete");
            fs::rename(path, path.with_file_name(name)).map_err(|e| unwritable(path, e))?;
        }
        let found = look(data_dir)?;
        let catalogue = Catalogue::open_to_mend(data_dir, identity, &found)?;
        let is_damaged = self.is_damaged();
        {
            let mut state = catalogue.lock();
            if !self.is_gone && self.lacks_voters() {
                state.voters(identity)?;
            }
            let kept: Vec<CatalogueRecord> = self.kept().map(keep).collect();
            for records in kept.chunks(RECORDS_MAX) {
                catalogue.append(&mut state, records.to_vec())?;
            }
            for records in self.rebuilt.records {
                catalogue.append(&mut state, records)?;
            }
            if is_damaged {
                let records = vec![free_ids(&state, identity)];
                catalogue.append(&mut state, records)?;
                let records = behind(&found, &state.image, identity);
                for records in records.chunks(RECORDS_MAX) {
                    catalogue.append(&mut state, records.to_vec())?;
                }
            }
        }
        catalogue.sync_now()?;
        catalogue.close(data_dir, identity).map_err(|error| unwritable(&self.dir, error))
    }
}

impl Plan {
    /// Whether nothing is left that could be mended.
    pub fn begins_anew(&self) -> bool {
        self.is_gone
    }

    /// What speaks of a log that is gone must not be taken for what speaks of the new one.
    fn set_files_aside(&self) -> std::io::Result<()> {
        let entries = match inspect::list(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries.iter().filter(|entry| Name::parse(&entry.name) != Name::SetAside) {
            inspect::set_aside(&self.dir.join(&entry.name))?;
        }
        Ok(())
    }

    fn lacks_voters(&self) -> bool {
        self.survey.has_holes && !self.survey.has_voters && !is_static(&self.dir)
    }
}

fn look(data_dir: &Path) -> Result<Found, CatalogueError> {
    Found::look(data_dir).map_err(|error| failed(data_dir, plain(&error)))
}

fn path(found: &Found, lone: &Lone) -> PathBuf {
    found.partitions[&(lone.topic.clone(), lone.partition)].clone()
}

/// Partitions with a directory that the catalogue does not know.
pub fn lone(found: &Found, image: &Image) -> Vec<Lone> {
    let is_known = |topic: &str, partition: PartitionId| {
        image.topics.get(topic).is_some_and(|known| known.partitions.contains_key(&partition))
    };
    let unknown = found.partitions.iter().filter(|((topic, id), _)| !is_known(topic, *id));
    let lone = unknown.map(|((topic, partition), dir)| Lone {
        topic: topic.clone(),
        partition: *partition,
        id: directory::topic_id(dir),
        leader_epoch: directory::last_epoch(dir),
    });
    lone.collect()
}

/// The first producer id that is surely free.
pub fn free_ids(state: &State, identity: &Identity) -> CatalogueRecord {
    ProducerIdsRecord {
        broker_id: Some(NodeId(identity.node_id)),
        broker_epoch: state.image.broker_epoch(),
        next_producer_id: ProducerId(state.image.next_producer_id.get() + PRODUCER_IDS),
    }
    .into()
}

fn keep(topic: &Text) -> CatalogueRecord {
    ConfigRecord {
        resource_type: ResourceType::TOPIC,
        resource_name: topic.clone(),
        name: "retention.ms".into(),
        value: Some("-1".into()),
    }
    .into()
}

/// Records of partitions whose logs are further than the catalogue knows: a consumer that knows a
/// higher epoch would read nothing from Apache Kafka.
fn behind(found: &Found, image: &Image, identity: &Identity) -> Vec<CatalogueRecord> {
    let me = NodeId(identity.node_id);
    let mut records = Vec::new();
    for ((topic, partition), dir) in &found.partitions {
        let Some(topic) = image.topics.get(&**topic) else { continue };
        let Some(known) = topic.partitions.get(partition) else { continue };
        let leader_epoch = directory::last_epoch(dir);
        if leader_epoch <= known.leader_epoch {
            continue;
        }
        let record = PartitionRecord {
            partition: *partition,
            topic_id: topic.id,
            replicas: vec![me],
            in_sync: vec![me],
            leader: Some(me),
            leader_epoch,
            directories: vec![identity.directory_id],
            ..PartitionRecord::default()
        };
        records.push(record.into());
    }
    records
}

/// The voters of such a quorum stand in a broker's settings, and not in the log (KIP-853).
fn is_static(dir: &Path) -> bool {
    let state = inspect::read_small(&dir.join("quorum-state")).unwrap_or_default();
    let state: Option<serde_json::Value> = serde_json::from_slice(&state).ok();
    state.is_some_and(|state| state["data_version"] == 0)
}
