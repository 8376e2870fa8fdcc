//! The log engine alone, without a network: batches are appended, then read back and verified.
//!
//! The work is cut into laps: all batches of a lap are made before the clock runs, so that no
//! figure holds the making. Partitions are logs; producers are threads that append to them in turn,
//! and with `fsync` they wait until their batch is durable, together with all who came meanwhile.

mod appended;
mod lap;
mod read_back;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime};

use super::{Stage, Watch};
use crate::bench::disk::Syncs;
use crate::bench::measure::{Measured, Meter};
use crate::bench::payload::Payloads;
use crate::bench::plan::{Durability, Engine, Extent, Plan};
use crate::bench::{Error, Findings};
use crate::log::{Known, Log, RealDisk, Settings, Stamp};
use crate::record::{BatchView, LeaderEpoch, Offset, Times, Timestamp, Uuid};
use appended::{Appended, Timed, left};
use lap::{Made, Work};

/// The logs of a run, in a directory of its own.
struct Logs<'a> {
    work: Work<'a>,
    partitions: Vec<Partition>,
    /// Of each producer: how many records it has appended.
    sent: Vec<u64>,
    now: Timestamp,
}

struct Partition {
    log: Mutex<Log<RealDisk>>,
    /// Up to where it is durable. Whoever holds it syncs; those who come meanwhile wait, and find
    /// that the next sync is for all of them.
    durable: Mutex<Offset>,
}

/// Measures what the plan says, and reads everything back.
pub fn run(
    plan: &Plan,
    engine: Engine,
    payloads: &Payloads,
    dir: &Path,
    watch: &Watch,
) -> Result<Findings, Error> {
    let Engine { durability, batch } = engine;
    let work = Work { payloads, load: &plan.load, durability, batch, watch };
    let mut logs = Logs::open(work, dir, now())?;
    watch.show(Stage::WarmingUp, 0);
    let warmup = logs.append(plan.warmup)?;
    watch.show(Stage::Measuring, 0);
    let done = logs.append(plan.measured)?;
    watch.show(Stage::Verifying, 0);
    let batches = done.batches();
    let is_synced = durability == Durability::Fsync;
    let size = batches.filter(|_| is_synced).map(|batches| batches.bytes as usize);
    let mut fdatasync: Vec<Syncs> = size.map(|size| Syncs::of(1, size)).into_iter().collect();
    fdatasync.iter_mut().try_for_each(|syncs| syncs.time(dir)).map_err(Error::System)?;
    let (_, ledger) = logs.read()?;
    let measured = Measured {
        warmup_records: warmup.window.records,
        window: done.window,
        recorded: done.recorded,
        client: done.used,
        broker: None,
        batches,
        fdatasync,
    };
    Ok(Findings { measured, account: ledger.close(), why: None })
}

