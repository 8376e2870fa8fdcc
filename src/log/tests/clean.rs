//! Compaction: what is kept, where it lies afterwards, and what a crash in the middle of it leaves.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::faulty::{Dice, FaultyDisk};
use super::*;

const RULES: Compaction = Compaction {
    dirty_ratio_min: 0.0,
    lag_ms_min: 0,
    lag_ms_max: i64::MAX,
    tombstones_ms: 1000,
    memory_bytes_max: 1 << 20,
    inflated_bytes_max: 1 << 20,
};

const COMPACTED: Settings = Settings { cleanup: Cleanup::Compact, ..SMALL };

fn open_compacted(disk: &FaultyDisk, known: Known) -> Log<FaultyDisk> {
    Log::open(disk.clone(), Path::new(DIR), TOPIC_ID, COMPACTED, known, Timestamp(0)).unwrap().0
}

/// As the broker does it; says how many segments were written.
fn compact<D: Disk>(log: &mut Log<D>, rules: &Compaction, now: i64) -> Result<usize, CompactError> {
    let disk = |error| CompactError::Disk { path: DIR.into(), error };
    let checkpoint = log.checkpoint().map_err(disk)?;
    checkpoint.run().map_err(disk)?;
    log.checkpointed(&checkpoint);
    let Some(mut cleaning) = log.cleaning(rules, Timestamp(now)).map_err(disk)? else {
        return Ok(0);
    };
    let mut count = 0;
    while let Some(cleaned) = cleaning.next(&mut |_| ControlFlow::Continue(()))? {
        log.swap(cleaned)?.sync().map_err(disk)?;
        count += 1;
    }
    log.compacted(cleaning.end());
    Ok(count)
}

fn keyed(records: &str) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    for record in records.split_whitespace() {
        let (key, value) = match record.split_once('=') {
            Some((key, value)) => (key, Some(value.as_bytes())),
            None => (record.strip_suffix('-').unwrap(), None),
        };
        builder.push(Timestamp(1), &Record { key: Some(key.as_bytes()), value, headers: &[] });
    }
    builder
}

fn producer(id: i64, base_sequence: i32) -> Producer {
    Producer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence }
}

fn marker(id: i64, kind: u8) -> Vec<u8> {
    let producer = Producer { base_sequence: -1, ..producer(id, 0) };
    let mut builder = BatchBuilder::new().producer(producer).transactional().control();
    let (key, value) = ([0, 0, 0, kind], [0; 6]);
    builder.push(Timestamp(1), &Record { key: Some(&key), value: Some(&value), headers: &[] });
    builder.build()
}

/// The log ends a transaction that is aborted, as Apache's would.
fn abort(disk: &FaultyDisk, log: &mut Log<FaultyDisk>, id: i64, first: Offset) {
    let last = append(log, &marker(id, 0)).unwrap().base_offset;
    let aborted = Aborted { producer: ProducerId(id), first, last, stable_end: last };
    let base = log.segments.last().unwrap().base;
    let all = log.aborted.entry(base).or_default();
    all.push(aborted);
    let path = Path::new(DIR).join(format!("{:020}.txnindex", base.get()));
    let file = disk.open(&path, Open::OrCreate).unwrap();
    file.write_at([&aborted::file(all), &[]], 0).unwrap();
    file.sync().unwrap();
    log.unsynced.names += 1;
}

/// Every batch, read as a consumer does: `first..next count` and its records, `!` for a marker.
fn shown<D: Disk>(log: &mut Log<D>) -> Vec<String> {
    let mut all = Vec::new();
    let mut from = log.start();
    let mut scratch = Scratch::default();
    while let Some(slice) = log.read(from, log.end(), 300).unwrap() {
        for batch in batches(&slice.load().unwrap()) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            let mut text = format!("{}..{}", batch.base_offset(), batch.next_offset());
            if batch.is_control() {
                text.push('!');
            }
            let records = batch.records(&mut scratch, 1 << 20).unwrap();
            for entry in records.take_while(|_| !batch.is_control()) {
                let entry = entry.unwrap();
                let text_of = |bytes| String::from_utf8_lossy(bytes);
                let key = text_of(entry.key.unwrap());
                let value = entry.value.map_or("-".into(), |v| "=".to_owned() + &text_of(v));
                text.push_str(&format!(" {}:{key}{value}", entry.offset));
            }
            all.push(text);
            assert!(from < batch.next_offset(), "readers come forward");
            from = batch.next_offset();
        }
    }
    assert_eq!(from, log.end(), "readers come to the end");
    all
}

