//! `kaw broker status` and `kaw broker stop`.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::broker::home::{self, Mode, Notice, Sight};
use crate::command::stdio::print;
use crate::command::table::{Column, Look, Table};
use crate::command::{Exit, Global, note};
use crate::embedded::{self, Control, Place, Status};
use crate::quantity;

/// Between two looks at a broker that leaves.
const PAUSE: Duration = Duration::from_millis(5);

/// Show the broker of the data directory: where, how big, who is connected, how to wipe it
///
/// A broker that does not run is not started.
#[derive(clap::Args, Debug)]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(short = 'J', long)]
    json: bool,
    /// Print the table of clients without headings
    #[arg(long)]
    no_headers: bool,
}

/// Stop the broker of the data directory, and wait until it has gone
///
/// Everything it has is on the disk then, and stays there.
#[derive(clap::Args, Debug)]
pub struct StopArgs {}

pub fn status(global: &Global, args: StatusArgs) -> anyhow::Result<Exit> {
    let place = place(global)?;
    let text = match find(&place)? {
        Some((notice, mut control)) => {
            let status = control.status()?;
            match args.json {
                true => format!("{}\n", running_json(&notice, &status)),
                false => {
                    let clients = clients(&status).print(Look::of_stdout(), !args.no_headers);
                    running_text(&place.data_dir, &notice, &status) + "\n" + &clients
                }
            }
        }
        None => {
            let bytes = home::bytes_on_disk(&place.data_dir);
            let dir = place.data_dir.display().to_string();
            match args.json {
                true => format!("{}\n", json!({"running": false, "data_dir": dir, "bytes": bytes})),
                false => facts(&[
                    ("state", "stopped; the next command starts it".to_owned()),
                    ("data", dir.clone()),
                    ("size", quantity::show_bytes(bytes)),
                    ("wipe", format!("rm -r {}", quoted(&place.data_dir))),
                ]),
            }
        }
    };
    print(&text)
}

