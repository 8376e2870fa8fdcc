//! Sends at a fixed rate and reads on meanwhile, in one process on one clock: latency is from when
//! a send was due until the consumer has the record.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::produce::{self, Noted, Outcome, Phase, Source};
use super::seen::Seen;
use super::{Stage, Watch};
use crate::bench::measure::{Meter, Recorded, Spent, Window};
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Extent, Pace};
use crate::bench::schedule::Schedule;
use crate::bench::verify::Ledger;
use crate::bench::{Error, Topic};
use crate::client::admin::Patience;
use crate::client::consume::{Consumer, Wanted};
use crate::client::span::Span;
use crate::client::{self, Config};
use crate::record::{Offset, PartitionId};

/// How long a poll may last before the watch is looked at again.
const GLANCE: Duration = Duration::from_millis(100);

/// A topic that has nothing to say for this long below its end has lost the rest.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What goes through the topic, and when.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    pub payloads: &'a Payloads,
    pub topic: &'a Topic,
    /// Records a second, of all producers together.
    pub rate: f64,
    pub warmup: Extent,
    pub measured: Extent,
    pub meter: &'a Meter,
    pub watch: &'a Watch,
}

/// What came through.
pub struct Arrivals<'a> {
    pub window: Window,
    pub recorded: Recorded,
    pub spent: Spent,
    pub ledger: Ledger<'a>,
    /// Warm-up, then what was measured.
    pub sent: [Outcome; 2],
}

/// No setting of the client's own is to be a part of the latency: what is sent waits for nothing to
/// go along with it. While answers are awaited, records gather into batches all the same; without
/// a bound on those (librdkafka has one only with idempotence), each would be a request.
pub fn producer_config(mut config: Config) -> Result<Config, client::Error> {
    config.set_default("linger.ms", "0")?;
    config.set_default("max.in.flight.requests.per.connection", "5")?;
    Ok(config)
}

/// Begins to read the topic, and follows it.
pub fn open(config: &Config, topic: &Topic, patience: Patience) -> Result<Consumer, Error> {
    let mut consumer = Consumer::open(config, patience)?;
    let topics = [topic.name().to_owned()];
    consumer.begin(&Wanted { topics: &topics, partitions: &[], span: Span::ALL })?;
    Ok(consumer)
}

/// Sends both phases with all producers at once, and reads all that comes of it.
pub fn run<'a>(
    sources: &mut [Source],
    consumer: Consumer,
    flow: Flow<'a>,
) -> Result<Arrivals<'a>, Error> {
    let progress = Progress::default();
    let mut reader = Reader::new(consumer, &flow, sources.len());
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| flow.send(sources, &progress));
        let read = reader.read(&progress, || sending.is_finished());
        if read.is_err() {
            flow.watch.stop();
        }
        let sent = sending.join().expect("it does not panic");
        read.map(|()| sent)
    })?;
    reader.finish(&progress, sent, sources)
}

/// What sender and reader know of each other.
#[derive(Default)]
struct Progress {
    /// Once the warm-up is over.
    opened: OnceLock<Opened>,
    /// Records of this run that have come back.
    seen: Seen,
}

/// When the window opened.
struct Opened {
    at: Instant,
    meter: Meter,
    /// Of each producer: the first sequence that is measured.
    first: Vec<u64>,
}

impl Flow<'_> {
    fn send(&self, sources: &mut [Source], progress: &Progress) -> [Outcome; 2] {
        self.watch.show(Stage::WarmingUp, 0);
        let warmup = produce::run(sources, self.phase(self.warmup));
        let arriving = warmup.records - warmup.failed.len() as u64;
        progress.seen.wait_for(arriving, SILENCE_MAX, self.watch);
        self.watch.show(Stage::Measuring, 0);
        let first = sources.iter().map(Source::sent).collect();
        let opened = Opened { at: Instant::now(), meter: self.meter.restarted(), first };
        let opened = progress.opened.get_or_init(|| opened);
        let extent = if warmup.failed.is_empty() { self.measured } else { Extent::NONE };
        let outcome = produce::run_from(opened.at, sources, self.phase(extent));
        [warmup, outcome]
    }

    fn phase(&self, extent: Extent) -> Phase<'_> {
        let pace = Pace::Rate(self.rate);
        let Flow { payloads, watch, .. } = *self;
        Phase { payloads, pace, extent, watch, noted: Noted::Nothing }
    }

    /// When the records of each producer are due, in one of the phases.
    fn schedules(&self, extent: Extent, producers: usize) -> Vec<Schedule> {
        let count = u32::try_from(producers).expect("producers are counted in u32");
        let pace = Pace::Rate(self.rate);
        (0..count).map(|number| Schedule::new(pace, number, count, extent)).collect()
    }
}

