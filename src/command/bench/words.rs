//! The options of `kaw bench`, and the plan that they make.

mod log;
mod pipe;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Usage;
use super::result::{Asked, Planned, ResultArgs};
use super::sweep::{self, Cell};
use crate::bench::gate::Gate;
use crate::bench::payload::HEAD_BYTES;
use crate::bench::plan::{
    Acks, Batch, Compression, Direction, Extent, Load, Pace, Payload, Plan, Wire, Workload,
    without_secret,
};
use crate::quantity;
use log::LogArgs;
use pipe::PipeArgs;

/// How much there is where nothing is said.
const RECORDS: u64 = 1_000_000;
const PACED_TIME: Duration = Duration::from_secs(10);
/// A load that any broker bears, so that latency is that of the way and not of a queue.
const RATE: &str = "10k/s";
/// How long each rate of a search is tried.
const STEP: &str = "--duration=3s";
/// librdkafka takes no answer above 100 MB (receive.message.max.bytes), and the record is not alone
/// in it.
const RECORD_BYTES_MAX: usize = 99_000_000;

/// Measure throughput and latency, on a broker of its own unless -b is typed
///
/// Without a workload it shows all of them, in a minute or so.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    workload: Option<WorkloadArgs>,
    #[command(flatten)]
    result: ResultArgs,
}

#[derive(clap::Subcommand, Clone, Debug)]
pub(super) enum WorkloadArgs {
    /// Send records and time each until its delivery report
    Produce(ProduceArgs),
    /// Read records as fast as they come, from a topic that is filled first
    Consume(ConsumeArgs),
    /// Send or fetch batches made beforehand, straight over the protocol: the broker's own limit
    Wire(WireArgs),
    /// Send at a fixed rate and read on meanwhile: latency from when a send was due until the
    /// consumer has the record
    EndToEnd(EndToEndArgs),
    /// Append batches to the log engine alone, without a network, and read them back; its files lie
    /// where temporary files do (TMPDIR) until the end
    Log(LogArgs),
    /// Send lines through `kaw produce` and `kaw consume`, both as processes of their own
    Pipe(PipeArgs),
    /// One after the other, a few seconds each
    All(ResultArgs),
    /// Print the JSON Schema of a result
    Schema,
}

/// What `all` runs, each as it could be typed.
const TOUR: &[&str] = &[
    "produce --duration 5s",
    "produce --rate 10k/s --duration 5s",
    "produce --record-size 1k --duration 5s",
    "consume --records 2M",
    "end-to-end --duration 5s",
    "pipe --duration 5s",
    "log --records 2M",
    "wire --duration 5s",
    "wire --fetch --records 2M",
];