/// Files that a compaction has not put in place.
fn staged(disk: &FaultyDisk) -> usize {
    let is_staged = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|end| end == "swap" || end == "cleaned")
    };
    disk.files().iter().filter(is_staged).count()
}

/// Appends batches, `/` begins a new segment; compacts all but the last; shows what is there.
#[track_caller]
fn check(script: &[&str], want: &[&str]) {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    for batch in script {
        match *batch {
            "/" => log.roll(Timestamp(0)).unwrap(),
            records => drop(append(&mut log, &keyed(records).build()).unwrap()),
        }
    }
    compact(&mut log, &RULES, 100).unwrap();
    assert_eq!(shown(&mut log), want, "{script:?}");
    let mut disk = disk;
    disk.process_dies();
    let mut log = open_compacted(&disk, Known::default());
    assert_eq!(shown(&mut log), want, "{script:?}, opened again");
}

#[test]
fn the_last_record_of_each_key_stays_where_it_is() {
    check(&["a=1 b=1", "a=2", "/", "c=1"], &["0..2 1:b=1", "2..3 2:a=2", "3..4 3:c=1"]);
    check(&["a=1 b=1 a=2", "/", "b=2"], &["0..3 1:b=1 2:a=2", "3..4 3:b=2"]);
    // The segment that grows is left alone, and replaces nothing yet.
    check(&["a=1", "a=2"], &["0..1 0:a=1", "1..2 1:a=2"]);
    check(&["a=1", "/", "a=2"], &["0..1 0:a=1", "1..2 1:a=2"]);
    check(&["a=1", "/", "a=2", "/"], &["1..2 1:a=2"]);
    // A batch without records goes, but not the last one: its offsets would be lost.
    check(&["a=1", "a=2", "/", "a=3", "/", "b=1"], &["2..3 2:a=3", "3..4 3:b=1"]);
    check(&["a-", "/", "a=2"], &["0..1 0:a-", "1..2 1:a=2"]);
    check(&["a=1", "/", "a-", "/"], &["1..2 1:a-"]);
}

#[test]
fn segments_become_one_and_old_files_go() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    for n in 0..200 {
        append(&mut log, &keyed(&format!("k{}={n}", n % 10)).build()).unwrap();
    }
    let before = log.segments.len();
    assert!(10 <= before);
    let bytes = log.bytes();
    assert_eq!(compact(&mut log, &RULES, 100).unwrap(), before - 1, "no two of them fit into one");
    assert!(log.bytes() * 3 < bytes);
    assert_eq!(log.dirty_ratio(&RULES, Timestamp(0)).unwrap(), None);
    for n in 0..200 {
        append(&mut log, &keyed(&format!("k{}={n}", n % 10)).build()).unwrap();
    }
    assert!(compact(&mut log, &RULES, 100).unwrap() < 2 * before - 5);
    let bases: Vec<_> = log.segments.iter().map(|segment| segment.base.get()).collect();
    let is_log = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "log");
    let logs = disk.files().into_iter().filter(is_log);
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(logs.map(|path| stem(&path)).collect::<Vec<_>>(), bases);
    log.close(Timestamp(0)).unwrap();
    simulation::check_files(&disk);
}

#[test]
fn what_is_written_anew_is_as_old_as_what_it_was_made_of() {
    let mut disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    for (now, records) in [(5, "a=1"), (7, "a=2"), (9, "b=1")] {
        let batch = keyed(records).build();
        log.append(&BatchView::parse(&batch).unwrap(), stamp(now)).unwrap();
        log.roll(Timestamp(now)).unwrap();
    }
    assert_eq!(compact(&mut log, &RULES, 100).unwrap(), 1);
    let first = |log: &Log<FaultyDisk>| log.segments[0].modified;
    assert_eq!(first(&log), Timestamp(9));
    disk.process_dies();
    assert_eq!(first(&open_compacted(&disk, Known::default())), Timestamp(9));
}

