//! What a data directory's catalogue says of its topics, read without opening it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use bytes::Bytes;

use super::place::Partition;
use crate::broker::{Identity, Plan};
use crate::log::inspect::{self, Condition, Findings, Name, Piece, Pieces, Thing};
use crate::log::{DiskFile, RealFile};
use crate::protocol::catalogue::{CatalogueRecord, LEADER_UNCHANGED};
use crate::protocol::describe_configs::ResourceType;
use crate::record::{BatchView, INFLATED_BYTES_MAX, LeaderEpoch, Offset, Scratch, Uuid};

pub const DIRECTORY: &str = "__cluster_metadata-0";

/// Whether this is the catalogue's directory.
pub fn is_own(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name == DIRECTORY)
}

/// What a repair of the catalogue would do, with what it would do it for among the findings.
pub fn plan(
    data: &Path,
    identity: &Identity,
    condition: Condition,
    findings: &mut Findings,
) -> Option<Plan> {
    let dir = data.join(DIRECTORY);
    let plan = match Plan::make(data, identity) {
        Ok(plan) => plan,
        Err(error) => {
            // What it cannot read is told of by the file, if it is.
            if !findings.list().iter().any(|finding| finding.path.starts_with(&dir)) {
                findings.damage(&dir, error.to_string());
            }
            return None;
        }
    };
    // A power loss may leave the directory of a topic whose making nobody was told of.
    let is_damage = plan.is_damaged() || condition == Condition::Clean;
    for (path, what) in plan.findings() {
        match is_damage {
            true => findings.damage(&path, what),
            false => findings.note(&path, what),
        }
    }
    Some(plan)
}

/// Topics that are compacted whatever their settings say.
const COMPACTED: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

#[derive(Debug, Default)]
pub struct Catalogue {
    names: HashMap<Uuid, String>,
    ids: HashMap<String, Uuid>,
    policies: HashMap<String, String>,
    epochs: HashMap<(Uuid, i32), LeaderEpoch>,
    /// Ids of all topics that there ever were.
    given: HashSet<Uuid>,
    /// What was deleted before a checkpoint is not said any more.
    has_checkpoint: bool,
}

impl Catalogue {
    /// Reads the newest checkpoint and the log behind it. What cannot be understood is a finding.
    pub fn read(data: &Path, findings: &mut Findings) -> Catalogue {
        let mut catalogue = Catalogue::default();
        let dir = data.join(DIRECTORY);
        // A directory that is not there has no topics; one that is not readable is found later.
        let entries = inspect::list(&dir).unwrap_or_default();
        let files = entries.iter().filter(|entry| matches!(entry.thing, Thing::File { .. }));
        let names = files.map(|entry| (Name::parse(&entry.name), &entry.name));
        let mut newest: Option<(Offset, &String)> = None;
        let mut logs = Vec::new();
        for (kind, name) in names {
            match kind {
                Name::Catalogue(end, _) if Offset::ZERO < end => {
                    newest = newest.max(Some((end, name)));
                }
                Name::Log(base) => logs.push((base, name)),
                _ => {}
            }
        }
        let from = newest.map_or(Offset::ZERO, |(end, _)| end);
        catalogue.has_checkpoint = newest.is_some();
        if let Some((_, name)) = newest {
            catalogue.apply_file(&dir.join(name), Offset::ZERO, Offset::ZERO, findings);
        }
        for (base, name) in logs {
            catalogue.apply_file(&dir.join(name), base, from, findings);
        }
        catalogue
    }

    /// Applies the records from `from` on. Damage is told of where the file is verified.
    fn apply_file(&mut self, path: &Path, base: Offset, from: Offset, findings: &mut Findings) {
        let Ok(file) = RealFile::open_to_read(path) else { return };
        let Ok(bytes) = file.len() else { return };
        let mut pieces = Pieces::new(&file, bytes, base, None);
        let mut scratch = Scratch::default();
        while let Ok(Some(piece)) = pieces.next_piece() {
            if let Piece::Batch { position, batch } = piece
                && !batch.is_control()
                && let Err((offset, what)) = self.apply_batch(&batch, from, &mut scratch)
            {
                findings.damage_of(path, position.into(), offset, what);
            }
        }
    }

    fn apply_batch(
        &mut self,
        batch: &BatchView<'_>,
        from: Offset,
        scratch: &mut Scratch,
    ) -> Result<(), (Offset, String)> {
        let bad = |what: String| (batch.base_offset(), what);
        let records = batch.records(scratch, INFLATED_BYTES_MAX);
        let records = records.map_err(|error| bad(error.to_string()))?;
        for entry in records {
            let entry = entry.map_err(|error| bad(error.to_string()))?;
            if entry.offset < from {
                continue;
            }
            let value = Bytes::copy_from_slice(entry.value.unwrap_or_default());
            let record = CatalogueRecord::decode(value);
            self.apply(record.map_err(|error| (entry.offset, error.to_string()))?);
        }
        Ok(())
    }

    fn apply(&mut self, record: CatalogueRecord) {
        match record {
            CatalogueRecord::Topic(topic) => {
                self.given.insert(topic.topic_id);
                self.ids.insert(topic.name.to_string(), topic.topic_id);
                self.names.insert(topic.topic_id, topic.name.to_string());
            }
            CatalogueRecord::RemoveTopic(gone) => {
                self.given.insert(gone.topic_id);
                if let Some(name) = self.names.remove(&gone.topic_id) {
                    self.ids.remove(&name);
                    self.policies.remove(&name);
                }
            }
            CatalogueRecord::Partition(new) => {
                self.epochs.insert((new.topic_id, new.partition.get()), new.leader_epoch);
            }
            CatalogueRecord::PartitionChange(change) if change.leader != LEADER_UNCHANGED => {
                let key = (change.topic_id, change.partition.get());
                self.epochs.entry(key).and_modify(|epoch| epoch.0 = epoch.0.saturating_add(1));
            }
            CatalogueRecord::Config(config)
                if config.resource_type == ResourceType::TOPIC
                    && &*config.name == "cleanup.policy" =>
            {
                let name = config.resource_name.to_string();
                match config.value {
                    Some(value) => _ = self.policies.insert(name, value.to_string()),
                    None => _ = self.policies.remove(&name),
                }
            }
            _ => {}
        }
    }

    pub fn topic_id(&self, topic: &str) -> Option<Uuid> {
        self.ids.get(topic).copied()
    }

    /// Whether there surely never was a topic of this id.
    pub fn never_gave(&self, id: Uuid) -> bool {
        !self.has_checkpoint && !self.given.contains(&id)
    }

    pub fn is_compacted(&self, topic: &str) -> bool {
        let policy = self.policies.get(topic);
        COMPACTED.contains(&topic) || policy.is_some_and(|policy| policy.contains("compact"))
    }

    pub fn leader_epoch(&self, partition: &Partition) -> Option<LeaderEpoch> {
        let id = self.topic_id(&partition.topic)?;
        self.epochs.get(&(id, partition.partition.get())).copied()
    }
}