#[derive(clap::Args, Clone, Debug)]
pub(super) struct ProduceArgs {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    sending: SendingArgs,
    /// Send at this rate; latency then counts from when a send was due
    #[arg(long, value_name = "N/s", value_parser = quantity::rate)]
    rate: Option<f64>,
    #[command(flatten)]
    result: ResultArgs,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct SendingArgs {
    /// Producers, each with its own connection and thread
    #[arg(long, value_name = "N", default_value = "1", value_parser = from_1_to(1000))]
    producers: u32,
    /// Who must have a record before it counts as delivered
    #[arg(long, value_name = "0|1|all", default_value = "all", value_parser = acks())]
    acks: Acks,
    /// Sent before the figures begin, N records or a time; with 0 they include connecting
    /// [default: a tenth of the load]
    #[arg(long, value_name = "N|TIME", value_parser = warmup)]
    warmup: Option<Extent>,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct EndToEndArgs {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    sending: SendingArgs,
    /// Send at this rate, whatever becomes of what was sent before
    #[arg(long, value_name = "N/s", default_value = RATE, value_parser = quantity::rate)]
    rate: f64,
    #[command(flatten)]
    result: ResultArgs,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct ConsumeArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Records read before the figures begin, and then again [default: a tenth of the load]
    #[arg(long, value_name = "N", value_parser = quantity::count)]
    warmup: Option<u64>,
    #[command(flatten)]
    result: ResultArgs,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct WireArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Read what was sent first, instead of timing the sending
    #[arg(long)]
    fetch: bool,
    /// Connections
    #[arg(long, value_name = "N", default_value = "1", value_parser = from_1_to(10_000))]
    producers: u32,
    /// Requests under way on each connection
    #[arg(long, value_name = "N", default_value = "5", value_parser = from_1_to(1000))]
    in_flight: u32,
    /// Bytes of the records in a request, before compression
    #[arg(long, value_name = "BYTES", default_value = "1MB", value_parser = quantity::bytes)]
    batch_bytes: u64,
    /// Records in a request, instead of bytes
    #[arg(long, value_name = "N", conflicts_with = "batch_bytes")]
    #[arg(value_parser = from_1_to(10_000_000))]
    batch_records: Option<u32>,
    /// Who must have a batch before it is answered; at 0 it counts when it is written to the socket
    #[arg(long, value_name = "0|1|all", default_value = "all", value_parser = acks())]
    acks: Acks,
    /// Ask for this many records a second; latency then counts from when a request was due
    #[arg(long, value_name = "N/s", value_parser = quantity::rate)]
    rate: Option<f64>,
    /// Sent or fetched before the figures begin, N records or a time [default: a tenth of the load]
    #[arg(long, value_name = "N|TIME", value_parser = warmup)]
    warmup: Option<Extent>,
    #[command(flatten)]
    result: ResultArgs,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct LoadArgs {
    /// Records to measure [default: 1M, or what fits in --duration]
    #[arg(long, value_name = "N", value_parser = quantity::count)]
    records: Option<u64>,
    /// Measure for this long, or until --records, whichever ends first
    #[arg(long, value_name = "TIME", value_parser = quantity::time)]
    duration: Option<Duration>,
    /// Bytes of a record's value
    #[arg(long, value_name = "BYTES", default_value = "100", value_parser = quantity::bytes)]
    record_size: u64,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value = "1", value_parser = from_1_to(100_000))]
    partitions: u32,
    /// Compression of batches
    #[arg(short = 'z', long, value_name = "CODEC", default_value = "none")]
    #[arg(value_parser = compression())]
    compression: Compression,
    /// What values are made of: bytes that do not compress, words, or the bytes of a file (its
    /// first 64 MiB)
    #[arg(long, value_name = "random|text|FILE", default_value = "random", value_parser = payload)]
    payload: Payload,
    /// Give records one of N keys [default: no key]
    #[arg(long, value_name = "N", value_parser = from_1_to(10_000_000))]
    keys: Option<u32>,
    /// Seed of values and keys; the same seed sends the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Args {
    /// None: the schema is all that was asked for.
    pub(super) fn asked(self) -> Result<Option<Asked>, Usage> {
        match self.workload {
            Some(WorkloadArgs::Schema) => Ok(None),
            Some(WorkloadArgs::All(result)) => tour(result).map(Some),
            None => tour(self.result).map(Some),
            Some(workload) => workload.asked().map(Some),
        }
    }
}

fn tour(result: ResultArgs) -> Result<Asked, Usage> {
    let planned = |line: &&str| {
        let words: Vec<_> = line.split(' ').collect();
        let plan = WorkloadArgs::of(&words)?.plan()?;
        let workload = plan.workload;
        let parsed = |text: &&String| Gate::parse(text, workload);
        let is_of_another = |text: &&String| parsed(text).is_err_and(|it| it.is_of_another());
        let gates = result.fail_if.iter().filter(|text| !is_of_another(text)).cloned();
        Planned::new((*line).to_owned(), plan, &gates.collect::<Vec<_>>())
    };
    let planned = TOUR.iter().map(planned).collect::<Result<Vec<_>, _>>()?;
    result.no_search()?;
    result.asked(planned)
}

impl WorkloadArgs {
    /// The plan, and each of its variations where a parameter is swept.
    fn asked(self) -> Result<Asked, Usage> {
        let result = self.result().cloned().expect("tour and schema went another way");
        let cells = sweep::cells(&result.sweep)?;
        for set in cells.iter().flat_map(Cell::settings) {
            is_open(&set).map_err(|usage| Usage(format!("--sweep: {usage}")))?;
        }
        let planned = |cell: &Cell| {
            let mut options = cell.options();
            let is_open_ended = |load: &LoadArgs| load.records.is_none() && load.duration.is_none();
            if result.is_search() && self.load().is_some_and(is_open_ended) {
                options.push(STEP.to_owned());
            }
            let mut plan = self.varied(&options)?.plan()?;
            plan.settings = cell.settings();
            Planned::new(format!("{}{cell}", plan.workload.name()), plan, &result.fail_if)
        };
        let planned = cells.iter().map(planned).collect::<Result<_, _>>()?;
        result.asked(planned)
    }

