//! `kaw produce TOPIC [FILE…]`: what was typed to what is sent.

mod apart;
mod files;
mod line;
mod pace;
mod pump;
mod shape;
mod source;
mod tally;
mod trail;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::cluster;
use super::progress::{Ahead, Progress};
use super::{Exit, Global, Usage};
use crate::client::Config;
use crate::quantity;
use files::{Begin, Checkpoint, Lines, Mark};
use line::Line;
use pace::Pace;
use pump::Pump;
use shape::Shape;
use source::Source;
use trail::{Sinks, Trail};

const READ: &str = "How the input is read";
const SENT: &str = "What records are given";
const DELIVERED: &str = "How they are sent";
const PACED: &str = "How fast";
const ACCOUNT: &str = "What is kept of it";
const TRANSACTED: &str = "In transactions";

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
    #[arg(help_heading = READ)]
    pub delimiter: String,
    /// What ends a record's key; a record without it has a null key
    #[arg(short = 'K', long, value_name = "DELIM", conflicts_with = "json")]
    #[arg(help_heading = READ)]
    pub key_delimiter: Option<String>,
    /// The key of every record that brings none
    #[arg(short, long, allow_hyphen_values = true)]
    #[arg(help_heading = SENT)]
    pub key: Option<OsString>,
    /// A header of every record, after its own; may be repeated, NAME alone has the value null
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    #[arg(help_heading = SENT)]
    pub headers: Vec<OsString>,
    /// The partition of every record; -1 lets the key decide
    #[arg(short, long, value_name = "N")]
    #[arg(help_heading = SENT)]
    pub partition: Option<i32>,
    /// The time of every record: 2026-01-31T08:00Z, seconds or milliseconds since 1970, -1h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[arg(help_heading = SENT)]
    pub timestamp: Option<String>,
    /// An empty key or value is null
    #[arg(short = 'Z', long = "null", conflicts_with = "json")]
    #[arg(help_heading = READ)]
    pub empty_is_null: bool,
    /// Each line is a record as JSON, as `consume -J`, kcat and kcl print it
    #[arg(short = 'J', long)]
    #[arg(help_heading = READ)]
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
    #[arg(help_heading = READ)]
    pub format: Option<String>,
    /// Each input is one record
    #[arg(long, conflicts_with_all = ["delimiter", "json"])]
    #[arg(help_heading = READ)]
    pub whole: bool,
    /// How batches are compressed
    #[arg(short = 'z', long, value_name = "CODEC")]
    #[arg(help_heading = DELIVERED)]
    pub compression: Option<Compression>,
    /// Who must have a record before it counts as delivered: 0 nobody, 1 the leader, all
    #[arg(long, value_name = "0|1|all", value_parser = acks)]
    #[arg(help_heading = DELIVERED)]
    pub acks: Option<&'static str>,
    /// How long a record may take until it has failed [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = delivery_time)]
    #[arg(help_heading = DELIVERED)]
    pub delivery_timeout: Option<Duration>,
    /// Which partition a record goes to by its key; the default is Java's
    #[arg(long, value_name = "NAME")]
    #[arg(help_heading = SENT)]
    pub partitioner: Option<Partitioner>,
    /// Send no faster than this: 500/s, 12.3k/s, 600/m
    #[arg(long, value_name = "N/s", value_parser = quantity::rate)]
    #[arg(help_heading = PACED)]
    pub rate: Option<f64>,
    /// Keep the gaps between the input's timestamps, so many times as quick: 1, 2x, 0.5x
    #[arg(long, value_name = "SPEED", value_parser = Pace::replay, conflicts_with = "rate")]
    #[arg(help_heading = PACED)]
    pub replay: Option<Pace>,
    /// Write what became of each record to a file, as JSON lines in the order of the input
    #[arg(long, value_name = "FILE")]
    #[arg(help_heading = ACCOUNT)]
    pub report: Option<PathBuf>,
    /// Write input that was not delivered to a file, as JSON lines with its number and the reason
    #[arg(long, value_name = "FILE")]
    #[arg(help_heading = ACCOUNT)]
    pub rejects: Option<PathBuf>,
    /// Keep a checkpoint of how far the input was delivered or rejected; the same command again
    /// goes on from there
    ///
    /// At least once: it is written twice a second and in the end, and what was delivered since
    /// then by a run that was killed is sent again.
    #[arg(long, value_name = "FILE")]
    #[arg(help_heading = ACCOUNT)]
    pub resume: Option<PathBuf>,
    /// All input in one transaction: all of it is there in the end, or nothing
    #[arg(long, conflicts_with_all = ["report", "rejects", "resume", "acks"])]
    #[arg(help_heading = TRANSACTED)]
    pub transactional: bool,
    /// Commit every N records
    #[arg(long, value_name = "N", requires = "transactional")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(help_heading = TRANSACTED)]
    pub transaction_records: Option<u64>,
    /// Who the transactions belong to; one who comes later shuts the earlier out
    /// [default: made from host and topic]
    #[arg(long, value_name = "ID", requires = "transactional")]
    #[arg(help_heading = TRANSACTED)]
    pub transactional_id: Option<String>,
    /// Copy the input to stdout
    #[arg(short = 'T', long)]
    #[arg(help_heading = ACCOUNT)]
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

