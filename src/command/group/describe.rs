//! `kaw group describe`: members, and per partition what is committed and what is left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::similar;
use crate::client::Error;
use crate::client::admin::{Admin, Committed, Edge, Group, Isolation, Member};
use crate::command::Exit;
use crate::command::admin::{Target, said, shown};
use crate::command::stdio::tell;
use crate::command::table::{Column, Shape, Table};
use crate::record::Offset;

/// Show the members of groups, and how far behind the end they are
#[derive(clap::Args, Debug)]
pub struct Describe {
    /// Groups; all, where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only how far they are
    #[arg(long)]
    lag_only: bool,
    #[command(flatten)]
    shape: Shape,
}

/// A group with all there is to say of it.
struct Whole {
    id: String,
    group: Group,
    progress: BTreeMap<Target, Progress>,
}

/// How far a group is in one partition.
#[derive(Default)]
struct Progress {
    committed: Option<Offset>,
    end: Option<Offset>,
    /// Who reads it now, by its place in the list of members.
    reader: Option<usize>,
}

impl Progress {
    fn lag(&self) -> Option<i64> {
        Some(self.end?.get() - self.committed?.get())
    }
}

impl Describe {
    pub fn run(&self, admin: &Admin) -> anyhow::Result<Exit> {
        let names = match self.names.as_slice() {
            [] => admin.groups()?.0.into_iter().map(|group| group.id).collect(),
            names => names.to_vec(),
        };
        let (groups, exit) = found(admin, &names)?;
        if groups.is_empty() {
            return Ok(exit);
        }
        let lines = match self.shape.json {
            true => groups.iter().map(|whole| format!("{}\n", described(whole))).collect(),
            false => String::new(),
        };
        match self.lag_only {
            true => self.shape.print(lines, [lag(&groups)])?,
            false => self.shape.print(lines, [summary(&groups), progress(&groups)])?,
        };
        Ok(exit)
    }
}

/// The groups that are there; of the others it is said that they are not.
fn found(admin: &Admin, names: &[String]) -> anyhow::Result<(Vec<Whole>, Exit)> {
    let mut exit = Exit::Done;
    let offsets = admin.group_offsets(names)?;
    let mut groups = Vec::new();
    for ((id, answer), committed) in admin.describe_groups(names)?.into_iter().zip(offsets) {
        let missing = |group: &Group| group.state == "Dead" && committed.is_empty();
        match answer {
            Ok(group) if !missing(&group) => groups.push(Whole::new(id, group, committed)),
            answer => {
                exit = Exit::Refused;
                tell(&match answer {
                    Ok(_) => format!(
                        "group '{id}' does not exist{}; `kaw group list` shows all",
                        similar(admin, &id)
                    ),
                    Err(refusal) => format!("cannot describe '{id}': {}", said(&refusal)),
                });
            }
        }
    }
    find_ends(admin, &mut groups)?;
    Ok((groups, exit))
}