    /// Of those that have a rate.
    fn load(&self) -> Option<&LoadArgs> {
        match self {
            WorkloadArgs::Produce(args) => Some(&args.load),
            WorkloadArgs::Wire(args) => Some(&args.load),
            WorkloadArgs::EndToEnd(args) => Some(&args.load),
            _ => None,
        }
    }

    pub(super) fn result(&self) -> Option<&ResultArgs> {
        match self {
            WorkloadArgs::Produce(args) => Some(&args.result),
            WorkloadArgs::Consume(args) => Some(&args.result),
            WorkloadArgs::Wire(args) => Some(&args.result),
            WorkloadArgs::EndToEnd(args) => Some(&args.result),
            WorkloadArgs::Log(args) => Some(&args.result),
            WorkloadArgs::Pipe(args) => Some(&args.result),
            WorkloadArgs::All(_) | WorkloadArgs::Schema => None,
        }
    }

    fn plan(&self) -> Result<Plan, Usage> {
        match self {
            WorkloadArgs::Produce(args) => args.plan(),
            WorkloadArgs::Consume(args) => args.plan(),
            WorkloadArgs::Wire(args) => args.plan(),
            WorkloadArgs::EndToEnd(args) => args.plan(),
            WorkloadArgs::Log(args) => args.plan(),
            WorkloadArgs::Pipe(args) => args.plan(),
            WorkloadArgs::All(_) | WorkloadArgs::Schema => unreachable!("these plan nothing"),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            WorkloadArgs::Produce(_) => "produce",
            WorkloadArgs::Consume(_) => "consume",
            WorkloadArgs::Wire(_) => "wire",
            WorkloadArgs::EndToEnd(_) => "end-to-end",
            WorkloadArgs::Log(_) => "log",
            WorkloadArgs::Pipe(_) => "pipe",
            WorkloadArgs::All(_) => "all",
            WorkloadArgs::Schema => "schema",
        }
    }
}

impl ProduceArgs {
    fn plan(&self) -> Result<Plan, Usage> {
        let pace = self.rate.map_or(Pace::Unbounded, Pace::Rate);
        self.sending.plan(&self.load, Workload::Produce { pace }, pace)
    }
}

impl EndToEndArgs {
    fn plan(&self) -> Result<Plan, Usage> {
        let workload = Workload::EndToEnd { rate: self.rate };
        self.sending.plan(&self.load, workload, Pace::Rate(self.rate))
    }
}

impl SendingArgs {
    fn plan(&self, load: &LoadArgs, workload: Workload, pace: Pace) -> Result<Plan, Usage> {
        let measured = measured(load.records, load.duration, pace);
        Ok(Plan {
            workload,
            seed: load.seed,
            settings: Vec::new(),
            load: Load { producers: self.producers, acks: self.acks, ..load.load()? },
            warmup: self.warmup.unwrap_or(measured.tenth()),
            measured,
        })
    }
}

impl ConsumeArgs {
    /// The topic is filled with all that may be read, so that there always is a number of records.
    fn plan(&self) -> Result<Plan, Usage> {
        let records = self.load.records.unwrap_or(RECORDS);
        let warmup = self.warmup.unwrap_or(records / 10);
        Ok(Plan {
            workload: Workload::Consume,
            seed: self.load.seed,
            settings: Vec::new(),
            load: self.load.load()?,
            warmup: Extent { records: Some(warmup), time: None },
            measured: Extent { records: Some(records), time: self.load.duration },
        })
    }
}

impl WireArgs {
    fn plan(&self) -> Result<Plan, Usage> {
        let load = self.load.load()?;
        let batch = match self.batch_records {
            Some(records) => Batch::Records(records),
            None => Batch::Bytes(usize::try_from(self.batch_bytes).unwrap_or(usize::MAX)),
        };
        if RECORD_BYTES_MAX < batch.bytes(load.record_size) {
            return Err(Usage("a request takes 99MB at most (--batch-bytes)".to_owned()));
        }
        let (direction, filled) = match self.fetch {
            true => (Direction::Fetch, Some(self.load.records.unwrap_or(RECORDS))),
            false => (Direction::Produce, None),
        };
        let pace = self.rate.map_or(Pace::Unbounded, Pace::Rate);
        let measured = measured(filled.or(self.load.records), self.load.duration, pace);
        Ok(Plan {
            workload: Workload::Wire(Wire { direction, pace, in_flight: self.in_flight, batch }),
            seed: self.load.seed,
            settings: Vec::new(),
            load: Load { producers: self.producers, acks: self.acks, ..load },
            warmup: self.warmup.unwrap_or(measured.tenth()),
            measured,
        })
    }
}

/// How much is measured, where not all of it was said.
fn measured(records: Option<u64>, time: Option<Duration>, pace: Pace) -> Extent {
    match (records, time, pace) {
        (None, None, Pace::Unbounded) => Extent { records: Some(RECORDS), time: None },
        (None, None, Pace::Rate(_)) => Extent { records: None, time: Some(PACED_TIME) },
        (records, time, _) => Extent { records, time },
    }
}

impl LoadArgs {
    fn load(&self) -> Result<Load, Usage> {
        let record_size = usize::try_from(self.record_size).unwrap_or(usize::MAX);
        if record_size < HEAD_BYTES {
            let said = "bytes at least: each record carries its number and a checksum";
            return Err(Usage(format!("--record-size takes {HEAD_BYTES} {said}")));
        }
        if RECORD_BYTES_MAX < record_size {
            let said = "99MB at most: librdkafka could not read more back";
            return Err(Usage(format!("--record-size takes {said}")));
        }
        if self.records == Some(0) || self.duration.is_some_and(|time| time.is_zero()) {
            return Err(Usage("--records and --duration must be above 0".to_owned()));
        }
        Ok(Load {
            record_size,
            partitions: self.partitions,
            producers: 1,
            acks: Acks::All,
            compression: self.compression,
            payload: self.payload.clone(),
            keys: self.keys,
        })
    }
}

fn from_1_to(max: i64) -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=max)
}

