//! What is copied: each partition up to an end, all ends taken at one moment.
//!
//! Groups' offsets are asked for before the ends: what a group has committed is then within
//! them. The ends are those of what is decided, so that no transaction is in it half.

use std::collections::BTreeMap;

use anyhow::bail;

use crate::backup::{Manifest, Offsets, Partition, Topic};
use crate::client::Error;
use crate::client::admin::{Admin, ConfigSource, Edge, HeldBack, Isolation, Place, TopicInfo};
use crate::client::raw::Raw;
use crate::command::admin::{now, said};
use crate::quantity::counted;
use crate::record::{Offset, PartitionId, Timestamp};

/// What names brokers of the one cluster is of no use in another.
const OF_BROKERS: [&str; 2] =
    ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

pub struct Cut {
    cluster: Option<String>,
    taken: Timestamp,
    topics: Vec<CutTopic>,
    /// Unless nobody is to ask for them.
    groups: Option<Vec<(String, Offsets)>>,
    /// What open transactions keep out of it.
    held_back: Vec<HeldBack>,
}

struct CutTopic {
    name: String,
    id: Option<String>,
    replicas: u32,
    configs: BTreeMap<String, String>,
    spans: Vec<Span>,
    /// Where the last backup has come to.
    from: Vec<Offset>,
}

/// Log start and end of a partition, or why no broker tells.
type Span = Result<(Offset, Offset), String>;

/// One partition to copy.
pub struct Job {
    pub topic: String,
    pub partition: PartitionId,
    pub span: Span,
    /// What the last backup has of it.
    pub before: Option<Partition>,
    /// Compaction may have taken offsets out; elsewhere what is not there was lost.
    pub may_have_gaps: bool,
}

impl Cut {
    pub fn take(
        admin: &Admin,
        raw: &Raw,
        topics: &[TopicInfo],
        with_groups: bool,
        before: &Manifest,
    ) -> anyhow::Result<Cut> {
        let cluster = raw.cluster();
        if let (Some(old), Some(new)) = (&before.cluster, &cluster)
            && old != new
        {
            bail!("the backup is of cluster {old}, this is {new}; name another directory");
        }
        for topic in topics {
            check_identity(topic, raw.id(&topic.name).as_ref(), before)?;
        }
        let groups = with_groups.then(|| committed(admin, topics)).transpose()?;
        let (spans, held_back) = spans(admin, topics)?;
        let taken = now();
        let configs = configs(admin, topics)?;
        let cut = topics.iter().zip(spans).zip(configs).map(|((topic, spans), configs)| {
            let (name, id) = (topic.name.clone(), raw.id(&topic.name));
            let replicas = topic.partitions.first().map_or(1, |it| it.replicas.len() as u32);
            let end = |n| had(before, &name, n).map_or(Offset::ZERO, |it| it.end);
            let from = (0..spans.len()).map(end).collect();
            CutTopic { name, id, replicas, configs, spans, from }
        });
        Ok(Cut { cluster, taken, topics: cut.collect(), groups, held_back })
    }

    /// Whether what was copied is of the topics that the cut was taken of: a fetch names a topic,
    /// and another may have its name by now.
    pub fn check_topics_stayed(&self, raw: &Raw) -> anyhow::Result<()> {
        raw.refresh()?;
        for CutTopic { name, id, .. } in &self.topics {
            let now = raw.id(name);
            if *id != now {
                let shown = |id: &Option<String>| id.clone().unwrap_or_else(|| "none".to_owned());
                bail!(
                    "topic '{name}' was deleted or made anew while it was copied (id {}, now {}); \
                     nothing new is in the backup, run it again",
                    shown(id),
                    shown(&now)
                );
            }
        }
        Ok(())
    }

    /// How many offsets there are to copy.
    pub fn ahead(&self) -> u64 {
        let of = |(span, from): (&Span, &Offset)| match span {
            Ok((start, end)) => u64::try_from(end.get() - from.max(start).get()).unwrap_or(0),
            Err(_) => 0,
        };
        self.topics.iter().flat_map(|it| it.spans.iter().zip(&it.from).map(of)).sum()
    }

