//! One history: who sends what, what is promised to whom, what happens to the disk.
//! Never knows: what must hold.

use std::collections::{BTreeMap, HashSet};
use std::io;

use super::checks::{self, Counts, Entry};
use super::epochs;
use super::*;
use crate::log::tests::faulty::{Dice, FaultyDisk};

pub const PRODUCERS: usize = 3;

/// One batch that a producer sent: it is sent again until it is acknowledged as durable.
#[derive(Clone, Debug)]
struct Pending {
    base_sequence: i32,
    timestamp: i64,
    values: Vec<String>,
    /// Where the log said it is, in this life.
    at: Option<Offset>,
}

#[derive(Default)]
struct Sender {
    next_sequence: i32,
    pending: Vec<Pending>,
}

/// How a life of the log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Clean,
    Killed,
    PowerLost,
}

pub struct Model {
    pub disk: FaultyDisk,
    settings: Settings,
    pub(super) dice: Dice,
    senders: Vec<Sender>,
    pub sent: HashSet<String>,
    /// What was acknowledged after a sync, by offset.
    pub promised: BTreeMap<i64, String>,
    /// What the log held at the moment the process died.
    pub held: Vec<Entry>,
    /// What a consumer may have read, and under which epochs: by offset, the last.
    pub read: BTreeMap<i64, Entry>,
    /// Whoever deleted the records before it was told so.
    pub deleted: i64,
    /// What a crash now would let be read again.
    pub unchecked_bytes: u64,
    /// What the data directory says of the log.
    pub known: Known,
    /// The catalogue's, which is durable before it counts.
    pub epoch: i32,
    topic: u8,
    clock: i64,
    pub counts: Counts,
    /// The power stayed until the end of the last life.
    pub survived: bool,
}

impl Model {
    pub fn new(seed: u64) -> Model {
        // Every other log is compacted.
        let cleanup = if seed.is_multiple_of(2) { Cleanup::Delete } else { Cleanup::Compact };
        Model {
            disk: FaultyDisk::new(),
            settings: Settings { cleanup, ..SMALL },
            dice: Dice(seed),
            senders: (0..PRODUCERS).map(|_| Sender::default()).collect(),
            sent: HashSet::new(),
            promised: BTreeMap::new(),
            held: Vec::new(),
            read: BTreeMap::new(),
            deleted: 0,
            unchecked_bytes: 0,
            known: Known { trust: Trust::Unclean, is_ours: true, ..Known::default() },
            epoch: 0,
            topic: 0,
            clock: 0,
            counts: Counts::default(),
            survived: false,
        }
    }

    pub fn stamp(&self) -> Stamp {
        Stamp {
            leader_epoch: LeaderEpoch(self.epoch),
            now: Timestamp(self.clock),
            times: Times::Keep,
        }
    }

