//! The log engine alone, without a network: batches are appended, then read back and verified.
//!
//! The work is cut into laps: all batches of a lap are made before the clock runs, so that no
//! figure holds the making. Partitions are logs; producers are threads that append to them in turn,
//! and with `fsync` they wait until their batch is durable, together with all who came meanwhile.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::batch::{codec, has_room};
use super::{Stage, Watch};
use crate::bench::disk::Syncs;
use crate::bench::measure::{Batches, Measured, Meter, Recorded, Used, Window};
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Batch, Durability, Engine, Extent, Load, Plan};
use crate::bench::verify::Ledger;
use crate::bench::{Error, Findings};
use crate::log::{DiskFile, Known, Log, RealDisk, Settings, Stamp};
use crate::record::{
    BatchBuilder, BatchView, HEADER_BYTES, LeaderEpoch, Offset, PartitionId, Record, Scratch,
    Times, Timestamp, Uuid, batches,
};

/// The batches of a lap lie in memory together.
const LAP_BYTES: usize = 32 << 20;

/// How much of a log is read at once: what consumers ask for by default.
const READ_BYTES: u32 = 1 << 20;

/// To what a batch may decompress: those of the run are smaller.
const PLAIN_BYTES_MAX: usize = 256 << 20;

/// What is appended, and how.
#[derive(Clone, Copy)]
struct Work<'a> {
    payloads: &'a Payloads,
    load: &'a Load,
    durability: Durability,
    batch: Batch,
    watch: &'a Watch,
}

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

/// What came of a phase.
#[derive(Default)]
struct Appended {
    window: Window,
    used: Used,
    recorded: Recorded,
    batches: u64,
    /// Of whole batches: before compression, and as they lie in the log.
    plain_bytes: u64,
    log_bytes: u64,
}

/// A batch that is ready for the log.
struct Made {
    partition: usize,
    bytes: Vec<u8>,
    records: u64,
    /// Of keys and values.
    payload_bytes: u64,
    /// Of the whole batch, before compression.
    plain_bytes: u64,
}

/// A batch that is in the log.
#[derive(Clone, Copy)]
struct Timed {
    at: Instant,
    latency: Duration,
    records: u64,
    payload_bytes: u64,
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