/// librdkafka's partitioners.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Partitioner {
    Murmur2Random,
    Murmur2,
    ConsistentRandom,
    Consistent,
    #[value(name = "fnv1a_random")]
    Fnv1aRandom,
    Fnv1a,
    Random,
}

/// Kafka's largest transaction.max.timeout.ms by default: a long input takes its time.
const TRANSACTION_MS: &str = "900000";

fn acks(text: &str) -> Result<&'static str, String> {
    match text {
        "0" => Ok("0"),
        "1" => Ok("1"),
        "all" | "-1" => Ok("all"),
        _ => Err("write 0, 1 or all".to_owned()),
    }
}

/// As long as librdkafka's number of milliseconds can say.
fn delivery_time(text: &str) -> Result<Duration, String> {
    match quantity::some_time(text)? {
        time if time.as_millis() <= i32::MAX as u128 => Ok(time),
        _ => Err("librdkafka waits for 24 days at most".to_owned()),
    }
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let shape = Shape::of(&args)?;
    if args.replay.is_some() && !shape.has_timestamps() {
        let why = "--replay needs timestamps in the input: pass -J, or -f with %d or %T";
        return Err(Usage(why.to_owned()).into());
    }
    let sources = source::check(&args.files)?;
    apart::check(&args, &sources)?;
    let (trail, start) = trail(&args, &sources)?;
    let mut cluster = cluster::connect(global)?;
    set_options(&mut cluster.config, &args)?;
    if args.transactional && cluster.lease.is_some() {
        let why = "--transactional: the built-in broker has no transactions; pass -b for a cluster";
        return Err(Usage(why.to_owned()).into());
    }
    let ahead = source::bytes_ahead(&sources).map_or(Ahead::Unknown, Ahead::Bytes);
    // It would be drawn over what is typed, or copied.
    let is_typed = sources.iter().any(|source| matches!(source, Source::Stdin));
    let is_taken = is_typed && io::stdin().is_terminal() || args.tee && io::stdout().is_terminal();
    let progress = Progress::new(global, !is_taken, ahead);
    let mut line = Line::open(cluster, global, &args.topic, progress)?;
    if let Some(trail) = trail {
        line.follow(trail, start.records);
    }
    if let Some(pace) = args.rate.map(Pace::Rate).or(args.replay) {
        line.keep_pace(pace);
    }
    if args.transactional {
        line.begin_transactions(args.transaction_records)?;
    }
    let pump = Pump { shape, tee: args.tee, quiet: global.quiet, line, bytes_read: 0, start };
    pump.run(&sources)
}

/// The files that follow the records, and where an earlier run has come to.
fn trail(args: &Args, sources: &[Source]) -> anyhow::Result<(Option<Trail>, Mark)> {
    let inputs: Vec<String> = sources.iter().map(Source::name).collect();
    let checkpoint = args.resume.as_deref();
    let checkpoint =
        checkpoint.map(|path| Checkpoint::open(path, &args.topic, &inputs)).transpose()?;
    let begin = checkpoint.as_ref().map_or(Begin::Anew, Checkpoint::begin);
    let start = checkpoint.as_ref().map(Checkpoint::done).unwrap_or_default();
    let lines =
        |path: &Option<PathBuf>| path.as_deref().map(|path| Lines::open(path, begin)).transpose();
    let (report, rejects) = (lines(&args.report)?, lines(&args.rejects)?);
    Ok((Trail::new(&args.topic, Sinks { report, rejects, checkpoint }), start))
}

/// The same on every run of the same command here, so that a later one ends what an earlier one
/// has left open.
fn transactional_id(topic: &str) -> String {
    let host = rustix::system::uname();
    format!("kaw-{}-{topic}", host.nodename().to_string_lossy())
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
    if let Some(name) = args.partitioner.and_then(|name| name.to_possible_value()) {
        config.set("partitioner", name.get_name())?;
    }
    if args.transactional {
        let id = args.transactional_id.clone().unwrap_or_else(|| transactional_id(&args.topic));
        config.set("transactional.id", &id)?;
        config.set_default("transaction.timeout.ms", TRANSACTION_MS)?;
        config.set("enable.idempotence", "true")?;
        config.set("acks", "all")?;
    }
    if let Some(time) = args.delivery_timeout {
        config.set("delivery.timeout.ms", &time.as_millis().max(1).to_string())?;
    }
    Ok(())
}