#[test]
fn tombstones_go_when_their_time_has_come() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    append(&mut log, &keyed("a=1 b=1").build()).unwrap();
    append(&mut log, &keyed("a- c=1").codec(Codec::Lz4).build()).unwrap();
    log.roll(Timestamp(0)).unwrap();
    compact(&mut log, &RULES, 100).unwrap();
    let tombstone = ["0..2 1:b=1", "2..4 2:a- 3:c=1"];
    assert_eq!(shown(&mut log), tombstone);
    for (now, want) in [(1099, &tombstone[..]), (1100, &["0..2 1:b=1", "2..4 3:c=1"])] {
        // Something else must be dirty: nothing is read for the sake of tombstones alone.
        let offset = log.end();
        append(&mut log, &keyed("d=1").build()).unwrap();
        log.roll(Timestamp(0)).unwrap();
        assert_eq!(compact(&mut log, &RULES, now).unwrap(), 1);
        let last = format!("{offset}..{} {offset}:d=1", offset.get() + 1);
        assert_eq!(shown(&mut log), [want, &[&*last]].concat(), "at {now}");
    }
}

#[test]
fn aborted_records_go_at_once_and_their_marker_later() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    append(&mut log, &keyed("a=1").build()).unwrap();
    let aborted = keyed("a=bad").producer(producer(5, 0)).transactional().build();
    append(&mut log, &aborted).unwrap();
    abort(&disk, &mut log, 5, Offset(1));
    let committed = keyed("b=1").producer(producer(6, 0)).transactional().build();
    append(&mut log, &committed).unwrap();
    append(&mut log, &marker(6, 1)).unwrap();
    // Each producer goes on, so that none of the batches above is its last.
    for id in [5, 6] {
        append(&mut log, &keyed("z=1").producer(producer(id, 1)).build()).unwrap();
    }
    let mut turn = |now: i64, want: &[&str]| {
        append(&mut log, &keyed("y=1").build()).unwrap();
        log.roll(Timestamp(0)).unwrap();
        compact(&mut log, &RULES, now).unwrap();
        let mut shown = shown(&mut log);
        shown.retain(|batch| !batch.contains('y') && !batch.ends_with("6"));
        assert_eq!(shown, want, "at {now}");
        (log.aborted.values().flatten().count(), shown)
    };
    let last = "6..7 6:z=1";
    let all = ["0..1 0:a=1", "2..3!", "3..4 3:b=1", "4..5!", last];
    assert_eq!(turn(100, &all).0, 1);
    // Now nothing of the aborted one is left: its marker is dated, then gone.
    assert_eq!(turn(200, &all).0, 0);
    turn(1199, &all);
    turn(1200, &["0..1 0:a=1", "3..4 3:b=1", "4..5!", last]);
}

#[test]
fn what_is_not_decided_is_not_compacted() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    append(&mut log, &keyed("a=1").build()).unwrap();
    append(&mut log, &keyed("a=2").producer(producer(5, 0)).transactional().build()).unwrap();
    append(&mut log, &keyed("a=3").build()).unwrap();
    log.roll(Timestamp(0)).unwrap();
    compact(&mut log, &RULES, 100).unwrap();
    assert_eq!(shown(&mut log), ["0..1 0:a=1", "1..2 1:a=2", "2..3 2:a=3"]);
    append(&mut log, &marker(5, 1)).unwrap();
    log.roll(Timestamp(0)).unwrap();
    compact(&mut log, &RULES, 100).unwrap();
    assert_eq!(shown(&mut log), ["1..2", "2..3 2:a=3", "3..4!"]);
}

#[test]
fn with_little_memory_it_takes_several_turns() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    for n in 0..600 {
        append(&mut log, &keyed(&format!("k{}={n}", n % 300)).build()).unwrap();
    }
    log.roll(Timestamp(0)).unwrap();
    let rules = Compaction { memory_bytes_max: 12 * 100, ..RULES };
    let mut turns = 0;
    while 0 < compact(&mut log, &rules, 100).unwrap() {
        turns += 1;
    }
    assert_eq!(turns, 8, "75 keys a turn");
    let want: Vec<_> = (300..600).map(|n| format!("{n}..{} {n}:k{}={n}", n + 1, n % 300)).collect();
    let mut shown = shown(&mut log);
    shown.retain(|batch| batch.contains(' '));
    assert_eq!(shown, want);
}

