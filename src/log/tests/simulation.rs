//! Whole lives of a log on a disk that fails, from one seed each. `KAW_SEED=n` replays one.
//!
//! Several idempotent producers send numbered records, wait for acks or not, and send again what
//! was not acknowledged when the log is opened anew. After every opening: what was acknowledged
//! after a sync is there; after the death of the process alone, so is what was acknowledged
//! without one; nothing is there twice, in another order, or that nobody sent.

use super::faulty::{Dice, FaultyDisk};
use super::*;

const PRODUCERS: usize = 3;

/// One batch that a producer sent: it is sent again until it is acknowledged as durable.
#[derive(Clone, Debug)]
struct Pending {
    base_sequence: i32,
    values: Vec<String>,
    /// Where the log said it is, in this life.
    at: Option<Offset>,
}

#[derive(Default)]
struct Sender {
    next_sequence: i32,
    pending: Vec<Pending>,
}

struct Model {
    disk: FaultyDisk,
    dice: Dice,
    senders: Vec<Sender>,
    /// What was acknowledged after a sync, by offset.
    promised: Vec<(i64, String)>,
    /// What the log held at the moment the process died.
    held: Vec<(i64, String)>,
    start: i64,
    known: Known,
    clock: i64,
}

enum End {
    Clean,
    Killed,
    PowerLost,
}

impl Model {
    fn new(seed: u64) -> Model {
        Model {
            disk: FaultyDisk::new(),
            dice: Dice(seed),
            senders: (0..PRODUCERS).map(|_| Sender::default()).collect(),
            promised: Vec::new(),
            held: Vec::new(),
            start: 0,
            known: Known { trust: Trust::Unclean, ..Known::default() },
            clock: 0,
        }
    }

    fn open(&mut self, end: &End) -> Log<FaultyDisk> {
        let (mut log, recovered) = open(&self.disk, self.known);
        let found = contents(&mut log);
        let text = format!("{recovered:?}");
        assert!(log.start().get() <= log.end().get());
        let offsets: Vec<i64> = found.iter().map(|(offset, _)| *offset).collect();
        let expected: Vec<i64> = (log.start().get()..log.end().get()).collect();
        assert_eq!(offsets, expected, "no gaps: {text}");
        for (offset, value) in self.promised.iter().filter(|(o, _)| *o >= log.start().get()) {
            let there = found.iter().find(|(o, _)| o == offset);
            assert_eq!(there.map(|(_, v)| v), Some(value), "promised at {offset}: {text}");
        }
        if let End::Clean | End::Killed = end {
            let held: Vec<_> =
                self.held.iter().filter(|(o, _)| *o >= log.start().get()).cloned().collect();
            assert_eq!(found, held, "nothing is lost without a power loss: {text}");
            assert_eq!(recovered.set_aside, []);
        }
        let mut values: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), found.len(), "nothing is there twice: {text}");
        self.start = log.start().get();
        self.resend(&mut log);
        log
    }

    /// What was not acknowledged is sent again, in order, as a client does.
    fn resend(&mut self, log: &mut Log<FaultyDisk>) {
        for id in 0..PRODUCERS {
            self.senders[id].pending.iter_mut().for_each(|pending| pending.at = None);
            for pending in self.senders[id].pending.iter_mut() {
                let values: Vec<&str> = pending.values.iter().map(String::as_str).collect();
                let bytes = idempotent(id as i64, 0, pending.base_sequence, &values);
                match append(log, &bytes) {
                    Ok(appended) => pending.at = Some(appended.base_offset),
                    Err(AppendError::Disk { .. } | AppendError::Poisoned) => break,
                    Err(error) => panic!("{error} for {pending:?}"),
                }
            }
        }
    }

    fn send(&mut self, log: &mut Log<FaultyDisk>) {
        let id = self.dice.below(PRODUCERS as u64) as usize;
        let sender = &mut self.senders[id];
        // No client has more than five batches on the way, nor sends after one that failed.
        if sender.pending.len() >= 5 || sender.pending.iter().any(|p| p.at.is_none()) {
            return;
        }
        let count = 1 + self.dice.below(4) as i32;
        let base_sequence = sender.next_sequence;
        let filler = "x".repeat(self.dice.below(150) as usize);
        let values: Vec<String> =
            (0..count).map(|n| format!("{id}:{}:{filler}", base_sequence + n)).collect();
        sender.next_sequence += count;
        let borrowed: Vec<&str> = values.iter().map(String::as_str).collect();
        let bytes = idempotent(id as i64, 0, base_sequence, &borrowed);
        let at = match append(log, &bytes) {
            Ok(appended) => {
                assert_eq!(appended.outcome, Outcome::Written);
                Some(appended.base_offset)
            }
            Err(AppendError::Disk { .. } | AppendError::Poisoned) => None,
            Err(error) => panic!("{error}"),
        };
        sender.pending.push(Pending { base_sequence, values, at });
    }

    fn acknowledge(&mut self, end: Offset) {
        for sender in &mut self.senders {
            while let Some(first) = sender.pending.first() {
                let Some(at) = first.at else { break };
                if at.get() + first.values.len() as i64 > end.get() {
                    break;
                }
                let first = sender.pending.remove(0);
                for (n, value) in first.values.into_iter().enumerate() {
                    self.promised.push((at.get() + n as i64, value));
                }
            }
        }
    }

    fn sync(&mut self, log: &mut Log<FaultyDisk>) {
        match log.sync_target() {
            None => self.acknowledge(log.end()),
            Some(target) => {
                if target.run().is_ok() {
                    log.synced(&target);
                    self.acknowledge(target.end());
                }
            }
        }
    }

    fn step(&mut self, log: &mut Log<FaultyDisk>) {
        self.clock += 1;
        match self.dice.below(40) {
            0..24 => self.send(log),
            24..32 => self.sync(log),
            32..34 => {
                if let Ok(checkpoint) = log.checkpoint() {
                    // Others append while it runs.
                    self.send(log);
                    if checkpoint.run().is_ok() {
                        log.checkpointed(&checkpoint);
                    }
                }
            }
            34 => {
                self.sync(log);
                let bytes = Some(self.dice.below(8000));
                let _ = log.remove_expired(&Retention { ms: None, bytes }, Timestamp(self.clock));
            }
            35 => self.disk.leave(self.dice.below(300) as usize),
            36 => self.disk.make_room(),
            37 => drop(contents_by(log, self.dice.below(3000) as u32)),
            38 if self.dice.chance(12) => self.disk.syncs_fail(true),
            _ => self.resend_failed(log),
        }
    }

    fn resend_failed(&mut self, log: &mut Log<FaultyDisk>) {
        if self.senders.iter().any(|s| s.pending.iter().any(|p| p.at.is_none())) {
            self.resend(log);
        }
    }

    /// Alone, or as one of many whose file system is synced as a whole.
    fn close(&mut self, log: Log<FaultyDisk>) -> std::io::Result<()> {
        let now = Timestamp(self.clock);
        if self.dice.chance(2) {
            return log.close(now);
        }
        let Some(checkpoint) = log.finish(now)? else { return Ok(()) };
        let draft = checkpoint.draft()?;
        self.disk.sync_everything()?;
        draft.put()?;
        self.disk.sync_everything()
    }

    fn life(&mut self, end: &End, crash_after: Option<u64>) -> End {
        let mut log = self.open(end);
        if let Some(changes) = crash_after {
            self.disk.crash_after(changes);
        }
        for _ in 0..self.dice.below(60) {
            self.step(&mut log);
        }
        self.disk.make_room();
        self.known.trust = Trust::Unclean;
        self.start = log.start().get();
        match (crash_after, self.dice.below(3)) {
            (None, 0) => {
                self.resend_failed(&mut log);
                self.held = contents(&mut log);
                let end = log.end();
                if self.close(log).is_ok() {
                    self.known.trust = Trust::Clean;
                    self.acknowledge(end);
                    check_files(&self.disk);
                    self.power_or_process(End::Clean)
                } else {
                    self.power_or_process(End::PowerLost)
                }
            }
            (None, 1) => {
                self.held = contents(&mut log);
                drop(log);
                self.power_or_process(End::Killed)
            }
            _ => {
                drop(log);
                self.power_or_process(End::PowerLost)
            }
        }
    }

    fn power_or_process(&mut self, end: End) -> End {
        match end {
            End::PowerLost => self.disk.power_fails(&mut self.dice),
            // After a clean stop even a power loss takes nothing.
            End::Clean if self.dice.chance(2) => self.disk.power_fails(&mut self.dice),
            End::Clean | End::Killed => self.disk.process_dies(),
        }
        end
    }
}