    /// The partitions in the order of `put`.
    pub fn jobs(&self, before: &Manifest) -> Vec<Job> {
        let of = |topic: &CutTopic| {
            let policy = topic.configs.get("cleanup.policy");
            let may_have_gaps = policy.is_some_and(|policy| policy.contains("compact"));
            let spans = topic.spans.iter().enumerate();
            let job = |(number, span): (usize, &Span)| Job {
                topic: topic.name.clone(),
                partition: partition(number),
                span: span.clone(),
                before: had(before, &topic.name, number).cloned(),
                may_have_gaps,
            };
            spans.map(job).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of).collect()
    }

    /// Says in the manifest what was copied. Returns the groups of which it keeps what they had
    /// committed and the cluster no longer has: no broker tells whether they were deleted or lost.
    pub fn put(self, copied: Vec<Partition>, manifest: &mut Manifest, prune: bool) -> Vec<String> {
        let is_meant = |topic: &str| self.topics.iter().any(|own| own.name == topic);
        manifest.cluster = self.cluster.or(manifest.cluster.take());
        if prune {
            manifest.forget_offsets(is_meant);
        }
        let kept = match &self.groups {
            Some(groups) => manifest.kept_beside(groups, is_meant),
            None => Vec::new(),
        };
        for (group, offsets) in self.groups.into_iter().flatten() {
            let own = manifest.groups.entry(group).or_default();
            for (topic, offsets) in offsets {
                own.entry(topic).or_default().extend(offsets);
            }
        }
        let mut copied = copied.into_iter();
        for topic in self.topics {
            let mut partitions: Vec<_> = copied.by_ref().take(topic.spans.len()).collect();
            for (number, it) in partitions.iter_mut().enumerate() {
                let mut held_back = self.held_back.iter();
                let own = held_back
                    .find(|own| own.topic == topic.name && own.partition == partition(number));
                it.held_back_until = own.map(|own| own.until);
            }
            clamp(&mut manifest.groups, &topic.name, &partitions);
            let CutTopic { name, id, replicas, configs, .. } = topic;
            let topic = Topic { id, taken: self.taken, replicas, configs, partitions };
            manifest.topics.insert(name, topic);
        }
        kept
    }
}

/// A group that reads what is not decided may be beyond the end.
fn clamp(groups: &mut BTreeMap<String, Offsets>, topic: &str, partitions: &[Partition]) {
    let offsets = groups.values_mut().filter_map(|offsets| offsets.get_mut(topic));
    for (partition, offset) in offsets.flatten() {
        let number = usize::try_from(partition.get()).unwrap_or(usize::MAX);
        if let Some(copied) = partitions.get(number) {
            *offset = (*offset).min(copied.end);
        }
    }
}

fn had<'a>(before: &'a Manifest, topic: &str, number: usize) -> Option<&'a Partition> {
    before.topics.get(topic).and_then(|topic| topic.partitions.get(number))
}

fn partition(number: usize) -> PartitionId {
    PartitionId(i32::try_from(number).expect("Kafka counts partitions in an i32"))
}

fn check_identity(topic: &TopicInfo, id: Option<&String>, before: &Manifest) -> anyhow::Result<()> {
    let (name, there) = (&topic.name, topic.partitions.len());
    let Some(old) = before.topics.get(name) else { return Ok(()) };
    match (&old.id, id) {
        (Some(old), Some(new)) if old != new => bail!(
            "topic '{name}' was deleted and made anew since the last backup (id {old}, now \
             {new}); name another directory, so that the old one is kept"
        ),
        // Kafka takes no partition away.
        _ if there < old.partitions.len() => bail!(
            "topic '{name}' has {} in the backup and {there} in the cluster now; name another \
             directory, so that the old ones are kept",
            counted(old.partitions.len() as i64, "partition")
        ),
        _ => Ok(()),
    }
}