#[test]
fn damage_is_named_and_nothing_of_it_is_touched() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    append(&mut log, &keyed("a=1").build()).unwrap();
    append(&mut log, &keyed("a=2").build()).unwrap();
    log.roll(Timestamp(0)).unwrap();
    sync(&mut log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    disk.damage(&path, 70 + 65);
    let bytes = disk.read(&path).unwrap();
    let error = compact(&mut log, &RULES, 0).unwrap_err();
    assert!(matches!(error, CompactError::Damaged { position: 70, .. }), "{error}");
    assert_eq!(disk.read(&path).unwrap(), bytes);
    assert_eq!(staged(&disk), 0);
}

/// No checksum covers a base offset: one bit of it is all that is wrong.
#[test]
fn a_batch_of_another_place_is_named_and_nothing_of_it_is_touched() {
    // Of the second of three batches, lower; of the last, beyond the segment's end.
    for (place, byte, bit) in [(1, 7, 1), (1, 6, 1), (2, 3, 1)] {
        let disk = FaultyDisk::new();
        let settings = Settings { index_interval_bytes: 0, ..COMPACTED };
        let known = Known::default();
        let opened =
            Log::open(disk.clone(), Path::new(DIR), TOPIC_ID, settings, known, Timestamp(0));
        let mut log = opened.unwrap().0;
        let batch = keyed("a=1 b=1").build();
        for _ in 0..3 {
            append(&mut log, &batch).unwrap();
        }
        log.roll(Timestamp(0)).unwrap();
        sync(&mut log);
        let path = Path::new(DIR).join("00000000000000000000.log");
        let file = disk.open(&path, Open::Existing).unwrap();
        let at = (place * batch.len() + byte) as u64;
        let mut found = [0];
        file.read_at(&mut found, at).unwrap();
        file.write_at([&[found[0] ^ bit << 1], &[]], at).unwrap();
        let bytes = disk.read(&path).unwrap();
        let error = compact(&mut log, &RULES, 0).unwrap_err();
        assert!(error.to_string().contains("not of this place"), "{place}, {byte}: {error}");
        assert_eq!(disk.read(&path).unwrap(), bytes);
        assert_eq!(staged(&disk), 0);
    }
}

/// A batch whose header says that there are more records than it holds.
fn lying(records: &str) -> Vec<u8> {
    let mut bytes = keyed(records).codec(Codec::Zstd).build();
    bytes[23..27].copy_from_slice(&(1000i32 - 1).to_be_bytes());
    bytes[57..61].copy_from_slice(&1000i32.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn what_cannot_be_read_or_is_too_much_stays_whole() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    let large = format!("a={}", "x".repeat(2000));
    let large = keyed(&large).codec(Codec::Zstd).build();
    append(&mut log, &keyed("a=1 b=1").build()).unwrap();
    append(&mut log, &lying("b=2")).unwrap();
    append(&mut log, &large).unwrap();
    append(&mut log, &keyed("c=1").build()).unwrap();
    append(&mut log, &keyed("c=2").build()).unwrap();
    log.roll(Timestamp(0)).unwrap();
    let checkpoint = log.checkpoint().unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    let rules = Compaction { inflated_bytes_max: 1000, ..RULES };
    let mut cleaning = log.cleaning(&rules, Timestamp(0)).unwrap().unwrap();
    while let Some(cleaned) = cleaning.next(&mut |_| ControlFlow::Continue(())).unwrap() {
        log.swap(cleaned).unwrap().sync().unwrap();
    }
    assert_eq!(cleaning.kept_whole(), 2);
    let bytes = log.read(Offset(0), log.end(), 1 << 20).unwrap().unwrap().load().unwrap();
    let left: Vec<_> = batches(&bytes).map(Result::unwrap).collect();
    // Nobody knows which keys they hold: what they may replace stays as well.
    let counts: Vec<_> = left.iter().map(|batch| batch.count()).collect();
    assert_eq!(counts, [2, 1000, 1, 1]);
    assert!(left[2].holds_the_same_as(&BatchView::parse(&large).unwrap()));
    assert_eq!(left[3].base_offset(), Offset(1004));
}

/// Readers who can take it get what it deletes.
#[test]
fn a_tombstone_stays_where_what_it_deletes_may() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    let large = keyed(&format!("a={}", "x".repeat(2000))).codec(Codec::Zstd).build();
    append(&mut log, &large).unwrap();
    append(&mut log, &keyed("a- c=1").build()).unwrap();
    log.roll(Timestamp(0)).unwrap();
    let rules = Compaction { inflated_bytes_max: 1000, ..RULES };
    for now in [100, 2000, 4000] {
        append(&mut log, &keyed("d=1").build()).unwrap();
        log.roll(Timestamp(0)).unwrap();
        compact(&mut log, &rules, now).unwrap();
        let shown = shown(&mut log).join(" ");
        assert!(shown.contains("0:a=xxx") && shown.contains("1:a-"), "at {now}: {shown}");
    }
}

