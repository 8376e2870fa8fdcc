//! What a run is to do, as values that any workload and report can read.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub workload: Workload,
    pub load: Load,
    /// Before the figures begin, and no part of them.
    pub warmup: Extent,
    pub measured: Extent,
    pub seed: u64,
    /// Client properties that win over all others, as `KEY=VALUE`.
    pub settings: Vec<String>,
}

impl Plan {
    /// Each parameter under the name of its option, in base units: bytes, seconds, numbers.
    pub fn parameters(&self) -> Map<String, Value> {
        let Plan { load, measured, warmup, .. } = self;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let mut all = vec![
            ("records", json!(measured.records)),
            ("duration", json!(seconds(measured.time))),
            ("warmup", warmup.parameter()),
            ("record-size", json!(load.record_size)),
            ("partitions", json!(load.partitions)),
            ("compression", json!(load.compression.name())),
            ("payload", json!(load.payload.name())),
            ("keys", json!(load.keys)),
            ("seed", json!(self.seed)),
            ("X", self.shown_settings()),
        ];
        if let Some(pace) = self.workload.pace() {
            let rate = match pace {
                Pace::Unbounded => None,
                Pace::Rate(rate) => Some(rate),
            };
            all.push(("producers", json!(load.producers)));
            all.push(("acks", json!(load.acks.name())));
            all.push(("rate", json!(rate)));
        }
        match self.workload {
            Workload::Wire(wire) => all.extend(wire.parameters()),
            Workload::Pipe => all.push(("acks", json!(load.acks.name()))),
            Workload::Log(engine) => {
                all.push(("producers", json!(load.producers)));
                all.extend(engine.parameters());
            }
            Workload::Produce { .. } | Workload::Consume | Workload::EndToEnd { .. } => {}
        }
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn shown_settings(&self) -> Value {
        let shown: Vec<_> = self.settings.iter().map(|set| without_secret(set)).collect();
        if shown.is_empty() { Value::Null } else { Value::from(shown.join(" ")) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Workload {
    Produce {
        pace: Pace,
    },
    Consume,
    Wire(Wire),
    /// At this many records a second.
    EndToEnd {
        rate: f64,
    },
    Log(Engine),
    Pipe,
}

/// The log without a broker around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    pub durability: Durability,
    pub batch: Batch,
}

/// What a log does before it says that a batch is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It leaves it to the operating system when it is on disk.
    Os,
    /// It waits for the disk.
    Fsync,
}

impl Durability {
    pub fn name(self) -> &'static str {
        match self {
            Durability::Os => "os",
            Durability::Fsync => "fsync",
        }
    }
}

/// Requests whose batches were made before, over connections that each have several under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wire {
    pub direction: Direction,
    pub pace: Pace,
    /// Requests of a connection that are not answered yet, at most.
    pub in_flight: u32,
    pub batch: Batch,
}

impl Wire {
    fn parameters(self) -> [(&'static str, Value); 4] {
        let [bytes, records] = self.batch.parameters();
        [
            ("fetch", json!(self.direction == Direction::Fetch)),
            ("in-flight", json!(self.in_flight)),
            bytes,
            records,
        ]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Produce,
    Fetch,
}

/// How much goes into one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// As many records as fit, before compression; one at least.
    Bytes(usize),
    Records(u32),
}

impl Engine {
    fn parameters(self) -> [(&'static str, Value); 3] {
        let [bytes, records] = self.batch.parameters();
        [("durability", json!(self.durability.name())), bytes, records]
    }
}

impl Batch {
    fn parameters(self) -> [(&'static str, Value); 2] {
        let (bytes, records) = match self {
            Batch::Bytes(bytes) => (Some(bytes), None),
            Batch::Records(records) => (None, Some(records)),
        };
        [("batch-bytes", json!(bytes)), ("batch-records", json!(records))]
    }

    /// About what a batch of records of this size takes.
    pub fn bytes(self, record_size: usize) -> usize {
        match self {
            Batch::Bytes(bytes) => bytes.max(record_size),
            Batch::Records(records) => record_size.saturating_mul(records as usize),
        }
    }
}

impl Workload {
    pub fn name(self) -> &'static str {
        match self {
            Workload::Produce { .. } => "produce",
            Workload::Consume => "consume",
            Workload::Wire(_) => "wire",
            Workload::EndToEnd { .. } => "end-to-end",
            Workload::Log(_) => "log",
            Workload::Pipe => "pipe",
        }
    }

    /// Whether each record, or the request that it goes with, is timed.
    pub fn has_latency(self) -> bool {
        match self {
            Workload::Produce { .. }
            | Workload::EndToEnd { .. }
            | Workload::Wire(_)
            | Workload::Log(_) => true,
            Workload::Consume | Workload::Pipe => false,
        }
    }

