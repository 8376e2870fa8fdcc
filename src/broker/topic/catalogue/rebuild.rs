//! The records of partitions that have a directory and that the catalogue knows nothing of.
//! Never knows: files.
//!
//! A directory says which topic it is of, under which id, and which partition. What was set for the
//! topic it does not say: a default would have its records deleted or compacted that were to stay,
//! so it keeps all of them until somebody says otherwise.

use std::collections::BTreeMap;
use std::fmt;

use super::image::Image;
use crate::broker::Identity;
use crate::broker::topic::names;
use crate::protocol::catalogue::{CatalogueRecord, ConfigRecord, PartitionRecord, TopicRecord};
use crate::protocol::describe_configs::ResourceType;
use crate::protocol::{NodeId, Text};
use crate::record::{LeaderEpoch, PartitionId, Uuid};

/// No topic that is taken up gets more: a directory's name is easily made up.
const PARTITIONS_MAX: i32 = 10_000;

/// What keeps everything.
const KEEPS_ALL: [(&str, &str); 3] =
    [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")];
/// As Kafka sets its own books (GroupCoordinatorService.groupMetadataTopicConfigs).
const OF_BOOKS: [(&str, &str); 3] = [
    ("cleanup.policy", "compact"),
    ("compression.type", "producer"),
    ("segment.bytes", "104857600"),
];

/// A partition's directory that the catalogue does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lone {
    pub topic: String,
    pub partition: PartitionId,
    /// As its `partition.metadata` says.
    pub id: Option<Uuid>,
    /// None in it is higher.
    pub leader_epoch: LeaderEpoch,
}

impl Lone {
    pub fn key(&self) -> (String, PartitionId) {
        (self.topic.clone(), self.partition)
    }
}

/// A topic that is taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub topic: Text,
    /// Those whose directories are here.
    pub found: Vec<PartitionId>,
    /// How many it has now.
    pub count: i32,
    /// The catalogue has the topic, and lacked these partitions alone.
    pub grows: bool,
}

impl Taken {
    /// What is wrong.
    pub fn lost(&self) -> String {
        let Taken { topic, found, grows, .. } = self;
        let here = match &found[..] {
            [one] => format!(", and {topic}-{one} is here"),
            [first, .., last] => {
                let some = found.len();
                format!(", and {some} directories of {topic}-{first} to {topic}-{last} are here")
            }
            [] => String::new(),
        };
        let what = if *grows { "partitions of it" } else { "it" };
        format!("topic {topic}: the catalogue has lost {what}{here}")
    }
}

/// What is wrong, and what is done about it.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken { topic, count, grows, .. } = self;
        write!(f, "{}; ", self.lost())?;
        match (grows, names::is_internal(topic)) {
            (true, _) => write!(f, "it has {count} partitions again"),
            (false, true) => write!(f, "it is there again, with {count} partitions"),
            (false, false) => write!(
                f,
                "it is there again, with as many partitions as are known ({count}); what was set \
                 for it is lost, and it keeps all records until `kaw topic alter {topic}` says \
                 otherwise"
            ),
        }
    }
}

/// Why a directory is none of the catalogue's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    NoId,
    /// Its topic's directories name several.
    Ids,
    /// There is another topic of the name.
    Other,
    /// It is the id of this topic.
    Elsewhere(Text),
    Number,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Left::NoId => f.write_str("its partition.metadata names no topic id"),
            Left::Ids => f.write_str("the directories of its topic name several topic ids"),
            Left::Other => f.write_str("the catalogue has another topic of this name"),
            Left::Elsewhere(topic) => write!(f, "its topic id is that of topic {topic}"),
            Left::Number => f.write_str("its number is too high for a partition"),
        }
    }
}

/// What comes of lone directories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rebuilt {
    /// One group a topic: there whole, or not at all.
    pub records: Vec<Vec<CatalogueRecord>>,
    pub taken: Vec<Taken>,
    pub left: Vec<(Lone, Left)>,
}