fn acks() -> impl TypedValueParser<Value = Acks> {
    PossibleValuesParser::new(["0", "1", "all"]).map(|word| match word.as_str() {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    })
}

fn compression() -> impl TypedValueParser<Value = Compression> {
    const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    PossibleValuesParser::new(ALL.map(Compression::name)).map(|word| {
        let named = ALL.into_iter().find(|compression| compression.name() == word);
        named.expect("the words are the names of these")
    })
}

fn payload(word: &str) -> Result<Payload, std::convert::Infallible> {
    Ok(match word {
        "random" => Payload::Random,
        "text" => Payload::Text,
        path => Payload::File(PathBuf::from(path)),
    })
}

/// A count, or a time with its unit.
fn warmup(word: &str) -> Result<Extent, String> {
    if let Ok(records) = quantity::count(word) {
        return Ok(Extent { records: Some(records), time: None });
    }
    match quantity::time(word) {
        Ok(time) => Ok(Extent { records: None, time: Some(time) }),
        Err(_) => Err(format!("'{word}' is neither records nor a time; write 10000 or 2s")),
    }
}

/// Whether a property may be set here, or has an option of its own.
pub(super) fn is_open(set: &str) -> Result<(), Usage> {
    match instead_of(set) {
        None => Ok(()),
        Some(option) => Err(Usage(format!("-X {set}: type {option} instead for bench"))),
    }
}