    /// Whether records go to brokers and come from them.
    pub fn has_brokers(self) -> bool {
        !matches!(self, Workload::Log(_))
    }

    /// The same at this rate; none: it has no pace.
    pub fn at(self, rate: f64) -> Option<Workload> {
        let pace = Pace::Rate(rate);
        match self {
            Workload::Produce { .. } => Some(Workload::Produce { pace }),
            Workload::EndToEnd { .. } => Some(Workload::EndToEnd { rate }),
            Workload::Wire(wire) => Some(Workload::Wire(Wire { pace, ..wire })),
            Workload::Consume | Workload::Log(_) | Workload::Pipe => None,
        }
    }

    /// At which pace producers send, where there are any.
    pub fn pace(self) -> Option<Pace> {
        match self {
            Workload::Produce { pace } | Workload::Wire(Wire { pace, .. }) => Some(pace),
            Workload::EndToEnd { rate } => Some(Pace::Rate(rate)),
            Workload::Consume | Workload::Log(_) | Workload::Pipe => None,
        }
    }
}

/// The records and the topic that they go to.
#[derive(Clone, Debug)]
pub struct Load {
    pub record_size: usize,
    pub partitions: u32,
    pub producers: u32,
    pub acks: Acks,
    pub compression: Compression,
    pub payload: Payload,
    /// How many different keys; none: records have no key.
    pub keys: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    None,
    Leader,
    All,
}

impl Acks {
    /// As `acks` of librdkafka and of users.
    pub fn name(self) -> &'static str {
        match self {
            Acks::None => "0",
            Acks::Leader => "1",
            Acks::All => "all",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// As `compression.type` of librdkafka and of users.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Bytes that do not compress.
    Random,
    /// Words, which compress as prose does.
    Text,
    /// The bytes of a file, round and round.
    File(PathBuf),
}

impl Payload {
    /// As `--payload` has it.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Payload::Random => "random".into(),
            Payload::Text => "text".into(),
            Payload::File(path) => path.to_string_lossy(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The next send follows the last: latency then holds the wait in the client's queue.
    Unbounded,
    /// Records a second, above 0.
    Rate(f64),
}

/// How much of a phase there is; with both, whichever ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub records: Option<u64>,
    pub time: Option<Duration>,
}

impl Extent {
    pub const NONE: Extent = Extent { records: Some(0), time: None };

    /// As `--warmup` has it: records as a number, a time with its unit.
    fn parameter(self) -> Value {
        let time = || self.time.map(|time| format!("{}s", time.as_secs_f64()));
        self.records.map_or_else(|| json!(time()), Value::from)
    }

    /// A tenth: the warm-up that goes with a load when none is asked for.
    pub fn tenth(self) -> Extent {
        Extent {
            records: self.records.map(|records| records / 10),
            time: self.time.map(|time| time / 10),
        }
    }

    /// The same counted in batches of so many records; what is begun is whole.
    pub fn in_batches(self, records: u64) -> Extent {
        Extent { records: self.records.map(|all| all.div_ceil(records)), time: self.time }
    }

    /// The part of one of several producers; the first ones take what does not divide.
    pub fn share(self, producer: u32, producers: u32) -> Extent {
        let (producer, producers) = (u64::from(producer), u64::from(producers));
        let part = |records| records / producers + u64::from(producer < records % producers);
        Extent { records: self.records.map(part), time: self.time }
    }
}

/// A property as it may be shown to anyone.
pub fn without_secret(word: &str) -> String {
    const SECRETS: [&str; 6] = ["password", "secret", "token", "key.pem", "jaas", "sasl.oauth"];
    match word.split_once('=') {
        Some((key, _)) if SECRETS.iter().any(|secret| key.contains(secret)) => format!("{key}=***"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_the_result() {
        assert_eq!(without_secret("sasl.password=hunter2"), "sasl.password=***");
        assert_eq!(without_secret("-Xssl.key.pem=abc"), "-Xssl.key.pem=***");
        assert_eq!(without_secret("linger.ms=5"), "linger.ms=5");
    }

    #[test]
    fn shares_add_up() {
        for (records, producers) in [(10, 3), (2, 5), (0, 2), (1_000_000, 1)] {
            let whole = Extent { records: Some(records), time: None };
            let share = |producer| whole.share(producer, producers).records.unwrap();
            assert_eq!((0..producers).map(share).sum::<u64>(), records);
            assert!(share(0) - share(producers - 1) <= 1);
        }
    }
}