    pub fn is_compacted(&self) -> bool {
        self.settings.cleanup == Cleanup::Compact
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock)
    }

    fn topic_id(&self) -> Uuid {
        Uuid([self.topic + 1; 16])
    }

    fn open_files(&mut self) -> Result<(Log<FaultyDisk>, Recovered), OpenError> {
        let now = Timestamp(self.clock);
        let opened = |known| {
            let dir = Path::new(DIR);
            Log::open(self.disk.clone(), dir, self.topic_id(), self.settings, known, now)
        };
        match opened(self.known) {
            // A deleted topic's directory that the crash left behind.
            Err(OpenError::OtherTopic { found, .. }) => {
                let aside = format!("{DIR}.{found}-stray.{}", self.clock);
                self.disk.rename_dir(Path::new(DIR), Path::new(&aside)).unwrap();
                opened(Known::default())
            }
            opened => opened,
        }
    }

    /// Opens the log as the broker does, and checks everything.
    pub fn open(&mut self, end: End) -> Log<FaultyDisk> {
        checks::verified(self, end);
        epochs::covered(self, end);
        if end != End::Clean && self.dice.chance(8) {
            self.disk.fail_after(self.dice.below(60), io::ErrorKind::Other);
        }
        let first_try = self.open_files();
        let failed = first_try.is_err();
        self.disk.nothing_fails();
        let (mut log, recovered) = first_try.or_else(|_| self.open_files()).unwrap();
        if end != End::Clean {
            let latest = log.latest_epoch().map_or(0, |latest| latest.get());
            self.epoch = self.epoch.max(latest) + 1;
        }
        self.counts.openings += 1;
        checks::opened(self, &mut log, &recovered, if failed { None } else { Some(end) });
        self.resend(&mut log);
        log
    }

    /// What was not acknowledged is sent again, in order, as a client does.
    fn resend(&mut self, log: &mut Log<FaultyDisk>) {
        let stamp = self.stamp();
        for (id, sender) in self.senders.iter_mut().enumerate() {
            sender.pending.iter_mut().for_each(|pending| pending.at = None);
            for pending in sender.pending.iter_mut() {
                match log.append(&BatchView::parse(&bytes(id, pending)).unwrap(), stamp) {
                    Ok(appended) => pending.at = Some(appended.base_offset),
                    Err(AppendError::Disk { .. } | AppendError::Poisoned) => break,
                    Err(error) => panic!("{error} for {pending:?}"),
                }
            }
        }
    }

    pub(super) fn send(&mut self, log: &mut Log<FaultyDisk>) {
        let id = self.dice.below(PRODUCERS as u64) as usize;
        let stamp = self.stamp();
        let sender = &mut self.senders[id];
        // No client has more than five batches on the way, nor sends after one that failed.
        if sender.pending.len() >= 5 || sender.pending.iter().any(|p| p.at.is_none()) {
            return;
        }
        let count = 1 + self.dice.below(4) as i32;
        let base_sequence = sender.next_sequence;
        let filler = "x".repeat(self.dice.below(150) as usize);
        let topic = self.topic;
        let values: Vec<String> =
            (0..count).map(|n| format!("{topic}:{id}:{}:{filler}", base_sequence + n)).collect();
        sender.next_sequence += count;
        self.sent.extend(values.iter().cloned());
        // Times go back and forth, as those of several producers do.
        let timestamp = self.clock * 10 + self.dice.below(50) as i64;
        let mut pending = Pending { base_sequence, timestamp, values, at: None };
        match log.append(&BatchView::parse(&bytes(id, &pending)).unwrap(), stamp) {
            Ok(appended) => {
                assert_eq!(appended.outcome, Outcome::Written);
                pending.at = Some(appended.base_offset);
            }
            Err(AppendError::Disk { .. } | AppendError::Poisoned) => {}
            Err(error) => panic!("{error}"),
        }
        sender.pending.push(pending);
    }

    fn acknowledge(&mut self, end: Offset) {
        for sender in &mut self.senders {
            while let Some(first) = sender.pending.first() {
                let Some(at) = first.at else { break };
                if at.get() + first.values.len() as i64 > end.get() {
                    break;
                }
                let first = sender.pending.remove(0);
                self.counts.acknowledged += first.values.len() as u64;
                self.promised.extend((at.get()..).zip(first.values));
            }
        }
    }

    pub(super) fn sync(&mut self, log: &mut Log<FaultyDisk>) {
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
        match self.dice.below(46) {
            0..24 => self.send(log),
            24..32 => self.sync(log),
            32..34 => self.checkpoint(log),
            34 => {
                self.sync(log);
                let bytes = Some(self.dice.below(8000));
                let _ = removed(log, |log| {
                    log.remove_expired(&Retention { ms: None, bytes }, Timestamp(self.clock))
                });
            }
            35 => self.disk.leave(self.dice.below(300) as usize),
            36 => self.disk.make_room(),
            37 => self.fetch(log),
            38 if self.dice.chance(8) => self.disk.syncs_fail(true),
            39 => {
                let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::Other];
                let kind = kinds[self.dice.below(2) as usize];
                self.disk.fail_after(self.dice.below(20), kind);
            }
            40 => self.delete_records(log),
            // The broker's own checkpoint, of all partitions.
            41 => {
                let Known { recovery_point, compacted, .. } = log.known();
                self.known = Known { recovery_point, compacted, ..self.known };
            }
            42 if self.dice.chance(8) && self.disk.is_sound() => self.recreate(log),
            43..45 if self.is_compacted() => self.compact(log),
            _ => self.resend_failed(log),
        }
    }

    /// A reader's calls may fail too; that must not change anything.
    fn fetch(&mut self, log: &mut Log<FaultyDisk>) {
        let from = Offset(log.start().get() + self.dice.below(40) as i64);
        let bytes_max = self.dice.below(3000) as u32;
        if let Ok(Some(slice)) = log.read(from, log.end(), bytes_max) {
            let _ = slice.load();
        }
    }

    pub(super) fn checkpoint(&mut self, log: &mut Log<FaultyDisk>) {
        if let Ok(checkpoint) = log.checkpoint() {
            // Others append while it runs.
            self.send(log);
            if checkpoint.run().is_ok() {
                log.checkpointed(&checkpoint);
            }
        }
    }

    /// Whoever deletes is answered once the data directory says where the log begins.
    pub(super) fn delete_records(&mut self, log: &mut Log<FaultyDisk>) {
        let span = (log.end().get() - log.start().get()) as u64;
        let offset = Offset(log.start().get() + self.dice.below(span + 1) as i64);
        self.sync(log);
        if log.sync_target().is_some() {
            return;
        }
        if removed(log, |log| log.remove_before(offset, Timestamp(self.clock))).is_ok()
            && self.dice.chance(2)
        {
            self.known.log_start = Some(log.start());
            self.deleted = log.start().get();
        }
    }

    /// Deletes the topic and makes it again, under another id: nobody is promised anything more.
    fn recreate(&mut self, log: &mut Log<FaultyDisk>) {
        let aside = format!("{DIR}.{}-delete", self.topic);
        self.disk.nothing_fails();
        match self.disk.rename_dir(Path::new(DIR), Path::new(&aside)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.unwrap(),
        }
        // Before anybody is told of it, and the name is free.
        self.disk.sync_dir(Path::new("/data")).unwrap();
        self.topic += 1;
        self.senders.iter_mut().for_each(|sender| sender.pending.clear());
        self.sent.clear();
        self.promised.clear();
        self.read.clear();
        self.known = Known { is_ours: true, ..Known::default() };
        (self.deleted, self.epoch) = (0, 0);
        let disk = self.disk.clone();
        let now = Timestamp(self.clock);
        let (dir, id) = (Path::new(DIR), self.topic_id());
        *log = Log::open(disk, dir, id, self.settings, self.known, now).unwrap().0;
    }

    fn resend_failed(&mut self, log: &mut Log<FaultyDisk>) {
        if self.senders.iter().any(|s| s.pending.iter().any(|p| p.at.is_none())) {
            self.resend(log);
        }
    }

    /// Alone, or as one of many whose file system is synced as a whole.
    fn close(&mut self, log: Log<FaultyDisk>) -> io::Result<()> {
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

    /// From an opening to the next end; after so many changes the power goes.
    pub fn life(&mut self, end: End, crash_after: Option<u64>) -> End {
        let mut log = self.open(end);
        if let Some(changes) = crash_after {
            self.disk.crash_after(changes);
        }
        for _ in 0..self.dice.below(60) {
            self.step(&mut log);
        }
        self.disk.make_room();
        self.disk.nothing_fails();
        self.known.trust = Trust::Unclean;
        self.unchecked_bytes = log.unchecked_bytes;
        self.held = checks::entries(&mut log);
        self.read.extend(self.held.iter().map(|entry| (entry.offset, entry.clone())));
        self.survived = !self.disk.power_is_out();
        match (crash_after, self.dice.below(3)) {
            (None, 0) => self.stop(log),
            (None, 1) => {
                drop(log);
                self.disk.process_dies();
                End::Killed
            }
            _ => {
                drop(log);
                self.disk.power_fails(&mut self.dice);
                End::PowerLost
            }
        }
    }

    fn stop(&mut self, mut log: Log<FaultyDisk>) -> End {
        self.resend_failed(&mut log);
        self.unchecked_bytes = log.unchecked_bytes;
        self.held = checks::entries(&mut log);
        let (end, start, compacted) = (log.end(), log.start(), log.known().compacted);
        if self.close(log).is_err() {
            self.disk.power_fails(&mut self.dice);
            return End::PowerLost;
        }
        let known =
            Known { trust: Trust::Clean, recovery_point: Some(end), compacted, ..self.known };
        self.known = Known { log_start: Some(start), ..known };
        self.acknowledge(end);
        checks::files(&self.disk, &self.held);
        // After a clean stop even a power loss takes nothing.
        match self.dice.chance(2) {
            true => self.disk.power_fails(&mut self.dice),
            false => self.disk.process_dies(),
        }
        End::Clean
    }
}

/// The key of the record with this value: of few, so that most are written again soon.
pub fn key(value: &str) -> &str {
    let number = value.split(':').nth(2).expect("topic:producer:number:filler");
    &number[number.len() - 1..]
}

fn bytes(id: usize, pending: &Pending) -> Vec<u8> {
    let base_sequence = pending.base_sequence;
    let (id, epoch) = (ProducerId(id as i64), ProducerEpoch(0));
    let mut builder = BatchBuilder::new().producer(Producer { id, epoch, base_sequence });
    for value in &pending.values {
        let (key, value) = (key(value).as_bytes(), value.as_bytes());
        let record = Record { key: Some(key), value: Some(value), headers: &[] };
        builder.push(Timestamp(pending.timestamp), &record);
    }
    builder.build()
}
