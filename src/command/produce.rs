//! `kaw produce TOPIC [FILE…]`: what was typed to what is sent.

mod line;
mod pump;
mod screen;
mod source;
mod tally;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use super::cluster;
use super::{Exit, Global, Usage};
use crate::client::{Config, span};
use crate::input::Layout;
use crate::layout;
use crate::quantity;
use crate::record::{PartitionId, Timestamp};
use line::Line;
use pump::Pump;
use screen::Screen;

/// Send records to a topic: one a line, from stdin or files, until the end of input
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the records go; it is created where the broker does so
    pub topic: String,
    /// Files to read instead of stdin; - is stdin
    pub files: Vec<PathBuf>,
    /// What ends a record: any bytes, with the escapes \n \t \0 \xNN
    #[arg(
        short = 'D',
        long,
        value_name = "DELIM",
        default_value = "\\n",
        hide_default_value = true
    )]
    pub delimiter: String,
    /// What ends a record's key; a record without it has a null key
    #[arg(short = 'K', long, value_name = "DELIM", conflicts_with_all = ["key", "json"])]
    pub key_delimiter: Option<String>,
    /// The key of every record
    #[arg(short, long, conflicts_with = "json", allow_hyphen_values = true)]
    pub key: Option<OsString>,
    /// A header of every record, may be repeated; NAME alone has the value null
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", conflicts_with = "json")]
    pub headers: Vec<OsString>,
    /// The partition of every record; -1 lets the key decide
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub partition: Option<i32>,
    /// The time of every record: 2026-01-31T08:00Z, seconds or milliseconds since 1970, -1h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub timestamp: Option<String>,
    /// An empty key or value is null
    #[arg(short = 'Z', long = "null", conflicts_with = "json")]
    pub empty_is_null: bool,
    /// Each line is a record as JSON, as `consume -J`, kcat and kcl print it
    #[arg(short = 'J', long)]
    pub json: bool,
    /// Each input is one record
    #[arg(long, conflicts_with_all = ["delimiter", "json"])]
    pub whole: bool,
    /// How batches are compressed
    #[arg(short = 'z', long, value_name = "CODEC")]
    pub compression: Option<Compression>,
    /// Who must have a record before it counts as delivered: 0 nobody, 1 the leader, all
    #[arg(long, value_name = "0|1|all", value_parser = acks)]
    pub acks: Option<&'static str>,
    /// How long a record may take until it has failed [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = quantity::time)]
    pub delivery_timeout: Option<Duration>,
    /// Copy the input to stdout
    #[arg(short = 'T', long)]
    pub tee: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

fn acks(text: &str) -> Result<&'static str, String> {
    match text {
        "0" => Ok("0"),
        "1" => Ok("1"),
        "all" | "-1" => Ok("all"),
        _ => Err("write 0, 1 or all".to_owned()),
    }
}

/// How input becomes records.
pub struct Shape {
    pub cut: Cut,
    pub kind: Kind,
    /// `None` leaves it to the record; `Some(None)` to the partitioner, whatever the record says.
    pub partition: Option<Option<PartitionId>>,
    pub timestamp: Option<Timestamp>,
}

/// Where one record ends and the next begins.
pub enum Cut {
    After(Vec<u8>),
    /// Each input is one.
    Whole,
}

pub enum Kind {
    Bytes { layout: Layout, key: Option<Vec<u8>>, headers: Vec<(Vec<u8>, Option<Vec<u8>>)> },
    Json,
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let shape = shape(&args)?;
    let sources = source::check(&args.files)?;
    let mut cluster = cluster::connect(global)?;
    set_options(&mut cluster.config, &args)?;
    let screen = Screen::new(!global.quiet, source::bytes_ahead(&sources));
    let line = Line::open(cluster, global, &args.topic, screen)?;
    let pump = Pump { shape, tee: args.tee, quiet: global.quiet, line, bytes_read: 0 };
    pump.run(&sources)
}

fn shape(args: &Args) -> Result<Shape, Usage> {
    let cut = match args.whole {
        true => Cut::Whole,
        false => Cut::After(delimiter("-D", &args.delimiter)?),
    };
    let kind = match args.json {
        true => Kind::Json,
        false => Kind::Bytes {
            layout: Layout {
                key_delimiter: args
                    .key_delimiter
                    .as_deref()
                    .map(|k| delimiter("-K", k))
                    .transpose()?,
                empty_is_null: args.empty_is_null,
            },
            key: args
                .key
                .as_ref()
                .map(|key| key.as_bytes().to_vec())
                .filter(|key| !(key.is_empty() && args.empty_is_null)),
            headers: args.headers.iter().map(header).collect(),
        },
    };
    let partition = args.partition.map(partition).transpose()?;
    let timestamp = args.timestamp.as_deref().map(|text| span::time(text, now())).transpose();
    Ok(Shape { cut, kind, partition, timestamp: timestamp.map_err(Usage)? })
}

fn delimiter(option: &str, text: &str) -> Result<Vec<u8>, Usage> {
    match layout::delimiter(text).map_err(|why| Usage(format!("{option}: {why}")))? {
        bytes if bytes.is_empty() => Err(Usage(format!("{option} needs at least one byte"))),
        bytes => Ok(bytes),
    }
}

fn header(text: &OsString) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut parts = text.as_bytes().splitn(2, |&byte| byte == b'=').map(<[u8]>::to_vec);
    (parts.next().unwrap_or_default(), parts.next())
}

fn partition(number: i32) -> Result<Option<PartitionId>, Usage> {
    match number {
        -1 => Ok(None),
        0.. => Ok(Some(PartitionId(number))),
        _ => Err(Usage(format!("-p {number}: partitions count from 0; -1 lets the key decide"))),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as i64)
}

fn set_options(config: &mut Config, args: &Args) -> anyhow::Result<()> {
    if let Some(codec) = args.compression.and_then(|codec| codec.to_possible_value()) {
        config.set("compression.codec", codec.get_name())?;
    }
    if let Some(acks) = args.acks {
        config.set("acks", acks)?;
        // A file may ask for idempotence; what was typed for this command counts.
        if acks != "all" {
            config.set("enable.idempotence", "false")?;
        }
    }
    if let Some(time) = args.delivery_timeout {
        config.set("delivery.timeout.ms", &time.as_millis().max(1).to_string())?;
    }
    Ok(())
}