    /// The batches of a lap, a row for each producer.
    fn make(&mut self, records_max: u64) -> Vec<Vec<Made>> {
        let producers = self.sent.len();
        let (work, partitions, now) = (self.work, self.partitions.len(), self.now);
        let batch_bytes = work.batch.bytes(work.load.record_size);
        let share = (LAP_BYTES / batch_bytes / producers).max(1);
        let extent = Extent { records: Some(records_max), time: None };
        let count = u32::try_from(producers).expect("producers are counted in u32");
        thread::scope(|scope| {
            let rows = self.sent.iter().zip(0..).map(|(&sent, producer)| {
                scope.spawn(move || {
                    let most = extent.share(producer, count).records.unwrap_or(0);
                    let (mut next, until) = (sent, sent.saturating_add(most));
                    let batch = |at: usize| {
                        let partition = (producer as usize + at) % partitions;
                        let marks = (next..until).map(|sequence| Mark { producer, sequence });
                        let made = work.batch(marks, partition, now)?;
                        next += made.records;
                        Some(made)
                    };
                    (0..share).map_while(batch).collect()
                })
            });
            let rows: Vec<_> = rows.collect();
            rows.into_iter().map(|row| row.join().expect("it does not panic")).collect()
        })
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

    /// Reads everything back, and enters it. What is timed is the reading.
    fn read(self) -> Result<(Window, Ledger<'a>), Error> {
        let Logs { work, partitions, sent, .. } = self;
        let mut ledger = Ledger::new(work.payloads, &sent);
        let (mut window, mut buffer) = (Window::default(), Vec::new());
        for (partition, number) in partitions.into_iter().zip(0..) {
            let mut log = partition.log.into_inner().unwrap_or_else(PoisonError::into_inner);
            let (mut from, end) = (log.start(), log.end());
            while from < end {
                if work.watch.is_stopped() {
                    return Err(Error::Stopped);
                }
                let began = Instant::now();
                let slice = log.read(from, end, READ_BYTES).map_err(Error::log)?;
                let Some(slice) = slice else { break };
                buffer.resize(buffer.len().max(slice.bytes as usize), 0);
                let into = &mut buffer[..slice.bytes as usize];
                let read = slice.file.read_at(into, slice.position).map_err(Error::System)?;
                window.time += began.elapsed();
                let read = enter(&into[..read], PartitionId(number), &mut ledger, &mut window);
                from = read.filter(|&next| from < next).unwrap_or(end);
            }
            work.watch.show(Stage::Verifying, window.records);
        }
        Ok((window, ledger))
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

impl Appended {
    /// What the batches were like.
    fn batches(&self) -> Option<Batches> {
        let per_batch = |count: u64| count as f64 / self.batches as f64;
        (0 < self.batches).then(|| Batches {
            records: per_batch(self.window.records),
            bytes: per_batch(self.log_bytes),
            compression: self.plain_bytes as f64 / self.log_bytes as f64,
        })
    }

    /// A lap begins with its first batch and ends with its last, whichever producer's they are.
    fn note(&mut self, timed: &[Timed]) {
        let begins = timed.iter().map(|it| it.at - it.latency).min();
        let ends = timed.iter().map(|it| it.at).max();
        let Some((begins, ends)) = begins.zip(ends) else { return };
        for Timed { at, latency, records, payload_bytes } in timed {
            let time = self.window.time + at.saturating_duration_since(begins);
            self.recorded.note_batch(time, (*records, *payload_bytes), *latency);
            self.window.records += records;
            self.window.bytes += payload_bytes;
        }
        self.window.time += ends - begins;
    }
}

impl Work<'_> {
    /// The next batch of these records; `None` where there are no more.
    fn batch(
        &self,
        marks: impl Iterator<Item = Mark>,
        partition: usize,
        now: Timestamp,
    ) -> Option<Made> {
        let mut builder = BatchBuilder::new().codec(codec(self.load.compression));
        let (mut payload_bytes, mut value) = (0, Vec::new());
        let mut marks = marks.peekable();
        while let Some(&mark) = marks.peek() {
            value.clear();
            self.payloads.write_value(mark, &mut value);
            let key = self.payloads.key(mark);
            let size = key.map_or(0, <[u8]>::len) + value.len();
            if !has_room(self.batch, builder.filled(), size) {
                break;
            }
            builder.push(now, &Record { key, value: Some(&value), headers: &[] });
            payload_bytes += size as u64;
            marks.next();
        }
        let (records, filled) = builder.filled();
        (0 < records).then(|| Made {
            partition,
            bytes: builder.build(),
            records: u64::from(records.unsigned_abs()),
            payload_bytes,
            plain_bytes: (HEADER_BYTES + filled) as u64,
        })
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How many records there are still to append; `None`: it is over.
fn left(extent: Extent, done: &Window) -> Option<u64> {
    let records = extent.records.unwrap_or(u64::MAX).saturating_sub(done.records);
    let is_over = records == 0 || extent.time.is_some_and(|time| time <= done.time);
    (!is_over).then_some(records)
}

/// Enters the records of whole batches; up to where they go.
fn enter(
    bytes: &[u8],
    partition: PartitionId,
    ledger: &mut Ledger<'_>,
    window: &mut Window,
) -> Option<Offset> {
    let (mut end, mut scratch) = (None, Scratch::default());
    for batch in batches(bytes).map_while(Result::ok) {
        end = Some(batch.next_offset());
        let readable =
            batch.check_crc().and_then(|()| batch.records(&mut scratch, PLAIN_BYTES_MAX));
        // What cannot be read is missing in the account.
        let Ok(records) = readable else { continue };
        for entry in records.map_while(Result::ok) {
            let (key, value) = (entry.key, entry.value);
            ledger.see(partition, key, value);
            window.records += 1;
            let bytes: usize = [key, value].into_iter().flatten().map(<[u8]>::len).sum();
            window.bytes += bytes as u64;
        }
    }
    end
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
    use crate::bench::plan::{Acks, Compression, Payload};

    #[test]
    fn a_lap_lasts_from_its_first_batch_to_its_last() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        let timed = |at, latency| Timed {
            at: began + ms(at),
            latency: ms(latency),
            records: 10,
            payload_bytes: 100,
        };
        let mut done = Appended::default();
        done.note(&[timed(5, 4), timed(9, 4), timed(7, 7)]);
        assert_eq!(done.window, Window { records: 30, bytes: 300, time: ms(9) });
        done.note(&[timed(1002, 2), timed(1004, 2)]);
        assert_eq!(done.window, Window { records: 50, bytes: 500, time: ms(13) });
        let longest = done.recorded.latencies.summary().unwrap().max;
        assert!(longest.abs_diff(ms(7)) < ms(1), "{longest:?}");
    }

    #[test]
    fn an_extent_is_over_by_records_or_by_the_time_of_its_laps() {
        let extent = Extent { records: Some(10), time: Some(Duration::from_secs(1)) };
        let at = |records, ms| Window { records, bytes: 0, time: Duration::from_millis(ms) };
        assert_eq!(left(extent, &at(0, 0)), Some(10));
        assert_eq!(left(extent, &at(9, 999)), Some(1));
        assert_eq!(left(extent, &at(10, 0)), None);
        assert_eq!(left(extent, &at(0, 1000)), None);
    }

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