/// What Apache's dump-log checks: every index entry names a batch, every time is that batch's.
pub fn check_files(disk: &FaultyDisk) {
    let read = |path: &std::path::Path| disk.read(path).unwrap();
    for path in disk.files().iter().filter(|path| path.extension().is_some_and(|e| e == "log")) {
        let bytes = read(path);
        let base: i64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let mut position = 0;
        let mut found = Vec::new();
        for batch in batches(&bytes) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            found.push((position, batch));
            position += batch.size();
        }
        let offsets = read(&path.with_extension("index"));
        let times = read(&path.with_extension("timeindex"));
        let index = index::Index::decode(&offsets, &times, bytes.len() as u32);
        let index = index.expect("both indexes are whole and rise");
        for entry in &index.offsets {
            let batch = found.iter().find(|(at, _)| *at == entry.position as usize);
            let last_offset = batch.expect("an entry points at a batch").1.last_offset();
            assert_eq!(last_offset.get(), base + i64::from(entry.delta));
        }
        for entry in &index.times {
            let offset = Offset(base + i64::from(entry.delta));
            let batch = found.iter().find(|(_, batch)| batch.last_offset() == offset);
            assert_eq!(
                batch.unwrap_or_else(|| panic!("{path:?} {entry:?} {found:?}")).1.max_timestamp(),
                entry.timestamp
            );
        }
    }
}

pub fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("KAW_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("KAW_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..count,
    }
}

/// Says which seed failed.
pub struct Announce(pub u64);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("KAW_SEED={} replays this", self.0);
        }
    }
}

#[test]
fn promises_hold_over_many_lives() {
    for seed in seeds(300) {
        let _announce = Announce(seed);
        let mut model = Model::new(seed);
        let mut end = End::Clean;
        for _ in 0..6 {
            end = model.life(&end, None);
        }
        model.open(&end);
    }
}

#[test]
fn promises_hold_when_the_power_goes_after_any_write() {
    for seed in seeds(6) {
        let _announce = Announce(seed);
        for changes in 0..100 {
            let mut model = Model::new(seed);
            let end = model.life(&End::Clean, Some(changes));
            let end = model.life(&end, Some(changes / 2));
            model.open(&end);
        }
    }
}