/// What all groups have committed in these topics.
fn committed(admin: &Admin, topics: &[TopicInfo]) -> anyhow::Result<Vec<(String, Offsets)>> {
    let (groups, refusals) = admin.groups()?;
    if let Some(refusal) = refusals.first() {
        bail!("a broker did not list its groups: {}; --no-groups does without", said(refusal));
    }
    let ids: Vec<_> = groups.into_iter().map(|group| group.id).collect();
    let all = admin.group_offsets(&ids)?;
    let is_meant = |name: &str| topics.iter().any(|topic| topic.name == name);
    let offsets = all.into_iter().map(|committed| {
        let mut offsets = Offsets::new();
        for it in committed.into_iter().filter(|it| is_meant(&it.topic)) {
            offsets.entry(it.topic).or_default().insert(it.partition, it.offset);
        }
        offsets
    });
    Ok(ids.into_iter().zip(offsets).filter(|(_, offsets)| !offsets.is_empty()).collect())
}

/// The spans of each topic's partitions, and what open transactions hold back behind their ends.
fn spans(admin: &Admin, topics: &[TopicInfo]) -> anyhow::Result<(Vec<Vec<Span>>, Vec<HeldBack>)> {
    let all = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (topic, it)));
    let all: Vec<_> = all.map(|(topic, partition)| (topic.name.as_str(), partition.id)).collect();
    let at = |edge| all.iter().map(|&(topic, id)| (topic, id, edge)).collect::<Vec<_>>();
    let [highs, starts, ends] = admin.each_place_at([
        (Isolation::Uncommitted, &at(Edge::End)),
        (Isolation::Committed, &at(Edge::Start)),
        (Isolation::Committed, &at(Edge::End)),
    ])?;
    let (mut spans, mut undecided) = (Vec::new(), Vec::new());
    let edges = highs.into_iter().zip(starts).zip(ends);
    for (&(topic, id), ((high, start), end)) in all.iter().zip(edges) {
        let span = span(high, start, end);
        if let Ok((high, (_, end))) = span
            && end < high
        {
            undecided.push((topic, id, high));
        }
        spans.push(span.map(|(_, span)| span));
    }
    let held_back = match undecided.is_empty() {
        true => Vec::new(),
        false => admin.held_back(&undecided)?,
    };
    let mut spans = spans.into_iter();
    let by_topic = |topic: &TopicInfo| spans.by_ref().take(topic.partitions.len()).collect();
    Ok((topics.iter().map(by_topic).collect(), held_back))
}

/// Where the log ends, and what of it is decided.
fn span(high: Told, start: Told, end: Told) -> Result<(Offset, (Offset, Offset)), String> {
    let offset = |told: Told| match told {
        Ok(place) => Ok(place.offset.unwrap_or(Offset::ZERO)),
        Err(error) => Err(error.of_one_partition().unwrap_or_else(|| error.to_string())),
    };
    Ok((offset(high)?, (offset(start)?, offset(end)?)))
}

/// What its leader says of a partition.
type Told = Result<Place, Error>;

/// The settings that topics have of their own, in their order.
fn configs(admin: &Admin, topics: &[TopicInfo]) -> anyhow::Result<Vec<BTreeMap<String, String>>> {
    let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
    let mut answers: BTreeMap<_, _> = admin.configs(&names)?.into_iter().collect();
    let mut all = Vec::with_capacity(names.len());
    for name in &names {
        let configs = match answers.remove(name) {
            Some(Ok(configs)) => configs,
            Some(Err(refusal)) => bail!("cannot ask for '{name}': {}", said(&refusal)),
            None => bail!("cannot ask for '{name}': no answer"),
        };
        let own = configs.into_iter().filter(|config| config.source == ConfigSource::Topic);
        let own = own.filter(|config| !OF_BROKERS.contains(&config.name.as_str()));
        all.push(own.filter_map(|config| Some((config.name, config.value?))).collect());
    }
    Ok(all)
}
