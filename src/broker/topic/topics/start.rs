//! What a start mends: directories that do not fit the catalogue, and what an unclean stop lost.
//! Never knows: requests, sockets.

use std::fs;
use std::path::Path;

use super::super::catalogue::mend::{free_ids, lone};
use super::super::catalogue::rebuild::{Rebuilt, rebuild};
use super::super::catalogue::{Catalogue, CatalogueError, State};
use super::super::directory::{self, Found};
use super::super::{names, report};
use super::{RECORDS_PER_BATCH, Topics, random_id};
use crate::broker::Identity;
use crate::broker::config::Settings;
use crate::protocol::catalogue::{CatalogueRecord, PartitionChangeRecord};
use crate::record::{PartitionId, Uuid};

impl Topics {
    /// After an unclean stop, what followed the last sync may be gone: a higher leader epoch tells
    /// clients to look (KIP-320).
    pub(super) fn raise_epochs(&self, found: &Found) -> Result<(), CatalogueError> {
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
        let is_raised = !records.is_empty();
        self.append_all(&mut state, &records)?;
        drop(state);
        // Durable before anything is appended under them, in every mode: an epoch that a power
        // loss takes back would come again, for other records.
        if is_raised { self.catalogue.sync_now() } else { Ok(()) }
    }

    /// Records whose order counts and that need not be there all or none.
    pub(super) fn append_all(
        &self,
        state: &mut State,
        records: &[CatalogueRecord],
    ) -> Result<(), CatalogueError> {
        for batch in records.chunks(RECORDS_PER_BATCH) {
            self.catalogue.append(state, batch.to_vec())?;
        }
        Ok(())
    }
}

/// Directories that do not fit the catalogue: deleted topics' are finished off, and a deletion that
/// the catalogue knows nothing of is undone.
pub(super) fn tidy(found: &mut Found, state: &State) -> std::io::Result<()> {
    let mut doomed = Vec::new();
    for dir in std::mem::take(&mut found.deleted) {
        let id = directory::topic_id(&dir);
        let Some((name, image)) = id.and_then(|id| state.image.topic_by_id(id)) else {
            doomed.push(dir);
            continue;
        };
        let file_name = dir.file_name().and_then(|name| name.to_str());
        let partition = file_name.and_then(names::partition_set_aside);
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
    for lone in lone(found, &state.image) {
        if lone.id.is_some_and(|id| state.image.removed.contains(&id)) {
            doomed.extend(found.partitions.remove(&lone.key()));
        }
    }
    found.deleted = doomed;
    Ok(())
}

/// Topics whose directories are here and whose records are not get new ones: what was written under
/// a topic's id is that topic's, and who wrote it was told so. What no records can be made for is
/// set aside, as Apache does with all.
pub(super) fn take_up(
    found: &mut Found,
    catalogue: &Catalogue,
    state: &mut State,
    identity: &Identity,
    settings: &Settings,
) -> Result<Rebuilt, CatalogueError> {
    let lone = lone(found, &state.image);
    let offsets_partitions = settings.number("offsets.topic.num.partitions");
    let offsets_partitions = i32::try_from(offsets_partitions).unwrap_or(i32::MAX);
    let rebuilt = rebuild(&state.image, identity, lone, offsets_partitions);
    for records in &rebuilt.records {
        catalogue.append(state, records.clone())?;
    }
    if state.is_new && !rebuilt.taken.is_empty() {
        catalogue.append(state, vec![free_ids(state, identity)])?;
    }
    report::rebuilt(&rebuilt);
    Ok(rebuilt)
}

pub(super) fn set_strays_aside(found: &mut Found, rebuilt: &Rebuilt) -> std::io::Result<()> {
    for (lone, why) in &rebuilt.left {
        let Some(dir) = found.partitions.remove(&lone.key()) else { continue };
        let id = lone.id.unwrap_or_else(random_id);
        let aside = dir.with_file_name(names::set_aside(&lone.topic, lone.partition, id, "stray"));
        fs::rename(&dir, &aside)?;
        report::stray(&dir, &aside, why);
    }
    Ok(())
}

pub fn set_stray_aside(
    dir: &Path,
    topic: &str,
    partition: PartitionId,
    id: Uuid,
) -> std::io::Result<()> {
    let aside = dir.with_file_name(names::set_aside(topic, partition, id, "stray"));
    let (dir, aside) = (dir, aside.as_path());
    fs::rename(dir, aside)?;
    tracing::warn!(dir = %dir.display(), kept_at = %aside.display(), "no such topic; set aside");
    Ok(())
}
