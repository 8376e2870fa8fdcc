//! What must hold whenever a log is opened, however it ended before.
//! Never knows: how it came to this.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{End, Model, key};
use super::*;
use crate::log::index::Index;
use crate::log::inspect::{Condition, Expected, Severity};
use crate::log::producers::Producers;
use crate::log::tests::faulty::FaultyDisk;

/// One record of the log, and under which epoch it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub offset: i64,
    pub value: String,
    pub timestamp: i64,
    pub epoch: i32,
}

/// How much was shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub openings: u64,
    pub compactions: u64,
    pub acknowledged: u64,
    /// Acknowledged records that were looked for, at every opening anew.
    pub checked: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.openings += other.openings;
        self.compactions += other.compactions;
        self.acknowledged += other.acknowledged;
        self.checked += other.checked;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { openings, compactions, acknowledged, checked } = self;
        write!(f, "{openings} openings, {compactions} compactions, ")?;
        write!(f, "{acknowledged} records acknowledged, {checked} found again")
    }
}

/// Everything from the log's start to its end.
pub fn entries(log: &mut Log<FaultyDisk>) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut from = log.start();
    let mut scratch = Scratch::default();
    while let Some(slice) = log.read(from, log.end(), 700).unwrap() {
        let bytes = slice.load().unwrap();
        for batch in batches(&bytes) {
            let batch = batch.expect("slices hold whole batches");
            batch.check_crc().unwrap();
            let epoch = batch.leader_epoch().get();
            let records = batch.records(&mut scratch, 1 << 20).unwrap();
            for entry in records {
                let entry = entry.unwrap();
                let value = String::from_utf8(entry.value.unwrap().to_vec()).unwrap();
                let (offset, timestamp) = (entry.offset.get(), entry.timestamp.get());
                // The first batch may begin before the log does.
                if log.start() <= entry.offset {
                    all.push(Entry { offset, value, timestamp, epoch });
                }
            }
            from = batch.next_offset();
        }
    }
    all
}

fn at(found: &[Entry], offset: i64) -> Option<&Entry> {
    found.binary_search_by_key(&offset, |entry| entry.offset).ok().map(|at| &found[at])
}

/// Where the last record of each key is: those before it may be compacted away.
fn last_of_keys(found: &[Entry]) -> BTreeMap<&str, i64> {
    found.iter().map(|entry| (key(&entry.value), entry.offset)).collect()
}

/// Nothing of what a life leaves looks lost to who sees the files alone.
pub fn verified(model: &Model, end: End) {
    let dir = scratch("verified");
    std::fs::create_dir_all(&dir).unwrap();
    for path in model.disk.files().into_iter().filter(|path| path.parent() == Some(Path::new(DIR)))
    {
        let bytes = model.disk.read(&path).unwrap();
        std::fs::write(dir.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let (condition, never) = match end {
        End::Clean => (Condition::Clean, None),
        End::Killed | End::PowerLost => (Condition::Unclean, Some(Offset::ZERO)),
    };
    let expected = Expected {
        condition,
        compacted: model.is_compacted(),
        records: true,
        log_start: model.known.log_start,
        recovery_point: model.known.recovery_point.or(never),
        is_ours: true,
        ..Expected::default()
    };
    let found = inspect::verify(&dir, &expected).unwrap().findings.into_list();
    std::fs::remove_dir_all(&dir).unwrap();
    let damage = found.iter().filter(|it| it.severity == Severity::Damage);
    // What was not synced may be half there when the power is back.
    let is_loss =
        |what: &str| ["first segment", "gone", "reached"].iter().any(|s| what.contains(s));
    let damage = damage.filter(|it| is_loss(&it.what)).map(ToString::to_string);
    assert_eq!(damage.collect::<Vec<_>>(), [""; 0], "{end:?}");
}

/// `end`: how the life before ended, unless opening failed once.
pub fn opened(
    model: &mut Model,
    log: &mut Log<FaultyDisk>,
    recovered: &Recovered,
    end: Option<End>,
) {
    let found = entries(log);
    let start = log.start().get();
    let context = format!("{end:?} {start}..{} {recovered:?}", log.end());
    assert_eq!(recovered.lost, [], "nothing was durable that is not there: {context}");
    let offsets = found.iter().map(|entry| entry.offset);
    match model.is_compacted() {
        false => assert!(offsets.eq(start..log.end().get()), "no gaps: {context}"),
        true => assert!(offsets.is_sorted_by(|a, b| a < b), "offsets rise: {context}"),
    }
    assert!(model.deleted <= start, "what was deleted stays deleted: {context}");
    let last = last_of_keys(&found);
    for (offset, value) in model.promised.range(start..) {
        assert!(*offset < log.end().get(), "promised at {offset}: {context}");
        match at(&found, *offset) {
            Some(there) => assert_eq!(&there.value, value, "promised at {offset}: {context}"),
            None => {
                let replaced = model.is_compacted() && Some(offset) < last.get(key(value));
                assert!(replaced, "promised at {offset}: {value} {context}");
            }
        }
        model.counts.checked += 1;
    }
    let mut values: Vec<&str> = found.iter().map(|entry| entry.value.as_str()).collect();
    assert!(values.iter().all(|value| model.sent.contains(*value)), "nobody sent it: {context}");
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), found.len(), "nothing is there twice: {context}");
    if matches!(end, Some(End::Clean | End::Killed)) {
        // Nobody was told that records are deleted, until the data directory says so.
        let first = model.held.first().map_or(log.end().get(), |entry| entry.offset).max(start);
        let held = model.held.iter().filter(|entry| first <= entry.offset);
        let found = found.iter().filter(|entry| first <= entry.offset);
        assert!(found.eq(held), "nothing is lost without a power loss: {context}");
        assert_eq!(recovered.set_aside, [], "{context}");
    }
    if end == Some(End::Clean) {
        assert_eq!(recovered.scanned_bytes, 0, "nothing is read again: {context}");
    }
    let bound = model.unchecked_bytes;
    assert!(recovered.scanned_bytes <= bound, "reads {bound} bytes again at most: {context}");
    told_by_epochs(model, log, &found, &context);
    times(log, &found, &context);
    last_batches_are_known(model, log);
}