/// Enters what comes, and how late it is.
struct Reader<'a> {
    consumer: Consumer,
    /// By the consumer's numbers.
    partitions: Vec<PartitionId>,
    flow: Flow<'a>,
    ledger: Ledger<'a>,
    schedules: Vec<Schedule>,
    arrived: Arrived,
}

/// What has arrived of the records that are measured.
#[derive(Default)]
struct Arrived {
    recorded: Recorded,
    window: Window,
}

impl<'a> Reader<'a> {
    fn new(consumer: Consumer, flow: &Flow<'a>, producers: usize) -> Reader<'a> {
        let partitions = consumer.parts().iter().map(|part| part.partition).collect();
        let schedules = flow.schedules(flow.measured, producers);
        let warmup = flow.schedules(flow.warmup, producers);
        let most = |(warmup, measured): (&Schedule, &Schedule)| {
            warmup.records_max().saturating_add(measured.records_max())
        };
        let most: Vec<u64> = warmup.iter().zip(&schedules).map(most).collect();
        let ledger = Ledger::new(flow.payloads, &most);
        let arrived = Arrived::default();
        Reader { consumer, partitions, flow: *flow, ledger, schedules, arrived }
    }

    fn read(&mut self, progress: &Progress, is_over: impl Fn() -> bool) -> Result<(), Error> {
        while !is_over() {
            self.poll(progress)?;
        }
        Ok(())
    }

    /// Whether anything came.
    fn poll(&mut self, progress: &Progress) -> Result<bool, Error> {
        let Reader { consumer, partitions, ledger, schedules, arrived, .. } = self;
        let opened = progress.opened.get();
        let mut seen = 0;
        let came = consumer.poll(GLANCE, |record| {
            let (key, value) = (record.key(), record.value());
            if let Some(mark) = ledger.see(partitions[record.part()], key, value) {
                seen += 1;
                let bytes = [key, value].into_iter().flatten().map(<[u8]>::len).sum();
                // It may have opened while this waited.
                let opened = opened.or_else(|| progress.opened.get());
                opened.iter().for_each(|opened| arrived.note(mark, bytes, opened, schedules));
            }
            ControlFlow::Continue(())
        })?;
        progress.seen.add(seen);
        Ok(came)
    }

    /// Reads what is left: all that the topic has now.
    fn finish(
        mut self,
        progress: &Progress,
        sent: [Outcome; 2],
        sources: &[Source],
    ) -> Result<Arrivals<'a>, Error> {
        let Flow { topic, watch, .. } = self.flow;
        self.ledger.sent_were(&sources.iter().map(Source::sent).collect::<Vec<_>>());
        for outcome in &sent {
            outcome.failed.iter().for_each(|&mark| self.ledger.failed(mark));
        }
        let opened = progress.opened.get().expect("the sender opened the window");
        let mut spent = (self.arrived.window.records, opened.meter.spent());
        watch.show(Stage::Verifying, 0);
        topic.await_records(self.ledger.acknowledged())?;
        let ends = topic.ends()?;
        let mut heard = Instant::now();
        while !self.has_reached(&ends) && heard.elapsed() < SILENCE_MAX {
            if watch.is_stopped() {
                return Err(Error::Stopped);
            }
            if self.poll(progress)? {
                heard = Instant::now();
            }
        }
        let Reader { ledger, arrived: Arrived { recorded, window }, .. } = self;
        // A reader that was behind has worked on since.
        if spent.0 < window.records {
            spent.1 = opened.meter.spent();
        }
        Ok(Arrivals { window, recorded, spent: spent.1, ledger, sent })
    }

    fn has_reached(&self, ends: &BTreeMap<PartitionId, Offset>) -> bool {
        let end = |partition| ends.get(&partition).copied().unwrap_or(Offset::ZERO);
        self.consumer.parts().iter().all(|part| end(part.partition) <= part.reading.position)
    }
}

impl Arrived {
    /// A record of the run is here.
    fn note(&mut self, mark: Mark, bytes: usize, opened: &Opened, schedules: &[Schedule]) {
        let producer = mark.producer as usize;
        let Some(index) = mark.sequence.checked_sub(opened.first[producer]) else { return };
        let at = opened.at.elapsed();
        let due = schedules[producer].due(index).expect("all of it is paced");
        self.recorded.note(at, bytes as u64, at.saturating_sub(due));
        self.window.records += 1;
        self.window.bytes += bytes as u64;
        self.window.time = at;
    }
}