/// What stops the broker of this directory and of no other.
pub fn stop_command(dir: &Path) -> String {
    format!("kaw broker stop --data-dir {}", quoted(dir))
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:@%,=".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

pub fn stop(global: &Global, StopArgs {}: StopArgs) -> anyhow::Result<Exit> {
    let place = place(global)?;
    let deadline = Instant::now() + place.patience;
    let Some((notice, mut control)) = find(&place)? else {
        note(global, &format!("no broker serves {}", place.data_dir.display()));
        return Ok(Exit::Done);
    };
    control.leave("kaw broker stop")?;
    while serves(&place.data_dir, &notice)? {
        if deadline <= Instant::now() {
            let (pid, dir) = (notice.pid, place.data_dir.display());
            return Err(anyhow!(
                "the broker of {dir} (pid {pid}) is still writing to the disk; it was asked to \
                 stop and will"
            ));
        }
        thread::sleep(PAUSE);
    }
    Ok(Exit::Done)
}

pub fn place(global: &Global) -> anyhow::Result<Place> {
    Ok(Place::new(global.data_dir.as_deref(), global.connect_timeout, |_| {})?)
}

/// The broker that serves the place, once it is clear whether one does.
fn find(place: &Place) -> anyhow::Result<Option<(Notice, Control)>> {
    let deadline = Instant::now() + place.patience;
    loop {
        let trouble = match home::sight(&place.data_dir)? {
            Sight::Nobody => return Ok(None),
            Sight::Served(notice) => match Control::open(&notice, deadline) {
                Ok(control) => return Ok(Some((notice, control))),
                Err(error) if error.is_silence() => {
                    let (dir, pid) = (place.data_dir.clone(), notice.pid);
                    embedded::Error::Stuck { dir, pid }.into()
                }
                Err(error) => anyhow!("{error}"),
            },
            Sight::Held(holder) => {
                let (dir, by) = (place.data_dir.display(), holder.describe());
                anyhow!("{dir} is in use by {by}, which does not say how to reach it")
            }
        };
        if deadline <= Instant::now() {
            return Err(trouble);
        }
        thread::sleep(PAUSE);
    }
}

/// Whether the broker of this notice is still there. Another may have come in its place.
fn serves(dir: &Path, notice: &Notice) -> anyhow::Result<bool> {
    Ok(match home::sight(dir)? {
        Sight::Nobody => false,
        Sight::Served(other) => other.pid == notice.pid,
        Sight::Held(holder) => holder.pid == Some(notice.pid),
    })
}

fn running_json(notice: &Notice, status: &Status) -> Value {
    let listeners = status.listeners.iter().map(|listener| {
        json!({
            "name": listener.name.to_string(),
            "address": listener.address.to_string(),
            "security_protocol": listener.security_protocol.to_string(),
        })
    });
    let clients = status.clients.iter().map(|client| {
        json!({
            "address": client.address.to_string(),
            "client_id": client.client_id.to_string(),
            "software": client.software.to_string(),
            "listener": client.listener.to_string(),
            "connected_at": client.connected_at.get(),
            "requests": client.request_count,
            "bytes_in": client.bytes_in,
            "bytes_out": client.bytes_out,
        })
    });
    json!({
        "running": true,
        "data_dir": status.data_dir.to_string(),
        "bytes": status.bytes,
        "bytes_free": status.bytes_free,
        "topics": status.topic_count,
        "partitions": status.partition_count,
        "automatic": notice.mode == Mode::Automatic,
        "pid": status.pid,
        "version": status.version.to_string(),
        "cluster_id": status.cluster_id.to_string(),
        "started_at": status.started_at.get(),
        "durability": status.durability.to_string(),
        "linger_ms": (0 <= status.linger_ms).then_some(status.linger_ms),
        "bytes_resident": status.bytes_resident,
        "listeners": listeners.collect::<Vec<_>>(),
        "clients": clients.collect::<Vec<_>>(),
        "errors": status.trouble_count,
        "last_error": status.trouble.as_deref(),
    })
}

fn running_text(dir: &Path, notice: &Notice, status: &Status) -> String {
    let bytes = |bytes: i64| quantity::show_bytes(u64::try_from(bytes).unwrap_or_default());
    let stays = match u64::try_from(status.linger_ms) {
        Ok(ms) => {
            let time = quantity::show_time(Duration::from_millis(ms));
            format!("leaves {time} after the last client")
        }
        Err(_) => "stays until it is stopped".to_owned(),
    };
    let partitions = quantity::counted(status.partition_count, "partition");
    let errors = match &status.trouble {
        None => "-".to_owned(),
        Some(last) => format!("{}, the last: {last}", status.trouble_count),
    };
    facts(&[
        ("state", format!("running, {stays}")),
        ("broker", format!("kaw {}, pid {}", status.version, status.pid)),
        ("memory", bytes(status.bytes_resident)),
        ("data", dir.display().to_string()),
        ("size", format!("{}, {} free", bytes(status.bytes), bytes(status.bytes_free))),
        ("topics", format!("{} with {partitions}", status.topic_count)),
        ("durability", status.durability.to_string()),
        ("listeners", or_dash(&notice.listeners.join(" "))),
        ("errors", errors),
        ("wipe", format!("{} && rm -r {}", stop_command(dir), quoted(dir))),
    ])
}

fn clients(status: &Status) -> Table {
    let mut table = Table::new(&[
        Column::Text("CLIENT"),
        Column::Text("ID"),
        Column::Text("SOFTWARE"),
        Column::Number("REQUESTS"),
        Column::Number("IN"),
        Column::Number("OUT"),
    ]);
    let mut clients: Vec<_> = status.clients.iter().collect();
    clients.sort_by_key(|client| client.address.to_string());
    for client in clients {
        table.add(vec![
            client.address.to_string(),
            client.client_id.to_string(),
            client.software.to_string(),
            client.request_count.to_string(),
            client.bytes_in.to_string(),
            client.bytes_out.to_string(),
        ]);
    }
    table
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Names and values, one a line, the values in one column.
fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    facts.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}