/// A consumer that read a record that is gone asks where its epoch ended, and so learns of it
/// (KIP-320).
fn told_by_epochs(model: &Model, log: &Log<FaultyDisk>, found: &[Entry], context: &str) {
    let start = log.start().get();
    let last = last_of_keys(found);
    for (offset, read) in model.read.range(start..) {
        let there = at(found, *offset);
        let replaced = model.is_compacted() && Some(offset) < last.get(key(&read.value));
        if there.map_or(replaced, |entry| entry.value == read.value) {
            continue;
        }
        let end = log.end_of_epoch(LeaderEpoch(read.epoch));
        // An epoch of which nothing is left began where the log ends.
        let end = end.map_or(start, |(_, end)| end.get());
        let told = end <= *offset && read.epoch < model.epoch;
        assert!(told, "{read:?} is gone, and nobody is told: {end} {context}");
    }
}

/// What the indexes find by time is what reading everything finds.
fn times(log: &mut Log<FaultyDisk>, found: &[Entry], context: &str) {
    let latest = found.iter().map(|entry| entry.timestamp).max();
    let asked = found.iter().step_by(7).map(|entry| entry.timestamp).chain(latest);
    for time in asked {
        let first = found.iter().find(|entry| time <= entry.timestamp).map(|entry| entry.offset);
        let by_index = offset_for_timestamp(log, time);
        assert_eq!(by_index.map(|f| f.offset.get()), first, "at {time}: {context}");
    }
    let found_latest = offset_of_max_timestamp(log).map(|found| found.timestamp.get());
    assert_eq!(found_latest, latest, "the latest: {context}");
}

/// The last five batches of every producer, sent again, are known to be there.
fn last_batches_are_known(model: &Model, log: &mut Log<FaultyDisk>) {
    let mut all: BTreeMap<i64, Vec<(Offset, Vec<u8>)>> = BTreeMap::new();
    let mut from = log.start();
    while let Some(slice) = log.read(from, log.end(), 700).unwrap() {
        let bytes = slice.load().unwrap();
        for batch in batches(&bytes) {
            let batch = batch.unwrap();
            let id = batch.producer().unwrap().id.get();
            all.entry(id).or_default().push((batch.base_offset(), batch.bytes().to_vec()));
            from = batch.next_offset();
        }
    }
    // Compaction leaves the last one, and any of those before it.
    let count = if model.is_compacted() { 1 } else { 5 };
    for (base_offset, bytes) in all.values().flat_map(|sent| sent.iter().rev().take(count)) {
        let again = log.append(&BatchView::parse(bytes).unwrap(), model.stamp()).unwrap();
        assert_eq!((again.outcome, again.base_offset), (Outcome::Duplicate, *base_offset));
    }
}

/// What a clean stop leaves: good segments, and a snapshot of what each producer wrote last.
pub fn files(disk: &FaultyDisk, held: &[Entry]) {
    segments(disk);
    let mut last = BTreeMap::new();
    for path in disk.named("log") {
        for batch in batches(&disk.read(&path).unwrap()) {
            let batch = batch.unwrap();
            let last_sequence = batch.producer().unwrap().base_sequence + batch.last_offset_delta();
            last.insert(batch.producer().unwrap().id, (last_sequence, batch.last_offset()));
        }
    }
    let newest = disk.named("snapshot").pop();
    let Some(newest) = newest.filter(|_| !held.is_empty()) else { return };
    let newest = Producers::parse_snapshot(&disk.read(&newest).unwrap(), Timestamp(0)).unwrap();
    for (id, wrote) in last {
        let (_, state) = newest.states().find(|(known, _)| *known == id).expect("it wrote");
        let sent = state.sent.last().unwrap();
        assert_eq!((sent.last_sequence, sent.last_offset), wrote, "{id:?}");
    }
}

/// What Apache's dump-log checks: every index entry names a batch, every time is that batch's.
pub fn segments(disk: &FaultyDisk) {
    disk.named("log").iter().for_each(|path| segment(disk, path, &disk.read(path).unwrap()));
}

fn segment(disk: &FaultyDisk, path: &Path, bytes: &[u8]) {
    let read = |path: &Path| disk.read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let base: i64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let mut position = 0;
    let mut found = Vec::new();
    for batch in batches(bytes) {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        found.push((position, batch));
        position += batch.size();
    }
    let offsets = read(&path.with_extension("index"));
    let times = read(&path.with_extension("timeindex"));
    let index = Index::decode(&offsets, &times, bytes.len() as u32);
    let index = index.expect("both indexes are whole and rise");
    for entry in &index.offsets {
        let batch = found.iter().find(|(at, _)| *at == entry.position as usize);
        let last_offset = batch.expect("an entry points at a batch").1.last_offset();
        assert_eq!(last_offset.get(), base + i64::from(entry.delta));
    }
    for entry in &index.times {
        let offset = Offset(base + i64::from(entry.delta));
        let batch = found.iter().find(|(_, batch)| batch.last_offset() == offset);
        let batch = batch.unwrap_or_else(|| panic!("{path:?} {entry:?} {found:?}"));
        assert_eq!(batch.1.max_timestamp(), entry.timestamp);
    }
}
