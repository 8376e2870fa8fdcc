//! What the commands that administer a cluster share: the client, what is named, what is said.

use std::collections::HashMap;
use std::time::SystemTime;

use regex::Regex;

use super::stdio::{print, tell};
use super::table::{Look, Ruling};
use super::{Exit, Global, Usage, cluster};
use crate::client::Error;
use crate::client::admin::{
    Admin, Answer, Asked, Edge, Measured, Patience, Place, Refusal, Sizes, TopicInfo,
};
use crate::client::raw::Raw;
use crate::client::span::{Edges, Found, Place as Wanted};
use crate::quantity::show_bytes;
use crate::record::{Offset, PartitionId, Timestamp};

/// A client, and what must live as long as it does.
pub struct Connected {
    pub admin: Admin,
    cluster: cluster::Cluster,
    tell: fn(&str),
    verbose: bool,
}

/// A client of the cluster that is meant.
pub fn connect(global: &Global) -> anyhow::Result<Connected> {
    let mut cluster = cluster::connect(global)?;
    // The log's own end: what an open transaction has written is there too.
    cluster.config.set_default("isolation.level", "read_uncommitted")?;
    let tell = if global.quiet { |_: &str| {} } else { tell };
    let patience = Patience { max: cluster.connect_timeout, tell };
    let (admin, verbose) = (Admin::open(&cluster.config, patience)?, 0 < global.verbose);
    Ok(Connected { admin, cluster, tell, verbose })
}

/// Prints what was done, and on stderr what was not.
pub fn report(
    answers: &[Answer<()>],
    line: impl Fn(&str, &Result<(), Refusal>) -> Result<String, String>,
) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut done = String::new();
    for (name, answer) in answers {
        match line(name, answer) {
            Ok(line) => done += &(line + "\n"),
            Err(why) => {
                exit = Exit::Refused;
                tell(&why);
            }
        }
    }
    print(&done)?;
    Ok(exit)
}

/// The broker's own words where it has any; they end with a full stop, ours do not.
pub fn said(refusal: &Refusal) -> String {
    let code = refusal.code.to_string();
    let text = if refusal.text.is_empty() { &code } else { &refusal.text };
    text.trim_end_matches(['.', ' ', '\n']).replace('\n', " ")
}

/// Where a partition's log begins and ends, as far as its leader says, and what it takes there.
#[derive(Clone, Copy, Default)]
pub struct Log {
    pub start: Option<Offset>,
    pub end: Place,
    pub bytes: Option<u64>,
}

impl Log {
    /// How many offsets there are; compaction and transactions leave fewer records.
    pub fn records(&self) -> Option<i64> {
        Some(self.end.offset?.get() - self.start?.get())
    }
}

impl Connected {
    /// A way to the logs of these topics.
    pub fn raw(&self, topics: Vec<String>) -> Result<Raw, Error> {
        self.admin.raw(&self.cluster.config, topics)
    }

    /// The logs of topics, in the order of their partitions. Sizes are asked for meanwhile; to be
    /// without one is no error.
    pub fn logs(&self, topics: &[TopicInfo]) -> anyhow::Result<HashMap<String, Vec<Log>>> {
        let asked = self.admin.ask_sizes(&self.cluster.config, topics);
        let mut logs = logs(&self.admin, topics)?;
        let sizes = self.sizes(asked);
        for topic in topics {
            let Some(logs) = logs.get_mut(&topic.name) else { continue };
            for (partition, log) in topic.partitions.iter().zip(logs) {
                log.bytes = sizes.get(&(topic.name.clone(), partition.id)).copied();
            }
        }
        Ok(logs)
    }

    /// What the brokers say; one line tells of those that say nothing.
    fn sizes(&self, asked: Result<Asked, String>) -> Sizes {
        let Measured { sizes, silent } = match asked {
            Ok(asked) => asked.collect(),
            // librdkafka may know a way in that we do not; that is so every time.
            Err(why) => {
                if self.verbose {
                    (self.tell)(&format!("BYTES are not known: {why}"));
                }
                return Sizes::new();
            }
        };
        match silent.as_slice() {
            [] => {}
            [why] => (self.tell)(&format!("some BYTES are not known: {why}")),
            [why, others @ ..] => {
                let count = others.len();
                (self.tell)(&format!("some BYTES are not known: {why} (and {count} more)"));
            }
        }
        sizes
    }
}

/// The logs of topics, in the order of their partitions, without their sizes.
fn logs(admin: &Admin, topics: &[TopicInfo]) -> anyhow::Result<HashMap<String, Vec<Log>>> {
    let all = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)));
    // A partition without a leader has nobody to ask.
    let led = all.filter(|(_, partition)| partition.leader.is_some());
    let led: Vec<_> = led.map(|(topic, partition)| (topic.name.as_str(), partition.id)).collect();
    let at = |edge| led.iter().map(|&(topic, id)| (topic, id, edge)).collect::<Vec<_>>();
    let [starts, ends] = admin.places([&at(Edge::Start), &at(Edge::End)])?;
    let answers = led.iter().zip(starts.iter().zip(ends));
    let log = |(start, end): (&Place, Place)| Log { start: start.offset, end, bytes: None };
    let answers: HashMap<(&str, PartitionId), Log> =
        answers.map(|(&of, places)| (of, log(places))).collect();
    let log = |topic: &TopicInfo, id| answers.get(&(topic.name.as_str(), id)).copied();
    let of = |topic: &TopicInfo| {
        topic.partitions.iter().map(|p| log(topic, p.id).unwrap_or_default()).collect()
    };
    Ok(topics.iter().map(|topic| (topic.name.clone(), of(topic))).collect())
}