/// What to type instead of a `-X` that would make the result say what was not measured, or turn a
/// run on brokers that nobody named with `-b`.
fn instead_of(set: &str) -> Option<&'static str> {
    match set.split('=').next().unwrap_or_default().trim() {
        "bootstrap.servers" | "metadata.broker.list" => Some("-b"),
        "acks" | "request.required.acks" => Some("--acks"),
        "compression.type" | "compression.codec" => Some("-z"),
        _ => None,
    }
}

/// What was typed, for the result; what a property keeps secret is not in it.
pub(super) fn command() -> Vec<String> {
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    std::iter::once("kaw".to_owned()).chain(typed.map(|word| without_secret(&word))).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn plan(line: &str) -> Result<Plan, String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let asked = line.args.asked().map_err(|error| error.to_string())?;
        Ok(asked.expect("no schema").planned.remove(0).plan)
    }

    const fn extent(records: Option<u64>, seconds: Option<u64>) -> Extent {
        let time = match seconds {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => None,
        };
        Extent { records, time }
    }

    #[track_caller]
    fn check_extents(line: &str, warmup: Extent, measured: Extent) {
        let plan = plan(line).unwrap();
        assert_eq!((plan.warmup, plan.measured), (warmup, measured), "{line}");
    }

    #[test]
    fn a_tenth_more_is_warm_up() {
        check_extents("produce", extent(Some(100_000), None), extent(Some(1_000_000), None));
        check_extents("produce --rate 5k/s", extent(None, Some(1)), extent(None, Some(10)));
        check_extents("produce --duration 20s", extent(None, Some(2)), extent(None, Some(20)));
        check_extents("end-to-end", extent(None, Some(1)), extent(None, Some(10)));
        check_extents("produce --warmup 5", extent(Some(5), None), extent(Some(1_000_000), None));
        check_extents("produce --warmup 3s", extent(None, Some(3)), extent(Some(1_000_000), None));
        check_extents(
            "consume --records 500 --duration 9s",
            extent(Some(50), None),
            extent(Some(500), Some(9)),
        );
        check_extents("consume --warmup 0", extent(Some(0), None), extent(Some(1_000_000), None));
    }

    #[track_caller]
    fn check_wrong(line: &str, want: &str) {
        let said = plan(line).unwrap_err();
        assert!(said.contains(want), "{said}");
    }

    #[test]
    fn wrong_words_are_named() {
        check_wrong("produce --record-size 15", "takes 16 bytes at least");
        check_wrong("produce --record-size 200M", "takes 99MB at most");
        check_wrong("consume --record-size 99000001", "takes 99MB at most");
        check_wrong("produce --records 0", "must be above 0");
        check_wrong("produce --warmup soon", "write 10000 or 2s");
        check_wrong("produce --fail-if p98>1ms", "--fail-if: bench produce has no metric 'p98'");
        check_wrong("consume --fail-if p99>1ms", "bench consume has no metric 'p99'");
        check_wrong("consume --rate 5/s", "unexpected argument '--rate'");
        check_wrong("end-to-end --rate 0", "write 5000/s");
        check_wrong("produce -z brotli", "possible values: none, gzip, snappy, lz4, zstd");
    }

    #[test]
    fn properties_that_have_an_option_here_name_it() {
        assert_eq!(instead_of("metadata.broker.list=a:1"), Some("-b"));
        assert_eq!(instead_of(" acks = 1"), Some("--acks"));
        assert_eq!(instead_of("linger.ms=5"), None);
    }
}