/// Looks up the ends of all partitions at once; those of deleted topics have none.
fn find_ends(admin: &Admin, groups: &mut [Whole]) -> anyhow::Result<()> {
    let all: BTreeSet<Target> = groups.iter().flat_map(|g| g.progress.keys().cloned()).collect();
    let mut there = BTreeSet::new();
    for topic in all.iter().map(|(topic, _)| topic).collect::<BTreeSet<_>>() {
        match admin.topic(topic) {
            Ok(info) => there.extend(info.partitions.into_iter().map(|p| (topic.clone(), p.id))),
            Err(Error::NoTopic { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let known: Vec<_> = all.intersection(&there).collect();
    let edges: Vec<_> = known.iter().map(|(t, p)| (t.as_str(), *p, Edge::End)).collect();
    // Lag counts what is in the log, also what is not committed yet.
    let [ends] = admin.places_at([(Isolation::Uncommitted, &edges)])?;
    let ends: BTreeMap<_, _> = known.into_iter().zip(ends).collect();
    for (target, progress) in groups.iter_mut().flat_map(|group| &mut group.progress) {
        progress.end = ends.get(target).and_then(|place| place.offset);
    }
    Ok(())
}

impl Whole {
    fn new(id: String, group: Group, committed: Vec<Committed>) -> Whole {
        let mut progress: BTreeMap<Target, Progress> = BTreeMap::new();
        for Committed { topic, partition, offset, .. } in committed {
            progress.entry((topic, partition)).or_default().committed = Some(offset);
        }
        for (index, member) in group.members.iter().enumerate() {
            for target in &member.partitions {
                progress.entry(target.clone()).or_default().reader = Some(index);
            }
        }
        Whole { id, group, progress }
    }

    fn lag(&self) -> Option<i64> {
        let lags: Vec<i64> = self.progress.values().filter_map(Progress::lag).collect();
        (!lags.is_empty()).then(|| lags.iter().sum())
    }

    fn coordinator(&self) -> Option<String> {
        let node = self.group.coordinator.as_ref()?;
        Some(format!("{}:{}", node.host, node.port))
    }

    fn reader(&self, progress: &Progress) -> Option<&Member> {
        progress.reader.map(|index| &self.group.members[index])
    }
}

fn summary(groups: &[Whole]) -> Table {
    let mut table = Table::new(&[
        Column::Text("GROUP"),
        Column::Text("STATE"),
        Column::Text("TYPE"),
        Column::Text("ASSIGNOR"),
        Column::Text("COORDINATOR"),
        Column::Number("MEMBERS"),
        Column::Number("LAG"),
    ]);
    for whole in groups {
        table.add(vec![
            whole.id.clone(),
            whole.group.state.clone(),
            whole.group.kind.clone(),
            whole.group.assignor.clone(),
            shown(whole.coordinator()),
            whole.group.members.len().to_string(),
            shown(whole.lag()),
        ]);
    }
    table
}

/// How far a group is in a partition: what `cells` fills.
const LAG: [Column; 6] = [
    Column::Text("GROUP"),
    Column::Text("TOPIC"),
    Column::Number("PARTITION"),
    Column::Number("COMMITTED"),
    Column::Number("END"),
    Column::Number("LAG"),
];
const READER: [Column; 3] = [Column::Text("MEMBER"), Column::Text("CLIENT"), Column::Text("HOST")];

/// Per partition, and a row for each member that reads none.
fn progress(groups: &[Whole]) -> Table {
    let mut table = Table::new(&[&LAG[..], &READER].concat());
    let of = |member: Option<&Member>| match member {
        Some(member) => [member.id.clone(), member.client.clone(), member.host.clone()],
        None => [String::new(), String::new(), String::new()],
    };
    for whole in groups {
        for (target, progress) in &whole.progress {
            table.add([&cells(whole, target, progress)[..], &of(whole.reader(progress))].concat());
        }
        for member in whole.group.members.iter().filter(|member| member.partitions.is_empty()) {
            let nothing = [const { String::new() }; 5];
            table.add([&[whole.id.clone()][..], &nothing, &of(Some(member))].concat());
        }
    }
    table
}

fn lag(groups: &[Whole]) -> Table {
    let mut table = Table::new(&LAG);
    for whole in groups {
        for (target, progress) in &whole.progress {
            table.add(cells(whole, target, progress).to_vec());
        }
    }
    table
}

fn cells(whole: &Whole, (topic, partition): &Target, progress: &Progress) -> [String; 6] {
    [
        whole.id.clone(),
        topic.clone(),
        partition.to_string(),
        shown(progress.committed),
        shown(progress.end),
        shown(progress.lag()),
    ]
}

fn described(whole: &Whole) -> Value {
    let member = |member: &Member| {
        json!({
            "member": member.id,
            "instance": member.instance,
            "client": member.client,
            "host": member.host,
        })
    };
    let partition = |((topic, partition), progress): (&Target, &Progress)| {
        json!({
            "topic": topic,
            "partition": partition.get(),
            "committed": progress.committed.map(Offset::get),
            "end": progress.end.map(Offset::get),
            "lag": progress.lag(),
            "member": whole.reader(progress).map(|member| &member.id),
        })
    };
    json!({
        "group": whole.id,
        "state": whole.group.state,
        "type": whole.group.kind,
        "assignor": whole.group.assignor,
        "coordinator": whole.coordinator(),
        "members": whole.group.members.iter().map(member).collect::<Vec<_>>(),
        "partitions": whole.progress.iter().map(partition).collect::<Vec<_>>(),
        "lag": whole.lag(),
    })
}