/// The records that the catalogue lacks. `offsets_partitions`: of `__consumer_offsets`, in which a
/// group finds its partition by how many there are.
pub fn rebuild(
    image: &Image,
    identity: &Identity,
    lone: Vec<Lone>,
    offsets_partitions: i32,
) -> Rebuilt {
    let mut topics: BTreeMap<String, Vec<Lone>> = BTreeMap::new();
    for lone in lone {
        topics.entry(lone.topic.clone()).or_default().push(lone);
    }
    let gaps = image.topics.iter().filter(|(_, topic)| {
        let last = topic.partitions.last_key_value().map_or(-1, |(last, _)| last.get());
        topic.partitions.len() as i32 <= last
    });
    for (name, _) in gaps {
        topics.entry(name.to_string()).or_default();
    }
    let mut rebuilt = Rebuilt::default();
    for (name, mut lone) in topics {
        lone.sort_by_key(|lone| lone.partition);
        match judge(image, &name, &lone) {
            Err(why) => {
                rebuilt.left.extend(lone.into_iter().map(|lone| (lone, why.clone())));
            }
            Ok(id) => {
                let least = if name == "__consumer_offsets" { offsets_partitions } else { 0 };
                let (taken, records) = take(image, identity, (&name, id), &lone, least);
                rebuilt.taken.push(taken);
                rebuilt.records.push(records);
            }
        }
    }
    rebuilt
}

/// The topic's id, if all agree on it.
fn judge(image: &Image, name: &str, lone: &[Lone]) -> Result<Uuid, Left> {
    let known = image.topics.get(name).map(|topic| topic.id);
    let id = lone.first().map_or(known, |lone| lone.id).ok_or(Left::NoId)?;
    if lone.iter().any(|lone| lone.id.is_none()) {
        return Err(Left::NoId);
    }
    if lone.iter().any(|lone| lone.id != Some(id)) {
        return Err(Left::Ids);
    }
    if lone.iter().any(|lone| PARTITIONS_MAX <= lone.partition.get()) {
        return Err(Left::Number);
    }
    match (known, image.topic_by_id(id)) {
        (Some(known), _) if known != id => Err(Left::Other),
        (None, Some((other, _))) => Err(Left::Elsewhere(other.clone())),
        _ => Ok(id),
    }
}

fn take(
    image: &Image,
    identity: &Identity,
    (name, id): (&str, Uuid),
    lone: &[Lone],
    least: i32,
) -> (Taken, Vec<CatalogueRecord>) {
    let topic = Text::from(name);
    let known = image.topics.get(name);
    let is_there = |id: &PartitionId| known.is_some_and(|it| it.partitions.contains_key(id));
    let listed = known.and_then(|known| known.partitions.last_key_value()).map(|(last, _)| *last);
    let last = lone.last().map(|lone| lone.partition).max(listed);
    let count = last.map_or(0, |last| last.get() + 1).max(if known.is_none() { least } else { 0 });
    let mut records = Vec::new();
    if known.is_none() {
        records.push(TopicRecord { name: topic.clone(), topic_id: id }.into());
        records.extend(configs(&topic));
    }
    let epochs: BTreeMap<PartitionId, LeaderEpoch> =
        lone.iter().map(|lone| (lone.partition, lone.leader_epoch)).collect();
    let me = NodeId(identity.node_id);
    let lacking = (0..count).map(PartitionId).filter(|id| !is_there(id));
    records.extend(lacking.map(|partition| {
        PartitionRecord {
            partition,
            topic_id: id,
            replicas: vec![me],
            in_sync: vec![me],
            leader: Some(me),
            leader_epoch: epochs.get(&partition).copied().unwrap_or_default(),
            directories: vec![identity.directory_id],
            ..PartitionRecord::default()
        }
        .into()
    }));
    let found = lone.iter().map(|lone| lone.partition).collect();
    (Taken { topic, found, count, grows: known.is_some() }, records)
}

