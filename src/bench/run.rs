//! A run from its plan to its findings.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::batches;
use super::measure::{Measured, Meter, Recorded, Spent, forget_memory_peak};
use super::payload::{HEAD_BYTES, Payloads, Shape};
use super::plan::{Acks, Engine, Extent, Load, Pace, Payload, Plan, Workload};
use super::verify::{Account, Ledger};
use super::workload::consume::{self, Gauge, Timed};
use super::workload::end_to_end::{self, Flow};
use super::workload::pipe::{self, Pipe, Program, line};
use super::workload::produce::{self, Noted, Outcome, Phase, Source};
use super::workload::{Stage, Watch, log, wire};
use super::{Error, Topic};
use crate::client::Config;
use crate::client::admin::Patience;
use crate::client::consume::Consumer;

/// More of a payload file would only cost memory.
const PAYLOAD_FILE_BYTES_MAX: u64 = 64 << 20;

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    pub plan: &'a Plan,
    pub config: &'a Config,
    pub topic: &'a Topic,
    pub patience: Patience,
    pub program: &'a Program,
    pub watch: &'a Watch,
    /// Where the brokers keep what they make durable, where that is known.
    pub disk: Option<&'a Path>,
}

/// What a run found out.
pub struct Findings {
    pub measured: Measured,
    pub account: Account,
    /// Why the first record that failed did so.
    pub why: Option<String>,
}

/// Measures the log engine in this directory, without a broker.
pub fn measure_log(
    plan: &Plan,
    engine: Engine,
    dir: &Path,
    watch: &Watch,
) -> Result<Findings, Error> {
    forget_memory_peak();
    log::run(plan, engine, &payloads(plan)?, dir, watch)
}

