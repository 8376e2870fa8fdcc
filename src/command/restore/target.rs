//! Where topics and groups' offsets go: what is there already, and what is set in the end.

use std::collections::{BTreeMap, HashMap};

use anyhow::bail;

use super::Wanted;
use super::settings::{batch_bytes_max, configs};
use super::write::Written;
use crate::backup::Manifest;
use crate::client::Code;
use crate::client::admin::{Admin, Edge, Isolation};
use crate::client::span::Edges;
use crate::command::admin::said;
use crate::record::{Offset, PartitionId};

/// A topic to be restored, and what its partitions hold already.
pub struct Target<'a> {
    pub wanted: &'a Wanted<'a>,
    /// `None` where there is no such topic yet.
    pub there: Option<There>,
}

/// A topic that is there.
pub struct There {
    edges: HashMap<PartitionId, Edges>,
    pub batch_bytes_max: usize,
    pub is_compacted: bool,
}

impl Target<'_> {
    /// Where the partition begins and ends.
    pub fn edges(&self, id: PartitionId) -> Edges {
        let edges = self.there.as_ref().and_then(|there| there.edges.get(&id));
        edges.copied().unwrap_or(Edges { start: Offset::ZERO, end: Offset::ZERO })
    }

    /// How many partitions there are.
    pub fn count(&self) -> Option<usize> {
        self.there.as_ref().map(|there| there.edges.len())
    }
}

/// Looks what there is under the names that the topics get.
pub fn look<'a>(admin: &Admin, wanted: &'a [Wanted<'a>]) -> anyhow::Result<Vec<Target<'a>>> {
    let topics = admin.topics()?;
    let mut targets = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let there = topics.iter().find(|topic| topic.name == wanted.target);
        let there = match there {
            None => None,
            Some(topic) => {
                let count = wanted.topic.partitions.len();
                if count < topic.partitions.len() {
                    bail!(
                        "topic '{}' has {} partitions already, the backup {count}; delete it or \
                         restore --as another",
                        wanted.target,
                        topic.partitions.len()
                    );
                }
                let ids: Vec<_> = topic.partitions.iter().map(|partition| partition.id).collect();
                let edges = edges(admin, &wanted.target, &ids)?;
                Some(There { edges, batch_bytes_max: 0, is_compacted: false })
            }
        };
        targets.push(Target { wanted, there });
    }
    let is_there = |target: &&mut Target<'_>| target.there.is_some();
    let existing: Vec<_> = targets.iter_mut().filter(is_there).collect();
    let names: Vec<_> = existing.iter().map(|it| it.wanted.target.clone()).collect();
    for (target, configs) in existing.into_iter().zip(configs(admin, &names)?) {
        let batch_bytes_max = batch_bytes_max(target, &configs);
        if let Some(there) = &mut target.there {
            there.batch_bytes_max = batch_bytes_max;
            let policy = configs.iter().find(|config| config.name == "cleanup.policy");
            let policy = policy.and_then(|config| config.value.as_deref());
            there.is_compacted = policy.is_some_and(|policy| policy.contains("compact"));
        }
    }
    Ok(targets)
}

fn edges(
    admin: &Admin,
    topic: &str,
    ids: &[PartitionId],
) -> anyhow::Result<HashMap<PartitionId, Edges>> {
    let at = |edge| ids.iter().map(|id| (topic, *id, edge)).collect::<Vec<_>>();
    let (starts, ends) = (at(Edge::Start), at(Edge::End));
    let wanted = [&*starts, &*ends].map(|wanted| (Isolation::Uncommitted, wanted));
    let [starts, ends] = admin.places_at(wanted)?;
    let places = ids.iter().zip(starts.iter().zip(&ends));
    let offset = |offset: Option<Offset>| offset.unwrap_or(Offset::ZERO);
    let edges = places.map(|(id, (start, end))| {
        (*id, Edges { start: offset(start.offset), end: offset(end.offset) })
    });
    Ok(edges.collect())
}

/// What a group has committed, by the names that the topics get.
pub struct Group {
    pub name: String,
    pub offsets: Vec<(String, PartitionId, Offset)>,
}

/// The groups of the backup, as far as they read what is restored.
pub fn groups(manifest: &Manifest, wanted: &[Wanted<'_>]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, offsets) in &manifest.groups {
        let mut own = Vec::new();
        for wanted in wanted {
            let committed = offsets.get(&wanted.name).into_iter().flatten();
            own.extend(committed.map(|(id, offset)| (wanted.target.clone(), *id, *offset)));
        }
        if !own.is_empty() {
            groups.push(Group { name: name.clone(), offsets: own });
        }
    }
    groups
}

/// What all groups have committed in one partition.
pub fn committed(groups: &[Group], target: &str, id: PartitionId) -> Vec<Offset> {
    let all = groups.iter().flat_map(|group| &group.offsets);
    all.filter(|(topic, of, _)| topic == target && *of == id).map(|(_, _, it)| *it).collect()
}

/// Members would go on from where they are, and commit over it.
pub fn check_groups(admin: &Admin, groups: &[Group]) -> anyhow::Result<()> {
    let names: Vec<_> = groups.iter().map(|group| group.name.clone()).collect();
    for (name, answer) in admin.describe_groups(&names)? {
        match answer {
            Ok(group) if group.members.is_empty() => {}
            Ok(_) => bail!("group '{name}' has members; stop them first, or pass --no-groups"),
            Err(refusal) if refusal.code == Code::NO_GROUP => {}
            Err(refusal) => bail!("cannot describe '{name}': {}", said(&refusal)),
        }
    }
    Ok(())
}

/// Sets where groups go on: at the records at which they would have. Returns how many were set.
pub fn commit(
    admin: &Admin,
    targets: &[Target<'_>],
    groups: &[Group],
    written: &[Written],
) -> anyhow::Result<usize> {
    let mut places: HashMap<(&str, PartitionId), BTreeMap<Offset, Offset>> = HashMap::new();
    for written in written {
        let of = (written.target.as_str(), written.id);
        places.insert(of, written.places.iter().copied().collect());
    }
    let names: Vec<_> = groups.iter().map(|group| group.name.clone()).collect();
    let committed = admin.group_offsets(&names)?;
    for (Group { name, offsets }, committed) in groups.iter().zip(committed) {
        // Who reads on from a topic that was there already is not to read again.
        let is_free = |topic: &str, id| {
            let fresh = targets.iter().any(|it| it.wanted.target == topic && it.there.is_none());
            fresh || !committed.iter().any(|it| it.topic == topic && it.partition == id)
        };
        let place = |(topic, id, offset): &'_ (String, PartitionId, Offset)| {
            Some(*places.get(&(topic.as_str(), *id))?.get(offset)?)
        };
        let free = offsets.iter().filter(|it| is_free(&it.0, it.1));
        let set = free.filter_map(|it| Some((it.0.as_str(), it.1, place(it)?)));
        let set: Vec<_> = set.collect();
        if set.is_empty() {
            continue;
        }
        for (topic, id, answer) in admin.set_group_offsets(name, &set)? {
            if let Err(refusal) = answer {
                bail!("cannot set group '{name}' in {topic}-{id}: {}", said(&refusal));
            }
        }
    }
    Ok(groups.len())
}