fn configs(topic: &Text) -> impl Iterator<Item = CatalogueRecord> {
    let is_book = matches!(&**topic, "__consumer_offsets" | "__transaction_state");
    let configs = if is_book { OF_BOOKS } else { KEEPS_ALL };
    configs.into_iter().map(|(name, value)| {
        ConfigRecord {
            resource_type: ResourceType::TOPIC,
            resource_name: topic.clone(),
            name: name.into(),
            value: Some(value.into()),
        }
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid([7; 16]);

    fn identity() -> Identity {
        Identity { node_id: 1, cluster_id: "kaw".into(), directory_id: Uuid([9; 16]) }
    }

    fn lone(topic: &str, partition: i32, id: Option<Uuid>) -> Lone {
        let (topic, partition) = (topic.to_owned(), PartitionId(partition));
        Lone { topic, partition, id, leader_epoch: LeaderEpoch(4) }
    }

    /// What `lone` directories make of a catalogue, in short, and why others are left.
    fn check(image: &Image, of: Vec<Lone>, want: &[&str]) -> Image {
        let rebuilt = rebuild(image, &identity(), of, 50);
        let mut image = image.clone();
        for record in rebuilt.records.into_iter().flatten() {
            image.apply(record).unwrap();
        }
        let taken = rebuilt.taken.iter().map(|it| format!("{} {}", it.topic, it.count));
        let left =
            rebuilt.left.iter().map(|(it, why)| format!("{}-{}: {why}", it.topic, it.partition));
        assert_eq!(taken.chain(left).collect::<Vec<_>>(), want);
        image
    }

    #[test]
    fn a_topic_comes_back_with_its_id_and_epochs_and_keeps_all() {
        let of = vec![lone("t", 2, Some(ID)), lone("t", 0, Some(ID))];
        let image = check(&Image::default(), of, &["t 3"]);
        let topic = &image.topics["t"];
        assert_eq!((topic.id, topic.partitions.len()), (ID, 3));
        let epochs: Vec<_> = topic.partitions.values().map(|it| it.leader_epoch.get()).collect();
        assert_eq!(epochs, [4, 0, 4]);
        assert_eq!(topic.configs["retention.ms"], "-1");
        assert_eq!(topic.configs["cleanup.policy"], "delete");
    }

    #[test]
    fn groups_find_their_partition_again() {
        let of = vec![lone("__consumer_offsets", 7, Some(ID))];
        let image = check(&Image::default(), of, &["__consumer_offsets 50"]);
        assert_eq!(image.topics["__consumer_offsets"].configs["cleanup.policy"], "compact");
    }

    #[test]
    fn a_topic_grows_again_and_keeps_what_is_set() {
        let image = check(&Image::default(), vec![lone("t", 0, Some(ID))], &["t 1"]);
        let image = check(&image, vec![lone("t", 2, Some(ID))], &["t 3"]);
        assert_eq!(image.topics["t"].partitions.len(), 3);
    }

    #[test]
    fn what_nobody_can_know_is_left() {
        let other = Some(Uuid([8; 16]));
        let image = check(&Image::default(), vec![lone("t", 0, Some(ID))], &["t 1"]);
        check(&image, vec![lone("u", 0, None)], &["u-0: its partition.metadata names no topic id"]);
        let ids = "the directories of its topic name several topic ids";
        let of = vec![lone("u", 0, Some(Uuid([1; 16]))), lone("u", 1, other)];
        check(&image, of, &[&format!("u-0: {ids}"), &format!("u-1: {ids}")]);
        let of = vec![lone("t", 1, other)];
        check(&image, of, &["t-1: the catalogue has another topic of this name"]);
        check(&image, vec![lone("u", 0, Some(ID))], &["u-0: its topic id is that of topic t"]);
        let of = vec![lone("u", i32::MAX, other)];
        check(&image, of, &["u-2147483647: its number is too high for a partition"]);
    }
}