impl Bench<'_> {
    pub fn run(&self) -> Result<Findings, Error> {
        forget_memory_peak();
        let payloads = payloads(self.plan)?;
        let mut findings = match self.plan.workload {
            Workload::Produce { pace } => self.produce(&payloads, pace),
            Workload::Consume => self.consume(&payloads),
            Workload::Wire(wire) => wire::run(self, wire, &payloads),
            Workload::EndToEnd { rate } => self.end_to_end(&payloads, rate),
            Workload::Pipe => self.pipe(&payloads),
            Workload::Log(_) => unreachable!("the log is measured without a cluster"),
        }?;
        if findings.measured.batches.is_none() {
            // Where there is no way in, they stay unknown; the figures are what was asked for.
            let found = batches::survey(self.topic, self.config);
            findings.measured.batches = found.unwrap_or_default();
        }
        Ok(findings)
    }

    fn produce(&self, payloads: &Payloads, pace: Pace) -> Result<Findings, Error> {
        let mut sources = self.sources(self.plan.load.producers)?;
        let (watch, noted) = (self.watch, Noted::Reports);
        let phase = |extent| Phase { payloads, pace, extent, watch, noted };
        self.enter(Stage::WarmingUp)?;
        let warmup = produce::run(&mut sources, phase(self.plan.warmup));
        self.enter(Stage::Measuring)?;
        let meter = self.meter();
        let outcome = match warmup.failed.is_empty() {
            true => produce::run(&mut sources, phase(self.plan.measured)),
            false => produce::run(&mut sources, phase(Extent::NONE)),
        };
        let Spent { client, broker } = meter.spent();
        let recorded = self.watch.take_recorded();
        let mut ledger = ledger(payloads, &sources, [&warmup, &outcome]);
        self.enter(Stage::Verifying)?;
        self.await_all(&ledger, sources)?;
        let mut consumer = self.consumer()?;
        consume::read(&mut consumer, &mut ledger, &mut Gauge::off(), self.watch)?;
        let measured = Measured {
            warmup_records: warmup.records,
            window: outcome.window(),
            recorded,
            client,
            broker,
            batches: None,
            fdatasync: Vec::new(),
        };
        Ok(Findings::new(measured, ledger, [&warmup, &outcome]))
    }

    /// The warm-up reads with a consumer of its own. What that one fetched ahead would otherwise
    /// lie ready when the window opens, and its fetching would be in no figure.
    fn consume(&self, payloads: &Payloads) -> Result<Findings, Error> {
        self.enter(Stage::Filling)?;
        let warmup_records = self.plan.warmup.records.unwrap_or(0);
        let mut sources = self.sources(1)?;
        let extent = Extent { time: None, ..self.plan.measured };
        let (pace, watch, noted) = (Pace::Unbounded, self.watch, Noted::Nothing);
        let phase = Phase { payloads, pace, extent, watch, noted };
        let filled = produce::run(&mut sources, phase);
        let mut ledger = ledger(payloads, &sources, [&filled]);
        self.await_all(&ledger, sources)?;
        if 0 < warmup_records {
            consume::warm_up(&mut self.consumer()?, warmup_records, self.watch)?;
        }
        let mut consumer = self.consumer()?;
        let mut gauge = Gauge::open(self.plan.measured, self.meter());
        consume::read(&mut consumer, &mut ledger, &mut gauge, self.watch)?;
        let Timed { window, timeline, spent } = gauge.timed();
        let measured = Measured {
            warmup_records,
            window,
            recorded: Recorded { timeline, ..Recorded::default() },
            client: spent.client,
            broker: spent.broker,
            batches: None,
            fdatasync: Vec::new(),
        };
        Ok(Findings::new(measured, ledger, [&filled]))
    }

    fn end_to_end(&self, payloads: &Payloads, rate: f64) -> Result<Findings, Error> {
        let Plan { warmup, measured, .. } = *self.plan;
        let config = end_to_end::producer_config(self.config.clone())?;
        let mut sources = self.sources_of(&config, self.plan.load.producers)?;
        let consumer = end_to_end::open(self.config, self.topic, self.patience)?;
        let (topic, watch, meter) = (self.topic, self.watch, self.meter());
        let flow = Flow { payloads, topic, rate, warmup, measured, meter: &meter, watch };
        let arrivals = end_to_end::run(&mut sources, consumer, flow)?;
        let [warmup, outcome] = &arrivals.sent;
        let measured = Measured {
            warmup_records: warmup.records,
            window: arrivals.window,
            recorded: arrivals.recorded,
            client: arrivals.spent.client,
            broker: arrivals.spent.broker,
            batches: None,
            fdatasync: Vec::new(),
        };
        Ok(Findings::new(measured, arrivals.ledger, [warmup, outcome]))
    }

    fn pipe(&self, payloads: &Payloads) -> Result<Findings, Error> {
        let Plan { load, warmup, measured, .. } = self.plan;
        let pipe = Pipe {
            program: self.program,
            payloads,
            topic: self.topic,
            load,
            warmup: *warmup,
            measured: *measured,
            meter: &self.meter(),
            watch: self.watch,
        };
        let through = pipe::run(pipe)?;
        let measured = Measured {
            warmup_records: through.warmup_records,
            window: through.window,
            recorded: Recorded { timeline: through.timeline, ..Recorded::default() },
            client: through.used.unwrap_or_default(),
            broker: through.broker,
            batches: None,
            fdatasync: Vec::new(),
        };
        Ok(Findings { measured, account: through.ledger.close(), why: None })
    }

    /// What this process and the brokers use from here on.
    pub(super) fn meter(&self) -> Meter {
        Meter::start(self.topic.leaders().unwrap_or_default())
    }

    /// What was noted so far belongs to the stage before.
    pub(super) fn enter(&self, stage: Stage) -> Result<(), Error> {
        self.watch.show(stage, 0);
        drop(self.watch.take_recorded());
        match self.watch.is_stopped() {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    fn sources(&self, count: u32) -> Result<Vec<Source>, Error> {
        self.sources_of(self.config, count)
    }

    fn sources_of(&self, config: &Config, count: u32) -> Result<Vec<Source>, Error> {
        let config = producer_config(config, &self.plan.load)?;
        (0..count).map(|number| Source::open(&config, self.topic.name(), number)).collect()
    }

    fn consumer(&self) -> Result<Consumer, Error> {
        consume::open(self.config, self.topic.name(), self.patience)
    }

    /// The producers stay until all is there: a connection that is closed while an answer is on
    /// its way is reset, and the broker then drops what it had not read yet (acks=0).
    fn await_all(&self, ledger: &Ledger<'_>, producers: Vec<Source>) -> Result<(), Error> {
        self.topic.await_records(ledger.acknowledged())?;
        drop(producers);
        Ok(())
    }
}

impl Findings {
    fn new<const N: usize>(
        measured: Measured,
        ledger: Ledger<'_>,
        outcomes: [&Outcome; N],
    ) -> Findings {
        let why = outcomes.iter().find_map(|outcome| outcome.why.clone());
        Findings { measured, account: ledger.close(), why }
    }
}

/// Options of the run win over what a file says, so that the result names what was measured.
fn producer_config(config: &Config, load: &Load) -> Result<Config, Error> {
    let mut config = config.clone();
    config.set("acks", load.acks.name())?;
    config.set("compression.type", load.compression.name())?;
    if load.acks != Acks::All {
        config.set("enable.idempotence", "false")?;
    }
    Ok(config)
}

fn ledger<'a, const N: usize>(
    payloads: &'a Payloads,
    sources: &[Source],
    outcomes: [&Outcome; N],
) -> Ledger<'a> {
    let sent: Vec<_> = sources.iter().map(Source::sent).collect();
    let mut ledger = Ledger::new(payloads, &sent);
    for outcome in outcomes {
        outcome.failed.iter().for_each(|&mark| ledger.failed(mark));
    }
    ledger
}

fn payloads(plan: &Plan) -> Result<Payloads, Error> {
    let record_size = match plan.workload {
        // The body is what is left behind another head.
        Workload::Pipe => plan.load.record_size - line::HEAD_BYTES + HEAD_BYTES,
        _ => plan.load.record_size,
    };
    let shape = Shape { record_size, keys: plan.load.keys, seed: plan.seed };
    Ok(match &plan.load.payload {
        Payload::Random => Payloads::random(shape),
        Payload::Text => Payloads::text(shape),
        Payload::File(path) => Payloads::of(&file(path)?, shape),
    })
}

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(PAYLOAD_FILE_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(0) => Err(Error::PayloadEmpty { path: path.to_owned() }),
        Ok(_) => Ok(bytes),
        Err(error) => Err(Error::Payload { path: path.to_owned(), error }),
    }
}