impl<'a> Logs<'a> {
    fn open(work: Work<'a>, dir: &Path, now: Timestamp) -> Result<Logs<'a>, Error> {
        let open = |number| {
            let dir = dir.join(format!("bench-{number}"));
            // A kaw that reads it would want an id; what it is does not matter.
            let id = Uuid([1; 16]);
            let (settings, known) = (Settings::default(), Known::default());
            let opened = Log::open(RealDisk, &dir, id, settings, known, now);
            let (log, _) = opened.map_err(Error::log)?;
            Ok(Partition { log: Mutex::new(log), durable: Mutex::new(Offset::ZERO) })
        };
        let partitions = (0..work.load.partitions).map(open).collect::<Result<_, Error>>()?;
        Ok(Logs { work, partitions, sent: vec![0; work.load.producers as usize], now })
    }

    /// Appends until the extent is reached; its time is that of the laps.
    fn append(&mut self, extent: Extent) -> Result<Appended, Error> {
        let mut done = Appended::default();
        while let Some(records) = left(extent, &done.window) {
            if self.work.watch.is_stopped() {
                return Err(Error::Stopped);
            }
            let made = self.make(records);
            self.lap(&made, extent, &mut done)?;
            let (stage, _) = self.work.watch.look();
            self.work.watch.show(stage, done.window.records);
        }
        Ok(done)
    }

    /// Appends all of it, or what the extent's time allows, all producers at once.
    fn lap(
        &mut self,
        made: &[Vec<Made>],
        extent: Extent,
        done: &mut Appended,
    ) -> Result<(), Error> {
        let meter = Meter::start(vec![]);
        let until = extent.time.map(|time| Instant::now() + time.saturating_sub(done.window.time));
        let outcomes: Vec<Result<Vec<Timed>, Error>> = thread::scope(|scope| {
            let rows: Vec<_> =
                made.iter().map(|row| scope.spawn(|| self.append_row(row, until))).collect();
            rows.into_iter().map(|row| row.join().expect("it does not panic")).collect()
        });
        let used = meter.spent().client;
        let timed = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        for ((row, timed), sent) in made.iter().zip(&timed).zip(&mut self.sent) {
            for made in &row[..timed.len()] {
                *sent += made.records;
                done.batches += 1;
                done.log_bytes += made.bytes.len() as u64;
                done.plain_bytes += made.plain_bytes;
            }
        }
        done.used.cpu += used.cpu;
        done.used.memory_peak_bytes = used.memory_peak_bytes;
        done.note(&timed.concat());
        Ok(())
    }

    /// Appends the row, or what there is time for, one batch at least: syncs make it long.
    fn append_row(&self, row: &[Made], until: Option<Instant>) -> Result<Vec<Timed>, Error> {
        let mut timed = Vec::with_capacity(row.len());
        let mut before = Instant::now();
        for made in row {
            if self.work.watch.is_stopped() {
                return Err(Error::Stopped);
            }
            self.append_one(made)?;
            let at = Instant::now();
            let Made { records, payload_bytes, .. } = *made;
            timed.push(Timed { at, latency: at - before, records, payload_bytes });
            before = at;
            if until.is_some_and(|until| until <= at) {
                break;
            }
        }
        Ok(timed)
    }

    fn append_one(&self, made: &Made) -> Result<(), Error> {
        let batch = BatchView::parse(&made.bytes).expect("the run's own batches are whole");
        let partition = &self.partitions[made.partition];
        let stamp = Stamp { leader_epoch: LeaderEpoch(0), now: self.now, times: Times::Keep };
        let appended = locked(&partition.log).append(&batch, stamp).map_err(Error::log)?;
        match self.work.durability {
            Durability::Os => Ok(()),
            Durability::Fsync => partition.sync_to(appended.last_offset.plus(1)),
        }
    }
}

impl Partition {
    fn sync_to(&self, end: Offset) -> Result<(), Error> {
        let mut durable = locked(&self.durable);
        if end <= *durable {
            return Ok(());
        }
        let target = locked(&self.log).sync_target();
        if let Some(target) = target {
            target.run().map_err(Error::System)?;
            locked(&self.log).synced(&target);
            *durable = target.end();
        }
        Ok(())
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Whoever panicked took the run along.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::payload::Shape;
    use crate::bench::plan::{Acks, Batch, Compression, Load, Payload};

    #[test]
    fn a_lap_ends_after_a_batch_where_time_is_up_or_the_run_is_stopped() {
        let payloads = Payloads::random(Shape { record_size: 100, keys: None, seed: 1 });
        let load = Load {
            record_size: 100,
            partitions: 1,
            producers: 1,
            acks: Acks::All,
            compression: Compression::None,
            payload: Payload::Random,
            keys: None,
        };
        let (watch, batch) = (Watch::default(), Batch::Records(10));
        let durability = Durability::Os;
        let work = Work { payloads: &payloads, load: &load, durability, batch, watch: &watch };
        let dir = std::env::temp_dir().join(format!("kaw-bench-lap-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let mut logs = Logs::open(work, &dir, now()).unwrap();
        let made = logs.make(100);
        assert_eq!(made[0].len(), 10);
        let mut done = Appended::default();
        let over = Extent { records: None, time: Some(Duration::ZERO) };
        logs.lap(&made, over, &mut done).unwrap();
        assert_eq!((done.window.records, done.batches, &logs.sent[..]), (10, 1, &[10][..]));
        watch.stop();
        assert!(matches!(logs.lap(&made, over, &mut done), Err(Error::Stopped)));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
