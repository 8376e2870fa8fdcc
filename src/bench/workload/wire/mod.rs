//! Batches that were made before, straight over the protocol: what is measured is the broker.
//! Never knows: librdkafka, but for making the topic.

mod cargo;
mod drive;
mod line;
mod read_back;

use std::time::{Instant, SystemTime};

use super::Stage;
use super::produce::Outcome;
use crate::bench::disk::Syncs;
use crate::bench::measure::{Measured, Spent};
use crate::bench::payload::Payloads;
use crate::bench::plan::{self, Direction, Extent, Pace, Wire};
use crate::bench::verify::Tally;
use crate::bench::{Bench, Error, Findings};
use crate::client;
use crate::client::raw::Raw;
use crate::record::Timestamp;
use crate::wire::Acks;
use cargo::Cargo;
use drive::Phase;
use line::{Line, Post, Seat, Task};

/// Larger writes say more of a disk's rate than of its syncs.
const SYNC_BYTES_MAX: u64 = 16 << 20;

/// Measures what the plan says, and verifies every batch that was sent.
pub fn run(bench: &Bench<'_>, wire: Wire, payloads: &Payloads) -> Result<Findings, Error> {
    let cargo = Cargo::load(bench.plan, wire.batch, payloads, now());
    let raw = bench.topic.raw(bench.config)?;
    let posts = posts(&raw, bench)?;
    let run = Run { bench, wire, cargo, raw, posts };
    match wire.direction {
        Direction::Produce => run.produce(),
        Direction::Fetch => run.fetch(),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The brokers that lead the topic's partitions.
fn posts(raw: &Raw, bench: &Bench<'_>) -> Result<Vec<Post>, Error> {
    let topic = bench.topic.name();
    let mut posts: Vec<Post> = Vec::new();
    for &partition in bench.topic.partitions() {
        let said = |why: &str| client::Error::Said {
            what: format!("{topic}-{partition}"),
            why: why.to_owned(),
        };
        let address = raw.leader((topic, partition)).ok_or_else(|| said("it has no leader"))?;
        match posts.iter_mut().find(|post| post.address == address) {
            Some(post) => post.partitions.push(partition),
            None => posts.push(Post { address, partitions: vec![partition] }),
        }
    }
    Ok(posts)
}

struct Run<'a> {
    bench: &'a Bench<'a>,
    wire: Wire,
    cargo: Cargo,
    raw: Raw,
    posts: Vec<Post>,
}

impl Run<'_> {
    fn produce(&self) -> Result<Findings, Error> {
        let Bench { plan, .. } = self.bench;
        let mut lines = self.lines(plan.load.producers, Task::Send)?;
        let mut syncs = self.syncs();
        self.time(&mut syncs)?;
        self.bench.enter(Stage::WarmingUp)?;
        let warmup = drive::run(&mut lines, self.phase(plan.warmup, self.wire.pace));
        self.bench.enter(Stage::Measuring)?;
        let extent = match warmup.why {
            None => plan.measured,
            Some(_) => Extent::NONE,
        };
        let meter = self.bench.meter();
        let outcome = drive::run(&mut lines, self.phase(extent, self.wire.pace));
        let mut measured = self.measured(&warmup, &outcome, meter.spent());
        self.time(&mut syncs)?;
        measured.fdatasync = syncs;
        self.verified(lines, measured, [&warmup, &outcome])
    }

    /// What a sync for each request would cost, and one for as many as are gathered while another
    /// sync runs: where all that is under way waits for either, half of it.
    fn syncs(&self) -> Vec<Syncs> {
        if self.bench.disk.is_none() || self.bench.plan.load.acks != plan::Acks::All {
            return Vec::new();
        }
        let under_way = u64::from(self.bench.plan.load.producers) * u64::from(self.wire.in_flight);
        let size = self.cargo.stencil.size();
        let mut requests = vec![1, (under_way / 2).min(SYNC_BYTES_MAX / size as u64).max(1)];
        requests.dedup();
        requests.into_iter().map(|requests| Syncs::of(requests, size)).collect()
    }

    fn time(&self, syncs: &mut [Syncs]) -> Result<(), Error> {
        let Some(dir) = self.bench.disk else { return Ok(()) };
        syncs.iter_mut().try_for_each(|syncs| syncs.time(dir)).map_err(Error::System)
    }

    /// One line a broker fills the topic, so that it is known which batch lies where.
    fn fetch(&self) -> Result<Findings, Error> {
        let Bench { plan, .. } = self.bench;
        self.bench.enter(Stage::Filling)?;
        let brokers = self.posts.len() as u32;
        let mut fillers = self.lines(brokers, Task::Send)?;
        let filled = drive::run(&mut fillers, self.phase(self.filling(), Pace::Unbounded));
        if filled.why.is_some() {
            let measured = self.measured(&filled, &Outcome::begun(filled.ended), Spent::default());
            return self.verified(fillers, measured, [&filled]);
        }
        let mut lines = self.lines(plan.load.producers, Task::Fetch)?;
        self.bench.enter(Stage::WarmingUp)?;
        let warmup = heard(drive::run(&mut lines, self.phase(plan.warmup, Pace::Unbounded)))?;
        self.bench.enter(Stage::Measuring)?;
        let meter = self.bench.meter();
        let outcome = heard(drive::run(&mut lines, self.phase(plan.measured, self.wire.pace)))?;
        let measured = self.measured(&warmup, &outcome, meter.spent());
        self.verified(fillers, measured, [&filled])
    }

    /// What the brokers must have, each the same, so that no line asks for more.
    fn filling(&self) -> Extent {
        let Bench { plan, .. } = self.bench;
        let (count, brokers) = (plan.load.producers, self.posts.len() as u32);
        let share = |number| {
            let extent = plan.measured.in_batches(self.cargo.records);
            extent.share(number, count).records.unwrap_or(0)
        };
        let of = |broker| (broker..count).step_by(brokers as usize).map(share).sum::<u64>();
        let most = (0..brokers).map(of).max().unwrap_or(0);
        Extent { records: Some(most * u64::from(brokers) * self.cargo.records), time: None }
    }

    /// As many connections, in turn to each broker.
    fn lines(&self, count: u32, task: Task) -> Result<Vec<Line<'_>>, Error> {
        let brokers = self.posts.len() as u32;
        if count < brokers {
            let what = format!("{count} connections to {brokers} brokers");
            let why = format!("each needs one; write --producers {brokers}");
            return Err(client::Error::Said { what, why }.into());
        }
        let open = |number: u32| {
            let post = &self.posts[(number % brokers) as usize];
            let places = (count - number % brokers).div_ceil(brokers);
            let (place, places) = (u64::from(number / brokers), u64::from(places));
            let deadline = Instant::now() + self.bench.patience.max;
            let connection = self.raw.enter((&post.address.0, post.address.1))?;
            Ok(Line::new(connection, (post, Seat { number, place, places }), task, deadline)?)
        };
        (0..count).map(open).collect()
    }

    fn phase(&self, extent: Extent, pace: Pace) -> Phase<'_> {
        let batch = self.cargo.records;
        let pace = match pace {
            Pace::Unbounded => Pace::Unbounded,
            Pace::Rate(rate) => Pace::Rate(rate / batch as f64),
        };
        Phase {
            topic: self.bench.topic.name(),
            cargo: &self.cargo,
            acks: acks(self.bench.plan.load.acks),
            in_flight: self.wire.in_flight as usize,
            pace,
            extent: extent.in_batches(batch),
            watch: self.bench.watch,
        }
    }

    fn measured(&self, warmup: &Outcome, outcome: &Outcome, spent: Spent) -> Measured {
        Measured {
            warmup_records: warmup.records,
            window: outcome.window(),
            recorded: self.bench.watch.take_recorded(),
            client: spent.client,
            broker: spent.broker,
            batches: Some(self.cargo.batches()),
            fdatasync: Vec::new(),
        }
    }

    /// Every batch that the lines sent is where the broker said.
    fn verified<const N: usize>(
        &self,
        lines: Vec<Line<'_>>,
        measured: Measured,
        outcomes: [&Outcome; N],
    ) -> Result<Findings, Error> {
        self.bench.enter(Stage::Verifying)?;
        let sent: Vec<u64> = lines.iter().map(Line::sent).collect();
        let mut tally = Tally::new(&sent);
        for outcome in outcomes {
            outcome.failed.iter().for_each(|&mark| tally.failed(mark));
        }
        self.bench.topic.await_records(tally.acknowledged() * self.cargo.records)?;
        let found = (&self.posts[..], &lines[..]);
        let places = read_back::read(self.bench, &self.raw, found, &self.cargo, &mut tally)?;
        let mut why = outcomes.iter().find_map(|outcome| outcome.why.clone());
        let named = lines.iter().map(Line::digest).fold(0, u64::wrapping_add);
        if why.is_none() && named != places && self.bench.plan.load.acks != plan::Acks::None {
            tally.see_corrupt();
            why = Some("the answers named other offsets".to_owned());
        }
        Ok(Findings { measured, account: tally.close().times(self.cargo.records), why })
    }
}

fn acks(acks: plan::Acks) -> Acks {
    match acks {
        plan::Acks::None => Acks::None,
        plan::Acks::Leader => Acks::Leader,
        plan::Acks::All => Acks::All,
    }
}

/// What is fetched was sent before: a failure is no record's fault.
fn heard(outcome: Outcome) -> Result<Outcome, Error> {
    match outcome.why {
        None => Ok(outcome),
        Some(why) => Err(client::Error::Said { what: "cannot fetch".to_owned(), why }.into()),
    }
}
