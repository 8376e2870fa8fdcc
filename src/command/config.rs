//! `kaw config`: what is in force, and where each value came from.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cluster::{self, Settings, file};
use super::stdio::print;
use super::table::{Column, Look, Table};
use super::{Exit, Global};
use crate::client::Config;
use crate::client::config::{canonical, is_secret, properties};

/// What stands for a value that nobody should see.
const HIDDEN: &str = "(hidden)";
/// Where what kaw chooses itself comes from.
const OWN: &str = "kaw";
/// Show which settings are in force and where each came from; secrets are hidden
#[derive(clap::Args, Debug)]
pub struct Args {
    /// librdkafka's own defaults too
    #[arg(short, long)]
    all: bool,
    /// List the profiles that --profile can name
    #[arg(long, conflicts_with = "all")]
    profiles: bool,
    /// Print JSON, one object a line
    #[arg(short = 'J', long)]
    json: bool,
    /// Print tables without headings
    #[arg(long)]
    no_headers: bool,
}

/// A setting in force.
struct Row {
    value: Option<String>,
    from: String,
    /// Set, and of no effect.
    ignored: bool,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    match args.profiles {
        true => profiles(args),
        false => in_force(global, args),
    }
}

fn profiles(args: &Args) -> anyhow::Result<Exit> {
    let mut table = Table::new(&[Column::Text("PROFILE"), Column::Text("FILE")]);
    let mut lines = String::new();
    for (name, path) in file::profiles() {
        let path = path.display().to_string();
        lines += &format!("{}\n", json!({"profile": name, "file": path}));
        table.add(vec![name, path]);
    }
    print(&if args.json { lines } else { table.print(Look::of_stdout(), !args.no_headers) })
}

fn in_force(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    let settings = Settings::gather(global)?;
    // What librdkafka refuses is an error here too.
    let config = settings.config()?;
    let mut rows = BTreeMap::new();
    if args.all {
        add_librdkafkas(&mut rows);
    }
    for (key, value) in Config::new().entries() {
        add(&mut rows, &key, &value, OWN, false);
    }
    for given in &settings.given {
        add(&mut rows, &given.key, &given.value, &given.origin.to_string(), false);
    }
    for given in &settings.ignored {
        add(&mut rows, &given.key, &given.value, &given.origin.to_string(), true);
    }
    if config.brokers().is_empty() {
        add_built_in(global, &mut rows)?;
    } else {
        config.check_login()?;
    }
    print(&if args.json { lines(&rows) } else { table(&rows, args.no_headers) })
}

fn add(rows: &mut BTreeMap<String, Row>, key: &str, value: &str, from: &str, ignored: bool) {
    let key = canonical(key);
    let row = Row { value: Some(value.to_owned()), from: from.to_owned(), ignored };
    rows.insert(key.to_owned(), row);
}

fn add_librdkafkas(rows: &mut BTreeMap<String, Row>) {
    let of_text = properties().iter().filter(|property| property.is_text);
    for property in of_text.filter(|property| property.alias_of.is_none()) {
        add(rows, &property.name, &property.default, "librdkafka", false);
    }
}

/// Nobody named brokers: what is set for the way to others has no effect.
fn add_built_in(global: &Global, rows: &mut BTreeMap<String, Row>) -> anyhow::Result<()> {
    rows.retain(|key, row| row.from != OWN || !cluster::is_security(key));
    let built_in = Row { value: None, from: "built-in broker".to_owned(), ignored: false };
    rows.insert("bootstrap.servers".to_owned(), built_in);
    let dir = cluster::place(global)?.data_dir.display().to_string();
    let typed = global.data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty());
    let from = match typed {
        None => OWN,
        Some(dir) if std::env::var_os("KAW_DATA_DIR").as_ref() == Some(&dir.into()) => {
            "KAW_DATA_DIR"
        }
        Some(_) => "--data-dir",
    };
    add(rows, "data-dir", &dir, from, false);
    Ok(())
}

fn lines(rows: &BTreeMap<String, Row>) -> String {
    let line = |(key, row): (&String, &Row)| {
        let hidden = is_secret(key) && row.value.is_some();
        let value = row.value.clone().filter(|_| !hidden).map_or(Value::Null, Value::String);
        let (from, ignored) = (&row.from, row.ignored);
        let line = json!({
            "property": key, "value": value, "hidden": hidden, "from": from, "ignored": ignored
        });
        format!("{line}\n")
    };
    rows.iter().map(line).collect()
}

fn table(rows: &BTreeMap<String, Row>, no_headers: bool) -> String {
    let columns = [Column::Text("PROPERTY"), Column::Text("VALUE"), Column::Text("FROM")];
    let mut table = Table::new(&columns);
    for (key, row) in rows {
        let value = row.value.as_deref().unwrap_or_default();
        let value = match is_secret(key) && !value.is_empty() {
            true => HIDDEN.to_owned(),
            false => short(value),
        };
        let ignored = if row.ignored { " (ignored)" } else { "" };
        table.add(vec![key.clone(), value, format!("{}{ignored}", row.from)]);
    }
    table.print(Look::of_stdout(), !no_headers)
}

/// The first line, and a sign where that is not all.
fn short(value: &str) -> String {
    match value.split_once('\n') {
        Some((first, _)) => format!("{first}…"),
        None => value.to_owned(),
    }
}
