//! `kaw produce TOPIC [FILE…]`: what was typed to what is sent.

mod line;
mod pump;
mod screen;
mod shape;
mod source;
mod tally;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::cluster;
use super::{Exit, Global};
use crate::client::Config;
use crate::quantity;
use line::Line;
use pump::Pump;
use screen::Screen;
use shape::Shape;

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
    /// The key of every record that brings none
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
    /// How a record is read, in franz-go's tokens
    ///
    /// %v value, %k key, %p partition, %d timestamp in milliseconds, %t %o %e are read and left
    /// out; a text goes up to what follows it: '%k:%v\n'. Lengths come before what they measure:
    /// '%K{big32}%k%V{big32}%v', with {ascii} {hex8} … {big64} {little16} … {byte} {bool} or a
    /// fixed one, '%V{3}%v'; -1 is null. Headers are counted: '%H %h{%k=%v;}%v\n'. Text may be
    /// {hex}, {base64}, {json} (one value) or {re[\d+]}. kcat's %s, %S, %R and %T are read as they
    /// are printed.
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        allow_hyphen_values = true,
        conflicts_with_all = ["delimiter", "key_delimiter", "json", "whole"]
    )]
    pub format: Option<String>,
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

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let shape = Shape::of(&args)?;
    let sources = source::check(&args.files)?;
    let mut cluster = cluster::connect(global)?;
    set_options(&mut cluster.config, &args)?;
    let screen = Screen::new(!global.quiet, source::bytes_ahead(&sources));
    let line = Line::open(cluster, global, &args.topic, screen)?;
    let pump = Pump { shape, tee: args.tee, quiet: global.quiet, line, bytes_read: 0 };
    pump.run(&sources)
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