/// Partitions as they are named on the command line: `NAME`, `NAME:P` or `NAME:P,P`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub topic: String,
    /// All, where none is named.
    pub partitions: Vec<PartitionId>,
}

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Named, String> {
        let (topic, list) = match text.split_once(':') {
            Some((topic, list)) => (topic, Some(list)),
            None => (text, None),
        };
        let number = |number: &str| match number.parse::<u16>() {
            Ok(number) => Ok(PartitionId(number.into())),
            Err(_) => Err(format!("'{number}' is not a partition; write NAME, NAME:0 or NAME:0,2")),
        };
        let partitions = list.map_or(Ok(Vec::new()), |list| list.split(',').map(number).collect());
        Ok(Named { topic: topic.to_owned(), partitions: partitions? })
    }
}

/// One partition that is meant.
pub type Target = (String, PartitionId);

/// What the names mean in this cluster, sorted.
pub fn targets(admin: &Admin, named: &[Named]) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for Named { topic: name, partitions } in named {
        let topic = admin.topic(name)?;
        let there = |id: &PartitionId| topic.partitions.iter().any(|other| other.id == *id);
        if let Some(&partition) = partitions.iter().find(|id| !there(id)) {
            let (topic, count) = (name.clone(), topic.partitions.len());
            return Err(Error::NoPartition { topic, partition, count }.into());
        }
        let all = topic.partitions.iter().map(|partition| partition.id);
        let meant = all.filter(|id| partitions.is_empty() || partitions.contains(id));
        targets.extend(meant.map(|id| (name.clone(), id)));
    }
    targets.sort();
    targets.dedup();
    Ok(targets)
}

/// A regular expression that was typed.
pub fn compile(pattern: &str) -> Result<Regex, Usage> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Usage(format!("'{pattern}' is not a regular expression: {last}"))
    })
}

/// One place in each partition, as an option names it.
pub fn wanted(option: &str, text: &str) -> Result<Wanted, Usage> {
    let place = Wanted::parse(text, now()).map_err(|why| Usage(format!("{option}: {why}")))?;
    match place {
        Wanted::Stored => {
            Err(Usage(format!("{option} {text}: only `kaw consume` reads from there")))
        }
        place => Ok(place),
    }
}

/// A partition's edges, and the place in it that was wanted.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    pub edges: Edges,
    pub offset: Offset,
}

/// Finds a place in each of these partitions, in their order. An offset that a log does not have
/// is an error.
pub fn locate(admin: &Admin, targets: &[Target], place: Wanted) -> anyhow::Result<Vec<Located>> {
    let at = |edge| targets.iter().map(|(t, p)| (t.as_str(), *p, edge)).collect::<Vec<_>>();
    let times = match place {
        Wanted::Since(time) => at(Edge::Since(time)),
        _ => Vec::new(),
    };
    let [starts, ends, times] = admin.places([&at(Edge::Start), &at(Edge::End), &times])?;
    let mut located = Vec::with_capacity(targets.len());
    for (index, (topic, partition)) in targets.iter().enumerate() {
        let offset = |places: &[Place]| places.get(index).and_then(|place| place.offset);
        let edges = Edges {
            start: offset(&starts).unwrap_or(Offset::ZERO),
            end: offset(&ends).unwrap_or(Offset::ZERO),
        };
        let found = Found { from: offset(&times), until: None };
        let offset = place.within(edges, found).map_err(|gone| Error::NoOffset {
            topic: topic.clone(),
            partition: *partition,
            offset: gone.offset,
            edges,
        })?;
        located.push(Located { edges, offset });
    }
    Ok(located)
}

pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// A cell of a size: for people with its unit, for programs in bytes.
pub fn size(bytes: Option<u64>) -> String {
    match Look::of_stdout().ruling {
        Ruling::Borders { .. } => shown(bytes.map(show_bytes)),
        Ruling::Plain => shown(bytes),
    }
}

/// A cell; nothing is an empty one.
pub fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let shown = match text.parse::<Named>() {
            Ok(Named { topic, partitions }) => {
                let numbers = partitions.iter().map(ToString::to_string).collect::<Vec<_>>();
                format!("{topic} [{}]", numbers.join(" "))
            }
            Err(why) => why,
        };
        assert_eq!(shown, want, "{text}");
    }

    #[test]
    fn partitions_are_named_after_their_topic() {
        check("orders", "orders []");
        check("orders:0", "orders [0]");
        check("orders:2,0", "orders [2 0]");
        check("orders:", "'' is not a partition; write NAME, NAME:0 or NAME:0,2");
        check("orders:-1", "'-1' is not a partition; write NAME, NAME:0 or NAME:0,2");
        check("orders:70000", "'70000' is not a partition; write NAME, NAME:0 or NAME:0,2");
    }
}