#[test]
fn what_was_removed_meanwhile_stays_removed() {
    let disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    for batch in ["a=1", "b=1", "c=1"] {
        append(&mut log, &keyed(batch).build()).unwrap();
        log.roll(Timestamp(0)).unwrap();
    }
    let checkpoint = log.checkpoint().unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    let mut cleaning = log.cleaning(&RULES, Timestamp(0)).unwrap().unwrap();
    let cleaned = cleaning.next(&mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    let slice = log.read(Offset(1), Offset(3), 1).unwrap().unwrap();
    let held = slice.load().unwrap();
    removed(&mut log, |log| log.remove_before(Offset(1), Timestamp(0))).unwrap();
    assert!(matches!(log.swap(cleaned), Err(CompactError::Overtaken)));
    assert_eq!(shown(&mut log), ["1..2 1:b=1", "2..3 2:c=1"]);
    assert_eq!(staged(&disk), 0);
    // Whoever reads a segment that is replaced reads on.
    append(&mut log, &keyed("b=2").build()).unwrap();
    log.roll(Timestamp(0)).unwrap();
    compact(&mut log, &RULES, 0).unwrap();
    assert_eq!(slice.load().unwrap(), held);
    assert_eq!(shown(&mut log), ["2..3 2:c=1", "3..4 3:b=2"]);
}

/// A log whose every record is remembered.
struct Model {
    disk: FaultyDisk,
    dice: Dice,
    /// Committed or of no transaction, by offset: key, value.
    all: BTreeMap<i64, (u64, Option<String>)>,
    /// By producer: the next sequence, and its transaction's first offset and records.
    producers: [(i32, Option<Undecided>); 3],
    now: i64,
}

type Undecided = (Offset, Vec<(i64, (u64, Option<String>))>);

impl Model {
    fn new(seed: u64) -> Model {
        Model {
            disk: FaultyDisk::new(),
            dice: Dice(seed),
            all: BTreeMap::new(),
            producers: Default::default(),
            now: 0,
        }
    }

    fn append(&mut self, log: &mut Log<FaultyDisk>) {
        let id = self.dice.below(4) as usize;
        let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
        let codec = codecs[self.dice.below(8).min(4) as usize];
        let count = 1 + self.dice.below(6);
        let records: Vec<(u64, Option<String>)> = (0..count)
            .map(|_| {
                let value = format!("{}{}", self.now, "x".repeat(self.dice.below(60) as usize));
                (self.dice.below(20), Some(value).filter(|_| !self.dice.chance(6)))
            })
            .collect();
        let in_transaction = id < 3 && (self.producers[id].1.is_some() || self.dice.chance(3));
        let mut builder = BatchBuilder::new().codec(codec);
        if id < 3 {
            builder = builder.producer(producer(id as i64, self.producers[id].0));
            self.producers[id].0 += count as i32;
        }
        if in_transaction {
            builder = builder.transactional();
        }
        for (key, value) in &records {
            let key = format!("key {key}");
            let value = value.as_deref().map(str::as_bytes);
            let record = Record { key: Some(key.as_bytes()), value, headers: &[] };
            builder.push(Timestamp(self.now), &record);
        }
        let base = append(log, &builder.build()).unwrap().base_offset;
        let placed = (base.get()..).zip(records);
        match in_transaction {
            true => self.producers[id].1.get_or_insert((base, Vec::new())).1.extend(placed),
            false => self.all.extend(placed),
        }
    }

    fn decide(&mut self, log: &mut Log<FaultyDisk>) {
        let id = self.dice.below(3) as usize;
        let Some((first, records)) = self.producers[id].1.take() else { return };
        match self.dice.chance(2) {
            true => {
                append(log, &marker(id as i64, 1)).unwrap();
                self.all.extend(records);
            }
            false => abort(&self.disk, log, id as i64, first),
        }
    }

    fn step(&mut self, log: &mut Log<FaultyDisk>) {
        self.now += 1;
        match self.dice.below(12) {
            0..8 => self.append(log),
            8..10 => self.decide(log),
            // An empty segment is not rolled.
            10 if log.segments.last().is_some_and(|last| 0 < last.bytes) => {
                log.roll(Timestamp(self.now)).unwrap();
            }
            10 => {}
            _ => {
                let rules = Compaction {
                    tombstones_ms: self.dice.below(100) as i64,
                    memory_bytes_max: [100, 400, 1 << 20][self.dice.below(3) as usize],
                    ..RULES
                };
                compact(log, &rules, self.now).unwrap();
                self.check(log);
            }
        }
    }

    /// What a reader of committed records sees, by offset.
    fn read(&self, log: &mut Log<FaultyDisk>) -> BTreeMap<i64, (u64, Option<String>)> {
        let aborted = log.aborted.values().flatten().copied().collect::<Vec<_>>();
        let stable_end = log.stable_end();
        let mut seen = BTreeMap::new();
        let mut from = log.start();
        let mut scratch = Scratch::default();
        while let Some(slice) = log.read(from, log.end(), 500).unwrap() {
            for batch in batches(&slice.load().unwrap()) {
                let batch = batch.unwrap();
                batch.check_crc().unwrap();
                assert!(from <= batch.last_offset(), "order");
                from = batch.next_offset();
                let of = batch.producer().map(|producer| producer.id);
                let is_aborted = batch.is_transactional()
                    && aborted.iter().any(|aborted| {
                        let (first, last) = (aborted.first, aborted.last);
                        of == Some(aborted.producer) && (first..last).contains(&batch.base_offset())
                    });
                let counts = !is_aborted && !batch.is_control() && from <= stable_end;
                let records = batch.records(&mut scratch, 1 << 20).unwrap();
                for entry in records.take_while(|_| counts) {
                    let entry = entry.unwrap();
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    let key = text(entry.key.unwrap())[4..].parse().unwrap();
                    let value = entry.value.map(text);
                    assert_eq!(seen.insert(entry.offset.get(), (key, value)), None);
                }
            }
        }
        assert_eq!(from, log.end(), "readers come to the end");
        seen
    }

    fn check(&self, log: &mut Log<FaultyDisk>) {
        let seen = self.read(log);
        let (stable_end, compacted) = (log.stable_end().get(), log.compacted_end().get());
        for (offset, record) in &seen {
            assert_eq!(self.all.get(offset), Some(record), "offsets never move: {offset}");
        }
        let mut last = BTreeMap::new();
        let mut last_compacted = BTreeMap::new();
        for (offset, (key, value)) in self.all.range(..stable_end) {
            last.insert(key, (*offset, value));
            if *offset < compacted {
                last_compacted.insert(key, *offset);
            }
        }
        for (key, (offset, value)) in &last {
            let there = seen.contains_key(offset) || value.is_none();
            assert!(there, "the last of key {key} at {offset} is gone");
        }
        for (offset, (key, _)) in seen.range(..compacted) {
            assert_eq!(last_compacted[key], *offset, "an old record of key {key}");
        }
    }
}

#[test]
fn the_last_of_each_key_is_there_after_any_history() {
    for seed in simulation::seeds(60) {
        let _announce = simulation::Announce(seed);
        let mut model = Model::new(seed);
        let mut log = open_compacted(&model.disk, Known::default());
        for _ in 0..6 {
            for _ in 0..model.dice.below(80) {
                model.step(&mut log);
            }
            model.check(&mut log);
            let known = Known { compacted: Some(log.compacted_end()), ..Known::default() };
            let producers = log.producers.clone();
            match model.dice.below(3) {
                0 => drop(log),
                1 => log.close(Timestamp(model.now)).unwrap(),
                _ => {
                    sync(&mut log);
                    let mut dice = model.dice.clone();
                    model.disk.power_fails(&mut dice);
                }
            }
            model.disk.process_dies();
            // What a start that trusts nothing reads is the same.
            let trust = if model.dice.chance(3) { Trust::Nothing } else { Trust::Unclean };
            log = open_compacted(&model.disk, Known { trust, ..known });
            model.check(&mut log);
            for (id, state) in producers.states() {
                let found = log.producers.states().find(|(found, _)| *found == id);
                let last = found.and_then(|(_, state)| state.sent.last().copied());
                assert_eq!(last, state.sent.last().copied(), "of producer {id}");
            }
        }
    }
}

#[test]
fn a_crash_at_any_point_of_a_compaction_loses_nothing() {
    let mut crashes = 0;
    for seed in simulation::seeds(6) {
        let _announce = simulation::Announce(seed);
        for changes in 0.. {
            let mut model = Model::new(seed);
            let mut log = open_compacted(&model.disk, Known::default());
            for _ in 0..45 {
                model.append(&mut log);
                model.decide(&mut log);
            }
            let checkpoint = log.checkpoint().unwrap();
            checkpoint.run().unwrap();
            log.checkpointed(&checkpoint);
            model.disk.crash_after(changes);
            let done = compact(&mut log, &RULES, 100);
            // The log itself goes on as well as it can.
            if done.is_err() && log.checkpoint_segment.is_some() {
                model.check(&mut log);
            }
            drop(log);
            match model.dice.chance(2) {
                true => model.disk.process_dies(),
                false => {
                    let mut dice = model.dice.clone();
                    model.disk.power_fails(&mut dice);
                }
            }
            let mut log = open_compacted(&model.disk, Known::default());
            model.check(&mut log);
            assert_eq!(staged(&model.disk), 0);
            compact(&mut log, &RULES, 100).unwrap();
            model.check(&mut log);
            log.close(Timestamp(0)).unwrap();
            simulation::check_files(&model.disk);
            crashes += 1;
            if done.is_ok() {
                break;
            }
        }
    }
    eprintln!("{crashes} crashes in a compaction");
    assert!(500 < crashes, "too few points: {crashes}");
}

/// Which files Apache Kafka, or kaw, leaves when it dies in the middle of a compaction, and what is
/// there afterwards: the first segment's record compacted, or not.
#[track_caller]
fn check_left(files: &[&str], gone: &[&str], want: &[&str]) {
    let mut disk = FaultyDisk::new();
    let mut log = open_compacted(&disk, Known::default());
    for records in ["a=1 b=1", "a=2", "c=1"] {
        append(&mut log, &keyed(records).build()).unwrap();
        log.roll(Timestamp(0)).unwrap();
    }
    log.close(Timestamp(0)).unwrap();
    let path = |name: &str| Path::new(DIR).join(format!("{:020}{name}", 0));
    let mut compacted = Vec::new();
    let whole = keyed("a=1 b=1").build();
    let whole = BatchView::parse(&whole).unwrap();
    let mut scratch = Scratch::default();
    let all = whole.sketches(&mut scratch, 1 << 20).unwrap().map(Result::unwrap);
    let kept = all.filter(|record| record.key == Some(b"b"));
    crate::record::thin(&whole, kept, None, &mut compacted);
    for name in files {
        let file = disk.open(&path(name), Open::OrCreate).unwrap();
        let bytes = if name.starts_with(".log.") { &compacted[..] } else { &[] };
        file.write_at([bytes, &[]], 0).unwrap();
    }
    gone.iter().for_each(|name| disk.remove(&path(name)).unwrap());
    disk.process_dies();
    let mut log = open_compacted(&disk, Known::default());
    assert_eq!(
        shown(&mut log),
        [want, &["2..3 2:a=2", "3..4 3:c=1"]].concat(),
        "{files:?} {gone:?}"
    );
    assert_eq!(staged(&disk), 0, "{files:?} {gone:?}");
}

#[test]
fn a_compaction_that_was_cut_off_is_taken_back_or_finished() {
    let (before, after) = (["0..2 0:a=1 1:b=1"], ["0..2 1:b=1"]);
    check_left(&[], &[], &before);
    check_left(&[".log.cleaned"], &[], &before);
    check_left(&[".log.swap", ".index.cleaned", ".timeindex.cleaned"], &[], &before);
    check_left(&[".log.cleaned", ".index.swap", ".timeindex.swap"], &[], &before);
    check_left(&[".log.swap", ".index.swap", ".timeindex.swap"], &[], &after);
    check_left(&[".log.swap", ".index.swap", ".timeindex.swap"], &[".log", ".index"], &after);
    check_left(&[".log.swap"], &[".log", ".index", ".timeindex"], &after);
    // The log is in place already; what belongs to it is not.
    check_left(&[".index.swap", ".timeindex.swap"], &[".index"], &before);
    check_left(&[".log.deleted", ".index.deleted"], &[], &before);
}
