//! `kaw topic offsets` and `kaw topic trim`: where records are, and no more.

use serde_json::json;

use crate::client::admin::Admin;
use crate::client::span::Place;
use crate::command::admin::{Located, Named, Target, locate, said, targets, wanted};
use crate::command::stdio::tell;
use crate::command::table::{Column, Shape, Table};
use crate::command::{Exit, Usage};
use crate::record::Offset;

/// Show where partitions start and end, or the offset of a time
#[derive(clap::Args, Debug)]
pub struct Offsets {
    /// Topics, or some of their partitions: NAME:0,2
    #[arg(required = true, value_name = "NAME[:P]")]
    named: Vec<Named>,
    /// A place in each: start, end, N, +N (after the start), -N (before the end) or @TIME, the
    /// first record at or after it
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    at: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

/// Delete the records before an offset
#[derive(clap::Args, Debug)]
pub struct Trim {
    /// Topics, or some of their partitions: NAME:0,2
    #[arg(required = true, value_name = "NAME[:P]")]
    named: Vec<Named>,
    /// The first record to keep, in each: end, N, +N (after the start), -N (before the end) or
    /// @TIME, the first record at or after it
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    to: String,
    /// Only show what would be deleted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Offsets {
    pub fn place(&self) -> Result<Option<Place>, Usage> {
        self.at.as_deref().map(|text| wanted("--at", text)).transpose()
    }

    pub fn run(&self, admin: &Admin, place: Option<Place>) -> anyhow::Result<Exit> {
        let targets = targets(admin, &self.named)?;
        let located = locate(admin, &targets, place.unwrap_or(Place::Start))?;
        let rows = targets.iter().zip(&located);
        match place {
            Some(_) => self.print_places(rows),
            None => self.print_edges(rows),
        }
    }

    fn print_edges<'a>(
        &self,
        rows: impl Iterator<Item = (&'a Target, &'a Located)>,
    ) -> anyhow::Result<Exit> {
        let mut table = Table::new(&[
            Column::Text("TOPIC"),
            Column::Number("PARTITION"),
            Column::Number("START"),
            Column::Number("END"),
            Column::Number("RECORDS"),
        ]);
        let mut lines = String::new();
        for ((topic, partition), Located { edges, .. }) in rows {
            let (start, end) = (edges.start.get(), edges.end.get());
            let line = json!({
                "topic": topic,
                "partition": partition.get(),
                "start": start,
                "end": end,
                "records": end - start,
            });
            lines += &format!("{line}\n");
            let numbers = [start, end, end - start].map(|number| number.to_string());
            table.add([[topic.clone(), partition.to_string()].as_slice(), &numbers].concat());
        }
        self.shape.print(lines, [table])
    }

    fn print_places<'a>(
        &self,
        rows: impl Iterator<Item = (&'a Target, &'a Located)>,
    ) -> anyhow::Result<Exit> {
        let columns =
            [Column::Text("TOPIC"), Column::Number("PARTITION"), Column::Number("OFFSET")];
        let mut table = Table::new(&columns);
        let mut lines = String::new();
        for ((topic, partition), Located { offset, .. }) in rows {
            let (id, at) = (partition.get(), offset.get());
            let line = json!({"topic": topic, "partition": id, "offset": at});
            lines += &format!("{line}\n");
            table.add(vec![topic.clone(), id.to_string(), at.to_string()]);
        }
        self.shape.print(lines, [table])
    }
}

impl Trim {
    pub fn place(&self) -> Result<Place, Usage> {
        wanted("--to", &self.to)
    }

    pub fn run(&self, admin: &Admin, place: Place) -> anyhow::Result<Exit> {
        let targets = targets(admin, &self.named)?;
        let located = locate(admin, &targets, place)?;
        let mut exit = Exit::Done;
        let mut rows = Vec::new();
        for ((target, at), start) in
            targets.iter().zip(&located).zip(self.delete(admin, &targets, &located, place)?)
        {
            match start {
                Ok(start) => rows.push((target, at.edges.start, start)),
                Err(why) => {
                    exit = Exit::Refused;
                    tell(&format!("cannot trim {}-{}: {why}", target.0, target.1));
                }
            }
        }
        self.print(&rows)?;
        Ok(exit)
    }

    /// Where each partition starts afterwards, or why it was left as it is.
    fn delete(
        &self,
        admin: &Admin,
        targets: &[Target],
        located: &[Located],
        place: Place,
    ) -> anyhow::Result<Vec<Result<Offset, String>>> {
        if self.dry_run {
            return Ok(located.iter().map(|at| Ok(at.offset)).collect());
        }
        // The end moves on while this is asked; the broker knows where it is.
        let before = |at: &Located| (place != Place::End).then_some(at.offset);
        let both = targets.iter().zip(located);
        let doomed: Vec<_> =
            both.map(|((topic, partition), at)| (topic.as_str(), *partition, before(at))).collect();
        let answers = admin.trim(&doomed)?;
        let of = |(topic, partition): &Target| {
            let found = answers.iter().find(|(name, id, _)| name == topic && id == partition);
            match found {
                Some((_, _, Ok(start))) => Ok(*start),
                Some((_, _, Err(refusal))) => Err(said(refusal)),
                None => Err("no answer".to_owned()),
            }
        };
        Ok(targets.iter().map(of).collect())
    }

    fn print(&self, rows: &[(&Target, Offset, Offset)]) -> anyhow::Result<Exit> {
        let mut table = Table::new(&[
            Column::Text("TOPIC"),
            Column::Number("PARTITION"),
            Column::Number("START"),
            Column::Number("DELETED"),
        ]);
        let mut lines = String::new();
        for ((topic, partition), before, after) in rows {
            let (id, start, deleted) = (partition.get(), after.get(), after.get() - before.get());
            let line = json!({"topic": topic, "partition": id, "start": start, "deleted": deleted});
            lines += &format!("{line}\n");
            let numbers = [i64::from(id), start, deleted].map(|number| number.to_string());
            table.add([[topic.clone()].as_slice(), &numbers].concat());
        }
        self.shape.print(lines, [table])
    }
}
